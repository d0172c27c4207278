//! Layers of every kind of content, read again by flate2, zstd and the tar crate.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use flate2::read::GzDecoder;

use super::*;
use crate::tree::{ExtentFormat, FileAccess, FileOrigin, FileOwner};

/// What a reader sees of a member: its type, mode, owner, link and content.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    entry_type: ::tar::EntryType,
    mode: u32,
    owner: (u64, u64),
    link: Option<String>,
    content: Vec<u8>,
}

fn path(path: &str) -> TreePath {
    TreePath::new(path).unwrap()
}

fn tree<'a>(files: impl IntoIterator<Item = (&'a str, FileContent)>, links: &[(&str, &str)]) -> LayerTree {
    let mut tree = LayerTree::default();
    for (name, content) in files {
        let access = if name.ends_with(".sh") { FileAccess::EXECUTABLE } else { FileAccess::FILE };
        tree.files.insert(path(name), TreeEntry { access, content, origin: FileOrigin::Application }).unwrap();
    }
    tree.links = links.iter().map(|(link, target)| (path(link), (*target).to_owned())).collect();
    tree
}

fn bytes(content: &[u8]) -> FileContent {
    FileContent::Bytes(content.into())
}

/// Deflates content, with an empty final block.
fn deflated(content: &[u8]) -> (Vec<u8>, ExtentFormat) {
    let mut stream = Vec::new();
    let mut deflater = crate::archive::deflate::Deflater::begin();
    deflater.push(content, &mut stream).unwrap();
    deflater.finish_open(&mut stream).unwrap();
    let final_block = stream.len() as u64 * 8;
    // With fixed codes: three bits of header, seven bits of end. What follows them is noise.
    stream.extend([0b011, 0b1010_1000]);
    (stream, ExtentFormat::Deflated { final_block, end: final_block + 10 })
}

/// A file in place of a wheel.
struct Archive {
    _directory: tempfile::TempDir,
    path: Arc<PathBuf>,
}

impl Archive {
    fn new(content: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo.whl");
        fs::write(&path, content).unwrap();
        Self { _directory: directory, path: path.into() }
    }

    fn content(&self, offset: u64, compressed_size: u64, original: &[u8], format: ExtentFormat) -> FileContent {
        let (size, crc32, sha256) = (original.len() as u64, crc32fast::hash(original), Sha256::of(original));
        let stored = fs::read(&*self.path).unwrap();
        let stored = stored.get(offset as usize..).and_then(|rest| rest.get(..compressed_size as usize));
        let checksum = crc32c::crc32c(stored.unwrap_or_default());
        let extent = Extent { offset, compressed_size, size, crc32, sha256, checksum, format };
        FileContent::Archived { archive: self.path.clone(), extent }
    }
}

/// Writes a layer in each way, asserts that all agree, and returns the gzip member, the tar and the zstd frame.
fn written(tree: &LayerTree) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (mut alone, mut member, mut tar, mut frame) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    gzip(tree, &mut alone).unwrap();
    gzip_and_tar(tree, &mut member, &mut tar).unwrap();
    assert!(alone == member);
    assert_eq!(zstd(tree, &mut frame).unwrap(), Sha256::of(&tar));
    assert!(::zstd::stream::decode_all(&frame[..]).unwrap() == tar);

    let mut decoder = GzDecoder::new(&member[..]);
    let mut inflated = Vec::new();
    decoder.read_to_end(&mut inflated).unwrap();
    assert!(inflated == tar, "the member inflates to the tar");
    assert!(decoder.into_inner().is_empty(), "nothing follows the one member");
    (member, tar, frame)
}

/// Returns the members of a tar in their order, by name, and asserts their common fields.
fn read(tar: &[u8]) -> Vec<(String, Seen)> {
    let mut archive = ::tar::Archive::new(tar);
    let mut members = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        assert_eq!(header.mtime().unwrap(), 315_532_800);
        let owner = (header.uid().unwrap(), header.gid().unwrap());
        assert_eq!((header.username_bytes(), header.groupname_bytes()), (Some(&b""[..]), Some(&b""[..])));
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let link = entry.link_name_bytes().map(|link| String::from_utf8(link.into_owned()).unwrap());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let (entry_type, mode) = (header.entry_type(), header.mode().unwrap());
        members.push((name, Seen { entry_type, mode, owner, link, content }));
    }
    members
}

