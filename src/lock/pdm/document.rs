//! The keys of pdm.lock and the types of their values.
//!
//! Unknown keys are accepted, because a version of the format with a higher patch number may add some.

use std::collections::BTreeSet;
use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};
use serde::de::IgnoredAny;

use crate::digest::Digest;
use crate::lock::toml_syntax::Parsed;
use crate::marker::Marker;
use crate::name::{DistributionName, ExtraName};
use crate::platform::{CLibrary, TargetPlatform};

/// The part of the file that states the version of its format.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PdmLockVersion {
    pub(super) metadata: PdmVersionMetadata,
}

/// `[metadata]`, of any version of the format.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PdmVersionMetadata {
    pub(super) lock_version: Option<String>,
}

/// The whole file.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PdmDocument {
    pub(super) metadata: PdmMetadata,
    #[serde(default, rename = "package")]
    pub(super) packages: Vec<PdmPackage>,
}

/// `[metadata]`.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PdmMetadata {
    /// The groups that are locked, `default` among them; PDM 2.8 and earlier may write none.
    pub(super) groups: Option<BTreeSet<String>>,
    #[serde(default)]
    strategy: BTreeSet<String>,
    /// What the lock was resolved for, since version 4.5 of the format. PDM installs on nothing else.
    #[serde(default)]
    pub(super) targets: Vec<PdmTarget>,
    /// The SHA-256 of the relevant parts of pyproject.toml; see `freshness`.
    pub(super) content_hash: Option<String>,
    /// What the lock was made from, in place of the hash (`tool.pdm.resolution.lock_inputs`).
    pub(super) lock_inputs: Option<IgnoredAny>,
}

impl PdmMetadata {
    /// Returns whether each entry has its groups and the marker under which the project requires it.
    pub(super) fn inherits_metadata(&self) -> bool {
        self.strategy.contains("inherit_metadata")
    }
}

/// An entry of `metadata.targets`. What is missing is any.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PdmTarget {
    requires_python: Option<Parsed<VersionSpecifiers>>,
    /// For instance `linux`, `manylinux_2_28_x86_64`, `windows_amd64`, `macos_14_0_arm64`, `musllinux_1_2_x86_64`.
    platform: Option<String>,
    implementation: Option<String>,
    #[serde(default)]
    gil_disabled: bool,
}

impl PdmTarget {
    /// Returns whether the lock was resolved for a platform with the same C library, whatever its version: that decides between
    /// files.
    pub(super) fn covers(&self, target: &TargetPlatform) -> bool {
        let is_python =
            self.requires_python.as_ref().is_none_or(|versions| target.python.is_allowed_by(&versions.value));
        let is_platform = self.platform.as_deref().is_none_or(|platform| {
            // PDM's names for them.
            let platform = match platform {
                "linux" => "manylinux_2_40_x86_64",
                "alpine" => "musllinux_1_2_x86_64",
                other => other,
            };
            let c_library = match target.libc {
                CLibrary::Glibc(_) => "manylinux_",
                CLibrary::Musl(_) => "musllinux_",
            };
            platform.starts_with(c_library) && platform.ends_with(target.architecture.wheel_name())
        });
        let is_implementation = self.implementation.as_deref().is_none_or(|implementation| implementation == "cpython");
        is_python && is_platform && is_implementation && self.gil_disabled == target.python.free_threaded
    }
}

impl fmt::Display for PdmTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let python = self.requires_python.as_ref().map(|versions| format!("Python {}", versions.text));
        let gil = self.gil_disabled.then(|| "free-threaded".to_owned());
        let parts = [python, self.platform.clone(), self.implementation.clone(), gil];
        formatter.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

/// An entry: one version of a distribution, with one set of extras.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PdmPackage {
    pub(super) name: DistributionName,
    /// Missing if a local project's version is dynamic.
    pub(super) version: Option<Parsed<Version>>,
    #[serde(default)]
    pub(super) extras: BTreeSet<ExtraName>,
    /// The project's groups that require it, with the strategy `inherit_metadata`.
    #[serde(default)]
    pub(super) groups: BTreeSet<String>,
    /// With the strategy `inherit_metadata`.
    pub(super) marker: Option<Parsed<Marker>>,
    /// All requirements of the distribution, also those that are not locked because no target meets their marker.
    #[serde(default)]
    pub(super) dependencies: Vec<String>,
    #[serde(default)]
    pub(super) files: Vec<PdmFile>,
    pub(super) url: Option<String>,
    pub(super) path: Option<String>,
    pub(super) git: Option<String>,
    /// The commit of `git`.
    pub(super) revision: Option<String>,
    pub(super) subdirectory: Option<String>,
    pub(super) hg: Option<String>,
    pub(super) svn: Option<String>,
    pub(super) bzr: Option<String>,
}

impl PdmPackage {
    /// Returns whether two entries stand for the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.extras == other.extras
            && self.locked_version() == other.locked_version()
            && self.source() == other.source()
    }

    pub(super) fn locked_version(&self) -> Option<&Version> {
        self.version.as_ref().map(|version| &version.value)
    }

    fn source(&self) -> [&Option<String>; 3] {
        [&self.url, &self.path, &self.git]
    }
}

impl fmt::Display for PdmPackage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(formatter, "{} {}", self.name, version.value),
            None => write!(formatter, "{}", self.name),
        }
    }
}

/// A file of a distribution.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PdmFile {
    pub(super) file: Option<String>,
    /// With the strategy `static_urls`, in place of the name.
    pub(super) url: Option<String>,
    pub(super) hash: Option<Parsed<Digest>>,
}
