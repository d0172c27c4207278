//! Every invalid uv.lock of `testdata/invalid/uv` is refused with an error that states the problem and its location.
//!
//! The first line of each file is `# error: ` and a part of the message. Files that can be parsed fail when distributions are
//! selected for Python 3.12 on x86_64, without extras and groups.

use std::path::{Path, PathBuf};

use pybundle::hints::Hints;
use pybundle::lock::{FileChooser, FormatControl, Lock, LockError, SelectionRequest};
use pybundle::platform::{Architecture, LambdaProfile};

fn first_error(path: &Path) -> Option<LockError> {
    let text = std::fs::read_to_string(path).unwrap();
    let target = LambdaProfile::built_in("python3.12").unwrap().target(Architecture::X86_64);
    let select = |lock: Lock| lock.select(&SelectionRequest::default(), Path::new(""), &target);
    let choose = |selection| FileChooser::new(&target, &FormatControl::default()).choose(selection);
    Lock::parse_uv(&text, path).and_then(select).and_then(choose).err()
}

#[test]
fn each_invalid_file_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/invalid/uv");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 50, "{} files", paths.len());
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = text.lines().next().unwrap().strip_prefix("# error: ").unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let error = first_error(&path).unwrap_or_else(|| panic!("{name} is accepted"));
        let message = error.to_string();
        assert!(message.contains(expected), "{name}: {message}");
        // Messages about the lock contain its path, and those about a distribution's files the distribution.
        assert!(message.contains(name) || message.starts_with("foo 1.0 has no wheel"), "{name}: {message}");
        assert!(!message.contains("secret") && !error.hints().join("").contains("secret"), "{name}: {message}");
    }
}

/// Truncating a lock anywhere, or changing any single byte, never panics.
#[test]
fn damaged_locks_never_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/invalid/uv");
    let path = folder.join("conflict-by-dependencies.lock");
    let text = std::fs::read_to_string(&path).unwrap();
    for (position, _) in text.char_indices() {
        let (before, after) = text.split_at(position);
        let _ = Lock::parse_uv(before, &path);
        for byte in ["\"", "\0", "[", "-", "é", ""] {
            let _ = Lock::parse_uv(&format!("{before}{byte}{}", &after[1..]), &path);
        }
    }
}
