//! Whether a lock is up to date with its projects (`--locked`).
//!
//! A lock repeats what each local project declared when it was locked. Both are converted to a common form and compared. If the
//! files alone do not suffice (dynamic metadata, or locks that omit the declarations), the result is unknown, and
//! `uv lock --check` decides.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pep440_rs::{Version, VersionSpecifiers};

use super::document::{self, UvMetadata, UvOverride, UvSource};
use super::graph::UvPackage;
use super::{REVISION_WITH_EXTRAS, REVISION_WITHOUT_METADATA, UvLock};
use crate::lock::error::LockError;
use crate::lock::path::join;
use crate::lock::toml_syntax::Parsed;
use crate::lock::{Freshness, LocalProject};
use crate::name::{DistributionName, ExtraName, GroupName};
use declaration::{ProjectDeclaration, UndecidedReason};
use marker_grid::{MarkerGrid, TruthTable};
use pyproject::{UvOverrideEntry, UvProjectTable, UvPyproject};
use requirement_key::{RequirementKey, RequirementMap, RequirementOrigin};

mod declaration;
mod marker_grid;
mod pyproject;
mod requirement_key;

/// The minor versions of Python 3 at which two ranges are compared.
const MINORS: std::ops::RangeInclusive<u64> = 0..=20;

/// The patch versions at which two ranges are compared.
const PATCHES: std::ops::RangeInclusive<u64> = 0..=25;

/// A project of the workspace.
struct MemberPyproject {
    directory: PathBuf,
    pyproject: UvPyproject,
    is_script: bool,
}

#[derive(Default)]
struct FreshnessFindings {
    differences: Vec<String>,
    undecided: Vec<String>,
}

impl UvLock {
    /// Compares the lock with the projects of its workspace; see [`Lock::check_locked`](crate::lock::Lock::check_locked).
    ///
    /// # Errors
    ///
    /// Returns [`LockError::Outdated`] for the first project that differs.
    pub(crate) fn check_locked(&self, workspace: &[LocalProject]) -> Result<Freshness, LockError> {
        let mut undecided = Vec::new();
        let mut members = Vec::new();
        for project in workspace {
            let directory = join(&self.directory, &project.path.to_string_lossy());
            match project.table.clone().try_into::<UvPyproject>() {
                Ok(pyproject) => members.push(MemberPyproject { directory, pyproject, is_script: project.script }),
                Err(error) => {
                    undecided.push(format!("{}: {}", directory.join("pyproject.toml").display(), error.message()))
                }
            }
        }
        if undecided.is_empty() {
            self.check_workspace(&members, &mut undecided)?;
            for member in &members {
                let Some(project) = &member.pyproject.project else { continue };
                let findings = self.check_project(member, project, &members);
                undecided.extend(findings.undecided.into_iter().map(|reason| format!("`{}`: {reason}", project.name)));
                self.check_differences(format!("the project `{}`", project.name), findings.differences)?;
            }
        }
        Ok(if undecided.is_empty() { Freshness::Current } else { Freshness::Unknown(undecided) })
    }

    fn check_differences(&self, project: String, differences: Vec<String>) -> Result<(), LockError> {
        if differences.is_empty() {
            return Ok(());
        }
        Err(LockError::Outdated { path: self.path.clone(), project, differences })
    }

