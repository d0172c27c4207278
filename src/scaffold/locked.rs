//! Detects the lock of a project, and how distributions are added to it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::ScaffoldError;
use crate::hints;
use crate::lock::requirements::RequirementsError;
use crate::lock::{
    DistributionSource, FileChooser, FormatControl, Lock, LockError, LockFormat, PinnedDistribution, Selection,
    SelectionRequest,
};
use crate::marker::Requirement;
use crate::name::DistributionName;
use crate::pipeline::plan::lock;
use crate::pipeline::plan::requirements_source::RequirementsSource;
use crate::platform::TargetPlatform;
use crate::project::script;
use crate::project::workspace::Workspace;
use crate::settings::Variables;

/// Requirements files whose names say that they are for production, the likeliest first.
const REQUIREMENTS: [&str; 9] = [
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements/main.txt",
    "requirements/base.txt",
    "requirements/requirements.txt",
    "requirements/common.txt",
    "requirements-production.txt",
    "requirements-prod.txt",
    "requirements-base.txt",
];

/// The lock of a project.
#[derive(Debug, Clone)]
pub(crate) struct DetectedLock {
    /// `None` if there is no lock.
    pub(crate) path: Option<PathBuf>,
    /// Whether the configuration has to set `lock`, because pybundle does not search for a file of this name.
    pub(super) needs_setting: bool,
    /// Whether it does not pin every version, so that the configuration has to set `resolve`.
    pub(super) is_unpinned: bool,
    /// The distributions that are selected for production; those that the project declares if there is no lock.
    pub(super) names: BTreeSet<DistributionName>,
    /// Why the distributions could not be selected from the lock.
    pub(super) problem: Option<String>,
    /// The distributions that have wheels, but none for the target.
    pub(super) without_wheels: Vec<String>,
    /// The command that creates the lock, if there is none but the project requires distributions.
    pub(crate) command: Option<String>,
    tool: DependencyTool,
}

/// What dependencies are added with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum DependencyTool {
    Uv,
    Poetry,
    Pdm,
    Pipenv,
    /// uv, for a script in the project's directory.
    UvScript(PathBuf),
    /// By editing a file.
    File(PathBuf),
}

impl DetectedLock {
    /// Finds and reads the lock of a project.
    ///
    /// # Errors
    /// The lock cannot be read.
    pub(super) fn read(
        workspace: &Workspace,
        references: &Variables,
        target: &TargetPlatform,
    ) -> Result<Self, ScaffoldError> {
        let directory = workspace.directory(workspace.current());
        let found = lock::find(workspace);
        let needs_setting = found.is_none();
        let path =
            found.or_else(|| REQUIREMENTS.map(|name| directory.join(name)).into_iter().find(|path| path.is_file()));
        let Some(path) = path else { return Ok(Self::missing(workspace, &directory)) };
        let (lock, _) = lock::read(std::slice::from_ref(&path), references, workspace)?;
        let script = workspace.script().and_then(Path::file_name).map(PathBuf::from);
        let tool = match LockFormat::of(&path) {
            _ if script.is_some() => DependencyTool::UvScript(script.unwrap_or_default()),
            Some(LockFormat::Poetry) => DependencyTool::Poetry,
            Some(LockFormat::Pdm) => DependencyTool::Pdm,
            Some(LockFormat::Pipfile) => DependencyTool::Pipenv,
            Some(LockFormat::Requirements) => {
                DependencyTool::File(path.strip_prefix(&directory).unwrap_or(&path).to_owned())
            }
            Some(LockFormat::Uv | LockFormat::Pylock) | None => DependencyTool::Uv,
        };
        let selected = lock.select(&SelectionRequest::default(), &workspace.current().path, target);
        let mut locked = Self {
            path: Some(path),
            needs_setting,
            is_unpinned: false,
            names: BTreeSet::new(),
            problem: None,
            without_wheels: Vec::new(),
            command: None,
            tool,
        };
        match (selected, &lock) {
            (Ok(selection), _) => {
                locked.without_wheels = without_wheels(&selection, target);
                locked.names = selection.distributions.into_iter().map(|pinned| pinned.name).collect();
            }
            (Err(LockError::Requirements(error)), Lock::Requirements(requirements))
                if matches!(*error, RequirementsError::Unpinned { .. }) =>
            {
                locked.is_unpinned = true;
                locked.names = requirements.extras(target).into_keys().collect();
            }
            (Err(error), _) => {
                locked.problem = Some(error.to_string());
                locked.names = declared(workspace);
            }
        }
        Ok(locked)
    }

