//! The Python interpreter of a base image.

use std::collections::BTreeSet;

use pep440_rs::Version;

use super::Base;
use crate::hints::Hints;
use crate::platform::PythonVersion;

/// An interpreter in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct BasePython {
    /// The minor version.
    pub version: PythonVersion,
    /// The full version, for instance 3.12.7, where the base states it.
    pub full_version: Option<String>,
    /// The path, for instance `/usr/local/bin/python3.12`.
    pub path: String,
}

/// Why a base has no interpreter for an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BasePythonError {
    /// There is no interpreter.
    #[error("the base has no Python: none of its layers has a file `python3.N` in a directory `bin`")]
    Absent,
    /// There are other versions only.
    #[error("the base has Python {}, the target is Python {wanted}", versions(.found))]
    Mismatch {
        /// The target's version.
        wanted: PythonVersion,
        /// The interpreters that there are.
        found: Vec<BasePython>,
    },
    /// There are several interpreters of the version, and none of them is on `PATH`.
    #[error("the base has Python {wanted} more than once, and never on its PATH: {}", paths(.found))]
    Ambiguous {
        /// The target's version.
        wanted: PythonVersion,
        /// The interpreters of that version.
        found: Vec<BasePython>,
    },
}

impl Hints for BasePythonError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Absent => vec!["choose a base with Python".to_owned()],
            Self::Mismatch { wanted, .. } => {
                vec![format!("choose a base with Python {wanted}, or build for the base's with --python")]
            }
            Self::Ambiguous { .. } => vec!["choose a base with one of their directories on its PATH".to_owned()],
        }
    }
}

/// Returns the versions of interpreters, each once.
fn versions(found: &[BasePython]) -> String {
    let versions: BTreeSet<_> = found.iter().map(|python| python.version).collect();
    versions.iter().map(PythonVersion::to_string).collect::<Vec<_>>().join(" and ")
}

/// Returns the paths of interpreters.
fn paths(found: &[BasePython]) -> String {
    found.iter().map(|python| python.path.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
}

/// Returns the interpreter of one of Docker's official Python images, or of an image that was made from one, by its
/// configuration alone.
pub fn from_config(base: &Base) -> Option<BasePython> {
    // They install Python below /usr/local, and state its version.
    const DIRECTORY: &str = "/usr/local/bin";
    let full_version = base.env("PYTHON_VERSION")?;
    let version = minor(&full_version.parse().ok()?)?;
    let is_on_path = base.env("PATH")?.split(':').any(|directory| directory == DIRECTORY);
    let path = format!("{DIRECTORY}/python{version}");
    is_on_path.then(|| BasePython { version, full_version: Some(full_version.to_owned()), path })
}

/// Returns the minor version of a version of Python 3.
fn minor(version: &Version) -> Option<PythonVersion> {
    match version.release() {
        [major, minor, _patch, ..] => format!("{major}.{minor}").parse().ok(),
        _ => None,
    }
}

/// Chooses the interpreter of the wanted version that `PATH` finds first, else the only one of that version. Without a
/// `PATH`, Docker's is meant.
///
/// # Errors
/// There is none, none of that version, or several that `PATH` does not tell apart.
pub fn choose(found: &[BasePython], path: Option<&str>, wanted: PythonVersion) -> Result<BasePython, BasePythonError> {
    if found.is_empty() {
        return Err(BasePythonError::Absent);
    }
    let suitable: Vec<_> = found.iter().filter(|python| python.version == wanted).collect();
    let directories = path.unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").split(':');
    let mut paths = directories.map(|directory| format!("{}/python{wanted}", directory.trim_end_matches('/')));
    let first = paths.find_map(|path| suitable.iter().find(|python| python.path == path));
    match (first, suitable.as_slice()) {
        (Some(python), _) | (None, [python]) => Ok((*python).clone()),
        (None, []) => Err(BasePythonError::Mismatch { wanted, found: found.to_vec() }),
        (None, several) => {
            Err(BasePythonError::Ambiguous { wanted, found: several.iter().copied().cloned().collect() })
        }
    }
}

#[cfg(test)]
mod tests;
