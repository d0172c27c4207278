//! What a project is, seen from its folder, and the configuration and the workflow that suit it.
//!
//! Nothing is asked and nothing is run: sources are parsed ([`Sources`]), the lock says what is there to serve them
//! ([`Locked`]), and from both follow targets ([`Target`]) with comments that say why. What is there already is left as it
//! is.

mod error;
mod files;
mod frameworks;
mod locked;
mod module;
mod servers;
mod sources;
mod start;
mod suite;
mod table;
mod targets;
mod workflow;

use std::path::{Path, PathBuf};

pub use error::ScaffoldError;
pub use files::NewFile;
pub use frameworks::{Framework, Interface};
pub use locked::Locked;
pub use servers::{Server, Service};
pub use sources::Sources;
pub use start::{ApplicationFound, Django, HandlerFound, HandlerKind, ProgramFound, SourceLine, Starts};
pub use suite::{Needs, NoRunner, Suite};
pub use targets::{Kinds, Target, Wishes};
pub use workflow::{Repository, WORKFLOW};

use crate::lock::LockFormat;
use crate::platform::{Architecture, PythonReason, PythonVersion, default_runtime};
use crate::project::declared::Declared;
use crate::project::pyproject::FILENAME;
use crate::project::workspace::{self, Workspace};
use crate::settings::Environment;

/// Folders beside an application's modules that applications read, and that are no modules themselves.
const DATA: [&str; 6] = ["templates", "static", "staticfiles", "locale", "translations", "assets"];

/// A project that was looked at.
#[derive(Debug)]
pub struct Project {
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// Its name, or else its folder's.
    pub name: String,
    /// Whether it is built and installed as a distribution.
    pub is_package: bool,
    /// The version of Python that it gets.
    pub python: PythonVersion,
    /// Why.
    pub python_reason: PythonReason,
    /// What it has locked.
    pub locked: Locked,
    /// What it can be started by.
    pub sources: Sources,
    /// Its tests.
    pub suite: Option<Result<Suite, NoRunner>>,
    /// Folders beside its modules that are bundled with them.
    data: Vec<String>,
    is_configured: bool,
}

/// A project with the targets that suit it.
#[derive(Debug)]
pub struct Proposal {
    /// The project.
    pub project: Project,
    /// The targets; none if it is configured already.
    pub targets: Vec<Target>,
}

/// Everything that is to be written, and what was found.
#[derive(Debug)]
pub struct Scaffold {
    /// The projects.
    pub proposals: Vec<Proposal>,
    /// The files that are to be written.
    pub files: Vec<NewFile>,
    /// What is left as it is.
    pub kept: Vec<PathBuf>,
    /// What to add to GitLab's pipeline, where that is what the repository has.
    pub gitlab: Option<String>,
    /// The commands to run next.
    pub next: Vec<String>,
}

impl Project {
    /// Looks at the project that a folder belongs to.
    ///
    /// # Errors
    /// Its files cannot be read, or no runtime has its Python.
    pub fn read(workspace: &Workspace, environment: &Environment) -> Result<Self, ScaffoldError> {
        let member = workspace.current();
        let folder = workspace.folder(member);
        let read = |source| ScaffoldError::Read { path: folder.clone(), source };
        let declared = Declared::of(&member.pyproject).map_err(read)?;
        let file = workspace::python_version_file(&folder, &workspace.root)?.map(|(_, text)| text);
        let (profile, python_reason) = default_runtime(file.as_deref(), declared.requires_python.as_ref())?;
        let locked = Locked::read(workspace, environment, &profile.target(Architecture::X86_64))?;
        let mut sources = Sources::read(&folder, &workspace.root, profile.python)?;
        if declared.is_package {
            sources.starts.declare(&member.pyproject.scripts, declared.name.as_ref());
        }
        let suite = Suite::find(&folder, &member.pyproject, &locked, sources.starts.django.as_ref());
        let name = declared.name.map(|name| name.to_string());
        let data = DATA.into_iter().filter(|name| folder.join(name).is_dir()).map(str::to_owned).collect();
        Ok(Self {
            name: name.unwrap_or_else(|| {
                folder.file_name().map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().to_lowercase())
            }),
            is_package: declared.is_package,
            python: profile.python,
            python_reason,
            locked,
            sources,
            suite,
            data,
            is_configured: files::is_configured(&member.pyproject.table),
            folder,
        })
    }

    /// Returns a path as it is written in the project's configuration.
    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }

    /// Returns what the user should know besides.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(trouble) = &self.locked.trouble {
            notes.push(format!("what is locked is not known: {trouble}"));
        }
        if let Some(Err(missing)) = &self.suite {
            notes.push(missing.note(self));
        }
        notes
    }
}

