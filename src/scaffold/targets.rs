//! Proposes targets for a project.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::DetectedProject;
use super::dockerfile::Dockerfile;
use super::entry_points::{DetectedApplication, DetectedCommand};
use super::frameworks::{Framework, ServerInterface};
use super::servers::{PORT, ServerCommand};
use super::table::TargetTable;
use super::test_suite::{MissingTestRunner, TestDependencies, TestSuite};
use crate::audit::handler::Handler;
use crate::options::TargetKind;
use crate::platform::PythonReason;

/// How many alternatives a comment lists.
const ALTERNATIVES: usize = 4;

/// What the command line requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestedTargets {
    /// `None` for the kinds that suit what was detected.
    pub(crate) kinds: Option<TargetKinds>,
    /// The name of the target for production.
    pub(crate) name: Option<String>,
    pub(crate) handler: Option<Handler>,
}

/// The kinds of targets for production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetKinds {
    Lambda,
    Image,
    Both,
}

#[derive(Debug, Clone)]
pub(crate) struct ProposedTarget {
    pub(crate) name: String,
    pub(crate) kind: TargetKind,
    pub(crate) description: String,
    pub(super) table: TargetTable,
}

/// What an image runs.
enum ImageCommand<'a> {
    Server(&'a DetectedApplication, ServerCommand),
    Command(&'a DetectedCommand),
    Unknown,
}

/// Proposes the targets of a project: those for production, then that for the tests.
pub(super) fn propose(project: &DetectedProject, requested: &RequestedTargets) -> Vec<ProposedTarget> {
    let kinds = requested.kinds.unwrap_or_else(|| suitable_kinds(project, requested));
    let mut targets = Vec::new();
    if kinds != TargetKinds::Image {
        let name = match &requested.name {
            Some(name) if kinds == TargetKinds::Both => format!("{name}-lambda"),
            Some(name) => name.clone(),
            None => "function".to_owned(),
        };
        targets.push(lambda_target(project, name, requested));
    }
    if kinds != TargetKinds::Lambda {
        let command = image_command(project);
        let default = if matches!(command, ImageCommand::Server(..)) { "web" } else { "app" };
        let name = requested.name.clone().unwrap_or_else(|| default.to_owned());
        targets.push(image_target(project, name.clone(), &command));
        let worker = project.sources.entry_points.workers.first();
        let is_own = |worker: &&DetectedCommand| matches!(&command, ImageCommand::Command(main) if main == worker);
        targets.extend(worker.filter(|worker| !is_own(worker)).map(|worker| worker_target(worker, &name)));
        if let Some(Ok(tests)) = &project.tests {
            targets.push(test_target(tests, &name));
        }
    }
    targets
}

/// Returns the kinds that suit what was detected. A project with a handler gets an image only if a server for its application
/// is locked.
fn suitable_kinds(project: &DetectedProject, requested: &RequestedTargets) -> TargetKinds {
    let entry_points = &project.sources.entry_points;
    let has_handler = requested.handler.is_some() || !entry_points.handlers.is_empty();
    let is_served = matches!(image_command(project), ImageCommand::Server(_, server) if server.is_locked);
    match (has_handler, is_served) {
        (true, true) => TargetKinds::Both,
        (true, false) => TargetKinds::Lambda,
        (false, _) => TargetKinds::Image,
    }
}

/// Returns what an image of a project runs. Of Django's two applications, that is the one that a server is locked for.
fn image_command(project: &DetectedProject) -> ImageCommand<'_> {
    let entry_points = &project.sources.entry_points;
    let Some(first) = entry_points.applications.first() else {
        let first = entry_points.commands.first().or_else(|| entry_points.workers.first());
        return first.map_or(ImageCommand::Unknown, ImageCommand::Command);
    };
    let same =
        entry_points.applications.iter().filter(|application| application.framework.name == first.framework.name);
    let mut served = same.map(|application| (application, ServerCommand::choose(application, project)));
    match served.find(|(_, server)| server.is_locked) {
        Some((application, server)) => ImageCommand::Server(application, server),
        // `django-admin startproject` creates both applications, and Django's documentation describes WSGI first.
        None => {
            let wsgi = entry_points
                .applications
                .iter()
                .find(|other| other.framework.name == "Django" && other.interface() == ServerInterface::Wsgi);
            let application = wsgi.filter(|_| first.framework.name == "Django").unwrap_or(first);
            ImageCommand::Server(application, ServerCommand::choose(application, project))
        }
    }
}

