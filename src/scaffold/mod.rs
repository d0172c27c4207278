//! Detects what a project can be deployed as, and proposes configuration and a workflow for it.
//!
//! Nothing is asked and nothing is executed: sources are parsed ([`DetectedSources`]), and the lock shows which servers are
//! available ([`DetectedLock`]). Targets ([`ProposedTarget`]) follow from both, with comments that give the reasons. Existing
//! targets and workflows are left unchanged.

mod dockerfile;
mod entry_points;
mod error;
mod files;
mod frameworks;
mod handler_kind;
mod locked;
mod module;
mod servers;
mod sources;
mod table;
mod targets;
mod test_suite;
mod workflow;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dockerfile::Dockerfile;
pub(crate) use error::ScaffoldError;
use files::PlannedFile;
use locked::DetectedLock;
use sources::DetectedSources;
use targets::ProposedTarget;
pub(crate) use targets::{RequestedTargets, TargetKinds};
use test_suite::MissingTestRunner;
pub(crate) use test_suite::TestSuite;
use workflow::{CiRepository, CiService, WORKFLOW};

use crate::lock::LockFormat;
use crate::options::TargetKind;
use crate::platform::{Architecture, LambdaProfile, PythonReason, PythonVersion, allowed_runtimes};
use crate::project::declared::DeclaredDistribution;
use crate::project::pyproject::FILENAME;
use crate::project::python_pin::python_pin;
use crate::project::script;
use crate::project::workspace::{Workspace, WorkspaceMember};
use crate::settings::Variables;

/// A project, and what was detected in it.
#[derive(Debug)]
pub(crate) struct DetectedProject {
    /// Absolute.
    pub(crate) directory: PathBuf,
    /// The project's name, or else that of its directory.
    pub(crate) name: String,
    /// Whether it is built and installed as a distribution.
    pub(crate) is_package: bool,
    /// The script that is bundled in its place, relative to its directory.
    pub(super) script: Option<String>,
    pub(crate) python: PythonVersion,
    pub(crate) python_reason: PythonReason,
    /// Why it is not the newest.
    pub(crate) passed_over: Option<String>,
    pub(crate) lock: DetectedLock,
    pub(crate) sources: DetectedSources,
    /// What a Dockerfile beside pyproject.toml says.
    pub(super) dockerfile: Option<Dockerfile>,
    pub(crate) tests: Option<Result<TestSuite, MissingTestRunner>>,
    /// Whether it already has a target.
    is_configured: bool,
    /// The keys that `[tool.pybundle]` of the project or of its workspace sets for every target.
    pub(super) shared_keys: BTreeSet<String>,
}

/// A project with the targets that are proposed for it.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) project: DetectedProject,
    /// Empty if the project is already configured.
    pub(crate) targets: Vec<ProposedTarget>,
}

impl Proposal {
    /// Returns whether one of its images contains packages of the operating system.
    fn has_packages(&self) -> bool {
        let has_packages = |dockerfile: &Dockerfile| !dockerfile.packages.is_empty();
        self.targets.iter().any(|target| target.kind == TargetKind::Image)
            && self.project.dockerfile.as_ref().is_some_and(has_packages)
    }
}

/// Everything that `pybundle init` found and would write.
#[derive(Debug)]
pub(crate) struct Scaffold {
    pub(crate) proposals: Vec<Proposal>,
    pub(crate) files: Vec<PlannedFile>,
    /// Files that exist and are left unchanged.
    pub(crate) kept: Vec<PathBuf>,
    /// What to add to `.gitlab-ci.yml`, if the repository uses GitLab.
    pub(crate) gitlab: Option<String>,
    /// The commands to run next.
    pub(crate) next: Vec<String>,
}

/// Returns the newest runtime that every locked distribution has a wheel for, with the lock as it selects for it, and why
/// the first is passed over if it is another one. As a build chooses it, but without asking an index.
fn newest_supported<'a>(
    profiles: &'a [LambdaProfile],
    workspace: &Workspace,
    references: &Variables,
) -> Result<(&'a LambdaProfile, DetectedLock, Option<String>), ScaffoldError> {
    let mut found: Vec<(&LambdaProfile, DetectedLock)> = Vec::new();
    for profile in profiles {
        let lock = DetectedLock::read(workspace, references, &profile.target(Architecture::X86_64))?;
        let is_supported = lock.without_wheels.is_empty();
        found.push((profile, lock));
        if is_supported {
            break;
        }
    }
    let newest = found.first().and_then(|(profile, lock)| {
        let name = lock.without_wheels.first()?;
        Some(format!("not {}: {name} has no wheel for it", profile.name))
    });
    // Of several with equally few, the first.
    let best = (0..found.len()).min_by_key(|at| found[*at].1.without_wheels.len()).unwrap_or_default();
    let (profile, lock) = found.swap_remove(best);
    Ok((profile, lock, newest.filter(|_| best > 0)))
}

