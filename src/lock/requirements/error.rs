//! What can be wrong with files of requirements.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::hints::Hints;
use crate::lock::error::list;
use crate::platform::PythonVersion;
use crate::redact;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, by its path as it was named.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.path.display(), self.line)
    }
}

/// A requirement as it is written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// The requirement without its options, and without credentials.
    pub text: String,
    /// Where it is.
    pub place: Place,
}

impl Stated {
    /// Makes one of a requirement as it is written.
    pub(super) fn new(text: &str, place: &Place) -> Self {
        Self { text: printable(text), place: place.clone() }
    }
}

/// Returns a text without credentials and control characters.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in redact::text(text).chars() {
        match character.is_control() {
            true => printable.extend(character.escape_debug()),
            false => printable.push(character),
        }
    }
    printable
}

impl fmt::Display for Stated {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` ({})", self.text, self.place)
    }
}

/// Files of requirements that cannot be read, or that do not pin what they require.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequirementsError {
    /// A line is not understood.
    #[error("{place}: {reason}")]
    Syntax {
        /// The line.
        place: Place,
        /// What is wrong.
        reason: String,
        /// What may help.
        hint: Option<String>,
    },
    /// A file cannot be read.
    #[error("{}{}: {reason}", .path.display(), included(.named_by.as_ref()))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The line that names it, if another file does.
        named_by: Option<Place>,
        /// Why not.
        reason: String,
    },
    /// A file includes itself, directly or by others.
    #[error("{} is included in a loop: {}", .path.display(), path_of(.includes))]
    Loop {
        /// The file.
        path: PathBuf,
        /// The lines that lead to it, the first file's first.
        includes: Vec<Place>,
    },
    /// Requirements have no version.
    #[error("{}: {} not pinned: {}", .path.display(), count(.requirements), stated(.requirements))]
    Unpinned {
        /// The file that was read first.
        path: PathBuf,
        /// The target's version of Python.
        python: PythonVersion,
        /// What is not pinned, in the order of the files.
        requirements: Vec<Stated>,
    },
    /// No version satisfies two lines.
    #[error("{first} and {second} contradict each other")]
    Contradiction {
        /// What pins the distribution.
        first: Stated,
        /// What does not accept that version.
        second: Stated,
    },
    /// No file satisfies the hashes of two lines.
    #[error("{first} and {second} have no hash in common")]
    DifferentHashes {
        /// One of them.
        first: Stated,
        /// The other.
        second: Stated,
    },
    /// Hashes are required, and some requirements have none.
    #[error("{}: {} without a hash that can be relied on: {}", .path.display(), count(.requirements), stated(.requirements))]
    NoHash {
        /// The file that was read first.
        path: PathBuf,
        /// What has none, in the order of the files.
        requirements: Vec<Stated>,
        /// Whether it was asked for, and not concluded from the hashes that others have.
        is_asked_for: bool,
    },
}

impl RequirementsError {
    /// Says what is wrong with a line, without credentials and control characters.
    pub(super) fn syntax(place: &Place, reason: String, hint: Option<String>) -> Self {
        Self::Syntax { place: place.clone(), reason: printable(&reason), hint }
    }
}

impl Hints for RequirementsError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Syntax { hint, .. } => hint.iter().cloned().collect(),
            Self::Unreadable { .. } | Self::Loop { .. } | Self::Contradiction { .. } => Vec::new(),
            Self::DifferentHashes { .. } => {
                vec!["write the files again with one command, so that they agree".to_owned()]
            }
            Self::Unpinned { path, python, requirements } => {
                let mut hints = vec![pin(path, *python)];
                if requirements.iter().any(|stated| stated.text.contains("git+")) {
                    hints.push("pin a repository by the full hash of a commit: `name @ git+https://…@HASH`".to_owned());
                }
                hints
            }
            Self::NoHash { is_asked_for: true, .. } => vec![
                "write hashes with `uv pip compile --generate-hashes`; md5 is not relied on, and folders and \
                 repositories have none"
                    .to_owned(),
            ],
            Self::NoHash { is_asked_for: false, .. } => {
                vec![
                    "other requirements have hashes: write all of them with `uv pip compile --generate-hashes`"
                        .to_owned(),
                ]
            }
        }
    }
}

/// Returns the commands that pin what a file requires. What is compiled is written beside it, to a name of its own.
fn pin(path: &Path, python: PythonVersion) -> String {
    let output = match path.extension().and_then(|extension| extension.to_str()) {
        Some("in") => path.with_extension("txt"),
        _ => path.with_extension("lock.txt"),
    };
    let quoted = |path: &Path| {
        let text = path.to_string_lossy();
        shlex::try_quote(&text).map_or_else(|_| text.to_string(), |quoted| quoted.into_owned())
    };
    format!(
        "pin them with `uv pip compile {} --universal --python-version {python} --generate-hashes -o {output}` and name \
         the result with --lock {output}, or pass --resolve",
        quoted(path),
        output = quoted(&output),
    )
}

fn included(place: Option<&Place>) -> String {
    place.map(|place| format!(", which {place} names")).unwrap_or_default()
}

fn path_of(places: &[Place]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ")
}

fn count(requirements: &[Stated]) -> String {
    match requirements.len() {
        1 => "a requirement is".to_owned(),
        several => format!("{several} requirements are"),
    }
}

fn stated(requirements: &[Stated]) -> String {
    list(&requirements.iter().map(ToString::to_string).collect::<Vec<_>>())
}
