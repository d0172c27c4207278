//! Scans the sources of a project for its entry points.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;

use super::entry_points::{DetectedApplication, DetectedCommand, DetectedHandler, DjangoProject, EntryPoints};
use super::frameworks::Framework;
use super::module::{ApplicationDefinition, ScannedModule};
use crate::audit::handler::{self, Handler, HandlerError, ImportRoot};
use crate::hints::did_you_mean;
use crate::platform::TargetPlatform;
use crate::project::application::{Application, ApplicationError, ApplicationSource, Excludes};
use crate::project::workspace::Workspace;
use crate::tree::{FileContent, FileTree};

/// The largest module that is scanned, in bytes.
const LARGEST_READ: u64 = 1 << 20;

/// How many imports a name is followed through from module to module.
const IMPORT_HOPS: usize = 8;

/// The usual names of applications and of the modules that contain them.
const APPLICATION_NAMES: [&str; 7] = ["main", "app", "application", "asgi", "wsgi", "api", "server"];

/// The usual names of modules that are run, the likeliest first.
const RUNNABLE_NAMES: [&str; 5] = ["main", "app", "run", "server", "cli"];

/// What was detected in the sources of a project.
#[derive(Debug, Default)]
pub(crate) struct DetectedSources {
    pub(crate) entry_points: EntryPoints,
    /// The directory, relative to the project, that has to be included as the root, because its modules import each other
    /// from there.
    pub(super) root: Option<String>,
    /// Why the requested handler cannot be run, as far as the sources tell.
    pub(super) handler_problem: Option<String>,
}

impl DetectedSources {
    /// Scans the sources of a project, or of a script in it, that are included by default, for entry points and for the
    /// requested handler.
    ///
    /// # Errors
    /// The sources cannot be collected.
    pub(super) fn read(
        project: &Path,
        workspace: &Workspace,
        target: &TargetPlatform,
        handler: Option<&Handler>,
    ) -> Result<Self, ApplicationError> {
        // Without patterns, none is invalid.
        let Ok(excludes) = Excludes::new(project, &[]) else { return Ok(Self::default()) };
        let source = ApplicationSource {
            project,
            workspace: &workspace.root,
            script: workspace.script(),
            includes: &[],
            excludes: &excludes,
            locks: &[],
            profile: None,
            started: &[],
        };
        let application = match source.collect() {
            Err(ApplicationError::NothingFound(_)) => Application::default(),
            other => other?,
        };
        let files: Vec<(&str, &Path)> = application
            .files
            .iter()
            .filter_map(|(path, entry)| match &entry.content {
                FileContent::File { path: source, size } if *size <= LARGEST_READ => {
                    Some((path.as_str(), source.as_path()))
                }
                _ => None,
            })
            .collect();
        let modules = files.par_iter().filter_map(|(path, source)| {
            let relative = source.strip_prefix(project).unwrap_or(source).display().to_string();
            ScannedModule::read(&module_name(path)?, &relative, &std::fs::read(source).ok()?, target.python)
        });
        let mut modules: Vec<ScannedModule> = modules.collect();
        let root = import_root(&modules);
        if let Some(root) = &root {
            modules.iter_mut().for_each(|module| module.make_relative(root));
        }
        let handler_problem = handler.and_then(|handler| {
            let mut tree = FileTree::default();
            for (path, entry) in &application.files {
                // Its paths are those of one collection, which are distinct.
                let _ = tree.insert(path.clone(), entry.clone());
            }
            problem_of(handler, &tree, root.as_deref().unwrap_or_default(), target)
        });
        Ok(Self { entry_points: entry_points(&modules), root, handler_problem })
    }
}

/// Returns why a handler cannot be run. A dependency may have its module, which is not known before the build.
fn problem_of(handler: &Handler, tree: &FileTree, root: &str, target: &TargetPlatform) -> Option<String> {
    let suffixes = target.extension_suffixes();
    let roots = [ImportRoot { tree, site_packages: root, suffixes: &suffixes }];
    let error = handler::check(handler, &roots, target.python, |_| true).err()?;
    Some(match &error {
        HandlerError::NoModule { similar, .. } => {
            let module = handler.module();
            let meant = similar.first().map(|similar| format!("; {}", did_you_mean(similar))).unwrap_or_default();
            format!(
                "the project has no module `{module}`: builds with the handler `{handler}` fail unless a dependency has it{meant}"
            )
        }
        _ => error.to_string(),
    })
}

impl ScannedModule {
    /// Makes the names in the module relative to a directory that becomes the root.
    fn make_relative(&mut self, directory: &str) {
        let prefix = format!("{directory}.");
        let functions = self.calls.iter_mut().map(|(_, function, _)| function);
        for name in [&mut self.name].into_iter().chain(self.imports.values_mut()).chain(functions) {
            if let Some(relative) = name.strip_prefix(&prefix) {
                *name = relative.to_owned();
            }
        }
    }

