//! Checks that a container's command exists and is executable: otherwise this shows only when the image is deployed.

use crate::image::{Base, FileSystem, users};
use crate::pipeline::BuildError;
use crate::pipeline::image::base_files::BaseFiles;
use crate::pipeline::image::command;
use crate::platform::{BaseEntrypoint, ImageTarget};
use crate::report::Reporter;
use crate::settings::ImageSettings;
use crate::tree::FileTree;

/// The `PATH` that container engines use if the image sets none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Checks the command that the user sets.
pub(super) struct CommandCheck<'a> {
    pub settings: &'a ImageSettings,
    pub target: &'a ImageTarget,
    pub base: &'a Base,
    pub base_files: &'a BaseFiles<'a>,
    /// The files above the base.
    pub tree: &'a FileTree,
}

impl CommandCheck<'_> {
    /// Warns about a command that does not exist or is not executable, and about an unknown user. Without knowledge of
    /// the base, nothing is warned about.
    ///
    /// # Errors
    /// A value of the profile's environment is malformed.
    pub(super) fn check(&self, reporter: &dyn Reporter) -> Result<(), BuildError> {
        if let Some(program) = self.program()
            && let Some(reason) = self.missing(program)?
        {
            reporter.warn(&format!("the container's command `{program}` {reason}"));
        }
        let name = self.settings.container.user.as_deref().and_then(|user| user.split(':').next());
        let name = name.filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(name) = name.filter(|name| !self.settings.container.users.iter().any(|user| user.name == **name))
            && let Some(files) = self.base_files.known_files()
            && !users::is_user(files, name)
        {
            reporter.warn(&format!("the base image has no user `{name}`: add it with --add-user {name}"));
        }
        Ok(())
    }

    /// Returns the executable that is started, if the user names it.
    fn program(&self) -> Option<&str> {
        let start = &self.settings.container;
        let has_entrypoint = match (&start.entrypoint, self.target.entrypoint) {
            (Some(words), _) => !words.is_empty(),
            // Lambda's runtime clients take the handler as their argument, whatever the base's entrypoint is.
            (None, _) if self.target.handler => return None,
            (None, BaseEntrypoint::Inherit) => !self.base.config.execution.entrypoint.is_empty(),
            (None, BaseEntrypoint::Reset) => false,
        };
        let words = if has_entrypoint { &start.entrypoint } else { &start.command };
        words.as_ref()?.first().map(String::as_str)
    }

    /// Returns why an executable cannot be started, or `None` if it can.
    fn missing(&self, program: &str) -> Result<Option<&'static str>, BuildError> {
        let workdir = self.settings.container.workdir.as_deref().unwrap_or(&self.target.workdir);
        let candidates: Vec<String> = match program.find('/') {
            Some(0) => vec![program.to_owned()],
            Some(_) => vec![format!("{workdir}/{program}")],
            None => {
                let path = command::env(self.settings, self.target, self.base, "PATH")?;
                let directories = path.as_deref().unwrap_or(DEFAULT_PATH).split(':');
                directories.map(|directory| format!("{directory}/{program}")).collect()
            }
        };
        // First without the base's symbolic links, which are known only if the base has been searched.
        let nothing = FileSystem::default();
        if candidates.iter().any(|path| self.may_execute(path, &nothing) == Some(true)) {
            return Ok(None);
        }
        let Some(files) = self.base_files.known_files() else {
            let is_plain = program.starts_with('/') && self.may_execute(program, &nothing) == Some(false);
            return Ok(is_plain.then_some(NOT_EXECUTABLE));
        };
        let found: Vec<Option<bool>> = candidates.iter().map(|path| self.may_execute(path, files)).collect();
        Ok(match () {
            () if found.contains(&Some(true)) => None,
            () if found.contains(&Some(false)) => Some(NOT_EXECUTABLE),
            () => Some("exists neither in the image nor in its base"),
        })
    }

    /// Tells whether a file is executable; `None` if it does not exist.
    fn may_execute(&self, path: &str, files: &FileSystem) -> Option<bool> {
        let resolved = files.resolve(path, false)?;
        match self.tree.get(&resolved) {
            Some(entry) => Some(entry.access.mode.is_executable()),
            None => files.has_executable(&resolved).then_some(true),
        }
    }
}

const NOT_EXECUTABLE: &str = "is not executable: run `chmod +x` on it, or set its include's mode = \"0755\"";
