//! The targets that suit a project.

use super::DetectedProject;
use super::entry_points::{DetectedApplication, DetectedCommand};
use super::frameworks::ServerInterface;
use super::servers::{PORT, ServerCommand};
use super::table::TargetTable;
use super::test_suite::{MissingTestRunner, TestDependencies, TestSuite};
use crate::audit::handler::Handler;
use crate::options::TargetKind;
use crate::platform::PythonReason;

/// How many other handlers and applications a comment names.
const NAMED: usize = 4;

/// What the user asks for instead of what was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestedTargets {
    /// The kinds of targets; none for those that suit what was found.
    pub(crate) kinds: Option<TargetKinds>,
    /// The name of the target for production.
    pub(crate) name: Option<String>,
    /// The handler.
    pub(crate) handler: Option<Handler>,
}

/// TargetKinds of targets for production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetKinds {
    /// A Lambda function.
    Lambda,
    /// An image.
    Image,
    /// One of each.
    Both,
}

/// A target that is proposed.
#[derive(Debug, Clone)]
pub(crate) struct ProposedTarget {
    /// Its name.
    pub(crate) name: String,
    /// Its kind.
    pub(crate) kind: TargetKind,
    /// What it is, in a few words.
    pub(crate) what: String,
    /// Its table.
    pub(crate) table: TargetTable,
}

/// What an image runs.
enum ImageCommand<'a> {
    Server(&'a DetectedApplication, ServerCommand),
    Command(&'a DetectedCommand),
    Unknown,
}

/// Returns the targets that suit a project: those for production, then that of the tests.
pub(crate) fn propose(project: &DetectedProject, requested: &RequestedTargets) -> Vec<ProposedTarget> {
    let kinds = requested.kinds.unwrap_or_else(|| suitable(project, requested));
    let name = |kind: TargetKind, usual: &str| match (&requested.name, kind, kinds) {
        (Some(name), TargetKind::Lambda, TargetKinds::Both) => format!("{name}-lambda"),
        (Some(name), ..) => name.clone(),
        (None, ..) => usual.to_owned(),
    };
    let mut targets = Vec::new();
    if kinds != TargetKinds::Image {
        targets.push(lambda(project, name(TargetKind::Lambda, "function"), requested));
    }
    if kinds != TargetKinds::Lambda {
        let program = program(project);
        let usual = if matches!(program, ImageCommand::Server(..)) { "web" } else { "app" };
        let name = name(TargetKind::Image, usual);
        targets.push(image(project, name.clone(), &program));
        if let Some(Ok(suite)) = &project.tests {
            targets.push(tests(suite, &name));
        }
    }
    targets
}

/// Returns the kinds that suit what was found. What is behind a handler is an image of its own only if a server for it is
/// locked.
fn suitable(project: &DetectedProject, requested: &RequestedTargets) -> TargetKinds {
    let entry_points = &project.sources.entry_points;
    let has_handler = requested.handler.is_some() || !entry_points.handlers.is_empty();
    let is_served = matches!(program(project), ImageCommand::Server(_, service) if service.is_locked);
    match (has_handler, is_served) {
        (true, true) => TargetKinds::Both,
        (true, false) => TargetKinds::Lambda,
        (false, _) => TargetKinds::Image,
    }
}

/// Returns what an image of a project runs: of Django's two applications the one that a server is locked for.
fn program(project: &DetectedProject) -> ImageCommand<'_> {
    let entry_points = &project.sources.entry_points;
    let serve = |application| ServerCommand::choose(application, &project.lock, &project.directory);
    let Some(first) = entry_points.applications.first() else {
        return entry_points.programs.first().map_or(ImageCommand::Unknown, ImageCommand::Command);
    };
    let same =
        entry_points.applications.iter().filter(|application| application.framework.name == first.framework.name);
    let mut served = same.map(|application| (application, serve(application)));
    match served.find(|(_, service)| service.is_locked) {
        Some((application, service)) => ImageCommand::Server(application, service),
        // Django makes both applications in every project, and WSGI is what its own documentation begins with.
        None => {
            let wsgi = entry_points
                .applications
                .iter()
                .find(|other| other.framework.name == "Django" && other.interface() == ServerInterface::Wsgi);
            let application = wsgi.filter(|_| first.framework.name == "Django").unwrap_or(first);
            ImageCommand::Server(application, serve(application))
        }
    }
}

