//! Whether what a container starts is there, and may be executed: nothing else would tell before the image is deployed.

use crate::image::{Base, FileSystem, users};
use crate::pipeline::BuildError;
use crate::pipeline::image::base_files::BaseFiles;
use crate::pipeline::image::command;
use crate::platform::{BaseEntrypoint, ImageTarget};
use crate::report::Reporter;
use crate::settings::ImageSettings;
use crate::tree::FileTree;

/// Where engines look for programs if `PATH` is not set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A container's start, as far as the user says what it is.
pub struct CommandCheck<'a> {
    /// What the user wants.
    pub settings: &'a ImageSettings,
    /// The profile.
    pub target: &'a ImageTarget,
    /// The base, as its documents describe it.
    pub base: &'a Base,
    /// The base's file system.
    pub base_files: &'a BaseFiles<'a>,
    /// What is laid over it.
    pub tree: &'a FileTree,
}

impl CommandCheck<'_> {
    /// Warns of a program that is not there or may not be executed, and of a user that there is not. Of a base that is not
    /// known, nothing is said.
    ///
    /// # Errors
    /// A value of the profile's environment is malformed.
    pub fn check(&self, reporter: &dyn Reporter) -> Result<(), BuildError> {
        if let Some(program) = self.program()
            && let Some(reason) = self.missing(program)?
        {
            reporter.warn(&format!("`{program}`, which a container starts, {reason}"));
        }
        let name = self.settings.container.user.as_deref().and_then(|user| user.split(':').next());
        let name = name.filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(name) = name.filter(|name| !self.settings.container.users.iter().any(|user| user.name == **name))
            && let Some(files) = self.base_files.known_files()
            && !users::is_user(files, name)
        {
            reporter.warn(&format!("the base has no user `{name}`: --add-user adds one"));
        }
        Ok(())
    }

    /// Returns the first word of what is started, if it is a program that the user names.
    fn program(&self) -> Option<&str> {
        let start = &self.settings.container;
        let has_entrypoint = match (&start.entrypoint, self.target.entrypoint) {
            (Some(words), _) => !words.is_empty(),
            // Lambda's clients take the handler, whatever the base says.
            (None, _) if self.target.handler => return None,
            (None, BaseEntrypoint::Inherit) => !self.base.config.execution.entrypoint.is_empty(),
            (None, BaseEntrypoint::Reset) => false,
        };
        let words = if has_entrypoint { &start.entrypoint } else { &start.command };
        words.as_ref()?.first().map(String::as_str)
    }

    /// Returns why a program cannot be started.
    fn missing(&self, program: &str) -> Result<Option<&'static str>, BuildError> {
        let workdir = self.settings.container.workdir.as_deref().unwrap_or(&self.target.workdir);
        let candidates: Vec<String> = match program.find('/') {
            Some(0) => vec![program.to_owned()],
            Some(_) => vec![format!("{workdir}/{program}")],
            None => {
                let path = command::env(self.settings, self.target, self.base, "PATH")?;
                let folders = path.as_deref().unwrap_or(DEFAULT_PATH).split(':');
                folders.map(|folder| format!("{folder}/{program}")).collect()
            }
        };
        // Here without going through the base's links, which are known only if the base is.
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
            () => Some("is neither in the image nor a program of its base"),
        })
    }

    /// Returns whether a path leads to a file that may be executed; none if it leads to none.
    fn may_execute(&self, path: &str, files: &FileSystem) -> Option<bool> {
        let place = files.resolve(path, false)?;
        match self.tree.get(&place) {
            Some(entry) => Some(entry.access.mode.is_executable()),
            None => files.has_executable(&place).then_some(true),
        }
    }
}

/// What is said of a file that is there.
const NOT_EXECUTABLE: &str = "is not executable: make it so with `chmod +x`, or give its include mode = \"0755\"";