fn lambda_target(project: &DetectedProject, name: String, requested: &RequestedTargets) -> ProposedTarget {
    let handlers = &project.sources.entry_points.handlers;
    let mut table = TargetTable::new(&name).without(&project.shared_keys);
    table.text("kind", TargetKind::Lambda.name());
    add_script(project, &mut table);
    table.comment(&format!("{} Create the function with the same runtime.", python_comment(project)));
    table.text("runtime", &format!("python{}", project.python));
    let requested = requested.handler.as_ref().map(ToString::to_string);
    let found = match &requested {
        Some(requested) => handlers.iter().find(|found| found.handler == *requested),
        None => handlers.first(),
    };
    let chosen = requested.or_else(|| found.map(|found| found.handler.clone()));
    match (&chosen, found) {
        (Some(handler), Some(found)) => {
            table.comment(&format!("{}: {}. The build fails if it is not in the zip.", found.place, found.kind));
            table.text("handler", handler);
        }
        (Some(handler), None) => {
            table.comment("The build fails if it is not in the zip.");
            table.text("handler", handler);
        }
        (None, _) => {
            table.comment("No handler was found. Set it here, and the build fails if it is not in the zip:");
            table.comment("handler = \"module.function\"");
        }
    }
    let others = handlers.iter().map(|found| found.handler.as_str());
    let others: Vec<&str> = others.filter(|other| Some(*other) != chosen.as_deref()).collect();
    if !others.is_empty() {
        table.comment(&format!("Other handlers that the same zip contains: {}.", listed(&others)));
    }
    add_files(project, &mut table, &[]);
    let description = chosen.map_or_else(|| "a Lambda function".to_owned(), |handler| format!("the handler {handler}"));
    ProposedTarget { name, kind: TargetKind::Lambda, description, table }
}