fn names(tar: &[u8]) -> Vec<String> {
    read(tar).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn directories_files_and_links_are_sorted_by_path() {
    let tree = tree(
        [
            ("a/b/c.py", bytes(b"c = 1\n")),
            ("a-b.sh", bytes(b"#!/bin/sh\n")),
            ("a/b.py", bytes(b"")),
            ("z/y.py", bytes(&b"y = 1\n".repeat(30_000))),
        ],
        &[("a/bin/python", "/usr/bin/python3.12"), ("a/b/link", "c.py")],
    );
    let (_, tar, _) = written(&tree);
    let members = read(&tar);
    let shown: Vec<_> = members.iter().map(|(name, seen)| (&**name, seen.mode, seen.link.as_deref())).collect();
    assert_eq!(
        shown,
        [
            ("a-b.sh", 0o755, None),
            ("a/", 0o755, None),
            ("a/b.py", 0o644, None),
            ("a/b/", 0o755, None),
            ("a/b/c.py", 0o644, None),
            ("a/b/link", 0o777, Some("c.py")),
            ("a/bin/", 0o755, None),
            ("a/bin/python", 0o777, Some("/usr/bin/python3.12")),
            ("z/", 0o755, None),
            ("z/y.py", 0o644, None),
        ]
    );
    assert_eq!(members[4].1.content, b"c = 1\n");
    assert_eq!(members[9].1.content.len(), 180_000);
    for (name, seen) in &members {
        assert_eq!(seen.owner, (0, 0));
        assert_eq!(seen.entry_type.is_dir(), name.ends_with('/'));
        assert_eq!(seen.entry_type.is_symlink(), seen.link.is_some());
    }
}

/// Explicit directories are sorted like all others, even if they are empty.
#[test]
fn files_and_directories_have_the_access_of_the_tree() {
    let mut tree = tree([("a/b.conf", bytes(b"b")), ("a-b", bytes(b"")), ("c/d/e", bytes(b""))], &[("a/b/link", "x")]);
    let owner = FileOwner { uid: 1000, gid: 3_000_000 };
    let secret = FileAccess { mode: 0o640.into(), owner };
    let entry = TreeEntry { access: secret, content: bytes(b"f"), origin: FileOrigin::Application };
    tree.files.insert(path("c/d/f"), entry).unwrap();
    for (directory, mode) in [("a", 0o755), ("a/b", 0o700), ("a/empty/inner", 0o1777), ("c/d", 0o755)] {
        let access = FileAccess { mode: mode.into(), owner };
        tree.files.insert_directory(path(directory), access, FileOrigin::Application).unwrap();
    }
    let (_, tar, _) = written(&tree);
    let members = read(&tar);
    let shown: Vec<_> = members.iter().map(|(name, seen)| (&**name, seen.mode, seen.owner.0, seen.owner.1)).collect();
    assert_eq!(
        shown,
        [
            ("a-b", 0o644, 0, 0),
            ("a/", 0o755, 1000, 3_000_000),
            ("a/b.conf", 0o644, 0, 0),
            ("a/b/", 0o700, 1000, 3_000_000),
            ("a/b/link", 0o777, 0, 0),
            ("a/empty/", 0o755, 0, 0),
            ("a/empty/inner/", 0o1777, 1000, 3_000_000),
            ("c/", 0o755, 0, 0),
            ("c/d/", 0o755, 1000, 3_000_000),
            ("c/d/e", 0o644, 0, 0),
            ("c/d/f", 0o640, 1000, 3_000_000),
        ]
    );
    tree.links.insert(path("a/empty"), "elsewhere".to_owned());
    assert!(matches!(gzip(&tree, &mut io::sink()), Err(ArchiveError::LinkPath { .. })));
}

#[test]
fn an_empty_tree_is_an_empty_archive() {
    let (member, tar, _) = written(&LayerTree::default());
    assert_eq!(tar, [0; 1024]);
    assert!(names(&tar).is_empty());
    assert!(member.len() < 40);
}

#[test]
fn every_format_of_content_in_a_wheel() {
    let text = b"from typing import Any\n".repeat(9_000);
    let (deflated, format) = deflated(&text);
    let empty = [3, 0];
    let archive = Archive::new(&[&b"before"[..], &deflated, &text, &empty].concat());
    let (stored_at, empty_at) = (6 + deflated.len() as u64, 6 + (deflated.len() + text.len()) as u64);
    // A fixed block of 65,535 bytes, and others behind it.
    assert!(text.len() > 3 * 65_535);
    let tree = tree(
        [
            ("deflated.py", archive.content(6, deflated.len() as u64, &text, format)),
            ("empty.py", archive.content(empty_at, 2, b"", ExtentFormat::Deflated { final_block: 0, end: 10 })),
            ("nothing.py", archive.content(empty_at, 0, b"", ExtentFormat::Stored)),
            ("stored.py", archive.content(stored_at, text.len() as u64, &text, ExtentFormat::Stored)),
        ],
        &[],
    );
    let (_, tar, _) = written(&tree);
    let members = read(&tar);
    let sizes: Vec<_> = members.iter().map(|(_, seen)| seen.content.len()).collect();
    assert_eq!(sizes, [text.len(), 0, 0, text.len()]);
    assert!(members[0].1.content == text && members[3].1.content == text);
}

#[test]
fn a_wheel_that_changed_is_an_error() {
    let text = b"x = 1\n".repeat(1000);
    let (stream, format) = deflated(&text);
    let length = stream.len() as u64;
    let ExtentFormat::Deflated { final_block, end } = format else { unreachable!() };
    let archive = Archive::new(&[&stream[..], &text].concat());
    let mut damaged = stream.clone();
    damaged[length as usize / 2] ^= 1;
    let damaged = Archive::new(&damaged);

    let wrong_text = b"x = 2\n".repeat(1000);
    let longer = [&text[..], b"x"].concat();
    for content in [
        damaged.content(0, length, &text, format),
        archive.content(0, length, &wrong_text, format),
        archive.content(0, length, &longer, format),
        archive.content(0, length, &text[1..], format),
        archive.content(length, text.len() as u64, &wrong_text, ExtentFormat::Stored),
        // Bits that no stream of this length can have.
        archive.content(0, length, &text, ExtentFormat::Deflated { final_block, end: end + 8 }),
        archive.content(0, length, &text, ExtentFormat::Deflated { final_block, end: end - 8 }),
        archive.content(0, length, &text, ExtentFormat::Deflated { final_block: end, end }),
        archive.content(0, length, &text, ExtentFormat::Deflated { final_block: u64::MAX, end: u64::MAX }),
        archive.content(0, length, &text, ExtentFormat::Stored),
        archive.content(0, 0, &text, ExtentFormat::Deflated { final_block: 0, end: 0 }),
        // Half a stream.
        archive.content(0, length - 2, &text, ExtentFormat::Deflated { final_block: 0, end: (length - 2) * 8 }),
    ] {
        assert_eq!(read_error(content), io::ErrorKind::InvalidData);
    }
    for offset in [length + text.len() as u64, u64::MAX] {
        let kind = read_error(archive.content(offset, length, &text, format));
        assert!(matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput), "{kind}");
    }
}

