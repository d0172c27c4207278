//! Checks that the modules which the application imports are in the artifact, and that the target's Python can parse the
//! application.
//!
//! A false error stops a deployment, so everything that the files alone do not decide passes: packages that create modules
//! at run time, names that are defined dynamically, and imports whose failure is handled.

pub(in crate::audit) mod condition;
mod extensions;
mod finding;
mod known_modules;
pub(crate) mod library_needs;
mod reachable;
mod remedies;
mod resolve;
mod shadows;
mod source;
mod standard_imports;
mod started;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use rayon::prelude::*;

pub(crate) use finding::{ImportFinding, LibraryModule, MissingModule, Providers, SourceLine, UnreachedModules};
use reachable::ModuleReach;
pub(crate) use reachable::is_development_only;
use resolve::{ModuleResolution, ModuleResolver};
use source::{Import, ImportCondition, ModuleSource};
pub(crate) use started::{CommandModules, ModuleUse, SearchedSince, StartedModule};

use super::LARGEST_MODULE;
use super::command::{StartFinding, StartProblem};
use super::handler::ImportRoot;
use super::literal_path::PathStart;
use super::search::{self, SearchDirectory};
use crate::name::DistributionName;
use crate::platform::PythonVersion;
use crate::syntax::PythonSyntaxError;
use crate::tree::{FileOrigin, TreeEntry};

/// The audit of the imports of one artifact.
pub(crate) struct ImportAudit<'a, 't> {
    /// The trees, in the order of Python's search path.
    pub(crate) roots: &'a [ImportRoot<'t>],
    /// The directory of the first root that the standard library precedes in the search path; `None` if it precedes none.
    pub(crate) after_standard_library: Option<&'a str>,
    pub(crate) python: PythonVersion,
    /// Whether a file belongs to the application or to one of the project's own distributions.
    pub(crate) is_own: &'a (dyn Fn(&FileOrigin) -> bool + Sync),
    /// Whether a file belongs to the project that is deployed, rather than to one of its libraries.
    pub(crate) is_root: &'a (dyn Fn(&FileOrigin) -> bool + Sync),
    /// Top-level modules of the runtime.
    pub(crate) provided: &'a BTreeSet<String>,
    /// Modules that are provided at run time with all their submodules (`--allow-missing`).
    pub(crate) allowed: &'a BTreeSet<String>,
    /// The modules that are started. If empty, every module of the project that may be started is.
    pub(crate) started: &'a [String],
    /// The modules that a command names.
    pub(crate) command: &'a CommandModules,
    /// The paths of extension modules that cannot be loaded.
    pub(crate) broken_extensions: &'a BTreeSet<String>,
}

/// The result of an audit of imports.
#[derive(Debug)]
pub(crate) struct AuditedImports<'a> {
    /// The problems of modules that what is started reaches, in the order of the files.
    pub(crate) findings: Vec<ImportFinding>,
    /// The problems of the other modules.
    pub(crate) unreached: Vec<ImportFinding>,
    /// The first of the application's modules that are started; `None` if none of them is known.
    pub(crate) entry: Option<String>,
    /// Why modules that a command names do not start.
    pub(crate) starts: Vec<StartFinding>,
    /// The application's modules.
    pub(crate) modules: Vec<OwnModule<'a>>,
    /// The distributions that the application imports from.
    pub(crate) used: BTreeSet<DistributionName>,
    /// The extension modules that cannot be loaded, but that nothing certainly imports.
    pub(crate) unloaded: BTreeSet<String>,
}

/// A module of the application.
#[derive(Debug)]
pub(crate) struct OwnModule<'a> {
    /// The path in its tree.
    pub(crate) path: &'a str,
    /// The path as a dotted name, whether or not the module can be imported by it.
    pub(crate) name: String,
    pub(crate) entry: &'a TreeEntry,
    /// Whether what is started may import it, as far as the sources tell.
    pub(crate) is_reached: bool,
}

