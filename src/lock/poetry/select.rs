//! Selection from a poetry.lock.
//!
//! Since version 2.1 of the format, each distribution lists its groups and markers. Before, Poetry resolves the project's
//! requirements again with only the locked distributions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::files::PoetryLocator;
use super::pyproject::MAIN;
use super::resolver::{PoetryResolver, RootRequirement};
use super::{PoetryLock, PoetryPackageIndex};
use crate::lock::error::LockError;
use crate::lock::path::join;
use crate::lock::requires_python::environment_if;
use crate::lock::{
    Dependent, DistributionSource, ExtrasAndGroups, LockedRequirement, PinnedDistribution, Selection, SelectionRequest,
};
use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::{MarkerEnvironment, TargetPlatform};

/// Poetry's name for a project without one.
const NAMELESS: &str = "non-package-mode";

pub(super) struct RequestedGroups {
    /// Whether the project's own requirements are requested.
    pub(super) main: bool,
    /// The groups other than [`MAIN`].
    pub(super) groups: BTreeSet<GroupName>,
    pub(super) extras: BTreeSet<ExtraName>,
}

impl RequestedGroups {
    fn contains(&self, group: &GroupName) -> bool {
        (self.main && group.as_str() == MAIN) || self.groups.contains(group)
    }
}

