//! The walk from the roots through the edges that apply to a target.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use super::UvLock;
use super::conflicts::{self, Item};
use super::files::Locator;
use super::graph::{Edge, PackageIndex};
use super::roots::{Roots, Starts};
use crate::lock::error::LockError;
use crate::lock::python;
use crate::lock::syntax::Parsed;
use crate::lock::{Dependent, Pinned, Request, Selection};
use crate::marker::{ActiveExtras, Marker};
use crate::name::{DistributionName, ExtraName};
use crate::platform::{MarkerEnvironment, TargetPlatform};

/// How often the walk is repeated until the active extras are those that it was made with. Each round can only be as
/// wrong as the depth of extras that exclude others; real locks need two or three.
const MAX_ROUNDS: usize = 64;

/// The distributions that a walk has reached, with who asks for each, and what it made active.
#[derive(Default)]
struct Reached {
    dependents: BTreeMap<PackageIndex, BTreeSet<Dependent>>,
    active: BTreeSet<Item>,
}

impl UvLock {
    /// Selects the distributions for a target. `folder` is the project's, relative to the lock's.
    ///
    /// # Errors
    ///
    /// [`LockError`], if the lock is not for the target, or does not have what is asked for.
    pub fn select(&self, request: &Request, folder: &Path, target: &TargetPlatform) -> Result<Selection, LockError> {
        let environment = self.environment(target)?;
        let roots = Roots::find(self, request, folder)?;
        let starts = roots.starts(self, request, &environment)?;
        self.check_conflicts_of_members(request, &starts)?;
        let reached = self.reach(&starts, &environment)?;
        self.check_one_version_each(&reached)?;
        let locator = Locator { path: &self.path, folder: &self.folder };
        let left_out = self.left_out(request, roots.project);
        let mut distributions = Vec::new();
        for (index, dependents) in reached.dependents {
            let package = self.graph.package(index);
            if left_out.contains(&package.name) {
                continue;
            }
            distributions.push(Pinned {
                name: package.name.clone(),
                version: package.version.clone(),
                required_by: dependents.into_iter().collect(),
                source: locator.source(package)?,
            });
        }
        distributions.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Selection { distributions })
    }

    /// Returns the values that the lock's markers are evaluated against, after refusing a target that they are not made
    /// for: they are simplified by `requires-python` and by the environments that were resolved.
    fn environment(&self, target: &TargetPlatform) -> Result<MarkerEnvironment, LockError> {
        let environment = python::environment(&self.path, &self.requires_python, target)?;
        let applies = |marker: &Parsed<Marker>| marker.value.evaluate(&environment, &ActiveExtras::default());
        // A fork may also depend on conflicting extras; then its marker says nothing of the target alone.
        let forks_by_extra = self.resolution_markers.iter().any(|marker| marker.text.contains("extra"));
        let sets = [(&self.supported_markers, true), (&self.resolution_markers, !forks_by_extra)];
        for (markers, decides) in sets {
            if decides && !markers.is_empty() && !markers.iter().any(applies) {
                return Err(LockError::UnsupportedTarget {
                    path: self.path.clone(),
                    target: format!("{} on {}", target.name, environment.platform_machine),
                    environments: markers.iter().map(|marker| marker.text.to_string()).collect(),
                });
            }
        }
        Ok(environment)
    }

    /// Refuses members that exclude each other. Here a member counts as asked for wherever it may be needed: the markers that
    /// lead to it already say that it is not, once another is active.
    fn check_conflicts_of_members(&self, request: &Request, starts: &Starts) -> Result<(), LockError> {
        if self.conflicts.is_empty() {
            return Ok(());
        }
        let members = self.needed_by_any_marker(starts);
        let projects = members.iter().filter(|_| request.only_groups.is_empty()).cloned().map(Item::Project);
        match conflicts::first_violation(&self.conflicts, &projects.collect()) {
            None => Ok(()),
            Some(items) => Err(self.conflict(items)),
        }
    }

    /// Returns the members that are reached if every marker holds.
    fn needed_by_any_marker(&self, starts: &Starts) -> BTreeSet<DistributionName> {
        let mut seen: BTreeSet<(PackageIndex, Option<&ExtraName>)> = BTreeSet::new();
        let mut edges: Vec<&Edge> = starts.edges.iter().map(|start| &start.edge).collect();
        while let Some(edge) = edges.pop() {
            let package = self.graph.package(edge.to);
            if seen.insert((edge.to, None)) {
                edges.extend(&package.dependencies);
            }
            for extra in &edge.extras {
                if seen.insert((edge.to, Some(extra))) {
                    edges.extend(package.extras.get(extra).into_iter().flatten());
                }
            }
        }
        let members = self.members().filter(|(index, _)| seen.contains(&(*index, None)));
        members.map(|(_, package)| package.name.clone()).collect()
    }

    /// Walks until the extras that the walk makes active are those that its markers were evaluated with.
    fn reach(&self, starts: &Starts, environment: &MarkerEnvironment) -> Result<Reached, LockError> {
        let mut active = starts.active.clone();
        for _ in 0..MAX_ROUNDS {
            let reached = self.walk(starts, environment, &active);
            if reached.active == active {
                let asked: BTreeSet<Item> = active.union(&starts.empty_extras).cloned().collect();
                return match conflicts::first_violation(&self.conflicts, &asked) {
                    None => Ok(reached),
                    Some(items) => Err(self.conflict(items)),
                };
            }
            active = reached.active;
        }
        Err(LockError::UnsettledConflicts { path: self.path.clone() })
    }

    fn conflict(&self, items: Vec<&Item>) -> LockError {
        LockError::Conflict { path: self.path.clone(), items: items.into_iter().map(ToString::to_string).collect() }
    }

    /// Walks once, breadth first.
    fn walk(&self, starts: &Starts, environment: &MarkerEnvironment, active: &BTreeSet<Item>) -> Reached {
        let encoded = conflicts::encode(active);
        let mut reached = Reached { active: starts.active.clone(), ..Reached::default() };
        let mut queue = VecDeque::new();
        let mut follow = |edge: &Edge, by: Dependent, queue: &mut VecDeque<_>| {
            let name = &self.graph.package(edge.to).name;
            let items = edge.extras.iter().map(|extra| Item::Extra(name.clone(), extra.clone()));
            if !holds(edge, items.clone(), environment, &encoded) {
                return;
            }
            reached.active.extend(items);
            let is_new = !reached.dependents.contains_key(&edge.to);
            let dependents = reached.dependents.entry(edge.to).or_default();
            // A project's extra may name others of its own: nothing new asks for it.
            if is_new || !matches!(&by, Dependent::Distribution(own, _) if own == name) {
                dependents.insert(by);
            }
            queue.push_back((edge.to, None));
            queue.extend(edge.extras.iter().map(|extra| (edge.to, Some(extra.clone()))));
        };
        for start in &starts.edges {
            follow(&start.edge, start.by.clone(), &mut queue);
        }
        let mut seen: BTreeSet<(PackageIndex, Option<ExtraName>)> = BTreeSet::new();
        while let Some((index, extra)) = queue.pop_front() {
            if !seen.insert((index, extra.clone())) {
                continue;
            }
            let package = self.graph.package(index);
            let edges = match &extra {
                None => Some(&package.dependencies),
                Some(extra) => package.extras.get(extra),
            };
            for edge in edges.into_iter().flatten() {
                follow(edge, Dependent::Distribution(package.name.clone(), extra.clone()), &mut queue);
            }
        }
        reached
    }

    fn check_one_version_each(&self, reached: &Reached) -> Result<(), LockError> {
        let mut by_name: BTreeMap<&DistributionName, PackageIndex> = BTreeMap::new();
        for &index in reached.dependents.keys() {
            let package = self.graph.package(index);
            let Some(other) = by_name.insert(&package.name, index) else { continue };
            let describe = |index| {
                let package = self.graph.package(index);
                let dependents = reached.dependents.get(&index).into_iter().flatten();
                let source = match &package.version {
                    Some(_) => package.to_string(),
                    None => format!("{package} in `{}`", package.source.folder().unwrap_or_default()),
                };
                (source, dependents.map(ToString::to_string).collect())
            };
            let ((first, first_for), (second, second_for)) = (describe(other), describe(index));
            return Err(LockError::TwoVersions { path: self.path.clone(), first, first_for, second, second_for });
        }
        Ok(())
    }

    /// Returns the names that a request leaves out.
    fn left_out(&self, request: &Request, project: Option<PackageIndex>) -> BTreeSet<DistributionName> {
        let mut names = request.no_install_packages.clone();
        if request.no_install_project || request.no_install_workspace {
            names.extend(project.map(|index| self.graph.package(index).name.clone()));
        }
        if request.no_install_workspace {
            names.extend(self.members().map(|(_, package)| package.name.clone()));
        }
        names
    }
}

/// Returns whether an edge applies. Its own extras count as active, for its marker may ask for them.
fn holds(edge: &Edge, own: impl Iterator<Item = Item>, environment: &MarkerEnvironment, active: &ActiveExtras) -> bool {
    let Some(marker) = &edge.marker else { return true };
    if edge.extras.is_empty() {
        return marker.evaluate(environment, active);
    }
    let own: Vec<Item> = own.collect();
    let mut with_own = conflicts::encode(&own);
    with_own.extras.extend(active.extras.iter().cloned());
    marker.evaluate(environment, &with_own)
}
