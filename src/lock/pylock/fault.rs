//! What can be wrong with an entry of pylock.toml whose keys have the right types.

use crate::digest::InvalidDigest;
use crate::wheel::filename::InvalidWheelFilename;

/// How an entry breaks the format's rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It has no source.
    #[error("has none of `vcs`, `directory`, `archive`, `sdist` and `wheels`")]
    NoSource,
    /// It has two sources that exclude each other.
    #[error("has both `{0}` and `{1}`, which exclude each other")]
    TwoSources(&'static str, &'static str),
    /// A source is nowhere.
    #[error("`{0}` has neither a `path` nor a `url`")]
    NoPlace(&'static str),
    /// A URL is none, or none that can be fetched.
    #[error("`{key}` is at `{url}`, which is no URL that can be fetched: {reason}")]
    InvalidUrl {
        /// Whose URL it is.
        key: &'static str,
        /// The text, without credentials.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A path cannot be one of a file or a folder.
    #[error("the path `{}` has a NUL character", .0.escape_debug())]
    InvalidPath(String),
    /// A subdirectory is not below its top.
    #[error("the subdirectory `{}` is not below the top of its source", .0.escape_debug())]
    SubdirectoryOutside(String),
    /// A file's name cannot be told, or is no file name.
    #[error("`{key}` has the file name `{}`, which is none", .name.escape_debug())]
    InvalidFileName {
        /// Whose name it is.
        key: &'static str,
        /// The name.
        name: String,
    },
    /// A wheel's name is none.
    #[error(transparent)]
    InvalidWheelFilename(#[from] InvalidWheelFilename),
    /// A file belongs to another distribution.
    #[error("has the file `{0}`, which is another distribution's")]
    FileOfAnother(String),
    /// A file belongs to another version.
    #[error("has the file `{0}`, which is another version's")]
    FileOfAnotherVersion(String),
    /// A file has only digests that are not known.
    #[error("has the file `{file}` with no hash that is known, but only {}", .algorithms.join(", "))]
    UnknownHashes {
        /// The file.
        file: String,
        /// The names of the algorithms.
        algorithms: Vec<String>,
    },
    /// A digest is none.
    #[error(transparent)]
    InvalidDigest(#[from] InvalidDigest),
    /// A commit is not given by its full hash.
    #[error("comes from a repository at `{}`, which is no full commit hash", .0.escape_debug())]
    InvalidCommit(String),
    /// What was asked for is another commit.
    #[error("comes from the commit `{commit}` of a repository, but asks for `{requested}`")]
    OtherCommit {
        /// The locked commit.
        commit: String,
        /// The one that was asked for.
        requested: String,
    },
}
