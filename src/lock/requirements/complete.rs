//! Whether everything that the pinned distributions require is pinned too.
//!
//! Specification: [PyPA, core metadata](https://packaging.python.org/en/latest/specifications/core-metadata/#requires-dist-multiple-use),
//! `Requires-Dist`.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use crate::marker::{self, ActiveExtras, Constraint, Requirement};
use crate::name::{DistributionName, ExtraName};
use crate::target::Target;

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
pub fn completeness(installed: &[Installed], left_out: &BTreeSet<DistributionName>, target: &Target) -> Completeness {
    let mut nodes: BTreeMap<DistributionName, Node> = BTreeMap::new();
    for Installed { name, version, extras, requires_dist } in installed {
        let requirements = requires_dist.iter().filter_map(|text| text.parse().ok()).collect();
        let node = Node { version: version.as_ref(), requirements, extras: extras.clone() };
        nodes.insert(name.clone(), node);
    }
    let environment = target.marker_environment();
    let holds = |requirement: &Requirement, extras: &BTreeSet<ExtraName>| {
        let Some(marker) = &requirement.marker else { return true };
        let active = extras.iter().map(|extra| [extra.to_string()].into()).chain([BTreeSet::new()]);
        active
            .into_iter()
            .any(|extras| marker.evaluate(&environment, &ActiveExtras { extras, groups: BTreeSet::new() }))
    };
    activate(&mut nodes, &holds);
    let mut completeness = Completeness::default();
    for (required_by, node) in &nodes {
        for requirement in node.requirements.iter().filter(|requirement| holds(requirement, &node.extras)) {
            completeness.compare(requirement, required_by, &nodes, left_out);
        }
    }
    completeness
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
