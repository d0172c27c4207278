//! What a process that ended early has left.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Returns the temporary files and directories of pybundle below a directory, and makes them look an hour old.
pub fn leftovers(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if name.starts_with(".pybundle-") || name.starts_with("pybundle-") {
            let old = SystemTime::now() - Duration::from_secs(3600);
            fs::File::open(&path).unwrap().set_modified(old).unwrap();
            found.push(path);
        } else if path.is_dir() {
            found.extend(leftovers(&path));
        }
    }
    found
}
