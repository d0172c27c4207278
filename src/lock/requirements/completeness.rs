//! Whether all requirements of the pinned distributions are pinned as well.
//!
//! Specification: [PyPA, core metadata](https://packaging.python.org/en/latest/specifications/core-metadata/#requires-dist-multiple-use),
//! `Requires-Dist`.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use crate::marker::{self, ActiveExtras, Requirement, VersionOrUrl};
use crate::name::{DistributionName, ExtraName};
use crate::platform::{MarkerEnvironment, TargetPlatform};

/// A distribution that will be installed, with its requirements.
#[derive(Debug, Clone)]
pub struct InstalledMetadata<'a> {
    /// The normalized name.
    pub name: DistributionName,
    /// The version, if it is known.
    pub version: Option<Version>,
    /// The requested extras; see [`super::RequirementsTxt::extras`].
    pub extras: BTreeSet<ExtraName>,
    /// The values of `Requires-Dist`.
    pub requires_dist: &'a [String],
}

/// A requirement of a distribution that is not pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRequirement {
    /// The requirement, without its marker.
    pub requirement: String,
    /// The required distribution.
    pub name: DistributionName,
    /// The distribution that requires it.
    pub required_by: DistributionName,
}

/// A requirement of a distribution that the pinned version does not satisfy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MismatchedRequirement {
    /// The requirement, without its marker.
    pub requirement: String,
    /// The required distribution.
    pub name: DistributionName,
    /// The pinned version.
    pub version: Version,
    /// The distribution that requires it.
    pub required_by: DistributionName,
}

/// The unsatisfied requirements of pinned distributions, in the order of the distributions and of their metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completeness {
    /// Requirements that are not pinned.
    pub missing: Vec<MissingRequirement>,
    /// Requirements that do not accept the pinned version.
    pub mismatched: Vec<MismatchedRequirement>,
}

impl Completeness {
    /// Returns whether all requirements are satisfied.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.mismatched.is_empty()
    }
}

/// The requirements of a distribution, and its active extras.
struct RequirementNode<'a> {
    version: Option<&'a Version>,
    requirements: Vec<Requirement>,
    extras: BTreeSet<ExtraName>,
}

/// Compares the requirements of distributions on a target with the pinned versions. `excluded` are distributions that are pinned
/// but not installed, and therefore not missing.
///
/// Invalid requirements are ignored: old distributions have them, and installers ignore them as well.
pub fn completeness(
    installed: &[InstalledMetadata],
    excluded: &BTreeSet<DistributionName>,
    target: &TargetPlatform,
) -> Completeness {
    let graph = RequirementGraph::new(installed, target);
    let mut completeness = Completeness::default();
    for (required_by, requirement) in graph.applicable() {
        completeness.check(requirement, required_by, &graph.nodes, excluded);
    }
    completeness
}

/// Returns the installed dependencies of each installed distribution, on a target and with the requested extras.
pub(crate) fn dependencies(
    installed: &[InstalledMetadata],
    target: &TargetPlatform,
) -> BTreeMap<DistributionName, BTreeSet<DistributionName>> {
    let graph = RequirementGraph::new(installed, target);
    let mut dependencies: BTreeMap<_, BTreeSet<_>> =
        graph.nodes.keys().map(|name| (name.clone(), BTreeSet::new())).collect();
    for (required_by, requirement) in graph.applicable() {
        // A distribution may combine its extras by requiring itself.
        if requirement.name != *required_by && graph.nodes.contains_key(&requirement.name) {
            dependencies.entry(required_by.clone()).or_default().insert(requirement.name.clone());
        }
    }
    dependencies
}

/// The graph of distributions and their requirements.
struct RequirementGraph<'a> {
    nodes: BTreeMap<DistributionName, RequirementNode<'a>>,
    environment: MarkerEnvironment,
}

impl<'a> RequirementGraph<'a> {
    fn new(installed: &'a [InstalledMetadata], target: &TargetPlatform) -> Self {
        let mut nodes: BTreeMap<DistributionName, RequirementNode> = BTreeMap::new();
        for InstalledMetadata { name, version, extras, requires_dist } in installed {
            let requirements = requires_dist.iter().filter_map(|text| text.parse().ok()).collect();
            let node = RequirementNode { version: version.as_ref(), requirements, extras: extras.clone() };
            nodes.insert(name.clone(), node);
        }
        let environment = target.marker_environment();
        activate_extras(&mut nodes, &environment);
        Self { nodes, environment }
    }

    /// Returns the requirements that apply, with the distributions that have them.
    fn applicable(&self) -> impl Iterator<Item = (&DistributionName, &Requirement)> {
        self.nodes.iter().flat_map(move |(name, node)| {
            let requirements = node.requirements.iter();
            requirements
                .filter(move |requirement| applies(requirement, &node.extras, &self.environment))
                .map(move |requirement| (name, requirement))
        })
    }
}

/// Returns whether a requirement applies with any of the extras, or without one.
fn applies(requirement: &Requirement, extras: &BTreeSet<ExtraName>, environment: &MarkerEnvironment) -> bool {
    let Some(marker) = &requirement.marker else { return true };
    let mut active = extras.iter().map(|extra| [extra.to_string()].into()).chain([BTreeSet::new()]);
    active.any(|extras| marker.evaluate(environment, &ActiveExtras { extras, groups: BTreeSet::new() }))
}

/// Activates the extras that applicable requirements request, until no more are requested.
fn activate_extras(nodes: &mut BTreeMap<DistributionName, RequirementNode>, environment: &MarkerEnvironment) {
    let mut changed: BTreeSet<DistributionName> = nodes.keys().cloned().collect();
    while let Some(name) = changed.pop_first() {
        let Some(node) = nodes.get(&name) else { continue };
        let requested: Vec<(DistributionName, BTreeSet<ExtraName>)> = node
            .requirements
            .iter()
            .filter(|requirement| !requirement.extras.is_empty() && applies(requirement, &node.extras, environment))
            .map(|requirement| (requirement.name.clone(), requirement.extras.clone()))
            .collect();
        for (name, extras) in requested {
            let Some(node) = nodes.get_mut(&name) else { continue };
            let count = node.extras.len();
            node.extras.extend(extras);
            if node.extras.len() > count {
                changed.insert(name);
            }
        }
    }
}

impl Completeness {
    /// Adds a requirement if it is not satisfied.
    fn check(
        &mut self,
        requirement: &Requirement,
        required_by: &DistributionName,
        nodes: &BTreeMap<DistributionName, RequirementNode>,
        excluded: &BTreeSet<DistributionName>,
    ) {
        let (name, required_by) = (requirement.name.clone(), required_by.clone());
        match (nodes.get(&name), &requirement.constraint) {
            (None, _) if excluded.contains(&name) => {}
            (None, _) => {
                let missing = MissingRequirement { requirement: without_marker(requirement), name, required_by };
                if !self.missing.contains(&missing) {
                    self.missing.push(missing);
                }
            }
            (Some(RequirementNode { version: Some(version), .. }), VersionOrUrl::Specifiers(specifiers)) => {
                if !specifiers.iter().all(|specifier| marker::contains(specifier, version)) {
                    let version = (*version).clone();
                    let mismatched =
                        MismatchedRequirement { requirement: without_marker(requirement), name, version, required_by };
                    if !self.mismatched.contains(&mismatched) {
                        self.mismatched.push(mismatched);
                    }
                }
            }
            (Some(_), _) => {}
        }
    }
}

fn without_marker(requirement: &Requirement) -> String {
    Requirement { marker: None, ..requirement.clone() }.to_string()
}
