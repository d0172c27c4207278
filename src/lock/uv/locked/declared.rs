//! What a project's pyproject.toml asks the resolver for: its requirements with their sources applied, as uv does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::grid::{Grid, Table};
use super::origin::{Key, Origin, Requirements};
use super::pyproject::{GroupEntry, Pyproject, SourceEntry};
use crate::marker::{Constraint, Requirement};
use crate::name::{DistributionName, ExtraName, GroupName};

/// Why a declaration cannot be compared with a lock.
pub struct Undecided(pub String);

/// A project with its workspace.
pub struct Declaration<'a> {
    /// The project's folder.
    pub folder: PathBuf,
    /// Its pyproject.toml.
    pub pyproject: &'a Pyproject,
    /// The workspace's folder.
    pub root_folder: PathBuf,
    /// The workspace's pyproject.toml.
    pub root: Option<&'a Pyproject>,
    /// The folders of the workspace's projects.
    pub members: &'a BTreeMap<DistributionName, PathBuf>,
    /// The points at which markers are compared.
    pub grid: &'a Grid,
}

/// What a source may be limited to.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    extra: Option<&'a ExtraName>,
    group: Option<&'a GroupName>,
}

impl Declaration<'_> {
    /// Returns the project's requirements, its extras' among them.
    pub fn requirements(&self) -> Result<Requirements, Undecided> {
        let mut requirements = Requirements::new();
        let Some(project) = &self.pyproject.project else { return Ok(requirements) };
        for requirement in &project.dependencies {
            let place = Place::default();
            self.add(&mut requirements, &requirement.value, &self.grid.marker(None), place)?;
        }
        for (extra, optional) in &project.optional_dependencies {
            let place = Place { extra: Some(extra), ..Place::default() };
            for requirement in optional {
                self.add(&mut requirements, &requirement.value, &self.grid.extra(extra), place)?;
            }
        }
        Ok(requirements)
    }

    /// Returns the project's dependency groups, with the groups that they include.
    pub fn groups(&self) -> Result<BTreeMap<GroupName, Requirements>, Undecided> {
        let uv = &self.pyproject.tool.uv;
        let legacy = uv.dev_dependencies.as_ref().map(|_| "dev".parse::<GroupName>());
        let legacy = legacy.transpose().map_err(|error| Undecided(error.to_string()))?;
        let names: BTreeSet<&GroupName> = self.pyproject.dependency_groups.keys().chain(&legacy).collect();
        let mut groups = BTreeMap::new();
        for name in names {
            let mut requirements = Requirements::new();
            if self.pyproject.dependency_groups.contains_key(name) {
                self.add_group(&mut requirements, name, name, &self.grid.marker(None), &mut Vec::new())?;
            }
            if Some(name) == legacy.as_ref() {
                for requirement in uv.dev_dependencies.iter().flatten() {
                    let place = Place { group: Some(name), ..Place::default() };
                    self.add(&mut requirements, &requirement.value, &self.grid.marker(None), place)?;
                }
            }
            groups.insert(name.clone(), requirements);
        }
        Ok(groups)
    }

    /// Returns a list of requirements that belongs to no extra and no group.
    pub fn list<'r>(&self, list: impl Iterator<Item = &'r Requirement>) -> Result<Requirements, Undecided> {
        let mut requirements = Requirements::new();
        for requirement in list {
            self.add(&mut requirements, requirement, &self.grid.marker(None), Place::default())?;
        }
        Ok(requirements)
    }

    /// Adds what a group asks for to the requirements of the group that includes it.
    fn add_group<'g>(
        &'g self,
        requirements: &mut Requirements,
        of: &GroupName,
        name: &'g GroupName,
        within: &Table,
        including: &mut Vec<&'g GroupName>,
    ) -> Result<(), Undecided> {
        if including.contains(&name) {
            return Err(Undecided(format!("the dependency group `{name}` includes itself")));
        }
        let Some(entries) = self.pyproject.dependency_groups.get(name) else {
            return Err(Undecided(format!(
                "the dependency group `{name}` is included, but there is none of that name"
            )));
        };
        let settings = self.pyproject.tool.uv.dependency_groups.get(name);
        let within = match settings.and_then(|settings| settings.requires_python.as_ref()) {
            Some(range) => within.and(&self.grid.python(&range.value)),
            None => within.clone(),
        };
        including.push(name);
        for entry in entries {
            match entry {
                GroupEntry::Requirement(requirement) => {
                    let place = Place { group: Some(of), ..Place::default() };
                    self.add(requirements, &requirement.value, &within, place)?;
                }
                GroupEntry::Include { include_group } => {
                    self.add_group(requirements, of, include_group, &within, including)?;
                }
            }
        }
        including.pop();
        Ok(())
    }

    /// Adds a requirement: once for each of its sources, and once for where no source applies.
    fn add(
        &self,
        requirements: &mut Requirements,
        requirement: &Requirement,
        within: &Table,
        place: Place<'_>,
    ) -> Result<(), Undecided> {
        let key = |origin| Key { name: requirement.name.clone(), extras: requirement.extras.clone(), origin };
        let mut remaining = self.grid.marker(requirement.marker.as_ref()).and(within);
        let whole = remaining.clone();
        let (folder, sources) = self.sources(&requirement.name)?;
        let applies = |source: &&SourceEntry| {
            source.extra.as_ref().is_none_or(|extra| Some(extra) == place.extra)
                && source.group.as_ref().is_none_or(|group| Some(group) == place.group)
        };
        for source in sources.iter().filter(applies) {
            let covered = self.grid.marker(source.marker.as_ref().map(|marker| &marker.value));
            let origin = self.origin(requirement, folder, source)?;
            insert(requirements, key(origin), &whole.and(&covered));
            remaining = remaining.and(&covered.not());
        }
        let origin = match &requirement.constraint {
            Constraint::Any => Origin::index(None, None),
            Constraint::Specifiers(specifiers) => Origin::index(Some(specifiers), None),
            Constraint::Url(url) if url.contains("${") => {
                return Err(Undecided(format!("the URL of `{}` depends on the environment", requirement.name)));
            }
            Constraint::Url(url) => Origin::direct_reference(&self.folder, url),
        };
        insert(requirements, key(origin), &remaining);
        Ok(())
    }

    /// Returns the sources of a distribution, and the folder that their paths are relative to. The project's own come
    /// before the workspace's.
    fn sources(&self, name: &DistributionName) -> Result<(&Path, &[SourceEntry]), Undecided> {
        let candidates = [(&self.folder, Some(self.pyproject)), (&self.root_folder, self.root)];
        for (folder, pyproject) in candidates {
            let Some(uv) = pyproject.map(|pyproject| &pyproject.tool.uv) else { continue };
            if uv.no_sources || !uv.no_sources_package.is_empty() {
                return Err(Undecided("tool.uv.no-sources is set".to_owned()));
            }
            if let Some(sources) = uv.sources.get(name) {
                return Ok((folder, sources.as_slice()));
            }
        }
        Ok((&self.folder, &[]))
    }

    fn origin(&self, requirement: &Requirement, folder: &Path, source: &SourceEntry) -> Result<Origin, Undecided> {
        let name = &requirement.name;
        if let Some(git) = &source.git {
            let [rev, tag, branch] = [&source.rev, &source.tag, &source.branch].map(Option::as_deref);
            let [subdirectory, path] = [&source.subdirectory, &source.path].map(Option::as_deref);
            let parts =
                [("rev", rev), ("tag", tag), ("branch", branch), ("subdirectory", subdirectory), ("path", path)];
            Ok(Origin::git(git, parts))
        } else if let Some(url) = &source.url {
            Ok(Origin::url(url, source.subdirectory.as_deref()))
        } else if let Some(path) = &source.path {
            Ok(Origin::path(folder, path))
        } else if let Some(index) = &source.index {
            let specifiers = match &requirement.constraint {
                Constraint::Specifiers(specifiers) => Some(specifiers),
                Constraint::Any | Constraint::Url(_) => None,
            };
            let url = self.index(index).ok_or_else(|| Undecided(format!("the index `{index}` is not declared")))?;
            Ok(Origin::index(specifiers, Some(url)))
        } else if source.workspace == Some(toml::Value::Boolean(true)) {
            let folder = self.members.get(name);
            folder
                .cloned()
                .map(Origin::Path)
                .ok_or_else(|| Undecided(format!("`{name}` is no member of the workspace")))
        } else {
            Err(Undecided(format!("the source of `{name}` is of a kind that is not known")))
        }
    }

    fn index(&self, name: &str) -> Option<&str> {
        let pyprojects = [Some(self.pyproject), self.root].into_iter().flatten();
        let mut indexes = pyprojects.flat_map(|pyproject| &pyproject.tool.uv.index);
        indexes.find(|index| index.name.as_deref() == Some(name)).map(|index| index.url.as_str())
    }
}

/// Adds where a requirement applies to where it applied before.
pub fn insert(requirements: &mut Requirements, key: Key, table: &Table) {
    if !table.is_empty() {
        requirements.entry(key).and_modify(|before| *before = before.or(table)).or_insert_with(|| table.clone());
    }
}
