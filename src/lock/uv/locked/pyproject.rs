//! The parts of pyproject.toml that a lock is made from.

use std::collections::BTreeMap;

use pep440_rs::{Version, VersionSpecifiers};
use serde::de::IgnoredAny;

use crate::lock::syntax::Parsed;
use crate::marker::{Marker, Requirement};
use crate::name::{DistributionName, ExtraName, GroupName};

/// A pyproject.toml.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Pyproject {
    /// `[project]` (PEP 621).
    pub project: Option<Project>,
    /// `[dependency-groups]` (PEP 735).
    pub dependency_groups: BTreeMap<GroupName, Vec<GroupEntry>>,
    /// `[build-system]` (PEP 518).
    pub build_system: Option<IgnoredAny>,
    /// `[tool]`.
    pub tool: Tool,
}

/// `[project]`.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Project {
    /// The name.
    pub name: DistributionName,
    /// The version, if it is static.
    pub version: Option<Parsed<Version>>,
    /// The versions of Python that are supported.
    pub requires_python: Option<Parsed<VersionSpecifiers>>,
    /// The requirements.
    #[serde(default)]
    pub dependencies: Vec<Parsed<Requirement>>,
    /// The extras' requirements.
    #[serde(default)]
    pub optional_dependencies: BTreeMap<ExtraName, Vec<Parsed<Requirement>>>,
    /// The keys that only a build backend knows.
    #[serde(default)]
    pub dynamic: Vec<String>,
}

/// An entry of a dependency group.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub enum GroupEntry {
    /// A requirement.
    Requirement(Parsed<Requirement>),
    /// Another group.
    Include {
        /// The other group.
        #[serde(rename = "include-group")]
        include_group: GroupName,
    },
}

/// `[tool]`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Tool {
    /// `[tool.uv]`.
    pub uv: Uv,
}

/// `[tool.uv]`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Uv {
    /// Where requirements come from.
    pub sources: BTreeMap<DistributionName, OneOrMany>,
    /// The indexes.
    pub index: Vec<Index>,
    /// Whether sources are ignored.
    pub no_sources: bool,
    /// Whether some distributions' sources are ignored.
    pub no_sources_package: Vec<IgnoredAny>,
    /// Requirements that limit versions without asking for anything.
    pub constraint_dependencies: Vec<Parsed<Requirement>>,
    /// Requirements that replace others.
    pub override_dependencies: Vec<OverrideEntry>,
    /// The group `dev`, as it was declared before PEP 735.
    pub dev_dependencies: Option<Vec<Parsed<Requirement>>>,
    /// Settings of dependency groups.
    pub dependency_groups: BTreeMap<GroupName, GroupSettings>,
    /// Whether the project is a package.
    pub package: Option<bool>,
}

/// An override.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub enum OverrideEntry {
    /// For every distribution that has the requirement.
    Everywhere(Parsed<Requirement>),
    /// For one distribution's requirements only.
    Scoped(IgnoredAny),
}

/// Settings of a dependency group.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct GroupSettings {
    /// The versions of Python that the group is for.
    pub requires_python: Option<Parsed<VersionSpecifiers>>,
}

/// An index.
#[derive(Debug, serde::Deserialize)]
pub struct Index {
    /// Its name, by which sources refer to it.
    pub name: Option<String>,
    /// Its URL or path.
    pub url: String,
}

/// One source, or several with markers.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(Box<SourceEntry>),
    /// Several.
    Many(Vec<SourceEntry>),
}

impl OneOrMany {
    /// Returns the sources.
    pub fn as_slice(&self) -> &[SourceEntry] {
        match self {
            Self::One(source) => std::slice::from_ref(source),
            Self::Many(sources) => sources,
        }
    }
}

/// An entry of `tool.uv.sources`.
#[derive(Debug, serde::Deserialize)]
pub struct SourceEntry {
    /// Where it applies.
    pub marker: Option<Parsed<Marker>>,
    /// The extra whose requirements it applies to.
    pub extra: Option<ExtraName>,
    /// The group whose requirements it applies to.
    pub group: Option<GroupName>,
    /// A repository.
    pub git: Option<String>,
    /// What to check out: a commit, branch or tag.
    pub rev: Option<String>,
    /// What to check out: a tag.
    pub tag: Option<String>,
    /// What to check out: a branch.
    pub branch: Option<String>,
    /// The folder of the project in a repository or an archive.
    pub subdirectory: Option<String>,
    /// A file on a server.
    pub url: Option<String>,
    /// A file or a folder; with `git`, a file in the repository.
    pub path: Option<String>,
    /// The name of an index.
    pub index: Option<String>,
    /// A member of the workspace.
    pub workspace: Option<toml::Value>,
}
