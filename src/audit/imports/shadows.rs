//! Modules of the application that have the name of one of the standard library or of a distribution: where that one is
//! needed, and where it is imported instead.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::finding::{HiddenModule, ImportFinding, ModuleNeed, ReplacedModule, SourceLine, WantedName};
use super::reachable::ModuleReach;
use super::resolve::{self, ModuleResolution};
use super::source::{Import, ImportCondition, ModuleSource};
use super::standard_imports::StandardImports;
use super::{ImportChecker, ImportOutcome, LARGEST_MODULE, SearchedSince, absolute, applicable, is_standard, top};
use crate::audit::BUILT_IN_MODULES;
use crate::audit::names::Binding;
use crate::audit::search::ModuleFile;
use crate::platform::PythonVersion;
use crate::tree::FileOrigin;

/// Modules that the interpreter contains in frozen form since Python 3.11, which no file replaces (CPython,
/// Python/frozen.c).
const FROZEN: [&str; 13] = [
    "_collections_abc",
    "_sitebuiltins",
    "abc",
    "codecs",
    "genericpath",
    "io",
    "ntpath",
    "os",
    "posixpath",
    "runpy",
    "site",
    "stat",
    "zipimport",
];

/// The first minor version of Python 3 with them.
const FIRST_FROZEN: u8 = 11;

/// The modules that the interpreter imports when it starts, after PYTHONPATH has taken effect.
const OF_STARTUP: [&str; 3] = ["encodings", "io", "site"];

/// A file that is certainly or possibly executed and imports something.
#[derive(Clone)]
struct Importer<'a> {
    path: &'a str,
    /// `None` for the application.
    distribution: Option<String>,
    is_certain: bool,
}

