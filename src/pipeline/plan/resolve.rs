//! Resolves requirements files that do not pin everything, with uv.

use std::io;
use std::process::{Command, Stdio};

use crate::lock::Lock;
use crate::lock::requirements::{self, RequirementsEnvironment, RequirementsTxt};
use crate::pipeline::BuildError;
use crate::pipeline::plan::{LockedProject, lock};
use crate::platform::TargetPlatform;
use crate::settings::Settings;
use crate::{builder, redact};

/// Lets uv resolve the project's requirements file for a target.
///
/// # Errors
/// uv is not installed, or finds no versions.
pub(crate) fn resolve(
    project: &LockedProject,
    settings: &Settings,
    target: &TargetPlatform,
) -> Result<Lock, BuildError> {
    let path = project.path.as_deref().ok_or(BuildError::NothingToResolve)?;
    let directory = project.workspace.directory(project.workspace.current());
    let (uv, _) = builder::find_uv(settings.environment.search_path()).ok_or(BuildError::NoUv)?;
    let path = std::path::absolute(path).map_err(BuildError::reading(path))?;
    let mut command = Command::new(uv);
    command.current_dir(&directory).stdin(Stdio::null()).envs(settings.environment.of_uv()).env("NO_COLOR", "1");
    command.arg("--no-python-downloads");
    if settings.fetch.offline {
        command.arg("--offline");
    }
    command.args(requirements::compile_arguments(&path, target));
    let output = command.output().map_err(BuildError::RunUv)?;
    if !output.status.success() {
        let said = redact::text(String::from_utf8_lossy(&output.stderr).trim_end());
        return Err(BuildError::Unresolvable { path, said });
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let environment = RequirementsEnvironment {
        read: &|file| if file == path { Ok(text.clone()) } else { Err(io::ErrorKind::NotFound.into()) },
        ..lock::environment(&directory, &|_| None)
    };
    Ok(Lock::Requirements(RequirementsTxt::read(&path, &environment)?))
}
