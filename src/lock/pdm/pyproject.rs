//! The project's pyproject.toml: its requirements, extras and groups.
//!
//! Specifications: [PDM, manage dependencies](https://pdm-project.org/en/latest/usage/dependency/),
//! [PyPA, pyproject.toml](https://packaging.python.org/en/latest/specifications/pyproject-toml/) and
//! [dependency groups](https://packaging.python.org/en/latest/specifications/dependency-groups/).

use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;

use crate::lock::LocalProject;
use crate::lock::sources::LockSource;
use crate::marker::Requirement;
use crate::name::{DistributionName, ExtraName, GroupName};

#[derive(Debug)]
pub(super) struct PdmProject {
    pub(super) name: Option<DistributionName>,
    pub(super) main: Vec<Requirement>,
    pub(super) extras: BTreeMap<ExtraName, Vec<Requirement>>,
    groups: BTreeMap<GroupName, Vec<PdmGroupEntry>>,
    source_tables: Vec<PdmSourceTable>,
    /// `[tool.pdm.workspace]`, whose members' requirements are locked, too.
    pub(super) is_workspace: bool,
}

impl PdmProject {
    /// Reads a pyproject.toml, or returns why it is invalid.
    pub(super) fn new(local: &LocalProject) -> Result<Self, String> {
        let PdmPyproject { project, dependency_groups, tool } =
            local.table.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        let mut groups = dependency_groups;
        for (name, entries) in tool.pdm.dev_dependencies {
            groups.entry(name).or_default().extend(entries);
        }
        let extras = project.optional_dependencies.into_iter().map(|(extra, lines)| (extra, parsed(&lines)));
        Ok(Self {
            name: project.name,
            main: parsed(&project.dependencies),
            extras: extras.collect(),
            groups,
            source_tables: tool.pdm.source,
            is_workspace: tool.pdm.workspace.is_some(),
        })
    }

    /// Returns the indexes, or why one is invalid. A source called `pypi` replaces PyPI.
    pub(super) fn sources(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<LockSource>, String> {
        let indexes = self.source_tables.iter().filter(|table| table.r#type.as_deref() != Some("find_links"));
        let sources = indexes.map(|table| {
            let source = LockSource::parse(table.name.as_deref(), &table.url, variable)?;
            Ok(LockSource { is_default: table.name.as_deref() == Some("pypi"), ..source })
        });
        sources.collect()
    }

    pub(super) fn group_names(&self) -> impl Iterator<Item = &GroupName> {
        self.groups.keys()
    }

    /// Returns the requirements of a group and of the groups that it includes. Groups may include each other.
    pub(super) fn group(&self, name: &GroupName) -> Vec<Requirement> {
        let mut requirements = Vec::new();
        let (mut seen, mut waiting) = (BTreeSet::new(), vec![name]);
        while let Some(name) = waiting.pop() {
            for entry in self.groups.get(name).filter(|_| seen.insert(name)).into_iter().flatten() {
                match entry {
                    PdmGroupEntry::Requirement(line) => requirements.extend(requirement(line)),
                    PdmGroupEntry::Include { include_group } => waiting.push(include_group),
                    PdmGroupEntry::Unknown(_) => {}
                }
            }
        }
        requirements
    }
}

/// Parses requirements. PDM accepts some that the specification does not know, and has checked them when it locked.
pub(super) fn parsed(lines: &[String]) -> Vec<Requirement> {
    lines.iter().filter_map(|line| requirement(line)).collect()
}

/// Parses a requirement, or finds the name of an editable one (`-e file:///${PROJECT_ROOT}/lib#egg=lib`).
fn requirement(line: &str) -> Option<Requirement> {
    match line.strip_prefix("-e ") {
        Some(editable) => editable.split_once("#egg=")?.1.split('&').next()?.parse().ok(),
        None => line.parse().ok(),
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PdmPyproject {
    #[serde(default)]
    project: PdmProjectTable,
    #[serde(default)]
    dependency_groups: BTreeMap<GroupName, Vec<PdmGroupEntry>>,
    #[serde(default)]
    tool: PdmPyprojectTools,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct PdmProjectTable {
    name: Option<DistributionName>,
    dependencies: Vec<String>,
    optional_dependencies: BTreeMap<ExtraName, Vec<String>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct PdmPyprojectTools {
    pdm: ToolPdmTable,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct ToolPdmTable {
    dev_dependencies: BTreeMap<GroupName, Vec<PdmGroupEntry>>,
    workspace: Option<IgnoredAny>,
    source: Vec<PdmSourceTable>,
}

/// An entry of `tool.pdm.source`.
#[derive(Debug, serde::Deserialize)]
struct PdmSourceTable {
    name: Option<String>,
    url: String,
    /// `index` or `find_links`.
    r#type: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
enum PdmGroupEntry {
    Requirement(String),
    Include {
        #[serde(rename = "include-group")]
        include_group: GroupName,
    },
    Unknown(IgnoredAny),
}
