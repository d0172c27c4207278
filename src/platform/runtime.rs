//! Chooses the Python version of a project whose user has not named one.

use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};

use super::{LambdaProfile, PythonVersion};
use crate::hints::Hints;

/// Why a Python version was chosen. Displayed after the version, as in "python3.13 (from .python-version)".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PythonReason {
    /// `.python-version` names it.
    PythonVersionFile,
    /// It is the newest that requires-python allows.
    RequiresPython(VersionSpecifiers),
    /// It is the newest available.
    Newest,
}

impl fmt::Display for PythonReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PythonVersionFile => formatter.write_str("from .python-version"),
            Self::RequiresPython(specifiers) => {
                write!(formatter, "the newest that requires-python {specifiers} allows")
            }
            Self::Newest => formatter.write_str("the newest"),
        }
    }
}

/// What provides the Python versions to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PythonProvider {
    /// Lambda's runtimes.
    Runtimes,
    /// The base image.
    Base,
}

/// Why no Python version can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PythonChoiceError {
    #[error("`.python-version` requests `{}`, but {}", .request.escape_debug(), .provider.describe(.known))]
    UnavailableVersion {
        request: String,
        provider: PythonProvider,
        /// The names of all candidates.
        known: Vec<String>,
    },
    #[error("requires-python is `{requires_python}`, but {}", .provider.describe(.known))]
    NoCompatibleVersion {
        requires_python: VersionSpecifiers,
        provider: PythonProvider,
        /// The names of the candidates that are generally available.
        known: Vec<String>,
    },
}

impl PythonProvider {
    /// Returns a clause that lists the candidates.
    fn describe(self, known: &[String]) -> String {
        let known = known.join(", ");
        match self {
            Self::Runtimes => format!("Lambda's runtimes are {known}"),
            Self::Base => format!("the base image has Python {known}"),
        }
    }
}

impl Hints for PythonChoiceError {
    fn hints(&self) -> Vec<String> {
        let lock_again = "change requires-python in pyproject.toml and lock again".to_owned();
        vec![match self {
            Self::UnavailableVersion { provider: PythonProvider::Runtimes, .. } => {
                "change `.python-version`, or name a runtime".to_owned()
            }
            Self::UnavailableVersion { provider: PythonProvider::Base, .. } => {
                "change `.python-version`, or choose a base image with that version".to_owned()
            }
            Self::NoCompatibleVersion { provider: PythonProvider::Base, .. } => {
                format!("choose a base image with a compatible Python, or {lock_again}")
            }
            Self::NoCompatibleVersion { requires_python, .. } => {
                let mut runtimes = LambdaProfile::all();
                match runtimes.find(|profile| profile.python.is_allowed_by(requires_python)) {
                    Some(LambdaProfile { name, .. }) => {
                        format!("use `--runtime {name}`, a Lambda runtime that is not generally available yet")
                    }
                    None => lock_again,
                }
            }
        }]
    }
}

/// Returns the Lambda runtime for a project, and the reason: the one that `.python-version` names, or else the newest
/// generally available one that requires-python allows. `python_version_file` is the content of `.python-version`.
///
/// # Errors
/// `.python-version` names an unknown runtime, or requires-python allows none.
pub(crate) fn default_runtime(
    python_version_file: Option<&str>,
    requires_python: Option<&VersionSpecifiers>,
) -> Result<(LambdaProfile, PythonReason), PythonChoiceError> {
    let candidates = LambdaProfile::all().map(|profile| PythonCandidate {
        name: profile.name.clone(),
        item: profile,
        python: profile.python,
        available: profile.available,
    });
    let (profile, reason) =
        choose(&candidates.collect::<Vec<_>>(), PythonProvider::Runtimes, python_version_file, requires_python)?;
    Ok((profile.clone(), reason))
}

/// Returns the Python version for an image, and the reason. Like [`default_runtime`], but among the versions that base
/// images exist for.
///
/// # Errors
/// `.python-version` names another version, or requires-python allows none.
pub(crate) fn default_python(
    pythons: &[PythonVersion],
    python_version_file: Option<&str>,
    requires_python: Option<&VersionSpecifiers>,
) -> Result<(PythonVersion, PythonReason), PythonChoiceError> {
    let candidates = pythons.iter().map(|python| PythonCandidate {
        name: python.to_string(),
        item: python,
        python: *python,
        available: true,
    });
    let (python, reason) =
        choose(&candidates.collect::<Vec<_>>(), PythonProvider::Base, python_version_file, requires_python)?;
    Ok((*python, reason))
}

/// A runtime or base image to choose from.
struct PythonCandidate<'a, T> {
    name: String,
    item: &'a T,
    python: PythonVersion,
    /// Whether it may be chosen by default.
    available: bool,
}

