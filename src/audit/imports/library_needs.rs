//! What modules of distributions need that the application imports: such a module may be meant for an extra that nobody
//! requests, or for a version of Python with another standard library.
//!
//! Only the modules that the application names and the packages above them are read. To follow their imports would be to
//! parse every distribution in each build. That is why a module passes if its distribution contains what is missing, in
//! whichever directory: some add one to the search path, as setuptools does with `setuptools/_vendor`.

use std::collections::{BTreeMap, HashSet};

use rayon::prelude::*;

use super::finding::{ImportFinding, LibraryModule, SourceLine};
use super::reachable::{self, ModuleReach};
use super::resolve::ModuleResolution;
use super::source::{ImportCondition, ModuleSource};
use super::{ImportChecker, ImportOutcome, LARGEST_MODULE, applicable, known_modules, remedies, top};
use crate::audit::search::ModuleFile;
use crate::platform::PythonVersion;
use crate::tree::{FileOrigin, NeededModule};

/// A module of a distribution that the application imports.
struct ImportedModule<'a> {
    /// The dotted name.
    name: String,
    file: ModuleFile<'a>,
    /// The imports in the application; the first of them is certainly executed if any is.
    locations: Vec<SourceLine>,
    is_certain: bool,
}

impl<'a> ImportChecker<'a> {
    /// Returns the modules that are missing for modules of distributions which the application imports, except for those that are
    /// missing for the application itself.
    pub(super) fn needs_of_libraries(
        &mut self,
        outcomes: &[Vec<ImportOutcome>],
        reach: &[ModuleReach],
    ) -> Vec<ImportFinding> {
        let imported = self.imported_modules(outcomes, reach);
        let needs: Vec<_> = imported.par_iter().map(|module| self.needs(&module.file)).collect();
        if needs.iter().flatten().any(|need| &*need.name == "setuptools") {
            self.resolver.provide_distutils();
        }
        let own: HashSet<&str> = outcomes
            .iter()
            .flatten()
            .filter_map(|outcome| match outcome {
                ImportOutcome::MissingModule(name) => Some(top(name)),
                _ => None,
            })
            .collect();
        let mut missing = BTreeMap::new();
        for (module, needs) in imported.into_iter().zip(needs) {
            let first = needs.iter().find(|need| self.is_missing(&need.name));
            let is_new = |need: &&NeededModule| !own.contains(&*need.name) && !is_vendored(&module.file, &need.name);
            if let Some(need) = first.filter(is_new) {
                missing.entry(need.name.to_string()).or_insert((module, need.line));
            }
        }
        let searches_elsewhere = self.modules.iter().any(|module| module.source.searches_elsewhere);
        let findings = missing.into_iter().filter_map(|(name, (module, line))| {
            let ImportedModule { name: importer, file, locations, is_certain } = module;
            let FileOrigin::Distribution(distribution) = &file.entry.origin else { return None };
            let is_certain = is_certain && !searches_elsewhere;
            let mut missing = remedies::missing(self.imports, std::iter::empty(), name, locations, is_certain);
            missing.importer = Some(Box::new(LibraryModule {
                module: importer,
                location: SourceLine { path: file.path.to_owned(), line },
                distribution: distribution.name.clone(),
                version: distribution.to_string(),
            }));
            Some(missing.into())
        });
        findings.collect()
    }