fn lambda(project: &DetectedProject, name: String, requested: &RequestedTargets) -> ProposedTarget {
    let handlers = &project.sources.entry_points.handlers;
    let mut table = TargetTable::new(&name);
    table.text("kind", TargetKind::Lambda.name());
    table.comment(&format!("{} The function is configured with the same.", because(&project.python_reason)));
    table.text("runtime", &format!("python{}", project.python));
    let asked = requested.handler.as_ref().map(ToString::to_string);
    let found = match &asked {
        Some(asked) => handlers.iter().find(|found| found.handler == *asked),
        None => handlers.first(),
    };
    match (asked.clone().or_else(|| found.map(|found| found.handler.clone())), found) {
        (Some(handler), Some(found)) => {
            table.comment(&format!("{}: {}. The build fails if it is not in the zip.", found.place, found.kind));
            table.text("handler", &handler);
        }
        (Some(handler), None) => {
            table.comment("The build fails if it is not in the zip.");
            table.text("handler", &handler);
        }
        (None, _) => {
            table.comment("No handler was found. Name it, and the build fails if it is not in the zip:");
            table.comment("handler = \"module.function\"");
        }
    }
    let chosen = asked.or_else(|| found.map(|found| found.handler.clone()));
    let others: Vec<&str> =
        handlers.iter().map(|found| found.handler.as_str()).filter(|other| Some(*other) != chosen.as_deref()).collect();
    if !others.is_empty() {
        table.comment(&format!("The same zip serves functions with other handlers: {}.", listed(&others)));
    }
    common(project, &mut table, &[]);
    let what = chosen.map_or_else(|| "a Lambda function".to_owned(), |handler| format!("the handler {handler}"));
    ProposedTarget { name, kind: TargetKind::Lambda, what, table }
}

fn image(project: &DetectedProject, name: String, program: &ImageCommand) -> ProposedTarget {
    let mut table = TargetTable::new(&name);
    table.text("kind", TargetKind::Image.name());
    if project.python_reason != PythonReason::PythonVersionFile {
        table.comment(&because(&project.python_reason));
        table.text("python", &project.python.to_string());
    }
    let entry_points = &project.sources.entry_points;
    let mut files = Vec::new();
    let what = match program {
        ImageCommand::Server(application, service) => {
            files.extend(service.configuration);
            if let Some(settings) = entry_points.django.as_ref().and_then(|django| django.settings.as_deref()) {
                table.pairs("env", &[("DJANGO_SETTINGS_MODULE", settings)]);
            }
            serve(project, application, service, &mut table);
            format!("{} by {}", application.framework.name, service.server.name())
        }
        ImageCommand::Command(found) => {
            let place = found.place.as_ref().map_or("pyproject.toml", |place| &place.path);
            table.comment(&format!("{place}: {}.", found.what));
            table.words("cmd", &found.command);
            let others: Vec<String> =
                entry_points.programs.iter().skip(1).map(|other| other.command.join(" ")).collect();
            if !others.is_empty() {
                let others: Vec<&str> = others.iter().map(String::as_str).collect();
                table.comment(&format!("It can be started with other commands, too: {}.", listed(&others)));
            }
            found.command.join(" ")
        }
        ImageCommand::Unknown => {
            table.comment("Nothing was found that a container could start. Name it:");
            table.comment("cmd = [\"python\", \"-m\", \"module\"]");
            "an image".to_owned()
        }
    };
    common(project, &mut table, &files);
    table.comment("Where `pybundle build --push` sends it:");
    table.comment(&format!("tag = [\"registry.example.org/{}:latest\"]", project.name));
    ProposedTarget { name, kind: TargetKind::Image, what, table }
}

