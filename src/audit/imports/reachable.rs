//! Which modules of the application what is started leads to, and which of them are certainly executed.

use std::collections::{HashSet, VecDeque};

use super::resolve::ModuleResolution;
use super::source::ImportCondition;
use super::{ApplicationModule, ImportChecker, ImportOutcome, applicable, top};

/// Directories and modules that projects have beside the application, and that do not run in production.
const DEVELOPMENT_ONLY: [&str; 12] = [
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

/// The names that guides and frameworks give to modules that an application is started by.
const ENTRY_MODULES: [&str; 9] =
    ["__main__", "app", "asgi", "handler", "lambda_function", "lambda_handler", "main", "manage", "wsgi"];

/// Top-level modules that people run by hand, perhaps with more distributions installed than in production.
const RUN_BY_HAND: [&str; 5] = ["bin", "dev", "locustfile", "scripts", "tools"];

/// How what is started leads to a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModuleReach {
    /// Not at all, as far as the sources tell.
    None,
    /// By an import that is executed under a condition, or by its name in a string.
    Possible,
    /// By imports that are always executed.
    Certain,
}

/// Returns whether a module is a test, a script for developers or an example, by its dotted name.
pub(crate) fn is_development_only(name: &str) -> bool {
    name.split('.').any(|component| {
        DEVELOPMENT_ONLY.contains(&component) || component.starts_with("test_") || component.ends_with("_test")
    })
}

/// Returns the positions of the modules that are started, and the name of the first; nothing if they are not known.
pub(super) fn entries(checker: &mut ImportChecker, started: &[String]) -> (Vec<usize>, Option<String>) {
    let (mut entries, mut first) = (Vec::new(), None);
    for name in started {
        let executed = checker.executed_by_import(name);
        if !executed.is_empty() && first.is_none() {
            first = Some(name.trim_end_matches(".__main__").to_owned());
        }
        entries.extend(executed);
    }
    (entries, first)
}

/// Returns how what is started leads to each module. If that is not known, every module that may be started is.
pub(super) fn reach(
    checker: &mut ImportChecker,
    outcomes: &[Vec<ImportOutcome>],
    known: Vec<usize>,
) -> Vec<ModuleReach> {
    let modules = checker.modules;
    let (certain, possible) = if known.is_empty() {
        // A module that others import only under a condition is not started by itself.
        let conditional = imported_conditionally(checker);
        let used = modules.iter().enumerate();
        let used = used.filter(|(_, module)| !is_development_only(&module.name) && !is_run_by_hand(&module.name));
        let certain =
            used.clone().filter(|(at, module)| module.is_root && may_be_started(module) && !conditional.contains(at));
        (certain.map(|(at, _)| at).collect(), used.map(|(at, _)| at).collect())
    } else {
        (known.clone(), known)
    };
    let certain = followed(checker, outcomes, certain, ModuleReach::Certain);
    let possible = followed(checker, outcomes, possible, ModuleReach::Possible);
    let reach = certain.into_iter().zip(possible).map(|reached| match reached {
        (true, _) => ModuleReach::Certain,
        (false, true) => ModuleReach::Possible,
        (false, false) => ModuleReach::None,
    });
    reach.collect()
}

