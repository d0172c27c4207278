//! The packages of the operating system.

use std::collections::BTreeSet;

use crate::apt::PackageRequest;
use crate::debian::PackageName;

/// The packages of the operating system that an image contains above its base.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AptSettings {
    /// Sorted, each once.
    pub(crate) requested: Vec<PackageRequest>,
    /// The packages that may be incomplete: nothing is done instead of their maintainer scripts if these are not known.
    pub(crate) unconfigured: BTreeSet<PackageName>,
}
