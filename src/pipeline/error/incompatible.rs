//! A wheel that was built on this machine and does not run on the target.

use crate::audit::libraries;
use crate::hints::Hints;
use crate::name::DistributionName;
use crate::platform::{Architecture, Glibc, PythonVersion};
use crate::wheel::filename::WheelFilename;
use std::fmt;

/// How many wheels a message lists.
const LISTED_WHEELS: usize = 6;

/// A wheel that was built here, or would have been, and does not fit the target.
#[derive(Debug)]
pub struct IncompatibleWheel {
    /// The distribution.
    pub name: DistributionName,
    /// What it was built from: a source distribution, a repository or a folder.
    pub origin: String,
    /// The wheel's file name; none if it was not built, because that can be foreseen.
    pub wheel: Option<String>,
    /// The target.
    pub target: String,
    /// What does not fit.
    pub misfit: Incompatibility,
    /// The wheels that there are, which do not fit either or may not be used.
    pub passed_over: Vec<WheelFilename>,
}

/// What does not fit.
#[derive(Debug, thiserror::Error)]
pub enum Incompatibility {
    /// It is for another machine.
    #[error("is for {found}, the target is {target}")]
    Architecture {
        /// The wheel's.
        found: String,
        /// The target's.
        target: Architecture,
    },
    /// It is for another interpreter.
    #[error(
        "was built for {found}, the target is cp{}{}{}", .target.major, .target.minor,
        if *.has_interpreter { String::new() } else { format!(": no interpreter of Python {target} is here") }
    )]
    Interpreter {
        /// The wheel's Python and ABI tag.
        found: String,
        /// The target's Python.
        target: PythonVersion,
        /// Whether it was built with that.
        has_interpreter: bool,
    },
    /// It is for another platform, or says that it needs a newer C library.
    #[error("is for {found}, the target has glibc {target}")]
    Platform {
        /// The wheel's platform tags.
        found: String,
        /// The target's C library.
        target: Glibc,
    },
    /// A file of it does not load, whatever the wheel says.
    #[error("{}", by_content(.file, .misfit))]
    Content {
        /// The file, by its path below its part of the wheel.
        file: String,
        /// Why it does not load.
        misfit: libraries::LoadProblem,
    },
}

impl fmt::Display for IncompatibleWheel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, origin, wheel, target, misfit, passed_over } = self;
        write!(formatter, "{name} does not fit {target}: ")?;
        match wheel {
            Some(wheel) => write!(formatter, "{wheel}, built here from {origin}, {misfit}")?,
            None => write!(formatter, "what is built here from {origin} {misfit}")?,
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
        let elsewhere = "build its wheel for the target elsewhere, and lock that, or lock a version that has one";
        match &self.misfit {
            Incompatibility::Interpreter { target, has_interpreter: false, .. } => {
                vec![format!("install Python {target}, for instance with `uv python install {target}`")]
            }
            Incompatibility::Platform { .. }
            | Incompatibility::Content { misfit: libraries::LoadProblem::Version { .. }, .. } => {
                vec![format!("it is compiled against this machine's C library: {elsewhere}")]
            }
            Incompatibility::Architecture { .. }
            | Incompatibility::Content { misfit: libraries::LoadProblem::Machine { .. }, .. } => {
                vec![format!("it is compiled for the machine that it is built on: {elsewhere}")]
            }
            Incompatibility::Interpreter { .. } | Incompatibility::Content { .. } => Vec::new(),
        }
    }
}

/// Says why a file does not load, after the wheel's name.
fn by_content(file: &str, misfit: &libraries::LoadProblem) -> String {
    match misfit {
        libraries::LoadProblem::Machine { found, target } => {
            format!("holds {file}, which is for {found}, the target is {target}")
        }
        libraries::LoadProblem::Malformed(reason) => format!("holds {file}: {reason}"),
        libraries::LoadProblem::Version { needed, has } => {
            let has = has.rsplit('_').next().unwrap_or_default();
            format!("needs {needed} ({file}), the target has {has}")
        }
        libraries::LoadProblem::Missing { libraries, .. } => {
            format!("holds {file}, which needs {}", libraries.join(", "))
        }
        libraries::LoadProblem::Unreachable { library, .. } => format!("holds {file}, which needs {library}"),
    }
}
