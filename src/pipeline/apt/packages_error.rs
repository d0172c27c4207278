//! Errors of packages that are not locked, or have no base.

use std::path::PathBuf;

use crate::apt::archive::AptArchiveError;
use crate::apt::packages::InvalidPackageIndex;
use crate::apt::resolve::ResolveError;
use crate::apt::{InvalidKeyringFile, UnsupportedDistribution};
use crate::debian::{InvalidDpkgStatus, PackageName};
use crate::hints::{Hints, did_you_mean};

/// Why the packages of apt.lock cannot be put on a base.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackagesError {
    #[error("{} does not exist, but the image contains system packages", .path.display())]
    NoLock {
        path: PathBuf,
        /// Those that `pybundle apt lock` needs to lock what is requested.
        flags: Vec<String>,
    },
    #[error("{} is not up to date: {}", .path.display(), .changes.join(", "))]
    Outdated { path: PathBuf, changes: Vec<String>, flags: Vec<String> },
    #[error("cannot add system packages to {base}: it has no dpkg database, unlike images of Debian and Ubuntu")]
    NoDatabase { base: String },
    #[error("no image requests system packages")]
    NothingToLock,
    #[error("{} has no package `{name}`", .path.display())]
    NotInLock { path: PathBuf, name: PackageName, nearest: Option<String> },
    #[error(transparent)]
    Distribution(#[from] UnsupportedDistribution),
    #[error(transparent)]
    Keyring(#[from] InvalidKeyringFile),
    #[error(transparent)]
    Status(#[from] InvalidDpkgStatus),
    #[error(transparent)]
    Archive(#[from] AptArchiveError),
    #[error(transparent)]
    Index(#[from] InvalidPackageIndex),
    #[error(transparent)]
    Resolve(#[from] ResolveError),
}

impl Hints for PackagesError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoLock { flags, .. } | Self::Outdated { flags, .. } => {
                let command = [&["pybundle apt lock".to_owned()], &flags[..]].concat().join(" ");
                vec![format!("run `{command}`, and commit apt.lock")]
            }
            Self::NothingToLock => {
                vec!["request some in [tool.pybundle], for instance apt = [\"libpq5\"]".to_owned()]
            }
            Self::NotInLock { nearest: Some(nearest), .. } => vec![did_you_mean(nearest)],
            Self::NotInLock { .. } => vec!["list what is locked with `pybundle apt list`".to_owned()],
            Self::Distribution(error) => error.hints(),
            Self::Archive(error) => error.hints(),
            Self::Resolve(error) => error.hints(),
            Self::Keyring(_) => {
                vec!["set `signed-by` of the source to a file with the archive's public key".to_owned()]
            }
            Self::Status(_) | Self::Index(_) => Vec::new(),
            Self::NoDatabase { .. } => {
                vec!["choose a base of Debian or Ubuntu with --base, such as python:3.13-slim".to_owned()]
            }
        }
    }
}