/// Returns why the content of a file cannot be read while a layer is written.
fn read_error(content: FileContent) -> io::ErrorKind {
    let tree = tree([("m.py", content)], &[]);
    let error = gzip_and_tar(&tree, &mut io::sink(), &mut io::sink()).unwrap_err();
    assert!(error.to_string().ends_with("demo.whl for `m.py`"), "{error}");
    let ArchiveError::Read { source, .. } = error else { panic!("{error:?}") };
    source.kind()
}

#[test]
fn a_damaged_wheel_is_found_without_inflating_it() {
    let text = b"x = 1\n".repeat(1000);
    let (stream, format) = deflated(&text);
    let archive = Archive::new(&[&stream[..], &text].concat());
    let length = stream.len() as u64;
    let contents = [
        archive.content(0, length, &text, format),
        archive.content(length, text.len() as u64, &text, ExtentFormat::Stored),
    ];
    let mut damaged = fs::read(&*archive.path).unwrap();
    damaged[stream.len() / 2] ^= 1;
    damaged[stream.len() + 10] ^= 1;
    fs::write(&*archive.path, damaged).unwrap();
    for content in contents {
        let error = gzip(&tree([("m.py", content)], &[]), &mut io::sink()).unwrap_err();
        let ArchiveError::Read { source, .. } = error else { panic!("{error:?}") };
        assert!(source.get_ref().is_some_and(|inner| inner.is::<crate::tree::DamagedFile>()), "{source:?}");
    }
}

