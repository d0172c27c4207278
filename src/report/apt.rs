//! What the commands of `pybundle apt` report.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::format_version;

/// What `pybundle apt lock` and `pybundle apt outdated` report.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AptLockReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The lock.
    pub(crate) file: PathBuf,
    /// Whether the lock was written; `false` if it was up to date, or nothing is written.
    pub(crate) written: bool,
    /// What is added to each base.
    pub(crate) closures: Vec<AptClosureReport>,
    /// What differs from the earlier lock.
    pub(crate) changes: Vec<AptChangeReport>,
}

/// What a request adds to a base on an architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AptClosureReport {
    /// The base; `null` without a base.
    pub(crate) base: Option<String>,
    /// The requested packages.
    pub(crate) requested: Vec<String>,
    /// Debian's name of the architecture.
    pub(crate) architecture: String,
    /// The number of packages.
    pub(crate) packages: usize,
    /// The size of their .deb files in bytes.
    pub(crate) size: u64,
    /// The packages of the base that are upgraded.
    pub(crate) upgraded: Vec<String>,
    /// Whether the earlier lock was kept without resolving.
    pub(crate) kept: bool,
}

/// A package that was added, removed or updated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub(crate) struct AptChangeReport {
    /// The package.
    pub(crate) name: String,
    /// Debian's name of the architecture.
    pub(crate) architecture: String,
    /// The earlier version; `null` if it is new.
    pub(crate) from: Option<String>,
    /// The new version; `null` if it is no longer needed.
    pub(crate) to: Option<String>,
    /// Whether the new version is a security update.
    pub(crate) security: bool,
}

/// What `pybundle apt list` reports.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AptListReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The lock.
    pub(crate) file: PathBuf,
    /// The packages, ordered by name, version and architecture.
    pub(crate) packages: Vec<AptPackageReport>,
}

/// A package in a lock.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AptPackageReport {
    /// The package.
    pub(crate) name: String,
    /// The version.
    pub(crate) version: String,
    /// Debian's name of the architecture, or `all`.
    pub(crate) architecture: String,
    /// The source package.
    pub(crate) source: String,
    /// The URI and the suite of the archive.
    pub(crate) release: String,
    /// The size of the .deb file in bytes.
    pub(crate) size: u64,
    /// The digest of the .deb file.
    pub(crate) sha256: String,
    /// Whether a target requests it.
    pub(crate) requested: bool,
    /// The packages that need it.
    pub(crate) required_by: Vec<String>,
    /// The versions in bases that it replaces.
    pub(crate) replaces: Vec<String>,
}

/// What `pybundle apt why` reports.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AptWhyReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The package.
    pub(crate) name: String,
    /// The shortest path from each requested package that needs it, which begins with the requested one.
    pub(crate) paths: Vec<Vec<String>>,
}

/// What `pybundle apt search-file` reports.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AptFileReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The library or the command.
    pub(crate) file: String,
    /// The package that contains it, in each release that has one.
    pub(crate) packages: Vec<AptProviderReport>,
}

/// The package that has a file.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AptProviderReport {
    /// For instance `Debian 13`.
    pub(crate) release: String,
    /// The package.
    pub(crate) package: String,
}