impl DetectedProject {
    /// Inspects the current member of a workspace, or the script of it that is bundled in its place.
    ///
    /// # Errors
    /// A file cannot be read, or no runtime has the project's version of Python.
    fn find(
        workspace: &Workspace,
        references: &Variables,
        requested: &RequestedTargets,
    ) -> Result<Self, ScaffoldError> {
        let project = Self::read(workspace, references, requested)?;
        let Some(script) = project.script_of_entry_point(requested) else { return Ok(project) };
        let of_script = Self::read(&Workspace::discover(&script, &LockFormat::NAMES)?, references, requested)?;
        let shared_keys = project.shared_keys.union(&of_script.shared_keys).cloned().collect();
        Ok(Self { shared_keys, dockerfile: project.dockerfile, ..of_script })
    }

    /// Returns the script with the likeliest entry point, or with the requested handler, if it declares dependencies and the
    /// project none: these are bundled only with the script.
    fn script_of_entry_point(&self, requested: &RequestedTargets) -> Option<PathBuf> {
        if self.is_configured || self.is_package || !self.lock.is_unneeded() {
            return None;
        }
        let entry_points = &self.sources.entry_points;
        let handler = entry_points.handlers.first().map(|handler| &handler.place);
        let application = entry_points.applications.first().map(|application| &application.place);
        let command = entry_points.commands.first().and_then(|command| command.place.as_ref());
        let file = match &requested.handler {
            Some(handler) => format!("{}.py", handler.module()),
            None => handler.or(application).or(command)?.path.clone(),
        };
        Some(self.directory.join(file))
            .filter(|path| path.parent() == Some(&self.directory) && script::requires_any(path))
    }

    /// Inspects the current member of a workspace, which may be a script.
    ///
    /// # Errors
    /// A file cannot be read, or no runtime has the project's version of Python.
    fn read(
        workspace: &Workspace,
        references: &Variables,
        requested: &RequestedTargets,
    ) -> Result<Self, ScaffoldError> {
        let member = workspace.current();
        let directory = workspace.directory(member);
        let declared = DeclaredDistribution::of(&member.pyproject)
            .map_err(|source| ScaffoldError::Read { path: directory.clone(), source })?;
        let pin = python_pin(&directory, &workspace.root)?;
        let (profiles, python_reason) = allowed_runtimes(pin.as_ref(), declared.requires_python.as_ref())?;
        let (profile, lock, passed_over) = newest_supported(&profiles, workspace, references)?;
        let handler = requested.handler.as_ref();
        let mut sources = DetectedSources::read(&directory, workspace, &profile.target(Architecture::X86_64), handler)?;
        if declared.is_package {
            sources.entry_points.add_console_scripts(&member.pyproject.scripts, declared.name.as_ref());
        }
        let tests = if workspace.script().is_some() {
            // Its metadata has no groups that tests could be run with.
            None
        } else {
            TestSuite::find(&directory, &member.pyproject, &lock, sources.entry_points.django.as_ref())
        };
        let stem = workspace.script().and_then(Path::file_stem);
        let name = declared.name.map(|name| name.to_string());
        let root = workspace.members.iter().find(|member| member.path.as_os_str().is_empty());
        let configured = root.into_iter().chain([member]);
        Ok(Self {
            name: name.unwrap_or_else(|| {
                let name = stem.or(directory.file_name());
                name.map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().to_lowercase())
            }),
            is_package: declared.is_package,
            script: workspace.script().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()),
            python: profile.python,
            python_reason,
            passed_over,
            lock,
            sources,
            dockerfile: Dockerfile::read(&directory),
            tests,
            is_configured: files::has_targets(member.pyproject.table()),
            shared_keys: configured
                .flat_map(|member| files::shared_keys(member.pyproject.table()))
                .map(str::to_owned)
                .collect(),
            directory,
        })
    }

    /// Returns the modules with the likeliest entry points that are beside the package, and therefore not in its wheel.
    fn modules_beside_package(&self) -> Vec<String> {
        let entry_points = &self.sources.entry_points;
        let handler = entry_points.handlers.first().map(|handler| &handler.place);
        let application = entry_points.applications.first().map(|application| &application.place);
        let places = [handler, application].into_iter().flatten().map(|place| &place.path);
        // A package may consist of one module.
        let own = format!("{}.py", self.name.replace('-', "_"));
        let beside: BTreeSet<&String> = places.filter(|path| !path.contains('/') && **path != own).collect();
        beside.into_iter().cloned().collect()
    }

    /// Returns a path relative to the project, as in its configuration.
    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.directory).unwrap_or(path).display().to_string()
    }

    /// Returns whether the project has an entry point, and the handler that was requested.
    fn is_deployable(&self, requested: &RequestedTargets) -> bool {
        let entry_points = &self.sources.entry_points;
        let has_handler = match &requested.handler {
            Some(handler) => entry_points.handlers.iter().any(|found| found.handler == handler.to_string()),
            None => true,
        };
        has_handler && !entry_points.is_empty()
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(problem) = &self.lock.problem {
            notes.push(format!("cannot select distributions from the lock: {problem}"));
        }
        if let Some(dockerfile) = &self.dockerfile {
            notes.extend(dockerfile.notes());
        }
        notes.extend(self.sources.handler_problem.clone());
        if let Some(Err(missing)) = &self.tests {
            notes.push(missing.note(self));
        }
        notes
    }
}

