//! Errors of packages that are not locked, or have no base.

use std::path::PathBuf;

use crate::apt::PackageRequest;
use crate::hints::Hints;

/// Why the packages of apt.lock cannot be put on a base.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackagesError {
    #[error("{} does not exist, but the image contains packages of the operating system", .0.display())]
    NoLock(PathBuf),
    #[error("{} has no packages for {} over this base", .path.display(), list(.requested))]
    NotLocked { path: PathBuf, requested: Vec<PackageRequest> },
    #[error("{} is for another version of the base: it locks {} over a base with other packages", .path.display(), list(.requested))]
    OtherBase { path: PathBuf, requested: Vec<PackageRequest> },
    #[error("packages cannot be put on {base}: it has no database of dpkg, as Debian's and Ubuntu's images have")]
    NoDatabase { base: String },
}

impl Hints for PackagesError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoLock(_) | Self::NotLocked { .. } | Self::OtherBase { .. } => {
                vec!["run `pybundle apt lock`, and commit apt.lock".to_owned()]
            }
            Self::NoDatabase { .. } => {
                vec!["choose a base of Debian or Ubuntu with --base, such as python:3.13-slim".to_owned()]
            }
        }
    }
}

fn list(requested: &[PackageRequest]) -> String {
    requested.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