    fn missing(workspace: &Workspace, directory: &Path) -> Self {
        if let Some(script) = workspace.script().and_then(Path::file_name).map(PathBuf::from) {
            let is_needed = !lock::requires_nothing(workspace);
            let command = is_needed.then(|| script::lock_command(&script));
            return Self::without_lock(workspace, command, DependencyTool::UvScript(script));
        }
        let source = RequirementsSource::of(workspace);
        let tool = match &source {
            Some(RequirementsSource::Pyproject) => DependencyTool::Uv,
            Some(RequirementsSource::Poetry) => DependencyTool::Poetry,
            Some(RequirementsSource::Pdm) => DependencyTool::Pdm,
            Some(RequirementsSource::Pipfile) => DependencyTool::Pipenv,
            Some(
                file
                @ (RequirementsSource::RequirementsIn | RequirementsSource::SetupPy | RequirementsSource::SetupCfg),
            ) => DependencyTool::File(file.file_name().into()),
            Some(RequirementsSource::Conda | RequirementsSource::Pixi | RequirementsSource::PixiTable) | None => {
                DependencyTool::File(LockFormat::Requirements.file_name().into())
            }
        };
        let command = source.map_or("uv init --bare && uv lock".to_owned(), |source| source.lock_command());
        let has_setup = ["setup.py", "setup.cfg"].iter().any(|name| directory.join(name).is_file());
        let is_needed = !lock::requires_nothing(workspace) || has_setup;
        Self::without_lock(workspace, is_needed.then_some(command), tool)
    }

    fn without_lock(workspace: &Workspace, command: Option<String>, tool: DependencyTool) -> Self {
        Self {
            path: None,
            needs_setting: false,
            is_unpinned: false,
            names: declared(workspace),
            problem: None,
            without_wheels: Vec::new(),
            command,
            tool,
        }
    }

    /// Returns whether there is neither a lock nor anything to lock.
    pub(super) fn is_unneeded(&self) -> bool {
        self.path.is_none() && self.command.is_none()
    }

    /// Returns whether a distribution is selected for production.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.as_str() == name)
    }

    /// Returns the instruction to add a distribution.
    pub(super) fn addition(&self, name: &str) -> String {
        match &self.tool {
            DependencyTool::Uv => format!("`uv add {name}`"),
            DependencyTool::UvScript(script) => format!("`uv add --script {} {name}`", hints::quoted_path(script)),
            DependencyTool::Poetry => format!("`poetry add {name}`"),
            DependencyTool::Pdm => format!("`pdm add {name}`"),
            DependencyTool::Pipenv => format!("`pipenv install {name}`"),
            DependencyTool::File(path) => format!("add {name} to {}", path.display()),
        }
    }

    /// Returns the command that adds a distribution to a dependency group; `None` if the project has no groups.
    pub(super) fn group_addition(&self, name: &str, group: &str) -> Option<String> {
        match &self.tool {
            DependencyTool::Uv => Some(format!("`uv add --group {group} {name}`")),
            DependencyTool::Poetry => Some(format!("`poetry add --group {group} {name}`")),
            DependencyTool::Pdm => Some(format!("`pdm add --dev --group {group} {name}`")),
            DependencyTool::Pipenv => Some(format!("`pipenv install --categories {group} {name}`")),
            DependencyTool::UvScript(_) | DependencyTool::File(_) => None,
        }
    }
}

/// Returns the distributions that have only compiled wheels, none of which is compatible with a target.
fn without_wheels(selection: &Selection, target: &TargetPlatform) -> Vec<String> {
    let formats = FormatControl::default();
    let chooser = FileChooser::new(target, &formats);
    let lacks_wheel = |pinned: &&PinnedDistribution| match &pinned.source {
        DistributionSource::Files(files) => chooser.lacks_compiled_wheel(&files.wheels),
        _ => false,
    };
    selection.distributions.iter().filter(lacks_wheel).map(ToString::to_string).collect()
}

/// Returns the distributions that a project declares in `project.dependencies` and `tool.poetry.dependencies`, or a script in
/// its metadata.
fn declared(workspace: &Workspace) -> BTreeSet<DistributionName> {
    let table = workspace.current().pyproject.table();
    let standard = match workspace.script() {
        Some(_) => table.get("dependencies"),
        None => table.get("project").and_then(|project| project.get("dependencies")),
    };
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry")?.get("dependencies"));
    let requirements = standard.and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_str);
    let keys = poetry.and_then(toml::Value::as_table).into_iter().flat_map(|table| table.keys());
    requirements.filter_map(required_name).chain(keys.filter_map(|name| name.parse().ok())).collect()
}

/// Returns the name of the distribution that a requirement (PEP 508) is for.
pub(super) fn required_name(requirement: &str) -> Option<DistributionName> {
    Some(requirement.parse::<Requirement>().ok()?.name)
}
