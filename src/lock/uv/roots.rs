//! What a request selects directly: a project or a workspace, with its extras and groups.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::UvLock;
use super::conflicts::ConflictItem;
use super::document::{UvRequirement, UvSource};
use super::graph::{DependencyEdge, UvPackage, UvPackageIndex};
use crate::lock::error::LockError;
use crate::lock::path::join;
use crate::lock::{Dependent, ExtrasAndGroups, SelectionRequest};
use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::MarkerEnvironment;

pub(super) struct SelectionRoots {
    /// A project, every member of a workspace, or nothing for a script.
    packages: Vec<UvPackageIndex>,
    /// The project, unless a whole workspace is requested.
    pub(super) project: Option<UvPackageIndex>,
}

pub(super) struct RequestedEdge {
    pub(super) required_by: Dependent,
    pub(super) edge: DependencyEdge,
}

pub(super) struct RequestedEdges {
    pub(super) edges: Vec<RequestedEdge>,
    pub(super) active: BTreeSet<ConflictItem>,
    /// Requested extras without dependencies, which only matter for conflicts.
    pub(super) empty_extras: BTreeSet<ConflictItem>,
}

impl SelectionRoots {
    /// Finds the requested projects: a member by name, the project in a directory, or the whole workspace if its root is not a
    /// project.
    pub(super) fn find(lock: &UvLock, request: &SelectionRequest, directory: &Path) -> Result<Self, LockError> {
        if let Some(name) = &request.package {
            return match lock.member(name) {
                Some(index) => Ok(Self { packages: vec![index], project: Some(index) }),
                None => {
                    let members = lock.members().map(|(_, package)| package.name.to_string()).collect();
                    Err(LockError::UnknownMember { path: lock.path.clone(), name: name.clone(), members })
                }
            };
        }
        let directory = join(directory, "");
        let in_directory = lock
            .graph
            .all()
            .find(|(_, package)| package.source.directory().is_some_and(|path| join(Path::new(""), path) == directory));
        if let Some((index, _)) = in_directory {
            return Ok(Self { packages: vec![index], project: Some(index) });
        }
        let members: Vec<_> = lock.manifest.members.iter().filter_map(|name| lock.member(name)).collect();
        let manifest = &lock.manifest;
        let has_no_root =
            !members.is_empty() || !manifest.requirements.is_empty() || !manifest.dependency_groups.is_empty();
        if directory == Path::new(".") && (has_no_root || lock.graph.all().next().is_none()) {
            return Ok(Self { packages: members, project: None });
        }
        let members = lock.members().map(|(_, package)| package.name.to_string()).collect();
        Err(LockError::UnknownProject { path: lock.path.clone(), directory, members })
    }

    /// Returns the edges to what is requested directly.
    pub(super) fn requested_edges(
        &self,
        lock: &UvLock,
        request: &SelectionRequest,
        environment: &MarkerEnvironment,
    ) -> Result<RequestedEdges, LockError> {
        let mut requested =
            RequestedEdges { edges: Vec::new(), active: BTreeSet::new(), empty_extras: BTreeSet::new() };
        self.check_extras(lock, request)?;
        // `--only-group` replaces the projects by groups.
        if request.only_groups.is_empty() {
            self.add_projects(lock, request, &mut requested);
            for requirement in &lock.manifest.requirements {
                requested.add_requirement(lock, requirement, environment)?;
            }
        }
        for group in request.groups.union(&request.only_groups) {
            self.add_group(lock, group, environment, &mut requested)?;
        }
        Ok(requested)
    }

