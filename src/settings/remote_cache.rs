//! Where records of what is known of wheels are kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::registry::{ImageReference, InvalidReference};

/// Which remote cache is used, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RemoteCacheChoice {
    Off,
    /// The repository of the image is read, and written to after a push if `write` is set.
    Own {
        write: bool,
    },
    /// Nothing is believed: what the repository of the image says is compared with what is found out here.
    Verify,
    /// Another repository, read and written.
    Repository(ImageReference),
    /// A directory, read and written.
    Directory(PathBuf),
}

/// A text that is not a remote cache.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidRemoteCache {
    /// S3 is not supported.
    #[error("stores of objects are not supported: use a repository, or a directory")]
    Store,
    /// A repository has a tag or a digest.
    #[error("`{0}` has a tag or a digest: name the repository alone")]
    Tagged(String),
    /// A text is not the name of a repository.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
}

impl FromStr for RemoteCacheChoice {
    type Err = InvalidRemoteCache;

    fn from_str(text: &str) -> Result<Self, InvalidRemoteCache> {
        Ok(match text {
            "off" => Self::Off,
            "read" => Self::Own { write: false },
            "auto" => Self::Own { write: true },
            "verify" => Self::Verify,
            _ if text.starts_with(['/', '.']) => Self::Directory(text.into()),
            _ if text.contains("://") => return Err(InvalidRemoteCache::Store),
            _ => {
                let is_tagged = text.rsplit('/').next().is_some_and(|name| name.contains([':', '@']));
                if is_tagged {
                    return Err(InvalidRemoteCache::Tagged(text.to_owned()));
                }
                Self::Repository(text.parse()?)
            }
        })
    }
}

impl fmt::Display for RemoteCacheChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => formatter.write_str("off"),
            Self::Own { write: false } => formatter.write_str("read"),
            Self::Own { write: true } => formatter.write_str("auto"),
            Self::Verify => formatter.write_str("verify"),
            Self::Repository(reference) => formatter.write_str(&reference.repository_name()),
            Self::Directory(path) => path.display().fmt(formatter),
        }
    }
}

impl RemoteCacheChoice {
    /// Makes a relative path relative to a directory.
    pub(crate) fn in_directory(self, directory: &Path) -> Self {
        match self {
            Self::Directory(path) => Self::Directory(directory.join(path)),
            other => other,
        }
    }
}
