//! Wheels that do not run on the target.

use std::fmt;

use pep440_rs::VersionSpecifiers;

use crate::audit::libraries;
use crate::hints::Hints;
use crate::name::DistributionName;
use crate::platform::{Architecture, CLibrary, PythonVersion};
use crate::wheel::filename::WheelFilename;

const LISTED_WHEELS: usize = 6;

/// A wheel that was built on this machine, or would have been, and does not run on the target.
#[derive(Debug)]
pub(crate) struct IncompatibleWheel {
    pub name: DistributionName,
    /// What it is built from: a source distribution, a repository or a directory.
    pub origin: String,
    /// The wheel's file name; `None` if the build was refused in advance.
    pub wheel: Option<String>,
    pub target: String,
    /// Why a wheel does not run on the target.
    pub misfit: Incompatibility,
    /// The wheels in the lock, which are not compatible with the target or may not be used.
    pub passed_over: Vec<WheelFilename>,
    /// The settings because of which it is built although it has a compatible wheel.
    pub excluded_by: Option<String>,
}

/// Why a wheel does not run on the target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Incompatibility {
    /// The wheel is for another architecture.
    #[error("is for {found}, the target is {target}")]
    Architecture { found: String, target: Architecture },
    /// The wheel is for another interpreter.
    #[error(
        "was built for {found}, the target is cp{}{}{}{}", .target.major, .target.minor, .target.abi_flag(),
        if *.has_interpreter { String::new() } else { format!(": no interpreter of Python {target} is installed") }
    )]
    Interpreter {
        found: String,
        target: PythonVersion,
        /// Whether it was built with the target's Python.
        has_interpreter: bool,
    },
    /// The wheel is for another platform, or its tag requires a newer C library.
    #[error("is for {found}, the target has {target}")]
    Platform { found: String, target: CLibrary },
    /// A file of the wheel does not load, whatever its tags say.
    #[error("{}", by_content(.file, .misfit))]
    Content {
        /// The path of the file below its scheme's directory.
        file: String,
        misfit: libraries::LoadProblem,
    },
}

impl fmt::Display for IncompatibleWheel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, origin, wheel, target, misfit, passed_over, excluded_by: _ } = self;
        write!(formatter, "{name} is not compatible with {target}: ")?;
        match wheel {
            Some(wheel) => write!(formatter, "{wheel}, built on this machine from {origin}, {misfit}")?,
            None => write!(formatter, "a wheel built on this machine from {origin} {misfit}")?,
        }
        let mut listed: Vec<&str> = passed_over.iter().map(WheelFilename::as_str).take(LISTED_WHEELS).collect();
        let more = format!("{} more", passed_over.len().saturating_sub(LISTED_WHEELS));
        listed.extend((passed_over.len() > LISTED_WHEELS).then_some(more.as_str()));
        if listed.is_empty() { Ok(()) } else { write!(formatter, "; there are the wheels {}", listed.join(", ")) }
    }
}

impl std::error::Error for IncompatibleWheel {}

impl Hints for IncompatibleWheel {
    fn hints(&self) -> Vec<String> {
        if let Some(excluded_by) = &self.excluded_by {
            return vec![allow_wheels(&self.name, excluded_by)];
        }
        let elsewhere = "build its wheel for the target elsewhere and lock that, or lock a version that has one";
        match &self.misfit {
            Incompatibility::Interpreter { target, has_interpreter: false, .. } => {
                vec![format!("install Python {target}, for example with `uv python install {target}`")]
            }
            Incompatibility::Platform { .. }
            | Incompatibility::Content {
                misfit:
                    libraries::LoadProblem::Version { .. }
                    | libraries::LoadProblem::CLibrary { .. }
                    | libraries::LoadProblem::NewerMusl { .. },
                ..
            } => {
                vec![format!("it is compiled against this machine's C library: {elsewhere}")]
            }
            Incompatibility::Architecture { .. }
            | Incompatibility::Content { misfit: libraries::LoadProblem::Machine { .. }, .. } => {
                vec![format!("it is compiled for this machine: {elsewhere}")]
            }
            Incompatibility::Interpreter { .. } | Incompatibility::Content { .. } => Vec::new(),
        }
    }
}

/// Returns the hint about a distribution that is built because its wheels are excluded.
pub(crate) fn allow_wheels(name: &DistributionName, excluded_by: &str) -> String {
    format!(
        "allow the wheels of {name}, of which one is compatible with the target: they are excluded by {excluded_by}"
    )
}

/// Describes why a file does not load; the wheel's name precedes it.
fn by_content(file: &str, misfit: &libraries::LoadProblem) -> String {
    match misfit {
        libraries::LoadProblem::Machine { found, target } => {
            format!("contains {file}, which is for {found}, the target is {target}")
        }
        libraries::LoadProblem::CLibrary { found, target } => {
            format!("contains {file}, which is compiled for {found}, the target has {target}")
        }
        libraries::LoadProblem::ForeignModule { expected } => {
            format!("contains {file}, the target's extension modules end in `{expected}`")
        }
        libraries::LoadProblem::NewerMusl { needed, has } => {
            format!("needs {needed} ({file}), the target has musl {has}")
        }
        libraries::LoadProblem::Malformed(reason) => format!("contains {file}: {reason}"),
        libraries::LoadProblem::Version { needed, has } => {
            let has = has.rsplit('_').next().unwrap_or_default();
            format!("needs {needed} ({file}), the target has {has}")
        }
        libraries::LoadProblem::Missing { libraries, .. } => {
            format!("contains {file}, which needs {}", libraries.join(", "))
        }
        libraries::LoadProblem::Unreachable { library, .. } => format!("contains {file}, which needs {library}"),
    }
}

/// A wheel that does not support the target's Python.
#[derive(Debug)]
pub(crate) struct IncompatiblePython {
    /// The wheel's file name.
    pub wheel: String,
    /// The versions that it supports.
    pub requires_python: VersionSpecifiers,
    /// The target's name and architecture.
    pub target: String,
    /// The target's version.
    pub python: PythonVersion,
}

impl fmt::Display for IncompatiblePython {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wheel, requires_python, target, python } = self;
        write!(formatter, "{wheel} requires Python {requires_python}, but {target} has Python {python}")
    }
}

impl std::error::Error for IncompatiblePython {}

impl Hints for IncompatiblePython {
    fn hints(&self) -> Vec<String> {
        let Self { python, .. } = self;
        vec![format!("lock a version that supports Python {python}, or choose a target with another Python")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_both_versions() {
        let error = IncompatiblePython {
            wheel: "demo-1.0-py3-none-any.whl".to_owned(),
            requires_python: "<3.12".parse().unwrap(),
            target: "python3.13 on x86_64".to_owned(),
            python: PythonVersion::new(13),
        };
        assert_eq!(
            error.to_string(),
            "demo-1.0-py3-none-any.whl requires Python <3.12, but python3.13 on x86_64 has Python 3.13"
        );
    }
}
