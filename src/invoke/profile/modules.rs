//! The modules that a function imports when it starts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::import_times::ImportTimes;
use super::median;
use crate::audit::imports::is_standard;
use crate::invoke::function::LocalFunction;
use crate::tree::{Distribution, FileOrigin};

/// A module with the time that it took.
#[derive(Debug, Clone)]
pub(crate) struct ProfiledModule {
    pub(crate) name: String,
    /// Without what it imports.
    pub(crate) own: Duration,
    /// With what it imports first.
    pub(crate) total: Duration,
    /// The module that imports it first; `None` for the handler's.
    pub(crate) importer: Option<String>,
    pub(crate) origin: ModuleOrigin,
}

/// What a module belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ModuleOrigin {
    Application,
    Distribution(Arc<Distribution>),
    StandardLibrary,
    /// Of no file that is known, such as a module that is missing.
    Unknown,
}

/// The imports of the first start that belong to the function, and not to the interpreter or the client.
#[derive(Debug)]
pub(super) struct FunctionImports {
    times: ImportTimes,
    /// The positions of those that belong to the function.
    positions: Vec<usize>,
}

impl FunctionImports {
    pub(super) fn new(function: &LocalFunction, times: ImportTimes) -> Self {
        let handler = function.handler_module();
        // The client imports the handler's module outside any import. If the process ended before that import did, what it had
        // imported by then is known, but not its module.
        let root = times.imports.iter().rposition(|import| import.depth == 0 && import.name == handler);
        let mut belongs = vec![false; times.imports.len()];
        for (position, import) in times.imports.iter().enumerate().rev() {
            belongs[position] = match import.importer {
                Some(importer) => belongs[importer],
                None => root.map_or(import.depth > 0, |root| root == position),
            };
        }
        let positions = (0..times.imports.len()).filter(|position| belongs[*position]).collect();
        Self { times, positions }
    }

    /// Returns the positions of the imports with what each imports first.
    pub(super) fn importing(&self, name: &str) -> impl Iterator<Item = (&str, Duration)> {
        let totals = self.totals(&self.own_times());
        self.positions.iter().filter_map(move |position| {
            let import = &self.times.imports[*position];
            let importer = &self.times.imports[import.importer?];
            (importer.name == name).then(|| (import.name.as_str(), totals[*position]))
        })
    }

    /// Returns the names of the modules.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.positions.iter().map(|position| self.times.imports[*position].name.as_str())
    }

    /// Returns the time of all imports.
    pub(super) fn total(&self) -> Duration {
        self.positions.iter().map(|position| self.times.imports[*position].own).sum()
    }

    fn own_times(&self) -> Vec<Duration> {
        self.times.imports.iter().map(|import| import.own).collect()
    }

    /// Returns the time of each import with what it imports, by position.
    fn totals(&self, own: &[Duration]) -> Vec<Duration> {
        let mut totals = own.to_vec();
        // What is imported precedes its importer.
        for (position, import) in self.times.imports.iter().enumerate() {
            if let Some(importer) = import.importer {
                let total = totals[position];
                totals[importer] += total;
            }
        }
        totals
    }

    /// Returns the modules by their own time, the largest first: the medians of some starts, or the times of the first.
    pub(super) fn modules(&self, function: &LocalFunction, starts: &[ImportTimes]) -> Vec<ProfiledModule> {
        let mut own = self.own_times();
        if !starts.is_empty() {
            let starts: Vec<HashMap<(&str, usize), Duration>> = starts.iter().map(by_name).collect();
            let names = occurrences(&self.times);
            for (time, name) in own.iter_mut().zip(names) {
                *time = median(starts.iter().map(|start| start.get(&name).copied().unwrap_or_default()).collect());
            }
        }
        let totals = self.totals(&own);
        let mut modules: Vec<ProfiledModule> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        for position in &self.positions {
            let import = &self.times.imports[*position];
            // A module that is missing may be looked for several times.
            if let Some(known) = known.get(import.name.as_str()) {
                modules[*known].own += own[*position];
                modules[*known].total += totals[*position];
                continue;
            }
            known.insert(&import.name, modules.len());
            modules.push(ProfiledModule {
                name: import.name.clone(),
                own: own[*position],
                total: totals[*position],
                importer: import.importer.map(|importer| self.times.imports[importer].name.clone()),
                origin: origin(function, &import.name),
            });
        }
        modules.sort_by(|one, other| other.own.cmp(&one.own).then_with(|| one.name.cmp(&other.name)));
        modules
    }
}

/// Returns the names of imports, each with how often it occurred before.
fn occurrences(times: &ImportTimes) -> impl Iterator<Item = (&str, usize)> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    times.imports.iter().map(move |import| {
        let count = counts.entry(&import.name).or_default();
        *count += 1;
        (import.name.as_str(), *count - 1)
    })
}

fn by_name(times: &ImportTimes) -> HashMap<(&str, usize), Duration> {
    occurrences(times).zip(&times.imports).map(|(name, import)| (name, import.own)).collect()
}

/// Returns what a module belongs to, or else the package that contains it: some modules have no file.
fn origin(function: &LocalFunction, name: &str) -> ModuleOrigin {
    let mut packages = std::iter::successors(Some(name), |name| Some(name.rsplit_once('.')?.0));
    let file = packages.find_map(|name| function.unpacked.file_of_module(name));
    match file.map(|(path, file)| (function.unpacked.is_own(path), &file.origin)) {
        Some((true, _) | (_, FileOrigin::Application)) => ModuleOrigin::Application,
        Some((false, FileOrigin::Distribution(distribution))) => ModuleOrigin::Distribution(Arc::clone(distribution)),
        Some((false, FileOrigin::System(_))) => ModuleOrigin::Unknown,
        None => {
            let top = name.split('.').next().unwrap_or_default();
            if is_standard(top, function.python_version()) {
                ModuleOrigin::StandardLibrary
            } else {
                ModuleOrigin::Unknown
            }
        }
    }
}
