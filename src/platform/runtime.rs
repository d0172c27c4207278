//! The version of Python that a project gets without asking for one.

use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};

use super::{LambdaProfile, PythonVersion};
use crate::hints::Hints;

/// Why a runtime was chosen. Its text completes a sentence such as "python3.13 (from .python-version)".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuntimeReason {
    /// The file `.python-version` names it.
    PythonVersionFile,
    /// It is the newest that these specifiers allow.
    RequiresPython(VersionSpecifiers),
    /// It is the newest.
    Newest,
}

impl fmt::Display for RuntimeReason {
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

/// What comes in several versions of Python, of which a project gets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PythonSource {
    /// Lambda's runtimes.
    Runtimes,
    /// The base of an image.
    Base,
}

/// Why no version of Python can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PythonChoiceError {
    /// The file `.python-version` names something that the target does not have.
    #[error("`.python-version` asks for `{}`, and {}", .request.escape_debug(), .offer.states(.known))]
    NotOffered {
        /// What it names.
        request: String,
        /// What there is to choose from.
        offer: PythonSource,
        /// What there is.
        known: Vec<String>,
    },
    /// `requires-python` allows nothing that the target has.
    #[error("requires-python is `{requires_python}`, and {}", .offer.states(.known))]
    NoneAllowed {
        /// The specifiers.
        requires_python: VersionSpecifiers,
        /// What there is to choose from.
        offer: PythonSource,
        /// What there is.
        known: Vec<String>,
    },
}

impl PythonSource {
    /// Returns what there is, as the end of a sentence.
    fn states(self, known: &[String]) -> String {
        let known = known.join(", ");
        match self {
            Self::Runtimes => format!("Lambda's runtimes are {known}"),
            Self::Base => format!("the base has Python {known}"),
        }
    }
}

impl Hints for PythonChoiceError {
    fn hints(&self) -> Vec<String> {
        let lock_again = "change requires-python in pyproject.toml and lock again".to_owned();
        vec![match self {
            Self::NotOffered { offer: PythonSource::Runtimes, .. } => {
                "name another, or change `.python-version`".to_owned()
            }
            Self::NotOffered { offer: PythonSource::Base, .. } => {
                "choose a base with it, or change `.python-version`".to_owned()
            }
            Self::NoneAllowed { offer: PythonSource::Base, .. } => {
                format!("choose a base with such a Python, or {lock_again}")
            }
            Self::NoneAllowed { requires_python, .. } => {
                let mut runtimes = LambdaProfile::all();
                match runtimes.find(|profile| profile.python.is_allowed_by(requires_python)) {
                    Some(LambdaProfile { name, .. }) => {
                        format!("`--runtime {name}` chooses a Lambda runtime that is not announced yet")
                    }
                    None => lock_again,
                }
            }
        }]
    }
}

/// Returns the Lambda runtime for a project, and why: what `.python-version` names, else the newest generally available
/// one that `requires-python` allows. `python_version_file` is the file's text.
///
/// # Errors
/// `.python-version` names something that is not a runtime, or `requires-python` allows none.
pub fn default_runtime(
    python_version_file: Option<&str>,
    requires_python: Option<&VersionSpecifiers>,
) -> Result<(LambdaProfile, RuntimeReason), PythonChoiceError> {
    let candidates = LambdaProfile::all().map(|profile| PythonCandidate {
        name: profile.name.clone(),
        item: profile,
        python: profile.python,
        available: profile.available,
    });
    let (profile, reason) =
        choose(&candidates.collect::<Vec<_>>(), PythonSource::Runtimes, python_version_file, requires_python)?;
    Ok((profile.clone(), reason))
}

/// Returns the version of Python for a project out of those that an image's base exists for, and why; by the rules of
/// [`default_runtime`].
///
/// # Errors
/// `.python-version` names another version, or `requires-python` allows none.
pub fn default_python(
    pythons: &[PythonVersion],
    python_version_file: Option<&str>,
    requires_python: Option<&VersionSpecifiers>,
) -> Result<(PythonVersion, RuntimeReason), PythonChoiceError> {
    let candidates = pythons.iter().map(|python| PythonCandidate {
        name: python.to_string(),
        item: python,
        python: *python,
        available: true,
    });
    let (python, reason) =
        choose(&candidates.collect::<Vec<_>>(), PythonSource::Base, python_version_file, requires_python)?;
    Ok((*python, reason))
}

