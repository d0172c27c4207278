//! Finds and reads the lock of a project, and compares it with the project.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::git::GitChanges;
use crate::limited_reader::{self, LARGEST_LOCK};
use crate::lock::requirements::{RequirementsEnvironment, RequirementsTxt};
use crate::lock::{ForeignTool, LocalProject, Lock, LockError, LockFormat, PipfileEnvironment};
use crate::pipeline::plan::lock_check;
pub(crate) use crate::pipeline::plan::lock_reads::LockReads;
use crate::pipeline::plan::requirements_source::{DECLARING_FILES, RequirementsSource};
use crate::pipeline::plan::script::warn_of_undeclared;
use crate::pipeline::session::LockEvidence;
use crate::pipeline::{BuildError, ProjectCache};
use crate::project::declared::DeclaredDistribution;
use crate::project::script;
use crate::project::workspace::{Workspace, WorkspaceMember};
use crate::report::Reporter;
use crate::settings::{LockCheck, Settings, Variables};

/// A lock, and what it was read from.
pub(crate) struct OpenedLock {
    /// Empty for a project without requirements, which needs no lock.
    pub paths: Vec<PathBuf>,
    pub lock: Arc<Lock>,
    pub reads: LockReads,
    /// Whether the files alone tell that it matches its project: uv was not asked.
    pub is_checked_by_files: bool,
}

/// Reads the lock of a project, or several requirements files, and compares it with the project unless `--frozen` is given.
///
/// # Errors
/// There is no lock, it cannot be read, or it does not match.
pub(crate) fn open(
    settings: &Settings,
    workspace: &Workspace,
    projects: &ProjectCache,
    reporter: &dyn Reporter,
) -> Result<OpenedLock, BuildError> {
    let mut paths = settings.locks.clone();
    if paths.is_empty() {
        paths.extend(find(workspace));
    }
    let Some(path) = paths.first() else {
        return if settings.requirements.resolve || requires_nothing(workspace) {
            warn_of_undeclared(workspace, reporter);
            let lock = Arc::new(Lock::Requirements(RequirementsTxt::empty(&workspace.root)));
            let reads = LockReads::default().with_source(workspace);
            Ok(OpenedLock { paths, lock, reads, is_checked_by_files: true })
        } else {
            Err(missing(workspace))
        };
    };
    let references = &settings.environment.references;
    let mut reads = LockReads::default();
    let lock = if LockFormat::of(path).is_some_and(LockFormat::depends_on_project) || paths.len() > 1 {
        let (lock, own) = read(&paths, references, workspace)?;
        reads = own;
        Arc::new(match lock {
            Lock::Requirements(lock) => Lock::Requirements(lock.require_hashes(settings.requirements.require_hashes)),
            lock => lock,
        })
    } else {
        reads.files.push(path.clone());
        projects.lock(path, || Ok(read(&paths, references, workspace)?.0))?
    };
    if lock.requirements().is_some() {
        reads = reads.with_source(workspace);
    }
    for unset in lock.requirements().iter().flat_map(|requirements| requirements.unset_variables()) {
        reporter.warn(&unset.to_string());
    }
    for source in lock.sources() {
        let name = source.name.as_deref().unwrap_or("without a name");
        for variable in &source.unset {
            reporter.warn(&format!(
                "{}: the environment variable {variable} of the source {name} is not set",
                path.display()
            ));
        }
    }
    let mut is_checked_by_files = true;
    if settings.lock_check == LockCheck::Locked {
        let evidence = projects.check(path, || lock_check::check(&lock, path, workspace, settings, reporter))?;
        is_checked_by_files = evidence == LockEvidence::Files;
    }
    Ok(OpenedLock { paths, lock, reads, is_checked_by_files })
}

