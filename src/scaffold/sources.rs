//! The sources of a project, read for what they can be started by.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;

use super::entry_points::{
    DetectedApplication, DetectedCommand, DetectedHandler, DjangoProject, EntryPoints, SourceLine,
};
use super::frameworks::Framework;
use super::module::{ApplicationDefinition, ScannedModule};
use crate::platform::PythonVersion;
use crate::project::application::{self, ApplicationError, Excludes};
use crate::tree::FileContent;

/// The largest module that is read, in bytes.
const READ_LIMIT: u64 = 1 << 20;

/// How many names a name is followed through that modules import from each other.
const HOPS: usize = 8;

/// Names of modules that applications are usually in, and of applications.
const USUAL: [&str; 7] = ["main", "app", "application", "asgi", "wsgi", "api", "server"];

/// Names of modules that people start by hand.
const PROGRAMS: [&str; 5] = ["main", "app", "run", "server", "cli"];

/// What a project's sources tell.
#[derive(Debug, Default)]
pub(crate) struct DetectedSources {
    /// What can be started.
    pub(crate) entry_points: EntryPoints,
    /// The files and directories that are bundled unless others are named, relative to the project.
    pub(crate) taken: Vec<String>,
    /// The directory, relative to the project, that the modules import each other from, where it is not the one that the
    /// application's files are put into unless they are told another place.
    pub(crate) root: Option<String>,
}

impl DetectedSources {
    /// Reads the sources of the project in a directory: those that are bundled unless others are named.
    ///
    /// # Errors
    /// They cannot be collected.
    pub(crate) fn read(project: &Path, workspace: &Path, python: PythonVersion) -> Result<Self, ApplicationError> {
        // No pattern is wrong where there is none.
        let Ok(excludes) = Excludes::new(project, &[]) else { return Ok(Self::default()) };
        let application = match application::collect(project, workspace, &[], &excludes) {
            Err(ApplicationError::NothingFound(_)) => return Ok(Self::default()),
            other => other?,
        };
        let files: Vec<(&str, &Path)> = application
            .files
            .iter()
            .filter_map(|(path, entry)| match &entry.content {
                FileContent::File { path: source, size } if *size <= READ_LIMIT => {
                    Some((path.as_str(), source.as_path()))
                }
                _ => None,
            })
            .collect();
        let read = |(path, source): &(&str, &Path)| {
            let shown = source.strip_prefix(project).unwrap_or(source).display().to_string();
            ScannedModule::read(&module_name(path)?, &shown, &std::fs::read(source).ok()?, python)
        };
        let mut modules: Vec<ScannedModule> = files.par_iter().filter_map(read).collect();
        let root = root(&modules);
        if let Some(root) = &root {
            modules.iter_mut().for_each(|module| module.strip(root));
        }
        Ok(Self { entry_points: entry_points(&modules), taken: application.taken, root })
    }
}

impl ScannedModule {
    /// Names the module as those do that import it from a directory.
    fn strip(&mut self, directory: &str) {
        let prefix = format!("{directory}.");
        let stripped = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).to_owned();
        self.name = stripped(&self.name);
        self.imports.values_mut().for_each(|name| *name = stripped(name));
        self.calls.iter_mut().for_each(|(_, callable, _)| *callable = stripped(callable));
    }

    /// Returns the last component of its name.
    fn last(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    fn depth(&self) -> usize {
        self.name.matches('.').count()
    }

    fn starts_something(&self) -> bool {
        !self.handlers.is_empty() || !self.applications.is_empty() || self.settings.is_some()
    }
}

/// Returns the dotted name by which a file is imported, if it is a module's source.
fn module_name(path: &str) -> Option<String> {
    let stem = path.strip_suffix(".py")?;
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    (!stem.contains('.')).then(|| stem.replace('/', "."))
}

/// Returns the directory that everything that can be started lies in, if it is no package and its modules import each other
/// as if it were where they are looked for.
fn root(modules: &[ScannedModule]) -> Option<String> {
    let names: BTreeSet<&str> = modules.iter().map(|module| module.name.as_str()).collect();
    let is_module =
        |name: &str| names.contains(name) || names.iter().any(|known| known.starts_with(&format!("{name}.")));
    let mut directories = modules.iter().filter(|module| module.starts_something()).map(|module| {
        let directory = module.name.split_once('.').map(|(directory, _)| directory)?;
        (!names.contains(directory)).then_some(directory)
    });
    let directory = directories.next()??;
    if !directories.all(|other| other == Some(directory)) {
        return None;
    }
    let inside = modules.iter().filter(|module| module.name.starts_with(&format!("{directory}.")));
    let mut imported = inside.flat_map(|module| {
        let settings = module.settings.as_deref().and_then(|settings| settings.split('.').next());
        module.roots.iter().map(String::as_str).chain(settings)
    });
    let imports_from_it = imported.any(|name| is_module(&format!("{directory}.{name}")) && !is_module(name));
    imports_from_it.then(|| directory.to_owned())
}

