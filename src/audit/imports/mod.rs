//! Whether what the application imports is in the artifact, and whether the target's Python can parse it.
//!
//! A false alarm stops a deployment, so what the files do not decide is passed over: packages that make modules at run time,
//! names that are computed, and imports whose failing is provided for.

mod condition;
mod finding;
mod known;
mod reach;
mod remedy;
mod resolve;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use rayon::prelude::*;

pub use finding::{ImportFinding, Missing, SourceLine};
use reach::Reached;
use resolve::{Resolution, Resolver};
use source::{Import, Source, When};

use super::handler::Root;
use super::search;
use crate::name::DistributionName;
use crate::platform::PythonVersion;
use crate::syntax::PythonSyntaxError;
use crate::tree::{FileOrigin, TreeEntry};

/// The largest module that is read, in bytes; a larger one is taken to be right.
const READ_LIMIT: u64 = 4 << 20;

/// What is audited.
pub struct Imports<'a> {
    /// The trees, in the order of Python's search path.
    pub roots: &'a [Root<'a>],
    /// The version of Python.
    pub python: PythonVersion,
    /// Tells the application's files, and those of the project's own distributions, from the rest.
    pub is_own: &'a (dyn Fn(&FileOrigin) -> bool + Sync),
    /// Tells the files of the project that is deployed from those of its libraries.
    pub is_root: &'a (dyn Fn(&FileOrigin) -> bool + Sync),
    /// Top-level modules that the runtime brings.
    pub brought: &'a BTreeSet<String>,
    /// Modules that are elsewhere at run time, with all below them.
    pub allowed: &'a BTreeSet<String>,
    /// The modules that are started; empty if that is not known, and then those of the project that may be.
    pub started: &'a [String],
}

/// What an audit of imports found.
#[derive(Debug, Default)]
pub struct Audit {
    /// What is wrong, in the order of the files.
    pub findings: Vec<ImportFinding>,
    /// The number of the application's modules.
    pub modules: usize,
    /// The distributions that the application imports from.
    pub used: BTreeSet<DistributionName>,
}

/// A module of the application, by where it is.
struct Module<'a> {
    path: &'a str,
    /// The dotted name by which it is imported, where its path is one.
    name: String,
    is_package: bool,
    /// Whether it is the project's that is deployed, and not a library's.
    is_root: bool,
    /// Whether it was installed as a part of a distribution.
    is_packaged: bool,
    /// Nothing if it is too large to be read, or is no Python.
    source: Source,
}

impl Module<'_> {
    /// Returns the dotted name of the package that relative imports begin at; none above the top-level package.
    fn package(&self, level: u32) -> Option<String> {
        let mut components: Vec<&str> = self.name.split('.').collect();
        let up = level as usize - usize::from(self.is_package);
        components.truncate(components.len().saturating_sub(up));
        (!components.is_empty()).then(|| components.join("."))
    }

    /// Returns the full name of what is imported; none if it leads out of the top-level package.
    fn absolute(&self, import: &Import) -> Option<String> {
        match (import.level, &*import.module) {
            (0, module) => Some(module.to_owned()),
            (level, "") => self.package(level),
            (level, module) => Some(format!("{}.{module}", self.package(level)?)),
        }
    }
}

/// Returns the top-level modules that a distribution provides, as far as its name tells.
pub fn modules_of(distribution: &DistributionName) -> Vec<String> {
    known::modules_of(distribution.as_str())
}

/// What came of an import.
enum Outcome {
    /// Something provides it, or nobody can tell.
    Fine,
    /// A module is missing, by its dotted name.
    Missing(String),
    /// A module of the application does not define the name.
    Name { module: String, similar: Vec<String> },
    /// It leads out of the top-level package.
    Beyond,
}