/// Returns the first lock in the project's directory or its workspace's. A workspace has one uv.lock, at its root: one in a
/// member's directory is left over from before it was a member, and uv does not read it. The lock of a script is beside it.
pub(crate) fn find(workspace: &Workspace) -> Option<PathBuf> {
    if let Some(script) = workspace.script() {
        return Some(script::lock_of(script)).filter(|path| path.is_file());
    }
    let directories = [workspace.directory(workspace.current()), workspace.root.clone()];
    let mut candidates = LockFormat::NAMES.iter().flat_map(|name| {
        let member_first = directories.iter().map(move |directory| directory.join(name));
        let skipped = usize::from(LockFormat::of(Path::new(name)) == Some(LockFormat::Uv));
        member_first.skip(skipped)
    });
    candidates.find(|path| path.is_file())
}

/// Returns the error of a project without a lock, which names the lock of another tool if there is one.
fn missing(workspace: &Workspace) -> BuildError {
    if let Some(script) = workspace.script() {
        return BuildError::NoLock { path: script::lock_of(script), command: Some(script::lock_command(script)) };
    }
    let directory = workspace.directory(workspace.current());
    match foreign(workspace) {
        Some(error) => error.into(),
        None => {
            let source = RequirementsSource::of(workspace).unwrap_or(RequirementsSource::Pyproject);
            let path = directory.join(source.lock_name());
            if source.is_of_conda() {
                let source_file = source.file_name();
                return BuildError::NoLockOfConda { path, source_file, command: source.lock_command() };
            }
            BuildError::NoLock { path, command: Some(source.lock_command()) }
        }
    }
}

/// Returns the error about the lock of another tool, if the project has one.
fn foreign(workspace: &Workspace) -> Option<LockError> {
    let directories = [&workspace.directory(workspace.current()), &workspace.root];
    let (path, tool) = directories.into_iter().find_map(|directory| ForeignTool::find(directory))?;
    Some(LockError::ForeignLock { path, tool })
}

/// Tells whether a project declares no dependency, as far as its files tell; the requirements of its wheel are checked
/// later.
pub(crate) fn requires_nothing(workspace: &Workspace) -> bool {
    if workspace.script().is_some() {
        return workspace.current().pyproject.table().get("dependencies").is_none_or(is_empty);
    }
    let directory = workspace.directory(workspace.current());
    let table = workspace.current().pyproject.table();
    // Where pyproject.toml declares no dependencies, the lock of another tool has none either.
    let is_locked_otherwise = !table.contains_key("project") && foreign(workspace).is_some();
    let is_declared = is_locked_otherwise || DECLARING_FILES.iter().any(|name| directory.join(name).exists());
    let pixi = table.get("tool").and_then(|tool| tool.get("pixi"));
    let has_pixi = pixi.is_some_and(|pixi| {
        ["dependencies", "pypi-dependencies"].iter().any(|key| pixi.get(key).is_some_and(|table| !is_empty(table)))
    });
    let project = table.get("project");
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
    let mut dependencies = [project, poetry].into_iter().flatten().filter_map(|table| table.get("dependencies"));
    !is_declared && !has_pixi && dependencies.all(is_empty)
}

/// Tells whether `dependencies` lists nothing; poetry lists Python itself, too.
fn is_empty(dependencies: &toml::Value) -> bool {
    match dependencies {
        toml::Value::Array(requirements) => requirements.is_empty(),
        toml::Value::Table(requirements) => requirements.keys().all(|name| name == "python"),
        _ => false,
    }
}

/// Reads a lock in the format that its name tells, or several requirements files. These may refer to environment variables.
///
/// # Errors
/// It is not there, has no name of a lock, or cannot be read, or there are several that are not requirements files.
pub(crate) fn read(
    paths: &[PathBuf],
    references: &Variables,
    workspace: &Workspace,
) -> Result<(Lock, LockReads), BuildError> {
    let reads = RefCell::new(LockReads::default());
    let variable = |name: &str| {
        reads.borrow_mut().variables.insert(name.to_owned());
        references.get(name).map(str::to_owned)
    };
    let text = |path: &Path| {
        reads.borrow_mut().files.push(path.to_owned());
        limited_reader::read_regular_text(path, LARGEST_LOCK)
    };
    let lock = parse(paths, &variable, workspace, &text)?;
    Ok((lock, reads.into_inner()))
}

