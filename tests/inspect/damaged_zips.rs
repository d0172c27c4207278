//! Zips with exactly one problem, and some with two: each problem is found with its file.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use pybundle::archive::zip as writer;
use pybundle::report::Silent;
use pybundle::tree::{FileAccess, FileContent, FileOrigin, FileTree, TreeEntry, TreePath};
use zip::ZipArchive;
use zip::write::SimpleFileOptions;

use crate::artifacts::{artifacts, findings, verified};

/// The file that is damaged.
const FILE: &str = "idna/core.py";

/// A zip in memory, and where the parts of one entry are.
struct Zip {
    bytes: Vec<u8>,
    local: usize,
    content: usize,
    central: usize,
    end: usize,
}

impl Zip {
    fn new() -> Self {
        let bytes = fs::read(artifacts().small_zip()).unwrap();
        let mut archive = ZipArchive::new(Cursor::new(bytes.clone())).unwrap();
        let entry = archive.by_name(FILE).unwrap();
        let places = [entry.header_start(), entry.data_start().unwrap(), entry.central_header_start()];
        let [local, content, central] = places.map(|place| place as usize);
        Self { end: bytes.len() - 22, bytes, local, content, central }
    }

    fn set(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// Asserts what verifying these bytes finds, each finding in its order by texts that it contains.
fn found_in(bytes: &[u8], expected: &[&[&str]]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.zip");
    fs::write(&path, bytes).unwrap();
    found_at(&path, expected);
}

fn found_at(path: &Path, expected: &[&[&str]]) {
    let (passed, report, said) = verified(path.to_str().unwrap(), &[]);
    let found = findings(&report);
    assert!(!passed && said.contains(&format!("failed: {} problem", expected.len())), "{said}{found:#?}");
    for (finding, texts) in found.iter().zip(expected) {
        for text in *texts {
            assert!(finding.contains(text), "{finding} does not say {text}");
        }
    }
}

fn found(damage: impl FnOnce(&mut Zip), expected: &[&[&str]]) {
    let mut zip = Zip::new();
    damage(&mut zip);
    found_in(&zip.bytes, expected);
}

#[test]
fn contents_that_are_damaged_are_found() {
    // The first byte of a stream says what kind of block it is.
    found(|zip| zip.bytes[zip.content] ^= 0x06, &[&["content: ", FILE]]);
    found(
        |zip| {
            zip.set(zip.local + 14, &[1, 2, 3, 4]);
            zip.set(zip.central + 16, &[1, 2, 3, 4]);
        },
        &[&["content: ", FILE, "its CRC-32 is", "expected 04030201"]],
    );
    found(
        |zip| {
            zip.set(zip.local + 22, &[9, 0, 0, 0]);
            zip.set(zip.central + 24, &[9, 0, 0, 0]);
        },
        &[&["content: ", FILE, "it inflates to more than the 9 bytes that its headers declare"]],
    );
}

#[test]
fn every_entry_that_is_damaged_is_found() {
    let bytes = fs::read(artifacts().small_zip()).unwrap();
    let mut archive = ZipArchive::new(Cursor::new(bytes.clone())).unwrap();
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .filter(|name| name.starts_with("jmespath/"))
        .collect();
    let mut damaged = bytes;
    for name in &names {
        let central = archive.by_name(name).unwrap().central_header_start() as usize;
        let local = archive.by_name(name).unwrap().header_start() as usize;
        damaged[central + 16] ^= 1;
        damaged[local + 14] ^= 1;
    }
    assert!(names.len() > 5);
    let mut sorted = names.clone();
    sorted.sort();
    let texts: Vec<[&str; 3]> = sorted.iter().map(|name| ["content: ", name.as_str(), "CRC-32"]).collect();
    found_in(&damaged, &texts.iter().map(|texts| &texts[..]).collect::<Vec<_>>());
}

#[test]
fn headers_that_contradict_each_other_are_found() {
    let differs = |at: usize, bytes: &'static [u8], field: &str| {
        let expected = format!("the local header and the central directory disagree on its {field}");
        found(|zip| zip.set(zip.local + at, bytes), &[&["structure: ", FILE, &expected]]);
    };
    differs(6, &[2, 0], "flags");
    differs(8, &[0, 0], "compression method");
    differs(14, &[0, 0, 0, 0], "CRC-32");
    differs(18, &[1, 0, 0, 0], "compressed size");
    differs(22, &[1, 0, 0, 0], "size");
    differs(30, b"x", "name");
    // In two entries, and damaged content besides.
    let other = "idna/codec.py";
    found(
        |zip| {
            let bytes = zip.bytes.clone();
            let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
            let start = archive.by_name(other).unwrap().header_start() as usize;
            zip.set(start + 22, &[1, 0, 0, 0]);
            zip.set(zip.local + 22, &[1, 0, 0, 0]);
            let app = archive.by_name("app.py").unwrap();
            let at = (app.header_start() as usize, app.central_header_start() as usize);
            zip.set(at.0 + 14, &[0; 4]);
            zip.set(at.1 + 16, &[0; 4]);
        },
        &[&["structure: ", other, "size"], &["structure: ", FILE, "size"], &["content: ", "app.py", "CRC-32"]],
    );
}

#[test]
fn archives_that_readers_would_read_differently_are_found() {
    found(|zip| zip.bytes.truncate(zip.end), &[&["structure: ", "no end of central directory record"]]);
    found(|zip| zip.bytes.extend(b"more"), &[&["structure: ", "4 bytes follow the end of the archive"]]);
    found(
        |zip| {
            zip.set(zip.end + 8, &[1, 0]);
            zip.set(zip.end + 10, &[1, 0]);
        },
        &[&["structure: ", "the archive declares 1 entries"]],
    );
    found(|zip| zip.set(zip.central, b"XX"), &[&["structure: ", "the central directory is invalid at byte"]]);
    found(|zip| zip.bytes.splice(0..0, *b"#!/bin/sh\n").for_each(drop), &[&["structure: "]]);
    found(|zip| zip.set(zip.central + 10, &[12, 0]), &[&["structure: ", FILE, "bzip2 (method 12)"]]);
    found(
        |zip| zip.set(zip.central + 46, b"/"),
        &[&["structure: ", "/dna/core.py", "it is absolute"], &["RECORD: ", FILE, "missing"]],
    );
}

#[test]
fn headers_that_pybundle_would_not_have_written_are_found() {
    let central = |at: usize, bytes: [u8; 2], expected: &str| {
        found(|zip| zip.set(zip.central + at, &bytes), &[&["headers: ", FILE, expected]]);
    };
    central(40, (0o100_600_u16).to_le_bytes(), "its mode is 0600, not 0644 or 0755");
    central(40, (0o100_777_u16).to_le_bytes(), "its mode is 0777, not 0644 or 0755");
    central(40, (0o000_644_u16).to_le_bytes(), "its attributes are not those of a regular file");
    central(12, [1, 0], "it is not dated 1980-01-01");
    central(14, [0x21, 0x5a], "it is not dated 1980-01-01");
    central(6, [45, 0], "the version in its header");
    central(4, [20, 0], "the system that made it in its header");
    central(36, [1, 0], "the attributes in its header");
    found(|zip| zip.set(zip.local + 12, &[0x21, 0x5a]), &[&["headers: ", FILE, "it is not dated 1980-01-01"]]);
    found(|zip| zip.set(zip.local + 4, &[10, 0]), &[&["headers: ", FILE, "the version in its header"]]);
    found(
        |zip| {
            zip.set(zip.local + 6, &[2, 0]);
            zip.set(zip.central + 8, &[2, 0]);
        },
        &[&["headers: ", FILE, "the flags in its header"]],
    );
    found(
        |zip| {
            zip.set(zip.end + 20, &[5, 0]);
            zip.bytes.extend(b"hello");
        },
        &[&["headers: ", "the end of the archive is not what pybundle writes"]],
    );
}

/// The files of the small zip, by path.
fn files() -> Vec<(String, bool, Vec<u8>)> {
    let mut archive = ZipArchive::new(fs::File::open(artifacts().small_zip()).unwrap()).unwrap();
    let count = archive.len();
    let read = |index| {
        let mut entry = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.name().unwrap().into_owned(), entry.unix_mode().unwrap() & 0o111 != 0, bytes)
    };
    (0..count).map(read).collect()
}