    /// Returns the last component of the name.
    fn last(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    fn depth(&self) -> usize {
        self.name.matches('.').count()
    }

    fn has_entry_point(&self) -> bool {
        !self.handlers.is_empty() || !self.applications.is_empty() || self.settings.is_some()
    }
}

/// Returns the dotted name by which a file is imported; `None` if it is not the source of a module.
fn module_name(path: &str) -> Option<String> {
    let stem = path.strip_suffix(".py")?;
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    (!stem.contains('.')).then(|| stem.replace('/', "."))
}

/// Returns the directory that contains all entry points, if it is not a package and its modules import each other from it.
fn import_root(modules: &[ScannedModule]) -> Option<String> {
    let names: BTreeSet<&str> = modules.iter().map(|module| module.name.as_str()).collect();
    let mut directories = modules.iter().filter(|module| module.has_entry_point()).map(|module| {
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
    let is_root = imported.any(|name| contains(&names, &format!("{directory}.{name}")) && !contains(&names, name));
    is_root.then(|| directory.to_owned())
}

/// Returns whether a name is that of a module or of a package.
fn contains(modules: &BTreeSet<&str>, name: &str) -> bool {
    modules.contains(name) || modules.iter().any(|known| known.starts_with(&format!("{name}.")))
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
        commands: commands(modules),
        workers: modules.iter().flat_map(workers).collect(),
        django: django(modules),
    }
}

/// Returns the applications, the likeliest first: objects before factories, then usual names, then those nearest to the root.
fn applications(modules: &[ScannedModule]) -> Vec<DetectedApplication> {
    let aliases: BTreeMap<String, &str> = modules
        .iter()
        .flat_map(|module| module.imports.iter().map(|(name, full)| (format!("{}.{name}", module.name), full.as_str())))
        .collect();
    let factories: BTreeMap<String, Framework> = modules
        .iter()
        .flat_map(|module| module.applications.iter().map(move |definition| (module, definition)))
        .filter(|(_, definition)| definition.is_factory)
        .map(|(module, definition)| (format!("{}.{}", module.name, definition.name), definition.framework))
        .collect();
    let mut found = Vec::new();
    for module in modules {
        let called = module.calls.iter().filter_map(|(name, function, line)| {
            let mut names = std::iter::successors(Some(function.as_str()), |name| aliases.get(*name).copied());
            let framework = names.by_ref().take(IMPORT_HOPS).find_map(|name| factories.get(name).copied())?;
            Some(ApplicationDefinition { name: name.clone(), framework, is_factory: false, line: *line })
        });
        for definition in module.applications.iter().cloned().chain(called) {
            let likelihood = (
                definition.is_factory,
                !APPLICATION_NAMES.contains(&definition.name.as_str()),
                !APPLICATION_NAMES.contains(&module.last()),
                module.depth(),
                module.name.clone(),
                definition.line,
            );
            let (name, place) = (definition.name, module.place(definition.line));
            let (is_factory, framework) = (definition.is_factory, definition.framework);
            let module = module.name.clone();
            found.push((likelihood, DetectedApplication { module, name, is_factory, framework, place }));
        }
    }
    found.sort_by(|(left, _), (right, _)| left.cmp(right));
    found.into_iter().map(|(_, application)| application).collect()
}

/// The port that Streamlit, Gradio and the Functions Framework listen on by default.
const STREAMLIT_PORT: u16 = 8501;
const GRADIO_PORT: u16 = 7860;
const CLOUD_FUNCTIONS_PORT: u16 = 8080;

/// Returns the workers of a module's Celery applications.
fn workers(module: &ScannedModule) -> Vec<DetectedCommand> {
    let workers = module.celery.iter().map(|(name, line)| {
        let application = format!("{}:{name}", module.name);
        let command = ["celery", "--app", &application, "worker", "--loglevel", "INFO"].map(str::to_owned).to_vec();
        DetectedCommand {
            command,
            description: format!("the Celery application {application}"),
            place: Some(module.place(*line)),
            port: None,
            env: &[],
        }
    });
    workers.collect()
}

/// Returns the commands that serve what a module defines: functions of the Functions Framework, and pages of Streamlit and
/// Gradio.
fn served(module: &ScannedModule) -> Vec<DetectedCommand> {
    let functions = module.cloud_functions.iter().map(|(name, line)| {
        let port = CLOUD_FUNCTIONS_PORT.to_string();
        let command = ["functions-framework", "--source", &module.path, "--target", name, "--port", &port];
        DetectedCommand {
            command: command.map(str::to_owned).to_vec(),
            description: format!("the function {name}, served by the Functions Framework"),
            place: Some(module.place(*line)),
            port: Some(CLOUD_FUNCTIONS_PORT),
            env: &[],
        }
    });
    let streamlit = module.roots.contains("streamlit").then(|| {
        let port = STREAMLIT_PORT.to_string();
        let command = [
            "streamlit",
            "run",
            &module.path,
            "--server.address",
            "0.0.0.0",
            "--server.port",
            &port,
            "--server.headless",
            "true",
        ];
        DetectedCommand {
            command: command.map(str::to_owned).to_vec(),
            description: format!("the Streamlit page {}", module.path),
            place: Some(module.place(1)),
            port: Some(STREAMLIT_PORT),
            env: &[],
        }
    });
    let gradio = module.gradio.map(|line| DetectedCommand {
        command: ["python", "-m", &module.name].map(str::to_owned).to_vec(),
        description: format!("the Gradio page of {}", module.path),
        place: Some(module.place(line)),
        port: Some(GRADIO_PORT),
        env: &[("GRADIO_SERVER_NAME", "0.0.0.0")],
    });
    functions.chain(streamlit).chain(gradio).collect()
}

/// Returns the position of a module among those that are run, the likeliest first.
fn likelihood(module: &ScannedModule) -> usize {
    RUNNABLE_NAMES.iter().position(|name| *name == module.name).unwrap_or(RUNNABLE_NAMES.len())
}

/// Returns the commands that serve pages and functions, then those that run packages with a `__main__.py`, then those that
/// run modules; without any of them, those that run scripts.
fn commands(modules: &[ScannedModule]) -> Vec<DetectedCommand> {
    let mut top: Vec<&ScannedModule> = modules.iter().filter(|module| module.depth() == 0).collect();
    top.sort_by_key(|module| likelihood(module));
    let served: Vec<DetectedCommand> = top.iter().flat_map(|module| served(module)).collect();
    let mut found: Vec<DetectedCommand> = served.into_iter().chain(run_commands(modules)).collect();
    if found.is_empty() {
        found.extend(
            top.iter()
                .filter(|module| module.is_script && module.name != "manage")
                .map(|module| DetectedCommand::run(&module.name, module, format!("the script {}", module.path))),
        );
    }
    found
}

fn run_commands(modules: &[ScannedModule]) -> Vec<DetectedCommand> {
    let packages = modules.iter().filter_map(|module| {
        let package = module.name.strip_suffix(".__main__").filter(|package| !package.contains('.'))?;
        Some(DetectedCommand::run(package, module, format!("the package {package} with a __main__.py")))
    });
    let mut scripts: Vec<&ScannedModule> =
        modules.iter().filter(|module| module.is_runnable && module.depth() == 0 && module.name != "manage").collect();
    scripts.retain(|module| module.gradio.is_none());
    scripts.sort_by_key(|module| likelihood(module));
    let scripts = scripts.into_iter().map(|module| {
        let description = format!("the module {} with an `if __name__ == \"__main__\"`", module.name);
        DetectedCommand::run(&module.name, module, description)
    });
    packages.chain(scripts).collect()
}

impl DetectedCommand {
    /// Returns the command that runs a module or a package by its name.
    fn run(name: &str, module: &ScannedModule, description: String) -> Self {
        let command = ["python", "-m", name].map(str::to_owned).to_vec();
        Self { command, description, place: Some(module.place(1)), port: None, env: &[] }
    }
}

/// Detects a Django project. Settings with a name for production take precedence over those that the module of the
/// application sets, and these over those of `manage.py`.
fn django(modules: &[ScannedModule]) -> Option<DjangoProject> {
    let settings = ["wsgi", "asgi", "manage"].into_iter().find_map(|name| {
        let mut named = modules.iter().filter(|module| module.last() == name);
        named.find_map(|module| module.settings.clone())
    });
    let manage = modules.iter().find(|module| module.name == "manage" && module.settings.is_some());
    if settings.is_none() && manage.is_none() {
        return None;
    }
    let production = settings.as_ref().and_then(|settings| {
        let package = settings.rsplit_once('.').map_or(settings.as_str(), |(package, last)| match last {
            // `shop.settings` may be a package that contains `shop.settings.production`.
            "settings" => settings.as_str(),
            _ => package,
        });
        let names = ["production", "prod"].map(|name| format!("{package}.{name}"));
        names.into_iter().find(|name| modules.iter().any(|module| module.name == *name))
    });
    Some(DjangoProject { settings: production.or(settings), manage: manage.map(|_| "manage.py".to_owned()) })
}
