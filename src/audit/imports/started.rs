//! The modules and attributes that a command names, resolved as imports are.

use std::collections::{BTreeMap, BTreeSet};

use super::remedies;
use super::resolve::{self, ModuleResolution};
use super::{ImportChecker, first_components};
use crate::audit::command::{ApplicationAttribute, StartFinding, StartProblem};
use crate::audit::names::{Binding, ModuleNames};
use crate::audit::search::ModuleFile;
use crate::hints::did_you_mean;

/// The names that most applications have.
const USUAL_APPLICATIONS: [&str; 3] = ["app", "application", "celery"];

/// A module that a command starts.
#[derive(Debug, Clone)]
pub(crate) struct StartedModule {
    /// The part of the command that names it, for messages.
    pub(crate) command: String,
    /// The dotted name.
    pub(crate) module: String,
    pub(crate) usage: ModuleUse,
    /// Whether nothing that was not read can change what is started.
    pub(crate) is_certain: bool,
}

/// When Python begins to search a directory for modules: what has been imported before is not replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SearchedSince {
    /// When the interpreter starts: a directory of `PYTHONPATH`.
    Startup,
    /// When Python runs what the command names: the directory of a script, or the working directory for `python -m`.
    Command,
    /// When a server loads the application, after it has imported its own modules.
    Server,
    /// Never, as far as the command tells.
    Never,
}

/// The modules of a command; none for a function, whose handler is checked by itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommandModules {
    pub(crate) named: Vec<StartedModule>,
    /// The directories of the search path that Python does not search from its start on.
    pub(crate) searched_later: BTreeMap<String, SearchedSince>,
}

/// What is done with a module that is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModuleUse {
    /// It is run: a package needs the module `__main__`.
    Run,
    /// An attribute is called or served.
    Serve(ApplicationAttribute),
}

impl<'a> ImportChecker<'a> {
    /// Returns why modules that a command names do not start.
    pub(super) fn starts(&mut self, named: &[StartedModule]) -> Vec<StartFinding> {
        let problems = named.iter().filter_map(|started| Some((started, self.start_problem(started)?)));
        let findings = problems.map(|(started, problem)| StartFinding {
            command: started.command.clone(),
            problem,
            is_error: started.is_certain,
        });
        findings.collect()
    }

    /// Adds the distributions of what is started to those that the application uses: the handler may be a distribution's.
    pub(super) fn use_started(&mut self) {
        let named = self.imports.command.named.iter().map(|named| &named.module);
        for name in self.imports.started.iter().chain(named) {
            let name = name.strip_suffix(".__main__").unwrap_or(name);
            let resolution = self.resolver.resolve(name);
            self.add_used(&resolution);
        }
    }

    /// Returns why a module does not start.
    fn start_problem(&mut self, started: &StartedModule) -> Option<StartProblem> {
        let StartedModule { module, .. } = started;
        match self.resolver.resolve(module) {
            ModuleResolution::Provided | ModuleResolution::Unknown => None,
            ModuleResolution::Missing { depth, .. } => self.missing_start(started, depth),
            ModuleResolution::Namespace(directories) => match &started.usage {
                ModuleUse::Run => (!self.resolver.has_submodule(&directories, "__main__"))
                    .then(|| StartProblem::NoMain { module: module.clone(), is_standard: false }),
                ModuleUse::Serve(ApplicationAttribute::Named(name) | ApplicationAttribute::Owner(name)) => {
                    let is_submodule = self.resolver.has_submodule(&directories, name);
                    (!is_submodule).then(|| StartProblem::NamespacePackage {
                        module: module.clone(),
                        similar: self.elsewhere(name),
                    })
                }
                ModuleUse::Serve(_) => None,
            },
            ModuleResolution::Module(file) => match &started.usage {
                ModuleUse::Run => self.missing_main(&file, module),
                ModuleUse::Serve(ApplicationAttribute::Named(name) | ApplicationAttribute::Owner(name)) => {
                    self.missing_attribute(&file, started, name)
                }
                ModuleUse::Serve(_) => None,
            },
        }
    }

