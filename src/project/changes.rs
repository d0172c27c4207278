//! The files of a repository that changed since a commit, according to git.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::hints::Hints;

/// The changes from a commit to the work tree, including untracked files that are not ignored.
#[derive(Debug, Clone)]
pub(crate) struct GitChanges {
    /// The work tree, without symbolic links.
    top: PathBuf,
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
    #[error("git {command} failed: {said}")]
    Failed { command: String, said: String },
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
            Self::Failed { .. } => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

impl GitChanges {
    /// Finds the changes in the repository that contains a directory, since the merge base of a revision and HEAD.
    ///
    /// # Errors
    /// git is not installed, there is no repository, or the clone does not have the revision or the merge base.
    pub(crate) fn since(folder: &Path, revision: &str) -> Result<Self, GitChangesError> {
        let (is_done, top, _) = git(folder, &["rev-parse", "--show-toplevel"])?;
        if !is_done {
            return Err(GitChangesError::NoRepository(folder.to_owned()));
        }
        let top = PathBuf::from(OsStr::from_bytes(line(&top)));
        let top = top.canonicalize().unwrap_or(top);
        let revision = revision.to_owned();
        let commit = format!("{revision}^{{commit}}");
        let (is_known, commit, _) = git(&top, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
        if !is_known {
            return Err(GitChangesError::UnknownRevision { revision, is_shallow: is_shallow(&top)? });
        }
        let commit = String::from_utf8_lossy(line(&commit)).into_owned();
        let (has_base, base, _) = git(&top, &["merge-base", &commit, "HEAD"])?;
        if !has_base {
            return Err(GitChangesError::NoCommonCommit { revision, is_shallow: is_shallow(&top)? });
        }
        let base = String::from_utf8_lossy(line(&base)).into_owned();
        // Options override the user's configuration, such as diff.ignoreSubmodules.
        let diff =
            ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none", &base, "--"];
        let mut paths = list(&top, &diff)?;
        paths.extend(list(&top, &["ls-files", "-z", "--others", "--exclude-standard"])?);
        let ignored = list(&top, &["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"])?;
        Ok(Self { top, base, paths, ignored })
    }

    /// Returns the changed paths: absolute, without symbolic links.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }

    /// Returns the state of a file by its absolute path without symbolic links.
    pub(crate) fn state(&self, path: &Path) -> ChangeState {
        let is_in = |paths: &BTreeSet<PathBuf>| path.ancestors().any(|above| paths.contains(above));
        match () {
            () if !path.starts_with(&self.top) || is_in(&self.ignored) => ChangeState::Unknown,
            () if is_in(&self.paths) => ChangeState::Changed,
            () => ChangeState::Same,
        }
    }

    /// Returns the earlier text of a file, or `None` if it did not exist or was not UTF-8. A file that git does not track has
    /// its present text.
    ///
    /// # Errors
    /// git is not installed.
    pub(crate) fn text_before(&self, path: &Path) -> Result<Option<String>, GitChangesError> {
        let name = match (self.state(path), path.strip_prefix(&self.top)) {
            (ChangeState::Changed, Ok(name)) => name,
            _ => return Ok(std::fs::read_to_string(path).ok()),
        };
        let mut blob = std::ffi::OsString::from(format!("{}:", self.base));
        blob.push(name);
        let (is_there, bytes, _) = git(&self.top, &[OsStr::new("cat-file"), OsStr::new("blob"), &blob])?;
        Ok(is_there.then(|| String::from_utf8(bytes).ok()).flatten())
    }
}

/// Returns whether the clone has only a part of the history.
fn is_shallow(top: &Path) -> Result<bool, GitChangesError> {
    let (_, said, _) = git(top, &["rev-parse", "--is-shallow-repository"])?;
    Ok(line(&said) == b"true")
}

/// Returns the paths that a command of git lists, separated by NUL.
fn list(top: &Path, arguments: &[&str]) -> Result<BTreeSet<PathBuf>, GitChangesError> {
    let (is_done, listed, said) = git(top, arguments)?;
    if !is_done {
        return Err(GitChangesError::Failed { command: arguments[0].to_owned(), said });
    }
    let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    // git lists directories with a trailing slash; `components` removes it.
    Ok(names.map(|name| top.join(OsStr::from_bytes(name)).components().collect()).collect())
}

/// Runs git in a directory; returns whether it succeeded, its standard output and its standard error.
fn git(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Result<(bool, Vec<u8>, String), GitChangesError> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().map_err(GitChangesError::NoGit)?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok((output.status.success(), output.stdout, said))
}

fn line(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_end()
}
