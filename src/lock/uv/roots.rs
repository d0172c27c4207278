//! Where a selection starts: the project or the workspace that is asked for, and its extras and groups.

use std::collections::BTreeSet;
use std::path::Path;

use super::UvLock;
use super::conflicts::Item;
use super::document::Requirement;
use super::graph::{Edge, Package, PackageIndex};
use crate::lock::error::LockError;
use crate::lock::path::join;
use crate::lock::{Choices, Dependent, Request};
use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::MarkerEnvironment;

/// The projects that are asked for.
pub struct Roots {
    /// Their distributions: a project, every member of a workspace, or none for a script.
    packages: Vec<PackageIndex>,
    /// The one project, where it is not a whole workspace that is asked for.
    pub project: Option<PackageIndex>,
}

/// An edge from a root, or from the user.
pub struct Start {
    /// Who asks.
    pub by: Dependent,
    /// For what.
    pub edge: Edge,
}

/// All that a selection starts from.
pub struct Starts {
    /// The edges.
    pub edges: Vec<Start>,
    /// What is active from the start, as far as markers see it.
    pub active: BTreeSet<Item>,
    /// Extras that are asked for and need nothing: only the conflicts see them.
    pub empty_extras: BTreeSet<Item>,
}

impl Roots {
    /// Finds the projects that a request means: a member by name, the project in a folder, or the whole workspace where
    /// its root is no project.
    ///
    /// # Errors
    ///
    /// [`LockError::UnknownMember`] and [`LockError::UnknownProject`].
    pub fn find(lock: &UvLock, request: &Request, folder: &Path) -> Result<Self, LockError> {
        if let Some(name) = &request.package {
            return match lock.member(name) {
                Some(index) => Ok(Self { packages: vec![index], project: Some(index) }),
                None => {
                    let members = lock.members().map(|(_, package)| package.name.to_string()).collect();
                    Err(LockError::UnknownMember { path: lock.path.clone(), name: name.clone(), members })
                }
            };
        }
        let folder = join(folder, "");
        let in_folder = lock
            .graph
            .all()
            .find(|(_, package)| package.source.folder().is_some_and(|path| join(Path::new(""), path) == folder));
        if let Some((index, _)) = in_folder {
            return Ok(Self { packages: vec![index], project: Some(index) });
        }
        let members: Vec<_> = lock.manifest.members.iter().filter_map(|name| lock.member(name)).collect();
        let manifest = &lock.manifest;
        let is_rootless =
            !members.is_empty() || !manifest.requirements.is_empty() || !manifest.dependency_groups.is_empty();
        if folder == Path::new(".") && (is_rootless || lock.graph.all().next().is_none()) {
            return Ok(Self { packages: members, project: None });
        }
        let members = lock.members().map(|(_, package)| package.name.to_string()).collect();
        Err(LockError::UnknownProject { path: lock.path.clone(), folder, members })
    }

    /// Returns everything that a selection starts from.
    ///
    /// # Errors
    ///
    /// [`LockError::UnknownExtra`], [`LockError::UnknownGroup`] and [`LockError::UnmatchedRequirement`].
    pub fn starts(
        &self,
        lock: &UvLock,
        request: &Request,
        environment: &MarkerEnvironment,
    ) -> Result<Starts, LockError> {
        let mut starts = Starts { edges: Vec::new(), active: BTreeSet::new(), empty_extras: BTreeSet::new() };
        self.check_extras(lock, request)?;
        // `--only-group` takes groups in place of the projects.
        if request.only_groups.is_empty() {
            self.start_projects(lock, request, &mut starts);
            for requirement in &lock.manifest.requirements {
                starts.require(lock, requirement, environment)?;
            }
        }
        for group in request.groups.union(&request.only_groups) {
            self.start_group(lock, group, environment, &mut starts)?;
        }
        Ok(starts)
    }

    fn start_projects(&self, lock: &UvLock, request: &Request, starts: &mut Starts) {
        for &root in &self.packages {
            let package = lock.graph.package(root);
            let name = &package.name;
            let wanted = |extra: &ExtraName| request.all_extras || request.extras.contains(extra);
            let extras: BTreeSet<_> = package.extras.keys().filter(|extra| wanted(extra)).cloned().collect();
            starts.active.insert(Item::Project(name.clone()));
            starts.active.extend(extras.iter().map(|extra| Item::Extra(name.clone(), extra.clone())));
            let declared = declared_extras(package).filter(|extra| wanted(extra) && !extras.contains(*extra));
            starts.empty_extras.extend(declared.map(|extra| Item::Extra(name.clone(), extra.clone())));
            starts.edges.push(Start { by: Dependent::Root, edge: Edge { to: root, extras, marker: None } });
        }
    }