/// Writes files as pybundle does.
fn found_among(files: Vec<(String, bool, Vec<u8>)>, expected: &[&[&str]]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rewritten.zip");
    let mut tree = FileTree::new();
    for (path, is_executable, bytes) in files {
        let access = if is_executable { FileAccess::EXECUTABLE } else { FileAccess::FILE };
        let entry = TreeEntry { access, content: FileContent::Bytes(bytes.into()), origin: FileOrigin::Application };
        tree.insert(TreePath::new(&path).unwrap(), entry).unwrap();
    }
    writer::write(&tree, &path, &Silent).unwrap().persist().unwrap();
    if expected.is_empty() {
        assert!(verified(path.to_str().unwrap(), &[]).0);
    } else {
        found_at(&path, expected);
    }
}

#[test]
fn files_that_are_not_what_record_says_are_found() {
    const RECORD: &str = "idna-3.10.dist-info/RECORD";
    // Written again without a change, it passes.
    found_among(files(), &[]);
    let changed = |change: fn(&str, &mut Vec<u8>), expected: &[&[&str]]| {
        let mut files = files();
        files.iter_mut().for_each(|(path, _, bytes)| change(path, bytes));
        found_among(files, expected);
    };
    changed(
        |path, bytes| {
            if path == FILE {
                bytes[0] ^= 1
            }
        },
        &[&["RECORD: ", FILE, "its digest differs from the one in", RECORD]],
    );
    changed(
        |path, bytes| {
            if path == FILE {
                bytes.push(b'\n')
            }
        },
        &[&["RECORD: ", FILE, "bytes, but", RECORD], &["RECORD: ", FILE, "its digest"]],
    );
    changed(
        |path, bytes| {
            if path == RECORD {
                bytes.extend(b"idna/none.py,sha256=x,1\n")
            }
        },
        &[&["RECORD: ", RECORD, "line ", "is not a valid digest"]],
    );
    changed(
        |path, bytes| {
            if path == RECORD {
                bytes.extend(b"idna/none.py,,\n")
            }
        },
        &[&["RECORD: ", "idna/none.py", "it is missing, but listed in"]],
    );
    changed(
        |path, bytes| {
            if path == RECORD {
                bytes.extend(b"../none.py,,\n")
            }
        },
        &[&["RECORD: ", RECORD, "`../none.py`, which is outside"]],
    );
    let without = |names: &[&str]| files().into_iter().filter(|(path, ..)| !names.contains(&path.as_str())).collect();
    found_among(without(&[FILE]), &[&["RECORD: ", FILE, "it is missing, but listed in", RECORD]]);
    found_among(without(&[FILE, "idna/codec.py"]), &[&["idna/codec.py", "missing"], &[FILE, "missing"]]);
    found_among(without(&[RECORD]), &[&["RECORD: ", RECORD, "it is missing"]]);
    let mut more = files();
    more.push(("idna-3.10.dist-info/extra.txt".to_owned(), false, Vec::new()));
    found_among(more, &[&["RECORD: ", "idna-3.10.dist-info/extra.txt", "it is not listed in", RECORD]]);
}

