//! Code that the test binaries share.
#![allow(dead_code, reason = "each test binary uses a different part")]

pub mod answer;
pub mod artifact;
pub mod bases;
pub mod case;
pub mod command;
pub mod docker;
pub mod golden;
pub mod lambda;
pub mod leftovers;
pub mod sample;
pub mod sandbox;
pub mod schema;
pub mod uv;

/// Returns the smallest wheel of a pure distribution: its metadata and an empty module of the same name.
pub fn wheel(name: &str, version: &str) -> Vec<u8> {
    wheel_with(name, version, &[(&format!("{name}.py"), b"")])
}

/// Returns the wheel of a pure distribution with these files. Its METADATA is generated unless it is among them.
pub fn wheel_with(name: &str, version: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write as _;
    let info = format!("{name}-{version}.dist-info");
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    let (metadata_path, wheel_path) = (format!("{info}/METADATA"), format!("{info}/WHEEL"));
    let mut files = files.to_vec();
    if !files.iter().any(|(path, _)| *path == metadata_path) {
        files.push((&metadata_path, metadata.as_bytes()));
    }
    files.push((&wheel_path, b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"));
    let mut record: String = files.iter().map(|(path, _)| format!("{path},,\n")).collect();
    record.push_str(&format!("{info}/RECORD,,\n"));
    let record_path = format!("{info}/RECORD");
    files.push((&record_path, record.as_bytes()));
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, content) in files {
        archive.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
