//! The dependencies of a plan as a tree, from its roots or from one distribution upwards, in the form of `uv tree`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::text_page::TextPage;
use crate::report::{DistributionReport, PlanReport, RequirementReport};

/// What the order of distributions is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DistributionOrder {
    /// By name
    #[default]
    Name,
    /// By size, largest first
    Size,
}

impl DistributionOrder {
    /// Returns distributions in this order.
    pub(super) fn sorted(self, distributions: &[DistributionReport]) -> Vec<&DistributionReport> {
        let mut sorted: Vec<&DistributionReport> = distributions.iter().collect();
        if self == Self::Size {
            sorted.sort_by_key(|distribution| Reverse(distribution.size));
        }
        sorted
    }
}

/// How many levels of a tree are shown, as by `uv tree`: a lock of others may be a chain of 100,000.
const DEEPEST: usize = 255;

/// The distributions of a plan and what requires what.
pub(super) struct DependencyTree<'a> {
    distributions: BTreeMap<&'a str, &'a DistributionReport>,
    /// By what they come from.
    dependencies: BTreeMap<&'a str, Vec<Edge<'a>>>,
    /// By what they lead to.
    dependents: BTreeMap<&'a str, Vec<Edge<'a>>>,
    /// The conditions of distributions, where the lock has them instead of their requirements.
    conditions: BTreeMap<&'a str, String>,
    order: DistributionOrder,
}

/// That a distribution is required.
#[derive(Clone)]
struct Edge<'a> {
    /// The other end: a distribution, or what the user names: a requirements file.
    other: &'a str,
    /// For which extra or group of `from`, and under which marker, for instance `extra: socks`.
    condition: Option<String>,
}

/// In which direction a tree grows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Dependencies,
    Dependents,
}

impl<'a> DependencyTree<'a> {
    pub(super) fn new(plan: &'a PlanReport, order: DistributionOrder) -> Self {
        let distributions: BTreeMap<&str, &DistributionReport> =
            plan.distributions.iter().map(|distribution| (distribution.name.as_str(), distribution)).collect();
        let mut requirements: BTreeMap<&str, Vec<&RequirementReport>> = BTreeMap::new();
        for requirement in &plan.requirements {
            requirements.entry(&requirement.name).or_default().push(requirement);
        }
        let requirements = |name: &str| requirements.get(name).map(Vec::as_slice).unwrap_or_default();
        let (mut dependencies, mut dependents) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for distribution in &plan.distributions {
            let to = distribution.name.as_str();
            for by in distribution.required_by.iter().filter(|by| *by != REQUEST) {
                let (from, condition) = dependent(by);
                let markers = conditions(requirements(to), |required_by| required_by == by);
                let all: Vec<String> = condition.into_iter().chain(markers).collect();
                let edge = Edge { other: from, condition: (!all.is_empty()).then(|| all.join(", ")) };
                dependencies.entry(from).or_default().push(Edge { other: to, ..edge.clone() });
                dependents.entry(to).or_default().push(edge);
            }
        }
        let lock = plan.lock.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
        let conditions = plan.distributions.iter().filter_map(|distribution| {
            let of_lock =
                |by: &str| lock == Some(by) && !distribution.required_by.iter().any(|required_by| required_by == by);
            let all: Vec<String> = conditions(requirements(&distribution.name), of_lock).collect();
            (!all.is_empty()).then(|| (distribution.name.as_str(), all.join(", ")))
        });
        Self { conditions: conditions.collect(), distributions, dependencies, dependents, order }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.distributions.contains_key(name)
    }

    /// Adds the tree of everything that is required, from the roots.
    pub(super) fn show(&self, page: &mut TextPage) {
        let named = self.dependencies.keys().copied().filter(|from| !self.contains(from));
        let requested =
            self.distributions.values().filter(|distribution| distribution.required_by.iter().any(|by| by == REQUEST));
        let roots: BTreeSet<&str> = requested.map(|distribution| distribution.name.as_str()).chain(named).collect();
        self.show_from(roots, Direction::Dependencies, page);
    }

    /// Adds every path from a distribution to the roots.
    pub(super) fn show_dependents(&self, name: &'a str, page: &mut TextPage) {
        self.show_from([name], Direction::Dependents, page);
    }

    /// Returns a distribution and everything that directly or indirectly requires it, ordered by name.
    pub(super) fn ancestors(&self, name: &'a str) -> Vec<&'a DistributionReport> {
        let (mut found, mut queue) = (BTreeSet::new(), vec![name]);
        while let Some(name) = queue.pop() {
            if found.insert(name) {
                queue.extend(self.dependents.get(name).into_iter().flatten().map(|edge| edge.other));
            }
        }
        found.into_iter().filter_map(|name| self.distributions.get(name).copied()).collect()
    }

    fn show_from<'b>(&'b self, roots: impl IntoIterator<Item = &'b str>, direction: Direction, page: &mut TextPage) {
        let mut shown = BTreeSet::new();
        let (mut has_repetition, mut is_cut) = (false, false);
        for root in roots {
            page.line(&self.titled(root));
            shown.insert(root);
            let below = self.branches(root, direction, (1, ""), &mut shown, page);
            (has_repetition, is_cut) = (has_repetition | below.0, is_cut | below.1);
        }
        if has_repetition {
            page.line("(*) what follows is shown above");
        }
        if is_cut {
            page.line(&format!("(…) what follows is more than {DEEPEST} levels below"));
        }
    }

