//! Chooses the Python version of a project whose user has not named one.

use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};

use super::{FIRST_FREE_THREADED, ImageProfile, LambdaProfile, PythonVersion};
use crate::hints::Hints;

/// How many minor versions after the last that a profile lists may be chosen: a version a year.
const MOST_LATER: usize = 5;

/// The version of Python that a file of the project names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PythonPin {
    /// The path relative to the workspace's root, for instance `.python-version`.
    pub(crate) file: String,
    /// As it is written there, for instance `3.12` or `>=3.11`.
    pub(crate) request: String,
}

/// Why a Python version was chosen. Displayed after the version, as in "python3.13 (from .python-version)".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PythonReason {
    /// A file names it.
    Pinned(String),
    /// It is the newest that specifiers allow.
    Allowed {
        /// The file or the key of pyproject.toml that has them.
        source: String,
        specifiers: VersionSpecifiers,
    },
    /// It is the oldest that specifiers allow, all of which are later than the known versions.
    OldestAllowed { source: String, specifiers: VersionSpecifiers },
    /// It is the newest available.
    Newest,
}

impl fmt::Display for PythonReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned(file) => write!(formatter, "from {file}"),
            Self::Allowed { source, specifiers } => write!(formatter, "the newest that {source} {specifiers} allows"),
            Self::OldestAllowed { source, specifiers } => {
                write!(formatter, "the oldest that {source} {specifiers} allows")
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
    /// A base image that was read.
    Base,
    /// A profile of images: its list of the versions that base images are known to exist for.
    Profile,
}

/// Why no Python version can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PythonChoiceError {
    #[error("`{}` requests {}, but {}", .file.escape_debug(), .kind.describe(.request), .provider.describe(.known))]
    UnavailableVersion {
        file: String,
        request: String,
        kind: UnavailableKind,
        provider: PythonProvider,
        /// The names of all candidates.
        known: Vec<String>,
        /// The name of the newest one that is generally available.
        newest: Option<String>,
    },
    #[error("requires-python is `{requires_python}`, but {}", .provider.describe(.known))]
    NoCompatibleVersion {
        requires_python: VersionSpecifiers,
        provider: PythonProvider,
        /// The names of the candidates that are generally available.
        known: Vec<String>,
    },
}

/// What a file requests that is not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnavailableKind {
    /// Another version of CPython, or what is none.
    Version,
    FreeThreaded,
    Debug,
    /// PyPy, GraalPy and others.
    Implementation,
}

impl UnavailableKind {
    fn describe(self, request: &str) -> String {
        let request = format!("`{}`", request.escape_debug());
        match self {
            Self::Version => request,
            Self::FreeThreaded => format!("{request}, a free-threaded Python"),
            Self::Debug => format!("{request}, a debug build of Python"),
            Self::Implementation => format!("{request}, which is not CPython"),
        }
    }
}

impl PythonProvider {
    /// Returns a clause that lists the candidates.
    fn describe(self, known: &[String]) -> String {
        let known = known.join(", ");
        match self {
            Self::Runtimes => format!("Lambda's runtimes are {known}"),
            Self::Base => format!("the base image has Python {known}"),
            Self::Profile => format!("the profile is for Python {known}"),
        }
    }
}