struct ApplicationModule<'a> {
    path: &'a str,
    /// The path as a dotted name, whether or not the module can be imported by it.
    name: String,
    is_package: bool,
    /// Whether it belongs to the project that is deployed, rather than to one of its libraries.
    is_root: bool,
    /// Whether it was installed as part of a distribution.
    is_packaged: bool,
    entry: &'a TreeEntry,
    /// Empty if the module is too large or not valid Python.
    source: ModuleSource,
    /// Why it cannot be parsed.
    problem: Option<ImportFinding>,
}

impl ApplicationModule<'_> {
    /// Returns the package that a relative import of this level starts from; `None` if it is beyond the top-level package.
    fn package(&self, level: u32) -> Option<String> {
        package(&self.name, self.is_package, level)
    }

    /// Returns the absolute name of the imported module; `None` if it is beyond the top-level package.
    fn absolute(&self, import: &Import) -> Option<String> {
        absolute(&self.name, self.is_package, import.level, &import.module)
    }
}

/// Returns the package that a relative import of a level starts from in a module; `None` if it is beyond the top-level package.
fn package(module: &str, is_package: bool, level: u32) -> Option<String> {
    let mut components: Vec<&str> = module.split('.').collect();
    let up = level as usize - usize::from(is_package);
    components.truncate(components.len().saturating_sub(up));
    (!components.is_empty()).then(|| components.join("."))
}

/// Returns the absolute name of the module that a module imports, or imports from, with some dots before its name; `None` if it
/// is beyond the top-level package.
pub(crate) fn absolute(module: &str, is_package: bool, level: u32, imported: &str) -> Option<String> {
    match (level, imported) {
        (0, imported) => Some(imported.to_owned()),
        (level, "") => package(module, is_package, level),
        (level, imported) => Some(format!("{}.{imported}", package(module, is_package, level)?)),
    }
}

/// Returns whether the standard library of a version of Python has a top-level module.
pub(crate) fn is_standard(module: &str, python: PythonVersion) -> bool {
    known_modules::StandardModule::get(module).is_some_and(|module| module.is_in(python))
}

/// Returns the top-level modules that a distribution provides, judged by its name.
pub(crate) fn modules_of(distribution: &DistributionName) -> Vec<String> {
    known_modules::modules_of(distribution.as_str())
}

enum ImportOutcome {
    /// The import succeeds, or may succeed.
    Resolved,
    /// The dotted name of the module that is missing.
    MissingModule(String),
    /// A module of the application does not define the name.
    MissingName {
        module: String,
        similar: Vec<String>,
    },
    BeyondTopLevel,
}

