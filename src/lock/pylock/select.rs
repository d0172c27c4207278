//! Selection from a pylock.toml.
//!
//! Specification: [PyPA, pylock.toml, installation](https://packaging.python.org/en/latest/specifications/pylock-toml/#installation),
//! whose steps the comments name. [`FileChooser`](crate::lock::FileChooser) then chooses a file of each distribution.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Pylock;
use super::package::{PylockPackage, UnusableSource};
use crate::lock::error::LockError;
use crate::lock::{
    Dependent, DistributionSource, ExtrasAndGroups, LockedRequirement, PinnedDistribution, Selection, SelectionRequest,
    requires_python,
};
use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::{MarkerEnvironment, TargetPlatform};

impl Pylock {
    /// Selects the distributions for a target.
    ///
    /// Requested groups are added to the default ones. With `only_groups`, they replace the default ones, and the root is
    /// excluded; distributions whose markers do not mention groups belong to every group.
    ///
    /// The root is the requested package, or else the project in the lock's directory, if the lock contains it. The format has
    /// no workspaces: projects in directories below the lock's are treated as the members.
    ///
    /// # Errors
    ///
    /// Returns [`LockError`] if the lock does not support the target, or does not contain what is requested.
    pub(crate) fn select(&self, request: &SelectionRequest, target: &TargetPlatform) -> Result<Selection, LockError> {
        // Gather the extras and dependency groups to install.
        let active = self.active(request)?;
        // Check requires-python and environments.
        let environment = requires_python::environment(&self.path, &self.requires_python, target)?;
        self.check_environments(&environment, &active, target)?;
        // For each package, check its marker, its requires-python, and that it is selected once.
        let selected = self.applying(&environment, &active, target)?;
        let mut dependents: BTreeMap<&DistributionName, BTreeSet<Dependent>> = BTreeMap::new();
        for package in selected.values() {
            for name in &package.dependencies {
                let dependent = Dependent::Distribution(package.name.clone(), None);
                dependents.entry(name).or_default().insert(dependent);
            }
        }
        // For each package to be installed, take its source.
        let installed = selected.values().filter(|package| !self.is_excluded(package, request));
        let pinned = installed.map(|package| {
            let mut required_by = dependents.remove(&package.name).unwrap_or_default();
            if self.is_root(package, request) {
                required_by.insert(Dependent::Root);
            }
            Ok(PinnedDistribution {
                name: package.name.clone(),
                version: package.version.clone(),
                required_by: required_by.into_iter().collect(),
                source: self.source(package)?,
            })
        });
        Ok(Selection { distributions: pinned.collect::<Result<_, LockError>>()? })
    }

    /// Returns the tool that wrote the lock.
    pub(crate) fn created_by(&self) -> &str {
        &self.created_by
    }

    /// See [`Lock::lists`](crate::lock::Lock::lists).
    pub(crate) fn lists(&self, name: &DistributionName) -> bool {
        self.packages.iter().any(|package| package.name == *name)
    }

    /// See [`Lock::locked_requirements`](crate::lock::Lock::locked_requirements).
    pub(crate) fn locked_requirements(
        &self,
        environment: &MarkerEnvironment,
    ) -> impl Iterator<Item = LockedRequirement> {
        let lock = Dependent::File(self.path.file_name().map(Into::into).unwrap_or_default());
        self.packages.iter().map(move |package| {
            let marker = package.marker.as_ref().map(|marker| &marker.value);
            LockedRequirement::new(&package.name, lock.clone(), marker, environment)
        })
    }

    pub(crate) fn extras_and_groups(&self) -> ExtrasAndGroups {
        ExtrasAndGroups {
            extras: self.extras.clone(),
            groups: self.groups.union(&self.default_groups).cloned().collect(),
        }
    }

    /// Returns the extras and groups that are active in markers.
    fn active(&self, request: &SelectionRequest) -> Result<ActiveExtras, LockError> {
        if let Some(extra) = request.extras.difference(&self.extras).next() {
            return Err(LockError::UnknownExtra {
                path: self.path.clone(),
                projects: Vec::new(),
                extra: extra.to_string(),
                known: self.extras.iter().map(ToString::to_string).collect(),
            });
        }
        let known: BTreeSet<&GroupName> = self.groups.union(&self.default_groups).collect();
        if let Some(group) = request.groups.union(&request.only_groups).find(|group| !known.contains(group)) {
            return Err(LockError::UnknownGroup {
                path: self.path.clone(),
                projects: Vec::new(),
                group: group.to_string(),
                known: known.iter().map(ToString::to_string).collect(),
            });
        }
        let extras = if request.all_extras { &self.extras } else { &request.extras };
        let default = (!request.no_default_groups && request.only_groups.is_empty()).then_some(&self.default_groups);
        let default = default.map(|groups| groups.difference(&request.excluded_groups));
        let groups = request.groups.union(&request.only_groups).chain(default.into_iter().flatten());
        Ok(ActiveExtras {
            extras: extras.iter().map(ExtraName::to_string).collect(),
            groups: groups.map(GroupName::to_string).collect(),
        })
    }

