//! Locks a project that has no lock, with uv, if `--resolve` is given.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::lock::LockFormat;
use crate::pipeline::plan::requirements_source::RequirementsSource;
use crate::pipeline::plan::{lock, resolve};
use crate::pipeline::{BuildError, ProjectCache};
use crate::platform::PythonVersion;
use crate::project::declared::DeclaredDistribution;
use crate::project::script;
use crate::project::workspace::Workspace;
use crate::report::{Reporter, RunningTask, Task, TaskKind};
use crate::settings::{ProfileChoice, Settings};

/// The minor versions of Python 3 that a project may support.
const MINORS: RangeInclusive<u8> = 8..=*PythonVersion::MINORS.end();

/// A command of uv that locks a project.
struct LockCommand {
    /// What is locked.
    source: PathBuf,
    /// What is written.
    lock: PathBuf,
    arguments: Vec<OsString>,
}

/// Locks the project, unless it has a lock or requires nothing. An existing file is never changed: this is for the first build
/// of a project, whose result the user can then commit. What only other tools lock is resolved for each target instead.
///
/// # Errors
/// The project cannot be read, uv is not installed, or it finds no versions.
pub(crate) fn write(settings: &Settings, projects: &ProjectCache, reporter: &dyn Reporter) -> Result<(), BuildError> {
    if !settings.requirements.resolve || !settings.locks.is_empty() {
        return Ok(());
    }
    let (workspace, _) = projects.workspace(&settings.project)?;
    projects.locking(|| {
        if lock::find(&workspace).is_some() {
            return Ok(());
        }
        let Some(command) = LockCommand::of(&workspace, settings)? else { return Ok(()) };
        let running = RunningTask::start(reporter, Task::new(TaskKind::Run, command.name()));
        let directory = workspace.directory(workspace.current());
        let mut uv = resolve::uv(settings, &directory)?;
        uv.args(&command.arguments).args(settings.fetch.no_index.then_some("--no-index"));
        let output = uv.output().map_err(BuildError::RunUv)?;
        if !output.status.success() {
            return Err(BuildError::unresolvable(&command.source, &output.stderr));
        }
        running.finish();
        reporter.note(&format!("wrote {}: commit it, and every build is made from it", command.lock.display()));
        Ok(())
    })
}

impl LockCommand {
    /// Returns the command without its options, for messages.
    fn name(&self) -> String {
        let words = self.arguments.iter().map(|word| word.to_string_lossy());
        let words: Vec<_> = words.take_while(|word| !word.starts_with('-')).collect();
        format!("`uv {}`", words.join(" "))
    }

    /// Returns the command for a project; `None` if it requires nothing, or uv does not lock it.
    fn of(workspace: &Workspace, settings: &Settings) -> Result<Option<Self>, BuildError> {
        let source = RequirementsSource::of(workspace);
        // What a setup.py or setup.cfg requires is known to uv.
        let is_setup = matches!(source, Some(RequirementsSource::SetupPy | RequirementsSource::SetupCfg));
        if lock::requires_nothing(workspace) && (workspace.script().is_some() || !is_setup) {
            return Ok(None);
        }
        if let Some(script) = workspace.script() {
            let arguments = vec!["lock".into(), "--script".into(), script.into()];
            return Ok(Some(Self { source: script.to_owned(), lock: script::lock_of(script), arguments }));
        }
        let Some(source) = source else { return Ok(None) };
        let directory = workspace.directory(workspace.current());
        let (lock, arguments) = match source {
            RequirementsSource::Pyproject | RequirementsSource::Pdm => {
                (workspace.root.join(LockFormat::Uv.file_name()), vec![OsString::from("lock")])
            }
            RequirementsSource::RequirementsIn | RequirementsSource::SetupPy | RequirementsSource::SetupCfg => {
                (directory.join(source.lock_name()), compile(&source, workspace, settings)?)
            }
            RequirementsSource::Pipfile
            | RequirementsSource::Poetry
            | RequirementsSource::Conda
            | RequirementsSource::Pixi
            | RequirementsSource::PixiTable => return Ok(None),
        };
        Ok(Some(Self { source: directory.join(source.file_name()), lock, arguments }))
    }
}

/// Returns the arguments with which uv pins what a file requires in a requirements file, for all platforms.
fn compile(
    source: &RequirementsSource,
    workspace: &Workspace,
    settings: &Settings,
) -> Result<Vec<OsString>, BuildError> {
    let mut arguments: Vec<OsString> = source.lock_command().split(' ').skip(1).map(OsString::from).collect();
    if let Some(python) = oldest_python(workspace, settings)? {
        arguments.extend(["--python-version".into(), python.to_string().into()]);
    }
    if *source != RequirementsSource::RequirementsIn {
        arguments.extend(settings.request.all_extras.then(|| "--all-extras".into()));
        arguments.extend(settings.request.extras.iter().map(|extra| format!("--extra={extra}").into()));
    }
    Ok(arguments)
}

/// Returns the oldest Python that the project supports, or else the requested one. Without it, uv pins for no older Python
/// than the one that it runs on (uv 0.13.8).
fn oldest_python(workspace: &Workspace, settings: &Settings) -> Result<Option<PythonVersion>, BuildError> {
    let directory = workspace.directory(workspace.current());
    let declared = DeclaredDistribution::of(&workspace.current().pyproject).map_err(BuildError::reading(&directory))?;
    if let Some(allowed) = declared.requires_python {
        let mut minors = MINORS.filter(|minor| allowed.contains(&pep440_rs::Version::new([3, u64::from(*minor), 99])));
        return Ok(minors.next().and_then(|minor| format!("3.{minor}").parse().ok()));
    }
    Ok(match &settings.profile {
        ProfileChoice::BuiltIn(name) => name.strip_prefix("python").and_then(|version| version.parse().ok()),
        ProfileChoice::File(_) | ProfileChoice::Default => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_named_without_its_options() {
        let compile = RequirementsSource::SetupPy.lock_command();
        for (arguments, expected) in [
            (compile.trim_start_matches("uv "), "`uv pip compile`"),
            ("lock", "`uv lock`"),
            ("lock --script /app/job.py", "`uv lock`"),
        ] {
            let arguments = arguments.split(' ').map(OsString::from).collect();
            assert_eq!(LockCommand { source: PathBuf::new(), lock: PathBuf::new(), arguments }.name(), expected);
        }
    }
}
