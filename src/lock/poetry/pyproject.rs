//! The project's pyproject.toml: its name, requirements, extras and groups.
//!
//! Specifications: [Poetry, the pyproject.toml file](https://python-poetry.org/docs/pyproject/), and for `[project]` and
//! `[dependency-groups]` [PyPA, pyproject.toml](https://packaging.python.org/en/latest/specifications/pyproject-toml/)
//! and [dependency groups](https://packaging.python.org/en/latest/specifications/dependency-groups/).

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::document::FromString;
use super::requirement::{Alternatives, PoetryRequirement};
use crate::lock::LocalProject;
use crate::marker;
use crate::name::{DistributionName, ExtraName, GroupName};

/// Poetry's name for the project's own requirements.
pub(super) const MAIN: &str = "main";

/// The group that `dev-dependencies` belong to, which Poetry 1.2 replaced by groups.
const DEV: &str = "dev";

/// The name in a table of dependencies that stands for Python itself.
const PYTHON: &str = "python";

#[derive(Debug)]
pub(super) struct PoetryProject {
    /// May be missing if the project is not a package.
    pub(super) name: Option<DistributionName>,
    /// `None` if it is dynamic.
    pub(super) version: Option<Version>,
    pub(super) is_package: bool,
    pub(super) main: Vec<MainRequirement>,
    pub(super) groups: BTreeMap<GroupName, PoetryGroup>,
}

/// A requirement of the project.
#[derive(Debug)]
pub(super) struct MainRequirement {
    pub(super) requirement: PoetryRequirement,
    /// The project's extras that it belongs to. If it is not optional, it is always required.
    pub(super) extras: BTreeSet<ExtraName>,
}

#[derive(Debug, Default)]
pub(super) struct PoetryGroup {
    requirements: Vec<PoetryRequirement>,
    includes: BTreeSet<GroupName>,
}

impl PoetryProject {
    /// Reads a pyproject.toml, or returns why it is invalid.
    pub(super) fn new(local: &LocalProject) -> Result<Self, String> {
        let PoetryPyproject { project, dependency_groups, tool } =
            local.table.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        let poetry = tool.poetry;
        let mut groups = BTreeMap::<GroupName, PoetryGroup>::new();
        for (name, entries) in dependency_groups {
            let group = groups.entry(name).or_default();
            for entry in entries {
                match entry {
                    PoetryGroupEntry::Requirement(requirement) => group.requirements.push(requirement.0.into()),
                    PoetryGroupEntry::Include { include_group } => group.includes.extend([include_group]),
                    PoetryGroupEntry::Unknown(_) => {}
                }
            }
        }
        for (name, table) in poetry.group {
            let group = groups.entry(name).or_default();
            group.includes.extend(table.include_groups);
            group.set_if_empty(flattened(table.dependencies));
        }
        if !poetry.dev_dependencies.is_empty() {
            let group = groups.entry(DEV.parse().map_err(|error| format!("{error}"))?).or_default();
            group.requirements.extend(flattened(poetry.dev_dependencies));
        }
        let main = main_requirements(&project, poetry.dependencies, &poetry.extras);
        Ok(Self {
            name: project.name.or(poetry.name),
            version: project.version.or(poetry.version).and_then(|version| version.parse().ok()),
            is_package: local.is_package,
            main,
            groups,
        })
    }

    /// Returns the requirements of a group and of the groups that it includes. Groups may include each other.
    pub(super) fn group(&self, name: &GroupName) -> Vec<&PoetryRequirement> {
        let mut requirements = Vec::new();
        let (mut seen, mut waiting) = (BTreeSet::new(), vec![name]);
        while let Some(name) = waiting.pop() {
            if let Some(group) = self.groups.get(name).filter(|_| seen.insert(name)) {
                requirements.extend(&group.requirements);
                waiting.extend(&group.includes);
            }
        }
        requirements
    }
}

impl PoetryGroup {
    /// Sets the requirements of `tool.poetry.group`. If the group is also in `[dependency-groups]`, `tool.poetry.group` only adds
    /// sources to the requirements there.
    fn set_if_empty(&mut self, requirements: Vec<PoetryRequirement>) {
        if self.requirements.is_empty() {
            self.requirements = requirements;
        }
    }
}

