//! Which extension modules are imported: one that nothing imports, or only where its failure is handled, need not load.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::reachable::ModuleReach;
use super::resolve::{self, ModuleResolution};
use super::source::{Import, ImportCondition, ModuleSource};
use super::{ImportChecker, ImportOutcome, LARGEST_MODULE, absolute, applicable};
use crate::audit::search::ModuleFile;

/// The largest extension module that is searched for names, in bytes.
const LARGEST_COMPILED: u64 = 256 << 20;

/// Follows imports from the application into distributions.
struct ExtensionSearch<'c, 'a> {
    checker: &'c mut ImportChecker<'a>,
    /// The modules of distributions whose failure is not handled, by path.
    certain: BTreeMap<&'a str, ModuleFile<'a>>,
    /// The paths of modules that are imported where a failure is handled.
    guarded: BTreeSet<&'a str>,
    /// Absolute names that are imported where a failure is handled.
    attempted: Vec<String>,
}

impl<'a> ImportChecker<'a> {
    /// Returns those of some extension modules, by their paths, that nothing certainly imports.
    pub(super) fn unloaded(
        &mut self,
        outcomes: &[Vec<ImportOutcome>],
        reach: &[ModuleReach],
        extensions: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        if extensions.is_empty() || self.modules.is_empty() {
            return BTreeSet::new();
        }
        let search = ExtensionSearch {
            checker: self,
            certain: BTreeMap::new(),
            guarded: BTreeSet::new(),
            attempted: Vec::new(),
        };
        search.run(outcomes, reach, extensions)
    }
}

impl<'a> ExtensionSearch<'_, 'a> {
    fn run(
        mut self,
        outcomes: &[Vec<ImportOutcome>],
        reach: &[ModuleReach],
        extensions: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let mut queue = VecDeque::new();
        for started in &self.checker.imports.command.named {
            self.add(&started.module, &mut queue);
        }
        let modules = self.checker.modules;
        for ((module, outcomes), reach) in modules.iter().zip(outcomes).zip(reach) {
            if *reach == ModuleReach::None {
                continue;
            }
            for (import, _) in applicable(module, outcomes) {
                if let Some(name) = module.absolute(import) {
                    // The application's functions are called, which those of its distributions need not be.
                    self.import(import, &name, import.when != ImportCondition::Guarded, &mut queue);
                }
            }
        }
        self.follow(queue);
        let certain = self.certain.clone();
        let mut queue = VecDeque::new();
        for name in std::mem::take(&mut self.attempted) {
            self.add(&name, &mut queue);
        }
        self.follow(queue);
        self.guarded = self.certain.keys().copied().filter(|path| !certain.contains_key(path)).collect();
        self.certain = certain;
        extensions.iter().filter(|path| !self.is_loaded(path)).cloned().collect()
    }

    /// Follows the imports of modules that are executed whenever the modules are imported.
    fn follow(&mut self, mut queue: VecDeque<(String, ModuleFile<'a>)>) {
        while let Some((name, file)) = queue.pop_front() {
            let source = self.source(&file);
            let is_package = file.package_directory().is_some();
            for import in &source.imports {
                let Some(module) = absolute(&name, is_package, import.level, &import.module) else { continue };
                let is_executed = import.when == ImportCondition::Always && import.fallback_for.is_empty();
                if !is_executed && import.when == ImportCondition::Conditional {
                    self.add_extension(import, &module);
                } else {
                    self.import(import, &module, is_executed, &mut queue);
                }
            }
        }
    }

    fn import(
        &mut self,
        import: &Import,
        module: &str,
        is_executed: bool,
        queue: &mut VecDeque<(String, ModuleFile<'a>)>,
    ) {
        let below = import.name.as_ref().map(|name| format!("{module}.{name}"));
        for name in [Some(module.to_owned()), below].into_iter().flatten() {
            if is_executed { self.add(&name, queue) } else { self.attempted.push(name) }
        }
    }

    /// Adds an extension module that a function imports, which may be called. Other modules are not followed from there.
    fn add_extension(&mut self, import: &Import, module: &str) {
        let below = import.name.as_ref().map(|name| format!("{module}.{name}"));
        for name in [Some(module.to_owned()), below].into_iter().flatten() {
            match self.checker.resolver.resolve(&name) {
                ModuleResolution::Module(file) | ModuleResolution::Missing { foreign: Some(file), .. }
                    if file.path.ends_with(".so") =>
                {
                    self.certain.insert(file.path, file);
                }
                _ => {}
            }
        }
    }

    /// Adds a module and the packages above it to those that are imported.
    fn add(&mut self, module: &str, queue: &mut VecDeque<(String, ModuleFile<'a>)>) {
        let ends = module.match_indices('.').map(|(at, _)| at).chain([module.len()]);
        for name in ends.map(|end| &module[..end]) {
            match self.checker.resolver.resolve(name) {
                ModuleResolution::Module(file) | ModuleResolution::Missing { foreign: Some(file), .. }
                    if !(self.checker.imports.is_own)(&file.entry.origin) =>
                {
                    if self.certain.insert(file.path, file).is_none() {
                        queue.push_back((name.to_owned(), file));
                    }
                }
                ModuleResolution::Module(_) | ModuleResolution::Namespace(_) => {}
                ModuleResolution::Provided | ModuleResolution::Unknown | ModuleResolution::Missing { .. } => return,
            }
        }
    }

    /// Returns whether an extension module is certainly imported, or may be in a way that the sources do not show.
    fn is_loaded(&self, extension: &str) -> bool {
        if self.certain.contains_key(extension) {
            return true;
        }
        if self.guarded.contains(extension) {
            return false;
        }
        let name = extension.rsplit('/').next().unwrap_or(extension);
        let name = name.split('.').next().unwrap_or(name);
        let entry = self.checker.imports.roots.iter().find_map(|root| root.tree.get(extension));
        self.certain.values().any(|file| {
            let is_above = file.package_directory().is_some_and(|package| {
                extension.strip_prefix(&*package.path).is_some_and(|rest| rest.starts_with('/'))
            });
            let is_near = is_above || entry.is_none_or(|entry| entry.origin == file.entry.origin);
            (is_above && resolve::creates_modules(file) && file.path.ends_with(".py"))
                || (is_near && mentions(file, name))
        })
    }

    /// Parses a module; a compiled one may import anything.
    fn source(&self, file: &ModuleFile) -> ModuleSource {
        let bytes = file.entry.content.read(LARGEST_MODULE).ok().filter(|_| file.path.ends_with(".py"));
        let source = bytes.and_then(|bytes| ModuleSource::read(&bytes, self.checker.imports.python).ok());
        source.unwrap_or_else(ModuleSource::unknown)
    }
}

/// Returns whether a module contains the name of an extension module: as a string, or anywhere in a compiled one, which imports
/// modules by such strings.
fn mentions(file: &ModuleFile, name: &str) -> bool {
    // What cannot be read may import anything.
    let Ok(bytes) = file.entry.content.read(LARGEST_COMPILED) else { return true };
    if !file.path.ends_with(".py") {
        return memchr::memmem::find(&bytes, name.as_bytes()).is_some();
    }
    ["\"", "'"].iter().any(|quote| memchr::memmem::find(&bytes, format!("{name}{quote}").as_bytes()).is_some())
}