    /// Starts a group: each root's, or the one of the workspace's root where the member that is asked for has none of
    /// that name.
    fn start_group(
        &self,
        lock: &UvLock,
        group: &GroupName,
        environment: &MarkerEnvironment,
        starts: &mut Starts,
    ) -> Result<(), LockError> {
        let has_group = |index: &PackageIndex| declared_groups(lock.graph.package(*index)).any(|known| known == group);
        let mut owners: Vec<_> = self.packages.iter().copied().filter(has_group).collect();
        let inherits = owners.is_empty() || self.project.is_none();
        if owners.is_empty() {
            owners.extend(lock.root().filter(has_group));
        }
        let requirements = lock.manifest.dependency_groups.get(group).filter(|_| inherits);
        if owners.is_empty() && requirements.is_none() {
            return Err(self.unknown_group(lock, group));
        }
        for owner in owners {
            let package = lock.graph.package(owner);
            starts.active.insert(Item::Group(package.name.clone(), group.clone()));
            for edge in package.groups.get(group).into_iter().flatten() {
                let edge = Edge { to: edge.to, extras: edge.extras.clone(), marker: edge.marker.clone() };
                starts.edges.push(Start { by: Dependent::Group(package.name.clone(), group.clone()), edge });
            }
        }
        requirements.into_iter().flatten().try_for_each(|requirement| starts.require(lock, requirement, environment))
    }

    fn check_extras(&self, lock: &UvLock, request: &Request) -> Result<(), LockError> {
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

    /// Returns the groups that may be asked for.
    fn groups<'l>(&self, lock: &'l UvLock) -> BTreeSet<&'l GroupName> {
        let packages = self.packages.iter().copied().chain(lock.root()).map(|index| lock.graph.package(index));
        packages.flat_map(declared_groups).chain(lock.manifest.dependency_groups.keys()).collect()
    }

    /// Returns the extras that may be asked for.
    fn extras<'l>(&self, lock: &'l UvLock) -> BTreeSet<&'l ExtraName> {
        self.packages.iter().flat_map(|&index| declared_extras(lock.graph.package(index))).collect()
    }
}

impl Starts {
    /// Starts a requirement of the manifest: the one distribution of that name whose fork the environment is in.
    fn require(
        &mut self,
        lock: &UvLock,
        requirement: &Requirement,
        environment: &MarkerEnvironment,
    ) -> Result<(), LockError> {
        let holds = |marker: &crate::marker::Marker| marker.evaluate(environment, &ActiveExtras::default());
        if !requirement.marker.as_ref().is_none_or(|marker| holds(&marker.value)) {
            return Ok(());
        }
        let is_in_fork = |index: &PackageIndex| {
            let forks = &lock.graph.package(*index).resolution_markers;
            forks.is_empty() || forks.iter().any(holds)
        };
        let matches: Vec<_> = lock.graph.named(&requirement.name).iter().copied().filter(is_in_fork).collect();
        let [to] = matches[..] else {
            return Err(LockError::UnmatchedRequirement {
                path: lock.path.clone(),
                name: requirement.name.clone(),
                matches: matches.len(),
            });
        };
        let known = &lock.graph.package(to).extras;
        let extras = requirement.extras.iter().filter(|extra| known.contains_key(*extra)).cloned().collect();
        self.edges.push(Start { by: Dependent::Root, edge: Edge { to, extras, marker: None } });
        Ok(())
    }
}

impl UvLock {
    /// Returns what may be asked for besides what a request asks for. `folder` is the project's, relative to the lock's.
    pub fn choices(&self, request: &Request, folder: &Path) -> Choices {
        let Ok(roots) = Roots::find(self, request, folder) else { return Choices::default() };
        Choices {
            extras: roots.extras(self).into_iter().cloned().collect(),
            groups: roots.groups(self).into_iter().cloned().collect(),
        }
    }

    /// Returns the project in the lock's folder.
    fn root(&self) -> Option<PackageIndex> {
        let is_root = |package: &Package| package.source.folder().is_some_and(|path| matches!(path, "" | "."));
        self.graph.all().find(|(_, package)| is_root(package)).map(|(index, _)| index)
    }

    /// Returns a workspace member by name.
    fn member(&self, name: &DistributionName) -> Option<PackageIndex> {
        self.members().find(|(_, package)| package.name == *name).map(|(index, _)| index)
    }

    /// Returns the workspace's members. A workspace whose only member is its root has no list of them.
    pub fn members(&self) -> impl Iterator<Item = (PackageIndex, &Package)> {
        let root = self.root();
        self.graph.all().filter(move |(index, package)| {
            let listed = package.source.folder().is_some() && self.manifest.members.contains(&package.name);
            listed || Some(*index) == root
        })
    }
}

/// Returns the extras of a project: those that need something and, since revision 1, those that need nothing.
fn declared_extras(package: &Package) -> impl Iterator<Item = &ExtraName> {
    package.extras.keys().chain(package.metadata.iter().flat_map(|metadata| &metadata.provides_extras))
}

/// Returns the groups of a project.
fn declared_groups(package: &Package) -> impl Iterator<Item = &GroupName> {
    package.groups.keys().chain(package.metadata.iter().flat_map(|metadata| metadata.groups.keys()))
}
