//! The Python interpreter of a base image.

use std::collections::BTreeSet;

use pep440_rs::Version;

use super::Base;
use super::config::DEFAULT_PATH;
use crate::hints::Hints;
use crate::platform::PythonVersion;

/// A Python interpreter in a base image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct BasePython {
    /// The minor version, for instance 3.12.
    pub version: PythonVersion,
    /// The full version, for instance 3.12.7, if the base states it.
    pub full_version: Option<String>,
    /// The absolute path, for instance `/usr/local/bin/python3.12`.
    pub path: String,
    /// The executable that the path leads to. Python finds its standard library from there, not from a link into it.
    pub executable: String,
}

impl BasePython {
    /// Returns the directory of the executable (PEP 405, `home`).
    pub(crate) fn home(&self) -> &str {
        self.executable.rsplit_once('/').map_or("/", |(directory, _)| directory)
    }
}

/// Why a base image has no interpreter for an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BasePythonError {
    /// The base has no interpreter.
    #[error("the base has no Python: none of its layers contains `bin/python3.N`")]
    Missing,
    /// The base has only interpreters of other versions.
    #[error("the base has Python {}, but the target is Python {wanted}", versions(.found))]
    WrongVersion {
        /// The target's version.
        wanted: PythonVersion,
        /// All interpreters of the base.
        found: Vec<BasePython>,
    },
    /// The base has several interpreters of the version, none of them on its `PATH`.
    #[error("the base has several interpreters of Python {wanted}, none of them on its PATH: {}", paths(.found))]
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
            Self::Missing => vec!["choose a base with Python".to_owned()],
            Self::WrongVersion { wanted, .. } => {
                vec![format!("choose a base with Python {wanted}, or build for the base's version with --python")]
            }
            Self::Ambiguous { .. } => vec!["choose a base with one of these directories on its PATH".to_owned()],
        }
    }
}

/// Lists the versions of interpreters for a message, each once.
fn versions(found: &[BasePython]) -> String {
    let versions: BTreeSet<_> = found.iter().map(|python| python.version).collect();
    versions.iter().map(PythonVersion::to_string).collect::<Vec<_>>().join(" and ")
}

/// Lists the paths of interpreters for a message.
fn paths(found: &[BasePython]) -> String {
    found.iter().map(|python| python.path.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
}

/// Returns the interpreter of a Docker Official Image of Python, or of an image derived from one, without reading its
/// layers.
pub fn from_config(base: &Base) -> Option<BasePython> {
    // They install Python to /usr/local, and set PYTHON_VERSION to its full version.
    const DIRECTORY: &str = "/usr/local/bin";
    let full_version = base.env("PYTHON_VERSION")?;
    let version = minor(&full_version.parse().ok()?)?;
    let is_on_path = base.env("PATH")?.split(':').any(|directory| directory == DIRECTORY);
    let path = format!("{DIRECTORY}/python{version}");
    let executable = path.clone();
    is_on_path.then(|| BasePython { version, full_version: Some(full_version.to_owned()), path, executable })
}

/// Returns the minor version of a full version.
fn minor(version: &Version) -> Option<PythonVersion> {
    match version.release() {
        [major, minor, _patch, ..] => format!("{major}.{minor}").parse().ok(),
        _ => None,
    }
}

/// Chooses the first interpreter of the wanted version on `PATH`, or the only one of that version, however many links lead to
/// it. The default of `path` is the `PATH` that Docker sets for a container.
///
/// # Errors
/// The base has no interpreter of that version, or several and none of them on `PATH`.
pub fn choose(found: &[BasePython], path: Option<&str>, wanted: PythonVersion) -> Result<BasePython, BasePythonError> {
    if found.is_empty() {
        return Err(BasePythonError::Missing);
    }
    let suitable: Vec<_> = found.iter().filter(|python| python.version == wanted).collect();
    let directories = path.unwrap_or(DEFAULT_PATH).split(':');
    let mut paths = directories.map(|directory| format!("{}/python{wanted}", directory.trim_end_matches('/')));
    let first = paths.find_map(|path| suitable.iter().find(|python| python.path == path));
    let own: Vec<_> = suitable.iter().filter(|python| python.path == python.executable).collect();
    match (first, suitable.as_slice()) {
        (Some(python), _) | (None, [python]) => Ok((*python).clone()),
        (None, _) if own.len() == 1 => Ok((*own[0]).clone()),
        (None, []) => Err(BasePythonError::WrongVersion { wanted, found: found.to_vec() }),
        (None, several) => {
            Err(BasePythonError::Ambiguous { wanted, found: several.iter().copied().cloned().collect() })
        }
    }
}

#[cfg(test)]
mod tests;
