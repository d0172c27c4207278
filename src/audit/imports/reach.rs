//! Which modules of the application are run for certain.

use std::collections::VecDeque;

use super::resolve::Resolution;
use super::source::When;
use super::{Follower, Outcome, applicable};

/// Folders and files that a project has beside its application: nobody runs them where it is deployed.
const BESIDE: [&str; 12] = [
    "benchmarks",
    "conftest",
    "docs",
    "doc",
    "examples",
    "fabfile",
    "noxfile",
    "setup",
    "test",
    "testing",
    "tests",
    "testutils",
];

/// Which modules are run for certain, in their order.
pub(super) struct Reached {
    pub(super) certainly: Vec<bool>,
}

/// Returns whether a module is a test, a script for developers or an example, by its dotted name.
pub(super) fn is_beside(name: &str) -> bool {
    let is_test =
        |component: &str| BESIDE.contains(&component) || component.starts_with("test_") || component.ends_with("_test");
    name.split('.').any(is_test)
}

/// Follows the imports that are always run, from the modules that are started.
pub(super) fn reached(follower: &mut Follower, outcomes: &[Vec<Outcome>], started: &[String]) -> Reached {
    let modules = follower.modules;
    let mut reached = Reached { certainly: vec![false; modules.len()] };
    let mut queue: VecDeque<usize> = VecDeque::new();
    for name in started {
        queue.extend(follower.chain(name));
    }
    if queue.is_empty() {
        queue.extend((0..modules.len()).filter(|at| !is_beside(&modules[*at].name)));
    }
    while let Some(at) = queue.pop_front() {
        if std::mem::replace(&mut reached.certainly[at], true) {
            continue;
        }
        let module = &modules[at];
        for (import, outcome) in applicable(module, &outcomes[at]) {
            if import.when != When::Always || !matches!(outcome, Outcome::Fine) {
                continue;
            }
            let Some(name) = module.absolute(import) else { continue };
            queue.extend(follower.chain(&name));
            if let Some(below) = &import.name {
                queue.extend(follower.chain(&format!("{name}.{below}")));
            }
        }
        for mention in &module.source.mentions {
            queue.extend(follower.chain(mention));
        }
        for package in &module.source.listed {
            let below = format!("{package}.");
            let is_below = |at: &usize| modules[*at].name.starts_with(&below) && !is_beside(&modules[*at].name);
            queue.extend((0..modules.len()).filter(is_below));
        }
    }
    reached
}

impl Follower<'_> {
    /// Returns the modules of the application that importing a name runs: the packages above it, and itself.
    fn chain(&mut self, name: &str) -> Vec<usize> {
        let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
        let prefixes: Vec<&str> = ends.map(|end| &name[..end]).collect();
        let mut chain = Vec::new();
        for prefix in prefixes {
            match self.resolver.resolve(prefix) {
                Resolution::File(file) => chain.extend(self.positions.get(file.path)),
                Resolution::Namespace(_) => {}
                _ => break,
            }
        }
        chain
    }
}
