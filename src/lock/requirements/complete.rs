//! Whether everything that the pinned distributions require is pinned too.
//!
//! Specification: [PyPA, core metadata](https://packaging.python.org/en/latest/specifications/core-metadata/#requires-dist-multiple-use),
//! `Requires-Dist`.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use crate::marker::{self, ActiveExtras, Constraint, Requirement};
use crate::name::{DistributionName, ExtraName};
use crate::platform::{MarkerEnvironment, TargetPlatform};

/// A distribution that will be installed, and what its metadata requires.
#[derive(Debug, Clone)]
pub struct Installed<'a> {
    /// The normalized name.
    pub name: DistributionName,
    /// The version, if it is known.
    pub version: Option<Version>,
    /// The extras that the user asks for: those of [`super::Requirements::extras`].
    pub extras: BTreeSet<ExtraName>,
    /// The values of `Requires-Dist`.
    pub requires_dist: &'a [String],
}

/// A requirement of a distribution that nothing satisfies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The requirement, without its marker.
    pub requirement: String,
    /// The name of what is missing.
    pub name: DistributionName,
    /// Who requires it.
    pub required_by: DistributionName,
}

/// A requirement of a distribution that the pinned version does not satisfy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatched {
    /// The requirement, without its marker.
    pub requirement: String,
    /// The name of what is pinned.
    pub name: DistributionName,
    /// The pinned version.
    pub version: Version,
    /// Who requires it.
    pub required_by: DistributionName,
}

/// What pinned distributions require and do not get. Both lists are ordered by who requires it, then as its metadata is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completeness {
    /// What is not pinned.
    pub missing: Vec<Missing>,
    /// What is pinned at a version that is not accepted.
    pub mismatched: Vec<Mismatched>,
}

impl Completeness {
    /// Returns whether nothing is missing, and nothing has a version that is not accepted.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.mismatched.is_empty()
    }
}

/// A distribution's requirements, and which of its extras are active.
struct Node<'a> {
    version: Option<&'a Version>,
    requirements: Vec<Requirement>,
    extras: BTreeSet<ExtraName>,
}

/// Compares what distributions require on a target with what is pinned. `left_out` are those that are pinned, but not
/// installed: they are not missing.
///
/// A line of metadata that is no requirement is passed over: old distributions have such, and installers pass over them.
pub fn completeness(
    installed: &[Installed],
    left_out: &BTreeSet<DistributionName>,
    target: &TargetPlatform,
) -> Completeness {
    let graph = Graph::new(installed, target);
    let mut completeness = Completeness::default();
    for (required_by, requirement) in graph.applying() {
        completeness.compare(requirement, required_by, &graph.nodes, left_out);
    }
    completeness
}

/// Returns what each distribution requires of what is installed, on a target and with the extras that are asked for. What
/// requires nothing is there, too.
pub fn dependencies(
    installed: &[Installed],
    target: &TargetPlatform,
) -> BTreeMap<DistributionName, BTreeSet<DistributionName>> {
    let graph = Graph::new(installed, target);
    let mut dependencies: BTreeMap<_, BTreeSet<_>> =
        graph.nodes.keys().map(|name| (name.clone(), BTreeSet::new())).collect();
    for (required_by, requirement) in graph.applying() {
        // An extra of its own is how a distribution names several at once.
        if requirement.name != *required_by && graph.nodes.contains_key(&requirement.name) {
            dependencies.entry(required_by.clone()).or_default().insert(requirement.name.clone());
        }
    }
    dependencies
}

/// Distributions and what they require of each other.
struct Graph<'a> {
    nodes: BTreeMap<DistributionName, Node<'a>>,
    environment: MarkerEnvironment,
}

impl<'a> Graph<'a> {
    fn new(installed: &'a [Installed], target: &TargetPlatform) -> Self {
        let mut nodes: BTreeMap<DistributionName, Node> = BTreeMap::new();
        for Installed { name, version, extras, requires_dist } in installed {
            let requirements = requires_dist.iter().filter_map(|text| text.parse().ok()).collect();
            let node = Node { version: version.as_ref(), requirements, extras: extras.clone() };
            nodes.insert(name.clone(), node);
        }
        let environment = target.marker_environment();
        activate(&mut nodes, &|requirement, extras| holds(requirement, extras, &environment));
        Self { nodes, environment }
    }

    /// Returns the requirements that apply, with who has them.
    fn applying(&self) -> impl Iterator<Item = (&DistributionName, &Requirement)> {
        self.nodes.iter().flat_map(move |(name, node)| {
            let applying = node.requirements.iter();
            applying
                .filter(move |requirement| holds(requirement, &node.extras, &self.environment))
                .map(move |requirement| (name, requirement))
        })
    }
}

/// Tells whether a requirement applies with any of some extras, or without one.
fn holds(requirement: &Requirement, extras: &BTreeSet<ExtraName>, environment: &MarkerEnvironment) -> bool {
    let Some(marker) = &requirement.marker else { return true };
    let mut active = extras.iter().map(|extra| [extra.to_string()].into()).chain([BTreeSet::new()]);
    active.any(|extras| marker.evaluate(environment, &ActiveExtras { extras, groups: BTreeSet::new() }))
}

/// Activates the extras that requirements ask for, and those that these ask for, until there are no more.
fn activate(nodes: &mut BTreeMap<DistributionName, Node>, holds: &impl Fn(&Requirement, &BTreeSet<ExtraName>) -> bool) {
    let mut changed: BTreeSet<DistributionName> = nodes.keys().cloned().collect();
    while let Some(name) = changed.pop_first() {
        let Some(node) = nodes.get(&name) else { continue };
        let asked: Vec<(DistributionName, BTreeSet<ExtraName>)> = node
            .requirements
            .iter()
            .filter(|requirement| !requirement.extras.is_empty() && holds(requirement, &node.extras))
            .map(|requirement| (requirement.name.clone(), requirement.extras.clone()))
            .collect();
        for (name, extras) in asked {
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
    /// Notes whether a requirement that applies is not satisfied.
    fn compare(
        &mut self,
        requirement: &Requirement,
        required_by: &DistributionName,
        nodes: &BTreeMap<DistributionName, Node>,
        left_out: &BTreeSet<DistributionName>,
    ) {
        let (name, required_by) = (requirement.name.clone(), required_by.clone());
        let text = || Requirement { marker: None, ..requirement.clone() }.to_string();
        match (nodes.get(&name), &requirement.constraint) {
            (None, _) if left_out.contains(&name) => {}
            (None, _) => {
                let missing = Missing { requirement: text(), name, required_by };
                if !self.missing.contains(&missing) {
                    self.missing.push(missing);
                }
            }
            (Some(Node { version: Some(version), .. }), Constraint::Specifiers(specifiers)) => {
                if !specifiers.iter().all(|specifier| marker::contains(specifier, version)) {
                    let version = (*version).clone();
                    let mismatched = Mismatched { requirement: text(), name, version, required_by };
                    if !self.mismatched.contains(&mismatched) {
                        self.mismatched.push(mismatched);
                    }
                }
            }
            (Some(_), _) => {}
        }
    }
}
