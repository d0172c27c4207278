//! Finds and reads the lock of a project, and compares it with the project.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::builder;
use crate::git::GitChanges;
use crate::limited_reader::{self, LARGEST_LOCK};
use crate::lock::requirements::{RequirementsEnvironment, RequirementsTxt};
use crate::lock::{DistributionSet, FormatControl, Freshness, LocalProject, Lock, LockFormat};
use crate::pipeline::{BuildError, ProjectCache};
use crate::project::declared::DeclaredDistribution;
use crate::project::workspace::{Workspace, WorkspaceMember};
use crate::report::Reporter;
use crate::settings::{LockCheck, Settings, Variables};

/// Reads the lock of a project, and compares it with the project unless `--frozen` is given. A project without
/// requirements needs no lock: then the path is `None`.
///
/// # Errors
/// There is no lock, it cannot be read, or it does not match.
pub(crate) fn open(
    settings: &Settings,
    workspace: &Workspace,
    projects: &ProjectCache,
    reporter: &dyn Reporter,
) -> Result<(Option<PathBuf>, Arc<Lock>), BuildError> {
    let Some(path) = settings.lock.clone().or_else(|| find(workspace)) else {
        return if requires_nothing(workspace) {
            Ok((None, Arc::new(Lock::Requirements(RequirementsTxt::empty(&workspace.root)))))
        } else {
            Err(BuildError::NoLock(workspace.directory(workspace.current()).join(LockFormat::NAMES[0])))
        };
    };
    // The content of a requirements file and of an old poetry.lock depends on the project that reads it.
    let lock = match LockFormat::of(&path) {
        Some(LockFormat::Uv | LockFormat::Pylock) => {
            projects.lock(&path, || read(&path, &settings.environment.references, workspace))?
        }
        _ => Arc::new(match read(&path, &settings.environment.references, workspace)? {
            Lock::Requirements(lock) => Lock::Requirements(lock.require_hashes(settings.requirements.require_hashes)),
            other => other,
        }),
    };
    if settings.lock_check == LockCheck::Locked {
        projects.check(&path, || check(&lock, &path, workspace, settings, reporter))?;
    }
    Ok((Some(path), lock))
}

/// Returns the first lock in the project's directory or its workspace's. A workspace has one uv.lock, at its root: one in a
/// member's directory is left over from before it was a member, and uv does not read it.
pub(crate) fn find(workspace: &Workspace) -> Option<PathBuf> {
    let directories = [workspace.directory(workspace.current()), workspace.root.clone()];
    let mut candidates = LockFormat::NAMES.iter().flat_map(|name| {
        let member_first = directories.iter().map(move |directory| directory.join(name));
        let skipped = usize::from(LockFormat::of(Path::new(name)) == Some(LockFormat::Uv));
        member_first.skip(skipped)
    });
    candidates.find(|path| path.is_file())
}

/// Tells whether a project declares no dependency, as far as its files tell; the requirements of its wheel are checked
/// later.
pub(crate) fn requires_nothing(workspace: &Workspace) -> bool {
    let directory = workspace.directory(workspace.current());
    let is_declared =
        ["requirements.in", "Pipfile", "environment.yml"].iter().any(|name| directory.join(name).exists());
    let table = workspace.current().pyproject.table();
    let project = table.get("project");
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
    let mut dependencies = [project, poetry].into_iter().flatten().filter_map(|table| table.get("dependencies"));
    !is_declared && dependencies.all(is_empty)
}

/// Tells whether `dependencies` lists nothing; poetry lists Python itself, too.
fn is_empty(dependencies: &toml::Value) -> bool {
    match dependencies {
        toml::Value::Array(requirements) => requirements.is_empty(),
        toml::Value::Table(requirements) => requirements.keys().all(|name| name == "python"),
        _ => false,
    }
}

/// Reads a lock, in the format that its name tells. Requirements files may refer to environment variables.
///
/// # Errors
/// It is not there, has no name of a lock, or cannot be read.
pub(crate) fn read(path: &Path, references: &Variables, workspace: &Workspace) -> Result<Lock, BuildError> {
    parse(path, references, workspace, &|path| limited_reader::read_regular_text(path, LARGEST_LOCK))
}

/// Returns the lock that was at a path before the changes; `None` if there was none.
///
/// # Errors
/// It cannot be read, or git is not installed.
pub(crate) fn before(
    path: &Path,
    references: &Variables,
    workspace: &Workspace,
    changes: &GitChanges,
) -> Result<Option<Lock>, BuildError> {
    if changes.text_before(path)?.is_none() {
        return Ok(None);
    }
    let lock = parse(path, references, workspace, &|path| {
        let text = changes.text_before(path).map_err(io::Error::other)?;
        text.ok_or_else(|| io::ErrorKind::NotFound.into())
    })?;
    Ok(Some(lock))
}

