//! .debs that are valid, and such as must be refused.

use std::io::Write as _;

use super::*;

const CONTROL: &str = "Package: demo\nVersion: 1.0-1\nArchitecture: amd64\nDescription: a demo\n";

/// An entry of an archive: its type, its path, its mode, and its content or target.
type TarEntry<'a> = (tar::EntryType, &'a str, u32, &'a str);

const FILE: tar::EntryType = tar::EntryType::Regular;
const DIRECTORY: tar::EntryType = tar::EntryType::Directory;
const LINK: tar::EntryType = tar::EntryType::Symlink;
const HARD_LINK: tar::EntryType = tar::EntryType::Link;

fn archive(entries: &[TarEntry]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (kind, path, mode, text) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_uid(0);
        header.set_gid(0);
        let is_file = *kind == FILE;
        header.set_size(if is_file { text.len() as u64 } else { 0 });
        // The library refuses such paths itself.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        if !is_file {
            header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
        }
        header.set_cksum();
        archive.extend_from_slice(header.as_bytes());
        if is_file {
            archive.extend_from_slice(text.as_bytes());
            archive.resize(archive.len().next_multiple_of(512), 0);
        }
    }
    archive.extend([0; 1024]);
    archive
}

fn ar(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        bytes.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len()).as_bytes());
        bytes.extend(content);
        if !content.len().is_multiple_of(2) {
            bytes.push(b'\n');
        }
    }
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut output = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    output.extend(miniz_oxide::deflate::compress_to_vec(bytes, 6));
    output.extend(crc32fast::hash(bytes).to_le_bytes());
    output.extend((bytes.len() as u32).to_le_bytes());
    output
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn control_archive(control: &str) -> Vec<u8> {
    let script = (FILE, "./postinst", 0o755, "#!/bin/sh\n");
    archive(&[(DIRECTORY, "./", 0o755, ""), (FILE, "./control", 0o644, control), script])
}

/// Returns a .deb with these entries.
fn deb(entries: &[TarEntry]) -> Vec<u8> {
    ar(&[
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", gzip(&control_archive(CONTROL))),
        ("data.tar.xz", xz(&archive(entries))),
    ])
}

type FoundEntry = (Option<String>, String, DebEntryKind, String);

/// Reads a .deb, or returns its error with its cause.
fn read(bytes: &[u8]) -> Result<(String, Vec<String>, Vec<FoundEntry>), String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut found = Vec::new();
    let opened = Deb::open(Path::new("demo.deb"), file.as_file());
    let deb = opened.map_err(shown)?;
    let read = deb.entries::<DebError>(|entry, content| {
        let mut text = String::new();
        content.read_to_string(&mut text).unwrap();
        found.push((entry.path.map(|path| path.to_string()), entry.access.to_string(), entry.kind, text));
        Ok(())
    });
    read.map_err(shown)?;
    Ok((deb.control.clone(), deb.control_files.keys().cloned().collect(), found))
}

fn shown(error: DebError) -> String {
    format!("{error}: {}", error.source)
}

