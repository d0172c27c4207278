//! Selection from a pdm.lock.
//!
//! With the strategy `inherit_metadata`, the default since PDM 2.11, each entry lists its groups and the marker under which it
//! is required. Otherwise, PDM follows the dependencies from the requirements of the project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::document::{PdmPackage, PdmTarget};
use super::files::PdmLocator;
use super::pyproject::parsed;
use super::traversal::{PdmRequirement, PdmTraversal};
use super::{PYPROJECT, PdmLock, PdmPackageIndex};
use crate::lock::error::LockError;
use crate::lock::{Dependent, ExtrasAndGroups, LockedRequirement, PinnedDistribution, Selection, SelectionRequest};
use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::{MarkerEnvironment, TargetPlatform};

/// PDM's name for the project's own requirements.
const DEFAULT: &str = "default";

struct PdmRequest {
    /// Whether the project's own requirements are requested.
    main: bool,
    groups: BTreeSet<GroupName>,
    extras: BTreeSet<ExtraName>,
}

impl PdmRequest {
    /// Returns the requested groups by PDM's names: extras are groups, too.
    fn names(&self) -> BTreeSet<&str> {
        let main = self.main.then_some(DEFAULT);
        let extras = self.extras.iter().map(ExtraName::as_str);
        main.into_iter().chain(extras).chain(self.groups.iter().map(GroupName::as_str)).collect()
    }
}

impl PdmLock {
    /// Selects the distributions for a target.
    ///
    /// # Errors
    /// The lock was not resolved for the target, or does not contain what is requested.
    pub(crate) fn select(&self, request: &SelectionRequest, target: &TargetPlatform) -> Result<Selection, LockError> {
        self.check_target(target)?;
        let requested = self.request(request)?;
        let environment = target.marker_environment();
        let roots = self.roots(&requested);
        let reached: BTreeMap<PdmPackageIndex, BTreeSet<Dependent>> = if self.metadata.inherits_metadata() {
            let selected = self.selected_by_groups(&requested, &environment);
            let traversal = PdmTraversal::new(self, &environment, roots, |index| selected.contains(&index));
            let mut dependents = traversal.dependents;
            selected.into_iter().map(|index| (index, dependents.remove(&index).unwrap_or_default())).collect()
        } else {
            let traversal = PdmTraversal::new(self, &environment, roots, |_| true);
            traversal.check_complete(self)?;
            traversal.dependents
        };
        let mut distributions: BTreeMap<&DistributionName, PinnedDistribution> = BTreeMap::new();
        let locator = PdmLocator { path: &self.path, directory: &self.directory, sources: &self.sources };
        for (index, dependents) in reached {
            let Some(package) = self.packages.get(index) else { continue };
            if request.no_install_packages.contains(&package.name) {
                continue;
            }
            let pinned = PinnedDistribution {
                name: package.name.clone(),
                version: package.locked_version().cloned(),
                required_by: dependents.into_iter().filter(|by| !is_of(by, package)).collect(),
                source: locator.source(package)?,
            };
            match distributions.get_mut(&package.name) {
                None => drop(distributions.insert(&package.name, pinned)),
                // The entries of one version have the same files.
                Some(other) if other.version == pinned.version => {
                    other.required_by.extend(pinned.required_by);
                    other.required_by.sort_unstable();
                    other.required_by.dedup();
                }
                Some(other) => {
                    return Err(LockError::ConflictingVersions {
                        path: self.path.clone(),
                        first: other.to_string(),
                        first_for: other.required_by.iter().map(ToString::to_string).collect(),
                        second: pinned.to_string(),
                        second_for: pinned.required_by.iter().map(ToString::to_string).collect(),
                    });
                }
            }
        }
        Ok(Selection { distributions: distributions.into_values().collect() })
    }

    /// Refuses a target that PDM did not lock for, as `pdm sync` does: files and dependencies for it may be missing.
    fn check_target(&self, target: &TargetPlatform) -> Result<(), LockError> {
        let targets = &self.metadata.targets;
        if targets.is_empty() || targets.iter().any(|locked| locked.covers(target)) {
            return Ok(());
        }
        Err(LockError::UnsupportedTarget {
            path: self.path.clone(),
            target: format!("{} on {}", target.name, target.architecture),
            tool: None,
            environments: targets.iter().map(PdmTarget::to_string).collect(),
        })
    }

