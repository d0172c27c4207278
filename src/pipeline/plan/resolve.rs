//! Resolves requirements files that do not pin everything, and the requirements of projects without a lock, with uv.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use url::Url;

use crate::builder;
use crate::limited_reader::{self, LARGEST_LOCK};
use crate::lock::Lock;
use crate::lock::requirements::{self, RequirementsEnvironment, RequirementsTxt};
use crate::pipeline::BuildError;
use crate::pipeline::plan::requirements_source::RequirementsSource;
use crate::pipeline::plan::{LockedProject, lock};
use crate::platform::TargetPlatform;
use crate::project::script;
use crate::settings::{FetchSettings, Settings};

/// Lets uv resolve the project's requirements file, or else what the project requires, for a target.
///
/// # Errors
/// uv is not installed, or finds no versions.
pub(crate) fn resolve(
    project: &LockedProject,
    settings: &Settings,
    target: &TargetPlatform,
) -> Result<Lock, BuildError> {
    let directory = project.workspace.directory(project.workspace.current());
    let mut paths = project.paths.clone();
    if let Some(script) = project.workspace.script().filter(|_| paths.is_empty()) {
        paths.push(script.to_owned());
    }
    if paths.is_empty() {
        paths.extend(RequirementsSource::of(&project.workspace).and_then(|source| source.resolvable(&directory)));
    }
    let absolute = paths.iter().map(|path| std::path::absolute(path).map_err(BuildError::reading(path)));
    let paths = absolute.collect::<Result<Vec<PathBuf>, _>>()?;
    let path = paths
        .first()
        .cloned()
        .ok_or_else(|| BuildError::NothingToResolve { script: script::only_one_in(&directory) })?;
    let mut command = uv(settings, &directory)?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = input(&paths);
    let files = if input.is_some() { &[PathBuf::from("-")][..] } else { &paths };
    command.args(requirements::compile_arguments(files, target));
    command.args(settings.fetch.no_index.then_some("--no-index"));
    if project.paths.is_empty() {
        command.args(settings.request.all_extras.then_some("--all-extras"));
        command.args(settings.request.extras.iter().map(|extra| format!("--extra={extra}")));
    }
    let mut running = command.spawn().map_err(BuildError::RunUv)?;
    if let Some(mut stdin) = running.stdin.take() {
        // uv may end before it has read everything; then it says why.
        let _ = stdin.write_all(input.unwrap_or_default().as_bytes());
    }
    let output = running.wait_with_output().map_err(BuildError::RunUv)?;
    if !output.status.success() {
        return Err(BuildError::unresolvable(&path, &output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let text = text.replace("    # via -r -\n", &format!("    # via -r {}\n", path.display()));
    let text = text.replace("    #   -r -\n", &format!("    #   -r {}\n", path.display()));
    let environment = RequirementsEnvironment {
        read: &|file| if file == path { Ok(text.clone()) } else { Err(io::ErrorKind::NotFound.into()) },
        ..lock::environment(&directory, &|_| None)
    };
    Ok(Lock::Requirements(RequirementsTxt::read(std::slice::from_ref(&path), &environment)?))
}

/// Returns a command of uv that runs in a directory and asks the indexes of the settings.
///
/// # Errors
/// uv is not installed.
pub(super) fn uv(settings: &Settings, directory: &Path) -> Result<Command, BuildError> {
    let (uv, _) = builder::find_uv(settings.environment.search_path()).ok_or(BuildError::NoUv)?;
    let mut command = Command::new(uv);
    command.current_dir(directory).stdin(Stdio::null()).envs(settings.environment.of_uv()).env("NO_COLOR", "1");
    // URLs may contain passwords, which the arguments of a process would show to all users.
    let FetchSettings { default_index, extra_indexes, find_links, exclude_newer, offline, .. } = &settings.fetch;
    command.envs(default_index.iter().map(|index| ("UV_DEFAULT_INDEX", index.as_str())));
    for (name, urls, separator) in [("UV_INDEX", extra_indexes, " "), ("UV_FIND_LINKS", find_links, ",")] {
        if !urls.is_empty() {
            command.env(name, urls.iter().map(Url::as_str).collect::<Vec<_>>().join(separator));
        }
    }
    command.envs(exclude_newer.iter().map(|date| ("UV_EXCLUDE_NEWER", date)));
    // uv repeats its arguments in the files that it writes.
    command.envs([("UV_PYTHON_DOWNLOADS", "never"), ("UV_NO_PROGRESS", "1")]);
    command.envs(offline.then_some(("UV_OFFLINE", "1")));
    Ok(command)
}

/// Returns what uv reads instead of requirements files: their text, if it must be changed for uv.
fn input(paths: &[PathBuf]) -> Option<String> {
    let changed = paths.iter().map(|path| {
        let text = limited_reader::read_regular_text(path, LARGEST_LOCK).ok()?;
        requirements::without_editable_repositories(path, &text)
    });
    let changed: Vec<Option<String>> = changed.collect();
    changed.iter().any(Option::is_some).then(|| {
        let texts = paths.iter().zip(changed);
        texts.map(|(path, text)| text.unwrap_or_else(|| format!("--requirement {}\n", path.display()))).collect()
    })
}