/// Looks at the project in a folder, and returns what is to be written for it; in the root of a workspace that is no
/// project itself, for every member that can be deployed.
///
/// # Errors
/// A project cannot be read, nothing in it can be deployed, or all is there already.
pub fn scaffold(
    folder: &Path,
    environment: &Environment,
    wishes: &Wishes,
    with_workflow: bool,
) -> Result<Scaffold, ScaffoldError> {
    let workspace = Workspace::discover(folder, &LockFormat::NAMES)?;
    let is_workspace = workspace.current().pyproject.name.is_none() && workspace.members.len() > 1;
    let projects = match is_workspace {
        false => vec![Project::read(&workspace, environment)?],
        true => members(&workspace, environment)?,
    };
    let root = &workspace.folder(workspace.current());
    // What is asked for is meant for a project, and not for whichever libraries are in a workspace.
    let is_asked_for = !is_workspace && (wishes.kinds.is_some() || wishes.handler.is_some());
    let has_handler = |project: &Project| match &wishes.handler {
        Some(asked) => project.sources.starts.handlers.iter().any(|found| found.handler == asked.to_string()),
        None => true,
    };
    let is_deployable = |project: &Project| {
        is_asked_for || project.is_configured || has_handler(project) && !project.sources.starts.is_empty()
    };
    let is_package = projects.iter().all(|project| project.is_package);
    let projects: Vec<Project> = projects.into_iter().filter(is_deployable).collect();
    if projects.is_empty() {
        return Err(ScaffoldError::Nothing { folder: root.clone(), is_package });
    }
    let (mut files, mut kept, mut proposals) = (Vec::new(), Vec::new(), Vec::new());
    for project in projects {
        let path = project.folder.join(FILENAME);
        let targets = if project.is_configured { Vec::new() } else { targets::propose(&project, wishes) };
        match project.is_configured {
            true => kept.push(path),
            false => files.push(NewFile::configuration(path, &targets)?),
        }
        proposals.push(Proposal { project, targets });
    }
    let mut gitlab = None;
    if with_workflow {
        let repository = Repository::find(&workspace.root);
        let folders: Vec<&Path> = match is_workspace {
            true => vec![root],
            false => proposals.iter().map(|proposal| proposal.project.folder.as_path()).collect(),
        };
        let below = |folder: &Path| folder.strip_prefix(&repository.root).unwrap_or(folder).to_owned();
        let folders: Vec<PathBuf> = folders.into_iter().map(below).collect();
        let path = repository.root.join(WORKFLOW);
        match repository.service {
            workflow::Service::GitLab => gitlab = Some(workflow::gitlab(&folders, is_workspace)),
            workflow::Service::GitHub if path.exists() => kept.push(path),
            workflow::Service::GitHub => files.push(NewFile::new(path, workflow::github(&folders, is_workspace))),
        }
    }
    if files.is_empty() {
        return Err(ScaffoldError::Configured { paths: kept });
    }
    let next = next(folder, &proposals, is_workspace);
    Ok(Scaffold { proposals, files, kept, gitlab, next })
}

/// Looks at every member of a workspace whose root is no project.
fn members(workspace: &Workspace, environment: &Environment) -> Result<Vec<Project>, ScaffoldError> {
    let members = workspace.members.iter().filter(|member| !member.path.as_os_str().is_empty());
    members
        .map(|member| {
            let workspace = Workspace::discover(&workspace.folder(member), &LockFormat::NAMES)?;
            Project::read(&workspace, environment)
        })
        .collect()
}

/// Returns the commands to run next: first what makes the locks that are missing.
fn next(folder: &Path, proposals: &[Proposal], is_workspace: bool) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for command in proposals.iter().filter_map(|proposal| proposal.project.locked.command.clone()) {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    if folder != Path::new(".") {
        let text = folder.to_string_lossy();
        let quoted = shlex::try_quote(&text).map_or_else(|_| text.to_string(), |quoted| quoted.into_owned());
        commands.insert(0, format!("cd {quoted}"));
    }
    let build = if is_workspace { "pybundle build --workspace" } else { "pybundle build" };
    commands.extend([format!("{build} --dry-run"), build.to_owned()]);
    commands
}