    /// Returns what is requested, after refusing unknown extras and groups, and those that are not locked.
    fn request(&self, request: &SelectionRequest) -> Result<PdmRequest, LockError> {
        let known = self.extras_and_groups();
        let projects: Vec<String> = self.project.name.iter().map(ToString::to_string).collect();
        let path = self.path.clone();
        let extras = if request.all_extras { known.extras.clone() } else { request.extras.clone() };
        if let Some(extra) = extras.difference(&known.extras).next() {
            let known = known.extras.iter().map(ToString::to_string).collect();
            return Err(LockError::UnknownExtra { path, projects, extra: extra.to_string(), known });
        }
        let groups: BTreeSet<GroupName> = request.groups.union(&request.only_groups).cloned().collect();
        if let Some(group) = groups.difference(&known.groups).next() {
            let known = known.groups.iter().map(ToString::to_string).collect();
            return Err(LockError::UnknownGroup { path, projects, group: group.to_string(), known });
        }
        let requested = PdmRequest { main: request.only_groups.is_empty(), groups, extras };
        if let Some(locked) = &self.metadata.groups
            && let Some(name) = requested.names().into_iter().find(|name| !locked.contains(*name))
        {
            return Err(LockError::UnlockedGroup { path, group: name.to_owned() });
        }
        Ok(requested)
    }

    /// Returns the extras and groups of the project.
    pub(crate) fn extras_and_groups(&self) -> ExtrasAndGroups {
        ExtrasAndGroups {
            extras: self.project.extras.keys().cloned().collect(),
            groups: self.project.group_names().cloned().collect(),
        }
    }

    /// See [`Lock::lists`](crate::lock::Lock::lists).
    pub(crate) fn lists(&self, name: &DistributionName) -> bool {
        self.by_name.contains_key(name)
    }

    /// See [`Lock::locked_requirements`](crate::lock::Lock::locked_requirements).
    pub(crate) fn locked_requirements(
        &self,
        environment: &MarkerEnvironment,
    ) -> impl Iterator<Item = LockedRequirement> {
        let known = self.extras_and_groups();
        let everything = PdmRequest { main: true, groups: known.groups, extras: known.extras };
        let of_packages = self.packages.iter().flat_map(|package| {
            let by = Dependent::Distribution(package.name.clone(), package.extras.first().cloned());
            parsed(&package.dependencies).into_iter().map(move |requirement| (requirement, by.clone()))
        });
        let all = self.roots(&everything).into_iter().chain(of_packages);
        all.map(|(requirement, by)| {
            LockedRequirement::new(&requirement.name, by, requirement.marker.as_ref(), environment)
        })
    }

    /// Returns the requirements of the project that are requested.
    fn roots(&self, requested: &PdmRequest) -> Vec<PdmRequirement> {
        let main = self.project.main.iter().filter(|_| requested.main).map(|it| (it.clone(), self.dependent(None)));
        let mut roots: Vec<PdmRequirement> = main.collect();
        for extra in &requested.extras {
            let requirements = self.project.extras.get(extra).into_iter().flatten();
            roots.extend(requirements.map(|it| (it.clone(), self.dependent(Some(extra)))));
        }
        for group in &requested.groups {
            let by = match &self.project.name {
                Some(name) => Dependent::Group(name.clone(), group.clone()),
                None => self.dependent(None),
            };
            roots.extend(self.project.group(group).into_iter().map(|it| (it, by.clone())));
        }
        roots
    }

    /// Returns the project, or one of its extras, as what requires a distribution.
    fn dependent(&self, extra: Option<&ExtraName>) -> Dependent {
        match &self.project.name {
            Some(name) => Dependent::Distribution(name.clone(), extra.cloned()),
            None => Dependent::File(Path::new(PYPROJECT).to_owned()),
        }
    }

    /// Returns the entries that the lock lists for the requested groups.
    fn selected_by_groups(&self, requested: &PdmRequest, environment: &MarkerEnvironment) -> BTreeSet<PdmPackageIndex> {
        let names = requested.names();
        let without_extras = ActiveExtras::default();
        let selected = self.packages.iter().enumerate().filter(|(_, package)| {
            package.groups.iter().any(|group| names.contains(group.as_str()))
                && package.marker.as_ref().is_none_or(|it| it.value.evaluate(environment, &without_extras))
        });
        selected.map(|(index, _)| index).collect()
    }
}

/// Returns whether a dependent is the distribution itself: its entry with extras requires the one without.
fn is_of(by: &Dependent, package: &PdmPackage) -> bool {
    matches!(by, Dependent::Distribution(name, _) if *name == package.name)
}
