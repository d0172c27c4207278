//! What setuptools wrote into a source distribution, and reads again when it builds a wheel.

use std::fs;
use std::io;
use std::path::Path;

/// How many directories below the project are searched: `package_dir` is rarely more than `src` or `lib/python`.
const DEEPEST: usize = 3;

/// Copies the `*.egg-info` directories of a source distribution to where setuptools is redirected. Their SOURCES.txt may be the only
/// list of package data: setuptools-scm takes it from the repository that the distribution was made from. In a project that is none,
/// which has no PKG-INFO, they are leftovers of earlier builds, with files that may be deleted by now.
///
/// # Errors
/// A directory cannot be read, or a file cannot be copied.
pub(super) fn copy_from_sdist(project: &Path, destination: &Path) -> io::Result<()> {
    if project.join("PKG-INFO").is_file() { copy(project, destination, DEEPEST) } else { Ok(()) }
}

fn copy(directory: &Path, destination: &Path, depth: usize) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let copied = destination.join(entry.file_name());
        if !entry.path().join("SOURCES.txt").is_file() || !copied.to_string_lossy().ends_with(".egg-info") {
            if depth > 0 {
                copy(&entry.path(), destination, depth - 1)?;
            }
        } else if !copied.exists() {
            fs::create_dir(&copied)?;
            for file in fs::read_dir(entry.path())? {
                let file = file?;
                if file.path().is_file() {
                    fs::copy(file.path(), copied.join(file.file_name()))?;
                }
            }
        }
    }
    Ok(())
}
