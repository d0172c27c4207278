//! Paths, collisions, and content from every source.

use pep440_rs::Version;

use super::*;

fn file(distribution: &str, content: &str, access: FileAccess) -> TreeEntry {
    let distribution = Distribution { name: distribution.parse().unwrap(), version: Version::new([1]) };
    TreeEntry {
        access,
        content: FileContent::Bytes(content.as_bytes().into()),
        origin: FileOrigin::Distribution(distribution.into()),
    }
}

fn path(path: &str) -> TreePath {
    TreePath::new(path).unwrap()
}

#[test]
fn paths_that_leave_the_artifact_are_errors() {
    for wrong in ["", "/a", "a//b", "a/", "./a", "a/../b", "..", "a\\b", "a\nb"] {
        assert_eq!(TreePath::new(wrong).unwrap_err().path, wrong);
    }
    assert_eq!(TreePath::below("", "a/b").unwrap().as_str(), "a/b");
    assert_eq!(TreePath::below("python", "a").unwrap().as_str(), "python/a");
    assert_eq!(path("a/b/c").parents().collect::<Vec<_>>(), ["a/b", "a"]);
}

#[test]
fn equal_files_merge_and_different_ones_collide() {
    let mut tree = FileTree::new();
    tree.insert(path("ns/__init__.py"), file("one", "", FileAccess::FILE)).unwrap();
    tree.insert(path("ns/__init__.py"), file("two", "", FileAccess::EXECUTABLE)).unwrap();
    assert_eq!(tree.len(), 1);
    assert_eq!(tree.get("ns/__init__.py").unwrap().access, FileAccess::EXECUTABLE);

    let error = tree.insert(path("ns/__init__.py"), file("three", "x", FileAccess::FILE)).unwrap_err();
    assert_eq!(error.to_string(), "one 1 and three 1 both contain `ns/__init__.py`, with different content");
}

#[test]
fn equal_files_must_have_compatible_access() {
    let mut tree = FileTree::new();
    let owned = FileAccess { owner: FileOwner { uid: 1, gid: 1 }, ..FileAccess::FILE };
    tree.insert(path("a"), file("one", "", owned)).unwrap();
    tree.insert(path("a"), file("one", "", owned)).unwrap();
    for access in [FileAccess::FILE, FileAccess::EXECUTABLE, FileAccess::root(0o640.into())] {
        let error = tree.insert(path("a"), file("two", "", access)).unwrap_err();
        assert_eq!(error.to_string(), "one 1 and two 1 both contain `a`, with different modes or owners");
    }
    let error = tree.insert(path("a"), file("one", "x", owned)).unwrap_err();
    assert_eq!(error.to_string(), "one 1 contains `a` twice, with different content");
}

#[test]
fn the_last_access_of_a_directory_wins() {
    let mut tree = FileTree::new();
    let owned = FileAccess { owner: FileOwner { uid: 1, gid: 1 }, ..FileAccess::DIRECTORY };
    tree.insert(path("a/b/c"), file("one", "", FileAccess::FILE)).unwrap();
    for access in [FileAccess::DIRECTORY, owned] {
        tree.insert_directory(path("a"), access, FileOrigin::Application).unwrap();
        tree.insert_directory(path("d/e"), access, FileOrigin::Application).unwrap();
    }
    assert_eq!(tree.directories().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["a", "d/e"]);
    assert_eq!(
        ["a", "a/b", "d", "d/e"].map(|path| tree.directory_access(path)),
        [owned, FileAccess::DIRECTORY, FileAccess::DIRECTORY, owned]
    );
    assert!(tree.is_directory("d") && tree.is_directory("d/e") && tree.len() == 1);
    for below in ["a/b/c", "a/b/c/d"] {
        let refused = tree.insert_directory(path(below), owned, FileOrigin::Application);
        assert!(matches!(refused, Err(InsertError::Kind(_))));
    }
    assert!(matches!(tree.insert(path("d/e"), file("two", "", FileAccess::FILE)), Err(InsertError::Kind(_))));
}