impl Imports<'_> {
    /// Audits the application's modules.
    pub fn audit(&self) -> Audit {
        let files = self.own_sources();
        let read = |(path, name, entry): &(&str, String, &TreeEntry)| match entry.content.read(READ_LIMIT) {
            Ok(bytes) => Source::read(&bytes, self.python).map_err(|error| self.syntax(path, name, error)),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(Source::unknown()),
            Err(source) => Err(ImportFinding::Read { path: (*path).to_owned(), source }),
        };
        let sources: Vec<_> = files.par_iter().map(read).collect();
        let mut audit = Audit::default();
        let mut modules = Vec::new();
        for ((path, name, entry), source) in files.into_iter().zip(sources) {
            let source = source.unwrap_or_else(|finding| {
                audit.findings.push(finding);
                Source::unknown()
            });
            modules.push(Module {
                path,
                name,
                is_package: path.ends_with("/__init__.py"),
                is_root: (self.is_root)(&entry.origin),
                is_packaged: matches!(entry.origin, FileOrigin::Distribution(_)),
                source,
            });
        }
        let mut follower = Follower {
            imports: self,
            resolver: Resolver::new(self.roots, self.python, self.brought),
            set: modules.iter().flat_map(|module| module.source.set.iter().map(String::as_str)).collect(),
            positions: modules.iter().enumerate().rev().map(|(at, module)| (module.path, at)).collect(),
            modules: &modules,
            used: BTreeSet::new(),
        };
        let outcomes: Vec<Vec<Outcome>> = modules.iter().map(|module| follower.outcomes(module)).collect();
        let reached = reach::reached(&mut follower, &outcomes, self.started);
        (audit.modules, audit.used) = (modules.len(), follower.used);
        audit.findings.extend(self.findings(&modules, outcomes, &reached));
        audit
    }

    /// Returns the application's sources with their names, in the order of their paths.
    fn own_sources(&self) -> Vec<(&str, String, &TreeEntry)> {
        let mut seen = BTreeSet::new();
        let mut sources = Vec::new();
        for root in self.roots {
            for (path, entry) in root.tree.iter().filter(|(path, _)| path.as_str().ends_with(".py")) {
                let is_own = (self.is_own)(&entry.origin);
                let Some(name) = is_own.then(|| search::module_name(path.as_str(), root.site_packages)).flatten()
                else {
                    continue;
                };
                if seen.insert((std::ptr::from_ref(root.tree), path.as_str())) {
                    sources.push((path.as_str(), name, entry));
                }
            }
        }
        sources
    }

    fn syntax(&self, path: &str, name: &str, error: PythonSyntaxError) -> ImportFinding {
        ImportFinding::Syntax {
            place: SourceLine { path: path.to_owned(), line: error.line },
            column: error.column,
            python: self.python,
            reason: error.reason,
            is_certain: source::is_dotted(name) && !reach::is_beside(name) && !path.contains("template"),
        }
    }

    /// Turns what came of the imports into findings: one for each module that is missing.
    fn findings(&self, modules: &[Module], outcomes: Vec<Vec<Outcome>>, reached: &Reached) -> Vec<ImportFinding> {
        let mut findings = Vec::new();
        let mut missing: BTreeMap<String, (Vec<SourceLine>, bool)> = BTreeMap::new();
        for (at, (module, outcomes)) in modules.iter().zip(outcomes).enumerate() {
            let optional = optional(module, &outcomes);
            for (import, outcome) in applicable(module, &outcomes) {
                let is_certain = reached.certainly[at] && import.when == When::Always;
                let is_silent =
                    import.when == When::Guarded || (!reached.certainly[at] && reach::is_beside(&module.name));
                if is_silent {
                    continue;
                }
                let place = SourceLine { path: module.path.to_owned(), line: import.line };
                match outcome {
                    Outcome::Fine => {}
                    Outcome::Missing(name) => {
                        let is_minor =
                            known::is_of_another_platform(name) || (!is_certain && optional.contains(top(name)));
                        if is_minor || self.is_allowed(name) {
                            continue;
                        }
                        let (places, certain) = missing.entry(name.clone()).or_default();
                        if is_certain && !*certain {
                            // The place that fails for certain comes first.
                            places.insert(0, place);
                        } else {
                            places.push(place);
                        }
                        *certain |= is_certain;
                    }
                    Outcome::Name { module, similar } => findings.push(ImportFinding::Name {
                        place,
                        module: module.clone(),
                        name: import.name.clone().unwrap_or_default(),
                        similar: similar.clone(),
                        is_certain,
                    }),
                    Outcome::Beyond => findings.push(ImportFinding::Beyond {
                        place,
                        text: format!("{}{}", ".".repeat(import.level as usize), import.module),
                        is_certain,
                    }),
                }
            }
        }
        findings.extend(missing.into_iter().map(|(module, (mut places, is_certain))| {
            let mut seen = BTreeSet::new();
            places.retain(|place| seen.insert(place.clone()));
            ImportFinding::Missing(remedy::missing(
                self,
                modules.iter().map(|module| &*module.name),
                module,
                places,
                is_certain,
            ))
        }));
        findings
    }

    /// Returns whether the user says that a module is elsewhere.
    fn is_allowed(&self, module: &str) -> bool {
        let is_above = |allowed: &String| {
            module.strip_prefix(&**allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.allowed.iter().any(is_above)
    }
}

/// Returns the first component of a dotted name.
fn top(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}

/// Returns the imports that are run, as far as others fail, with what came of them.
fn applicable<'m>(module: &'m Module, outcomes: &'m [Outcome]) -> impl Iterator<Item = (&'m Import, &'m Outcome)> {
    let fails = |at: usize| !matches!(outcomes[at], Outcome::Fine);
    let is_run = move |import: &Import| import.instead_of.iter().all(|others| others.clone().any(fails));
    module.source.imports.iter().zip(outcomes).filter(move |(import, _)| is_run(import))
}

