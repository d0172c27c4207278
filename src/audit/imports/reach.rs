//! Which modules of the application are run for certain.

use std::collections::{HashSet, VecDeque};

use super::resolve::Resolution;
use super::source::When;
use super::{Follower, Module, Outcome, applicable, top};

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

/// The modules that guides and frameworks have applications start in.
const STARTS: [&str; 9] =
    ["__main__", "app", "asgi", "handler", "lambda_function", "lambda_handler", "main", "manage", "wsgi"];

/// Folders and files of what people run by hand, perhaps with more than what is deployed.
const BY_HAND: [&str; 4] = ["bin", "locustfile", "scripts", "tools"];

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
    let tops: HashSet<&str> = modules.iter().map(|module| top(&module.name)).collect();
    for name in started {
        queue.extend(follower.chain(name));
    }
    if queue.is_empty() {
        // What is imported under a condition alone is not started by itself.
        let conditional = imported_under_conditions(follower);
        let is_start = |module: &Module| module.is_root && !is_beside(&module.name) && may_start(module);
        queue.extend((0..modules.len()).filter(|at| is_start(&modules[*at]) && !conditional.contains(at)));
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
        if !loads_what_it_mentions(module) {
            continue;
        }
        for mention in module.source.mentions.iter().filter(|mention| tops.contains(top(mention))) {
            queue.extend(follower.chain(mention));
        }
        for package in module.source.listed.iter().filter(|package| tops.contains(top(package))) {
            let below = format!("{package}.");
            let is_below = |at: &usize| modules[*at].name.starts_with(&below) && !is_beside(&modules[*at].name);
            queue.extend((0..modules.len()).filter(is_below));
        }
    }
    reached
}

/// Returns whether a process may start in a module, if nobody says where it does: in any of an application, but of a
/// package in what importing it runs and what has the name for it. The rest may need what only some of its users have.
fn may_start(module: &Module) -> bool {
    let last = module.name.rsplit('.').next().unwrap_or_default();
    let is_by_hand = BY_HAND.contains(&top(&module.name));
    !is_by_hand && (!module.is_packaged || !module.name.contains('.') || STARTS.contains(&last))
}

/// Returns whether a module's strings name what is loaded for certain, as settings do. Those of a package may name what it
/// works with if it is there.
fn loads_what_it_mentions(module: &Module) -> bool {
    let last = module.name.rsplit('.').next().unwrap_or_default();
    !module.is_packaged || STARTS.contains(&last) || module.name.split('.').any(|name| name.contains("settings"))
}

/// Returns the modules that others import where that may fail or not be run.
fn imported_under_conditions(follower: &mut Follower) -> HashSet<usize> {
    let mut conditional = HashSet::new();
    for (at, module) in follower.modules.iter().enumerate() {
        for import in module.source.imports.iter().filter(|import| import.when != When::Always) {
            let Some(name) = module.absolute(import) else { continue };
            let below = import.name.iter().map(|below| format!("{name}.{below}"));
            let names: Vec<String> = below.chain([name.clone()]).collect();
            let found = names.iter().find_map(|name| follower.own(name));
            conditional.extend(found.filter(|found| *found != at));
        }
    }
    conditional
}

impl Follower<'_> {
    /// Returns the module of the application that has a name.
    fn own(&mut self, name: &str) -> Option<usize> {
        match self.resolver.resolve(name) {
            Resolution::File(file) => self.positions.get(file.path).copied(),
            _ => None,
        }
    }

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
