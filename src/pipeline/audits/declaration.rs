//! Suggests how to add a distribution to what a project requires.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::hints;
use crate::lock::Lock;
use crate::name::DistributionName;
use crate::pipeline::plan::Plan;
use crate::pipeline::plan::requirements_source::RequirementsSource;
use crate::project::script;

/// Where a project declares what it requires.
pub(super) enum RequirementsDeclaration {
    /// The command that adds a requirement, without the requirement.
    Command(String),
    /// A file that lists the requirements.
    File(String),
    /// What a pylock.toml was made from, with any tool.
    Dependencies,
    /// A script without a lock. uv writes none unless it is asked to.
    Script {
        path: PathBuf,
        /// Whether the script is what is bundled, and not its directory.
        is_project: bool,
    },
}

impl RequirementsDeclaration {
    /// Finds where the project of a plan declares what it requires.
    pub(super) fn of(plan: &Plan) -> Self {
        let command = match &*plan.project.lock {
            Lock::Uv(_) => {
                let script = plan.project.workspace.script().map(hints::quoted_path);
                format!("uv add{}", script.map(|script| format!(" --script {script}")).unwrap_or_default())
            }
            Lock::Poetry(_) => "poetry add".to_owned(),
            Lock::Pdm(_) => "pdm add".to_owned(),
            Lock::Pipfile(_) => "pipenv install".to_owned(),
            Lock::Pylock(_) => return Self::Dependencies,
            Lock::Requirements(_) => match plan.project.path().and_then(Path::file_name) {
                Some(name) => return Self::File(name.to_string_lossy().into_owned()),
                None => return Self::without_lock(plan),
            },
        };
        Self::Command(command)
    }

    fn without_lock(plan: &Plan) -> Self {
        let workspace = &plan.project.workspace;
        if let Some(script) = workspace.script() {
            return Self::Script { path: script.to_owned(), is_project: true };
        }
        let is_standard = workspace.current().pyproject.table().contains_key("project");
        let command = match RequirementsSource::of(workspace) {
            Some(RequirementsSource::Pyproject) if is_standard => "uv add",
            Some(RequirementsSource::Poetry) => "poetry add",
            Some(RequirementsSource::Pdm) => "pdm add",
            Some(RequirementsSource::Pipfile) => "pipenv install",
            Some(
                source @ (RequirementsSource::RequirementsIn
                | RequirementsSource::SetupPy
                | RequirementsSource::SetupCfg),
            ) => return Self::File(source.file_name().to_owned()),
            None => {
                return match only_script(plan) {
                    Some(path) => Self::Script { path, is_project: false },
                    None => Self::File("requirements.txt".to_owned()),
                };
            }
            Some(_) => return Self::File("requirements.txt".to_owned()),
        };
        Self::Command(command.to_owned())
    }

    /// Describes how to add a requirement. `what` is what the message calls it.
    pub(super) fn addition(&self, what: &str, requirement: &str) -> String {
        let requirement = hints::quoted(requirement);
        match self {
            Self::Command(command) => format!("add {what} with `{command} {requirement}`"),
            Self::File(file) => format!("add {what} to {file}"),
            Self::Dependencies => format!("add {what} to the dependencies and lock again"),
            Self::Script { path, is_project } => {
                let script = hints::quoted_path(path);
                format!("add {what} with `uv add --script {script} {requirement}`{}", then_bundled(path, *is_project))
            }
        }
    }

    /// Suggests to add a distribution whose name is not known.
    pub(super) fn unknown(&self, module: &str) -> String {
        let place = match self {
            Self::Command(_) | Self::Dependencies => "the project's dependencies, and lock again".to_owned(),
            Self::File(file) => file.clone(),
            Self::Script { path, is_project } => {
                format!("the metadata of {}{}", path.display(), then_bundled(path, *is_project))
            }
        };
        format!("if another distribution provides `{module}`, add it to {place}")
    }

    /// Suggests to add the distribution that probably provides a module, or to bundle the script that requires it.
    pub(super) fn known(&self, name: &DistributionName) -> String {
        match self {
            Self::Script { path, is_project: false } if script::requires(path, name) => {
                format!("{} requires {name}: {}", path.display(), steps(path, false).join(", and "))
            }
            _ => format!("if it belongs to the distribution {name}, {}", self.addition("it", name.as_str())),
        }
    }
}

/// Returns the script of a directory without a project: the only one with metadata, or the only module of the application.
fn only_script(plan: &Plan) -> Option<PathBuf> {
    let directory = plan.project.workspace.directory(plan.project.workspace.current());
    script::only_one_in(&directory).or_else(|| {
        let paths = plan.application.files.iter().map(|(path, _)| Path::new(path.as_str()));
        let mut modules = paths.filter(|path| path.extension() == Some(OsStr::new("py")));
        let only = modules.next().filter(|_| modules.next().is_none())?;
        Some(directory.join(only)).filter(|path| path.parent() == Some(&directory) && path.is_file())
    })
}

/// Returns what is to be done, after a requirement was added, so that a script is bundled with what it requires.
fn steps(script: &Path, is_project: bool) -> Vec<String> {
    let lock = (!script::lock_of(script).is_file()).then(|| format!("lock it with `{}`", script::lock_command(script)));
    let pass = (!is_project).then(|| format!("pass {} as the project", hints::quoted_path(script)));
    lock.into_iter().chain(pass).collect()
}

/// Continues a sentence with these steps.
fn then_bundled(script: &Path, is_project: bool) -> String {
    match &steps(script, is_project)[..] {
        [] => String::new(),
        [first @ .., last] => {
            let first: String = first.iter().map(|step| format!(", {step}")).collect();
            format!("{first}, and {last}")
        }
    }
}