fn entry_points(modules: &[ScannedModule]) -> EntryPoints {
    let mut handlers: Vec<(usize, DetectedHandler)> = Vec::new();
    for module in modules {
        handlers.extend(module.handlers.iter().map(|(name, kind, line)| {
            let handler = format!("{}.{name}", module.name);
            (module.depth(), DetectedHandler { handler, kind: *kind, place: module.place(*line) })
        }));
    }
    handlers.sort_by(|(left_depth, left), (right_depth, right)| {
        (left.kind, left_depth, &left.handler).cmp(&(right.kind, right_depth, &right.handler))
    });
    EntryPoints {
        handlers: handlers.into_iter().map(|(_, handler)| handler).collect(),
        applications: applications(modules),
        programs: programs(modules),
        django: django(modules),
    }
}

/// Returns the applications: an object before a function, what has a usual name first, and what lies deep last.
fn applications(modules: &[ScannedModule]) -> Vec<DetectedApplication> {
    let aliases: BTreeMap<String, &str> = modules
        .iter()
        .flat_map(|module| module.imports.iter().map(|(name, full)| (format!("{}.{name}", module.name), full.as_str())))
        .collect();
    let factories: BTreeMap<String, Framework> = modules
        .iter()
        .flat_map(|module| module.applications.iter().map(move |offer| (module, offer)))
        .filter(|(_, offer)| offer.is_factory)
        .map(|(module, offer)| (format!("{}.{}", module.name, offer.name), offer.framework))
        .collect();
    let framework_object = |callable: &str| {
        let names = std::iter::successors(Some(callable), |name| aliases.get(*name).copied());
        names.take(HOPS).find_map(|name| factories.get(name).copied())
    };
    let mut found = Vec::new();
    for module in modules {
        let called = module.calls.iter().filter_map(|(name, callable, line)| {
            let framework = framework_object(callable)?;
            Some(ApplicationDefinition { name: name.clone(), framework, is_factory: false, line: *line })
        });
        for offer in module.applications.iter().cloned().chain(called) {
            let likelihood = (
                offer.is_factory,
                !USUAL.contains(&offer.name.as_str()),
                !USUAL.contains(&module.last()),
                module.depth(),
                module.name.clone(),
                offer.line,
            );
            let (name, place) = (offer.name, module.place(offer.line));
            let (is_factory, framework) = (offer.is_factory, offer.framework);
            let module = module.name.clone();
            found.push((likelihood, DetectedApplication { module, name, is_factory, framework, place }));
        }
    }
    found.sort_by(|(left, _), (right, _)| left.cmp(right));
    found.into_iter().map(|(_, application)| application).collect()
}

/// Returns what is started without a server: packages first, then modules that are started by hand.
fn programs(modules: &[ScannedModule]) -> Vec<DetectedCommand> {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let place = |module: &ScannedModule| Some(SourceLine { path: module.path.clone(), line: 1 });
    let packages = modules.iter().filter_map(|module| {
        let package = module.name.strip_suffix(".__main__").filter(|package| !package.contains('.'))?;
        let what = format!("the package {package}, which has a __main__.py");
        Some(DetectedCommand { command: words(&["python", "-m", package]), what, place: place(module) })
    });
    let mut scripts: Vec<&ScannedModule> =
        modules.iter().filter(|module| module.runs && module.depth() == 0 && module.name != "manage").collect();
    scripts.sort_by_key(|module| PROGRAMS.iter().position(|name| *name == module.name).unwrap_or(PROGRAMS.len()));
    let scripts = scripts.into_iter().map(|module| DetectedCommand {
        command: words(&["python", "-m", &module.name]),
        what: format!("the module {}, which does something when it is started", module.name),
        place: place(module),
    });
    packages.chain(scripts).collect()
}

/// Returns what Django needs to know. Settings whose name says that they are for production come first, then those that
/// the application's module chooses, and then those of `manage.py`.
fn django(modules: &[ScannedModule]) -> Option<DjangoProject> {
    let chosen = |name: &str| {
        let mut named = modules.iter().filter(|module| module.last() == name);
        named.find_map(|module| module.settings.clone())
    };
    let settings = ["wsgi", "asgi", "manage"].into_iter().find_map(chosen);
    let manage = modules.iter().find(|module| module.name == "manage" && module.settings.is_some());
    if settings.is_none() && manage.is_none() {
        return None;
    }
    let production = settings.as_ref().and_then(|settings| {
        let package = settings.rsplit_once('.').map_or(settings.as_str(), |(package, last)| match last {
            // `shop.settings` may be a package of its own.
            "settings" => settings.as_str(),
            _ => package,
        });
        let names = ["production", "prod"].map(|name| format!("{package}.{name}"));
        names.into_iter().find(|name| modules.iter().any(|module| module.name == *name))
    });
    Some(DjangoProject { settings: production.or(settings), manage: manage.map(|_| "manage.py".to_owned()) })
}
