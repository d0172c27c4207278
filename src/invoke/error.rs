//! Errors of running a function. Those of the function itself are outcomes.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::LARGEST_EVENT;
use crate::archive::ArchiveError;
use crate::engine::EngineError;
use crate::hints::Hints;
use crate::pipeline::BuildError;
use crate::platform::{Architecture, PythonVersion};

/// Why a function cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvokeError {
    #[error(transparent)]
    Build(Box<BuildError>),
    #[error(transparent)]
    Unpack(#[from] ArchiveError),
    #[error("cannot run the function: no handler is named")]
    NoHandler,
    #[error("cannot run the function: it is built for {function}, but this machine is {}", .machine.map_or("another".to_owned(), |machine| machine.to_string()))]
    OtherMachine { function: String, machine: Option<Architecture> },
    /// Another one that is installed may run the function.
    #[error("cannot run the function: CPython {version} is not installed")]
    NoPython { version: PythonVersion, other: Option<PythonVersion> },
    /// A flag that the kind of target does not have.
    #[error("cannot use {flag} with target `{target}`: it is {kind}")]
    Flag { flag: &'static str, target: String, kind: &'static str },
    /// A layer, and a function of the same project.
    #[error("cannot run target `{name}`: its kind is `layer`")]
    Layer { name: String, function: Option<String> },
    #[error("cannot run the image: neither docker nor podman is on PATH")]
    NoEngine,
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the container exited with {0}")]
    Container(ExitStatus),
    #[error("the event has {0} bytes, but Lambda accepts at most {LARGEST_EVENT}")]
    LargeEvent(usize),
    #[error("cannot determine the version and paths of the interpreter {}", .0.display())]
    Python(PathBuf),
    #[error("the event{} is not valid JSON", .origin.as_ref().map_or_else(String::new, |origin| format!(" in {}", origin.display())))]
    Event { origin: Option<PathBuf>, source: serde_json::Error },
    #[error("cannot read the event from {}", .path.display())]
    ReadEvent { path: PathBuf, source: io::Error },
    #[error("cannot start a server for the runtime client")]
    Server(#[source] io::Error),
    #[error("cannot start {}", .program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("the runtime client and its server ended unexpectedly")]
    Disconnected,
    #[error("cannot write the log of the function")]
    Log(#[source] io::Error),
}

impl From<BuildError> for InvokeError {
    fn from(error: BuildError) -> Self {
        Self::Build(Box::new(error))
    }
}

impl Hints for InvokeError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Build(error) => error.hints(),
            Self::Unpack(error) => error.hints(),
            Self::NoHandler => {
                vec!["name it with --handler MODULE.FUNCTION, or with the key `handler` of the target".to_owned()]
            }
            Self::OtherMachine { machine: Some(machine), .. } => {
                vec![format!("build it for this machine with --arch {machine}")]
            }
            Self::NoPython { version, other } => {
                let install = format!(
                    "install it, for example with `uv python install {version}`; pybundle does not download interpreters"
                );
                let run = other.map(|other| format!("run it with a version that is installed: --runtime {other}"));
                std::iter::once(install).chain(run).collect()
            }
            Self::NoEngine => vec!["install Docker or podman".to_owned()],
            Self::Layer { function: Some(function), .. } => vec![format!("run a function: `pybundle run {function}`")],
            // Nothing else asks for the version.
            Self::Engine(EngineError::Failed { command, .. }) if command.starts_with("docker version") => {
                vec!["start Docker".to_owned()]
            }
            Self::OtherMachine { machine: None, .. }
            | Self::Flag { .. }
            | Self::Layer { function: None, .. }
            | Self::Engine(_)
            | Self::Container(_)
            | Self::LargeEvent(_)
            | Self::Python(_)
            | Self::Event { .. }
            | Self::ReadEvent { .. }
            | Self::Server(_)
            | Self::Start { .. }
            | Self::Disconnected
            | Self::Log(_) => Vec::new(),
        }
    }
}
