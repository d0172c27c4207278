//! The requirements that a project's pyproject.toml declares, with the sources of `tool.uv.sources` applied as by uv.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::marker_grid::{MarkerGrid, TruthTable};
use super::pyproject::{UvGroupEntry, UvPyproject, UvSourceEntry};
use super::requirement_key::{RequirementKey, RequirementMap, RequirementOrigin};
use crate::marker::{Requirement, VersionOrUrl};
use crate::name::{DistributionName, ExtraName, GroupName};

/// Why a declaration cannot be compared with a lock.
pub(super) struct UndecidedReason(pub String);

pub(super) struct ProjectDeclaration<'a> {
    pub(super) directory: PathBuf,
    pub(super) pyproject: &'a UvPyproject,
    /// The workspace's directory.
    pub(super) root_directory: PathBuf,
    pub(super) root: Option<&'a UvPyproject>,
    pub(super) members: &'a BTreeMap<DistributionName, PathBuf>,
    pub(super) grid: &'a MarkerGrid,
}

/// The extra or group that a requirement belongs to; a source may be limited to either.
#[derive(Clone, Copy, Default)]
struct SourceScope<'a> {
    extra: Option<&'a ExtraName>,
    group: Option<&'a GroupName>,
}

impl SourceScope<'_> {
    fn is_covered_by(&self, source: &UvSourceEntry) -> bool {
        source.extra.as_ref().is_none_or(|extra| Some(extra) == self.extra)
            && source.group.as_ref().is_none_or(|group| Some(group) == self.group)
    }
}

