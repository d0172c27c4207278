//! Why a project could not be built.

use std::io;
use std::path::PathBuf;

/// Why a project could not be built.
#[derive(Debug, thiserror::Error)]
pub enum WheelBuildError {
    /// No program that builds projects is on the search path.
    #[error("nothing that builds projects was found on PATH: neither uv, nor a Python with build or pip")]
    NoTool,
    /// uv is there, but no interpreter.
    #[error("no Python interpreter was found to build projects with")]
    NoInterpreter,
    /// A file or folder cannot be read or written.
    #[error("cannot read or write {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The program could not be started.
    #[error("cannot run {}", .0.display())]
    Run(PathBuf, #[source] io::Error),
    /// The build failed.
    #[error("{project} could not be built: `{command}` ended with {status}\n{output}")]
    Failed {
        /// The project: its folder, or what it was unpacked from.
        project: String,
        /// The command.
        command: String,
        /// How it ended, for instance `exit status: 1`.
        status: String,
        /// The last lines that it printed.
        output: String,
    },
    /// The build came out right, but not with one wheel.
    #[error("the build of {project} gave {count} wheels in place of one")]
    NotOneWheel {
        /// The project: its folder, or what it was unpacked from.
        project: String,
        /// The number of wheels.
        count: usize,
    },
}

impl WheelBuildError {
    /// Returns what the user may do about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoTool => vec!["install uv: https://docs.astral.sh/uv/getting-started/installation/".to_owned()],
            Self::NoInterpreter => vec![
                "install the target's version of Python: `uv python install X.Y`, or your system's package".to_owned(),
            ],
            Self::Failed { command, .. } if command.contains("--offline") => {
                vec![
                    "a back end that was never downloaded cannot be used offline: build once without --offline"
                        .to_owned(),
                ]
            }
            Self::Failed { output, .. } if is_about_a_compiler(output) => {
                vec![
                    "it is compiled: install a C compiler and what it needs, or lock a version that has a wheel"
                        .to_owned(),
                ]
            }
            Self::Failed { project, .. } if PathBuf::from(project).is_dir() => vec![
                "if the project is no package, remove `[build-system]` or set `tool.uv.package = false`".to_owned(),
            ],
            Self::Failed { .. } | Self::File(..) | Self::Run(..) | Self::NotOneWheel { .. } => Vec::new(),
        }
    }
}

/// Returns whether a build's last lines speak of a compiler, or of a header that it did not find.
fn is_about_a_compiler(output: &str) -> bool {
    ["gcc", "cc1", "g++", "clang", "fatal error: ", "cargo"].iter().any(|word| output.contains(word))
}
