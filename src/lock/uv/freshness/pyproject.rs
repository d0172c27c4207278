//! The parts of pyproject.toml that affect a lock.

use std::collections::BTreeMap;

use pep440_rs::{Version, VersionSpecifiers};
use serde::de::IgnoredAny;

use crate::lock::toml_syntax::Parsed;
use crate::marker::{Marker, Requirement};
use crate::name::{DistributionName, ExtraName, GroupName};

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct UvPyproject {
    /// `[project]` (PEP 621).
    pub(super) project: Option<UvProjectTable>,
    /// `dependencies` of a script (PEP 723).
    pub(super) dependencies: Vec<Parsed<Requirement>>,
    /// `requires-python` of a script (PEP 723).
    pub(super) requires_python: Option<Parsed<VersionSpecifiers>>,
    /// `[dependency-groups]` (PEP 735).
    pub(super) dependency_groups: BTreeMap<GroupName, Vec<UvGroupEntry>>,
    /// `[build-system]` (PEP 518).
    pub(super) build_system: Option<IgnoredAny>,
    /// `[tool]`.
    pub(super) tool: UvToolTable,
}

/// `[project]`.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct UvProjectTable {
    pub(super) name: DistributionName,
    /// `None` if it is dynamic.
    pub(super) version: Option<Parsed<Version>>,
    pub(super) requires_python: Option<Parsed<VersionSpecifiers>>,
    #[serde(default)]
    pub(super) dependencies: Vec<Parsed<Requirement>>,
    #[serde(default)]
    pub(super) optional_dependencies: BTreeMap<ExtraName, Vec<Parsed<Requirement>>>,
    /// The keys that only a build backend knows.
    #[serde(default)]
    pub(super) dynamic: Vec<String>,
}

/// An entry of a dependency group.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum UvGroupEntry {
    Requirement(Parsed<Requirement>),
    Include {
        #[serde(rename = "include-group")]
        include_group: GroupName,
    },
}

/// `[tool]`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct UvToolTable {
    /// `[tool.uv]`.
    pub(super) uv: ToolUvTable,
}

/// `[tool.uv]`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct ToolUvTable {
    /// Where requirements come from.
    pub(super) sources: BTreeMap<DistributionName, OneOrManySources>,
    pub(super) index: Vec<UvIndexTable>,
    pub(super) no_sources: bool,
    pub(super) no_sources_package: Vec<IgnoredAny>,
    /// Requirements that limit versions without asking for anything.
    pub(super) constraint_dependencies: Vec<Parsed<Requirement>>,
    pub(super) override_dependencies: Vec<UvOverrideEntry>,
    /// The group `dev`, as it was declared before PEP 735.
    pub(super) dev_dependencies: Option<Vec<Parsed<Requirement>>>,
    pub(super) dependency_groups: BTreeMap<GroupName, UvGroupSettings>,
    pub(super) package: Option<bool>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum UvOverrideEntry {
    Everywhere(Parsed<Requirement>),
    /// For the requirements of one distribution only.
    Scoped(IgnoredAny),
}

/// Settings of a dependency group (`tool.uv.dependency-groups`).
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct UvGroupSettings {
    pub(super) requires_python: Option<Parsed<VersionSpecifiers>>,
}

/// An index (`tool.uv.index`).
#[derive(Debug, serde::Deserialize)]
pub(super) struct UvIndexTable {
    pub(super) name: Option<String>,
    pub(super) url: String,
}

/// A source, or several with different markers.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrManySources {
    One(Box<UvSourceEntry>),
    Many(Vec<UvSourceEntry>),
}

impl OneOrManySources {
    /// Returns the sources.
    pub(super) fn as_slice(&self) -> &[UvSourceEntry] {
        match self {
            Self::One(source) => std::slice::from_ref(source),
            Self::Many(sources) => sources,
        }
    }
}

/// An entry of `tool.uv.sources`.
#[derive(Debug, serde::Deserialize)]
pub(super) struct UvSourceEntry {
    pub(super) marker: Option<Parsed<Marker>>,
    pub(super) extra: Option<ExtraName>,
    pub(super) group: Option<GroupName>,
    pub(super) git: Option<String>,
    pub(super) rev: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) subdirectory: Option<String>,
    pub(super) url: Option<String>,
    /// A local file or directory; with `git`, a file in the repository.
    pub(super) path: Option<String>,
    pub(super) index: Option<String>,
    pub(super) workspace: Option<toml::Value>,
}