    fn add_projects(&self, lock: &UvLock, request: &SelectionRequest, requested: &mut RequestedEdges) {
        for &root in &self.packages {
            let package = lock.graph.package(root);
            let name = &package.name;
            let extras: BTreeSet<_> = package.extras.keys().filter(|extra| request.selects(extra)).cloned().collect();
            requested.active.insert(ConflictItem::Project(name.clone()));
            requested.active.extend(extras.iter().map(|extra| ConflictItem::Extra(name.clone(), extra.clone())));
            let declared = declared_extras(package).filter(|extra| request.selects(extra) && !extras.contains(*extra));
            requested.empty_extras.extend(declared.map(|extra| ConflictItem::Extra(name.clone(), extra.clone())));
            requested.edges.push(RequestedEdge {
                required_by: Dependent::Root,
                edge: DependencyEdge { to: root, extras, marker: None },
            });
        }
    }

    /// Adds a group: that of each root, or that of the workspace's root if the requested member does not have it.
    fn add_group(
        &self,
        lock: &UvLock,
        group: &GroupName,
        environment: &MarkerEnvironment,
        requested: &mut RequestedEdges,
    ) -> Result<(), LockError> {
        let mut owners: Vec<_> = self.packages.iter().copied().filter(|index| lock.has_group(*index, group)).collect();
        let inherits = owners.is_empty() || self.project.is_none();
        if owners.is_empty() {
            owners.extend(lock.root().filter(|index| lock.has_group(*index, group)));
        }
        let requirements = lock.manifest.dependency_groups.get(group).filter(|_| inherits);
        if owners.is_empty() && requirements.is_none() {
            return Err(self.unknown_group(lock, group));
        }
        for owner in owners {
            let package = lock.graph.package(owner);
            requested.active.insert(ConflictItem::Group(package.name.clone(), group.clone()));
            for edge in package.groups.get(group).into_iter().flatten().cloned() {
                requested
                    .edges
                    .push(RequestedEdge { required_by: Dependent::Group(package.name.clone(), group.clone()), edge });
            }
        }
        requirements
            .into_iter()
            .flatten()
            .try_for_each(|requirement| requested.add_requirement(lock, requirement, environment))
    }

    fn check_extras(&self, lock: &UvLock, request: &SelectionRequest) -> Result<(), LockError> {
        let known = self.extras(lock);
        match request.extras.iter().find(|extra| !known.contains(extra)) {
            None => Ok(()),
            Some(extra) => Err(LockError::UnknownExtra {
                path: lock.path.clone(),
                projects: self.packages.iter().map(|&index| lock.graph.package(index).name.to_string()).collect(),
                extra: extra.to_string(),
                known: known.iter().map(ToString::to_string).collect(),
            }),
        }
    }

    fn unknown_group(&self, lock: &UvLock, group: &GroupName) -> LockError {
        LockError::UnknownGroup {
            path: lock.path.clone(),
            projects: self.packages.iter().map(|&index| lock.graph.package(index).name.to_string()).collect(),
            group: group.to_string(),
            known: self.groups(lock).iter().map(ToString::to_string).collect(),
        }
    }

    fn groups<'l>(&self, lock: &'l UvLock) -> BTreeSet<&'l GroupName> {
        let packages = self.packages.iter().copied().chain(lock.root()).map(|index| lock.graph.package(index));
        packages.flat_map(declared_groups).chain(lock.manifest.dependency_groups.keys()).collect()
    }

    fn extras<'l>(&self, lock: &'l UvLock) -> BTreeSet<&'l ExtraName> {
        self.packages.iter().flat_map(|&index| declared_extras(lock.graph.package(index))).collect()
    }
}

