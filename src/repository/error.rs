//! Why a commit could not be had.

use std::io;
use std::path::PathBuf;

use crate::cache::CacheError;

/// Why a commit could not be had. Addresses are without credentials.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// git is not there.
    #[error("git was not found on PATH")]
    NoGit,
    /// git LFS is not there, and files in it are wanted.
    #[error("{0} keeps files in git LFS, which was not found")]
    NoLfs(String),
    /// The address is of a kind that git is not asked for.
    #[error("`{0}` is not the address of a repository: https, http, ssh, git and file are")]
    RepositoryAddress(String),
    /// The commit is not a full hash.
    #[error("`{}` is not the full hash of a commit of {url}", .commit.escape_debug())]
    Commit {
        /// The repository.
        url: String,
        /// What is named.
        commit: String,
    },
    /// The network may not be used, and the commit is not in the cache.
    #[error("the commit {commit} of {url} is not in the cache, and the network may not be used")]
    Offline {
        /// The repository.
        url: String,
        /// The commit.
        commit: String,
    },
    /// The repository does not have the commit, or does not give it.
    #[error("{url} has no commit {commit}")]
    Missing {
        /// The repository.
        url: String,
        /// The commit.
        commit: String,
    },
    /// git could not be started.
    #[error("cannot run {}", .0.display())]
    Run(PathBuf, #[source] io::Error),
    /// git failed.
    #[error("git cannot {action} {url}:\n{output}")]
    Failed {
        /// What it was to do, for instance `fetch`.
        action: &'static str,
        /// The repository.
        url: String,
        /// What it printed.
        output: String,
    },
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl RepositoryError {
    /// Returns what the user can do about it.
    pub fn hints(&self) -> Vec<String> {
        let hint = |text: &str| vec![text.to_owned()];
        match self {
            Self::NoGit => hint("install git: distributions of the lock come from repositories"),
            Self::NoLfs(_) => hint("install git-lfs"),
            Self::Offline { .. } => hint("run once without --offline, with the same cache"),
            Self::Missing { .. } => hint("the branch may have been rewritten: lock again"),
            Self::Failed { action: "fetch", .. } => hint(
                "git is never asked to prompt: set up a credential helper or an ssh agent, and see whether `git ls-remote` \
                 works for the repository",
            ),
            Self::Cache(error) => error.hints(),
            Self::Address(_) | Self::Commit { .. } | Self::Run(..) | Self::Failed { .. } => Vec::new(),
        }
    }
}
