use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;
use crate::report::Silent;
use crate::tree::{FileAccess, FileOrigin};

fn tree(files: &[(&str, &[u8])]) -> FileTree {
    let mut tree = FileTree::new();
    for (path, bytes) in files {
        let access = if path.ends_with(".sh") { FileAccess::EXECUTABLE } else { FileAccess::FILE };
        let content = FileContent::Bytes((*bytes).into());
        let entry = TreeEntry { access, content, origin: FileOrigin::Application };
        tree.insert(TreePath::new(path).unwrap(), entry).unwrap();
    }
    tree
}

fn put(files: &[(&str, &[u8])], path: &Path) -> Result<bool, ArchiveError> {
    Ok(write(&tree(files), path, &Silent)?.persist()?.is_unchanged)
}

const FILES: [(&str, &[u8]); 3] = [("app.py", b"x = 1\n"), ("bin/run.sh", b"#!/bin/sh\n"), ("data/deep/empty", b"")];

#[test]
fn modes_and_times_depend_on_the_tree_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/function");
    assert!(!put(&FILES, &path).unwrap());
    for (name, mode) in [
        ("", 0o755),
        ("app.py", 0o644),
        ("bin", 0o755),
        ("bin/run.sh", 0o755),
        ("data/deep", 0o755),
        ("data/deep/empty", 0o644),
    ] {
        let metadata = path.join(name).symlink_metadata().unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (mode, EPOCH as i64), "{name}");
    }
    assert_eq!(fs::read(path.join("app.py")).unwrap(), b"x = 1\n");
    assert_eq!(fs::read_dir(directory.path().join("new")).unwrap().count(), 1);
}

#[test]
fn an_equal_directory_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("function");
    fs::create_dir(&path).unwrap();
    assert!(!put(&FILES, &path).unwrap());
    let inode = path.metadata().unwrap().ino();
    assert!(put(&FILES, &path).unwrap() && path.metadata().unwrap().ino() == inode);
    fs::set_permissions(path.join("app.py"), Permissions::from_mode(0o600)).unwrap();
    assert!(!put(&FILES, &path).unwrap());
    fs::remove_file(path.join("bin/run.sh")).unwrap();
    assert!(!put(&FILES, &path).unwrap());
    // Files that are no longer in the tree go.
    assert!(!put(&FILES[..1], &path).unwrap());
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    assert!(!put(&[("app.py", b"x = 2\n")], &path).unwrap());
    assert_eq!(fs::read(path.join("app.py")).unwrap(), b"x = 2\n");
}

#[test]
fn what_pybundle_has_not_written_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("function");
    assert!(!put(&FILES, &path).unwrap());
    fs::write(path.join("data/own.txt"), "mine").unwrap();
    let error = put(&FILES, &path).unwrap_err();
    let expected = format!("cannot replace {0}: pybundle did not write {0}/data/own.txt", path.display());
    assert_eq!(error.to_string(), expected);
    assert_eq!(fs::read(path.join("data/own.txt")).unwrap(), b"mine");
    fs::write(directory.path().join("file"), "").unwrap();
    assert!(put(&FILES, &directory.path().join("file")).is_err());
    // Below a link, its target is replaced.
    std::os::unix::fs::symlink("elsewhere", directory.path().join("link")).unwrap();
    fs::create_dir(directory.path().join("elsewhere")).unwrap();
    assert!(!put(&FILES, &directory.path().join("link")).unwrap());
    assert!(directory.path().join("elsewhere/app.py").exists());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 4);
}
