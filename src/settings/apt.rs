//! The system packages.

use std::collections::BTreeSet;
use std::path::PathBuf;

use url::Url;

use crate::apt::PackageRequest;
use crate::debian::{Fingerprint, PackageName};

/// The system packages that an image contains above its base.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AptSettings {
    /// Sorted, each once.
    pub(crate) requested: Vec<PackageRequest>,
    /// The packages that may be incomplete: nothing is done instead of their maintainer scripts if these are not known.
    pub(crate) unconfigured: BTreeSet<PackageName>,
    /// The archives besides those of the base's distribution.
    pub(crate) sources: Vec<AptSourceSettings>,
}

/// An archive of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AptSourceSettings {
    pub(crate) uris: Vec<Url>,
    pub(crate) suites: Vec<String>,
    pub(crate) components: Vec<String>,
    pub(crate) signed_by: SigningKeys,
    /// Where earlier states of the archive are.
    pub(crate) snapshot: Option<Url>,
}

/// The keys of which one must have signed a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SigningKeys {
    /// Those of the base's distribution.
    Distribution,
    /// Some of those.
    Fingerprints(Vec<Fingerprint>),
    /// Those in files.
    Files(Vec<PathBuf>),
}