    /// Returns the modules of distributions that the application imports, those that are certainly imported first.
    fn imported_modules(&mut self, outcomes: &[Vec<ImportOutcome>], reach: &[ModuleReach]) -> Vec<ImportedModule<'a>> {
        let mut imported: BTreeMap<&str, ImportedModule> = BTreeMap::new();
        let modules = self.modules;
        for is_certain in [true, false] {
            for ((module, outcomes), reach) in modules.iter().zip(outcomes).zip(reach) {
                let is_wanted = match reach {
                    ModuleReach::Certain => true,
                    ModuleReach::Possible => !is_certain && !reachable::is_development_only(&module.name),
                    ModuleReach::None => false,
                };
                for (import, outcome) in applicable(module, outcomes).filter(|_| is_wanted) {
                    let is_executed = *reach == ModuleReach::Certain && import.when == ImportCondition::Always;
                    let is_other = is_executed != is_certain || import.when == ImportCondition::Guarded;
                    let Some(name) = module.absolute(import).filter(|_| !is_other) else { continue };
                    if !matches!(outcome, ImportOutcome::Resolved) {
                        continue;
                    }
                    let location = SourceLine { path: module.path.to_owned(), line: import.line };
                    for (name, file) in self.executed_in_libraries(&name, import.name.as_deref()) {
                        let module = ImportedModule { name, file, locations: Vec::new(), is_certain };
                        let locations = &mut imported.entry(file.path).or_insert(module).locations;
                        if !locations.contains(&location) {
                            locations.push(location.clone());
                        }
                    }
                }
            }
        }
        let (certain, others): (Vec<_>, Vec<_>) = imported.into_values().partition(|module| module.is_certain);
        certain.into_iter().chain(others).collect()
    }

    /// Returns the modules of distributions that an import executes, with their names: the packages above the module, the module,
    /// and perhaps a submodule that is imported from it.
    fn executed_in_libraries(&mut self, module: &str, below: Option<&str>) -> Vec<(String, ModuleFile<'a>)> {
        let full = below.map_or_else(|| module.to_owned(), |below| format!("{module}.{below}"));
        let ends = full.match_indices('.').map(|(at, _)| at).chain([full.len()]);
        let mut executed = Vec::new();
        for name in ends.map(|end| &full[..end]) {
            match self.resolver.resolve(name) {
                ModuleResolution::Module(file) if file.path.ends_with(".py") => {
                    if !(self.imports.is_own)(&file.entry.origin) {
                        executed.push((name.to_owned(), file));
                    }
                }
                ModuleResolution::Module(_) | ModuleResolution::Namespace(_) => {}
                ModuleResolution::Provided | ModuleResolution::Unknown | ModuleResolution::Missing { .. } => break,
            }
        }
        executed
    }

    /// Returns the top-level modules that a module of a distribution certainly imports, from its record if there is one.
    fn needs(&self, file: &ModuleFile) -> Vec<NeededModule> {
        if let Some(known) = file.entry.content.known_needs() {
            return known.to_vec();
        }
        let source = file.entry.content.read(LARGEST_MODULE);
        source.map(|source| needed_modules(&source, self.imports.python)).unwrap_or_default()
    }

    /// Returns whether nothing has a top-level module.
    fn is_missing(&mut self, module: &str) -> bool {
        let is_missing = matches!(self.resolver.resolve(module), ModuleResolution::Missing { depth: 0, foreign: None });
        // Distributions of a shared package may be part of the runtime.
        is_missing
            && !known_modules::is_of_another_platform(module)
            && !known_modules::is_shared(module)
            && !self.imports.is_allowed(module)
    }
}

/// Returns the top-level modules of the absolute imports that a module always executes; none if it may make modules itself, or
/// find them elsewhere.
pub(crate) fn needed_modules(source: &[u8], python: PythonVersion) -> Vec<NeededModule> {
    let makes_modules = |text: &str| memchr::memmem::find(source, text.as_bytes()).is_some();
    if ["sys.modules", "meta_path"].into_iter().any(makes_modules) {
        return Vec::new();
    }
    let source = ModuleSource::read(source, python).ok();
    let source = source.filter(|source| !source.searches_elsewhere && source.search_directories.is_empty());
    let mut needed: Vec<NeededModule> = Vec::new();
    for import in source.into_iter().flat_map(|source| source.imports) {
        let is_certain = import.when == ImportCondition::Always && import.fallback_for.is_empty();
        let name = top(&import.module);
        if import.level == 0 && is_certain && !needed.iter().any(|needed| *needed.name == *name) {
            needed.push(NeededModule { name: name.into(), line: import.line });
        }
    }
    needed
}

/// Returns whether the distribution of a file contains a module of a name in some directory.
fn is_vendored(file: &ModuleFile, module: &str) -> bool {
    let (source, package) = (format!("/{module}.py"), format!("/{module}/"));
    let paths = file.tree.iter().filter(|(_, entry)| entry.origin == file.entry.origin).map(|(path, _)| path.as_str());
    let mut paths = paths.filter(|path| path.ends_with(".py"));
    paths.any(|path| path.ends_with(&source) || path.contains(&package))
}