impl<'t> ImportAudit<'_, 't> {
    pub(crate) fn run(&self) -> AuditedImports<'t> {
        let files = self.own_files();
        let sources: Vec<_> = files.par_iter().map(|(path, name, entry)| self.read(path, name, entry)).collect();
        let mut modules = Vec::new();
        for ((path, name, entry), source) in files.into_iter().zip(sources) {
            let (source, problem) = match source {
                Ok(source) => (source, None),
                Err(problem) => (ModuleSource::unknown(), Some(*problem)),
            };
            modules.push(ApplicationModule {
                path,
                name,
                is_package: path.ends_with("/__init__.py"),
                is_root: (self.is_root)(&entry.origin),
                is_packaged: matches!(entry.origin, FileOrigin::Distribution(_)),
                entry,
                source,
                problem,
            });
        }
        let added = self.added_directories(&modules);
        let mut checker = ImportChecker {
            imports: self,
            resolver: ModuleResolver::new(self.roots, self.after_standard_library, self.python, self.provided, added)
                .with_imports(modules.iter().flat_map(|module| &module.source.imports)),
            set_attributes: modules
                .iter()
                .flat_map(|module| module.source.set_attributes.iter().map(String::as_str))
                .collect(),
            positions: modules.iter().enumerate().rev().map(|(at, module)| (module.path, at)).collect(),
            modules: &modules,
            used: BTreeSet::new(),
        };
        let outcomes: Vec<Vec<ImportOutcome>> = modules.iter().map(|module| checker.outcomes(module)).collect();
        let (entries, entry) = reachable::entries(&mut checker, self.started);
        let reach = reachable::reach(&mut checker, &outcomes, entries);
        let mut starts = checker.starts(&self.command.named);
        checker.use_started();
        let unloaded = checker.unloaded(&outcomes, &reach, self.broken_extensions);
        let used = std::mem::take(&mut checker.used);
        let of_libraries = checker.needs_of_libraries(&outcomes, &reach);
        let (mut findings, mut unreached) = (checker.shadows(&outcomes, &reach), Vec::new());
        for (module, reach) in modules.iter_mut().zip(&reach) {
            if let Some(problem) = module.problem.take() {
                if *reach == ModuleReach::None { &mut unreached } else { &mut findings }.push(problem);
            }
        }
        findings.extend(self.findings(&modules, &outcomes, &reach, false).into_iter().chain(of_libraries));
        unreached.extend(self.findings(&modules, &outcomes, &reach, true));
        let imported = findings.iter_mut().chain(&mut unreached).filter_map(|finding| match finding {
            ImportFinding::MissingModule(missing) => Some(missing),
            _ => None,
        });
        let named = starts.iter_mut().filter_map(|start| match &mut start.problem {
            StartProblem::MissingModule(missing) => Some(missing),
            _ => None,
        });
        remedies::add_hidden(self, imported.chain(named));
        let own = modules.into_iter().zip(reach).map(|(module, reach)| OwnModule {
            path: module.path,
            name: module.name,
            entry: module.entry,
            is_reached: reach != ModuleReach::None,
        });
        AuditedImports { findings, unreached, entry, starts, modules: own.collect(), used, unloaded }
    }

    /// Returns the directories that the application adds to the search path.
    fn added_directories(&self, modules: &[ApplicationModule]) -> Vec<SearchDirectory<'t>> {
        let mut added = Vec::new();
        for module in modules {
            for directory in &module.source.search_directories {
                let starts = self.roots.iter().map(|root| match directory.start {
                    PathStart::Module(_) => module.path,
                    _ => root.site_packages,
                });
                let paths = starts.zip(self.roots).filter_map(|(start, root)| {
                    let path = directory.in_tree(start)?;
                    root.tree.is_directory(&path).then(|| SearchDirectory::of(root).at(path))
                });
                added.extend(paths);
            }
        }
        added
    }

    fn read(&self, path: &str, name: &str, entry: &TreeEntry) -> Result<ModuleSource, Box<ImportFinding>> {
        match entry.content.read(LARGEST_MODULE) {
            Ok(bytes) => {
                ModuleSource::read(&bytes, self.python).map_err(|error| Box::new(self.syntax(path, name, error)))
            }
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(ModuleSource::unknown()),
            Err(source) => Err(Box::new(ImportFinding::Read { path: path.to_owned(), source })),
        }
    }

    /// Returns the paths and dotted names of the application's modules, in the order of their paths.
    fn own_files(&self) -> Vec<(&'t str, String, &'t TreeEntry)> {
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
            location: SourceLine { path: path.to_owned(), line: error.line },
            column: error.column,
            python: self.python,
            reason: error.reason,
            is_certain: source::is_dotted(name) && !path.contains("template"),
        }
    }

    /// Converts the outcomes of the imports of the modules that are reached, or of those that are not, to findings. A missing
    /// module is one finding, however often it is imported.
    fn findings(
        &self,
        modules: &[ApplicationModule],
        outcomes: &[Vec<ImportOutcome>],
        reach: &[ModuleReach],
        of_unreached: bool,
    ) -> Vec<ImportFinding> {
        let searches_elsewhere = modules.iter().any(|module| module.source.searches_elsewhere);
        let mut findings = Vec::new();
        let mut missing: BTreeMap<String, (Vec<SourceLine>, bool)> = BTreeMap::new();
        for ((module, outcomes), reach) in modules.iter().zip(outcomes).zip(reach) {
            if (*reach == ModuleReach::None) != of_unreached {
                continue;
            }
            let optional = optional(module, outcomes);
            for (import, outcome) in applicable(module, outcomes) {
                let is_certain = *reach == ModuleReach::Certain && import.when == ImportCondition::Always;
                let is_silent = import.when == ImportCondition::Guarded
                    || (*reach != ModuleReach::Certain && is_development_only(&module.name));
                if is_silent {
                    continue;
                }
                let location = SourceLine { path: module.path.to_owned(), line: import.line };
                match outcome {
                    ImportOutcome::Resolved => {}
                    ImportOutcome::MissingModule(name) => {
                        let is_minor = known_modules::is_of_another_platform(name)
                            || (!is_certain && optional.contains(top(name)));
                        if is_minor || self.is_allowed(name) {
                            continue;
                        }
                        let is_certain = is_certain && !(searches_elsewhere && top(name) == name);
                        let (locations, certain) = missing.entry(name.clone()).or_default();
                        if is_certain && !*certain {
                            // The message names the first location: one that certainly fails.
                            locations.insert(0, location);
                        } else {
                            locations.push(location);
                        }
                        *certain |= is_certain;
                    }
                    ImportOutcome::MissingName { module, similar } => findings.push(ImportFinding::MissingName {
                        location,
                        module: module.clone(),
                        name: import.name.clone().unwrap_or_default(),
                        similar: similar.clone(),
                        is_certain,
                    }),
                    ImportOutcome::BeyondTopLevel => findings.push(ImportFinding::BeyondTopLevel {
                        location,
                        text: format!("{}{}", ".".repeat(import.level as usize), import.module),
                        is_certain,
                    }),
                }
            }
        }
        findings.extend(missing.into_iter().map(|(module, (mut locations, is_certain))| {
            let mut seen = BTreeSet::new();
            locations.retain(|location| seen.insert(location.clone()));
            ImportFinding::MissingModule(remedies::missing(
                self,
                modules.iter().map(|module| &*module.name),
                module,
                locations,
                is_certain,
            ))
        }));
        findings
    }

    /// Returns whether `--allow-missing` names a module or a package above it.
    fn is_allowed(&self, module: &str) -> bool {
        self.allowed
            .iter()
            .any(|allowed| module.strip_prefix(&**allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }
}

/// Returns the first component of a dotted name.
fn top(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}

/// Returns the imports with their outcomes, except for fallbacks for imports that succeed.
fn applicable<'m>(
    module: &'m ApplicationModule,
    outcomes: &'m [ImportOutcome],
) -> impl Iterator<Item = (&'m Import, &'m ImportOutcome)> {
    module.source.imports.iter().zip(outcomes).filter(move |(import, _)| {
        let mut ranges = import.fallback_for.iter();
        ranges.all(|range| outcomes[range.clone()].iter().any(|outcome| !matches!(outcome, ImportOutcome::Resolved)))
    })
}

