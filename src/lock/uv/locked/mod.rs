//! Whether a lock is still the lock of its projects: `--locked`.
//!
//! A lock repeats what each local project declared when it was locked. Both sides are brought into one form and compared.
//! What cannot be decided from the files alone (metadata that a build backend computes, locks that leave the declarations
//! out) is reported as undecided, for uv to decide.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pep440_rs::Version;

use super::document::{self, Metadata, Override, Source};
use super::graph::Package;
use super::{REVISION_OF_EXTRAS, REVISION_WITHOUT_METADATA, UvLock};
use crate::lock::error::LockError;
use crate::lock::path::join;
use crate::lock::{Freshness, LocalProject};
use crate::name::{DistributionName, ExtraName};
use declared::{Declaration, Undecided};
use grid::Grid;
use origin::{Key, Origin, Requirements};
use pyproject::{OverrideEntry, Project, Pyproject};

mod declared;
mod grid;
mod origin;
mod pyproject;

/// The versions of Python 3 at which two ranges are compared.
const MINORS: std::ops::RangeInclusive<u64> = 0..=20;

/// The patch versions of each.
const PATCHES: std::ops::RangeInclusive<u64> = 0..=25;

/// A project of the workspace with its parsed pyproject.toml.
struct Member {
    folder: PathBuf,
    pyproject: Pyproject,
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    differences: Vec<String>,
    undecided: Vec<String>,
}

impl UvLock {
    /// Compares the lock with the projects of its workspace: all of them, the root's pyproject.toml even if it declares
    /// no project.
    ///
    /// # Errors
    ///
    /// [`LockError::Outdated`] for the first project that differs.
    pub fn check_locked(&self, workspace: &[LocalProject]) -> Result<Freshness, LockError> {
        let mut undecided = Vec::new();
        let mut members = Vec::new();
        for project in workspace {
            let folder = join(&self.folder, &project.path.to_string_lossy());
            match project.table.clone().try_into::<Pyproject>() {
                Ok(pyproject) => members.push(Member { folder, pyproject }),
                Err(error) => {
                    undecided.push(format!("{}: {}", folder.join("pyproject.toml").display(), error.message()))
                }
            }
        }
        if undecided.is_empty() {
            self.check_workspace(&members, &mut undecided)?;
            for member in &members {
                let Some(project) = &member.pyproject.project else { continue };
                let findings = self.check_project(member, project, &members);
                undecided.extend(findings.undecided.into_iter().map(|reason| format!("`{}`: {reason}", project.name)));
                self.outdated(format!("the project `{}`", project.name), findings.differences)?;
            }
        }
        Ok(if undecided.is_empty() { Freshness::Current } else { Freshness::Undecided(undecided) })
    }

    fn outdated(&self, project: String, differences: Vec<String>) -> Result<(), LockError> {
        if differences.is_empty() {
            return Ok(());
        }
        Err(LockError::Outdated { path: self.path.clone(), project, differences })
    }

    /// Compares what belongs to the whole workspace: its members, its range of Python, and what its root asks for.
    fn check_workspace(&self, members: &[Member], undecided: &mut Vec<String>) -> Result<(), LockError> {
        let mut findings = Findings::default();
        self.compare_members(members, &mut findings);
        self.compare_python(members, &mut findings);
        let root_folder = join(&self.folder, "");
        if let Some(root) = members.iter().find(|member| member.folder == root_folder) {
            let grid = Grid::new(&self.requires_python, []);
            let names = folders(members);
            let declaration = self.declaration(root, members, &names, &grid);
            if let Err(Undecided(reason)) = self.compare_root(&root.pyproject, &declaration, &grid, &mut findings) {
                findings.undecided.push(reason);
            }
        }
        undecided.extend(findings.undecided);
        self.outdated("the workspace".to_owned(), findings.differences)
    }

    fn compare_members(&self, members: &[Member], findings: &mut Findings) {
        let names: BTreeSet<_> = members.iter().filter_map(Member::name).cloned().collect();
        // A workspace whose only member is its root has no list.
        if self.manifest.members.is_empty() && names.len() <= 1 {
            return;
        }
        let added = names.difference(&self.manifest.members).map(|name| format!("the member `{name}` was added"));
        let removed = self.manifest.members.difference(&names).map(|name| format!("the member `{name}` was removed"));
        findings.differences.extend(added.chain(removed));
    }

    fn compare_python(&self, members: &[Member], findings: &mut Findings) {
        let projects = members.iter().filter_map(|member| member.pyproject.project.as_ref());
        let ranges: Vec<_> = projects.filter_map(|project| project.requires_python.as_ref()).collect();
        if ranges.is_empty() {
            return;
        }
        let points = || MINORS.flat_map(|minor| PATCHES.map(move |patch| Version::new([3, minor, patch])));
        let declared = |version: &Version| ranges.iter().all(|range| range.value.contains(version));
        if points().any(|version| declared(&version) != self.requires_python.contains(&version)) {
            let texts: BTreeSet<&str> = ranges.iter().map(|range| &*range.text).collect();
            let texts: Vec<_> = texts.into_iter().collect();
            findings.differences.push(format!(
                "requires-python `{}` became `{}`",
                self.requires_python,
                texts.join(", ")
            ));
        }
    }

