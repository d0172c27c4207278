//! The text of uv.lock as it lies in the file: its keys and the types of their values.
//!
//! Nothing here relates one part of the file to another; that is the [graph](super::graph)'s work. Unknown keys are
//! accepted, because every revision of the format's version 1 may add some.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Version, VersionSpecifiers};
use serde::de::IgnoredAny;

use super::conflicts::Item;
use crate::digest::Digest;
use crate::lock::path::file_name_of_url;
use crate::lock::syntax::Parsed;
use crate::marker::Marker;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::wheel::filename::WheelFilename;

/// The part of the file that every version of the format has.
#[derive(Debug, serde::Deserialize)]
pub struct Preamble {
    /// The format's version; a change breaks readers.
    pub version: u32,
}

/// The whole file.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Document {
    /// The format's version; see [`Preamble`].
    pub version: u32,
    /// The format's revision; a change does not break readers.
    #[serde(default)]
    pub revision: u32,
    /// The versions of Python that were resolved for.
    pub requires_python: Parsed<VersionSpecifiers>,
    /// The forks of the resolution, where there was more than one.
    #[serde(default)]
    pub resolution_markers: Vec<Parsed<Marker>>,
    /// The environments that the resolution was limited to (`tool.uv.environments`).
    #[serde(default)]
    pub supported_markers: Vec<Parsed<Marker>>,
    /// The sets of extras, groups and projects of which at most one may be chosen (`tool.uv.conflicts`).
    #[serde(default)]
    pub conflicts: Vec<BTreeSet<Item>>,
    /// What was asked of the resolver beside the projects' own requirements.
    #[serde(default)]
    pub manifest: Manifest,
    /// The locked distributions.
    #[serde(default, rename = "package", alias = "distribution")]
    pub packages: Vec<Package>,
}

/// What was asked of the resolver beside the projects' own requirements.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Manifest {
    /// The members of the workspace; empty where the only member is the root.
    pub members: BTreeSet<DistributionName>,
    /// The requirements of a script, or of a workspace's root that is no project.
    pub requirements: Vec<Requirement>,
    /// The dependency groups of a workspace's root that is no project.
    pub dependency_groups: BTreeMap<GroupName, Vec<Requirement>>,
    /// `tool.uv.constraint-dependencies`.
    pub constraints: Vec<Requirement>,
    /// `tool.uv.override-dependencies`.
    pub overrides: Vec<Override>,
}

/// An override of a requirement.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub enum Override {
    /// For every distribution that has the requirement.
    Everywhere(Box<Requirement>),
    /// For one distribution's requirements only.
    Scoped(IgnoredAny),
}

/// A requirement as it was declared, with its source.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Requirement {
    /// The distribution.
    pub name: DistributionName,
    /// Its extras.
    #[serde(default)]
    pub extras: BTreeSet<ExtraName>,
    /// The versions that are asked for.
    pub specifier: Option<Parsed<VersionSpecifiers>>,
    /// Where the requirement applies.
    pub marker: Option<Parsed<Marker>>,
    /// The index it was bound to.
    pub index: Option<String>,
    /// A repository, with what to check out in the query.
    pub git: Option<String>,
    /// A direct URL.
    pub url: Option<String>,
    /// The folder of the project below a direct URL.
    pub subdirectory: Option<String>,
    /// A file.
    pub path: Option<String>,
    /// A folder.
    pub directory: Option<String>,
    /// A folder, installed as editable.
    pub editable: Option<String>,
    /// A folder, not installed.
    pub r#virtual: Option<String>,
}

/// A locked distribution.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Package {
    /// The distribution.
    pub name: DistributionName,
    /// Its version; missing where a folder's is dynamic.
    pub version: Option<Parsed<Version>>,
    /// Where it comes from.
    pub source: Source,
    /// The forks in which it was chosen, where its name is locked more than once.
    #[serde(default)]
    pub resolution_markers: Vec<Parsed<Marker>>,
    /// The distributions it needs.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
    /// What its extras need beside.
    #[serde(default)]
    pub optional_dependencies: BTreeMap<ExtraName, Vec<Dependency>>,
    /// What its dependency groups need.
    #[serde(default, rename = "dev-dependencies", alias = "dependency-groups")]
    pub groups: BTreeMap<GroupName, Vec<Dependency>>,
    /// The source distribution.
    pub sdist: Option<SourceDistribution>,
    /// The wheels.
    #[serde(default)]
    pub wheels: Vec<Wheel>,
    /// What it declared when it was locked; of local projects only.
    pub metadata: Option<Metadata>,
}

