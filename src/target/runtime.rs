//! The runtime that a project gets without asking for one.

use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};

use super::{Profile, PythonVersion};

/// Why a runtime was chosen. Its text completes a sentence such as "python3.13 (from .python-version)".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The file `.python-version` names it.
    PythonVersionFile,
    /// It is the newest that these specifiers allow.
    RequiresPython(VersionSpecifiers),
    /// It is the newest.
    Newest,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PythonVersionFile => formatter.write_str("from .python-version"),
            Self::RequiresPython(specifiers) => {
                write!(formatter, "the newest runtime that requires-python {specifiers} allows")
            }
            Self::Newest => formatter.write_str("the newest runtime"),
        }
    }
}

/// Why no runtime can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The file `.python-version` names something that is not a runtime.
    #[error("`.python-version` asks for `{}`, which is not a Lambda runtime; {} are", .request.escape_debug(), all())]
    NotARuntime {
        /// What it names.
        request: String,
    },
    /// `requires-python` allows no runtime.
    #[error(
        "requires-python `{requires_python}` allows no Lambda runtime that is generally available; {} are",
        available()
    )]
    NoneAllowed {
        /// The specifiers.
        requires_python: VersionSpecifiers,
    },
}

impl RuntimeError {
    /// Returns what may be done about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NotARuntime { .. } => {
                vec!["name the runtime with `--runtime`, or change `.python-version`".to_owned()]
            }
            Self::NoneAllowed { requires_python } => {
                let by_name = Profile::all().iter().find(|profile| profile.python.is_allowed_by(requires_python));
                vec![match by_name {
                    Some(Profile { name, .. }) => {
                        format!("`--runtime {name}` chooses a runtime that is not announced yet")
                    }
                    None => "change requires-python in pyproject.toml and lock again".to_owned(),
                }]
            }
        }
    }
}

fn all() -> String {
    join(Profile::all().iter())
}

fn available() -> String {
    join(Profile::all().iter().filter(|profile| profile.available))
}

fn join<'a>(profiles: impl Iterator<Item = &'a Profile>) -> String {
    profiles.map(|profile| profile.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Returns the runtime for a project, and why: what `.python-version` names, else the newest generally available one
/// that `requires-python` allows. `python_version_file` is the file's text.
///
/// # Errors
/// `.python-version` names something that is not a runtime, or `requires-python` allows none.
pub fn default_runtime(
    python_version_file: Option<&str>,
    requires_python: Option<&VersionSpecifiers>,
) -> Result<(Profile, Reason), RuntimeError> {
    if let Some(request) = python_version_file.and_then(first_request) {
        let python = requested_version(request);
        let profile = Profile::all().iter().find(|profile| Some(profile.python) == python);
        let profile = profile.ok_or_else(|| RuntimeError::NotARuntime { request: request.to_owned() })?;
        return Ok((profile.clone(), Reason::PythonVersionFile));
    }
    let requires_python = requires_python.filter(|specifiers| !specifiers.is_empty());
    let mut newest_first = Profile::all().iter().rev().filter(|profile| profile.available);
    let (profile, reason) = match requires_python {
        Some(specifiers) => (
            newest_first.find(|profile| profile.python.is_allowed_by(specifiers)),
            Reason::RequiresPython(specifiers.clone()),
        ),
        None => (newest_first.next(), Reason::Newest),
    };
    match (profile, requires_python) {
        (Some(profile), _) => Ok((profile.clone(), reason)),
        (None, specifiers) => {
            Err(RuntimeError::NoneAllowed { requires_python: specifiers.cloned().unwrap_or_default() })
        }
    }
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

    fn choose(file: Option<&str>, requires_python: Option<&str>) -> Result<(String, String), RuntimeError> {
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
        assert_eq!(newest(None), ("python3.14".to_owned(), "the newest runtime".to_owned()));
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
            assert_eq!(reason, format!("the newest runtime that requires-python {specifiers} allows"));
        }
    }

    #[test]
    fn what_is_no_runtime_is_refused() {
        for request in
            ["3.8", "3", "2.7", "pypy3.10", "pypy@3.10", "3.13t", "3.13+freethreaded", "latest", "\u{1b}[31m"]
        {
            let error = choose(Some(request), None).unwrap_err();
            assert_eq!(error, RuntimeError::NotARuntime { request: request.to_owned() });
            assert!(error.to_string().contains("python3.9, python3.10"), "{error}");
            assert!(!error.to_string().contains('\u{1b}'));
            assert!(error.hints()[0].contains("--runtime"));
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
            assert!(error.to_string().contains("python3.13, python3.14 are"), "{error}");
            assert!(error.hints()[0].contains(hint), "{:?}", error.hints());
        }
    }
}
