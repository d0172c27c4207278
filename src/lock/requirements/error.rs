//! Errors of requirements files.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::hints::Hints;
use crate::lock::error::list;
use crate::platform::PythonVersion;
use crate::redact;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineLocation {
    /// The file, by its path as it was given.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for LineLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.path.display(), self.line)
    }
}

/// A requirement as it is written, with its location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementLine {
    /// The requirement without its options, credentials and control characters.
    pub text: String,
    /// Where the requirement begins.
    pub location: LineLocation,
}

impl RequirementLine {
    pub(super) fn new(text: &str, location: &LineLocation) -> Self {
        Self { text: printable(text), location: location.clone() }
    }
}

/// Returns a text without credentials, and with its control characters escaped.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in redact::text(text).chars() {
        if character.is_control() {
            printable.extend(character.escape_debug());
        } else {
            printable.push(character);
        }
    }
    printable
}

impl fmt::Display for RequirementLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` ({})", self.text, self.location)
    }
}

/// Requirements files that cannot be read, or that do not pin what they require.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequirementsError {
    /// A line is invalid.
    #[error("{location}: {reason}")]
    Syntax {
        /// The line.
        location: LineLocation,
        /// What is wrong.
        reason: String,
        /// What may help.
        hint: Option<String>,
    },
    /// A file cannot be read.
    #[error("cannot read {}{}: {reason}", .path.display(), include_suffix(.included_at.as_ref()))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The line that includes the file, if another file does.
        included_at: Option<LineLocation>,
        /// Why not.
        reason: String,
    },
    /// A file includes itself, directly or through others.
    #[error("{} includes itself: {}", .path.display(), include_chain(.includes))]
    IncludeLoop {
        /// The file.
        path: PathBuf,
        /// The including lines, from the first file on.
        includes: Vec<LineLocation>,
    },
    /// Requirements are not pinned to a version.
    #[error("{}: {} not pinned: {}", .path.display(), count(.requirements, "is", "are"), list_lines(.requirements))]
    Unpinned {
        /// The requirements file that was passed.
        path: PathBuf,
        /// The target's version of Python.
        python: PythonVersion,
        /// The requirements that are not pinned, in the order of the files.
        requirements: Vec<RequirementLine>,
    },
    /// No version satisfies two lines.
    #[error("{first} and {second} contradict each other")]
    ContradictingLines {
        /// The line that pins the distribution.
        first: RequirementLine,
        /// A line that does not accept that version.
        second: RequirementLine,
    },
    /// No file satisfies the hashes of two lines.
    #[error("{first} and {second} have no hash in common")]
    ConflictingHashes {
        /// One of the lines.
        first: RequirementLine,
        /// The other.
        second: RequirementLine,
    },
    /// Hashes are required, and some requirements have none.
    #[error("{}: {} no secure hash: {}", .path.display(), count(.requirements, "has", "have"), list_lines(.requirements))]
    MissingHash {
        /// The requirements file that was passed.
        path: PathBuf,
        /// The requirements without a hash, in the order of the files.
        requirements: Vec<RequirementLine>,
        /// Whether `--require-hashes` is set; otherwise, hashes are required because other requirements have one.
        is_requested: bool,
    },
}

impl RequirementsError {
    /// Replaces the hint by that to set a variable, to which the invalid line refers.
    pub(super) fn with_unset(self, variable: &str) -> Self {
        match self {
            Self::Syntax { location, reason, .. } => {
                Self::Syntax { location, reason, hint: Some(format!("set the environment variable {variable}")) }
            }
            other => other,
        }
    }

    /// Returns the error that a line is invalid, without credentials and control characters.
    pub(super) fn syntax(location: &LineLocation, reason: String, hint: Option<String>) -> Self {
        Self::Syntax { location: location.clone(), reason: printable(&reason), hint }
    }
}

/// The reason why a file cannot be read that is not text in UTF-8.
pub(super) const NOT_UTF8: &str = "it is not valid UTF-8";

impl Hints for RequirementsError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Syntax { hint, .. } => hint.iter().cloned().collect(),
            // Windows PowerShell 5 redirects output in UTF-16.
            Self::Unreadable { reason, .. } if reason == NOT_UTF8 => {
                vec!["save it as UTF-8, in PowerShell with `pip freeze | Out-File -Encoding utf8 FILE`".to_owned()]
            }
            Self::Unreadable { .. } | Self::IncludeLoop { .. } | Self::ContradictingLines { .. } => Vec::new(),
            Self::ConflictingHashes { .. } => {
                vec!["compile the requirements files again with one command, so that their hashes agree".to_owned()]
            }
            Self::Unpinned { path, python, requirements } => {
                let mut hints = vec![compile_hint(path, *python)];
                if requirements.iter().any(|line| line.text.contains("git+")) {
                    hints.push("pin a repository by a full commit hash: `name @ git+https://HOST/PATH@HASH`".to_owned());
                }
                hints
            }
            Self::MissingHash { is_requested: true, .. } => vec![
                "add hashes with `uv pip compile --generate-hashes`; MD5 is not secure, and directories and repositories \
                 have no hash"
                    .to_owned(),
            ],
            Self::MissingHash { is_requested: false, .. } => {
                vec![
                    "other requirements have hashes: add those of all requirements with \
                     `uv pip compile --generate-hashes`"
                        .to_owned(),
                ]
            }
        }
    }
}

/// Returns the commands that pin the requirements of a file. The output has another name than the file.
fn compile_hint(path: &Path, python: PythonVersion) -> String {
    let output = match path.extension().and_then(|extension| extension.to_str()) {
        Some("in") => path.with_extension("txt"),
        _ => path.with_extension("lock.txt"),
    };
    format!(
        "pin them with `uv pip compile {} --universal --python-version {python} --generate-hashes -o {output}` and pass \
         --lock {output}, or pass --resolve",
        shell_quoted(path),
        output = shell_quoted(&output),
    )
}

fn shell_quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), |quoted| quoted.into_owned())
}

fn include_suffix(location: Option<&LineLocation>) -> String {
    location.map(|location| format!(" (included at {location})")).unwrap_or_default()
}

fn include_chain(locations: &[LineLocation]) -> String {
    locations.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ")
}

fn count(requirements: &[RequirementLine], singular: &str, plural: &str) -> String {
    match requirements.len() {
        1 => format!("a requirement {singular}"),
        several => format!("{several} requirements {plural}"),
    }
}

fn list_lines(requirements: &[RequirementLine]) -> String {
    list(&requirements.iter().map(ToString::to_string).collect::<Vec<_>>())
}