/// What a local project declared when it was locked.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Metadata {
    /// Its requirements, the extras' among them.
    pub requires_dist: Vec<Requirement>,
    /// Its extras; since revision 1.
    pub provides_extras: BTreeSet<ExtraName>,
    /// Its dependency groups, flattened.
    #[serde(rename = "requires-dev", alias = "dependency-groups")]
    pub groups: BTreeMap<GroupName, Vec<Requirement>>,
}

/// An edge: what one distribution needs of another. Version and source are stated only where the name alone is
/// ambiguous.
#[derive(Debug, serde::Deserialize)]
pub struct Dependency {
    /// The distribution that is needed.
    pub name: DistributionName,
    /// Its version.
    pub version: Option<Parsed<Version>>,
    /// Its source.
    pub source: Option<Source>,
    /// Its extras.
    #[serde(default)]
    pub extra: BTreeSet<ExtraName>,
    /// Where it is needed; simplified by what holds for the whole lock.
    pub marker: Option<Parsed<Marker>>,
}

/// Where a distribution comes from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "SourceTable")]
pub enum Source {
    /// An index: its URL, or a path from the lock's folder.
    Registry(String),
    /// A repository; the query says what was asked for, the fragment is the commit.
    Git(String),
    /// A file on a server, and the project's folder in it.
    Url(String, Option<String>),
    /// A file, by its path from the lock's folder.
    Path(String),
    /// A folder, by its path from the lock's folder.
    Directory(String),
    /// A folder that uv installs as editable.
    Editable(String),
    /// A folder that uv does not install.
    Virtual(String),
}

impl Source {
    /// Returns the path of a source that is a folder.
    pub fn folder(&self) -> Option<&str> {
        match self {
            Self::Directory(path) | Self::Editable(path) | Self::Virtual(path) => Some(path),
            Self::Registry(_) | Self::Git(_) | Self::Url(..) | Self::Path(_) => None,
        }
    }
}

#[derive(serde::Deserialize)]
struct SourceTable {
    registry: Option<String>,
    git: Option<String>,
    url: Option<String>,
    subdirectory: Option<String>,
    path: Option<String>,
    directory: Option<String>,
    editable: Option<String>,
    r#virtual: Option<String>,
}

impl TryFrom<SourceTable> for Source {
    type Error = &'static str;

    fn try_from(table: SourceTable) -> Result<Self, &'static str> {
        None.or(table.registry.map(Self::Registry))
            .or(table.git.map(Self::Git))
            .or(table.url.map(|url| Self::Url(url, table.subdirectory)))
            .or(table.path.map(Self::Path))
            .or(table.directory.map(Self::Directory))
            .or(table.editable.map(Self::Editable))
            .or(table.r#virtual.map(Self::Virtual))
            .ok_or("a source is one of `registry`, `git`, `url`, `path`, `directory`, `editable` and `virtual`")
    }
}

/// A source distribution.
#[derive(Debug, serde::Deserialize)]
pub struct SourceDistribution {
    /// Where it is, on a server.
    pub url: Option<String>,
    /// Where it is, in a flat index.
    pub path: Option<String>,
    /// Its digest.
    pub hash: Option<Parsed<Digest>>,
    /// Its size in bytes.
    pub size: Option<u64>,
}

/// A wheel.
#[derive(Debug, serde::Deserialize)]
#[serde(try_from = "WheelTable")]
pub struct Wheel {
    /// Its file name.
    pub filename: WheelFilename,
    /// Where it is.
    pub place: WheelPlace,
    /// Its digest.
    pub digest: Option<Digest>,
    /// Its size in bytes.
    pub size: Option<u64>,
}

/// How a lock says where a wheel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WheelPlace {
    /// At a URL.
    Url(String),
    /// At a path from its index, which is a folder.
    Path(String),
    /// At the path that is the distribution's source.
    Source,
}

#[derive(serde::Deserialize)]
struct WheelTable {
    url: Option<String>,
    path: Option<String>,
    filename: Option<String>,
    hash: Option<Parsed<Digest>>,
    size: Option<u64>,
}

impl TryFrom<WheelTable> for Wheel {
    type Error = String;

    fn try_from(table: WheelTable) -> Result<Self, String> {
        let (filename, place) = if let Some(url) = table.url {
            (file_name_of_url(&url)?, WheelPlace::Url(url))
        } else if let Some(path) = table.path {
            (path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(), WheelPlace::Path(path))
        } else if let Some(filename) = table.filename {
            (filename, WheelPlace::Source)
        } else {
            return Err("a wheel has one of `url`, `path` and `filename`".to_owned());
        };
        let filename = filename.parse::<WheelFilename>().map_err(|error| error.to_string())?;
        Ok(Self { filename, place, digest: table.hash.map(|hash| hash.value), size: table.size })
    }
}
