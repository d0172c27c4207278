//! The command of an image whose application is a script.

use std::borrow::Cow;

use crate::pipeline::BuildError;
use crate::pipeline::image::chosen;
use crate::pipeline::plan::{LockedProject, script};
use crate::settings::ImageSettings;

/// Returns the settings with a command that runs the script, unless they say what is started or the project is no script.
///
/// # Errors
/// There is no such profile, or the image starts a handler and the script does not tell which.
pub(super) fn with_command<'a>(
    settings: &'a ImageSettings,
    project: &LockedProject,
) -> Result<Cow<'a, ImageSettings>, BuildError> {
    let container = &settings.container;
    let Some(path) = project.workspace.script() else { return Ok(Cow::Borrowed(settings)) };
    if container.entrypoint.is_some() || container.command.is_some() {
        return Ok(Cow::Borrowed(settings));
    }
    let profile = chosen::profile(&settings.common)?;
    let target = profile.pythons.last().map(|python| profile.target(*python));
    let command = match &target {
        Some(target) if target.handler => vec![script::handler(path)?.to_string()],
        _ => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // The application is in the profile's working directory, which may not be that of the container.
            let directory = target.filter(|_| container.workdir.is_some()).map(|target| format!("{}/", target.workdir));
            vec!["python".to_owned(), format!("{}{name}", directory.unwrap_or_default())]
        }
    };
    let mut settings = settings.clone();
    settings.common.started.extend(command.iter().cloned());
    settings.container.command = Some(command);
    Ok(Cow::Owned(settings))
}