/// A module whose imports are followed.
enum ReachedModule<'a> {
    /// Of a distribution.
    Foreign { name: String, file: ModuleFile<'a>, is_certain: bool },
    /// Of the standard library, with what imports it.
    Standard { name: String, through: Option<(Importer<'a>, usize, String)> },
}

/// Follows imports from the application into distributions and the standard library.
struct NeedSearch<'c, 'a> {
    checker: &'c mut ImportChecker<'a>,
    standard: StandardImports,
    /// The modules of the application that replace others, by name.
    replacing: BTreeMap<String, ModuleFile<'a>>,
    /// Those that will, unless the others are imported before.
    later: BTreeMap<String, ModuleFile<'a>>,
    found: BTreeMap<String, (ModuleNeed, bool)>,
    queue: VecDeque<ReachedModule<'a>>,
    seen: BTreeSet<String>,
}

impl<'a> ImportChecker<'a> {
    /// Returns the modules of the application that replace a module which something needs, or that another one hides.
    pub(super) fn shadows(&mut self, outcomes: &[Vec<ImportOutcome>], reach: &[ModuleReach]) -> Vec<ImportFinding> {
        let (mut replaced, mut replacing, mut findings) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let own: BTreeSet<&str> =
            self.modules.iter().map(|module| &*module.name).filter(|name| !name.contains('.')).collect();
        for name in own {
            let files = self.resolver.files_of(name);
            let (own, others): (Vec<ModuleFile>, Vec<ModuleFile>) =
                files.iter().partition(|file| (self.imports.is_own)(&file.entry.origin));
            let Some(file) = own.first().copied() else { continue };
            let hidden_by = match self.resolver.resolve(name) {
                ModuleResolution::Module(first) if first.path == file.path => None,
                ModuleResolution::Module(other) => Some(described(&other)),
                ModuleResolution::Provided if is_standard(name, self.imports.python) => {
                    Some("that of the standard library".to_owned())
                }
                _ => continue,
            };
            match (hidden_by, others.first()) {
                (Some(by), _) => findings.push(Box::new(self.hidden(name, &file, by, outcomes, reach)).into()),
                (None, _) if is_replaceable(name, self.imports.python) => {
                    replaced.insert(name.to_owned(), "the standard library".to_owned());
                    replacing.insert(name.to_owned(), file);
                }
                (None, Some(other)) => {
                    replaced.insert(name.to_owned(), other.entry.origin.to_string());
                    replacing.insert(name.to_owned(), file);
                }
                (None, None) => {}
            }
        }
        if replacing.is_empty() {
            return findings;
        }
        let found = NeedSearch::run(self, replacing.clone(), outcomes, reach);
        findings.extend(found.into_iter().filter_map(|(module, (need, is_certain))| {
            let (path, replaced) = (replacing.get(&module)?.path.to_owned(), replaced.remove(&module)?);
            Some(Box::new(ReplacedModule { path, module, replaced, need, is_certain }).into())
        }));
        findings
    }

    /// Describes a module that another one hides, with an import that needs it.
    fn hidden(
        &mut self,
        name: &str,
        hidden: &ModuleFile<'a>,
        by: String,
        outcomes: &[Vec<ImportOutcome>],
        reach: &[ModuleReach],
    ) -> HiddenModule {
        let mut needs: Vec<(bool, SourceLine, String)> = Vec::new();
        for ((module, outcomes), reach) in self.modules.iter().zip(outcomes).zip(reach) {
            if *reach == ModuleReach::None {
                continue;
            }
            for (import, _) in
                applicable(module, outcomes).filter(|(import, _)| import.when != ImportCondition::Guarded)
            {
                let Some(wanted) = import.name.as_ref().filter(|_| module.absolute(import).as_deref() == Some(name))
                else {
                    continue;
                };
                let is_defined = match self.resolver.resolve(name) {
                    ModuleResolution::Module(first) => self.defines(&first, wanted),
                    _ => false,
                };
                let only_here = self
                    .positions
                    .get(hidden.path)
                    .is_some_and(|at| self.modules[*at].source.names.get(wanted).is_some());
                if only_here && !is_defined {
                    let is_certain = *reach == ModuleReach::Certain && import.when == ImportCondition::Always;
                    let location = SourceLine { path: module.path.to_owned(), line: import.line };
                    needs.push((!is_certain, location, wanted.clone()));
                }
            }
        }
        needs.sort();
        let first = needs.into_iter().next();
        HiddenModule {
            path: hidden.path.to_owned(),
            module: name.to_owned(),
            by,
            is_certain: first.as_ref().is_some_and(|(is_uncertain, ..)| !is_uncertain),
            need: first.map(|(_, location, name)| (location, name)),
        }
    }

    /// Returns whether a module defines a name, or may do so.
    fn defines(&self, file: &ModuleFile<'a>, name: &str) -> bool {
        let package: Vec<_> = file.package_directory().into_iter().collect();
        if name.starts_with("__") || resolve::creates_modules(file) || self.resolver.has_submodule(&package, name) {
            return true;
        }
        let read;
        let names = match self.positions.get(file.path) {
            Some(at) => &self.modules[*at].source.names,
            None => {
                read = self.source(file);
                &read.names
            }
        };
        names.get(name).is_some() || names.incomplete.is_some()
    }

    /// Parses a module; one that cannot be parsed may contain anything.
    fn source(&self, file: &ModuleFile) -> ModuleSource {
        let bytes = file.entry.content.read(LARGEST_MODULE).ok();
        let source = bytes.and_then(|bytes| ModuleSource::read(&bytes, self.imports.python).ok());
        source.unwrap_or_else(ModuleSource::unknown)
    }
}

impl<'c, 'a> NeedSearch<'c, 'a> {
    /// Returns what needs the replaced modules, and whether it is certainly executed.
    fn run(
        checker: &'c mut ImportChecker<'a>,
        replacing: BTreeMap<String, ModuleFile<'a>>,
        outcomes: &[Vec<ImportOutcome>],
        reach: &[ModuleReach],
    ) -> BTreeMap<String, (ModuleNeed, bool)> {
        let standard = StandardImports::new(checker.imports.python);
        let (found, queue, seen) = (BTreeMap::new(), VecDeque::new(), BTreeSet::new());
        let modules = checker.modules;
        let is_image = checker.imports.after_standard_library.is_some();
        let mut search = Self { checker, standard, replacing: BTreeMap::new(), later: replacing, found, queue, seen };
        search.begin(SearchedSince::Startup);
        if is_image {
            search
                .queue
                .extend(OF_STARTUP.map(|name| ReachedModule::Standard { name: name.to_owned(), through: None }));
            search.follow();
        }
        search.begin(SearchedSince::Command);
        for started in &search.checker.imports.command.named {
            search.enqueue(&started.module, started.is_certain, &None);
        }
        search.follow();
        search.begin(SearchedSince::Server);
        // What is certain comes first.
        for is_certain in [true, false] {
            for ((module, outcomes), reach) in modules.iter().zip(outcomes).zip(reach) {
                let importer = Importer { path: module.path, distribution: None, is_certain };
                if *reach == ModuleReach::None || (is_certain && *reach != ModuleReach::Certain) {
                    continue;
                }
                for (import, outcome) in applicable(module, outcomes) {
                    let is_wanted = match import.when {
                        ImportCondition::Always => true,
                        ImportCondition::Conditional => !is_certain,
                        ImportCondition::Guarded => false,
                    };
                    let Some(name) = module.absolute(import).filter(|_| is_wanted) else { continue };
                    if matches!(outcome, ImportOutcome::Resolved) {
                        search.import(&importer, &module.source, import, &name);
                    }
                }
                search.follow();
            }
        }
        search.found
    }

    /// Lets the modules replace others that are in directories which Python now begins to search.
    fn begin(&mut self, now: SearchedSince) {
        let searched_later = &self.checker.imports.command.searched_later;
        let begins = |file: &ModuleFile| {
            let module = file.package_directory().map_or_else(|| file.path.to_owned(), |package| package.path);
            let directory = module.rsplit_once('/').map_or("", |(directory, _)| directory);
            searched_later.get(directory).copied().unwrap_or(SearchedSince::Startup) == now
        };
        let (new, later) = std::mem::take(&mut self.later).into_iter().partition(|(_, file)| begins(file));
        self.later = later;
        self.replacing.append(&mut { new });
    }

    /// Follows the imports of everything in the queue.
    fn follow(&mut self) {
        while let Some(reached) = self.queue.pop_front() {
            match reached {
                ReachedModule::Foreign { name, file, is_certain } => {
                    let source = self.checker.source(&file);
                    let is_package = file.package_directory().is_some();
                    let distribution = match &file.entry.origin {
                        FileOrigin::Distribution(distribution) => Some(distribution.to_string()),
                        FileOrigin::System(_) | FileOrigin::Application => None,
                    };
                    let importer = Importer { path: file.path, distribution, is_certain };
                    let executed = source.imports.iter();
                    let executed = executed
                        .filter(|import| import.when == ImportCondition::Always && import.fallback_for.is_empty());
                    for import in executed {
                        if let Some(module) = absolute(&name, is_package, import.level, &import.module) {
                            self.import(&importer, &source, import, &module);
                        }
                    }
                }
                ReachedModule::Standard { name, through } => {
                    for import in self.standard.of(&name).collect::<Vec<_>>() {
                        if self.replacing.contains_key(top(import.module)) {
                            if import.is_needed {
                                self.add_through(top(import.module), &through);
                            }
                        } else {
                            self.later.remove(top(import.module));
                            self.enqueue_standard(import.module, &through);
                        }
                    }
                }
            }
        }
    }

    /// Follows an import, or records what it needs of a module that is replaced.
    fn import(&mut self, importer: &Importer<'a>, source: &ModuleSource, import: &Import, module: &str) {
        if self.replacing.contains_key(top(module)) {
            return self.add_needs(importer, source, import, module);
        }
        let below = import.name.as_ref().map(|name| format!("{module}.{name}"));
        for name in [Some(module.to_owned()), below].into_iter().flatten() {
            let imported = if self.standard.has(&name) { &name } else { module };
            let through = Some((importer.clone(), import.line, imported.to_owned()));
            self.enqueue(&name, importer.is_certain, &through);
        }
    }

    /// Adds a module that is not the application's, and the packages above it, to the queue.
    fn enqueue(&mut self, module: &str, is_certain: bool, through: &Option<(Importer<'a>, usize, String)>) {
        if self.later.remove(top(module)).is_some() && is_standard(top(module), self.checker.imports.python) {
            return self.enqueue_standard(module, through);
        }
        let ends = module.match_indices('.').map(|(at, _)| at).chain([module.len()]);
        for name in ends.map(|end| &module[..end]) {
            match self.checker.resolver.resolve(name) {
                ModuleResolution::Module(file) if !(self.checker.imports.is_own)(&file.entry.origin) => {
                    if self.seen.insert(file.path.to_owned()) {
                        self.queue.push_back(ReachedModule::Foreign { name: name.to_owned(), file, is_certain });
                    }
                }
                ModuleResolution::Module(_) | ModuleResolution::Namespace(_) => {}
                ModuleResolution::Provided => return self.enqueue_standard(module, through),
                ModuleResolution::Unknown | ModuleResolution::Missing { .. } => return,
            }
        }
    }

    /// Adds a module of the standard library and the packages above it to the queue.
    fn enqueue_standard(&mut self, module: &str, through: &Option<(Importer<'a>, usize, String)>) {
        let ends = module.match_indices('.').map(|(at, _)| at).chain([module.len()]);
        for name in ends.map(|end| &module[..end]) {
            if self.seen.insert(format!("standard {name}")) {
                self.queue.push_back(ReachedModule::Standard { name: name.to_owned(), through: through.clone() });
            }
        }
    }

    /// Records what an import needs of a module that is replaced, unless the replacing module has it.
    fn add_needs(&mut self, importer: &Importer, source: &ModuleSource, import: &Import, module: &str) {
        let name = top(module).to_owned();
        let wanted: Vec<WantedName> = match &import.name {
            _ if module.contains('.') => vec![WantedName::Submodule(module.to_owned())],
            Some(wanted) => vec![WantedName::Name(wanted.clone())],
            None => {
                let attributes = source.attributes.iter().filter(
                    |(bound, _)| matches!(source.names.get(bound), Some(Binding::Module(bound)) if *bound == name),
                );
                attributes.map(|(_, attribute)| WantedName::Attribute(attribute.clone())).collect()
            }
        };
        let file = self.replacing[&name];
        let lacking = wanted.into_iter().find(|wanted| match wanted {
            WantedName::Name(wanted) | WantedName::Attribute(wanted) => !self.checker.defines(&file, wanted),
            WantedName::Submodule(module) => {
                let below = module.split('.').nth(1).unwrap_or_default();
                let package: Vec<_> = file.package_directory().into_iter().collect();
                !resolve::creates_modules(&file) && !self.checker.resolver.has_submodule(&package, below)
            }
            WantedName::Through(_) => false,
        });
        if let Some(wanted) = lacking {
            self.add(&name, importer, import.line, wanted);
        }
    }

    /// Records that a module of the standard library needs one that is replaced.
    fn add_through(&mut self, name: &str, through: &Option<(Importer, usize, String)>) {
        if resolve::creates_modules(&self.replacing[name]) {
            return;
        }
        match through {
            Some((importer, line, module)) => {
                self.add(name, importer, *line, WantedName::Through(module.clone()));
            }
            None => drop(self.found.entry(name.to_owned()).or_insert((ModuleNeed::Startup, true))),
        }
    }

    fn add(&mut self, name: &str, importer: &Importer, line: usize, wanted: WantedName) {
        let location = SourceLine { path: importer.path.to_owned(), line };
        let need = ModuleNeed::Import { location, distribution: importer.distribution.clone(), wanted };
        self.found.entry(name.to_owned()).or_insert((need, importer.is_certain));
    }
}

/// Returns whether the standard library of a version of Python has a module that a file can replace.
fn is_replaceable(module: &str, python: PythonVersion) -> bool {
    let is_frozen = python.minor >= FIRST_FROZEN && FROZEN.contains(&module);
    is_standard(module, python) && !BUILT_IN_MODULES.contains(&module) && !is_frozen
}

/// Returns a module's path with what it belongs to.
fn described(file: &ModuleFile) -> String {
    format!("{} of {}", file.path, file.entry.origin)
}