#[test]
fn another_order_and_directories_are_found() {
    let options = SimpleFileOptions::default()
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644)
        .compression_method(zip::CompressionMethod::Deflated);
    let write = |names: &[&str]| {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            match name.strip_suffix('/') {
                Some(directory) => archive.add_directory(directory, options).unwrap(),
                None => {
                    archive.start_file(*name, options).unwrap();
                    archive.write_all(b"import os\nimport sys\nimport os\nimport sys\n").unwrap();
                }
            }
        }
        archive.finish().unwrap().into_inner()
    };
    found_in(&write(&["b.py", "a.py"]), &[&["headers: ", "a.py", "it comes after `b.py`"]]);
    found_in(&write(&["a.py", "b/", "c.py"]), &[&["headers: ", "b: it is a directory"]]);
}

#[test]
fn more_than_lambda_unpacks_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let huge = directory.path().join("huge.bin");
    fs::File::create(&huge).unwrap().set_len(262_144_001).unwrap();
    let path = directory.path().join("huge.zip");
    let mut tree = FileTree::new();
    let content = FileContent::File { path: huge, size: 262_144_001 };
    let entry = TreeEntry { access: FileAccess::FILE, content, origin: FileOrigin::Application };
    tree.insert(TreePath::new("huge.bin").unwrap(), entry).unwrap();
    writer::write(&tree, &path, &Silent).unwrap().persist().unwrap();
    found_at(&path, &[&["limits: ", "its files have 262144001 bytes, more than Lambda's limit of 262144000"]]);
}