/// Adds how an application is served, and what is missing for that.
fn serve(
    project: &DetectedProject,
    application: &DetectedApplication,
    service: &ServerCommand,
    table: &mut TargetTable,
) {
    let (framework, server) = (application.framework, service.server.name());
    let factory = if application.is_factory { ", made by a function," } else { "" };
    let place = &application.place;
    match service.is_locked {
        true => {
            let known = if project.lock.path.is_some() { "locked" } else { "declared" };
            table.comment(&format!("{place}: {}{factory} started by {server}, which is {known}.", framework.name));
        }
        false => {
            let (name, interface) = (framework.name, framework.interface);
            table.comment(&format!("{place}: {name}{factory} and no {interface} server is locked. For this command:"));
            table.comment(&format!("{}, and lock again.", project.lock.addition(server)));
        }
    }
    table.words("cmd", &service.command);
    if service.configuration.is_none() {
        table.numbers("expose", &[PORT]);
    }
    // Of Django's two the better one was chosen, and functions make what others are.
    let is_other = |other: &&DetectedApplication| {
        *other != application && other.framework.name != "Django" && (application.is_factory || !other.is_factory)
    };
    let others = project.sources.entry_points.applications.iter().filter(is_other);
    let others: Vec<String> = others.map(DetectedApplication::reference).collect();
    if !others.is_empty() {
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        table.comment(&format!("There are other applications: {}.", listed(&others)));
    }
}

fn tests(suite: &TestSuite, production: &str) -> ProposedTarget {
    let name = if production == "test" { "test-suite" } else { "test" }.to_owned();
    let mut table = TargetTable::new(&name);
    table.comment("Production's layers with the tests in layers above them: what is tested is what is deployed.");
    table.text("extends", production);
    match &suite.needs {
        TestDependencies::Group(group) => table.words("group", std::slice::from_ref(group)),
        TestDependencies::Extra(extra) => table.words("extra", std::slice::from_ref(extra)),
        TestDependencies::Nothing => {}
    }
    let files = std::iter::once(suite.directory.clone()).chain(suite.configuration.iter().cloned());
    table.words("include", &files.collect::<Vec<_>>());
    table.words("cmd", &suite.command);
    ProposedTarget { name, kind: TargetKind::Image, what: format!("{}, in the image", suite.directory), table }
}

/// Adds what holds for targets of both kinds: the lock, if it has to be named, and the files, if they have to be.
fn common(project: &DetectedProject, table: &mut TargetTable, files: &[&str]) {
    let locked = &project.lock;
    if let Some(path) = locked.path.as_ref().filter(|_| locked.needs_setting) {
        table.text("lock", &project.relative(path));
    }
    if locked.is_unpinned {
        table.comment("It leaves versions open, which uv pins anew at each build. A lock makes builds repeatable.");
        table.switch("resolve");
    }
    if let Some(includes) = includes(project, files) {
        table.comment("What is bundled of the project: modules, and what they read.");
        table.words("include", &includes);
    }
}

/// Returns the files and directories that have to be named, because not all that the application needs is found unasked.
fn includes(project: &DetectedProject, files: &[&str]) -> Option<Vec<String>> {
    let sources = &project.sources;
    let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
    if project.is_package {
        return (!files.is_empty()).then_some(files);
    }
    if let Some(root) = &sources.root {
        return Some([vec![format!("{root}:.")], files].concat());
    }
    let others = [project.data.clone(), files].concat();
    let others: Vec<String> = others.into_iter().filter(|path| !sources.taken.contains(path)).collect();
    let taken = sources.taken.iter().map(|path| match path.as_str() {
        // What is in `src` lies at the root, unless it is named.
        "src/" => "src:.".to_owned(),
        path => path.trim_end_matches('/').to_owned(),
    });
    (!others.is_empty()).then(|| taken.chain(others).collect())
}

impl MissingTestRunner {
    /// Says what is missing.
    pub(super) fn note(&self, project: &DetectedProject) -> String {
        let directory = &self.directory;
        match project.lock.group_addition("pytest", "test") {
            Some(addition) => format!("{directory}/ has tests, but no group has pytest: {addition} for a test target"),
            None => format!("{directory}/ has tests, but pytest is not locked, so there is no test target"),
        }
    }
}

/// Says why a project gets its version of Python.
fn because(reason: &PythonReason) -> String {
    match reason {
        PythonReason::PythonVersionFile => "By .python-version.".to_owned(),
        PythonReason::RequiresPython(specifiers) => format!("The newest that requires-python {specifiers} allows."),
        PythonReason::Newest => {
            "The newest, since neither .python-version nor requires-python asks for one.".to_owned()
        }
    }
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED { format!("{shown} and {} more", names.len() - NAMED) } else { shown }
}
