//! The state of a repository: everything in it that what is built from it can depend on.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::work_tree::{self, WorkTree};
use crate::digest::Sha256;

/// A repository, and a digest of its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RepositoryState {
    /// The directory that contains `.git`.
    pub(crate) top: PathBuf,
    /// The digest of HEAD, the current branch, all branches and tags, and the files that differ from HEAD: changed, added,
    /// removed and untracked ones. Ignored files do not count.
    pub(crate) digest: Sha256,
}

/// Returns the state of the repository that contains a directory; `None` if there is none. Files at or below the paths
/// `except` do not count.
///
/// # Errors
/// git is not installed or fails, the repository has no commit, or a file cannot be read.
pub(crate) fn state(directory: &Path, except: &[PathBuf]) -> io::Result<Option<RepositoryState>> {
    let Some(top) = work_tree::top_above(&directory.canonicalize()?).map(Path::to_owned) else {
        return Ok(None);
    };
    let unreadable = || io::Error::other("git cannot read the repository");
    let work_tree = WorkTree::containing(&top)?.ok_or_else(unreadable)?;
    let commit = work_tree.commit("HEAD")?.ok_or_else(unreadable)?;
    let mut text = work_tree.line(&["show-ref", "--head", "--dereference"])?.ok_or_else(unreadable)?;
    // A detached HEAD has no name.
    text.extend(work_tree.line(&["symbolic-ref", "--quiet", "HEAD"])?.unwrap_or_default());
    for path in work_tree.differences(&commit, &[work_tree.top()])? {
        if !except.iter().any(|except| path.starts_with(except)) {
            text.extend(format!("\n{} {}", path.display(), file_state(&path)?).into_bytes());
        }
    }
    Ok(Some(RepositoryState { top, digest: Sha256::of(&text) }))
}

/// Returns the files and directories at or below a directory that git ignores: none if there is no repository.
///
/// # Errors
/// git is not installed, or fails.
pub(crate) fn ignored(directory: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let directory = directory.canonicalize()?;
    let work_tree = WorkTree::containing(&directory)?;
    work_tree.map_or_else(|| Ok(BTreeSet::new()), |work_tree| work_tree.ignored(&[&directory]))
}

/// Returns a text that changes with a file.
fn file_state(path: &Path) -> io::Result<String> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => Ok(format!("link to {}", path.read_link()?.display())),
        Ok(metadata) => Ok(format!("{:o} {}", metadata.permissions().mode(), Sha256::of_file(path)?.hex())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok("removed".to_owned()),
        Err(error) => Err(error),
    }
}
