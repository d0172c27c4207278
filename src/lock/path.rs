//! Paths as locks write them.

use std::path::{Component, Path, PathBuf};

/// Joins a path of the lock to a folder, and takes `.` and `..` out as far as they can be.
pub fn join(folder: &Path, path: &str) -> PathBuf {
    let mut joined = PathBuf::new();
    for component in folder.join(path).components() {
        let can_go_up = matches!(joined.components().next_back(), Some(Component::Normal(_)));
        match component {
            Component::CurDir => {}
            Component::ParentDir if can_go_up => {
                joined.pop();
            }
            _ => joined.push(component),
        }
    }
    if joined.as_os_str().is_empty() { PathBuf::from(".") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_without_dots() {
        for (folder, path, joined) in [
            ("/a/b", ".", "/a/b"),
            ("/a/b", "", "/a/b"),
            ("/a/b", "../c/./d", "/a/c/d"),
            ("", ".", "."),
            (".", "x", "x"),
            ("a", "../../b", "../b"),
            ("/a", "/b", "/b"),
        ] {
            assert_eq!(join(Path::new(folder), path), Path::new(joined), "{folder} + {path}");
        }
    }
}