/// Returns the lock that was at some paths before the changes, and what it was read from; `None` if one of them did not exist.
///
/// # Errors
/// It cannot be read, or git is not installed.
pub(crate) fn before(
    paths: &[PathBuf],
    references: &Variables,
    workspace: &Workspace,
    changes: &GitChanges,
) -> Result<Option<(Lock, LockReads)>, BuildError> {
    for path in paths {
        if changes.text_before(path)?.is_none() {
            return Ok(None);
        }
    }
    let reads = RefCell::new(LockReads::default());
    let variable = |name: &str| references.get(name).map(str::to_owned);
    let lock = parse(paths, &variable, workspace, &|path| {
        reads.borrow_mut().files.push(path.to_owned());
        let text = changes.text_before(path).map_err(io::Error::other)?;
        text.ok_or_else(|| io::ErrorKind::NotFound.into())
    })?;
    Ok(Some((lock, reads.into_inner())))
}

/// Parses a lock, or several requirements files; `text` returns the content of a file.
fn parse(
    paths: &[PathBuf],
    variable: &dyn Fn(&str) -> Option<String>,
    workspace: &Workspace,
    text: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Lock, BuildError> {
    let [path] = paths else { return parse_requirements(paths, variable, workspace, text) };
    let Some(format) = LockFormat::of(path) else {
        let foreign = Lock::foreign(path, || text(path).ok());
        return Err(foreign.map_or_else(|| BuildError::UnknownLock(path.to_owned()), BuildError::from));
    };
    Ok(match format {
        LockFormat::Uv => Lock::parse_uv(&content(path, text)?, path)?,
        LockFormat::Pylock => Lock::parse_pylock(&content(path, text)?, path)?,
        LockFormat::Poetry => Lock::parse_poetry(&content(path, text)?, path, &local_project(workspace.current()))?,
        LockFormat::Pdm => {
            let project = local_project(workspace.current());
            Lock::parse_pdm(&content(path, text)?, path, &project, variable)?
        }
        LockFormat::Pipfile => {
            let pipfile = path.with_file_name("Pipfile");
            let pipfile = pipfile.is_file().then(|| content(&pipfile, text)).transpose()?;
            let pipfile = pipfile.as_deref();
            let environment = PipfileEnvironment { pipfile, variable };
            Lock::parse_pipfile(&content(path, text)?, path, &environment)?
        }
        LockFormat::Requirements => parse_requirements(paths, variable, workspace, text)?,
    })
}

fn parse_requirements(
    paths: &[PathBuf],
    variable: &dyn Fn(&str) -> Option<String>,
    workspace: &Workspace,
    text: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Lock, BuildError> {
    if let Some(other) = paths.iter().find(|path| LockFormat::of(path) != Some(LockFormat::Requirements)) {
        return Err(LockError::SeveralLocks { path: other.clone() }.into());
    }
    if let Some(absent) = paths.iter().find(|path| !path.exists()) {
        return Err(self::absent(absent));
    }
    let project = workspace.directory(workspace.current());
    let environment = RequirementsEnvironment { read: text, ..environment(&project, variable) };
    Ok(Lock::Requirements(RequirementsTxt::read(paths, &environment)?))
}

/// Returns the content of a lock.
fn content(path: &Path, text: &dyn Fn(&Path) -> io::Result<String>) -> Result<String, BuildError> {
    text(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => absent(path),
        _ => BuildError::reading(path)(error),
    })
}

/// Returns the error of a lock that the user names, but that does not exist.
fn absent(path: &Path) -> BuildError {
    BuildError::NoLock { path: path.to_owned(), command: None }
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

pub(super) fn local_project(member: &WorkspaceMember) -> LocalProject {
    LocalProject {
        path: member.path.clone(),
        script: member.pyproject.script().is_some(),
        table: member.pyproject.table().clone(),
        is_package: member.pyproject.is_package(),
    }
}
