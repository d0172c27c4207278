//! The text of pylock.toml as it lies in the file: its keys and the types of their values.
//!
//! Unknown keys are accepted, because every minor version of the format may add some. What only describes the lock, and has
//! no part in what is installed, is checked to have the right type and dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};
use serde::de::IgnoredAny;
use toml::Spanned;
use toml::value::Datetime;

use crate::lock::syntax::Parsed;
use crate::marker::Marker;
use crate::name::{DistributionName, ExtraName, GroupName};

/// The part of the file that every version of the format has.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Preamble {
    /// The format's version.
    pub lock_version: Parsed<Version>,
}

/// The whole file.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Document {
    /// The format's version; see [`Preamble`].
    pub lock_version: Parsed<Version>,
    /// The environments that the lock is for; empty for any.
    #[serde(default)]
    pub environments: Vec<Parsed<Marker>>,
    /// The versions of Python that the lock is for.
    pub requires_python: Option<Parsed<VersionSpecifiers>>,
    /// The extras that markers may ask for.
    #[serde(default)]
    pub extras: BTreeSet<ExtraName>,
    /// The groups that markers may ask for, and that users may name.
    #[serde(default)]
    pub dependency_groups: BTreeSet<GroupName>,
    /// The groups that are installed unasked: in general what stands for the project's own dependencies.
    #[serde(default)]
    pub default_groups: BTreeSet<GroupName>,
    /// The tool that made the lock.
    #[serde(rename = "created-by")]
    pub _created_by: String,
    /// The locked distributions.
    pub packages: Vec<Spanned<PackageTable>>,
    /// What tools keep for themselves.
    #[serde(default, rename = "tool")]
    pub _tool: BTreeMap<String, IgnoredAny>,
}

/// An entry of `packages`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackageTable {
    /// The distribution.
    pub name: DistributionName,
    /// Its version; missing where it is not known before it is built.
    pub version: Option<Parsed<Version>>,
    /// Where it is installed.
    pub marker: Option<Parsed<Marker>>,
    /// The versions of Python that it runs on.
    pub requires_python: Option<Parsed<VersionSpecifiers>>,
    /// What it needs; it says so only to those who read the lock.
    #[serde(default)]
    pub dependencies: Vec<DependencyTable>,
    /// A project in a repository.
    pub vcs: Option<VcsTable>,
    /// A project in a folder.
    pub directory: Option<DirectoryTable>,
    /// A wheel or an archive from a direct reference.
    pub archive: Option<FileTable>,
    /// The index that has the files.
    pub index: Option<String>,
    /// The source distribution.
    pub sdist: Option<FileTable>,
    /// The wheels.
    #[serde(default)]
    pub wheels: Vec<FileTable>,
    /// Who published the files.
    #[serde(default, rename = "attestation-identities")]
    pub _attestation_identities: Vec<AttestationIdentityTable>,
    /// What tools keep for themselves.
    #[serde(default, rename = "tool")]
    pub _tool: BTreeMap<String, IgnoredAny>,
}

/// An entry of `packages.dependencies`: enough of another entry's keys to tell which one it is.
#[derive(serde::Deserialize)]
pub struct DependencyTable {
    /// The distribution; uv leaves it out.
    pub name: Option<DistributionName>,
}

/// `packages.vcs`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VcsTable {
    /// The version control system.
    pub r#type: VcsKind,
    /// The repository's URL.
    pub url: Option<String>,
    /// The repository's path, which counts before the URL.
    pub path: Option<String>,
    /// What the commit was looked up for.
    pub requested_revision: Option<String>,
    /// The commit.
    pub commit_id: String,
    /// The project's folder, if it is not the top.
    pub subdirectory: Option<String>,
}

/// A version control system that direct references may name.
///
/// Specification: [PyPA, direct URL data structure, registered VCS](https://packaging.python.org/en/latest/specifications/direct-url-data-structure/#registered-vcs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VcsKind {
    /// Git.
    Git,
    /// Mercurial.
    Hg,
    /// Bazaar.
    Bzr,
    /// Subversion.
    Svn,
}

impl fmt::Display for VcsKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Git => "git",
            Self::Hg => "Mercurial",
            Self::Bzr => "Bazaar",
            Self::Svn => "Subversion",
        })
    }
}

/// `packages.directory`.
#[derive(serde::Deserialize)]
pub struct DirectoryTable {
    /// The folder.
    pub path: String,
    /// Whether it is to be installed as editable; that makes no difference to what is bundled.
    #[serde(rename = "editable")]
    pub _editable: Option<bool>,
    /// The project's folder, if it is not the top.
    pub subdirectory: Option<String>,
}

/// `packages.sdist`, `packages.archive`, or an entry of `packages.wheels`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileTable {
    /// Its name, if the end of its path or URL is another one. Archives have none.
    pub name: Option<String>,
    /// When it was published.
    #[serde(rename = "upload-time")]
    pub _upload_time: Option<Datetime>,
    /// Where it is, on a server.
    pub url: Option<String>,
    /// Where it is, on this machine; this counts before the URL.
    pub path: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Its digests in hexadecimal, by the names of their algorithms.
    pub hashes: BTreeMap<String, String>,
    /// The project's folder in an archive, if it is not the only one at the top. Other files have none.
    pub subdirectory: Option<String>,
}

/// An entry of `packages.attestation-identities`.
#[derive(serde::Deserialize)]
pub struct AttestationIdentityTable {
    /// The kind of publisher.
    #[serde(rename = "kind")]
    pub _kind: String,
}