/// Returns the top-level modules that a module can do without: somewhere in it, their failing is provided for.
fn optional<'m>(module: &Module, outcomes: &'m [Outcome]) -> BTreeSet<&'m str> {
    let guarded = module.source.imports.iter().zip(outcomes).filter(|(import, _)| import.when == When::Guarded);
    guarded
        .filter_map(|(_, outcome)| match outcome {
            Outcome::Missing(name) => Some(top(name)),
            _ => None,
        })
        .collect()
}

/// Follows the imports of the application.
struct Follower<'a> {
    imports: &'a Imports<'a>,
    resolver: Resolver<'a>,
    modules: &'a [Module<'a>],
    /// The positions of the modules, by their paths.
    positions: BTreeMap<&'a str, usize>,
    /// Names that are set on objects, which may be modules.
    set: BTreeSet<&'a str>,
    used: BTreeSet<DistributionName>,
}

impl<'a> Follower<'a> {
    /// Returns what comes of every import of a module.
    fn outcomes(&mut self, module: &Module) -> Vec<Outcome> {
        module.source.imports.iter().map(|import| self.outcome(module, import)).collect()
    }

    fn outcome(&mut self, module: &Module, import: &Import) -> Outcome {
        let Some(name) = module.absolute(import) else { return Outcome::Beyond };
        let resolution = self.resolver.resolve(&name);
        self.use_of(&resolution);
        match (resolution, &import.name) {
            // Only the whole name tells which of many distributions is missing: `from google.cloud import storage`.
            (Resolution::Missing { depth: 0 }, below) if known::is_shared(top(&name)) => {
                let is_module = |below: &&String| {
                    name.matches('.').count() < 2 && below.starts_with(|first: char| first.is_ascii_lowercase())
                };
                let below = below.as_ref().filter(is_module);
                Outcome::Missing(below.map_or_else(|| name.clone(), |below| format!("{name}.{below}")))
            }
            (Resolution::Missing { depth }, _) => Outcome::Missing(beginning(&name, depth + 1)),
            (Resolution::Namespace(_), Some(below)) => {
                let full = format!("{name}.{below}");
                let resolution = self.resolver.resolve(&full);
                self.use_of(&resolution);
                match resolution {
                    Resolution::Missing { depth } => Outcome::Missing(beginning(&full, depth + 1)),
                    _ => Outcome::Fine,
                }
            }
            (Resolution::File(file), Some(below)) if (self.imports.is_own)(&file.entry.origin) => {
                let package: Vec<_> = file.package().into_iter().collect();
                let is_there = below.starts_with("__")
                    || self.set.contains(&**below)
                    || self.resolver.is_below(&package, below)
                    || self.may_define(&file, module, below);
                if is_there { Outcome::Fine } else { self.lacks(&file, name, below) }
            }
            _ => Outcome::Fine,
        }
    }

    /// Returns whether a module of the application defines a name, as far as its source tells.
    fn may_define(&self, file: &search::File, importing: &Module, name: &str) -> bool {
        let Some(&at) = self.positions.get(file.path) else { return true };
        let names = &self.modules[at].source.names;
        // What imports a name from itself does not define it by that.
        let is_circular = file.path == importing.path && names.is_sibling(name);
        (names.get(name).is_some() && !is_circular) || names.more.is_some() || resolve::makes_modules(file)
    }

    fn lacks(&self, file: &search::File, module: String, name: &str) -> Outcome {
        let defined = self.positions.get(file.path).into_iter().flat_map(|at| self.modules[*at].source.names.iter());
        let similar = remedy::similar(name, defined);
        Outcome::Name { module, similar }
    }

    /// Notes that the application uses a distribution.
    fn use_of(&mut self, resolution: &Resolution) {
        let mut note = |origin: &FileOrigin| {
            if let FileOrigin::Distribution(distribution) = origin {
                self.used.insert(distribution.name.clone());
            }
        };
        match resolution {
            Resolution::File(file) => note(&file.entry.origin),
            Resolution::Namespace(folders) => {
                for folder in folders {
                    let below = format!("{}/", folder.path);
                    folder.tree.starting_with(&below).for_each(|(_, entry)| note(&entry.origin));
                }
            }
            _ => {}
        }
    }
}

/// Returns the first components of a dotted name.
fn beginning(module: &str, components: usize) -> String {
    module.split('.').take(components).collect::<Vec<_>>().join(".")
}