    /// Compares the workspace: its members, its `requires-python`, and the constraints and overrides of its root.
    fn check_workspace(&self, members: &[MemberPyproject], undecided: &mut Vec<String>) -> Result<(), LockError> {
        let mut findings = FreshnessFindings::default();
        self.compare_members(members, &mut findings);
        self.compare_python(members, &mut findings);
        let root_directory = join(&self.directory, "");
        let script = members.iter().any(|member| member.is_script);
        if let Some(root) = members.iter().find(|member| member.directory == root_directory) {
            let grid = MarkerGrid::new(&self.requires_python, []);
            let directories = member_directories(members);
            let declaration = self.declaration(root, members, &directories, &grid);
            if root.is_script {
                let declared = declaration.list(root.pyproject.dependencies.iter().map(|parsed| &parsed.value));
                let locked = self.locked(&self.manifest.requirements, &grid);
                match declared {
                    Ok(declared) => compare("", &declared, &locked, &grid, &mut findings.differences),
                    Err(UndecidedReason(reason)) => findings.undecided.push(reason),
                }
            }
            if let Err(UndecidedReason(reason)) = self.compare_root(&root.pyproject, &declaration, &grid, &mut findings)
            {
                findings.undecided.push(reason);
            }
        }
        undecided.extend(findings.undecided);
        let compared = if script { "the script" } else { "the workspace" };
        self.check_differences(compared.to_owned(), findings.differences)
    }

    fn compare_members(&self, members: &[MemberPyproject], findings: &mut FreshnessFindings) {
        let names: BTreeSet<_> = members.iter().filter_map(MemberPyproject::name).cloned().collect();
        // If the root is the only member, the lock does not list it.
        if self.manifest.members.is_empty() && names.len() <= 1 {
            return;
        }
        let added = names.difference(&self.manifest.members).map(|name| format!("the member `{name}` was added"));
        let removed = self.manifest.members.difference(&names).map(|name| format!("the member `{name}` was removed"));
        findings.differences.extend(added.chain(removed));
    }

    fn compare_python(&self, members: &[MemberPyproject], findings: &mut FreshnessFindings) {
        let ranges: Vec<_> = members.iter().filter_map(MemberPyproject::requires_python).collect();
        if ranges.is_empty() {
            return;
        }
        let declared = bounds(|version| ranges.iter().all(|range| range.value.contains(version)));
        // uv 0.13.8 compares the bounds alone. Some of its versions write exclusions between them, such as `!=3.10.*`,
        // into the lock, and others do not.
        if declared != bounds(|version| self.requires_python.contains(version)) {
            let texts: BTreeSet<&str> = ranges.iter().map(|range| &*range.text).collect();
            let texts: Vec<_> = texts.into_iter().collect();
            findings.differences.push(format!(
                "requires-python changed from `{}` to `{}`",
                self.requires_python,
                texts.join(", ")
            ));
        }
    }