impl ProjectDeclaration<'_> {
    /// Returns the requirements of the project and of its extras.
    pub(super) fn requirements(&self) -> Result<RequirementMap, UndecidedReason> {
        let mut requirements = RequirementMap::new();
        let Some(project) = &self.pyproject.project else { return Ok(requirements) };
        for requirement in &project.dependencies {
            let scope = SourceScope::default();
            self.add(&mut requirements, &requirement.value, &self.grid.marker(None), scope)?;
        }
        for (extra, optional) in &project.optional_dependencies {
            let scope = SourceScope { extra: Some(extra), ..SourceScope::default() };
            for requirement in optional {
                self.add(&mut requirements, &requirement.value, &self.grid.extra(extra), scope)?;
            }
        }
        Ok(requirements)
    }

    /// Returns the project's dependency groups, including the groups that they include.
    pub(super) fn groups(&self) -> Result<BTreeMap<GroupName, RequirementMap>, UndecidedReason> {
        let uv = &self.pyproject.tool.uv;
        let legacy = uv.dev_dependencies.as_ref().map(|_| "dev".parse::<GroupName>());
        let legacy = legacy.transpose().map_err(|error| UndecidedReason(error.to_string()))?;
        let names: BTreeSet<&GroupName> = self.pyproject.dependency_groups.keys().chain(&legacy).collect();
        let mut groups = BTreeMap::new();
        for name in names {
            let mut requirements = RequirementMap::new();
            if self.pyproject.dependency_groups.contains_key(name) {
                self.add_group(&mut requirements, name, name, &self.grid.marker(None), &mut Vec::new())?;
            }
            if Some(name) == legacy.as_ref() {
                for requirement in uv.dev_dependencies.iter().flatten() {
                    let scope = SourceScope { group: Some(name), ..SourceScope::default() };
                    self.add(&mut requirements, &requirement.value, &self.grid.marker(None), scope)?;
                }
            }
            groups.insert(name.clone(), requirements);
        }
        Ok(groups)
    }

    /// Returns requirements that belong to no extra and no group.
    pub(super) fn list<'r>(
        &self,
        list: impl Iterator<Item = &'r Requirement>,
    ) -> Result<RequirementMap, UndecidedReason> {
        let mut requirements = RequirementMap::new();
        for requirement in list {
            self.add(&mut requirements, requirement, &self.grid.marker(None), SourceScope::default())?;
        }
        Ok(requirements)
    }

    /// Adds the requirements of a group to those of the group that includes it.
    fn add_group<'g>(
        &'g self,
        requirements: &mut RequirementMap,
        of: &GroupName,
        name: &'g GroupName,
        within: &TruthTable,
        including: &mut Vec<&'g GroupName>,
    ) -> Result<(), UndecidedReason> {
        if including.contains(&name) {
            return Err(UndecidedReason(format!("the dependency group `{name}` includes itself")));
        }
        let Some(entries) = self.pyproject.dependency_groups.get(name) else {
            return Err(UndecidedReason(format!("the dependency group `{name}` is included, but not defined")));
        };
        let settings = self.pyproject.tool.uv.dependency_groups.get(name);
        let within = match settings.and_then(|settings| settings.requires_python.as_ref()) {
            Some(range) => within.and(&self.grid.python(&range.value)),
            None => within.clone(),
        };
        including.push(name);
        for entry in entries {
            match entry {
                UvGroupEntry::Requirement(requirement) => {
                    let scope = SourceScope { group: Some(of), ..SourceScope::default() };
                    self.add(requirements, &requirement.value, &within, scope)?;
                }
                UvGroupEntry::Include { include_group } => {
                    self.add_group(requirements, of, include_group, &within, including)?;
                }
            }
        }
        including.pop();
        Ok(())
    }

    /// Adds a requirement once for each of its sources, and once for the environments without a source.
    fn add(
        &self,
        requirements: &mut RequirementMap,
        requirement: &Requirement,
        within: &TruthTable,
        scope: SourceScope<'_>,
    ) -> Result<(), UndecidedReason> {
        let mut remaining = self.grid.marker(requirement.marker.as_ref()).and(within);
        let whole = remaining.clone();
        let (directory, sources) = self.sources(&requirement.name)?;
        for source in sources.iter().filter(|source| scope.is_covered_by(source)) {
            let covered = self.grid.marker(source.marker.as_ref().map(|marker| &marker.value));
            let origin = self.origin(requirement, directory, source)?;
            insert(requirements, RequirementKey::new(requirement, origin), &whole.and(&covered));
            remaining = remaining.and(&covered.not());
        }
        let origin = match &requirement.constraint {
            VersionOrUrl::Any => RequirementOrigin::index(None, None),
            VersionOrUrl::Specifiers(specifiers) => RequirementOrigin::index(Some(specifiers), None),
            VersionOrUrl::Url(url) if url.contains("${") => {
                return Err(UndecidedReason(format!(
                    "the URL of `{}` contains environment variables",
                    requirement.name
                )));
            }
            VersionOrUrl::Url(url) => RequirementOrigin::direct_reference(&self.directory, url),
        };
        insert(requirements, RequirementKey::new(requirement, origin), &remaining);
        Ok(())
    }

    /// Returns the sources of a distribution, and the directory that their paths are relative to. The project's sources take
    /// precedence over the workspace's.
    fn sources(&self, name: &DistributionName) -> Result<(&Path, &[UvSourceEntry]), UndecidedReason> {
        let candidates = [(&self.directory, Some(self.pyproject)), (&self.root_directory, self.root)];
        for (directory, pyproject) in candidates {
            let Some(uv) = pyproject.map(|pyproject| &pyproject.tool.uv) else { continue };
            if uv.no_sources || !uv.no_sources_package.is_empty() {
                return Err(UndecidedReason("tool.uv.no-sources is set".to_owned()));
            }
            if let Some(sources) = uv.sources.get(name) {
                return Ok((directory, sources.as_slice()));
            }
        }
        Ok((&self.directory, &[]))
    }

    fn origin(
        &self,
        requirement: &Requirement,
        directory: &Path,
        source: &UvSourceEntry,
    ) -> Result<RequirementOrigin, UndecidedReason> {
        let name = &requirement.name;
        if let Some(git) = &source.git {
            let [rev, tag, branch] = [&source.rev, &source.tag, &source.branch].map(Option::as_deref);
            let [subdirectory, path] = [&source.subdirectory, &source.path].map(Option::as_deref);
            let parts =
                [("rev", rev), ("tag", tag), ("branch", branch), ("subdirectory", subdirectory), ("path", path)];
            Ok(RequirementOrigin::git(git, parts))
        } else if let Some(url) = &source.url {
            Ok(RequirementOrigin::url(url, source.subdirectory.as_deref()))
        } else if let Some(path) = &source.path {
            Ok(RequirementOrigin::path(directory, path))
        } else if let Some(index) = &source.index {
            let specifiers = match &requirement.constraint {
                VersionOrUrl::Specifiers(specifiers) => Some(specifiers),
                VersionOrUrl::Any | VersionOrUrl::Url(_) => None,
            };
            let url =
                self.index(index).ok_or_else(|| UndecidedReason(format!("the index `{index}` is not defined")))?;
            Ok(RequirementOrigin::index(specifiers, Some(url)))
        } else if source.workspace == Some(toml::Value::Boolean(true)) {
            let directory = self.members.get(name);
            directory
                .cloned()
                .map(RequirementOrigin::Path)
                .ok_or_else(|| UndecidedReason(format!("`{name}` is not a workspace member")))
        } else {
            Err(UndecidedReason(format!("the source of `{name}` has an unknown kind")))
        }
    }

    fn index(&self, name: &str) -> Option<&str> {
        let pyprojects = [Some(self.pyproject), self.root].into_iter().flatten();
        let mut indexes = pyprojects.flat_map(|pyproject| &pyproject.tool.uv.index);
        indexes.find(|index| index.name.as_deref() == Some(name)).map(|index| index.url.as_str())
    }
}

/// Adds environments in which a requirement applies.
pub(super) fn insert(requirements: &mut RequirementMap, key: RequirementKey, table: &TruthTable) {
    if !table.holds_nowhere() {
        requirements.entry(key).and_modify(|before| *before = before.or(table)).or_insert_with(|| table.clone());
    }
}