/// Inspects the project in a directory, and returns what to write for it. If the directory is the root of a workspace but not
/// a project, that is for every member that can be deployed.
///
/// # Errors
/// A project cannot be read, nothing in it can be deployed, or it is already set up.
pub(crate) fn scaffold(
    directory: &Path,
    references: &Variables,
    requested: &RequestedTargets,
    with_workflow: bool,
) -> Result<Scaffold, ScaffoldError> {
    let workspace = Workspace::discover(directory, &LockFormat::NAMES)?;
    let current = workspace.current();
    // A handler or a kind that is requested is that of the project itself.
    let is_project = current.pyproject.name.is_some() && (requested.kinds.is_some() || requested.handler.is_some());
    let is_workspace = current.path.as_os_str().is_empty() && workspace.members.len() > 1 && !is_project;
    let projects = if is_workspace {
        read_members(&workspace, references, requested)?
    } else {
        vec![DetectedProject::find(&workspace, references, requested)?]
    };
    let root = &workspace.directory(workspace.current());
    // In a workspace, --kind and --handler do not make every library deployable.
    let is_requested = !is_workspace && (requested.kinds.is_some() || requested.handler.is_some());
    let is_package = projects.iter().all(|project| project.is_package);
    let projects: Vec<DetectedProject> = projects
        .into_iter()
        .filter(|project| is_requested || project.is_configured || project.is_deployable(requested))
        .collect();
    if projects.is_empty() {
        return Err(ScaffoldError::NothingToDeploy { directory: root.clone(), is_package });
    }
    let (mut files, mut kept, mut proposals) = (Vec::new(), Vec::new(), Vec::new());
    for project in projects {
        let path = project.directory.join(FILENAME);
        let targets = if project.is_configured { Vec::new() } else { targets::propose(&project, requested) };
        if project.is_configured {
            kept.push(path);
        } else {
            files.push(PlannedFile::configuration(path, &targets)?);
        }
        proposals.push(Proposal { project, targets });
    }
    let mut gitlab = None;
    if with_workflow {
        let repository = CiRepository::find(&workspace.root);
        let directories: Vec<&Path> = if is_workspace {
            vec![root]
        } else {
            proposals.iter().map(|proposal| proposal.project.directory.as_path()).collect()
        };
        let directories: Vec<PathBuf> = directories
            .into_iter()
            .map(|directory| directory.strip_prefix(&repository.root).unwrap_or(directory).to_owned())
            .collect();
        let path = repository.root.join(WORKFLOW);
        match repository.service {
            CiService::GitLab => gitlab = Some(workflow::gitlab(&directories, is_workspace)),
            CiService::GitHub if path.exists() => {
                let is_of_root = repository.root == workspace.root;
                match PlannedFile::workflow(&path, &directories, is_workspace, is_of_root)? {
                    Some(extended) => files.push(extended),
                    None => kept.push(path),
                }
            }
            CiService::GitHub => files.push(PlannedFile::new(path, workflow::github(&directories, is_workspace))),
        }
    }
    if files.is_empty() {
        return Err(ScaffoldError::AlreadySetUp { paths: kept });
    }
    let next = next_commands(directory, &proposals, is_workspace);
    Ok(Scaffold { proposals, files, kept, gitlab, next })
}

/// Inspects every member of a workspace, and its root if that is a project.
fn read_members(
    workspace: &Workspace,
    references: &Variables,
    requested: &RequestedTargets,
) -> Result<Vec<DetectedProject>, ScaffoldError> {
    let members = workspace.members.iter().filter(|member| is_project(member));
    members
        .map(|member| {
            let workspace = Workspace::discover(&workspace.directory(member), &LockFormat::NAMES)?;
            DetectedProject::read(&workspace, references, requested)
        })
        .collect()
}

/// Returns whether a member of a workspace is a project: the root may only list the others.
fn is_project(member: &WorkspaceMember) -> bool {
    !member.path.as_os_str().is_empty() || member.pyproject.name.is_some()
}

/// Returns the commands to run next, beginning with those that create missing locks.
fn next_commands(directory: &Path, proposals: &[Proposal], is_workspace: bool) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for command in proposals.iter().filter_map(|proposal| proposal.project.lock.command.clone()) {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    if proposals.iter().any(Proposal::has_packages) {
        commands.push("pybundle apt lock".to_owned());
    }
    if directory != Path::new(".") {
        let text = directory.to_string_lossy();
        let quoted = shlex::try_quote(&text).map_or_else(|_| text.to_string(), |quoted| quoted.into_owned());
        commands.insert(0, format!("cd {quoted}"));
    }
    let build = if is_workspace { "pybundle build --workspace" } else { "pybundle build" };
    commands.extend([format!("{build} --dry-run"), build.to_owned()]);
    commands
}
