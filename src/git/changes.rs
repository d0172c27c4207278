//! The files of a repository that changed since a commit, according to git.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::work_tree::WorkTree;
use crate::hints::Hints;
use crate::limited_reader::{self, LARGEST_LOCK};

/// The changes from a commit to the work tree, including untracked files that are not ignored.
#[derive(Debug, Clone)]
pub(crate) struct GitChanges {
    work_tree: WorkTree,
    /// The commit that the work tree is compared with.
    base: String,
    /// Changed, added and removed files, and directories that are repositories themselves.
    paths: BTreeSet<PathBuf>,
    /// Files and directories that git ignores.
    ignored: BTreeSet<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeState {
    Same,
    Changed,
    /// Git does not track it.
    Unknown,
}

/// Why the changes cannot be determined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitChangesError {
    #[error("cannot run git, which --changed-since needs")]
    NoGit(#[source] io::Error),
    #[error("{} is not in a git repository", .0.display())]
    NoRepository(PathBuf),
    #[error("`{}` is not a commit in the repository", revision.escape_debug())]
    UnknownRevision { revision: String, is_shallow: bool },
    #[error("`{}` and HEAD have no common ancestor", revision.escape_debug())]
    NoCommonCommit { revision: String, is_shallow: bool },
    #[error("cannot compare the work tree with `{}`", revision.escape_debug())]
    Compare { revision: String, source: io::Error },
}

impl Hints for GitChangesError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoGit(_) => "install git, or omit --changed-since to build every target",
            Self::NoRepository(_) => "omit --changed-since to build every target",
            Self::UnknownRevision { is_shallow: true, .. } | Self::NoCommonCommit { is_shallow: true, .. } => {
                "the clone is shallow: fetch its history with `git fetch --unshallow`, or with `fetch-depth: 0` of \
                 actions/checkout"
            }
            Self::UnknownRevision { .. } => "name a commit, a tag or a branch; `git fetch` gets those of the remote",
            Self::NoCommonCommit { .. } => "name a commit in the history of HEAD",
            Self::Compare { .. } => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

impl GitChanges {
    /// Finds the changes in the repository that contains a directory, since the merge base of a revision and HEAD.
    ///
    /// # Errors
    /// git is not installed, there is no repository, or the clone does not have the revision or the merge base.
    pub(crate) fn since(directory: &Path, revision: &str) -> Result<Self, GitChangesError> {
        let work_tree = WorkTree::containing(directory).map_err(GitChangesError::NoGit)?;
        let work_tree = work_tree.ok_or_else(|| GitChangesError::NoRepository(directory.to_owned()))?;
        let revision = revision.to_owned();
        let Some(commit) = work_tree.commit(&revision).map_err(GitChangesError::NoGit)? else {
            return Err(GitChangesError::UnknownRevision { revision, is_shallow: is_shallow(&work_tree)? });
        };
        let Some(base) = work_tree.line(&["merge-base", &commit, "HEAD"]).map_err(GitChangesError::NoGit)? else {
            return Err(GitChangesError::NoCommonCommit { revision, is_shallow: is_shallow(&work_tree)? });
        };
        let base = String::from_utf8_lossy(&base).into_owned();
        let compared = work_tree
            .differences(&base, &[work_tree.top()])
            .and_then(|paths| Ok((paths, work_tree.ignored(&[work_tree.top()])?)));
        let (paths, ignored) = compared.map_err(|source| GitChangesError::Compare { revision, source })?;
        Ok(Self { work_tree, base, paths, ignored })
    }

    /// Returns the changed paths: absolute, without symbolic links.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }

    /// Returns the state of a file by its absolute path without symbolic links.
    pub(crate) fn state(&self, path: &Path) -> ChangeState {
        if !path.starts_with(self.work_tree.top()) || is_at_or_below(path, &self.ignored) {
            ChangeState::Unknown
        } else if is_at_or_below(path, &self.paths) {
            ChangeState::Changed
        } else {
            ChangeState::Same
        }
    }

    /// Returns the earlier text of a file, or `None` if it did not exist or was not UTF-8. A file that git does not track has
    /// its present text.
    ///
    /// # Errors
    /// git is not installed.
    pub(crate) fn text_before(&self, path: &Path) -> Result<Option<String>, GitChangesError> {
        let name = match (self.state(path), path.strip_prefix(self.work_tree.top())) {
            (ChangeState::Changed, Ok(name)) => name,
            _ => return Ok(limited_reader::read_regular_text(path, LARGEST_LOCK).ok()),
        };
        let mut blob = OsString::from(format!("{}:", self.base));
        blob.push(name);
        Ok(self.work_tree.blob(&blob).map_err(GitChangesError::NoGit)?.and_then(|bytes| String::from_utf8(bytes).ok()))
    }
}

fn is_at_or_below(path: &Path, paths: &BTreeSet<PathBuf>) -> bool {
    path.ancestors().any(|above| paths.contains(above))
}

/// Returns whether the clone has only a part of the history.
fn is_shallow(work_tree: &WorkTree) -> Result<bool, GitChangesError> {
    let said = work_tree.line(&["rev-parse", "--is-shallow-repository"]).map_err(GitChangesError::NoGit)?;
    Ok(said.is_some_and(|said| said == b"true"))
}
