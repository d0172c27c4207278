//! The destinations of files, and the generated files.

use std::io::Write;
use std::sync::Arc;

use pybundle::digest::Sha256;
use pybundle::hints::Hints;
use pybundle::platform::Scheme;
use pybundle::tree::{FileAccess, FileContent, TreeEntry, TreePath};
use pybundle::wheel::{InstallChanges, Wheel, WheelBytes, WheelError, install, read};

use super::forge::{self, FILENAME, Forge};

const PYTHON: &str = "/var/lang/bin/python3.13";

fn flat() -> Scheme {
    Scheme { site_packages: String::new(), scripts: "bin".into(), headers: "include".into(), data: String::new() }
}

fn nested() -> Scheme {
    Scheme {
        site_packages: "python/lib/python3.13/site-packages".into(),
        scripts: "python/bin".into(),
        headers: "python/include".into(),
        data: "python".into(),
    }
}

fn install_forged(forge: &Forge, scheme: &Scheme) -> Result<Vec<(TreePath, TreeEntry)>, WheelError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let bytes = forge.bytes();
    file.write_all(&bytes).unwrap();
    let reading = read(file.as_file(), &FILENAME.parse().unwrap()).unwrap();
    let wheel = Wheel {
        filename: FILENAME.parse().unwrap(),
        bytes: WheelBytes::Here { archive: Arc::new(file.path().to_owned()), extents: reading.extents.into() },
        sha256: Sha256::of(&bytes),
        size: bytes.len() as u64,
        inventory: reading.inventory,
    };
    install(&wheel, &InstallChanges::default(), scheme, PYTHON)
}

fn text<'a>(files: &'a [(TreePath, TreeEntry)], path: &str) -> &'a str {
    let (_, entry) = files.iter().find(|(other, _)| other.as_str() == path).unwrap();
    match &entry.content {
        FileContent::Bytes(bytes) => std::str::from_utf8(bytes).unwrap(),
        content => panic!("`{path}` is not written anew: {content:?}"),
    }
}

/// A wheel with a file in every part of the scheme, and every kind of script.
fn everything() -> Forge {
    Forge::wheel(&[
        ("demo/a.py", b"a = 1\n"),
        ("demo-1.0.data/purelib/demo/pure.py", b""),
        ("demo-1.0.data/platlib/demo/plat.so", b"ELF"),
        ("demo-1.0.data/headers/demo.h", b""),
        ("demo-1.0.data/data/share/demo.txt", b""),
        ("demo-1.0.data/scripts/run", b"#!python -E\r\nprint(1)\r\n"),
        ("demo-1.0.data/scripts/window", b"#!pythonw\nprint(2)"),
        ("demo-1.0.data/scripts/only-a-line", b"#!python"),
        ("demo-1.0.data/scripts/tool.sh", b"#!/bin/sh\necho\n"),
        ("demo-1.0.data/scripts/demo", b"#!python\nreplaced\n"),
        ("demo-1.0.data/scripts/demo-script.py", b"#!python\nreplaced\n"),
        ("demo-1.0.dist-info/entry_points.txt", b"[console_scripts]\ndemo = demo.a:Tool.main [cli]\n"),
    ])
}

#[test]
fn every_part_has_its_destination() {
    let files = install_forged(&everything(), &nested()).unwrap();
    let shown: Vec<String> =
        files.iter().map(|(path, entry)| format!("{:o} {path}", entry.access.mode.permissions())).collect();
    let lib = "python/lib/python3.13/site-packages";
    assert_eq!(
        shown,
        [
            "755 python/bin/demo".to_owned(),
            "755 python/bin/only-a-line".to_owned(),
            "755 python/bin/run".to_owned(),
            "755 python/bin/tool.sh".to_owned(),
            "755 python/bin/window".to_owned(),
            "644 python/include/demo/demo.h".to_owned(),
            format!("644 {lib}/demo-1.0.dist-info/METADATA"),
            format!("644 {lib}/demo-1.0.dist-info/RECORD"),
            format!("644 {lib}/demo-1.0.dist-info/WHEEL"),
            format!("644 {lib}/demo-1.0.dist-info/entry_points.txt"),
            format!("644 {lib}/demo/a.py"),
            format!("644 {lib}/demo/plat.so"),
            format!("644 {lib}/demo/pure.py"),
            "644 python/share/demo.txt".to_owned(),
        ]
    );
    assert!(files.iter().all(|(_, entry)| entry.origin.to_string() == "demo 1.0"));
}