fn image_target(project: &DetectedProject, name: String, command: &ImageCommand) -> ProposedTarget {
    let mut table = TargetTable::new(&name).without(&project.shared_keys);
    table.text("kind", TargetKind::Image.name());
    add_script(project, &mut table);
    let has_base = project.dockerfile.as_ref().is_some_and(|dockerfile| dockerfile.base.is_some());
    if !has_base && !matches!(project.python_reason, PythonReason::Pinned(_)) {
        table.comment(&python_comment(project));
        table.text("python", &project.python.to_string());
    }
    let entry_points = &project.sources.entry_points;
    let (mut files, mut env) = (Vec::new(), BTreeMap::<String, String>::new());
    let description = match command {
        ImageCommand::Server(application, server) => {
            files.extend(server.configuration);
            if let Some(settings) = entry_points.django.as_ref().and_then(|django| django.settings.as_deref()) {
                env.insert("DJANGO_SETTINGS_MODULE".to_owned(), settings.to_owned());
            }
            if project.dockerfile.as_ref().is_none_or(|dockerfile| dockerfile.command.is_none()) {
                add_server(project, application, server, &mut table);
            }
            format!("{}, served by {}", application.framework.name, server.server.name())
        }
        ImageCommand::Command(found) => {
            let place = found.place.as_ref().map_or("pyproject.toml", |place| &place.path);
            table.comment(&format!("{place}: {}.", found.description));
            if project.dockerfile.as_ref().is_none_or(|dockerfile| dockerfile.command.is_none()) {
                table.strings("cmd", &found.command);
                if let Some(port) = found.port {
                    table.numbers("expose", &[port]);
                }
            }
            if !found.env.is_empty() {
                env.extend(found.env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            }
            let others: Vec<String> =
                entry_points.commands.iter().skip(1).map(|other| other.command.join(" ")).collect();
            if !others.is_empty() {
                table.comment(&format!("Other commands: {}.", listed(&others)));
            }
            found.command.join(" ")
        }
        ImageCommand::Unknown if project.script.is_some() => {
            let script = project.script.as_deref().unwrap_or_default();
            table.comment(&format!("It runs `python {script}`. Set another command here:"));
            table.comment("cmd = [\"python\", \"-m\", \"module\"]");
            format!("python {script}")
        }
        ImageCommand::Unknown => {
            table.comment("No command was found that a container can run. Set it here:");
            table.comment("cmd = [\"python\", \"-m\", \"module\"]");
            "an image".to_owned()
        }
    };
    if let Some(dockerfile) = &project.dockerfile {
        env.extend(dockerfile.env.iter().cloned());
        add_dockerfile(dockerfile, &mut table);
    }
    if !env.is_empty() {
        let pairs: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        table.pairs("env", &pairs);
    }
    add_files(project, &mut table, &files);
    table.comment("Where `pybundle build --push` pushes the image:");
    table.comment(&format!("tag = [\"registry.example.org/{}:latest\"]", project.name));
    ProposedTarget { name, kind: TargetKind::Image, description, table }
}

/// Adds the script that is bundled in place of the project.
fn add_script(project: &DetectedProject, table: &mut TargetTable) {
    if let Some(script) = &project.script {
        table.comment(
            "A script with inline metadata: with the dependencies that it lists, and the modules that it imports.",
        );
        table.text("script", script);
    }
}

/// Adds what a Dockerfile says of the image.
fn add_dockerfile(dockerfile: &Dockerfile, table: &mut TargetTable) {
    table.comment("From the Dockerfile:");
    if let Some(base) = &dockerfile.base {
        table.text("base", base);
    }
    if let Some(entrypoint) = &dockerfile.entrypoint {
        table.strings("entrypoint", entrypoint);
    }
    if let Some(command) = &dockerfile.command {
        table.strings("cmd", command);
        if !dockerfile.expose.is_empty() {
            table.numbers("expose", &dockerfile.expose);
        }
    }
    if !dockerfile.added_users().is_empty() {
        let users: Vec<String> = dockerfile.added_users().iter().map(ToString::to_string).collect();
        table.strings("add-user", &users);
    }
    if let Some(user) = &dockerfile.user {
        table.text("user", user);
    }
    if let Some(signal) = &dockerfile.stop_signal {
        table.text("stop-signal", signal);
    }
    if !dockerfile.volumes.is_empty() {
        table.strings("volume", &dockerfile.volumes);
    }
    for (key, value) in &dockerfile.health {
        match value.parse::<u16>() {
            Ok(number) if *key == "healthcheck-retries" => table.number(key, number),
            _ => table.text(key, value),
        }
    }
    if !dockerfile.packages.is_empty() {
        let packages: Vec<String> = dockerfile.packages.iter().map(ToString::to_string).collect();
        table.strings("apt", &packages);
    }
    if !dockerfile.other_packages.is_empty() {
        table.comment(&format!("Not carried over: {}", dockerfile.other_packages.join(", ")));
    }
    for (line, text) in &dockerfile.others {
        table.comment(&format!("Not carried over, line {line}: {text}"));
        if text.contains("manage.py collectstatic") {
            table.comment("This runs it on the machine that builds, before the files are collected:");
            table.comment("prepare = [[\"uv\", \"run\", \"manage.py\", \"collectstatic\", \"--noinput\"]]");
        }
    }
}

/// Adds the command that serves an application.
fn add_server(
    project: &DetectedProject,
    application: &DetectedApplication,
    server: &ServerCommand,
    table: &mut TargetTable,
) {
    let Framework { name, interface } = application.framework;
    let kind = if application.is_factory { "application factory" } else { "application" };
    let (place, server_name) = (&application.place, server.server.name());
    if server.is_locked {
        let state = if project.lock.path.is_some() { "locked" } else { "declared" };
        table.comment(&format!("{place}: {name} {kind}, served by {server_name}, which is {state}."));
    } else {
        table.comment(&format!("{place}: {name} {kind}, but no {interface} server is locked. For this command,"));
        table.comment(&format!("{}, and lock again.", project.lock.addition(server_name)));
    }
    table.strings("cmd", &server.command);
    if server.configuration.is_none() {
        table.numbers("expose", &[PORT]);
    }
    // Django's other application is no alternative, and a factory usually returns one of the applications.
    let others = project.sources.entry_points.applications.iter().filter(|other| {
        *other != application && other.framework.name != "Django" && (application.is_factory || !other.is_factory)
    });
    let others: Vec<String> = others.map(DetectedApplication::reference).collect();
    if !others.is_empty() {
        table.comment(&format!("Other applications: {}.", listed(&others)));
    }
}

/// Returns the target of a worker that runs the same code as a server.
fn worker_target(worker: &DetectedCommand, production: &str) -> ProposedTarget {
    let name = if production == "worker" { "background" } else { "worker" }.to_owned();
    let mut table = TargetTable::new(&name);
    let place = worker.place.as_ref().map(ToString::to_string).unwrap_or_default();
    table.comment(&format!("{place}: {}, with the same layers.", worker.description));
    table.text("extends", production);
    table.strings("cmd", &worker.command);
    let description = worker.command.join(" ");
    ProposedTarget { name, kind: TargetKind::Image, description, table }
}

fn test_target(tests: &TestSuite, production: &str) -> ProposedTarget {
    let name = if production == "test" { "test-suite" } else { "test" }.to_owned();
    let mut table = TargetTable::new(&name);
    table.comment("The layers of production with the tests on top: what is tested is what is deployed.");
    table.text("extends", production);
    match &tests.dependencies {
        TestDependencies::Group(group) => table.strings("group", std::slice::from_ref(group)),
        TestDependencies::Extra(extra) => table.strings("extra", std::slice::from_ref(extra)),
        TestDependencies::None => {}
    }
    let files = std::iter::once(tests.directory.clone()).chain(tests.configuration.iter().cloned());
    table.strings("include", &files.collect::<Vec<_>>());
    table.strings("cmd", &tests.command);
    let description = format!("{production} with {}/", tests.directory);
    ProposedTarget { name, kind: TargetKind::Image, description, table }
}

/// Adds the lock and the files of the project, where pybundle's defaults do not find them.
fn add_files(project: &DetectedProject, table: &mut TargetTable, files: &[&str]) {
    let lock = &project.lock;
    if let Some(path) = &lock.path {
        if lock.needs_setting {
            table.text("lock", &project.relative(path));
        }
        if lock.is_unpinned {
            let file = project.relative(path);
            table.comment(&format!("{file} does not pin every version, so uv resolves them at each build."));
            table.comment("Lock them to make builds reproducible.");
            table.switch("resolve");
        }
    }
    if let Some(includes) = includes(project, files) {
        table.comment("The files of the project to include: modules, and the files that they read.");
        table.strings("include", &includes);
    }
}

/// Returns the files and directories to include, if the default does not include everything that the application needs.
fn includes(project: &DetectedProject, files: &[&str]) -> Option<Vec<String>> {
    let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
    match &project.sources.root {
        _ if project.is_package => {
            let files = [project.modules_beside_package(), files].concat();
            (!files.is_empty()).then_some(files)
        }
        Some(root) => Some([vec![format!("{root}:.")], files].concat()),
        None => None,
    }
}

impl MissingTestRunner {
    pub(super) fn note(&self, project: &DetectedProject) -> String {
        let directory = &self.directory;
        match project.lock.group_addition("pytest", "test") {
            Some(command) => {
                format!("{directory}/ contains tests, but no group contains pytest: run {command} for a test target")
            }
            None => format!("{directory}/ contains tests, but pytest is not locked, so there is no test target"),
        }
    }
}

/// Returns the comment on why a project gets its version of Python.
fn python_comment(project: &DetectedProject) -> String {
    let reason = match &project.python_reason {
        PythonReason::Pinned(file) => format!("From {file}."),
        PythonReason::Allowed { source, specifiers } => format!("The newest that {source} ({specifiers}) allows."),
        PythonReason::OldestAllowed { source, specifiers } => {
            format!("The oldest that {source} ({specifiers}) allows.")
        }
        PythonReason::Newest => "The newest: neither .python-version nor requires-python sets one.".to_owned(),
    };
    match &project.passed_over {
        Some(passed_over) => format!("{} ({passed_over}).", reason.trim_end_matches('.')),
        None => reason,
    }
}

fn listed(names: &[impl Borrow<str>]) -> String {
    let shown = names[..ALTERNATIVES.min(names.len())].join(", ");
    if names.len() > ALTERNATIVES { format!("{shown} and {} more", names.len() - ALTERNATIVES) } else { shown }
}
