//! The container engines of this machine, Docker and podman: images are loaded into them, and run by them.

use std::error::Error;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::thread;

use crate::hints::Hints;
use crate::interpreter;

/// A kind of container engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineKind {
    /// Docker, or another engine with its command line.
    Docker,
    /// podman.
    Podman,
}

impl EngineKind {
    /// Returns the name of its command.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// Why an image cannot be loaded into an engine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// The command of the requested engine, or of either, is not installed.
    #[error("cannot load the image: {} on PATH", .0.map_or_else(|| "neither docker nor podman is".to_owned(), |kind| format!("{} is not", kind.command())))]
    Missing(Option<EngineKind>),
    /// The command cannot be run.
    #[error("cannot run {}", .program.display())]
    Run {
        /// The command's path.
        program: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The command failed.
    #[error("`{command}` failed ({status}){message}")]
    Failed {
        /// The command with its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed to standard error, after a colon.
        message: String,
    },
    /// None of several images is for the architecture of the engine.
    #[error("cannot load the image: {} runs containers for linux/{architecture}, but the image is not built for that", .kind.command())]
    NoPlatform {
        /// The engine.
        kind: EngineKind,
        /// Its architecture, as OCI names it.
        architecture: String,
    },
}

impl Hints for EngineError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Missing(_) => vec!["write an archive for it with --output oci-archive:FILE".to_owned()],
            Self::Failed { command, .. } if command.starts_with("docker version") => {
                vec!["start Docker, or load the image into podman with --load=podman".to_owned()]
            }
            Self::NoPlatform { .. } => vec!["choose one platform with --platform".to_owned()],
            Self::Failed { .. } | Self::Run { .. } => Vec::new(),
        }
    }
}

/// An installed engine.
#[derive(Debug, Clone)]
pub(crate) struct ContainerEngine {
    /// Which engine it is.
    pub(crate) kind: EngineKind,
    program: PathBuf,
}

impl ContainerEngine {
    /// Finds the engine of a kind, or the first of Docker and podman, on a search path, the value of `PATH`.
    ///
    /// # Errors
    /// Its command is not installed.
    pub(crate) fn find(wanted: Option<EngineKind>, search_path: Option<&OsStr>) -> Result<Self, EngineError> {
        let mut kinds = [EngineKind::Docker, EngineKind::Podman].into_iter();
        let found = kinds.find_map(|kind| {
            let program = interpreter::on_path(search_path, kind.command()).into_iter().next()?;
            wanted.is_none_or(|wanted| wanted == kind).then_some(Self { kind, program })
        });
        found.ok_or(EngineError::Missing(wanted))
    }

    /// Returns the path of its command.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Runs a command, and returns its standard output.
    ///
    /// # Errors
    /// The command cannot be run, or fails.
    pub(crate) fn output(&self, command: &mut Command) -> Result<String, EngineError> {
        let name = command.get_args().next().unwrap_or_default().to_string_lossy().into_owned();
        let output = command.stdin(Stdio::null()).output();
        self.checked(&[&name], output)
    }

    /// Returns a command of the engine.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        command
    }

    /// Returns the architecture of the engine's containers, as OCI names it. Docker's daemon must be running for that.
    ///
    /// # Errors
    /// The command cannot be run, or fails.
    pub(crate) fn architecture(&self) -> Result<String, EngineError> {
        let arguments = match self.kind {
            EngineKind::Docker => ["version", "--format", "{{.Server.Arch}}"],
            EngineKind::Podman => ["info", "--format", "{{.Host.Arch}}"],
        };
        let output = self.start(&arguments).stdin(Stdio::null()).output();
        let output = self.checked(&arguments[..1], output)?;
        Ok(output.trim().to_owned())
    }

    /// Loads an archive, which `write` writes into a pipe. Returns the names of the image, or its ID.
    ///
    /// # Errors
    /// The command cannot be run or fails, or the error of `write`.
    pub(crate) fn load<E: Error + From<EngineError> + 'static>(
        &self,
        write: impl FnOnce(File) -> Result<(), E>,
    ) -> Result<Vec<String>, E> {
        let arguments = ["load", "--quiet"];
        let spawned = self.start(&arguments).stdin(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|source| EngineError::Run { program: self.program.clone(), source })?;
        let input = child.stdin.take().map(|input| File::from(OwnedFd::from(input)));
        let (written, output) = thread::scope(|scope| {
            // What it prints is read meanwhile: it would wait if the pipe were full.
            let waiting = scope.spawn(move || child.wait_with_output());
            let written = input.map_or(Ok(()), write);
            (written, waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let loaded = self.checked(&arguments[..1], output);
        // An engine that fails stops reading: the broken pipe is not why.
        if let Err(error) = written
            && !(loaded.is_err() && is_broken_pipe(&error))
        {
            return Err(error);
        }
        Ok(loaded?.lines().filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect())
    }

    fn start(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Returns the standard output of a command that has succeeded.
    fn checked(&self, arguments: &[&str], output: io::Result<Output>) -> Result<String, EngineError> {
        let output = output.map_err(|source| EngineError::Run { program: self.program.clone(), source })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ");
        Err(EngineError::Failed {
            command: format!("{} {}", self.kind.command(), arguments.join(" ")),
            status: output.status,
            message: if message.is_empty() { message } else { format!(": {message}") },
        })
    }
}

/// Tells whether an error is that of writing to a process which has ended.
fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe))
}
