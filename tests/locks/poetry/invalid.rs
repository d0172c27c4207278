//! Every invalid lock or project of `testdata/invalid/poetry` is refused with an error that states the problem and its
//! location.
//!
//! The first line of each file is `# error: ` and a part of the message. Locks that can be parsed fail when distributions are
//! selected for Python 3.12 on x86_64, without extras and groups.

use std::path::{Path, PathBuf};

use pybundle::hints::Hints;
use pybundle::lock::{LocalProject, Lock, LockError, SelectionRequest};

use crate::support::command::repository;
use crate::support::uv::targets;

/// The project of the invalid locks.
const PROJECT: &str =
    "[tool.poetry]\nname = 'web'\nversion = '1'\n[tool.poetry.dependencies]\npython = '^3.9'\nfoo = '*'\n";

/// The lock of the invalid projects.
const LOCK: &str = "[metadata]\nlock-version = '2.1'\npython-versions = '*'\n";

fn first_error(path: &Path) -> Option<LockError> {
    let text = std::fs::read_to_string(path).unwrap();
    let is_project = path.extension().is_some_and(|extension| extension == "toml");
    let (lock, project) = if is_project { (LOCK, text.as_str()) } else { (text.as_str(), PROJECT) };
    let folder = if is_project { path.parent().unwrap().join("poetry.lock") } else { path.to_owned() };
    let project =
        LocalProject { path: PathBuf::new(), script: false, table: project.parse().unwrap(), is_package: true };
    let target = &targets(&["3.12"])[0];
    let parsed = Lock::parse_poetry(lock, &folder, &project);
    parsed.and_then(|lock| lock.select(&SelectionRequest::default(), Path::new(""), target)).err()
}

#[test]
fn each_invalid_file_is_refused() {
    let folder = repository().join("testdata/invalid/poetry");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 55, "{} files", paths.len());
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = text.lines().next().unwrap().strip_prefix("# error: ").unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let error = first_error(&path).unwrap_or_else(|| panic!("{name} is accepted"));
        let message = error.to_string();
        assert!(message.contains(expected), "{name}: {message}");
        let place = if name.ends_with(".toml") { "pyproject.toml" } else { name };
        assert!(message.contains(place), "{name}: {message}");
        assert!(!message.contains("secret") && !error.hints().join("").contains("secret"), "{name}: {message}");
    }
}

/// Truncating a lock anywhere, or changing any single byte, never panics.
#[test]
fn damaged_locks_never_panic() {
    let folder = repository().join("testdata/invalid/poetry");
    let path = folder.join("old-with-two-versions.lock");
    let text = std::fs::read_to_string(&path).unwrap();
    let target = &targets(&["3.12"])[0];
    let project =
        LocalProject { path: PathBuf::new(), script: false, table: PROJECT.parse().unwrap(), is_package: true };
    let read = |text: &str| {
        let lock = Lock::parse_poetry(text, &path, &project);
        let _ = lock.and_then(|lock| lock.select(&SelectionRequest::default(), Path::new(""), target));
    };
    for (position, _) in text.char_indices() {
        let (before, after) = text.split_at(position);
        read(before);
        for byte in ["\"", "\0", "[", "-", "é", ""] {
            read(&format!("{before}{byte}{}", &after[1..]));
        }
    }
}