/// Returns the top-level modules that are optional for a module: somewhere it handles the failure of their import.
fn optional<'m>(module: &ApplicationModule, outcomes: &'m [ImportOutcome]) -> BTreeSet<&'m str> {
    let guarded =
        module.source.imports.iter().zip(outcomes).filter(|(import, _)| import.when == ImportCondition::Guarded);
    guarded
        .filter_map(|(_, outcome)| match outcome {
            ImportOutcome::MissingModule(name) => Some(top(name)),
            _ => None,
        })
        .collect()
}

/// Resolves the imports of the application.
struct ImportChecker<'a> {
    imports: &'a ImportAudit<'a, 'a>,
    resolver: ModuleResolver<'a>,
    modules: &'a [ApplicationModule<'a>],
    /// The positions in `modules` by path.
    positions: BTreeMap<&'a str, usize>,
    /// Attributes that are set on objects, which may be modules.
    set_attributes: BTreeSet<&'a str>,
    used: BTreeSet<DistributionName>,
}

impl<'a> ImportChecker<'a> {
    fn outcomes(&mut self, module: &ApplicationModule) -> Vec<ImportOutcome> {
        module.source.imports.iter().map(|import| self.outcome(module, import)).collect()
    }

    fn outcome(&mut self, module: &ApplicationModule, import: &Import) -> ImportOutcome {
        let Some(name) = module.absolute(import) else { return ImportOutcome::BeyondTopLevel };
        let resolution = self.resolver.resolve(&name);
        self.add_used(&resolution);
        match (resolution, &import.name) {
            // Many distributions install into this package, so only the full name says which of them is missing:
            // `from google.cloud import storage`.
            (ModuleResolution::Missing { depth: 0, .. }, below) if known_modules::is_shared(top(&name)) => {
                // By PEP 8, names of modules are lower-case and names of classes are not.
                let submodule = below.as_ref().filter(|below| {
                    name.matches('.').count() < 2 && below.starts_with(|first: char| first.is_ascii_lowercase())
                });
                ImportOutcome::MissingModule(
                    submodule.map_or_else(|| name.clone(), |submodule| format!("{name}.{submodule}")),
                )
            }
            (ModuleResolution::Missing { depth, .. }, _) => {
                ImportOutcome::MissingModule(first_components(&name, depth + 1))
            }
            (ModuleResolution::Namespace(_), Some(below)) => {
                let full = format!("{name}.{below}");
                let resolution = self.resolver.resolve(&full);
                self.add_used(&resolution);
                match resolution {
                    ModuleResolution::Missing { depth, .. } => {
                        ImportOutcome::MissingModule(first_components(&full, depth + 1))
                    }
                    _ => ImportOutcome::Resolved,
                }
            }
            (ModuleResolution::Module(file), Some(below)) if (self.imports.is_own)(&file.entry.origin) => {
                let package: Vec<_> = file.package_directory().into_iter().collect();
                let is_defined = below.starts_with("__")
                    || self.set_attributes.contains(&**below)
                    || self.resolver.has_submodule(&package, below)
                    || self.may_define(&file, module, below);
                if is_defined { ImportOutcome::Resolved } else { self.missing_name(&file, name, below) }
            }
            _ => ImportOutcome::Resolved,
        }
    }

