//! Selection from a uv.lock: the traversal of the edges that apply to a target.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::iter;
use std::path::Path;

use super::UvLock;
use super::conflicts::{self, ConflictItem};
use super::files::UvLocator;
use super::graph::{DependencyEdge, UvPackageIndex};
use super::roots::{RequestedEdge, RequestedEdges, SelectionRoots};
use crate::lock::error::LockError;
use crate::lock::requires_python;
use crate::lock::{Dependent, LockedRequirement, PinnedDistribution, Selection, SelectionRequest};
use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName};
use crate::platform::{MarkerEnvironment, TargetPlatform};

/// How often the traversal is repeated until the active extras do not change any more. Real locks need two or three rounds.
const MOST_ROUNDS: usize = 64;

#[derive(Default)]
struct ReachedPackages {
    /// Sorted, without repetition.
    dependents: BTreeMap<UvPackageIndex, Vec<Dependent>>,
    /// The items that the traversal has made active.
    active: BTreeSet<ConflictItem>,
}

impl UvLock {
    /// Selects the distributions for a target. `directory` is the project's directory, relative to the lock's.
    ///
    /// # Errors
    ///
    /// Returns [`LockError`] if the lock does not support the target, or does not contain what is requested.
    pub(crate) fn select(
        &self,
        request: &SelectionRequest,
        directory: &Path,
        target: &TargetPlatform,
    ) -> Result<Selection, LockError> {
        let environment = self.environment(target)?;
        let roots = SelectionRoots::find(self, request, directory)?;
        let requested = roots.requested_edges(self, request, &environment)?;
        self.check_conflicting_members(request, &requested)?;
        let reached = self.resolve_extras(&requested, &environment)?;
        self.check_one_version_each(&reached)?;
        let locator = UvLocator::new(&self.path, &self.directory);
        let excluded = self.excluded(request, roots.project);
        let mut distributions = Vec::with_capacity(reached.dependents.len());
        for (index, dependents) in reached.dependents {
            let package = self.graph.package(index);
            if excluded.contains(&package.name) {
                continue;
            }
            distributions.push(PinnedDistribution {
                name: package.name.clone(),
                version: package.version.clone(),
                required_by: dependents,
                source: locator.source(package)?,
            });
        }
        distributions.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(Selection { distributions })
    }

    /// Returns the target's marker environment, after refusing a target that the lock does not support. The lock's markers are
    /// only valid for supported targets, because they are simplified by `requires-python` and by the environments.
    fn environment(&self, target: &TargetPlatform) -> Result<MarkerEnvironment, LockError> {
        let environment = requires_python::environment(&self.path, &self.requires_python, target)?;
        let no_extras = ActiveExtras::default();
        // A fork may also depend on conflicting extras, and then its marker does not depend on the target alone.
        let forks_by_extra = self.resolution_markers.iter().any(|marker| marker.text.contains("extra"));
        let sets = [(&self.supported_markers, true), (&self.resolution_markers, !forks_by_extra)];
        for (markers, decides) in sets {
            if decides
                && !markers.is_empty()
                && !markers.iter().any(|marker| marker.value.evaluate(&environment, &no_extras))
            {
                return Err(LockError::UnsupportedTarget {
                    path: self.path.clone(),
                    target: format!("{} on {}", target.name, environment.platform_machine),
                    tool: None,
                    environments: markers.iter().map(|marker| marker.text.to_string()).collect(),
                });
            }
        }
        Ok(environment)
    }

    /// Refuses conflicting members. Markers are ignored here, because those that lead to a member already exclude it if a
    /// conflicting one is active.
    fn check_conflicting_members(
        &self,
        request: &SelectionRequest,
        requested: &RequestedEdges,
    ) -> Result<(), LockError> {
        if self.conflicts.is_empty() {
            return Ok(());
        }
        let members = self.members_under_any_marker(requested);
        let projects = members.iter().filter(|_| request.only_groups.is_empty()).cloned().map(ConflictItem::Project);
        match conflicts::first_violation(&self.conflicts, &projects.collect()) {
            None => Ok(()),
            Some(items) => Err(self.conflict(items)),
        }
    }

