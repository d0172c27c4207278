//! Which modules the application leads to, and which data they name.

use std::collections::{BTreeMap, VecDeque};

use super::{DataUse, ModuleFacts, SlimRule};
use crate::syntax::SourceLine;

/// A module of the artifact.
#[derive(Debug)]
pub(crate) struct CodeModule<'a> {
    /// The dotted name.
    pub(crate) name: String,
    /// The path, as messages show it.
    pub(crate) path: String,
    pub(crate) facts: &'a ModuleFacts,
    /// Whether it may run without being imported by another one.
    pub(crate) is_started: bool,
    /// The rule about the library that it is a part of.
    pub(crate) library: Option<SlimRule>,
}

/// A use of data in a module that is reached.
#[derive(Debug)]
pub(crate) struct ReachedUse<'a> {
    pub(crate) module: &'a CodeModule<'a>,
    pub(crate) found: &'a DataUse,
}

impl ReachedUse<'_> {
    pub(crate) fn location(&self) -> SourceLine {
        SourceLine { path: self.module.path.clone(), line: self.found.line }
    }
}

/// Returns the uses in all modules that those which are started lead to, in the order of the modules. Imports are followed
/// wherever they are, and so are modules that are named by strings: what is loaded by a plugin system is named somewhere.
pub(crate) fn reached<'a>(modules: &'a [CodeModule]) -> Vec<ReachedUse<'a>> {
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, module) in modules.iter().enumerate() {
        by_name.entry(&module.name).or_default().push(at);
    }
    let mut is_reached = vec![false; modules.len()];
    let started = modules.iter().enumerate().filter(|(_, module)| module.is_started);
    let mut queue: VecDeque<usize> = started.map(|(at, _)| at).collect();
    while let Some(at) = queue.pop_front() {
        if std::mem::replace(&mut is_reached[at], true) {
            continue;
        }
        let facts = modules[at].facts;
        for name in facts.imports.iter().chain(&facts.mentions) {
            queue.extend(executed(&by_name, name));
        }
        for package in &facts.discovered {
            queue.extend(executed(&by_name, package));
            queue.extend(below(&by_name, package));
        }
        // Frameworks discover the modules of packages that settings list, as Django does with `INSTALLED_APPS`.
        for package in facts.listed.iter().filter(|_| modules[at].is_started) {
            queue.extend(executed(&by_name, package));
            queue.extend(below(&by_name, package));
        }
    }
    let reached = modules.iter().zip(is_reached).filter(|(_, is_reached)| *is_reached);
    reached
        .flat_map(|(module, _)| {
            let uses = module.facts.uses.iter().filter(|found| module.library != Some(found.rule));
            uses.map(move |found| ReachedUse { module, found })
        })
        .collect()
}

/// Returns the positions of the modules that importing a name executes: the packages above it, and the module itself.
fn executed(by_name: &BTreeMap<&str, Vec<usize>>, name: &str) -> Vec<usize> {
    let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
    ends.filter_map(|end| by_name.get(&name[..end])).flatten().copied().collect()
}

/// Returns the positions of the modules below a package.
fn below(by_name: &BTreeMap<&str, Vec<usize>>, package: &str) -> Vec<usize> {
    let prefix = format!("{package}.");
    let names = by_name.range(&*prefix..).take_while(|(name, _)| name.starts_with(&prefix));
    names.flat_map(|(_, positions)| positions).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::PythonVersion;

    /// Returns the data that some modules name, where `app` is started.
    fn named(sources: &[(&str, &str)]) -> Vec<String> {
        let python = PythonVersion::new(12);
        let facts: Vec<ModuleFacts> =
            sources.iter().map(|(name, text)| ModuleFacts::read(text.as_bytes(), name, false, python)).collect();
        let modules = sources.iter().zip(&facts).map(|((name, _), facts)| CodeModule {
            name: (*name).to_owned(),
            path: (*name).to_owned(),
            facts,
            is_started: *name == "app",
            library: name.starts_with("boto3").then_some(SlimRule::Services),
        });
        let modules: Vec<CodeModule> = modules.collect();
        reached(&modules).iter().filter_map(|reached| reached.found.name.clone()).collect()
    }

    #[test]
    fn imports_and_names_in_strings_are_followed() {
        let storage = "import boto3\nboto3.client('s3')";
        for app in [
            "import storage.s3",
            "def f():\n    from storage import s3",
            "BACKEND = 'storage.s3.S3Storage'",
            "entry = 'storage.s3:S3Storage'",
            "import importlib\nimportlib.import_module('storage.s3')",
            "import importlib\nimportlib.import_module(f'storage.{name}')",
            "INSTALLED_APPS = ['storage']",
        ] {
            assert_eq!(named(&[("app", app), ("storage.s3", storage)]), ["s3"], "{app}");
        }
        for app in ["import storage", "import storage.s3_other", "x = 'storage'", "import boto3.session"] {
            let modules = [("app", app), ("storage.s3", storage), ("boto3.session", storage)];
            assert_eq!(named(&modules), [""; 0], "{app}");
        }
    }
}
