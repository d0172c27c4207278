//! Checks the files that a container's command starts: that they exist, that the kernel can execute them, and that the user
//! may read them. Otherwise this shows only when the image is deployed.

use std::io::Read;

use crate::audit::command::{InterpreterProblem, StartFinding, StartProblem, Started, StartedKind, absolute};
use crate::audit::imports::{MissingModule, ModuleUse, Providers, StartedModule};
use crate::hints::did_you_mean;
use crate::image::BasePython;
use crate::pipeline::BuildError;
use crate::pipeline::image::container_files::{ContainerFile, ContainerFiles};
use crate::pipeline::image::container_user::ContainerUser;
use crate::pipeline::image::started::StartedCommand;
use crate::platform::PythonVersion;
use crate::tree::{FileContent, TreeEntry};

/// What the kernel reads of an executable to find its interpreter, in bytes (binfmts.h, `BINPRM_BUF_SIZE`).
const FIRST_LINE: u64 = 256;

/// Modules that a package of the standard library makes without a file, in some version.
const MADE_MODULES: [&str; 1] = ["collections.abc"];

/// Checks what a command starts.
pub(super) struct CommandCheck<'a> {
    pub files: &'a ContainerFiles<'a>,
    /// `None` if it is not known.
    pub user: Option<&'a ContainerUser>,
    /// The base's interpreter, if that is what the container runs.
    pub python: Option<&'a BasePython>,
    /// The version of the target.
    pub version: PythonVersion,
}