    fn missing_start(&mut self, started: &StartedModule, depth: usize) -> Option<StartProblem> {
        let StartedModule { module, usage, .. } = started;
        if self.imports.is_allowed(module) {
            return None;
        }
        if let (ModuleUse::Serve(ApplicationAttribute::LastComponent), Some((parent, name))) =
            (usage, module.rsplit_once('.'))
            && let ModuleResolution::Module(file) = self.resolver.resolve(parent)
        {
            let names = self.names(&file)?;
            if names.get(name).is_some() || names.incomplete.is_some() || resolve::creates_modules(&file) {
                return None;
            }
        }
        let own = || self.modules.iter().map(|module| &*module.name);
        let name = first_components(module, depth + 1);
        let mut missing = remedies::missing(self.imports, own(), name, Vec::new(), started.is_certain);
        let attribute = match usage {
            ModuleUse::Serve(ApplicationAttribute::Named(attribute) | ApplicationAttribute::Owner(attribute)) => {
                format!(":{attribute}")
            }
            _ => String::new(),
        };
        let similar = remedies::similar(module, own());
        if !similar.is_empty() {
            missing.remedies = similar.iter().map(|module| did_you_mean(&format!("{module}{attribute}"))).collect();
        }
        Some(StartProblem::MissingModule(missing))
    }

    fn missing_main(&self, file: &ModuleFile<'a>, module: &str) -> Option<StartProblem> {
        let package = file.package_directory()?;
        let has_main = self.resolver.has_submodule(&[package], "__main__") || resolve::creates_modules(file);
        (!has_main).then(|| StartProblem::NoMain { module: module.to_owned(), is_standard: false })
    }

    fn missing_attribute(&self, file: &ModuleFile<'a>, started: &StartedModule, name: &str) -> Option<StartProblem> {
        let names = self.names(file)?;
        let (path, attribute) = (file.path.to_owned(), name.to_owned());
        // Modules and literals have attributes that can be called.
        let is_called = matches!(started.usage, ModuleUse::Serve(ApplicationAttribute::Named(_)));
        match names.get(name) {
            Some(_) if !is_called => return None,
            Some(Binding::Module(_)) => {
                return Some(StartProblem::NotCallable { path, attribute, kind: "a module" });
            }
            Some(Binding::Literal(kind)) => return Some(StartProblem::NotCallable { path, attribute, kind }),
            Some(_) => return None,
            None => {}
        }
        let package: Vec<_> = file.package_directory().into_iter().collect();
        if names.incomplete.is_some() || name.starts_with("__") || resolve::creates_modules(file) {
            return None;
        }
        if self.resolver.has_submodule(&package, name) {
            return is_called.then_some(StartProblem::NotCallable { path, attribute, kind: "a module" });
        }
        let in_module = remedies::similar(name, names.iter().map(|(name, _)| name));
        let usual = USUAL_APPLICATIONS
            .into_iter()
            .filter(|usual| matches!(names.get(usual), Some(Binding::Object | Binding::Call(_))));
        let in_module: BTreeSet<String> = in_module.into_iter().chain(usual.map(str::to_owned)).collect();
        let mut similar: Vec<String> = in_module.iter().map(|name| format!("{}:{name}", started.module)).collect();
        if similar.is_empty() {
            similar = self.elsewhere(name);
        }
        similar.truncate(remedies::SUGGESTIONS);
        Some(StartProblem::MissingAttribute { path, attribute, similar })
    }

    /// Returns where else the application defines a name.
    fn elsewhere(&self, name: &str) -> Vec<String> {
        let defining = self.modules.iter().filter(|module| {
            matches!(
                module.source.names.get(name),
                Some(Binding::Object | Binding::Call(_) | Binding::OtherParameters | Binding::Coroutine)
            )
        });
        defining.map(|module| format!("{}:{name}", module.name)).take(remedies::SUGGESTIONS).collect()
    }

    /// Returns the names that a module defines; `None` if it cannot be read or has a syntax error.
    fn names(&self, file: &ModuleFile) -> Option<ModuleNames> {
        if let Some(at) = self.positions.get(file.path) {
            return Some(self.modules[*at].source.names.clone());
        }
        if !file.path.ends_with(".py") {
            return None;
        }
        ModuleNames::read(&file.entry.content.read(super::LARGEST_MODULE).ok()?, self.imports.python).ok()
    }
}