#[test]
fn a_file_of_the_project_has_the_size_that_was_listed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.bin");
    let content: Vec<u8> = (0..700_000_u32).flat_map(|number| (number / 3).to_le_bytes()).collect();
    fs::write(&file, &content).unwrap();
    let (member, tar, _) = written(&layer_of(&file, content.len() as u64));
    assert!(read(&tar)[0].1.content == content);
    assert!(written(&tree([("model.bin", bytes(&content))], &[])).0 == member, "the same bytes, from memory");

    for size in [0, 1, content.len() as u64 - 1, content.len() as u64 + 1, u64::MAX] {
        let layer = layer_of(&file, size);
        for error in [gzip(&layer, &mut io::sink()).unwrap_err(), zstd(&layer, &mut io::sink()).unwrap_err()] {
            assert_eq!(error.to_string(), format!("{} changed while it was bundled", file.display()));
        }
    }
    fs::remove_file(&file).unwrap();
    let error = gzip(&layer_of(&file, 1), &mut io::sink()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {} for `model.bin`", file.display()));
}

/// Returns a layer with a file of the project that was listed with a size.
fn layer_of(file: &Path, size: u64) -> LayerTree {
    tree([("model.bin", FileContent::File { path: file.to_owned(), size })], &[])
}

#[test]
fn a_failing_output_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let tree = tree([("a.py", bytes(b"a = 1\n"))], &[]);
    for result in [
        gzip(&tree, &mut Full),
        gzip_and_tar(&tree, &mut io::sink(), &mut Full),
        gzip_and_tar(&tree, &mut Full, &mut io::sink()),
        zstd(&tree, &mut Full).map(drop),
    ] {
        assert!(matches!(result, Err(ArchiveError::Output(error)) if error.kind() == io::ErrorKind::StorageFull));
    }
}

#[test]
fn a_link_needs_its_own_path_and_a_target() {
    let files = [("a/b.py", bytes(b"")), ("c.py", bytes(b""))];
    for link in ["a", "a/b.py", "c.py", "a/b.py/link", "c.py/d/link", "python/link"] {
        let tree = tree(files.clone(), &[("python", "/usr/bin/python3"), (link, "target")]);
        let error = gzip(&tree, &mut io::sink()).unwrap_err();
        assert_eq!(error.to_string(), format!("`{link}` is a symbolic link, and also a file or a directory"));
    }
    for target in ["", "a\0b"] {
        let error = gzip(&tree(files.clone(), &[("d", target)]), &mut io::sink()).unwrap_err();
        assert!(error.to_string().starts_with("`d` cannot be a symbolic link to `"), "{error}");
    }
    let distinct: BTreeSet<_> =
        names(&written(&tree(files, &[("a/c", "b.py"), ("c", "c.py")])).1).into_iter().collect();
    assert_eq!(distinct.len(), 5);
}