impl PoetryLock {
    /// Selects the distributions for a target.
    ///
    /// # Errors
    ///
    /// Returns [`LockError`] if the lock does not support the target, or does not contain what is requested.
    pub(crate) fn select(&self, request: &SelectionRequest, target: &TargetPlatform) -> Result<Selection, LockError> {
        let environment = self.environment(target)?;
        let name = self.name();
        self.check_member(request, &name)?;
        let requested = self.requested_groups(request, &name)?;
        let roots = self.root_requirements(&requested, &name);
        let reached = if self.has_groups() {
            let selected = self.selected_by_groups(&requested, &environment);
            let mut dependents = PoetryResolver::new(self, &environment).dependents_of_selected(&roots, &selected);
            // A distribution is selected even if no requirement of pyproject.toml leads to it any more.
            selected.into_iter().map(|index| (index, dependents.remove(&index).unwrap_or_default())).collect()
        } else {
            PoetryResolver::new(self, &environment).resolve(&roots)?
        };
        self.check_one_version_each(&reached)?;
        let mut distributions = self.root(request, &requested, &name);
        let locator = PoetryLocator { path: &self.path, directory: &self.directory, metadata: &self.metadata };
        for (index, dependents) in reached {
            let Some(package) = self.packages.get(index) else { continue };
            if request.no_install_packages.contains(&package.name) {
                continue;
            }
            distributions.push(PinnedDistribution {
                name: package.name.clone(),
                version: Some(package.version.clone()),
                required_by: dependents.into_iter().collect(),
                source: locator.source(package)?,
            });
        }
        distributions.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Selection { distributions })
    }

    /// Returns the target's marker environment, after refusing a target that the lock does not support.
    fn environment(&self, target: &TargetPlatform) -> Result<MarkerEnvironment, LockError> {
        let constraint = &self.metadata.python_versions;
        environment_if(&self.path, target, |version| constraint.allows(version), || constraint.to_python_specifiers())
    }

    /// Returns the project's name, or else that of its directory.
    pub(super) fn name(&self) -> DistributionName {
        let name = self.project.name.clone().or_else(|| name_of_directory(&self.directory));
        name.unwrap_or_else(|| NAMELESS.parse().expect("a valid name"))
    }

    fn check_member(&self, request: &SelectionRequest, own: &DistributionName) -> Result<(), LockError> {
        match &request.package {
            Some(name) if name != own => Err(LockError::UnknownMember {
                path: self.path.clone(),
                name: name.clone(),
                members: vec![own.to_string()],
            }),
            _ => Ok(()),
        }
    }

    fn requested_groups(
        &self,
        request: &SelectionRequest,
        own: &DistributionName,
    ) -> Result<RequestedGroups, LockError> {
        if let Some(extra) = request.extras.iter().find(|extra| !self.extras.contains(extra)) {
            return Err(LockError::UnknownExtra {
                path: self.path.clone(),
                projects: vec![own.to_string()],
                extra: extra.to_string(),
                known: self.extras.iter().map(ToString::to_string).collect(),
            });
        }
        let known = self.groups();
        let groups: BTreeSet<GroupName> = request.groups.union(&request.only_groups).cloned().collect();
        if let Some(group) = groups.iter().find(|group| group.as_str() != MAIN && !known.contains(group)) {
            return Err(LockError::UnknownGroup {
                path: self.path.clone(),
                projects: vec![own.to_string()],
                group: group.to_string(),
                known: known.iter().map(ToString::to_string).collect(),
            });
        }
        Ok(RequestedGroups {
            main: request.only_groups.is_empty() || groups.iter().any(|group| group.as_str() == MAIN),
            groups: groups.into_iter().filter(|group| group.as_str() != MAIN).collect(),
            extras: if request.all_extras { self.extras.clone() } else { request.extras.clone() },
        })
    }

    /// Returns the groups of the project and of the lock.
    fn groups(&self) -> BTreeSet<&GroupName> {
        let in_lock = self.packages.iter().filter_map(|package| package.groups.as_ref()).flatten();
        self.project.groups.keys().chain(in_lock).collect()
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
        let known = self.extras_and_groups();
        let everything = RequestedGroups { main: true, groups: known.groups, extras: known.extras };
        let of_roots = self.root_requirements(&everything, &self.name()).into_iter().map(|root| {
            root.requirement.spec.locked(&root.requirement.name, root.required_by, environment, &root.extras)
        });
        let dependencies = self.packages.iter().flat_map(|package| {
            let all = package.dependencies.iter().flat_map(|(name, specs)| specs.0.iter().map(move |it| (name, it)));
            all.map(move |(name, spec)| (package, name, spec))
        });
        of_roots.chain(dependencies.map(|(package, name, spec)| {
            let mut extras = package.extras.iter().filter(|_| spec.optional);
            let extra = extras.find(|(_, members)| members.iter().any(|member| member.name == *name));
            let extra = extra.map(|(extra, _)| extra);
            let by = Dependent::Distribution(package.name.clone(), extra.cloned());
            spec.locked(name, by, environment, &active(extra))
        }))
    }

    pub(crate) fn extras_and_groups(&self) -> ExtrasAndGroups {
        let groups = self.groups().into_iter().filter(|group| group.as_str() != MAIN);
        ExtrasAndGroups { extras: self.extras.clone(), groups: groups.cloned().collect() }
    }

    /// Returns the project itself, unless it is excluded.
    fn root(
        &self,
        request: &SelectionRequest,
        requested: &RequestedGroups,
        name: &DistributionName,
    ) -> Vec<PinnedDistribution> {
        let is_excluded = request.no_install_project
            || request.no_install_workspace
            || request.no_install_packages.contains(name)
            || !request.only_groups.is_empty();
        if is_excluded || !requested.main {
            return Vec::new();
        }
        let directory = join(&self.directory, "");
        vec![PinnedDistribution {
            name: name.clone(),
            version: self.project.version.clone(),
            required_by: vec![Dependent::Root],
            source: if self.project.is_package {
                DistributionSource::Directory(directory)
            } else {
                DistributionSource::Virtual(directory)
            },
        }]
    }

    /// Returns the requirements of the project that are requested.
    fn root_requirements(&self, requested: &RequestedGroups, name: &DistributionName) -> Vec<RootRequirement<'_>> {
        let mut roots = Vec::new();
        for main in self.project.main.iter().filter(|_| requested.main) {
            let mut extras = main.extras.intersection(&requested.extras).peekable();
            let is_optional = main.requirement.spec.optional;
            if is_optional && extras.peek().is_none() {
                continue;
            }
            let extra = extras.next().filter(|_| is_optional);
            let required_by = Dependent::Distribution(name.clone(), extra.cloned());
            roots.push(RootRequirement {
                requirement: &main.requirement,
                required_by,
                extras: active(&requested.extras),
            });
        }
        for group in &requested.groups {
            let required_by = Dependent::Group(name.clone(), group.clone());
            // An optional requirement belongs to an extra, and groups have none.
            let requirements = self.project.group(group).into_iter().filter(|requirement| !requirement.spec.optional);
            roots.extend(requirements.map(|requirement| RootRequirement {
                requirement,
                required_by: required_by.clone(),
                extras: active(&requested.extras),
            }));
        }
        roots
    }

    /// Returns the distributions that the lock lists for the requested groups.
    fn selected_by_groups(
        &self,
        requested: &RequestedGroups,
        environment: &MarkerEnvironment,
    ) -> BTreeSet<PoetryPackageIndex> {
        let extras = active(&requested.extras);
        let packages = self.packages.iter().enumerate().filter(|(_, package)| {
            package
                .groups
                .iter()
                .flatten()
                .any(|group| requested.contains(group) && package.markers.apply_to(group, environment, &extras))
        });
        packages.map(|(index, _)| index).collect()
    }

    fn check_one_version_each(
        &self,
        reached: &BTreeMap<PoetryPackageIndex, BTreeSet<Dependent>>,
    ) -> Result<(), LockError> {
        let mut by_name = BTreeMap::new();
        for (&index, dependents) in reached {
            let Some(package) = self.packages.get(index) else { continue };
            let Some((other, others)) = by_name.insert(&package.name, (package, dependents)) else { continue };
            return Err(LockError::ConflictingVersions {
                path: self.path.clone(),
                first: other.to_string(),
                first_for: others.iter().map(ToString::to_string).collect(),
                second: package.to_string(),
                second_for: dependents.iter().map(ToString::to_string).collect(),
            });
        }
        Ok(())
    }
}

/// Returns extras as markers are evaluated with them.
pub(super) fn active<'a>(extras: impl IntoIterator<Item = &'a ExtraName>) -> ActiveExtras {
    ActiveExtras { extras: extras.into_iter().map(ToString::to_string).collect(), groups: BTreeSet::new() }
}

fn name_of_directory(directory: &Path) -> Option<DistributionName> {
    std::path::absolute(directory).ok()?.file_name()?.to_str()?.parse().ok()
}