    /// Compares the constraints, the overrides and the groups of the workspace's root. If it declares no constraints or no
    /// overrides, they may be in another configuration file of uv.
    fn compare_root(
        &self,
        root: &UvPyproject,
        declaration: &ProjectDeclaration<'_>,
        grid: &MarkerGrid,
        findings: &mut FreshnessFindings,
    ) -> Result<(), UndecidedReason> {
        let uv = &root.tool.uv;
        if !uv.constraint_dependencies.is_empty() {
            let declared = declaration.list(uv.constraint_dependencies.iter().map(|parsed| &parsed.value))?;
            let locked = self.locked(&self.manifest.constraints, grid);
            compare("the constraint ", &declared, &locked, grid, &mut findings.differences);
        }
        let overrides = uv.override_dependencies.iter().map(|entry| match entry {
            UvOverrideEntry::Everywhere(requirement) => Some(&requirement.value),
            UvOverrideEntry::Scoped(_) => None,
        });
        let locked = self.manifest.overrides.iter().map(|entry| match entry {
            UvOverride::Everywhere(requirement) => Some(&**requirement),
            UvOverride::Scoped(_) => None,
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

    /// Compares a project with its declarations in the lock.
    fn check_project(
        &self,
        member: &MemberPyproject,
        project: &UvProjectTable,
        members: &[MemberPyproject],
    ) -> FreshnessFindings {
        let mut findings = FreshnessFindings::default();
        let named = self.graph.named(&project.name).iter().map(|&index| self.graph.package(index));
        let Some(package) = named.into_iter().find(|package| package.source.directory().is_some()) else {
            findings.differences.push("it is not in the lock".to_owned());
            return findings;
        };
        findings.differences.extend(version_difference(project, package));
        findings.differences.extend(package_difference(&member.pyproject, package));
        if let Some(key) = project.dynamic.iter().find(|key| key.ends_with("dependencies")) {
            findings.undecided.push(format!("its {key} are dynamic"));
            return findings;
        }
        let grid = MarkerGrid::new(&self.requires_python, project.optional_dependencies.keys());
        let directories = member_directories(members);
        let declaration = self.declaration(member, members, &directories, &grid);
        let mut differences = Vec::new();
        if let Err(UndecidedReason(reason)) =
            self.compare_metadata(project, package, &declaration, &grid, &mut differences)
        {
            findings.undecided.push(reason);
        }
        // A build backend that computes the version may have flattened extras that refer to each other.
        let mut optional = project.optional_dependencies.values().flatten();
        let requires_itself = optional.any(|requirement| requirement.value.name == project.name);
        if !differences.is_empty() && self.omits_metadata() {
            findings.undecided.push("the lock does not contain its requirements".to_owned());
        } else if !differences.is_empty() && project.dynamic.iter().any(|key| key == "version") && requires_itself {
            findings.undecided.push("its extras refer to each other, and its version is dynamic".to_owned());
        } else {
            findings.differences.extend(differences);
        }
        findings
    }

    /// Returns whether the lock omits what the local projects declared.
    fn omits_metadata(&self) -> bool {
        self.revision >= REVISION_WITHOUT_METADATA && self.graph.all().all(|(_, package)| package.metadata.is_none())
    }

    fn compare_metadata(
        &self,
        project: &UvProjectTable,
        package: &UvPackage,
        declaration: &ProjectDeclaration<'_>,
        grid: &MarkerGrid,
        differences: &mut Vec<String>,
    ) -> Result<(), UndecidedReason> {
        let empty = UvMetadata::default();
        let metadata = package.metadata.as_deref().unwrap_or(&empty);
        if self.revision >= REVISION_WITH_EXTRAS {
            let declared: BTreeSet<ExtraName> = project.optional_dependencies.keys().cloned().collect();
            let added =
                declared.difference(&metadata.provides_extras).map(|extra| format!("the extra `{extra}` was added"));
            let removed =
                metadata.provides_extras.difference(&declared).map(|extra| format!("the extra `{extra}` was removed"));
            differences.extend(added.chain(removed));
        }
        let declared = declaration.requirements()?;
        compare("", &declared, &self.locked(&metadata.requires_dist, grid), grid, differences);
        // Before revision 1, locks omit empty groups.
        let has_empty_groups = self.revision >= REVISION_WITH_EXTRAS;
        let locked = metadata.groups.iter().map(|(group, list)| (group, self.locked(list, grid)));
        let locked = locked.filter(|(_, requirements)| has_empty_groups || !requirements.is_empty()).collect();
        let declared = declaration.groups()?;
        let declared =
            declared.iter().filter(|(_, requirements)| has_empty_groups || !requirements.is_empty()).collect();
        compare_groups(&declared, &locked, grid, differences);
        Ok(())
    }

    fn declaration<'a>(
        &self,
        member: &'a MemberPyproject,
        members: &'a [MemberPyproject],
        directories: &'a BTreeMap<DistributionName, PathBuf>,
        grid: &'a MarkerGrid,
    ) -> ProjectDeclaration<'a> {
        let root_directory = join(&self.directory, "");
        ProjectDeclaration {
            directory: member.directory.clone(),
            pyproject: &member.pyproject,
            root: members.iter().find(|member| member.directory == root_directory).map(|member| &member.pyproject),
            root_directory,
            members: directories,
            grid,
        }
    }

    /// Converts requirements of the lock to the common form.
    fn locked<'r>(
        &self,
        requirements: impl IntoIterator<Item = &'r document::UvRequirement>,
        grid: &MarkerGrid,
    ) -> RequirementMap {
        let mut locked = RequirementMap::new();
        for requirement in requirements {
            let origin = RequirementOrigin::locked(&self.directory, requirement);
            let key = RequirementKey { name: requirement.name.clone(), extras: requirement.extras.clone(), origin };
            declaration::insert(
                &mut locked,
                key,
                &grid.marker(requirement.marker.as_ref().map(|marker| &marker.value)),
            );
        }
        locked
    }
}