/// Parses a lock; `text` returns the content of a file.
fn parse(
    path: &Path,
    references: &Variables,
    workspace: &Workspace,
    text: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Lock, BuildError> {
    let format = LockFormat::of(path).ok_or_else(|| BuildError::UnknownLock(path.to_owned()))?;
    Ok(match format {
        LockFormat::Uv => Lock::parse_uv(&content(path, text)?, path)?,
        LockFormat::Pylock => Lock::parse_pylock(&content(path, text)?, path)?,
        LockFormat::Poetry => Lock::parse_poetry(&content(path, text)?, path, &local_project(workspace.current()))?,
        LockFormat::Requirements if !path.exists() => return Err(BuildError::NoLock(path.to_owned())),
        LockFormat::Requirements => {
            let project = workspace.directory(workspace.current());
            Lock::Requirements(RequirementsTxt::read(
                path,
                &RequirementsEnvironment {
                    read: text,
                    ..environment(&project, &|name| references.get(name).map(str::to_owned))
                },
            )?)
        }
    })
}

/// Returns the content of a lock.
fn content(path: &Path, text: &dyn Fn(&Path) -> io::Result<String>) -> Result<String, BuildError> {
    text(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BuildError::NoLock(path.to_owned()),
        _ => BuildError::reading(path)(error),
    })
}

/// Returns the environment that requirements files are read in: the file system, variables, and the names of local
/// projects.
pub(crate) fn environment<'a>(
    project: &'a Path,
    variable: &'a dyn Fn(&str) -> Option<String>,
) -> RequirementsEnvironment<'a> {
    RequirementsEnvironment {
        project,
        read: &|path| limited_reader::read_regular_text(path, LARGEST_LOCK),
        variable,
        name: &|directory| DeclaredDistribution::read(directory).ok()?.name,
    }
}

fn local_project(member: &WorkspaceMember) -> LocalProject {
    LocalProject {
        path: member.path.clone(),
        table: member.pyproject.table().clone(),
        is_package: member.pyproject.is_package(),
    }
}

fn may_build(member: &WorkspaceMember, formats: &FormatControl) -> bool {
    match DeclaredDistribution::of(&member.pyproject).ok().and_then(|declared| declared.name) {
        Some(name) => formats.may_build(&name),
        None => formats.no_build != DistributionSet::All,
    }
}

/// Compares the lock with every pyproject.toml of the workspace, and asks uv where that does not decide.
fn check(
    lock: &Lock,
    path: &Path,
    workspace: &Workspace,
    settings: &Settings,
    reporter: &dyn Reporter,
) -> Result<(), BuildError> {
    let projects: Vec<LocalProject> = workspace.members.iter().map(local_project).collect();
    let Freshness::Unknown(reasons) = lock.check_locked(&projects)? else {
        return Ok(());
    };
    let reasons = reasons.join("; ");
    let why = if !matches!(lock, Lock::Uv(_)) {
        reasons
    } else if workspace
        .members
        .iter()
        .any(|member| member.has_dynamic_metadata() && !may_build(member, &settings.formats))
    {
        // uv builds them for their metadata, also with its own --no-build (uv 0.13.8).
        "`uv lock --check` would run a build backend, which --no-build forbids".to_owned()
    } else if let Some((uv, _)) = builder::find_uv(settings.environment.search_path()) {
        let mut check = Command::new(uv);
        check.envs(settings.environment.of_uv());
        check.args(["lock", "--check", "--no-python-downloads", "--project"]).arg(&workspace.root);
        check.args(settings.fetch.offline.then_some("--offline"));
        match check.output() {
            Ok(output) if output.status.success() => return Ok(()),
            // uv 0.13.8 exits with 1 if the lock is outdated, also if it then finds no new solution, and with 2 if it cannot
            // tell, for instance because the build requirements of dynamic metadata cannot be resolved.
            Ok(output) if output.status.code() == Some(1) => return Err(BuildError::LockOutdated(path.to_owned())),
            Ok(_) | Err(_) => "`uv lock --check` failed".to_owned(),
        }
    } else {
        format!("{reasons}, and uv is not installed")
    };
    reporter.warn(&format!("cannot tell whether {} matches pyproject.toml: {why}", path.display()));
    Ok(())
}