    /// Adds the lines below a node; returns whether one of them stands for lines that are shown already, and whether one stands
    /// for lines that are too deep.
    fn branches<'b>(
        &'b self,
        node: &str,
        direction: Direction,
        (depth, indentation): (usize, &str),
        shown: &mut BTreeSet<&'b str>,
        page: &mut TextPage,
    ) -> (bool, bool) {
        let below = self.below(node, direction);
        let (mut has_repetition, mut is_cut) = (false, false);
        for (at, (name, condition)) in below.iter().enumerate() {
            let (branch, rest) = if at + 1 == below.len() { ("└── ", "    ") } else { ("├── ", "│   ") };
            let condition = condition.as_ref().map(|condition| format!(" ({condition})")).unwrap_or_default();
            let has_more = self.edges(name, direction).next().is_some();
            let is_repeated = !shown.insert(name) && has_more;
            let is_too_deep = !is_repeated && has_more && depth == DEEPEST;
            let mark = match (is_repeated, is_too_deep) {
                (true, _) => " (*)",
                (false, true) => " (…)",
                (false, false) => "",
            };
            page.line(&format!("{indentation}{branch}{}{condition}{mark}", self.titled(name)));
            (has_repetition, is_cut) = (has_repetition | is_repeated, is_cut | is_too_deep);
            if !is_repeated && !is_too_deep {
                let indentation = format!("{indentation}{rest}");
                let below = self.branches(name, direction, (depth + 1, &indentation), shown, page);
                (has_repetition, is_cut) = (has_repetition | below.0, is_cut | below.1);
            }
        }
        (has_repetition, is_cut)
    }

    fn edges(&self, node: &str, direction: Direction) -> impl Iterator<Item = &Edge<'a>> {
        let by_node = match direction {
            Direction::Dependencies => &self.dependencies,
            Direction::Dependents => &self.dependents,
        };
        by_node.get(node).into_iter().flatten()
    }

    /// Returns what is below a node, each with the conditions of its edge.
    fn below(&self, node: &str, direction: Direction) -> Vec<(&str, Option<String>)> {
        let mut below: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for edge in self.edges(node, direction) {
            below.entry(edge.other).or_default().extend(edge.condition.as_deref());
        }
        let mut below: Vec<(&str, Option<String>)> = below
            .into_iter()
            .map(|(name, conditions)| (name, (!conditions.is_empty()).then(|| conditions.join(", "))))
            .collect();
        if self.order == DistributionOrder::Size {
            below.sort_by_key(|(name, _)| {
                Reverse(self.distributions.get(name).and_then(|distribution| distribution.size))
            });
        }
        below
    }

    /// Returns a name with its version.
    fn titled(&self, name: &str) -> String {
        let version = self.distributions.get(name).and_then(|distribution| distribution.version.as_ref());
        let version = version.map(|version| format!(" v{version}")).unwrap_or_default();
        let condition = self.conditions.get(name).map(|condition| format!(" ({condition})")).unwrap_or_default();
        format!("{name}{version}{condition}")
    }
}

/// How a report names the user as what requires a distribution.
const REQUEST: &str = "the request";

/// Returns the conditions that hold for the requirements of a distribution by some dependents, as they are shown.
fn conditions(requirements: &[&RequirementReport], is_meant: impl Fn(&str) -> bool) -> impl Iterator<Item = String> {
    let requirements =
        requirements.iter().filter(move |requirement| requirement.applies && is_meant(&requirement.required_by));
    requirements.filter_map(|requirement| Some(format!("if {}", requirement.condition.as_ref()?)))
}

/// Splits what requires a distribution into its name and the extra or group for which it does.
pub(super) fn dependent(text: &str) -> (&str, Option<String>) {
    if let Some((group, name)) = text.strip_prefix("the group `").and_then(|rest| rest.split_once("` of ")) {
        return (name, Some(format!("group: {group}")));
    }
    match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
        Some((name, extra)) => (name, Some(format!("extra: {extra}"))),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_requires_a_distribution_is_split() {
        for (text, expected) in [
            ("requests", ("requests", None)),
            ("requests[socks]", ("requests", Some("extra: socks"))),
            ("the group `dev` of shop", ("shop", Some("group: dev"))),
            ("requirements/prod.txt", ("requirements/prod.txt", None)),
        ] {
            let (name, condition) = dependent(text);
            assert_eq!((name, condition.as_deref()), expected, "{text}");
        }
    }
}
