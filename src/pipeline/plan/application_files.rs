//! The files of the application: which directory they are collected from, and what is no part of them.

use std::path::{Path, PathBuf};

use crate::lock::{SelectedDistribution, SelectedSource};
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::plan::{LockedProject, data_size};
use crate::project::application::{Application, ApplicationError, ApplicationSource, Excludes};
use crate::project::workspace::Workspace;
use crate::report::Reporter;
use crate::settings::{ProfileChoice, Settings};

/// Collects the included files: for a target that extends another, what it adds.
pub(super) fn included(settings: &Settings, workspace: &Workspace) -> Result<Application, BuildError> {
    if settings.includes.is_empty() {
        return Ok(Application::default());
    }
    let directory = workspace.directory(workspace.current());
    let excludes = Excludes::new(&directory, &settings.excludes)?;
    let source = application_source(settings, workspace, &directory, (&excludes, &settings.locks));
    Ok(ApplicationSource { script: None, ..source }.collect()?)
}

/// Checks that the files that the settings include, and those of the targets that are extended, are there.
///
/// # Errors
/// One of them is not, or cannot be included.
pub(crate) fn check_included(settings: &Settings, workspace: &Workspace) -> Result<(), BuildError> {
    let all = std::iter::successors(Some(settings), |settings| settings.extends.as_deref());
    all.map(|settings| included(settings, workspace)).try_for_each(|collected| collected.map(|_| ()))
}

/// Collects the included files of a directory, or its default files, among which the files of locks are not. A script is
/// collected together with the included files.
///
/// # Errors
/// An included path does not exist, or a file cannot be bundled.
pub(crate) fn collect(
    settings: &Settings,
    workspace: &Workspace,
    directory: &Path,
    locks: &[PathBuf],
) -> Result<Application, BuildError> {
    let excludes = Excludes::new(directory, &settings.excludes)?;
    Ok(application_source(settings, workspace, directory, (&excludes, locks)).collect()?)
}

/// Returns where the files of the application in a directory come from.
pub(crate) fn application_source<'a>(
    settings: &'a Settings,
    workspace: &'a Workspace,
    directory: &'a Path,
    (excludes, locks): (&'a Excludes, &'a [PathBuf]),
) -> ApplicationSource<'a> {
    ApplicationSource {
        project: directory,
        workspace: &workspace.root,
        script: workspace.script(),
        includes: &settings.includes,
        excludes,
        locks,
        profile: match &settings.profile {
            ProfileChoice::File(path) => Some(path),
            ProfileChoice::Default | ProfileChoice::BuiltIn(_) => None,
        },
        started: &settings.started,
    }
}

/// Collects the application's files: the included ones, or the default files of a root project that is not a package.
pub(super) fn application(
    settings: &Settings,
    project: &LockedProject,
    selected: &[SelectedDistribution],
    reporter: &dyn Reporter,
) -> Result<Application, BuildError> {
    let workspace = &project.workspace;
    let mut virtual_root = None;
    for distribution in selected {
        match &distribution.source {
            SelectedSource::Virtual(directory) if distribution.is_root() => virtual_root = Some(directory.as_path()),
            SelectedSource::Virtual(directory) => reporter.warn(&format!(
                "{} is not a package, so its code is omitted: include it with --include {}",
                distribution.name,
                directory.display()
            )),
            _ => {}
        }
    }
    match virtual_root.filter(|_| settings.includes.is_empty() || workspace.script().is_some()) {
        Some(directory) => {
            let application = collect(settings, workspace, directory, &project.lock_reads.all())
                .map_err(|error| member_instead(error, workspace))?;
            if let Some(warning) = data_size::warning(&application) {
                reporter.warn(&warning);
            }
            Ok(application)
        }
        None => included(settings, workspace),
    }
}

/// Names the members of a workspace whose root is no application itself.
fn member_instead(error: BuildError, workspace: &Workspace) -> BuildError {
    let members = workspace.members.iter().filter(|member| !member.path.as_os_str().is_empty());
    let members: Vec<DistributionName> = members.filter_map(|member| member.pyproject.name.clone()).collect();
    match error {
        BuildError::Application(ApplicationError::NothingFound(root)) if !members.is_empty() => {
            BuildError::ChooseMember { root, members }
        }
        error => error,
    }
}