impl Hints for PythonChoiceError {
    fn hints(&self) -> Vec<String> {
        let lock_again = "change requires-python in pyproject.toml and lock again".to_owned();
        vec![match self {
            Self::UnavailableVersion { file, provider: PythonProvider::Runtimes, newest, .. } => {
                let newest = newest.as_ref().map(|name| format!(", for instance `--runtime {name}`"));
                format!("change `{}`, or name a runtime{}", file.escape_debug(), newest.unwrap_or_default())
            }
            Self::UnavailableVersion { file, newest, .. } => {
                let newest = newest.as_ref().map(|name| format!("use `--python {name}`, or ")).unwrap_or_default();
                format!("change `{}`, or {newest}choose a base image with that version", file.escape_debug())
            }
            Self::NoCompatibleVersion { provider: PythonProvider::Base | PythonProvider::Profile, .. } => {
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

/// Returns the Lambda runtimes that a project may have, and the reason: the one that a file pins, or else the generally
/// available ones that requires-python allows, newest first.
///
/// # Errors
/// The file names an unknown runtime, or requires-python allows none.
pub(crate) fn allowed_runtimes(
    pin: Option<&PythonPin>,
    requires_python: Option<&VersionSpecifiers>,
) -> Result<(Vec<LambdaProfile>, PythonReason), PythonChoiceError> {
    let candidates = LambdaProfile::all().map(|profile| PythonCandidate {
        name: profile.name.clone(),
        item: profile,
        python: profile.python,
        available: profile.available,
    });
    let (profiles, reason) = choose(&candidates.collect::<Vec<_>>(), PythonProvider::Runtimes, pin, requires_python)?;
    Ok((profiles.into_iter().cloned().collect(), reason))
}

/// Returns the Python versions that an image may have, and the reason. Like [`allowed_runtimes`], but among the versions of a
/// base that was read.
///
/// # Errors
/// The file names another version, or requires-python allows none.
pub(crate) fn allowed_pythons(
    pythons: &[PythonVersion],
    pin: Option<&PythonPin>,
    requires_python: Option<&VersionSpecifiers>,
) -> Result<(Vec<PythonVersion>, PythonReason), PythonChoiceError> {
    // Where a base has both, the free-threaded one is only chosen by its name.
    let is_only = pythons.iter().all(|python| python.free_threaded);
    let candidates = pythons.iter().map(|python| PythonCandidate::of(python, is_only || !python.free_threaded));
    let candidates: Vec<_> = candidates.collect();
    let (pythons, reason) = choose(&candidates, PythonProvider::Base, pin, requires_python)?;
    Ok((pythons.into_iter().copied().collect(), reason))
}

/// Returns the Python versions that an image may have, and the reason, among those that a profile lists and later ones: the
/// base tells whether it has them. A later one is only chosen if a file names it, or no listed one is allowed.
///
/// # Errors
/// The file names an earlier version, or requires-python allows none.
pub(crate) fn listed_pythons(
    listed: &[PythonVersion],
    pin: Option<&PythonPin>,
    requires_python: Option<&VersionSpecifiers>,
) -> Result<(Vec<PythonVersion>, PythonReason), PythonChoiceError> {
    let newest = listed.last().map_or(0, |python| python.minor);
    let later: Vec<_> = (newest..).skip(1).take(MOST_LATER).map(PythonVersion::new).collect();
    let of_list = listed.iter().map(|python| PythonCandidate::of(python, true));
    let candidates: Vec<_> = of_list.chain(later.iter().map(|python| PythonCandidate::of(python, false))).collect();
    let chosen = choose(&candidates, PythonProvider::Profile, pin, requires_python);
    let oldest_later = later.iter().find_map(|python| {
        let one = [PythonCandidate::of(python, true)];
        choose(&one, PythonProvider::Profile, pin, requires_python).ok()
    });
    let (pythons, reason) = match (chosen, oldest_later) {
        (Err(_), Some((pythons, PythonReason::Allowed { source, specifiers }))) => {
            (pythons, PythonReason::OldestAllowed { source, specifiers })
        }
        (chosen, _) => chosen?,
    };
    Ok((pythons.into_iter().copied().collect(), reason))
}

impl<'a> PythonCandidate<'a, PythonVersion> {
    fn of(python: &'a PythonVersion, available: bool) -> Self {
        Self { name: python.to_string(), item: python, python: *python, available }
    }
}

/// Checks the version of Python that `--python` requests for an image.
///
/// # Errors
/// It is a free-threaded one, and the image is for Lambda, or the base is the profile's, which has none.
pub(crate) fn check_requested(
    python: PythonVersion,
    profile: &ImageProfile,
    has_base: bool,
) -> Result<(), PythonChoiceError> {
    if !python.free_threaded || (has_base && !profile.is_for_lambda()) || profile.pythons.contains(&python) {
        return Ok(());
    }
    Err(PythonChoiceError::UnavailableVersion {
        file: "--python".to_owned(),
        request: python.to_string(),
        kind: UnavailableKind::FreeThreaded,
        provider: if profile.is_for_lambda() { PythonProvider::Runtimes } else { PythonProvider::Profile },
        known: profile.pythons.iter().map(PythonVersion::to_string).collect(),
        newest: None,
    })
}

/// A runtime or base image to choose from.
struct PythonCandidate<'a, T> {
    name: String,
    item: &'a T,
    python: PythonVersion,
    /// Whether it may be chosen by default.
    available: bool,
}

/// Chooses among candidates ordered by version; returns at least one, newest first.
fn choose<'a, T>(
    candidates: &[PythonCandidate<'a, T>],
    provider: PythonProvider,
    pin: Option<&PythonPin>,
    requires_python: Option<&VersionSpecifiers>,
) -> Result<(Vec<&'a T>, PythonReason), PythonChoiceError> {
    let requires_python = requires_python.filter(|specifiers| !specifiers.is_empty());
    let newest_first = |allows: &dyn Fn(PythonVersion) -> bool| -> Vec<&'a T> {
        let allowed = candidates.iter().rev().filter(|candidate| candidate.available && allows(candidate.python));
        allowed.map(|candidate| candidate.item).collect()
    };
    if let Some(PythonPin { file, request }) = pin {
        let (found, reason, kind) = match PythonRequest::parse(request) {
            PythonRequest::Version(python) => {
                let found = candidates.iter().filter(|candidate| candidate.python == python);
                let found = found.map(|candidate| candidate.item).collect();
                let kind = if python.free_threaded { UnavailableKind::FreeThreaded } else { UnavailableKind::Version };
                (found, PythonReason::Pinned(file.clone()), kind)
            }
            PythonRequest::Range(specifiers) => {
                let found = newest_first(&|python| {
                    python.is_allowed_by(&specifiers) && requires_python.is_none_or(|also| python.is_allowed_by(also))
                });
                (found, PythonReason::Allowed { source: file.clone(), specifiers }, UnavailableKind::Version)
            }
            PythonRequest::Unavailable(kind) => (Vec::new(), PythonReason::Newest, kind),
        };
        if found.is_empty() {
            let is_known = |candidate: &&PythonCandidate<T>| candidate.available || provider != PythonProvider::Profile;
            let known = candidates.iter().filter(is_known).map(|candidate| candidate.name.clone()).collect();
            let (file, request) = (file.clone(), request.clone());
            let newest = candidates.iter().rev().find(|candidate| candidate.available);
            let newest = newest.map(|candidate| candidate.name.clone());
            return Err(PythonChoiceError::UnavailableVersion { file, request, kind, provider, known, newest });
        }
        return Ok((found, reason));
    }
    let (found, reason) = match requires_python {
        Some(specifiers) => {
            let (source, specifiers) = ("requires-python".to_owned(), specifiers.clone());
            let found = newest_first(&|python| python.is_allowed_by(&specifiers));
            (found, PythonReason::Allowed { source, specifiers })
        }
        None => (newest_first(&|_| true), PythonReason::Newest),
    };
    if found.is_empty() {
        let available = candidates.iter().filter(|candidate| candidate.available);
        return Err(PythonChoiceError::NoCompatibleVersion {
            requires_python: requires_python.cloned().unwrap_or_default(),
            provider,
            known: available.map(|candidate| candidate.name.clone()).collect(),
        });
    }
    Ok((found, reason))
}

/// Returns the version of Python that a name ends with, without or with a patch version: `py313`, `3.13.2`.
pub(super) fn python_version_in(name: &str) -> Option<PythonVersion> {
    match PythonRequest::of_version(name.trim_start_matches(|character: char| !character.is_ascii_digit()))? {
        PythonRequest::Version(python) => Some(python),
        PythonRequest::Range(_) | PythonRequest::Unavailable(_) => None,
    }
}

/// A request for a version of Python, as uv, pyenv and asdf write it
/// ([uv, requesting a version](https://docs.astral.sh/uv/concepts/python-versions/#requesting-a-version)).
#[derive(Debug, PartialEq, Eq)]
enum PythonRequest {
    Version(PythonVersion),
    Range(VersionSpecifiers),
    Unavailable(UnavailableKind),
}

impl PythonRequest {
    /// Parses `3.12`, `3.12.4`, `312`, `3`, `>=3.11`, `3.12.*`, `cpython@3.12`, `cp312`,
    /// `cpython-3.12.4-linux-x86_64-gnu`, `3.13t` and `3.13+freethreaded`.
    fn parse(request: &str) -> Self {
        let request = request.trim().to_ascii_lowercase();
        let names = ["cpython", "python", "cp"];
        let rest = names.iter().find_map(|name| request.strip_prefix(name)).unwrap_or(&request);
        let rest = rest.strip_prefix(['-', '@']).unwrap_or(rest);
        if rest.starts_with(|character: char| "<>=!~".contains(character)) {
            // A variant may follow: `>=3.13+freethreaded`.
            let (specifiers, variant) = rest.split_once('+').unwrap_or((rest, ""));
            return match (Self::of_variant(variant), specifiers.parse()) {
                (None, Ok(specifiers)) => Self::Range(specifiers),
                (Some(unavailable), _) => unavailable,
                (None, Err(_)) => Self::Unavailable(UnavailableKind::Version),
            };
        }
        if !rest.starts_with(|character: char| character.is_ascii_digit()) {
            let is_name = rest.starts_with(|character: char| character.is_ascii_alphabetic());
            let has_version = rest.contains(|character: char| character.is_ascii_digit());
            let kind = if is_name && has_version { UnavailableKind::Implementation } else { UnavailableKind::Version };
            return Self::Unavailable(kind);
        }
        let text = rest.split('-').next().unwrap_or_default();
        let (text, variant) = text.split_once('+').unwrap_or((text, ""));
        let short = text.trim_end_matches(['t', 'd']);
        let variant = if variant.is_empty() { &text[short.len()..] } else { variant };
        let version = Self::of_version(short.trim_end_matches(".*"));
        match (version, Self::of_variant(variant)) {
            (Some(Self::Version(python)), Some(Self::Unavailable(UnavailableKind::FreeThreaded)))
                if python.minor >= FIRST_FREE_THREADED =>
            {
                Self::Version(PythonVersion { free_threaded: true, ..python })
            }
            (_, Some(unavailable)) => unavailable,
            (version, None) => version.unwrap_or(Self::Unavailable(UnavailableKind::Version)),
        }
    }

    /// Returns the request for a variant other than the standard build.
    fn of_variant(variant: &str) -> Option<Self> {
        match variant {
            "" | "gil" => None,
            "t" | "freethreaded" => Some(Self::Unavailable(UnavailableKind::FreeThreaded)),
            "d" | "debug" | "gil+debug" | "td" | "freethreaded+debug" => {
                Some(Self::Unavailable(UnavailableKind::Debug))
            }
            _ => Some(Self::Unavailable(UnavailableKind::Version)),
        }
    }

    fn of_version(text: &str) -> Option<Self> {
        let version: Version = text.parse().ok()?;
        match version.release() {
            [3] => "==3.*".parse().ok().map(Self::Range),
            // Without dots, as in wheels' tags: `312`.
            [short] => Some(Self::Version(format!("3.{}", short.to_string().strip_prefix('3')?).parse().ok()?)),
            [major, minor, ..] => Some(Self::Version(format!("{major}.{minor}").parse().ok()?)),
            [] => None,
        }
    }
}

#[cfg(test)]
mod tests;
