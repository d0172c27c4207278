//! What changed in a repository since a commit, as git tells it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::hints::Hints;

/// What changed from a commit to the files as they are: what git has, and what is new to it and not ignored.
#[derive(Debug, Clone)]
pub struct GitChanges {
    /// The repository's folder, without symbolic links.
    top: PathBuf,
    /// The revision as it was named.
    revision: String,
    /// The hash of the commit that is compared with.
    base: String,
    /// What was changed, added or removed: files, and folders that are repositories themselves.
    paths: BTreeSet<PathBuf>,
    /// What git ignores: files and folders.
    ignored: BTreeSet<PathBuf>,
}

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeState {
    /// It is as it was.
    Same,
    /// It is not.
    Changed,
    /// Git does not keep it, so nobody knows.
    Unknown,
}

/// Why it cannot be told what changed.
#[derive(Debug, thiserror::Error)]
pub enum GitChangesError {
    /// There is no git.
    #[error("cannot run git, which knows what changed")]
    NoGit(#[source] io::Error),
    /// The folder is not under git.
    #[error("{} is in no git repository", .0.display())]
    NoRepository(PathBuf),
    /// The revision is none.
    #[error("there is no commit `{}` in the repository", revision.escape_debug())]
    UnknownRevision {
        /// What was named.
        revision: String,
        /// Whether the clone has only a part of the history.
        is_shallow: bool,
    },
    /// Nothing was committed yet, or the histories of both have nothing in common.
    #[error("`{}` and HEAD have no commit in common", revision.escape_debug())]
    NoCommonCommit {
        /// What was named.
        revision: String,
        /// Whether the clone has only a part of the history.
        is_shallow: bool,
    },
    /// Git failed.
    #[error("git {command} failed: {said}")]
    Failed {
        /// The command.
        command: String,
        /// What git said.
        said: String,
    },
}

impl Hints for GitChangesError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoGit(_) => "install git, or leave --changed-since out: then every target is built",
            Self::NoRepository(_) => "leave --changed-since out: then every target is built",
            Self::UnknownRevision { is_shallow: true, .. } | Self::NoCommonCommit { is_shallow: true, .. } => {
                "the clone is shallow: fetch its history with `git fetch --unshallow`, or with `fetch-depth: 0` of \
                 actions/checkout"
            }
            Self::UnknownRevision { .. } => "name a commit, a tag or a branch; `git fetch` gets those of the remote",
            Self::NoCommonCommit { .. } => "name a commit of this history",
            Self::Failed { .. } => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

impl GitChanges {
    /// Finds what changed in the repository around a folder since a revision parted from what HEAD is.
    ///
    /// # Errors
    /// There is no git, no repository or no such revision, or the clone lacks the commit that is compared with.
    pub fn since(folder: &Path, revision: &str) -> Result<Self, GitChangesError> {
        let (is_done, top, _) = git(folder, &["rev-parse", "--show-toplevel"])?;
        if !is_done {
            return Err(GitChangesError::NoRepository(folder.to_owned()));
        }
        let top = PathBuf::from(OsStr::from_bytes(line(&top)));
        let top = top.canonicalize().unwrap_or(top);
        let is_shallow = || {
            let (_, said, _) = git(&top, &["rev-parse", "--is-shallow-repository"])?;
            Ok::<_, GitChangesError>(line(&said) == b"true")
        };
        let revision = revision.to_owned();
        let commit = format!("{revision}^{{commit}}");
        let (is_known, commit, _) = git(&top, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
        if !is_known {
            return Err(GitChangesError::UnknownRevision { revision, is_shallow: is_shallow()? });
        }
        let commit = String::from_utf8_lossy(line(&commit)).into_owned();
        let (has_base, base, _) = git(&top, &["merge-base", &commit, "HEAD"])?;
        if !has_base {
            return Err(GitChangesError::NoCommonCommit { revision, is_shallow: is_shallow()? });
        }
        let base = String::from_utf8_lossy(line(&base)).into_owned();
        let list = |arguments: &[&str]| -> Result<Vec<PathBuf>, GitChangesError> {
            let (is_done, listed, said) = git(&top, arguments)?;
            if !is_done {
                return Err(GitChangesError::Failed { command: arguments[0].to_owned(), said });
            }
            let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
            // A folder ends in a slash, which paths have no notion of.
            Ok(names.map(|name| top.join(OsStr::from_bytes(name)).components().collect()).collect())
        };
        // The user's settings must not hide anything.
        let diff =
            ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none", &base, "--"];
        let mut paths = list(&diff)?;
        paths.extend(list(&["ls-files", "-z", "--others", "--exclude-standard"])?);
        let ignored = list(&["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"])?;
        Ok(Self { top, revision, base, paths: paths.into_iter().collect(), ignored: ignored.into_iter().collect() })
    }

    /// Returns the revision as it was named.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Returns what changed, as absolute paths without symbolic links.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }

    /// Returns what is known of a file, by its absolute path without symbolic links.
    pub fn state(&self, path: &Path) -> ChangeState {
        let is_in = |paths: &BTreeSet<PathBuf>| path.ancestors().any(|above| paths.contains(above));
        match () {
            () if !path.starts_with(&self.top) || is_in(&self.ignored) => ChangeState::Unknown,
            () if is_in(&self.paths) => ChangeState::Changed,
            () => ChangeState::Same,
        }
    }

    /// Returns the text that a file had; nothing if it was not there or was no text. Of what git does not keep, it is as now.
    ///
    /// # Errors
    /// There is no git.
    pub fn text_before(&self, path: &Path) -> Result<Option<String>, GitChangesError> {
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

/// Asks git about a folder; returns whether it succeeds, what it prints and what it says.
fn git(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Result<(bool, Vec<u8>, String), GitChangesError> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().map_err(GitChangesError::NoGit)?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok((output.status.success(), output.stdout, said))
}

fn line(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_end()
}
