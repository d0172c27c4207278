//! Errors of wheel builds.

use std::io;
use std::path::{Path, PathBuf};

use crate::cache::CacheError;
use crate::hints::Hints;
use crate::platform::PythonVersion;
use crate::temporary::MORE_SPACE_HINT;

/// Why a project could not be built into a wheel.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message describes it")]
pub enum WheelBuildError {
    #[error("cannot build projects: PATH has neither uv nor a Python with build or pip")]
    NoTool,
    #[error("cannot build projects: no Python interpreter is installed")]
    NoInterpreter(PythonVersion),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error("cannot read or write {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    #[error("cannot run {}", .0.display())]
    Run(PathBuf, #[source] io::Error),
    #[error("cannot build {project}: `{command}` failed with {status}\n{output}")]
    Failed {
        /// The project's directory, or the source that it was unpacked from.
        project: String,
        command: String,
        /// For instance `exit status: 1`.
        status: String,
        /// The last lines that the command printed.
        output: String,
        /// What would make the build unnecessary.
        instead: Option<String>,
    },
    #[error("the build of {project} produced {count} wheels, expected 1")]
    NotOneWheel {
        /// The project's directory, or the source that it was unpacked from.
        project: String,
        count: usize,
    },
}

impl WheelBuildError {
    /// Adds the hint that what failed need not be built.
    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Self {
        if let Self::Failed { instead, .. } = &mut self {
            *instead = hint;
        }
        self
    }
}

impl Hints for WheelBuildError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoTool => vec!["install uv: https://docs.astral.sh/uv/getting-started/installation/".to_owned()],
            Self::NoInterpreter(version) => {
                vec![format!("install Python with `uv python install {version}` or your package manager")]
            }
            Self::Failed { command, .. } if command.contains("--offline") => {
                vec!["run once without --offline, so that uv can cache the build backend".to_owned()]
            }
            Self::Failed { instead: Some(instead), output, .. } => {
                let install = "install the compiler and the headers that the build needs".to_owned();
                mentions_compiler(output).then_some(install).into_iter().chain([instead.clone()]).collect()
            }
            Self::Failed { output, .. } if mentions_compiler(output) => {
                vec![
                    "install the compiler and the headers that the build needs, or lock a version that has a wheel"
                        .to_owned(),
                ]
            }
            Self::Failed { project, .. } if Path::new(project).join("pyproject.toml").is_file() => vec![
                "if the project is not a package, remove `[build-system]` or set `tool.uv.package = false`".to_owned(),
            ],
            Self::Failed { project, .. } if has_only_setup_cfg(Path::new(project)) => vec![add_setup_py()],
            Self::Cache(error) => error.hints(),
            Self::File(_, error) if error.kind() == io::ErrorKind::StorageFull => vec![MORE_SPACE_HINT.to_owned()],
            Self::Failed { .. } | Self::File(..) | Self::Run(..) | Self::NotOneWheel { .. } => Vec::new(),
        }
    }
}

/// Returns whether a build's last lines mention a compiler or a missing header.
fn mentions_compiler(output: &str) -> bool {
    ["gcc", "cc1", "g++", "clang", "fatal error: ", "cargo"].iter().any(|word| output.contains(word))
}

/// Returns whether a project has a setup.cfg, but nothing that uv and pip build it by.
pub(crate) fn has_only_setup_cfg(project: &Path) -> bool {
    project.join("setup.cfg").is_file()
        && ["setup.py", "pyproject.toml"].iter().all(|file| !project.join(file).exists())
}

/// Returns the hint about such a project.
pub(crate) fn add_setup_py() -> String {
    "add a setup.py that calls `setuptools.setup()`: uv and pip do not build a project with a setup.cfg alone"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_a_hint() {
        let error = |kind: io::ErrorKind| WheelBuildError::File("/tmp/wheel".into(), kind.into());
        assert_eq!(error(io::ErrorKind::StorageFull).hints(), [MORE_SPACE_HINT]);
        assert!(error(io::ErrorKind::NotFound).hints().is_empty());
    }

    #[test]
    fn a_failed_build_that_wheels_make_unnecessary_has_their_hint() {
        let failed = |output: &str, instead: Option<&str>| {
            let error = WheelBuildError::Failed {
                project: "demo-1.0.tar.gz".to_owned(),
                command: "uv build".to_owned(),
                status: "exit status: 2".to_owned(),
                output: output.to_owned(),
                instead: None,
            };
            error.with_hint(instead.map(str::to_owned)).hints()
        };
        let install = "install the compiler and the headers that the build needs";
        let other = format!("{install}, or lock a version that has a wheel");
        let allow = Some("allow the wheels of demo");
        assert_eq!(failed("gcc: not found", None), [other]);
        // A version that has a wheel is locked already.
        assert_eq!(failed("gcc: not found", allow), [install, "allow the wheels of demo"]);
        assert_eq!(failed("KeyError", allow), ["allow the wheels of demo"]);
        assert!(failed("KeyError", None).is_empty());
    }
}
