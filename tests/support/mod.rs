//! What the tests share.
#![allow(dead_code, reason = "each test binary uses another part")]

pub mod answer;
pub mod artifact;
pub mod bases;
pub mod case;
pub mod command;
pub mod docker;
pub mod lambda;
pub mod sandbox;
pub mod schema;
pub mod uv;

/// Returns the smallest wheel of a pure distribution: its metadata, and a module of its name.
pub fn wheel(name: &str, version: &str) -> Vec<u8> {
    use std::io::Write as _;
    let info = format!("{name}-{version}.dist-info");
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, text) in [
        (format!("{name}.py"), String::new()),
        (format!("{info}/METADATA"), format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")),
        (format!("{info}/WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned()),
        (format!("{info}/RECORD"), format!("{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")),
    ] {
        archive.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
