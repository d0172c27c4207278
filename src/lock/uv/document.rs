//! The keys of uv.lock and the types of their values.
//!
//! Parts of the file are checked against each other in [`graph`](super::graph). Unknown keys are accepted, because any revision
//! of version 1 of the format may add some.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Version, VersionSpecifiers};
use serde::de::IgnoredAny;

use super::conflicts::ConflictItem;
use crate::digest::Digest;
use crate::lock::path::file_name_of_url;
use crate::lock::toml_syntax::{DocumentParts, Parsed};
use crate::marker::Marker;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::wheel::filename::WheelFilename;

/// The part of the file that is the same in every version of the format.
#[derive(Debug, serde::Deserialize)]
pub(super) struct UvLockVersion {
    pub(super) version: u32,
}

/// The whole file.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct UvDocument {
    /// Changes when readers of older versions cannot read the file.
    pub(super) version: u32,
    /// Changes when readers of older revisions can still read the file.
    #[serde(default)]
    pub(super) revision: u32,
    pub(super) requires_python: Parsed<VersionSpecifiers>,
    /// The forks of the resolution; empty if there was only one.
    #[serde(default)]
    pub(super) resolution_markers: Vec<Parsed<Marker>>,
    /// The environments to which the resolution was limited (`tool.uv.environments`).
    #[serde(default)]
    pub(super) supported_markers: Vec<Parsed<Marker>>,
    /// The sets of which at most one item may be active (`tool.uv.conflicts`).
    #[serde(default)]
    pub(super) conflicts: Vec<BTreeSet<ConflictItem>>,
    #[serde(default)]
    pub(super) manifest: UvManifest,
    #[serde(default, rename = "package", alias = "distribution")]
    pub(super) packages: Vec<UvPackageTable>,
}

/// The input of the resolution other than the projects' own requirements.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct UvManifest {
    /// The members of the workspace; empty if the root is the only one.
    pub(super) members: BTreeSet<DistributionName>,
    /// The requirements of a script, or of a workspace root that is not a project.
    pub(super) requirements: Vec<UvRequirement>,
    /// The dependency groups of a workspace root that is not a project.
    pub(super) dependency_groups: BTreeMap<GroupName, Vec<UvRequirement>>,
    /// `tool.uv.constraint-dependencies`.
    pub(super) constraints: Vec<UvRequirement>,
    /// `tool.uv.override-dependencies`.
    pub(super) overrides: Vec<UvOverride>,
}

/// An override of a requirement.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum UvOverride {
    Everywhere(Box<UvRequirement>),
    /// For the requirements of one distribution only.
    Scoped(IgnoredAny),
}

/// A requirement as it was declared, with its source.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct UvRequirement {
    pub(super) name: DistributionName,
    #[serde(default)]
    pub(super) extras: BTreeSet<ExtraName>,
    pub(super) specifier: Option<Parsed<VersionSpecifiers>>,
    pub(super) marker: Option<Parsed<Marker>>,
    pub(super) index: Option<String>,
    /// The URL of a repository, with the requested reference in its query.
    pub(super) git: Option<String>,
    pub(super) url: Option<String>,
    /// The project's directory below the URL.
    pub(super) subdirectory: Option<String>,
    pub(super) path: Option<String>,
    pub(super) directory: Option<String>,
    pub(super) editable: Option<String>,
    pub(super) r#virtual: Option<String>,
}

/// A locked distribution.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct UvPackageTable {
    pub(super) name: DistributionName,
    /// Missing if a directory's version is dynamic.
    pub(super) version: Option<Parsed<Version>>,
    pub(super) source: UvSource,
    /// The forks in which it was chosen, if several distributions have its name.
    #[serde(default)]
    pub(super) resolution_markers: Vec<Parsed<Marker>>,
    #[serde(default)]
    pub(super) dependencies: Vec<UvDependency>,
    #[serde(default)]
    pub(super) optional_dependencies: BTreeMap<ExtraName, Vec<UvDependency>>,
    #[serde(default, rename = "dev-dependencies", alias = "dependency-groups")]
    pub(super) groups: BTreeMap<GroupName, Vec<UvDependency>>,
    pub(super) sdist: Option<Box<UvSdist>>,
    #[serde(default)]
    pub(super) wheels: UvWheels,
    /// What a local project declared when it was locked.
    pub(super) metadata: Option<Box<UvMetadata>>,
}

/// What a local project declared when it was locked.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct UvMetadata {
    /// Includes the requirements of the extras.
    pub(super) requires_dist: Vec<UvRequirement>,
    /// Since revision 1.
    pub(super) provides_extras: BTreeSet<ExtraName>,
    /// With the groups that they include.
    #[serde(rename = "requires-dev", alias = "dependency-groups")]
    pub(super) groups: BTreeMap<GroupName, Vec<UvRequirement>>,
}

/// An edge of the dependency graph. Version and source are given only if the name alone is ambiguous: a lock may have a million
/// edges, so what is rare is boxed.
#[derive(Debug, serde::Deserialize)]
pub(super) struct UvDependency {
    pub(super) name: DistributionName,
    pub(super) version: Option<Parsed<Version>>,
    pub(super) source: Option<Box<UvSource>>,
    #[serde(default)]
    pub(super) extra: BTreeSet<ExtraName>,
    /// Simplified by the lock's `requires-python` and `supported-markers`.
    pub(super) marker: Option<Box<Parsed<Marker>>>,
}