/// Chooses among candidates ordered by version.
fn choose<'a, T>(
    candidates: &[PythonCandidate<'a, T>],
    provider: PythonProvider,
    python_version_file: Option<&str>,
    requires_python: Option<&VersionSpecifiers>,
) -> Result<(&'a T, PythonReason), PythonChoiceError> {
    if let Some(request) = python_version_file.and_then(first_request) {
        let python = requested_version(request);
        let found = candidates.iter().find(|candidate| Some(candidate.python) == python);
        return match found {
            Some(candidate) => Ok((candidate.item, PythonReason::PythonVersionFile)),
            None => {
                let known = candidates.iter().map(|candidate| candidate.name.clone()).collect();
                Err(PythonChoiceError::UnavailableVersion { request: request.to_owned(), provider, known })
            }
        };
    }
    let requires_python = requires_python.filter(|specifiers| !specifiers.is_empty());
    let mut newest_first = candidates.iter().rev().filter(|candidate| candidate.available);
    let (found, reason) = match requires_python {
        Some(specifiers) => (
            newest_first.find(|candidate| candidate.python.is_allowed_by(specifiers)),
            PythonReason::RequiresPython(specifiers.clone()),
        ),
        None => (newest_first.next(), PythonReason::Newest),
    };
    match found {
        Some(candidate) => Ok((candidate.item, reason)),
        None => {
            let available = candidates.iter().filter(|candidate| candidate.available);
            Err(PythonChoiceError::NoCompatibleVersion {
                requires_python: requires_python.cloned().unwrap_or_default(),
                provider,
                known: available.map(|candidate| candidate.name.clone()).collect(),
            })
        }
    }
}

/// Returns the first line that is neither empty nor a comment: uv writes one request per line, the preferred one first.
fn first_request(file: &str) -> Option<&str> {
    file.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Parses a version request as uv and pyenv write it: `3.12`, `3.12.4`, `cpython@3.12`, `cpython-3.12.4-linux-x86_64-gnu`.
fn requested_version(request: &str) -> Option<PythonVersion> {
    let version = ["cpython", "python", "cp"].iter().find_map(|name| request.strip_prefix(name)).unwrap_or(request);
    let version = version.strip_prefix(['-', '@']).unwrap_or(version);
    let version: Version = version.split('-').next()?.parse().ok()?;
    match version.release() {
        // uv writes variants of the interpreter like local versions, for instance `3.13+freethreaded`.
        [major, minor, ..] if version.local().is_empty() => format!("{major}.{minor}").parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(file: Option<&str>, requires_python: Option<&str>) -> Result<(String, String), PythonChoiceError> {
        let specifiers = requires_python.map(|specifiers| specifiers.parse().unwrap());
        default_runtime(file, specifiers.as_ref()).map(|(profile, reason)| (profile.name, reason.to_string()))
    }

    #[test]
    fn the_python_version_file_comes_first() {
        for (file, runtime) in [
            ("3.12", "python3.12"),
            ("3.12.4\n", "python3.12"),
            ("# the runtime\r\n\r\n  3.9  \r\n3.10\r\n", "python3.9"),
            ("cpython-3.12.4-linux-x86_64-gnu", "python3.12"),
            ("cpython@3.13", "python3.13"),
            ("python3.14", "python3.14"),
            ("3.15.0rc1", "python3.15"),
        ] {
            let chosen = choose(Some(file), Some(">=3.8")).unwrap();
            assert_eq!(chosen, (runtime.to_owned(), "from .python-version".to_owned()), "{file:?}");
        }
    }

    #[test]
    fn the_newest_available_runtime_is_chosen_otherwise() {
        let chosen = choose(Some("# nothing\n"), None).unwrap();
        assert_eq!(chosen, ("python3.14".to_owned(), "the newest".to_owned()));
        for (specifiers, runtime) in [
            (">=3.9", "python3.14"),
            (">=3.9,<3.13", "python3.12"),
            ("==3.11.*", "python3.11"),
            ("~=3.10.5", "python3.10"),
            (">=3.12.4,<3.12.9", "python3.12"),
        ] {
            let (name, reason) = choose(Some("# nothing\n"), Some(specifiers)).unwrap();
            assert_eq!(name, runtime);
            let specifiers: VersionSpecifiers = specifiers.parse().unwrap();
            assert_eq!(reason, format!("the newest that requires-python {specifiers} allows"));
        }
    }

    #[test]
    fn requests_for_anything_else_are_refused() {
        for request in
            ["3.8", "3", "2.7", "pypy3.10", "pypy@3.10", "3.13t", "3.13+freethreaded", "latest", "\u{1b}[31m"]
        {
            let error = choose(Some(request), None).unwrap_err();
            assert!(
                matches!(&error, PythonChoiceError::UnavailableVersion { request: refused, .. } if refused == request)
            );
            assert!(error.to_string().contains("python3.9, python3.10"), "{error}");
            assert!(!error.to_string().contains('\u{1b}'));
            assert_eq!(error.hints(), ["change `.python-version`, or name a runtime"]);
        }
    }

    #[test]
    fn a_project_without_a_compatible_runtime_is_refused() {
        for (specifiers, hint) in [
            (">=3.15", "`--runtime python3.15`"),
            ("<3.9", "lock again"),
            ("==2.7.*", "lock again"),
            (">=3.9,<3.9", "lock again"),
        ] {
            let error = choose(None, Some(specifiers)).unwrap_err();
            assert!(error.to_string().contains("python3.13, python3.14"), "{error}");
            assert!(error.hints()[0].contains(hint), "{:?}", error.hints());
        }
    }
}
