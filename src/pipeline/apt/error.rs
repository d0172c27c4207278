//! Errors of the layers of packages.

use crate::archive::ArchiveError;
use crate::cache::CacheError;
use crate::debian::DebError;
use crate::hints::Hints;
use crate::tree::{InsertError, InvalidPath};

/// Why packages cannot be laid over a base.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SystemLayerError {
    #[error(transparent)]
    Deb(#[from] DebError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Path(#[from] InvalidPath),
    #[error("cannot install {package}")]
    Tree { package: String, source: InsertError },
    #[error("cannot install {package}: `{path}` is a loop of symbolic links in the base")]
    Loop { package: String, path: String },
    #[error("cannot install {package}: {path} is a {found}, but the package has a {wanted} there")]
    Kind { package: String, path: String, found: &'static str, wanted: &'static str },
    #[error("{first} and {second} both contain `{path}`, with different content")]
    Twice { path: String, first: String, second: String },
    #[error("cannot install {package}: the hard link {path} leads to {target}, which is omitted or elsewhere")]
    HardLink { package: String, path: String, target: String },
}

impl Hints for SystemLayerError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Deb(error) => error.hints(),
            Self::Cache(error) => error.hints(),
            Self::Archive(error) => error.hints(),
            Self::Path(_)
            | Self::Tree { .. }
            | Self::Loop { .. }
            | Self::Kind { .. }
            | Self::HardLink { .. }
            | Self::Twice { .. } => Vec::new(),
        }
    }
}