/// The source of a distribution. Paths are relative to the lock's directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(try_from = "UvSourceTable")]
pub(super) enum UvSource {
    /// The URL or path of an index.
    Registry(String),
    /// The URL of a repository. The query has the requested reference, the fragment is the commit.
    Git(String),
    /// The URL of a file, and the project's directory in it.
    Url(String, Option<String>),
    /// A local file.
    Path(String),
    Directory(String),
    /// A directory that uv installs as editable.
    Editable(String),
    /// A directory that uv does not install.
    Virtual(String),
}

impl UvDocument {
    /// Parses a file in parts. Returns `None` if it must be parsed as a whole.
    pub(super) fn parse_in_parts(text: &str) -> Option<Self> {
        let parts = DocumentParts::split(text, "package")?;
        let mut document: Self = toml::from_str(&parts.rest()?).ok()?;
        if !document.packages.is_empty() {
            return None;
        }
        document.packages = parts.tables(|mut package: UvPackageTable| {
            package.share();
            Some(package)
        })?;
        Some(document)
    }
}

impl UvPackageTable {
    /// Lets the names of the wheels, of which there may be hundreds, share the distribution's name and version.
    fn share(&mut self) {
        for UvWheel { filename, .. } in &mut self.wheels.wheels {
            if filename.name == self.name {
                filename.name = self.name.clone();
            }
            // Equal versions may be written differently: 1.0 and 1.0.0.
            if let Some(Parsed { value: version, .. }) = &self.version
                && filename.version == *version
                && filename.version.release().len() == version.release().len()
            {
                filename.version = version.clone();
            }
        }
    }
}

impl UvSource {
    /// Returns the path of a source that is a directory.
    pub(super) fn directory(&self) -> Option<&str> {
        match self {
            Self::Directory(path) | Self::Editable(path) | Self::Virtual(path) => Some(path),
            Self::Registry(_) | Self::Git(_) | Self::Url(..) | Self::Path(_) => None,
        }
    }
}

#[derive(serde::Deserialize)]
struct UvSourceTable {
    registry: Option<String>,
    git: Option<String>,
    url: Option<String>,
    subdirectory: Option<String>,
    path: Option<String>,
    directory: Option<String>,
    editable: Option<String>,
    r#virtual: Option<String>,
}

impl TryFrom<UvSourceTable> for UvSource {
    type Error = &'static str;

    fn try_from(table: UvSourceTable) -> Result<Self, &'static str> {
        None.or(table.registry.map(Self::Registry))
            .or(table.git.map(Self::Git))
            .or(table.url.map(|url| Self::Url(url, table.subdirectory)))
            .or(table.path.map(Self::Path))
            .or(table.directory.map(Self::Directory))
            .or(table.editable.map(Self::Editable))
            .or(table.r#virtual.map(Self::Virtual))
            .ok_or("a source must have one of `registry`, `git`, `url`, `path`, `directory`, `editable` and `virtual`")
    }
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct UvSdist {
    pub(super) url: Option<String>,
    /// Relative to a flat index.
    pub(super) path: Option<String>,
    pub(super) hash: Option<Parsed<Digest>>,
    /// In bytes.
    pub(super) size: Option<u64>,
}

/// The wheels of a distribution.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(from = "Vec<UvWheelEntry>")]
pub(super) struct UvWheels {
    pub(super) wheels: Vec<UvWheel>,
    /// The names that cannot be parsed, such as those of variant wheels (PEP 825).
    pub(super) unusable: Vec<String>,
}

impl From<Vec<UvWheelEntry>> for UvWheels {
    fn from(entries: Vec<UvWheelEntry>) -> Self {
        let mut wheels = Self { wheels: Vec::with_capacity(entries.len()), unusable: Vec::new() };
        for entry in entries {
            match entry {
                UvWheelEntry::Usable(wheel) => wheels.wheels.push(wheel),
                UvWheelEntry::Unusable(filename) => wheels.unusable.push(filename),
            }
        }
        wheels
    }
}

/// An entry of `wheels`.
#[derive(serde::Deserialize)]
#[serde(try_from = "UvWheelTable")]
enum UvWheelEntry {
    Usable(UvWheel),
    Unusable(String),
}

#[derive(Debug)]
pub(super) struct UvWheel {
    pub(super) filename: WheelFilename,
    pub(super) location: UvWheelLocation,
    pub(super) digest: Option<Digest>,
    /// In bytes.
    pub(super) size: Option<u64>,
}

/// The location of a wheel, as a lock states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UvWheelLocation {
    Url(String),
    /// Relative to an index that is a directory.
    Path(String),
    /// The path that is the distribution's source.
    Source,
}

#[derive(serde::Deserialize)]
struct UvWheelTable {
    url: Option<String>,
    path: Option<String>,
    filename: Option<String>,
    hash: Option<Parsed<Digest>>,
    size: Option<u64>,
}

impl TryFrom<UvWheelTable> for UvWheelEntry {
    type Error = String;

    fn try_from(table: UvWheelTable) -> Result<Self, String> {
        let (filename, location) = if let Some(url) = table.url {
            (file_name_of_url(&url)?, UvWheelLocation::Url(url))
        } else if let Some(path) = table.path {
            (path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(), UvWheelLocation::Path(path))
        } else if let Some(filename) = table.filename {
            (filename, UvWheelLocation::Source)
        } else {
            return Err("a wheel must have one of `url`, `path` and `filename`".to_owned());
        };
        match filename.parse::<WheelFilename>() {
            Ok(filename) => {
                let digest = table.hash.map(|hash| hash.value);
                Ok(Self::Usable(UvWheel { filename, location, digest, size: table.size }))
            }
            Err(_) if filename.ends_with(".whl") => Ok(Self::Unusable(filename)),
            Err(error) => Err(error.to_string()),
        }
    }
}