/// Follows imports from these modules: those that are certainly executed, or all of them. Returns for each module whether it
/// is reached.
fn followed(
    checker: &mut ImportChecker,
    outcomes: &[Vec<ImportOutcome>],
    from: Vec<usize>,
    reach: ModuleReach,
) -> Vec<bool> {
    let modules = checker.modules;
    let follows_all = reach == ModuleReach::Possible;
    let tops: HashSet<&str> = modules.iter().map(|module| top(&module.name)).collect();
    // A single word such as `dev` is rarely the name of such a module.
    let is_module =
        |mention: &&String| tops.contains(top(mention)) && (mention.contains('.') || !is_run_by_hand(mention));
    let mut reached = vec![false; modules.len()];
    let mut queue = VecDeque::from(from);
    while let Some(at) = queue.pop_front() {
        if std::mem::replace(&mut reached[at], true) {
            continue;
        }
        let module = &modules[at];
        for (import, outcome) in applicable(module, &outcomes[at]) {
            let is_executed = import.when == ImportCondition::Always && matches!(outcome, ImportOutcome::Resolved);
            if !is_executed && !follows_all {
                continue;
            }
            let Some(name) = module.absolute(import) else { continue };
            queue.extend(checker.executed_by_import(&name));
            if let Some(below) = &import.name {
                queue.extend(checker.executed_by_import(&format!("{name}.{below}")));
            }
        }
        if follows_all {
            for package in &module.source.computed_imports {
                let own = module.package(1).filter(|_| package.is_empty());
                queue.extend(below(modules, own.as_deref().unwrap_or(package)));
            }
            // Django discovers the modules of an application by its configuration: `shop.apps.ShopConfig`.
            let configurations =
                module.source.mentions_in_lists.iter().filter_map(|mention| mention.split_once(".apps."));
            configurations.for_each(|(package, _)| queue.extend(below(modules, package)));
        }
        if !follows_all && !loads_mentioned_modules(module) {
            continue;
        }
        for mention in module.source.mentions.iter().filter(is_module) {
            queue.extend(checker.executed_by_import(mention));
        }
        for package in module.source.mentions_in_lists.iter().filter(is_module) {
            queue.extend(below(modules, package));
        }
    }
    reached
}

/// Returns the positions of the modules below a package, except for tests.
fn below(modules: &[ApplicationModule], package: &str) -> Vec<usize> {
    if package.is_empty() {
        return Vec::new();
    }
    let prefix = format!("{package}.");
    let submodules = modules.iter().enumerate().filter(|(_, module)| module.name.starts_with(&prefix));
    submodules.filter(|(_, module)| !is_development_only(&module.name)).map(|(at, _)| at).collect()
}

/// Returns whether people run a module by hand, by its dotted name.
fn is_run_by_hand(name: &str) -> bool {
    RUN_BY_HAND.contains(&top(name))
}

/// Returns whether a process may start with a module, where nothing says which one it starts with. That is any module of an
/// application; but of a package only its top level and what is named like an entry module, because the rest may need what
/// only some users of the package install.
fn may_be_started(module: &ApplicationModule) -> bool {
    let last = module.name.rsplit('.').next().unwrap_or_default();
    !module.is_packaged || !module.name.contains('.') || ENTRY_MODULES.contains(&last)
}

/// Returns whether the strings of a module name modules that are certainly loaded, as in settings. Those of a package may
/// be names of optional integrations.
fn loads_mentioned_modules(module: &ApplicationModule) -> bool {
    let last = module.name.rsplit('.').next().unwrap_or_default();
    !module.is_packaged || ENTRY_MODULES.contains(&last) || module.name.split('.').any(|name| name.contains("settings"))
}

/// Returns the modules that others import where the import may fail or not be executed.
fn imported_conditionally(checker: &mut ImportChecker) -> HashSet<usize> {
    let mut conditional = HashSet::new();
    for (at, module) in checker.modules.iter().enumerate() {
        for import in module.source.imports.iter().filter(|import| import.when != ImportCondition::Always) {
            let Some(name) = module.absolute(import) else { continue };
            let below = import.name.iter().map(|below| format!("{name}.{below}"));
            let names: Vec<String> = below.chain([name.clone()]).collect();
            let found = names.iter().find_map(|name| checker.application_module(name));
            conditional.extend(found.filter(|found| *found != at));
        }
    }
    conditional
}

impl ImportChecker<'_> {
    /// Returns the position of the module of the application that has a name.
    fn application_module(&mut self, name: &str) -> Option<usize> {
        match self.resolver.resolve(name) {
            ModuleResolution::Module(file) => self.positions.get(file.path).copied(),
            _ => None,
        }
    }

    /// Returns the positions of the modules of the application that importing a name executes: the packages above it, and
    /// the module itself.
    fn executed_by_import(&mut self, name: &str) -> Vec<usize> {
        let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
        let prefixes: Vec<&str> = ends.map(|end| &name[..end]).collect();
        let mut executed = Vec::new();
        for prefix in prefixes {
            match self.resolver.resolve(prefix) {
                ModuleResolution::Module(file) => executed.extend(self.positions.get(file.path)),
                ModuleResolution::Namespace(_) => {}
                _ => break,
            }
        }
        executed
    }
}