impl CommandCheck<'_> {
    /// Adds why files and modules that a command starts do not start. `directories` are those that Python searches for modules.
    ///
    /// # Errors
    /// The base or a file cannot be read.
    pub(super) fn extend_findings(
        &self,
        command: &mut StartedCommand,
        directories: &[String],
    ) -> Result<(), BuildError> {
        for (at, started) in command.started.iter().enumerate() {
            let Some(problem) = self.problem(started, at == 0)? else { continue };
            command.findings.push(StartFinding { command: started.text(), problem, is_error: started.is_certain });
        }
        for named in &command.modules {
            let problem = self.module(&named.module, directories).or_else(|| self.standard_module(named, directories));
            command.findings.extend(problem.map(|problem| StartFinding {
                command: named.command.clone(),
                problem,
                is_error: named.is_certain,
            }));
        }
        Ok(())
    }

    /// Returns why the file of something that is started cannot be executed or read.
    ///
    /// `is_direct` is true for what the container engine executes: `execvp`, by which shells and init processes do, runs a file
    /// without `#!` with a shell.
    ///
    /// # Errors
    /// The base or a file cannot be read.
    fn problem(&self, started: &Started, is_direct: bool) -> Result<Option<StartProblem>, BuildError> {
        match &started.kind {
            StartedKind::Executable(program) => self.executable(program, &started.directory, is_direct),
            StartedKind::Script { path, .. } => self.script(path, &started.directory),
            StartedKind::Configuration { path, .. } => self.file(path, &started.directory),
            StartedKind::Module(_)
            | StartedKind::Code(_)
            | StartedKind::Worker { .. }
            | StartedKind::Application { .. } => Ok(None),
        }
    }

    /// Returns why the user cannot import a module of the image. `directories` are those that Python searches.
    fn module(&self, module: &str, directories: &[String]) -> Option<StartProblem> {
        let user = self.user?;
        let below = module.replace('.', "/");
        let candidates = directories
            .iter()
            .flat_map(|directory| [format!("{directory}/{below}.py"), format!("{directory}/{below}/__init__.py")]);
        let found = candidates.into_iter().find_map(|path| {
            let path = path.trim_start_matches('/').to_owned();
            let access = self.files.tree.get(&path)?.access;
            Some((path, access))
        });
        let (path, access) = found?;
        user.forbidden(self.files, &path, access).map(|forbidden| forbidden_by(user, forbidden))
    }

    /// Returns why the standard library of the base does not have a module of one of its packages.
    fn standard_module(&self, named: &StartedModule, directories: &[String]) -> Option<StartProblem> {
        let module = &named.module;
        let package = module.split('.').next().unwrap_or_default();
        let is_own = |directory: &String| {
            let path = format!("{directory}/{package}");
            let path = path.trim_start_matches('/');
            self.files.tree.is_directory(path) || self.files.tree.get(&format!("{path}.py")).is_some()
        };
        if directories.iter().any(is_own) || MADE_MODULES.contains(&module.as_str()) {
            return None;
        }
        let python = self.python?;
        let (prefix, _) = python.home().rsplit_once('/')?;
        let library = format!("{prefix}/lib/python{}", python.version);
        let has = |path: String| {
            matches!(self.files.known(&format!("{library}/{path}.py")), ContainerFile::OfBase { is_executable: _ })
        };
        let path = module.replace('.', "/");
        let is_package = has(format!("{path}/__init__"));
        let is_missing = match path.rsplit_once('/') {
            Some((parent, _)) => has(format!("{parent}/__init__")) && !is_package && !has(path.clone()),
            None => false,
        };
        if is_missing {
            Some(StartProblem::MissingModule(MissingModule {
                module: module.clone(),
                locations: Vec::new(),
                importer: None,
                python: self.version,
                is_certain: named.is_certain,
                providers: Providers::Known(Vec::new()),
                hidden: None,
                remedies: Vec::new(),
            }))
        } else if named.usage == ModuleUse::Run && is_package && !has(format!("{path}/__main__")) {
            Some(StartProblem::NoMain { module: module.clone(), is_standard: true })
        } else {
            None
        }
    }

    fn executable(&self, program: &str, directory: &str, is_direct: bool) -> Result<Option<StartProblem>, BuildError> {
        let (mut other, mut is_known) = (None, true);
        for candidate in self.files.candidates(program, directory) {
            match self.files.known(&candidate) {
                ContainerFile::Own(path, _) if self.files.is_link(&path) => return Ok(None),
                ContainerFile::Own(path, entry) if entry.access.mode.is_executable() => {
                    return self.own_executable(&path, entry, is_direct);
                }
                ContainerFile::OfBase { is_executable: true } => return Ok(None),
                ContainerFile::Own(path, _) => drop(other.get_or_insert(format!("/{path}"))),
                ContainerFile::OfBase { .. } => drop(other.get_or_insert(candidate)),
                ContainerFile::Directory | ContainerFile::Missing => {}
                ContainerFile::Unknown => is_known = false,
            }
        }
        Ok(match other {
            Some(path) if is_known || program.contains('/') => Some(StartProblem::NotExecutable { path }),
            None if is_known => {
                let release = self.files.base_files.known_release().filter(|_| !program.contains('/'));
                let package = release.and_then(|release| release.package_of_program(program));
                let hints = self.in_directory(program, directory);
                Some(StartProblem::MissingExecutable { name: program.to_owned(), package, hints })
            }
            _ => None,
        })
    }

    /// Suggests how to start a file of the working directory, which is not on `PATH`.
    fn in_directory(&self, program: &str, directory: &str) -> Vec<String> {
        match self.files.known(&absolute(directory, program)) {
            ContainerFile::Own(_, entry) if program.ends_with(".py") && !entry.access.mode.is_executable() => {
                vec![did_you_mean(&format!("python {program}"))]
            }
            ContainerFile::Own(..) if !program.contains('/') => vec![did_you_mean(&format!("./{program}"))],
            _ => Vec::new(),
        }
    }

    /// Checks an executable file of the image.
    fn own_executable(
        &self,
        path: &str,
        entry: &TreeEntry,
        is_direct: bool,
    ) -> Result<Option<StartProblem>, BuildError> {
        if let Some(user) = self.user {
            if let Some(forbidden) = user.forbidden(self.files, path, entry.access) {
                return Ok(Some(forbidden_by(user, forbidden)));
            }
            if !user.may_execute(entry.access) {
                return Ok(Some(forbidden_by(user, (format!("/{path}"), "execute"))));
            }
        }
        let start = first_bytes(entry)?;
        if start.starts_with(b"\x7fELF") {
            return Ok(None);
        }
        let problem = match first_line(&start) {
            Ok(interpreter) => self.interpreter(interpreter)?,
            Err(InterpreterProblem::NoLine | InterpreterProblem::ByteOrderMark) if !is_direct => None,
            Err(problem) => Some(problem),
        };
        Ok(problem.map(|problem| StartProblem::NoInterpreter { path: shown(path, entry), problem }))
    }

    /// Checks the interpreter of a script, as the kernel splits its first line (execve(2), interpreter scripts).
    fn interpreter(&self, line: &str) -> Result<Option<InterpreterProblem>, BuildError> {
        let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let argument = argument.trim();
        let program = match interpreter.rsplit('/').next() {
            // `env -S` and assignments are not read.
            Some("env") if !argument.is_empty() && !argument.contains([' ', '\t', '=', '-']) => argument,
            _ => interpreter,
        };
        let candidates = self.files.candidates(program, "/");
        let mut is_known = true;
        for candidate in candidates {
            match self.files.known(&candidate) {
                ContainerFile::Own(..) | ContainerFile::OfBase { .. } => return Ok(None),
                ContainerFile::Unknown => is_known = false,
                ContainerFile::Directory | ContainerFile::Missing => {}
            }
        }
        Ok(is_known.then(|| InterpreterProblem::Missing(program.to_owned())))
    }

    /// Checks what Python runs: a file, or a directory or an archive with a `__main__.py`.
    fn script(&self, path: &str, directory: &str) -> Result<Option<StartProblem>, BuildError> {
        match self.files.certain(path)? {
            ContainerFile::Directory => self.file(&format!("{path}/__main__.py"), directory),
            _ => self.file(path, directory),
        }
    }

    /// Checks a file that is read.
    fn file(&self, path: &str, directory: &str) -> Result<Option<StartProblem>, BuildError> {
        Ok(match self.files.certain(path)? {
            ContainerFile::Own(path, entry) => {
                let forbidden =
                    self.user.and_then(|user| Some((user, user.forbidden(self.files, &path, entry.access)?)));
                forbidden.map(|(user, forbidden)| forbidden_by(user, forbidden))
            }
            ContainerFile::Directory | ContainerFile::Missing => {
                Some(StartProblem::MissingFile { path: path.to_owned(), similar: self.files.similar(path, directory) })
            }
            ContainerFile::OfBase { .. } | ContainerFile::Unknown => None,
        })
    }
}

