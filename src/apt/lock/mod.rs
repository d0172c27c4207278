//! `apt.lock`: the packages of the operating system that a project's images contain.
//!
//! One file is beside the project's Python lock. It contains a closure for each base with other packages or another request,
//! for each architecture, and every package once:
//!
//! ```toml
//! version = 1
//!
//! [[release]]                       # a verified InRelease
//! uri = "http://deb.debian.org/debian"
//! suite = "bookworm"
//! date = "2026-11-14T10:24:08Z"
//! inrelease-sha256 = "…"
//! signed-by = ["4CB50190207B4758A3F73A796ED0E7B82643E131"]
//!
//! [[closure]]
//! base = "docker.io/library/python:3.12-slim@sha256:…"
//! requested = ["tini"]
//! sources = ["http://deb.debian.org/debian bookworm main"]
//!
//! [[closure.architecture]]
//! architecture = "amd64"
//! status-sha256 = "…"               # of dpkg's status in the base
//! packages = [                      # in the order of configuration
//!     { name = "tini", version = "0.19.0-1+b3", requested = true },
//! ]
//!
//! [[package]]
//! name = "tini"
//! version = "0.19.0-1+b3"
//! architecture = "amd64"
//! source = "tini"
//! source-version = "0.19.0-1"
//! release = "http://deb.debian.org/debian bookworm"
//! filename = "pool/main/t/tini/tini_0.19.0-1+b3_amd64.deb"
//! size = 255760
//! sha256 = "…"
//! ```

mod error;
mod read;
mod write;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::PackageRequest;
use crate::debian::{DebianArchitecture, DebianVersion, Fingerprint, PackageName};
use crate::digest::Sha256;

pub use error::AptLockError;
pub(super) use read::is_path_of_deb;

/// The file name of the lock.
pub const APT_LOCK: &str = "apt.lock";

/// A lock of operating-system packages. Reading checks that it is consistent, see [`AptLock::parse`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AptLock {
    /// The releases that the packages are from.
    pub releases: Vec<LockedRelease>,
    /// What is installed over which base.
    pub closures: Vec<LockedClosure>,
    /// The packages of all closures.
    pub packages: Vec<LockedPackage>,
}

/// A suite of an archive, whose InRelease was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedRelease {
    /// The URI of the archive, without credentials.
    pub uri: String,
    /// The suite, for instance `bookworm-security`; one that ends with `/` is the directory of a flat archive.
    pub suite: String,
    /// When it was released.
    pub date: Timestamp,
    /// Until when it may be used.
    pub valid_until: Option<Timestamp>,
    /// The digest of InRelease.
    pub inrelease_sha256: Sha256,
    /// The keys of the good signatures.
    pub signed_by: Vec<Fingerprint>,
}

impl LockedRelease {
    /// Returns how packages name the release: the URI and the suite, separated by a space.
    pub fn label(&self) -> String {
        format!("{} {}", self.uri, self.suite)
    }
}

/// What a request installs over a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedClosure {
    /// The base image by its reference and digest; `None` if there is no base.
    pub base: Option<String>,
    /// The request, sorted.
    pub requested: Vec<PackageRequest>,
    /// The sources in the order of their priority: URI, suite and components, separated by spaces.
    pub sources: Vec<String>,
    /// The packages for each architecture.
    pub architectures: BTreeMap<DebianArchitecture, ArchitectureClosure>,
}

/// What a request installs over a base on one architecture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchitectureClosure {
    /// The digest of dpkg's status in the base; `None` if there is no base.
    pub status_sha256: Option<Sha256>,
    /// The packages in the order in which dpkg would configure them.
    pub members: Vec<ClosureMember>,
}

/// A package in a closure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosureMember {
    /// The name.
    pub name: PackageName,
    /// The version.
    pub version: DebianVersion,
    /// Whether the project requests it, instead of another package.
    pub requested: bool,
    /// The packages of the closure that it needs, sorted.
    pub depends: Vec<PackageName>,
    /// The version in the base, which is removed.
    pub replaces: Option<DebianVersion>,
}

/// A package of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// The name.
    pub name: PackageName,
    /// The version.
    pub version: DebianVersion,
    /// The architecture, or `all`.
    pub architecture: DebianArchitecture,
    /// The field Multi-Arch: `same`, `foreign` or `allowed`.
    pub multi_arch: Option<String>,
    /// The name of the source package.
    pub source: PackageName,
    /// The version of the source package, which differs from the package's for instance after a rebuild.
    pub source_version: DebianVersion,
    /// The [label](LockedRelease::label) of the release.
    pub release: String,
    /// The path in the archive, below its URI.
    pub filename: String,
    /// In bytes.
    pub size: u64,
    /// The digest of the .deb file.
    pub sha256: Sha256,
}

impl AptLock {
    /// Returns the package of a closure for an architecture; `None` if it is from another lock.
    pub fn package(&self, member: &ClosureMember, architecture: &DebianArchitecture) -> Option<&LockedPackage> {
        self.packages.iter().find(|package| {
            package.name == member.name
                && package.version == member.version
                && (package.architecture == *architecture || package.architecture.is_all())
        })
    }

    /// Returns the release that a package is from; `None` if it is from another lock.
    pub fn release(&self, package: &LockedPackage) -> Option<&LockedRelease> {
        self.releases.iter().find(|release| release.label() == package.release)
    }

    /// Returns the closure for a request over a base with this status on an architecture: that from these sources, or else from
    /// others.
    pub fn closure(
        &self,
        requested: &[PackageRequest],
        architecture: &DebianArchitecture,
        status_sha256: Option<Sha256>,
        sources: &[String],
    ) -> Option<(&LockedClosure, &ArchitectureClosure)> {
        let mut sorted = requested.to_vec();
        sorted.sort();
        sorted.dedup();
        let of_request = self.closures.iter().filter(|closure| closure.requested == sorted);
        let mut found = of_request.filter_map(|closure| {
            let packages = closure.architectures.get(architecture)?;
            (packages.status_sha256 == status_sha256).then_some((closure, packages))
        });
        found.clone().find(|(closure, _)| closure.sources == sources).or_else(|| found.next())
    }
}
