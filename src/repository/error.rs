//! Errors of checking out commits.

use std::io;
use std::path::PathBuf;

use crate::cache::CacheError;
use crate::hints::Hints;

/// Why a commit could not be checked out. URLs are without credentials.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message describes it")]
pub enum RepositoryError {
    #[error("git is not installed: it was not found on PATH")]
    NoGit,
    #[error("git LFS is not installed, but {0} needs it")]
    NoLfs(String),
    #[error("`{0}` is not a valid repository URL: its scheme must be https, http, ssh, git or file")]
    InvalidUrl(String),
    #[error("`{}` is not the full hash of a commit of {url}", .commit.escape_debug())]
    InvalidCommit { url: String, commit: String },
    #[error("commit {commit} of {url} is not cached, and the network is disabled")]
    Offline { url: String, commit: String },
    #[error("{url} has no commit {commit}")]
    MissingCommit { url: String, commit: String },
    #[error("cannot run {}", .0.display())]
    Run(PathBuf, #[source] io::Error),
    #[error("git cannot {action} {url}:\n{output}")]
    Failed {
        /// For instance `fetch`.
        action: &'static str,
        url: String,
        /// The standard error of git.
        output: String,
    },
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl Hints for RepositoryError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoGit => "install git: the lock has distributions from git repositories",
            Self::NoLfs(_) => "install git-lfs",
            Self::Offline { .. } => "run once without --offline, with the same cache",
            Self::MissingCommit { .. } => {
                "the branch may have been rewritten: lock its present commit, for instance with `uv lock --upgrade-package NAME`"
            }
            Self::Failed { action: "fetch", .. } => {
                "check that `git ls-remote` works for the repository without a prompt: set up a credential helper or an \
                 ssh agent"
            }
            Self::Cache(error) => return error.hints(),
            Self::InvalidUrl(_) | Self::InvalidCommit { .. } | Self::Run(..) | Self::Failed { .. } => {
                return Vec::new();
            }
        };
        vec![hint.to_owned()]
    }
}