#[test]
fn scripts_run_under_the_interpreter() {
    let files = install_forged(&everything(), &flat()).unwrap();
    assert_eq!(text(&files, "bin/run"), format!("#!{PYTHON}\nprint(1)\r\n"));
    assert_eq!(text(&files, "bin/window"), format!("#!{PYTHON}\nprint(2)"));
    assert_eq!(text(&files, "bin/only-a-line"), format!("#!{PYTHON}\n"));
    let launcher = text(&files, "bin/demo");
    assert!(launcher.starts_with(&format!("#!{PYTHON}\n")) && launcher.contains("\nfrom demo.a import Tool\n"));
    assert!(launcher.ends_with("sys.exit(Tool.main())\n"));
    let copied = files.iter().find(|(path, _)| path.as_str() == "bin/tool.sh").unwrap();
    assert!(matches!(
        copied.1,
        TreeEntry { access: FileAccess::EXECUTABLE, content: FileContent::Archived { .. }, .. }
    ));
}

#[test]
fn record_lists_what_is_installed() {
    let files = install_forged(&everything(), &nested()).unwrap();
    let record = text(&files, "python/lib/python3.13/site-packages/demo-1.0.dist-info/RECORD");
    let rows: Vec<&str> = record.lines().collect();
    let paths: Vec<&str> = rows.iter().map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "../../../bin/demo",
            "../../../bin/only-a-line",
            "../../../bin/run",
            "../../../bin/tool.sh",
            "../../../bin/window",
            "../../../include/demo/demo.h",
            "../../../share/demo.txt",
            "demo-1.0.dist-info/METADATA",
            "demo-1.0.dist-info/RECORD",
            "demo-1.0.dist-info/WHEEL",
            "demo-1.0.dist-info/entry_points.txt",
            "demo/a.py",
            "demo/plat.so",
            "demo/pure.py",
        ]
    );
    assert_eq!(rows[8], "demo-1.0.dist-info/RECORD,,");
    assert_eq!(format!("{}\n", rows[11]), forge::record_row("demo/a.py", b"a = 1\n"));
    let run = text(&files, "python/bin/run");
    assert_eq!(format!("{}\n", rows[2]), forge::record_row("../../../bin/run", run.as_bytes()));
}

#[test]
fn two_files_with_one_destination_are_refused() {
    let forge = Forge::wheel(&[("demo/a.py", b"1"), ("demo-1.0.data/purelib/demo/a.py", b"2")]);
    let error = install_forged(&forge, &flat()).unwrap_err().to_string();
    assert_eq!(error, format!("{FILENAME}: `demo/a.py`: another file of the wheel is installed at the same path"));

    let forge = Forge::wheel(&[("demo-1.0.data/platlib/demo-1.0.dist-info/RECORD", b"")]);
    let error = install_forged(&forge, &flat()).unwrap_err();
    assert_eq!(error.entry.as_deref(), Some("demo-1.0.dist-info/RECORD"));
    assert!(!error.hints().is_empty());
}

#[test]
fn data_cannot_install_an_interpreter() {
    let forge = Forge::wheel(&[("demo-1.0.data/data/bin/python3", b"")]);
    let error = install_forged(&forge, &flat()).unwrap_err();
    assert_eq!(error.entry.as_deref(), Some("bin/python3"));
    assert!(error.to_string().contains("the script name `python3` is reserved"), "{error}");
}