#[test]
fn entries_keep_their_modes_and_links() {
    let bytes = deb(&[
        (DIRECTORY, "./", 0o755, ""),
        (DIRECTORY, "./usr/", 0o755, ""),
        (FILE, "./usr/demo", 0o4755, "content"),
        (HARD_LINK, "./usr/other", 0o4755, "./usr/demo"),
        (LINK, "./usr/link", 0o777, "../../../etc"),
        (FILE, "./usr/a\\x2db", 0o644, ""),
    ]);
    let (control, files, found) = read(&bytes).unwrap();
    assert_eq!((control.as_str(), files), (CONTROL, vec!["postinst".to_owned()]));
    let expected = [
        (None, "0755 0:0", DebEntryKind::Directory, ""),
        (Some("usr"), "0755 0:0", DebEntryKind::Directory, ""),
        (Some("usr/demo"), "4755 0:0", DebEntryKind::File(7), "content"),
        (Some("usr/other"), "4755 0:0", DebEntryKind::HardLink("usr/demo".to_owned()), ""),
        (Some("usr/link"), "0777 0:0", DebEntryKind::Link("../../../etc".to_owned()), ""),
        (Some("usr/a\\x2db"), "0644 0:0", DebEntryKind::File(0), ""),
    ];
    let expected =
        expected.map(|(path, access, kind, text)| (path.map(str::to_owned), access.to_owned(), kind, text.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn every_compression_is_read() {
    let data = archive(&[(FILE, "./a", 0o644, "x")]);
    let zstd = zstd::stream::encode_all(data.as_slice(), 3).unwrap();
    for (name, bytes) in
        [("data.tar", data.clone()), ("data.tar.gz", gzip(&data)), ("data.tar.xz", xz(&data)), ("data.tar.zst", zstd)]
    {
        let control = ("control.tar.xz", xz(&control_archive(CONTROL)));
        let bytes = ar(&[("debian-binary", b"2.0\n".to_vec()), ("_gpgorigin", vec![1]), control, (name, bytes)]);
        assert_eq!(read(&bytes).unwrap().2.len(), 1, "{name}");
    }
}

#[test]
fn entries_that_no_layer_can_hold_are_refused() {
    let [device, pipe] = [tar::EntryType::Char, tar::EntryType::Fifo];
    let cases: [(&[TarEntry], &str); 13] = [
        (&[(FILE, "../etc/passwd", 0o644, "")], "`../etc/passwd`: it contains the component `.` or `..`"),
        (&[(FILE, "./a/../../b", 0o644, "")], "`./a/../../b`: it contains the component `.` or `..`"),
        (&[(FILE, "/etc/passwd", 0o644, "")], "`/etc/passwd`: it is absolute"),
        (&[(FILE, "./a//b", 0o644, "")], "`./a//b`: it contains an empty component"),
        (&[(FILE, "./a\nb", 0o644, "")], "`./a\\nb`: it contains a control character"),
        (&[(device, "./dev/null", 0o666, "")], "`./dev/null`: it is a device"),
        (&[(pipe, "./run/pipe", 0o666, "")], "`./run/pipe`: it is a pipe"),
        (&[(LINK, "./a", 0o777, "/etc"), (FILE, "./a/b", 0o644, "")], "`./a/b`: it is below the symbolic link `a`"),
        (&[(FILE, "./a", 0o644, ""), (FILE, "./a/b", 0o644, "")], "`./a/b`: it is below the file `a`"),
        (&[(FILE, "./a", 0o644, ""), (LINK, "./a", 0o777, "b")], "`./a`: it is in the archive twice"),
        (&[(DIRECTORY, "./a/", 0o755, ""), (FILE, "./a", 0o644, "")], "`./a`: it is in the archive twice"),
        (&[(HARD_LINK, "./a", 0o644, "./etc/shadow")], "`./a`: it is a hard link to `etc/shadow`, which is not a file"),
        (&[(HARD_LINK, "./a", 0o644, "../b")], "`./a`: it contains the component `.` or `..`"),
    ];
    for (entries, expected) in cases {
        let error = read(&deb(entries)).unwrap_err();
        assert!(error.starts_with("cannot read demo.deb: it contains "), "{error}");
        assert!(error.contains(expected), "{error}\nexpected {expected}");
    }
}

#[test]
fn other_files_are_refused() {
    let version = ("debian-binary", b"2.0\n".to_vec());
    let control = ("control.tar.gz", gzip(&control_archive(CONTROL)));
    let data = ("data.tar.gz", gzip(&archive(&[])));
    let [two, empty, deep] = [
        control_archive(&format!("{CONTROL}\n{CONTROL}")),
        archive(&[]),
        archive(&[(FILE, "./a/control", 0o644, CONTROL)]),
    ]
    .map(|bytes| ("control.tar.gz", gzip(&bytes)));
    let broken = ("control.tar.gz", vec![1; 40]);
    let [v, c, d] = [&version, &control, &data].map(Clone::clone);
    let cases = [
        (b"PK\x03\x04not a deb".to_vec(), "it is not a .deb"),
        (b"!<".to_vec(), "it is not a .deb"),
        (ar(&[]), "its first member is not `debian-binary`"),
        (ar(&[c.clone(), d.clone()]), "its first member is not `debian-binary`"),
        (ar(&[("debian-binary", b"3.0\n".to_vec())]), "its format is `3.0`, expected 2.0"),
        (ar(&[v.clone(), d.clone(), c.clone()]), "its member `data.tar.gz` is where `control.tar` should be"),
        (ar(&[v.clone(), c.clone()]), "it has no member `data.tar`"),
        (ar(&[v.clone(), c.clone(), d.clone(), ("more", vec![])]), "it has an unknown member `more`"),
        (ar(&[v.clone(), two, d.clone()]), "it has more than one paragraph"),
        (ar(&[v.clone(), empty, d.clone()]), "its control file is malformed: it is missing"),
        (ar(&[v.clone(), deep, d.clone()]), "a control archive may only contain files"),
        (ar(&[v.clone(), broken, d]), "its content cannot be read"),
        (ar(&[v, ("control.tar.lz", vec![]), ("data.tar.lz", vec![])]), "`control.tar.lz` has an unknown compression"),
    ];
    for (bytes, expected) in cases {
        let error = read(&bytes).unwrap_err();
        assert!(error.contains(expected), "{error}\nexpected {expected}");
    }
    let whole = deb(&[(FILE, "./a", 0o644, "content")]);
    for length in 0..whole.len() - 1 {
        assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
    }
}

#[test]
fn another_package_than_the_locked_one_is_refused() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&deb(&[])).unwrap();
    let deb = Deb::open(Path::new("demo.deb"), file.as_file()).unwrap();
    let locked = DebIdentity { name: "demo", version: "1.0-1", architecture: "amd64" };
    assert!(deb.check(locked).is_ok());
    for (other, expected) in [
        (DebIdentity { name: "tini", ..locked }, "its control file has `Package: demo`, but `tini` was locked"),
        (DebIdentity { version: "1.0-2", ..locked }, "`Version: 1.0-1`, but `1.0-2` was locked"),
        (DebIdentity { architecture: "arm64", ..locked }, "`Architecture: amd64`, but `arm64` was locked"),
    ] {
        let error = shown(deb.check(other).unwrap_err());
        assert!(error.contains(expected), "{error}");
    }
}