impl MemberPyproject {
    fn requires_python(&self) -> Option<&Parsed<VersionSpecifiers>> {
        let project = self.pyproject.project.as_ref();
        let of_script = self.pyproject.requires_python.as_ref().filter(|_| self.is_script);
        project.and_then(|project| project.requires_python.as_ref()).or(of_script)
    }

    fn name(&self) -> Option<&DistributionName> {
        self.pyproject.project.as_ref().map(|project| &project.name)
    }
}

/// Returns the first and the last version of Python that is allowed, of those at which ranges are compared.
fn bounds(is_allowed: impl Fn(&Version) -> bool) -> Option<(Version, Version)> {
    let versions = MINORS.flat_map(|minor| PATCHES.map(move |patch| Version::new([3, minor, patch])));
    let mut allowed = versions.filter(|version| is_allowed(version));
    let first = allowed.next()?;
    Some((first.clone(), allowed.last().unwrap_or(first)))
}

fn member_directories(members: &[MemberPyproject]) -> BTreeMap<DistributionName, PathBuf> {
    members.iter().filter_map(|member| Some((member.name()?.clone(), member.directory.clone()))).collect()
}

fn version_difference(project: &UvProjectTable, package: &UvPackage) -> Option<String> {
    let declared = project.version.as_ref()?;
    match &package.version {
        Some(locked) if *locked == declared.value => None,
        Some(locked) => Some(format!("its version changed from {locked} to {}", declared.text)),
        None => Some(format!("its version changed to {}", declared.text)),
    }
}

/// Returns whether the project has become a package or has ceased to be one, if pyproject.toml states it.
fn package_difference(pyproject: &UvPyproject, package: &UvPackage) -> Option<String> {
    let is_virtual = matches!(package.source, UvSource::Virtual(_));
    match (pyproject.tool.uv.package, &pyproject.build_system) {
        (Some(false), _) if !is_virtual => Some("it is not a package anymore".to_owned()),
        (Some(true), _) | (None, Some(_)) if is_virtual => Some("it is now a package".to_owned()),
        _ => None,
    }
}

/// Returns a requirement with the extras that it belongs to.
fn describe(key: &RequirementKey, table: &TruthTable, grid: &MarkerGrid) -> String {
    match grid.extras_of(table).as_slice() {
        [] => format!("`{key}`"),
        extras => format!("`{key}` of the extra `{}`", extras.join("`, `")),
    }
}

fn compare_groups(
    declared: &BTreeMap<&GroupName, &RequirementMap>,
    locked: &BTreeMap<&GroupName, RequirementMap>,
    grid: &MarkerGrid,
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

/// Describes what was added, removed or changed. A removed and an added requirement of the same name are one change.
fn compare(
    prefix: &str,
    declared: &RequirementMap,
    locked: &RequirementMap,
    grid: &MarkerGrid,
    differences: &mut Vec<String>,
) {
    let mut removed: Vec<_> = locked.iter().filter(|(key, _)| !declared.contains_key(key)).collect();
    for (key, table) in declared {
        let difference = match locked.get(key) {
            Some(before) if before == table => continue,
            Some(_) => format!("{prefix}the marker of {} changed", describe(key, table, grid)),
            None => match removed.iter().position(|(before, _)| before.name == key.name) {
                Some(position) => {
                    let (before, before_table) = removed.swap_remove(position);
                    format!(
                        "{prefix}{} changed to {}",
                        describe(before, before_table, grid),
                        describe(key, table, grid)
                    )
                }
                None => format!("{prefix}{} was added", describe(key, table, grid)),
            },
        };
        differences.push(difference);
    }
    differences
        .extend(removed.into_iter().map(|(key, table)| format!("{prefix}{} was removed", describe(key, table, grid))));
}