#[test]
fn entries_are_found_by_prefix() {
    let mut tree = FileTree::new();
    for name in ["a.py", "a.so", "a/b.py", "ab.py", "b.py"] {
        tree.insert(path(name), file("one", "", FileAccess::FILE)).unwrap();
    }
    for (prefix, expected) in [("a.", &["a.py", "a.so"][..]), ("a/", &["a/b.py"]), ("c", &[])] {
        assert!(tree.starting_with(prefix).map(|(path, _)| path.as_str()).eq(expected.iter().copied()), "{prefix}");
    }
    assert_eq!(tree.starting_with("").count(), 5);
}

#[test]
fn a_path_is_a_file_or_a_directory() {
    let mut tree = FileTree::new();
    tree.insert(path("a/b"), file("one", "", FileAccess::FILE)).unwrap();
    assert!(matches!(tree.insert(path("a"), file("two", "", FileAccess::FILE)), Err(InsertError::Kind(_))));
    let error = tree.insert(path("a/b/c"), file("two", "", FileAccess::FILE)).unwrap_err();
    assert!(error.to_string().contains("`a/b` is a file in one and a directory in the other"), "{error}");
    assert!(tree.is_directory("a") && !tree.is_directory("a/b"));
}

#[test]
fn content_is_read_from_every_source() {
    let text = b"def handler(event, context): ...\n".repeat(20);
    let deflated = miniz_oxide::deflate::compress_to_vec(&text, 6);
    let directory = tempfile::tempdir().unwrap();
    let archive = Arc::new(directory.path().join("archive"));
    std::fs::write(&*archive, [b"header".as_slice(), &deflated, &text].concat()).unwrap();
    let size = text.len() as u64;
    let in_deflated = Extent {
        offset: 6,
        compressed_size: deflated.len() as u64,
        size,
        crc32: crc32fast::hash(&text),
        sha256: Sha256::of(&text),
        checksum: crc32c::crc32c(&deflated),
        // Reading looks at no block boundary.
        format: ExtentFormat::Deflated { final_block: 0, end: deflated.len() as u64 * 8 },
    };
    let in_stored = Extent {
        offset: 6 + deflated.len() as u64,
        compressed_size: size,
        format: ExtentFormat::Stored,
        ..in_deflated.clone()
    };
    let whole = FileContent::File { path: archive.to_path_buf(), size: 0 };
    for content in [
        FileContent::Archived { archive: archive.clone(), extent: in_deflated.clone() },
        FileContent::Archived { archive: archive.clone(), extent: in_stored.clone() },
        FileContent::Bytes(text.clone().into()),
    ] {
        assert_eq!(content.read(size).unwrap(), text);
        assert_eq!(content.read(size - 1).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
    assert_eq!(whole.read(u64::MAX).unwrap().len() as u64, in_stored.offset + size);
    for wrong in [
        Extent { size: size + 1, ..in_deflated.clone() },
        Extent { compressed_size: size + 1, size: size + 1, ..in_stored.clone() },
        Extent { crc32: 0, ..in_deflated.clone() },
        Extent { format: in_deflated.format, ..in_stored },
    ] {
        let error = FileContent::Archived { archive: archive.clone(), extent: wrong }.read(u64::MAX).unwrap_err();
        let damaged = error.get_ref().and_then(|error| error.downcast_ref::<DamagedFile>());
        assert_eq!(damaged.map(|damaged| &damaged.path), Some(&*archive), "{error:?}");
    }
}

#[test]
fn inconsistent_extents_are_not_coherent() {
    fn extent(compressed_size: u64, format: ExtentFormat) -> Extent {
        Extent { offset: 0, compressed_size, size: 9, crc32: 0, sha256: Sha256::of(b""), checksum: 0, format }
    }
    fn deflated(final_block: u64, end: u64) -> ExtentFormat {
        ExtentFormat::Deflated { final_block, end }
    }

    for (compressed_size, format) in [(9, ExtentFormat::Stored), (2, deflated(0, 10)), (2, deflated(13, 16))] {
        assert!(extent(compressed_size, format).is_coherent());
    }
    for (compressed_size, format) in [
        (8, ExtentFormat::Stored),
        (2, deflated(0, 8)),
        (2, deflated(0, 17)),
        (2, deflated(14, 16)),
        (0, deflated(0, 0)),
        (2, deflated(u64::MAX, u64::MAX)),
    ] {
        assert!(!extent(compressed_size, format).is_coherent(), "{compressed_size} {format:?}");
    }
}