    /// Returns the members that are reached if all markers are ignored.
    fn members_under_any_marker(&self, requested: &RequestedEdges) -> BTreeSet<DistributionName> {
        let mut seen: BTreeSet<(UvPackageIndex, Option<&ExtraName>)> = BTreeSet::new();
        let mut edges: Vec<&DependencyEdge> = requested.edges.iter().map(|requested| &requested.edge).collect();
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

    /// Repeats the traversal until the extras that it makes active are those with which its markers were evaluated.
    fn resolve_extras(
        &self,
        requested: &RequestedEdges,
        environment: &MarkerEnvironment,
    ) -> Result<ReachedPackages, LockError> {
        let mut active = requested.active.clone();
        for _ in 0..MOST_ROUNDS {
            let reached = self.traverse(requested, environment, &active);
            if reached.active == active {
                let items: BTreeSet<ConflictItem> = active.union(&requested.empty_extras).cloned().collect();
                return match conflicts::first_violation(&self.conflicts, &items) {
                    None => Ok(reached),
                    Some(items) => Err(self.conflict(items)),
                };
            }
            active = reached.active;
        }
        Err(LockError::UnresolvedConflicts { path: self.path.clone() })
    }

    fn conflict(&self, items: Vec<&ConflictItem>) -> LockError {
        LockError::DeclaredConflict {
            path: self.path.clone(),
            items: items.into_iter().map(ToString::to_string).collect(),
        }
    }

    /// Traverses the edges once, breadth first.
    fn traverse(
        &self,
        requested: &RequestedEdges,
        environment: &MarkerEnvironment,
        active: &BTreeSet<ConflictItem>,
    ) -> ReachedPackages {
        let mut encoded = conflicts::encode(active);
        let mut reached = ReachedPackages { active: requested.active.clone(), ..ReachedPackages::default() };
        let mut seen: BTreeSet<(UvPackageIndex, Option<&ExtraName>)> = BTreeSet::new();
        let mut queue: VecDeque<(UvPackageIndex, Option<&ExtraName>)> = VecDeque::new();
        // The edges of one distribution or extra at a time: a lock may have a million.
        let requested = requested.edges.iter();
        let mut edges: Vec<(&DependencyEdge, Dependent)> =
            requested.map(|RequestedEdge { required_by, edge }| (edge, required_by.clone())).collect();
        loop {
            for (edge, by) in edges.drain(..) {
                let package = self.graph.package(edge.to);
                let items = edge.extras.iter().map(|extra| ConflictItem::Extra(package.name.clone(), extra.clone()));
                if !applies(edge, items.clone(), environment, &mut encoded) {
                    continue;
                }
                reached.active.extend(items);
                let is_new = !reached.dependents.contains_key(&edge.to);
                let dependents = reached.dependents.entry(edge.to).or_default();
                // An extra may require other extras of its own project; that is not a new dependent.
                if is_new || !matches!(&by, Dependent::Distribution(own, _) if *own == package.name) {
                    dependents.push(by);
                }
                let nodes = iter::once(None).chain(edge.extras.iter().map(Some)).map(|extra| (edge.to, extra));
                queue.extend(nodes.filter(|node| seen.insert(*node)));
            }
            let Some((index, extra)) = queue.pop_front() else { break };
            let package = self.graph.package(index);
            let required = match extra {
                None => Some(&package.dependencies),
                Some(extra) => package.extras.get(extra),
            };
            let by = Dependent::Distribution(package.name.clone(), extra.cloned());
            edges.extend(required.into_iter().flatten().map(|edge| (edge, by.clone())));
        }
        for dependents in reached.dependents.values_mut() {
            dependents.sort_unstable();
            dependents.dedup();
            dependents.shrink_to_fit();
        }
        reached
    }

    /// See [`Lock::locked_requirements`](crate::lock::Lock::locked_requirements).
    pub(crate) fn locked_requirements(
        &self,
        environment: &MarkerEnvironment,
    ) -> impl Iterator<Item = LockedRequirement> {
        let of_root = self.manifest.requirements.iter().map(|requirement| {
            let marker = requirement.marker.as_ref().map(|marker| &marker.value);
            LockedRequirement::new(&requirement.name, Dependent::Root, marker, environment)
        });
        let edges = self.graph.all().flat_map(|(_, package)| {
            let own =
                package.dependencies.iter().map(|edge| (edge, Dependent::Distribution(package.name.clone(), None)));
            let of_extras = package.extras.iter().flat_map(|(extra, edges)| {
                edges.iter().map(|edge| (edge, Dependent::Distribution(package.name.clone(), Some(extra.clone()))))
            });
            let of_groups = package.groups.iter().flat_map(|(group, edges)| {
                edges.iter().map(|edge| (edge, Dependent::Group(package.name.clone(), group.clone())))
            });
            own.chain(of_extras).chain(of_groups)
        });
        of_root.chain(edges.map(|(edge, by)| {
            LockedRequirement::new(&self.graph.package(edge.to).name, by, edge.marker.as_deref(), environment)
        }))
    }

    fn check_one_version_each(&self, reached: &ReachedPackages) -> Result<(), LockError> {
        let mut by_name: BTreeMap<&DistributionName, UvPackageIndex> = BTreeMap::new();
        for &index in reached.dependents.keys() {
            let package = self.graph.package(index);
            let Some(other) = by_name.insert(&package.name, index) else { continue };
            let (first, first_for) = self.describe(other, reached);
            let (second, second_for) = self.describe(index, reached);
            return Err(LockError::ConflictingVersions {
                path: self.path.clone(),
                first,
                first_for,
                second,
                second_for,
            });
        }
        Ok(())
    }

    /// Returns a distribution and its dependents, for messages.
    fn describe(&self, index: UvPackageIndex, reached: &ReachedPackages) -> (String, Vec<String>) {
        let package = self.graph.package(index);
        let text = match &package.version {
            Some(_) => package.to_string(),
            None => format!("{package} in `{}`", package.source.directory().unwrap_or_default()),
        };
        let dependents = reached.dependents.get(&index).into_iter().flatten();
        (text, dependents.map(ToString::to_string).collect())
    }

    /// Returns the names that a request excludes.
    fn excluded(&self, request: &SelectionRequest, project: Option<UvPackageIndex>) -> BTreeSet<DistributionName> {
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

/// Returns whether an edge applies. Its own extras count as active, because its marker may test for them.
fn applies(
    edge: &DependencyEdge,
    own: impl Iterator<Item = ConflictItem>,
    environment: &MarkerEnvironment,
    active: &mut ActiveExtras,
) -> bool {
    let Some(marker) = &edge.marker else { return true };
    if edge.extras.is_empty() {
        return marker.evaluate(environment, active);
    }
    let own: Vec<ConflictItem> = own.collect();
    let mut added = conflicts::encode(&own).extras;
    added.retain(|extra| active.extras.insert(extra.clone()));
    let applies = marker.evaluate(environment, active);
    for extra in &added {
        active.extras.remove(extra);
    }
    applies
}