    /// Compares what the workspace's root asks for beside its own requirements. A list that is not declared there may
    /// stand in another configuration file of uv.
    fn compare_root(
        &self,
        root: &Pyproject,
        declaration: &Declaration<'_>,
        grid: &Grid,
        findings: &mut Findings,
    ) -> Result<(), Undecided> {
        let uv = &root.tool.uv;
        if !uv.constraint_dependencies.is_empty() {
            let declared = declaration.list(uv.constraint_dependencies.iter().map(|parsed| &parsed.value))?;
            let locked = self.locked(&self.manifest.constraints, grid);
            compare("the constraint ", &declared, &locked, grid, &mut findings.differences);
        }
        let overrides = uv.override_dependencies.iter().map(|entry| match entry {
            OverrideEntry::Everywhere(requirement) => Some(&requirement.value),
            OverrideEntry::Scoped(_) => None,
        });
        let locked = self.manifest.overrides.iter().map(|entry| match entry {
            Override::Everywhere(requirement) => Some(&**requirement),
            Override::Scoped(_) => None,
        });
        let overrides: Option<Vec<_>> = overrides.collect();
        if let (Some(declared), Some(locked)) = (overrides, locked.collect::<Option<Vec<_>>>())
            && !declared.is_empty()
        {
            let declared = declaration.list(declared.into_iter())?;
            let locked = self.locked(locked, grid);
            compare("the override ", &declared, &locked, grid, &mut findings.differences);
        }
        if root.project.is_none() {
            let locked = self.manifest.dependency_groups.iter().map(|(group, list)| (group, self.locked(list, grid)));
            let locked = locked.filter(|(_, requirements)| !requirements.is_empty()).collect::<BTreeMap<_, _>>();
            let declared = declaration.groups()?;
            let declared = declared.iter().filter(|(_, requirements)| !requirements.is_empty()).collect();
            compare_groups(&declared, &locked, grid, &mut findings.differences);
        }
        Ok(())
    }

    /// Compares a project with what the lock repeats of it.
    fn check_project(&self, member: &Member, project: &Project, members: &[Member]) -> Findings {
        let mut findings = Findings::default();
        let named = self.graph.named(&project.name).iter().map(|&index| self.graph.package(index));
        let Some(package) = named.into_iter().find(|package| package.source.folder().is_some()) else {
            findings.differences.push("it is not in the lock".to_owned());
            return findings;
        };
        findings.differences.extend(version_difference(project, package));
        findings.differences.extend(package_difference(&member.pyproject, package));
        if let Some(key) = project.dynamic.iter().find(|key| key.ends_with("dependencies")) {
            findings.undecided.push(format!("its {key} are dynamic"));
            return findings;
        }
        let grid = Grid::new(&self.requires_python, project.optional_dependencies.keys());
        let names = folders(members);
        let declaration = self.declaration(member, members, &names, &grid);
        let mut differences = Vec::new();
        if let Err(Undecided(reason)) = self.compare_metadata(project, package, &declaration, &grid, &mut differences) {
            findings.undecided.push(reason);
        }
        // A build backend that computes the version may have flattened extras that name each other.
        let optional = project.optional_dependencies.values().flatten();
        let names_itself = optional.into_iter().any(|requirement| requirement.value.name == project.name);
        let left_out = self.revision >= REVISION_WITHOUT_METADATA
            && self.graph.all().all(|(_, package)| package.metadata.is_none());
        if !differences.is_empty() && left_out {
            findings.undecided.push("the lock does not repeat its requirements".to_owned());
        } else if !differences.is_empty() && project.dynamic.iter().any(|key| key == "version") && names_itself {
            findings.undecided.push("its extras name each other, and its version is dynamic".to_owned());
        } else {
            findings.differences.extend(differences);
        }
        findings
    }

    fn compare_metadata(
        &self,
        project: &Project,
        package: &Package,
        declaration: &Declaration<'_>,
        grid: &Grid,
        differences: &mut Vec<String>,
    ) -> Result<(), Undecided> {
        let empty = Metadata::default();
        let metadata = package.metadata.as_ref().unwrap_or(&empty);
        if self.revision >= REVISION_OF_EXTRAS {
            let declared: BTreeSet<ExtraName> = project.optional_dependencies.keys().cloned().collect();
            let added =
                declared.difference(&metadata.provides_extras).map(|extra| format!("the extra `{extra}` was added"));
            let removed =
                metadata.provides_extras.difference(&declared).map(|extra| format!("the extra `{extra}` was removed"));
            differences.extend(added.chain(removed));
        }
        let declared = declaration.requirements()?;
        compare("", &declared, &self.locked(&metadata.requires_dist, grid), grid, differences);
        // Before revision 1, groups that need nothing were left out.
        let is_kept = |requirements: &Requirements| self.revision >= REVISION_OF_EXTRAS || !requirements.is_empty();
        let locked = metadata.groups.iter().map(|(group, list)| (group, self.locked(list, grid)));
        let locked = locked.filter(|(_, requirements)| is_kept(requirements)).collect();
        let declared = declaration.groups()?;
        let declared = declared.iter().filter(|(_, requirements)| is_kept(requirements)).collect();
        compare_groups(&declared, &locked, grid, differences);
        Ok(())
    }

