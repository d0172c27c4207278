//! Malicious archives, and files that are not source distributions.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use pybundle::sdist::filename::SdistFormat;
use pybundle::sdist::unpack::{InvalidSdistEntry, UnpackError, UnpackLimits, project_directory, unpack};
use tar::EntryType;
use tempfile::TempDir;

/// Writes a tar archive byte by byte: the library would refuse some of these paths.
struct Tar(GzEncoder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        let mut tar = Self(GzEncoder::new(Vec::new(), Compression::fast()));
        tar.entry("demo-1.0/pyproject.toml", EntryType::Regular, "", b"[project]\n");
        tar
    }

    fn entry(&mut self, path: &str, kind: EntryType, target: &str, content: &[u8]) {
        self.header(path, kind, target, content.len() as u64);
        self.0.write_all(content).unwrap();
        self.0.write_all(&vec![0; content.len().next_multiple_of(512) - content.len()]).unwrap();
    }

    fn header(&mut self, path: &str, kind: EntryType, target: &str, size: u64) {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o755);
        header.set_cksum();
        self.0.write_all(header.as_bytes()).unwrap();
    }

    /// Writes zeros, which compress well.
    fn zeros(&mut self, size: u64) {
        io::copy(&mut io::repeat(0).take(size), &mut self.0).unwrap();
    }

    /// Unpacks the archive, and checks that nothing was written beside the destination.
    fn unpack(mut self) -> (TempDir, Result<PathBuf, UnpackError>) {
        self.zeros(1024);
        unpack_bytes(&self.0.finish().unwrap(), SdistFormat::TarGz)
    }
}

fn unpack_bytes(bytes: &[u8], format: SdistFormat) -> (TempDir, Result<PathBuf, UnpackError>) {
    let folder = tempfile::tempdir().unwrap();
    let (archive, inside) = (folder.path().join("archive"), folder.path().join("a/b"));
    fs::create_dir_all(&inside).unwrap();
    fs::write(&archive, bytes).unwrap();
    let limits = UnpackLimits { bytes: 10_000_000, entries: 10 };
    let result = unpack(&archive, format, &inside, limits);
    let neighbours =
        fs::read_dir(folder.path()).unwrap().count() + fs::read_dir(folder.path().join("a")).unwrap().count();
    assert_eq!(neighbours, 3, "nothing was written elsewhere");
    (folder, result)
}

fn invalid_entry(result: Result<PathBuf, UnpackError>) -> (String, InvalidSdistEntry) {
    match result.unwrap_err() {
        UnpackError::Entry { path, reason } => (path, reason),
        other => panic!("{other}"),
    }
}

#[test]
fn entries_outside_of_the_destination_are_refused() {
    let (file, link, hard) = (EntryType::Regular, EntryType::Symlink, EntryType::Link);
    for (path, kind, target, expected) in [
        ("/etc/demo", file, "", InvalidSdistEntry::Path),
        ("demo-1.0/../../demo", file, "", InvalidSdistEntry::Path),
        ("..", EntryType::Directory, "", InvalidSdistEntry::Path),
        (".", file, "", InvalidSdistEntry::Path),
        ("demo-1.0/l", link, "/etc/passwd", InvalidSdistEntry::Link),
        ("demo-1.0/l", link, "../../../archive", InvalidSdistEntry::Link),
        ("demo-1.0/l", link, "../..", InvalidSdistEntry::Link),
        ("demo-1.0/l", link, "nothing", InvalidSdistEntry::Link),
        ("demo-1.0/l", link, "l", InvalidSdistEntry::Link),
        ("demo-1.0/l", hard, "../../archive", InvalidSdistEntry::Link),
        ("demo-1.0/l", hard, "demo-1.0/nothing", InvalidSdistEntry::Link),
        ("demo-1.0/p", EntryType::Fifo, "", InvalidSdistEntry::FileType),
        ("demo-1.0/c", EntryType::Char, "", InvalidSdistEntry::FileType),
        ("demo-1.0/pyproject.toml", file, "", InvalidSdistEntry::Duplicate),
        ("demo-1.0/./pyproject.toml", link, "pyproject.toml", InvalidSdistEntry::Duplicate),
    ] {
        let mut tar = Tar::new();
        tar.entry(path, kind, target, b"");
        let (found, found_reason) = invalid_entry(tar.unpack().1);
        assert_eq!(found_reason, expected, "{path} -> {target}");
        assert!(path.ends_with(found.rsplit('/').next().unwrap()), "{found}");
    }
}

/// Each link alone stays inside of the destination.
#[test]
fn links_that_lead_out_of_the_destination_together_are_refused() {
    let mut tar = Tar::new();
    tar.entry("demo-1.0/p/q/file", EntryType::Regular, "", b"");
    tar.entry("demo-1.0/p/q/up", EntryType::Symlink, "../..", b"");
    tar.entry("demo-1.0/p/q/out", EntryType::Symlink, "up/../../..", b"");
    assert_eq!(invalid_entry(tar.unpack().1), ("demo-1.0/p/q/out".to_owned(), InvalidSdistEntry::Link));
}

