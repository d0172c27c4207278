//! The keys of pylock.toml and the types of their values.
//!
//! Unknown keys are accepted, because any minor version of the format may add some. Keys that do not affect the installation
//! are only checked for their type.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};
use serde::de::IgnoredAny;
use toml::Spanned;
use toml::value::Datetime;

use crate::lock::toml_syntax::Parsed;
use crate::marker::Marker;
use crate::name::{DistributionName, ExtraName, GroupName};

/// The part of the file that is the same in every version of the format.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PylockVersion {
    pub(super) lock_version: Parsed<Version>,
}

/// The whole file.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PylockDocument {
    pub(super) lock_version: Parsed<Version>,
    /// The environments that the lock is limited to; empty if it is not limited.
    #[serde(default)]
    pub(super) environments: Vec<Parsed<Marker>>,
    pub(super) requires_python: Option<Parsed<VersionSpecifiers>>,
    #[serde(default)]
    pub(super) extras: BTreeSet<ExtraName>,
    #[serde(default)]
    pub(super) dependency_groups: BTreeSet<GroupName>,
    /// The groups that are installed by default: usually one that stands for the project's own dependencies.
    #[serde(default)]
    pub(super) default_groups: BTreeSet<GroupName>,
    pub(super) created_by: String,
    pub(super) packages: Vec<Spanned<PylockPackageTable>>,
    #[serde(default, rename = "tool")]
    pub(super) _tool: BTreeMap<String, IgnoredAny>,
}

/// An entry of `packages`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PylockPackageTable {
    pub(super) name: DistributionName,
    /// Missing if it is not known until the distribution is built.
    pub(super) version: Option<Parsed<Version>>,
    pub(super) marker: Option<Parsed<Marker>>,
    pub(super) requires_python: Option<Parsed<VersionSpecifiers>>,
    /// For information only: installers select by markers alone.
    #[serde(default)]
    pub(super) dependencies: Vec<PylockDependencyTable>,
    pub(super) vcs: Option<PylockVcsTable>,
    pub(super) directory: Option<PylockDirectoryTable>,
    pub(super) archive: Option<PylockFileTable>,
    pub(super) index: Option<String>,
    pub(super) sdist: Option<PylockFileTable>,
    #[serde(default)]
    pub(super) wheels: Vec<PylockFileTable>,
    #[serde(default, rename = "attestation-identities")]
    pub(super) _attestation_identities: Vec<PylockAttestationTable>,
    #[serde(default, rename = "tool")]
    pub(super) _tool: BTreeMap<String, IgnoredAny>,
}

/// An entry of `packages.dependencies`: enough of another entry's keys to tell which one it is.
#[derive(serde::Deserialize)]
pub(super) struct PylockDependencyTable {
    /// uv omits it.
    pub(super) name: Option<DistributionName>,
}

/// `packages.vcs`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PylockVcsTable {
    pub(super) r#type: VcsKind,
    pub(super) url: Option<String>,
    /// Takes precedence over the URL.
    pub(super) path: Option<String>,
    pub(super) requested_revision: Option<String>,
    pub(super) commit_id: String,
    /// The project's directory, if it is not the top one.
    pub(super) subdirectory: Option<String>,
}

/// A version control system that direct references may use.
///
/// Specification: [PyPA, direct URL data structure, registered VCS](https://packaging.python.org/en/latest/specifications/direct-url-data-structure/#registered-vcs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum VcsKind {
    Git,
    Hg,
    Bzr,
    Svn,
}

impl fmt::Display for VcsKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Git => "Git",
            Self::Hg => "Mercurial",
            Self::Bzr => "Bazaar",
            Self::Svn => "Subversion",
        })
    }
}

/// `packages.directory`.
#[derive(serde::Deserialize)]
pub(super) struct PylockDirectoryTable {
    pub(super) path: String,
    /// Ignored: editable installations are bundled like others.
    #[serde(rename = "editable")]
    pub(super) _editable: Option<bool>,
    /// The project's directory, if it is not the top one.
    pub(super) subdirectory: Option<String>,
}

/// `packages.sdist`, `packages.archive`, or an entry of `packages.wheels`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PylockFileTable {
    /// The file name, if it differs from the end of the path or URL. Archives have none.
    pub(super) name: Option<String>,
    #[serde(rename = "upload-time")]
    pub(super) _upload_time: Option<Datetime>,
    pub(super) url: Option<String>,
    /// Takes precedence over the URL.
    pub(super) path: Option<String>,
    /// In bytes.
    pub(super) size: Option<u64>,
    /// Hexadecimal digests by the names of their algorithms.
    pub(super) hashes: BTreeMap<String, String>,
    /// The project's directory in an archive, if it is not the single top-level one. Other files have none.
    pub(super) subdirectory: Option<String>,
}

/// An entry of `packages.attestation-identities`.
#[derive(serde::Deserialize)]
pub(super) struct PylockAttestationTable {
    #[serde(rename = "kind")]
    pub(super) _kind: String,
}
