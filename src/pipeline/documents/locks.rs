//! The locks of an artifact, as its provenance statement names them.

use std::path::{Path, PathBuf};

use crate::digest::Sha256;
use crate::limited_reader::{self, LARGEST_LOCK};
use crate::pipeline::BuildError;
use crate::pipeline::plan::LockedProject;
use crate::sbom::provenance::LockFile;

/// Returns the name and the digest of the lock, or of each requirements file, with what they include.
///
/// # Errors
/// One of them cannot be read.
pub(super) fn locks(project: &LockedProject, apt_lock: Option<&Path>) -> Result<Vec<LockFile>, BuildError> {
    let directory = project.path().and_then(Path::parent).unwrap_or(Path::new(""));
    let named = project.paths.iter().map(PathBuf::as_path).chain(apt_lock);
    let mut locks: Vec<(&Path, String, bool)> = named.map(|path| (path, file_name(path), false)).collect();
    // Of the other formats, each lock is one file.
    for path in project.lock_reads.files.iter().filter(|_| project.lock.requirements().is_some()) {
        if !locks.iter().any(|(known, ..)| known == path) {
            // Several directories may have a base.txt.
            let below = path.strip_prefix(directory).map(|path| path.display().to_string());
            locks.push((path, below.unwrap_or_else(|_| file_name(path)), true));
        }
    }
    let locks = locks.into_iter().map(|(path, name, is_included)| {
        let bytes = limited_reader::read_regular_file(path, LARGEST_LOCK).map_err(BuildError::reading(path))?;
        Ok(LockFile { name, sha256: Sha256::of(&bytes), is_included })
    });
    locks.collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
