//! What the project's pyproject.toml declares: its name, its requirements, its extras and its groups.
//!
//! Specifications: [Poetry, the pyproject.toml file](https://python-poetry.org/docs/pyproject/), and for `[project]` and
//! `[dependency-groups]` [PyPA, pyproject.toml](https://packaging.python.org/en/latest/specifications/pyproject-toml/)
//! and [dependency groups](https://packaging.python.org/en/latest/specifications/dependency-groups/).

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::document::Parsed;
use super::requirement::{Alternatives, Requirement};
use crate::marker;
use crate::name::{DistributionName, ExtraName, GroupName};

/// The group of the project's own requirements.
pub const MAIN: &str = "main";

/// The group of Poetry's `dev-dependencies`, from before there were groups.
const DEV: &str = "dev";

/// The name in a table of requirements that means the versions of Python.
const PYTHON: &str = "python";

/// What a project declares.
#[derive(Debug)]
pub struct Project {
    /// Its name, which one that is no package may leave out.
    pub name: Option<DistributionName>,
    /// Its version; none where it is dynamic.
    pub version: Option<Version>,
    /// Whether it is built and installed.
    pub is_package: bool,
    /// Its requirements.
    pub main: Vec<MainRequirement>,
    /// Its groups.
    pub groups: BTreeMap<GroupName, Group>,
}

/// A requirement of the project.
#[derive(Debug)]
pub struct MainRequirement {
    /// The requirement.
    pub requirement: Requirement,
    /// The project's extras that it belongs to. It is always required, if it is not optional.
    pub extras: BTreeSet<ExtraName>,
}

/// A group of requirements.
#[derive(Debug, Default)]
pub struct Group {
    requirements: Vec<Requirement>,
    includes: BTreeSet<GroupName>,
}

impl Project {
    /// Reads what a pyproject.toml declares.
    ///
    /// # Errors
    ///
    /// The reason, if a value is not what its specification asks for.
    pub fn new(table: &toml::Table) -> Result<Self, String> {
        let Pyproject { project, dependency_groups, tool } =
            table.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        let poetry = tool.poetry;
        let mut groups = BTreeMap::<GroupName, Group>::new();
        for (name, entries) in dependency_groups {
            let group = groups.entry(name).or_default();
            for entry in entries {
                match entry {
                    GroupEntry::Requirement(requirement) => group.requirements.push(requirement.0.into()),
                    GroupEntry::Include { include_group } => group.includes.extend([include_group]),
                    GroupEntry::Unknown(_) => {}
                }
            }
        }
        for (name, table) in poetry.group {
            let group = groups.entry(name).or_default();
            group.includes.extend(table.include_groups);
            group.add_if_empty(flattened(table.dependencies));
        }
        if !poetry.dev_dependencies.is_empty() {
            let group = groups.entry(DEV.parse().map_err(|error| format!("{error}"))?).or_default();
            group.requirements.extend(flattened(poetry.dev_dependencies));
        }
        let main = main_requirements(&project, poetry.dependencies, &poetry.extras);
        Ok(Self {
            name: project.name.or(poetry.name),
            version: project.version.or(poetry.version).and_then(|version| version.parse().ok()),
            is_package: poetry.package_mode.unwrap_or(true),
            main,
            groups,
        })
    }

    /// Returns the requirements of a group and of those that it includes. A group is visited once, even if groups include
    /// each other.
    pub fn group(&self, name: &GroupName) -> Vec<&Requirement> {
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

impl Group {
    /// Adds what `tool.poetry.group` declares. Where the group is in `[dependency-groups]` too, that only says where to
    /// find what is required there.
    fn add_if_empty(&mut self, requirements: Vec<Requirement>) {
        if self.requirements.is_empty() {
            self.requirements = requirements;
        }
    }
}

/// Brings the requirements of `[project]` and of `tool.poetry` together. Those of `tool.poetry` only say where to find
/// what `[project]` requires, unless that leaves all of one kind, optional or not, to be dynamic.
fn main_requirements(
    project: &ProjectTable,
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
            let mut requirement = Requirement::from(requirement.clone());
            requirement.terms.optional = extra.is_some();
            MainRequirement { requirement, extras: extra.into_iter().cloned().collect() }
        })
        .collect();
    let is_declared = project.dependencies.is_some() || !project.optional_dependencies.is_empty();
    let is_dynamic = project.dynamic.iter().any(|key| key == "dependencies" || key == "optional-dependencies");
    let is_optional = |main: &MainRequirement| main.requirement.terms.optional;
    let (has_required, has_optional) = (!main.iter().all(is_optional), main.iter().any(is_optional));
    let poetry = flattened(dependencies).into_iter().filter(|requirement| match (main.is_empty(), is_dynamic) {
        (true, _) => true,
        (false, false) => false,
        (false, true) if requirement.terms.optional => !has_optional,
        (false, true) => !has_required,
    });
    let poetry = poetry.map(|requirement| {
        let has_it = |(_, names): &(&ExtraName, &Vec<DistributionName>)| names.contains(&requirement.name);
        let extras = extras.iter().filter(|_| !is_declared).filter(has_it).map(|(extra, _)| extra.clone()).collect();
        MainRequirement { requirement, extras }
    });
    let poetry: Vec<MainRequirement> = poetry.collect();
    main.extend(poetry);
    main
}

fn flattened(dependencies: BTreeMap<DistributionName, Alternatives>) -> Vec<Requirement> {
    let named = dependencies.into_iter().filter(|(name, _)| name.as_str() != PYTHON);
    named
        .flat_map(|(name, Alternatives(terms))| {
            terms.into_iter().map(move |terms| Requirement { name: name.clone(), terms })
        })
        .collect()
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Pyproject {
    #[serde(default)]
    project: ProjectTable,
    #[serde(default)]
    dependency_groups: BTreeMap<GroupName, Vec<GroupEntry>>,
    #[serde(default)]
    tool: ToolTable,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct ProjectTable {
    name: Option<DistributionName>,
    version: Option<String>,
    dependencies: Option<Vec<Parsed<marker::Requirement>>>,
    optional_dependencies: BTreeMap<ExtraName, Vec<Parsed<marker::Requirement>>>,
    dynamic: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum GroupEntry {
    Requirement(Parsed<marker::Requirement>),
    Include {
        #[serde(rename = "include-group")]
        include_group: GroupName,
    },
    Unknown(serde::de::IgnoredAny),
}

#[derive(Default, serde::Deserialize)]
struct ToolTable {
    #[serde(default)]
    poetry: PoetryTable,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct PoetryTable {
    name: Option<DistributionName>,
    version: Option<String>,
    package_mode: Option<bool>,
    dependencies: BTreeMap<DistributionName, Alternatives>,
    dev_dependencies: BTreeMap<DistributionName, Alternatives>,
    group: BTreeMap<GroupName, GroupTable>,
    extras: BTreeMap<ExtraName, Vec<DistributionName>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct GroupTable {
    dependencies: BTreeMap<DistributionName, Alternatives>,
    include_groups: Vec<GroupName>,
}