/// Something that comes with a version of Python.
struct PythonCandidate<'a, T> {
    name: String,
    item: &'a T,
    python: PythonVersion,
    /// Whether it may be chosen without being named.
    available: bool,
}

/// Chooses out of candidates that are ordered by version.
fn choose<'a, T>(
    candidates: &[PythonCandidate<'a, T>],
    offer: PythonSource,
    python_version_file: Option<&str>,
    requires_python: Option<&VersionSpecifiers>,
) -> Result<(&'a T, RuntimeReason), PythonChoiceError> {
    let names = |only_available: bool| {
        let listed = candidates.iter().filter(|candidate| candidate.available || !only_available);
        listed.map(|candidate| candidate.name.clone()).collect()
    };
    if let Some(request) = python_version_file.and_then(first_request) {
        let python = requested_version(request);
        let found = candidates.iter().find(|candidate| Some(candidate.python) == python);
        let not_found = || PythonChoiceError::NotOffered { request: request.to_owned(), offer, known: names(false) };
        return Ok((found.ok_or_else(not_found)?.item, RuntimeReason::PythonVersionFile));
    }
    let requires_python = requires_python.filter(|specifiers| !specifiers.is_empty());
    let mut newest_first = candidates.iter().rev().filter(|candidate| candidate.available);
    let (found, reason) = match requires_python {
        Some(specifiers) => (
            newest_first.find(|candidate| candidate.python.is_allowed_by(specifiers)),
            RuntimeReason::RequiresPython(specifiers.clone()),
        ),
        None => (newest_first.next(), RuntimeReason::Newest),
    };
    let none = || PythonChoiceError::NoneAllowed {
        requires_python: requires_python.cloned().unwrap_or_default(),
        offer,
        known: names(true),
    };
    Ok((found.ok_or_else(none)?.item, reason))
}

/// Returns the first line that is neither empty nor a comment: uv writes one request to a line, the preferred first.
fn first_request(file: &str) -> Option<&str> {
    file.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Returns the version that a request names: `3.12`, `3.12.4`, `cpython@3.12`, `cpython-3.12.4-linux-x86_64-gnu`.
fn requested_version(request: &str) -> Option<PythonVersion> {
    let version = ["cpython", "python", "cp"].iter().find_map(|name| request.strip_prefix(name)).unwrap_or(request);
    let version = version.strip_prefix(['-', '@']).unwrap_or(version);
    let version: Version = version.split('-').next()?.parse().ok()?;
    match version.release() {
        // A local version is a variant of the interpreter, for instance `3.13+freethreaded`.
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
        let newest = |specifiers| choose(Some("# nothing\n"), specifiers).unwrap();
        assert_eq!(newest(None), ("python3.14".to_owned(), "the newest".to_owned()));
        for (specifiers, runtime) in [
            (">=3.9", "python3.14"),
            (">=3.9,<3.13", "python3.12"),
            ("==3.11.*", "python3.11"),
            ("~=3.10.5", "python3.10"),
            (">=3.12.4,<3.12.9", "python3.12"),
        ] {
            let (name, reason) = newest(Some(specifiers));
            assert_eq!(name, runtime);
            let specifiers: VersionSpecifiers = specifiers.parse().unwrap();
            assert_eq!(reason, format!("the newest that requires-python {specifiers} allows"));
        }
    }

    #[test]
    fn what_is_no_runtime_is_refused() {
        for request in
            ["3.8", "3", "2.7", "pypy3.10", "pypy@3.10", "3.13t", "3.13+freethreaded", "latest", "\u{1b}[31m"]
        {
            let error = choose(Some(request), None).unwrap_err();
            assert!(matches!(&error, PythonChoiceError::NotOffered { request: refused, .. } if refused == request));
            assert!(error.to_string().contains("python3.9, python3.10"), "{error}");
            assert!(!error.to_string().contains('\u{1b}'));
            assert_eq!(error.hints(), ["name another, or change `.python-version`"]);
        }
    }

    #[test]
    fn a_project_that_no_runtime_suits_is_refused() {
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
