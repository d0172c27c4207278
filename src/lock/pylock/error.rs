//! Errors of pylock.toml's entries whose keys have the right types.

use crate::digest::InvalidDigest;
use crate::wheel::filename::InvalidWheelFilename;

/// A rule of the format that an entry of `packages` breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidPylockPackage {
    #[error("has both `{0}` and `{1}`, which are mutually exclusive")]
    ConflictingSources(&'static str, &'static str),
    #[error("`{0}` has neither a `path` nor a `url`")]
    MissingLocation(&'static str),
    /// The URL is invalid, or has an unsupported scheme. It is without credentials.
    #[error("`{key}` has the invalid URL `{url}`: {reason}")]
    InvalidUrl { key: &'static str, url: String, reason: String },
    #[error("the path `{}` contains a NUL character", .0.escape_debug())]
    InvalidPath(String),
    #[error("the subdirectory `{}` is outside its source", .0.escape_debug())]
    SubdirectoryOutsideSource(String),
    #[error("`{key}` has the invalid file name `{}`", .name.escape_debug())]
    InvalidFileName { key: &'static str, name: String },
    #[error(transparent)]
    InvalidWheelFilename(#[from] InvalidWheelFilename),
    #[error("has the file `{0}`, whose name does not match")]
    FileNameMismatch(String),
    #[error("has the file `{0}`, whose version does not match")]
    FileVersionMismatch(String),
    /// A file has hashes, but only of unsupported algorithms.
    #[error("has the file `{file}` with only unsupported hashes: {}", .algorithms.join(", "))]
    UnsupportedHashes { file: String, algorithms: Vec<String> },
    #[error(transparent)]
    InvalidDigest(#[from] InvalidDigest),
    #[error("has the commit ID `{}`, which is not a full commit hash", .0.escape_debug())]
    InvalidCommit(String),
    /// The requested revision is a full commit hash, but another one.
    #[error("has the commit ID `{commit}`, but requests the commit `{requested}`")]
    CommitMismatch { commit: String, requested: String },
}