impl RequestedEdges {
    /// Adds a requirement of the manifest: the one distribution with its name whose forks include the environment.
    fn add_requirement(
        &mut self,
        lock: &UvLock,
        requirement: &UvRequirement,
        environment: &MarkerEnvironment,
    ) -> Result<(), LockError> {
        let no_extras = ActiveExtras::default();
        if !requirement.marker.as_ref().is_none_or(|marker| marker.value.evaluate(environment, &no_extras)) {
            return Ok(());
        }
        let same_name = lock.graph.named(&requirement.name).iter().copied();
        let matches: Vec<_> = same_name
            .filter(|index| {
                let forks = &lock.graph.package(*index).resolution_markers;
                forks.is_empty() || forks.iter().any(|marker| marker.evaluate(environment, &no_extras))
            })
            .collect();
        let [to] = matches[..] else {
            return Err(LockError::UnmatchedRequirement {
                path: lock.path.clone(),
                name: requirement.name.clone(),
                matches: matches.len(),
            });
        };
        let known = &lock.graph.package(to).extras;
        let extras = requirement.extras.iter().filter(|extra| known.contains_key(*extra)).cloned().collect();
        self.edges
            .push(RequestedEdge { required_by: Dependent::Root, edge: DependencyEdge { to, extras, marker: None } });
        Ok(())
    }
}

impl UvLock {
    /// See [`Lock::lists`](crate::lock::Lock::lists).
    pub(crate) fn lists(&self, name: &DistributionName) -> bool {
        !self.graph.named(name).is_empty()
    }

    /// See [`Lock::extras_and_groups`](crate::lock::Lock::extras_and_groups).
    pub(crate) fn extras_and_groups(&self, request: &SelectionRequest, directory: &Path) -> ExtrasAndGroups {
        let Ok(roots) = SelectionRoots::find(self, request, directory) else { return ExtrasAndGroups::default() };
        ExtrasAndGroups {
            extras: roots.extras(self).into_iter().cloned().collect(),
            groups: roots.groups(self).into_iter().cloned().collect(),
        }
    }

    /// Returns the directories of local projects; `None` if there is also a local source distribution.
    pub(crate) fn local_directories(&self) -> Option<Vec<PathBuf>> {
        let mut directories = Vec::new();
        for (_, package) in self.graph.all() {
            match &package.source {
                UvSource::Path(path) if !path.ends_with(".whl") => return None,
                UvSource::Directory(path) | UvSource::Editable(path) | UvSource::Virtual(path) => {
                    directories.push(join(&self.directory, path));
                }
                UvSource::Path(_) | UvSource::Registry(_) | UvSource::Git(_) | UvSource::Url(..) => {}
            }
        }
        Some(directories)
    }

    /// Returns the project in the lock's directory.
    fn root(&self) -> Option<UvPackageIndex> {
        let mut packages = self.graph.all();
        let root = packages.find(|(_, package)| matches!(package.source.directory(), Some("" | ".")));
        root.map(|(index, _)| index)
    }

    fn has_group(&self, index: UvPackageIndex, group: &GroupName) -> bool {
        declared_groups(self.graph.package(index)).any(|known| known == group)
    }

    /// Returns a workspace member by name.
    fn member(&self, name: &DistributionName) -> Option<UvPackageIndex> {
        // Not all members are searched: a workspace may have as many as the lock has distributions.
        let is_listed = self.manifest.members.contains(name);
        let root = if is_listed { None } else { self.root() };
        self.graph
            .named(name)
            .iter()
            .copied()
            .find(|&index| is_listed && self.graph.package(index).source.directory().is_some() || Some(index) == root)
    }

    /// Returns the workspace's members. If the root is the only one, the lock does not list it.
    pub(super) fn members(&self) -> impl Iterator<Item = (UvPackageIndex, &UvPackage)> {
        let root = self.root();
        self.graph.all().filter(move |(index, package)| {
            let listed = package.source.directory().is_some() && self.manifest.members.contains(&package.name);
            listed || Some(*index) == root
        })
    }
}

/// Returns the extras of a project: those with dependencies and, since revision 1, those without.
fn declared_extras(package: &UvPackage) -> impl Iterator<Item = &ExtraName> {
    package.extras.keys().chain(package.metadata.iter().flat_map(|metadata| &metadata.provides_extras))
}

fn declared_groups(package: &UvPackage) -> impl Iterator<Item = &GroupName> {
    package.groups.keys().chain(package.metadata.iter().flat_map(|metadata| metadata.groups.keys()))
}