    /// Refuses a target that matches none of the environments.
    fn check_environments(
        &self,
        environment: &MarkerEnvironment,
        active: &ActiveExtras,
        target: &TargetPlatform,
    ) -> Result<(), LockError> {
        if self.environments.is_empty()
            || self.environments.iter().any(|marker| marker.value.evaluate(environment, active))
        {
            return Ok(());
        }
        Err(LockError::UnsupportedTarget {
            path: self.path.clone(),
            target: format!("{} on {}", target.name, environment.platform_machine),
            tool: Some(self.created_by.clone()),
            environments: self.environments.iter().map(|marker| marker.text.to_string()).collect(),
        })
    }

    /// Returns the entries that apply to the target, by name.
    fn applying(
        &self,
        environment: &MarkerEnvironment,
        active: &ActiveExtras,
        target: &TargetPlatform,
    ) -> Result<BTreeMap<&DistributionName, &PylockPackage>, LockError> {
        let mut selected = BTreeMap::new();
        for package in &self.packages {
            if !package.marker.as_ref().is_none_or(|marker| marker.value.evaluate(environment, active)) {
                continue;
            }
            if let Some(range) = package.requires_python.as_ref().filter(|range| !target.python.is_allowed_by(range)) {
                return Err(LockError::IncompatibleDistribution {
                    path: self.path.clone(),
                    package: package.to_string(),
                    target: target.name.clone(),
                    python: target.python,
                    requires_python: range.to_string(),
                });
            }
            if let Some(other) = selected.insert(&package.name, package) {
                return Err(self.conflicting_versions(other, package));
            }
        }
        Ok(selected)
    }

    fn conflicting_versions(&self, first: &PylockPackage, second: &PylockPackage) -> LockError {
        LockError::ConflictingVersions {
            path: self.path.clone(),
            first: first.to_string(),
            first_for: vec![environments(first)],
            second: second.to_string(),
            second_for: vec![environments(second)],
        }
    }

    fn source(&self, package: &PylockPackage) -> Result<DistributionSource, LockError> {
        package.source.clone().map_err(|unusable| {
            let (path, package) = (self.path.clone(), package.to_string());
            match unusable {
                UnusableSource::Vcs(vcs) => LockError::UnsupportedVcs { path, package, vcs: vcs.to_string() },
                UnusableSource::Missing => LockError::NoFiles { path, package, tool: self.created_by.clone() },
            }
        })
    }

    /// Returns whether an entry is the root of the selection.
    fn is_root(&self, package: &PylockPackage, request: &SelectionRequest) -> bool {
        let directory = directory_of(package);
        match &request.package {
            Some(name) => directory.is_some() && package.name == *name,
            None => directory.is_some_and(|directory| *directory == self.directory),
        }
    }

    fn is_excluded(&self, package: &PylockPackage, request: &SelectionRequest) -> bool {
        let without_root = request.no_install_project || !request.only_groups.is_empty();
        request.no_install_packages.contains(&package.name)
            || without_root && self.is_root(package, request)
            || request.no_install_workspace && directory_of(package).is_some_and(|directory| self.contains(directory))
    }

    /// Returns whether a directory is the lock's or below it.
    fn contains(&self, directory: &Path) -> bool {
        if self.directory == Path::new(".") {
            directory.is_relative() && !directory.starts_with("..")
        } else {
            directory.starts_with(&self.directory)
        }
    }
}

/// Returns the directory of a local project.
fn directory_of(package: &PylockPackage) -> Option<&Path> {
    match &package.source {
        Ok(DistributionSource::Directory(directory)) => Some(directory),
        _ => None,
    }
}

/// Returns the environments in which an entry applies, for messages.
fn environments(package: &PylockPackage) -> String {
    match &package.marker {
        Some(marker) => format!("`{}`", marker.text),
        None => "every environment".to_owned(),
    }
}