    fn declaration<'a>(
        &self,
        member: &'a Member,
        members: &'a [Member],
        names: &'a BTreeMap<DistributionName, PathBuf>,
        grid: &'a Grid,
    ) -> Declaration<'a> {
        let root_folder = join(&self.folder, "");
        Declaration {
            folder: member.folder.clone(),
            pyproject: &member.pyproject,
            root: members.iter().find(|member| member.folder == root_folder).map(|member| &member.pyproject),
            root_folder,
            members: names,
            grid,
        }
    }

    /// Returns requirements of the lock in the form that declarations have.
    fn locked<'r>(
        &self,
        requirements: impl IntoIterator<Item = &'r document::Requirement>,
        grid: &Grid,
    ) -> Requirements {
        let mut locked = Requirements::new();
        for requirement in requirements {
            let origin = Origin::locked(&self.folder, requirement);
            let key = Key { name: requirement.name.clone(), extras: requirement.extras.clone(), origin };
            declared::insert(&mut locked, key, &grid.marker(requirement.marker.as_ref().map(|marker| &marker.value)));
        }
        locked
    }
}

impl Member {
    fn name(&self) -> Option<&DistributionName> {
        self.pyproject.project.as_ref().map(|project| &project.name)
    }
}

fn folders(members: &[Member]) -> BTreeMap<DistributionName, PathBuf> {
    members.iter().filter_map(|member| Some((member.name()?.clone(), member.folder.clone()))).collect()
}

fn version_difference(project: &Project, package: &Package) -> Option<String> {
    let declared = project.version.as_ref()?;
    match &package.version {
        Some(locked) if *locked == declared.value => None,
        Some(locked) => Some(format!("its version {locked} became {}", declared.text)),
        None => Some(format!("its version became {}", declared.text)),
    }
}

/// Returns whether the project became a package or ceased to be one, where that is stated.
fn package_difference(pyproject: &Pyproject, package: &Package) -> Option<String> {
    let is_virtual = matches!(package.source, Source::Virtual(_));
    match (pyproject.tool.uv.package, &pyproject.build_system) {
        (Some(false), _) if !is_virtual => Some("it is no package any more".to_owned()),
        (Some(true), _) | (None, Some(_)) if is_virtual => Some("it became a package".to_owned()),
        _ => None,
    }
}

fn compare_groups(
    declared: &BTreeMap<&crate::name::GroupName, &Requirements>,
    locked: &BTreeMap<&crate::name::GroupName, Requirements>,
    grid: &Grid,
    differences: &mut Vec<String>,
) {
    for (group, requirements) in declared {
        match locked.get(group) {
            Some(locked) => compare(&format!("in the group `{group}`, "), requirements, locked, grid, differences),
            None => differences.push(format!("the group `{group}` was added")),
        }
    }
    let removed = locked.keys().filter(|group| !declared.contains_key(*group));
    differences.extend(removed.map(|group| format!("the group `{group}` was removed")));
}

/// Says what was added, removed or changed. One requirement that was removed and one of the same name that was added
/// are one change.
fn compare(prefix: &str, declared: &Requirements, locked: &Requirements, grid: &Grid, differences: &mut Vec<String>) {
    let describe = |key: &Key, table| match grid.extras_of(table).as_slice() {
        [] => format!("`{key}`"),
        extras => format!("`{key}` of the extra `{}`", extras.join("`, `")),
    };
    let mut removed: Vec<_> = locked.iter().filter(|(key, _)| !declared.contains_key(key)).collect();
    for (key, table) in declared {
        let difference = match locked.get(key) {
            Some(before) if before == table => continue,
            Some(_) => format!("{prefix}the marker of {} changed", describe(key, table)),
            None => match removed.iter().position(|(before, _)| before.name == key.name) {
                Some(position) => {
                    let (before, before_table) = removed.swap_remove(position);
                    format!("{prefix}{} became {}", describe(before, before_table), describe(key, table))
                }
                None => format!("{prefix}{} was added", describe(key, table)),
            },
        };
        differences.push(difference);
    }
    differences.extend(removed.into_iter().map(|(key, table)| format!("{prefix}{} was removed", describe(key, table))));
}