#[test]
fn no_name_is_a_whiteout() {
    for name in [".wh.a", "a/.wh.b", "a/.wh.b/c", "a/.wh..wh..opq"] {
        let mut directory = LayerTree::default();
        directory.files.insert_directory(path(name), FileAccess::DIRECTORY, FileOrigin::Application).unwrap();
        for tree in [tree([(name, bytes(b""))], &[]), tree([], &[(name, "target")]), directory] {
            let error = gzip(&tree, &mut io::sink()).unwrap_err();
            assert!(matches!(&error, ArchiveError::Whiteout { path, .. } if path == name), "{error}");
        }
    }
    written(&tree([("a.wh.b", bytes(b"")), (".whale", bytes(b""))], &[]));
}

#[test]
fn long_names_and_names_that_are_not_ascii() {
    let directory = "f".repeat(90);
    let cases = [
        "n".repeat(100),
        "n".repeat(101),
        format!("{directory}/{}", "n".repeat(100)),
        format!("{directory}/{}", "n".repeat(101)),
        format!("{}/{}", "p".repeat(155), "n".repeat(100)),
        format!("{}/{}", "p".repeat(156), "n".repeat(100)),
        format!("{directory}/{directory}/{directory}/{directory}/name.py"),
        "gr\u{fc}n/\u{1f40d}.py".to_owned(),
        format!("{}.py", "\u{fc}".repeat(80)),
        vec!["l".repeat(250); 20].join("/"),
    ];
    for name in &cases {
        let long_target = format!("../{name}");
        let tree = tree([(name.as_str(), bytes(b"x"))], &[("link", long_target.as_str())]);
        let (_, tar, _) = written(&tree);
        let members = read(&tar);
        assert!(members.iter().any(|(seen, member)| seen == name && member.content == b"x"), "{name}");
        let link = members.iter().find(|(seen, _)| seen == "link").unwrap();
        assert_eq!(link.1.link.as_ref(), Some(&long_target));
        let parents: Vec<_> = path(name).parents().map(|parent| format!("{parent}/")).collect();
        assert!(parents.iter().all(|parent| members.iter().any(|(seen, _)| seen == parent)));
    }
}

/// Other bytes change the digest of every image, which the changelog must then say.
#[test]
fn the_bytes_are_pinned() {
    let text = b"from typing import Any\n".repeat(9_000);
    let (deflated, format) = deflated(&text);
    let archive = Archive::new(&[&deflated[..], &text].concat());
    let length = deflated.len() as u64;
    let tree = tree(
        [
            ("app/.venv/bin/run.sh", bytes(b"#!/app/.venv/bin/python\n")),
            ("app/.venv/lib/deflated.py", archive.content(0, length, &text, format)),
            ("app/.venv/lib/gr\u{fc}n.py", bytes(&text)),
            ("app/.venv/lib/stored.py", archive.content(length, text.len() as u64, &text, ExtentFormat::Stored)),
        ],
        &[("app/.venv/bin/python", "/usr/local/bin/python3.12")],
    );
    let (member, tar, frame) = written(&tree);
    let digests = [&member, &tar, &frame].map(|bytes| Sha256::of(bytes).hex());
    assert_eq!(
        digests,
        [
            "4e8abed61495806d668f988acfd333ceb22346b49bd68a1d1c4e9411840080b0",
            "38b4b25b9bc9f474f587c59a5f2c83b99700a35f09a8905158fed8c61ebe24db",
            "095abc2bb168c13fa9497ac12a6feece24b1e864cfc34e304123127446a02cb4",
        ]
    );
}

/// zstd buffers whole blocks before it compresses, so a frame does not depend on the portions of its input.
#[test]
fn a_frame_does_not_depend_on_portions() {
    let content: Vec<u8> = (0..400_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
    let whole = frame(&content, content.len());
    assert!([1, 997, 131_072, 262_145].iter().all(|portion| frame(&content, *portion) == whole));
}

/// Compresses content that is written in portions.
fn frame(content: &[u8], portion: usize) -> Vec<u8> {
    let mut encoder = encoder(Vec::new()).unwrap();
    content.chunks(portion).for_each(|bytes| encoder.write_all(bytes).unwrap());
    encoder.finish().unwrap()
}