fn forbidden_by(user: &ContainerUser, (path, access): (String, &'static str)) -> StartProblem {
    StartProblem::Forbidden { path, user: user.name.clone(), access }
}

/// Returns the path of a file in the project, or else in the image.
fn shown(path: &str, entry: &TreeEntry) -> String {
    match &entry.content {
        FileContent::File { path, .. } => path.display().to_string(),
        _ => format!("/{path}"),
    }
}

fn first_bytes(entry: &TreeEntry) -> Result<Vec<u8>, BuildError> {
    let mut start = Vec::new();
    let reader = entry.content.reader().map_err(BuildError::Temporary)?;
    reader.take(FIRST_LINE).read_to_end(&mut start).map_err(BuildError::Temporary)?;
    Ok(start)
}

/// Returns what follows `#!` in the first line of a script.
fn first_line(start: &[u8]) -> Result<&str, InterpreterProblem> {
    let Some(line) = start.strip_prefix(b"#!") else {
        let has_mark = start.starts_with(b"\xef\xbb\xbf");
        return Err(if has_mark { InterpreterProblem::ByteOrderMark } else { InterpreterProblem::NoLine });
    };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if line.ends_with(b"\r") {
        return Err(InterpreterProblem::CarriageReturn);
    }
    std::str::from_utf8(line).map(str::trim).map_err(|_| InterpreterProblem::NoLine)
}