/// Merges the requirements of `[project]` and `tool.poetry`. Those of `tool.poetry` only add sources to those of `[project]`,
/// except for optional or required dependencies that `[project]` declares as dynamic.
fn main_requirements(
    project: &PoetryProjectTable,
    dependencies: BTreeMap<DistributionName, Alternatives>,
    extras: &BTreeMap<ExtraName, Vec<DistributionName>>,
) -> Vec<MainRequirement> {
    let required = project.dependencies.iter().flatten().map(|requirement| (&requirement.0, None));
    let optional = project
        .optional_dependencies
        .iter()
        .flat_map(|(extra, requirements)| requirements.iter().map(move |requirement| (&requirement.0, Some(extra))));
    let mut main: Vec<MainRequirement> = required
        .chain(optional)
        .map(|(requirement, extra)| {
            let mut requirement = PoetryRequirement::from(requirement.clone());
            requirement.spec.optional = extra.is_some();
            MainRequirement { requirement, extras: extra.into_iter().cloned().collect() }
        })
        .collect();
    let is_declared = project.dependencies.is_some() || !project.optional_dependencies.is_empty();
    let is_dynamic = project.dynamic.iter().any(|key| key == "dependencies" || key == "optional-dependencies");
    let has_optional = main.iter().any(|main| main.requirement.spec.optional);
    let has_required = main.iter().any(|main| !main.requirement.spec.optional);
    let poetry = flattened(dependencies).into_iter().filter(|requirement| match (main.is_empty(), is_dynamic) {
        (true, _) => true,
        (false, false) => false,
        (false, true) if requirement.spec.optional => !has_optional,
        (false, true) => !has_required,
    });
    let poetry = poetry.map(|requirement| {
        let extras = extras.iter().filter(|(_, names)| !is_declared && names.contains(&requirement.name));
        let extras = extras.map(|(extra, _)| extra.clone()).collect();
        MainRequirement { requirement, extras }
    });
    let poetry: Vec<MainRequirement> = poetry.collect();
    main.extend(poetry);
    main
}

fn flattened(dependencies: BTreeMap<DistributionName, Alternatives>) -> Vec<PoetryRequirement> {
    let named = dependencies.into_iter().filter(|(name, _)| name.as_str() != PYTHON);
    named
        .flat_map(|(name, Alternatives(specs))| {
            specs.into_iter().map(move |spec| PoetryRequirement { name: name.clone(), spec })
        })
        .collect()
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PoetryPyproject {
    #[serde(default)]
    project: PoetryProjectTable,
    #[serde(default)]
    dependency_groups: BTreeMap<GroupName, Vec<PoetryGroupEntry>>,
    #[serde(default)]
    tool: PoetryToolTable,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct PoetryProjectTable {
    name: Option<DistributionName>,
    version: Option<String>,
    dependencies: Option<Vec<FromString<marker::Requirement>>>,
    optional_dependencies: BTreeMap<ExtraName, Vec<FromString<marker::Requirement>>>,
    dynamic: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum PoetryGroupEntry {
    Requirement(FromString<marker::Requirement>),
    Include {
        #[serde(rename = "include-group")]
        include_group: GroupName,
    },
    Unknown(serde::de::IgnoredAny),
}

#[derive(Default, serde::Deserialize)]
struct PoetryToolTable {
    #[serde(default)]
    poetry: ToolPoetryTable,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct ToolPoetryTable {
    name: Option<DistributionName>,
    version: Option<String>,
    #[serde(rename = "package-mode")]
    _package_mode: Option<bool>,
    dependencies: BTreeMap<DistributionName, Alternatives>,
    dev_dependencies: BTreeMap<DistributionName, Alternatives>,
    group: BTreeMap<GroupName, PoetryGroupTable>,
    extras: BTreeMap<ExtraName, Vec<DistributionName>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct PoetryGroupTable {
    dependencies: BTreeMap<DistributionName, Alternatives>,
    include_groups: Vec<GroupName>,
}