    /// Returns whether a module of the application defines a name, or may do so dynamically.
    fn may_define(&self, file: &search::ModuleFile, importing: &ApplicationModule, name: &str) -> bool {
        let Some(&at) = self.positions.get(file.path) else { return true };
        let names = &self.modules[at].source.names;
        // A package that imports a name from itself does not define it thereby.
        let is_circular = file.path == importing.path && names.is_sibling(name);
        (names.get(name).is_some() && !is_circular) || names.incomplete.is_some() || resolve::creates_modules(file)
    }

    fn missing_name(&self, file: &search::ModuleFile, module: String, name: &str) -> ImportOutcome {
        let full = format!("{module}.{name}");
        if remedies::unfound(self.imports, &full).is_some() {
            return ImportOutcome::MissingModule(full);
        }
        let defined = self.positions.get(file.path).into_iter().flat_map(|at| self.modules[*at].source.names.iter());
        let similar = remedies::similar(name, defined.map(|(name, _)| name));
        ImportOutcome::MissingName { module, similar }
    }

    /// Adds the distributions of a module to those that the application uses.
    fn add_used(&mut self, resolution: &ModuleResolution) {
        let mut origins = Vec::new();
        match resolution {
            ModuleResolution::Module(file) => origins.push(&file.entry.origin),
            ModuleResolution::Namespace(directories) => {
                for SearchDirectory { tree, path, .. } in directories {
                    let prefix = format!("{path}/");
                    origins.extend(tree.starting_with(&prefix).map(|(_, entry)| &entry.origin));
                }
            }
            _ => {}
        }
        self.used.extend(origins.into_iter().filter_map(|origin| match origin {
            FileOrigin::Distribution(distribution) => Some(distribution.name.clone()),
            FileOrigin::System(_) | FileOrigin::Application => None,
        }));
    }
}

/// Returns the first components of a dotted name.
fn first_components(module: &str, components: usize) -> String {
    module.split('.').take(components).collect::<Vec<_>>().join(".")
}
