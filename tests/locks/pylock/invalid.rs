//! Every invalid pylock.toml of `testdata/invalid/pylock` is refused with an error that states the problem and its location.
//!
//! The first line of each file is `# error: ` and a part of the message. Files that can be parsed fail when distributions are
//! selected for Python 3.12 on x86_64, without extras and groups.

use std::path::{Path, PathBuf};

use pybundle::hints::Hints;
use pybundle::lock::{Lock, LockError, SelectionRequest};

use crate::support::case::chosen;
use crate::support::uv::targets;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/invalid/pylock")
}

fn first_error(text: &str, path: &Path) -> Option<LockError> {
    let target = targets(&["3.12"]).remove(0);
    let lock = Lock::parse_pylock(text, path);
    lock.and_then(|lock| lock.select(&SelectionRequest::default(), Path::new(""), &target))
        .and_then(|selection| chosen(&selection, &target))
        .err()
}

#[test]
fn each_invalid_file_is_refused() {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 70, "{} files", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = text.lines().next().unwrap().strip_prefix("# error: ").unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(error) = first_error(&text, &path) else {
            wrong.push(format!("{name} is accepted"));
            continue;
        };
        let message = error.to_string();
        if !message.contains(expected) {
            wrong.push(format!("{name}: {message}"));
        }
        // Messages about the lock contain its path, and those about a distribution's files the distribution.
        assert!(message.contains(name) || message.starts_with("foo 1.0 has no wheel"), "{name}: {message}");
        assert!(!message.contains("secret") && !error.hints().join("").contains("secret"), "{name}: {message}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Truncating a lock anywhere, or changing any single byte, never panics.
#[test]
fn damaged_locks_never_panic() {
    for name in ["two-versions.toml", "vcs-and-archive.toml", "directory-subdirectory.toml"] {
        let path = folder().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        for (position, _) in text.char_indices() {
            let (before, after) = text.split_at(position);
            let _ = first_error(before, &path);
            for byte in ["\"", "\0", "[", "-", "é", ""] {
                let _ = first_error(&format!("{before}{byte}{}", &after[1..]), &path);
            }
        }
    }
}
