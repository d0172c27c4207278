//! What a pylock.toml installs on a target.
//!
//! Specification: [PyPA, pylock.toml, installation](https://packaging.python.org/en/latest/specifications/pylock-toml/#installation),
//! whose steps the comments name. Which file of a distribution is used is [`Chooser`](crate::lock::Chooser)'s work.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Pylock;
use super::package::Package;
use crate::lock::error::LockError;
use crate::lock::syntax::Parsed;
use crate::lock::{Choices, Dependent, Pinned, Request, Selection, Source, python};
use crate::marker::{ActiveExtras, Marker};
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::{MarkerEnvironment, TargetPlatform};

impl Pylock {
    /// Selects the distributions for a target.
    ///
    /// The groups that are named are taken beside the default ones. With `only_groups`, they are taken in place of the
    /// default ones, and the root is left out; distributions whose markers ask for no group belong to each of them.
    ///
    /// The root is the folder of the project that the request names, else the lock's own folder, where the lock has it. A
    /// lock knows no workspace: its members are taken to be the folders below the lock's.
    ///
    /// # Errors
    ///
    /// [`LockError`], if the lock is not for the target, or does not have what is asked for.
    pub fn select(&self, request: &Request, target: &TargetPlatform) -> Result<Selection, LockError> {
        // Gather the extras and dependency groups to install.
        let active = self.active(request)?;
        // Check requires-python and environments.
        let environment = python::environment(&self.path, &self.requires_python, target)?;
        self.check_environments(&environment, &active, target)?;
        // For each package, check its marker, its requires-python, and that it is there once.
        let selected = self.applying(&environment, &active, target)?;
        // For each package to be installed, take its source.
        let installed = selected.values().filter(|package| !self.is_left_out(package, request));
        let pinned = installed.map(|package| {
            let mut required_by: BTreeSet<Dependent> = selected
                .values()
                .filter(|other| other.dependencies.contains(&package.name))
                .map(|other| Dependent::Distribution(other.name.clone(), None))
                .collect();
            if self.is_root(package, request) {
                required_by.insert(Dependent::Root);
            }
            Ok(Pinned {
                name: package.name.clone(),
                version: package.version.clone(),
                required_by: required_by.into_iter().collect(),
                source: self.source(package)?,
            })
        });
        Ok(Selection { distributions: pinned.collect::<Result<_, LockError>>()? })
    }

    /// Returns what may be asked for.
    pub fn choices(&self) -> Choices {
        Choices { extras: self.extras.clone(), groups: self.groups.union(&self.default_groups).cloned().collect() }
    }

    /// Returns the extras and groups that markers see.
    fn active(&self, request: &Request) -> Result<ActiveExtras, LockError> {
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
        let groups = request.groups.union(&request.only_groups).chain(default.into_iter().flatten());
        Ok(ActiveExtras {
            extras: extras.iter().map(ExtraName::to_string).collect(),
            groups: groups.map(GroupName::to_string).collect(),
        })
    }

    /// Refuses a target that is none of the environments.
    fn check_environments(
        &self,
        environment: &MarkerEnvironment,
        active: &ActiveExtras,
        target: &TargetPlatform,
    ) -> Result<(), LockError> {
        let holds = |marker: &Parsed<Marker>| marker.value.evaluate(environment, active);
        if self.environments.is_empty() || self.environments.iter().any(holds) {
            return Ok(());
        }
        Err(LockError::UnsupportedTarget {
            path: self.path.clone(),
            target: format!("{} on {}", target.name, environment.platform_machine),
            environments: self.environments.iter().map(|marker| marker.text.to_string()).collect(),
        })
    }

    /// Returns the entries that apply, one of each name.
    fn applying(
        &self,
        environment: &MarkerEnvironment,
        active: &ActiveExtras,
        target: &TargetPlatform,
    ) -> Result<BTreeMap<&DistributionName, &Package>, LockError> {
        let mut selected = BTreeMap::new();
        for package in &self.packages {
            if !package.marker.as_ref().is_none_or(|marker| marker.value.evaluate(environment, active)) {
                continue;
            }
            if let Some(range) = package.requires_python.as_ref().filter(|range| !target.python.is_allowed_by(range)) {
                return Err(LockError::PythonNotSupported {
                    path: self.path.clone(),
                    package: package.to_string(),
                    target: target.name.clone(),
                    python: target.python,
                    requires_python: range.to_string(),
                });
            }
            if let Some(other) = selected.insert(&package.name, package) {
                return Err(self.ambiguity(other, package));
            }
        }
        Ok(selected)
    }

    fn ambiguity(&self, first: &Package, second: &Package) -> LockError {
        let applies = |package: &Package| match &package.marker {
            Some(marker) => vec![format!("`{}`", marker.text)],
            None => vec!["every environment".to_owned()],
        };
        LockError::TwoVersions {
            path: self.path.clone(),
            first: first.to_string(),
            first_for: applies(first),
            second: second.to_string(),
            second_for: applies(second),
        }
    }

    fn source(&self, package: &Package) -> Result<Source, LockError> {
        package.source.clone().map_err(|vcs| LockError::UnsupportedVcs {
            path: self.path.clone(),
            package: package.to_string(),
            vcs: vcs.to_string(),
        })
    }

    /// Returns whether an entry is the project that the lock is of.
    fn is_root(&self, package: &Package, request: &Request) -> bool {
        let folder = folder_of(package);
        match &request.package {
            Some(name) => folder.is_some() && package.name == *name,
            None => folder.is_some_and(|folder| *folder == self.folder),
        }
    }

    fn is_left_out(&self, package: &Package, request: &Request) -> bool {
        let without_root = request.no_install_project || !request.only_groups.is_empty();
        request.no_install_packages.contains(&package.name)
            || without_root && self.is_root(package, request)
            || request.no_install_workspace && folder_of(package).is_some_and(|folder| self.is_below(folder))
    }

    /// Returns whether a folder is the lock's or below it.
    fn is_below(&self, folder: &Path) -> bool {
        match self.folder == Path::new(".") {
            true => folder.is_relative() && !folder.starts_with(".."),
            false => folder.starts_with(&self.folder),
        }
    }
}

/// Returns the folder of a project on this machine.
fn folder_of(package: &Package) -> Option<&Path> {
    match &package.source {
        Ok(Source::Directory(folder)) => Some(folder),
        _ => None,
    }
}