/// A file is not written through an earlier link.
#[test]
fn links_come_last() {
    let mut tar = Tar::new();
    tar.entry("demo-1.0/l", EntryType::Symlink, "../..", b"");
    tar.entry("demo-1.0/l/escaped", EntryType::Regular, "", b"");
    assert_eq!(invalid_entry(tar.unpack().1), ("demo-1.0/l".to_owned(), InvalidSdistEntry::Duplicate));
}

#[test]
fn honest_links_and_modes_are_kept() {
    let mut tar = Tar::new();
    tar.entry("demo-1.0/bin/tool", EntryType::Regular, "", b"#!/bin/sh\n");
    tar.entry("demo-1.0/bin/same", EntryType::Link, "demo-1.0/bin/tool", b"");
    tar.entry("demo-1.0/latest", EntryType::Symlink, "bin", b"");
    let (_folder, top) = tar.unpack();
    let top = top.unwrap();
    assert!(top.ends_with("a/b/demo-1.0"));
    assert_eq!(fs::read(top.join("latest/same")).unwrap(), b"#!/bin/sh\n");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(top.join("bin/tool")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o755);
    assert!(project_directory(&top, Some("./bin")).unwrap().ends_with("demo-1.0/bin"));
    assert!(matches!(project_directory(&top, Some("latest/../..")), Err(UnpackError::Subdirectory(_))));
}

#[test]
fn bombs_are_not_unpacked() {
    let mut tar = Tar::new();
    let size = 10_000_001;
    tar.header("demo-1.0/bomb", EntryType::Regular, "", size);
    tar.zeros(size.next_multiple_of(512));
    assert!(matches!(tar.unpack().1, Err(UnpackError::TooLarge(10_000_000))));

    // Two files that exceed the limit only together.
    let mut tar = Tar::new();
    for path in ["demo-1.0/a", "demo-1.0/b"] {
        tar.header(path, EntryType::Regular, "", 6_000_128);
        tar.zeros(6_000_128);
    }
    assert!(matches!(tar.unpack().1, Err(UnpackError::TooLarge(_))));

    let mut tar = Tar::new();
    tar.header("long", EntryType::GNULongName, "", 1 << 30);
    tar.zeros(8 << 20);
    assert!(matches!(tar.unpack().1, Err(UnpackError::Archive(_, error)) if error.to_string().contains("too long")));

    let mut tar = Tar::new();
    for _ in 0..10 {
        tar.header("demo-1.0", EntryType::Directory, "", 0);
    }
    assert!(matches!(tar.unpack().1, Err(UnpackError::TooManyEntries(10))));
}

#[test]
fn an_archive_has_one_top_level_directory() {
    let mut two = Tar::new();
    two.entry("other/setup.py", EntryType::Regular, "", b"");
    assert!(matches!(two.unpack().1, Err(UnpackError::TopLevel(2))));
    let mut global = Tar::new();
    global.entry("pax_global_header", EntryType::XGlobalHeader, "", b"24 comment=0123456789ab\n");
    assert!(global.unpack().1.is_ok());
}

#[test]
fn files_that_are_not_archives_are_refused() {
    for format in [SdistFormat::TarGz, SdistFormat::Zip] {
        for bytes in [&b""[..], b"PK\x03\x04", b"\x1f\x8b\x08\0\0", b"<html>Not found</html>"] {
            let (_folder, result) = unpack_bytes(bytes, format);
            assert!(result.is_err(), "{bytes:?} as {format:?}");
        }
    }
}

#[test]
fn the_same_rules_apply_to_zip_archives() {
    let write = |path: &str, link: Option<&str>| {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file("demo-1.0/setup.py", options.unix_permissions(0o755)).unwrap();
        match link {
            Some(target) => writer.add_symlink(path, target, options).unwrap(),
            None => writer.start_file(path, options).unwrap(),
        }
        unpack_bytes(&writer.finish().unwrap().into_inner(), SdistFormat::Zip)
    };
    for (path, link, expected) in [
        ("../escaped", None, InvalidSdistEntry::Path),
        ("/escaped", None, InvalidSdistEntry::Path),
        ("demo-1.0/l", Some("/etc/passwd"), InvalidSdistEntry::Link),
        ("demo-1.0/l", Some("../../archive"), InvalidSdistEntry::Link),
        ("demo-1.0/./setup.py", None, InvalidSdistEntry::Duplicate),
    ] {
        assert_eq!(invalid_entry(write(path, link).1).1, expected, "{path}");
    }
    let (_folder, top) = write("demo-1.0/same.py", Some("setup.py"));
    let mode = fs::metadata(top.unwrap().join("same.py")).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o755);
    assert!(Path::new("/escaped").symlink_metadata().is_err());
}
