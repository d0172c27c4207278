//! What is wrong with a module of the application.

use std::fmt;
use std::io;

use crate::hints::Hints;
use crate::platform::PythonVersion;
pub use crate::syntax::SourceLine;

/// Something that is wrong with a module of the application.
#[derive(Debug, thiserror::Error)]
pub enum ImportFinding {
    /// A file is no Python of the target's version.
    #[error("{place}:{column} is no Python {python}: {reason}")]
    Syntax {
        /// Where.
        place: SourceLine,
        /// In characters, from 1.
        column: usize,
        /// The target's version.
        python: PythonVersion,
        /// What is wrong.
        reason: String,
        /// Whether the file can be imported at all, and is no template or test.
        is_certain: bool,
    },
    /// Nothing provides a module.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// A module of the application does not define a name that is imported from it.
    #[error("{place} imports `{name}` from `{module}`, which does not define it")]
    Name {
        /// Where it is imported.
        place: SourceLine,
        /// The module.
        module: String,
        /// The name.
        name: String,
        /// Names that may be meant.
        similar: Vec<String>,
        /// Whether the import is run for certain.
        is_certain: bool,
    },
    /// A relative import leads out of its top-level package.
    #[error("{place} imports `{text}`, which leads out of its top-level package")]
    Beyond {
        /// Where.
        place: SourceLine,
        /// The module as it is written, with its dots.
        text: String,
        /// Whether the import is run for certain.
        is_certain: bool,
    },
    /// A file cannot be read.
    #[error("cannot read {path} of the application")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A module that nothing provides.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct Missing {
    /// The dotted name of what is missing, as deep as it is known: `google.cloud.storage` where `google.cloud` is there.
    pub module: String,
    /// Where it is imported; never empty.
    pub places: Vec<SourceLine>,
    /// The target's version.
    pub python: PythonVersion,
    /// Whether one of the imports is run for certain.
    pub is_certain: bool,
    /// The distributions that are likely to provide it, the likeliest first.
    pub distributions: Vec<String>,
    /// What the user may do about it.
    pub remedies: Vec<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { module, python, .. } = self;
        let (first, others) = self.places.split_first().map_or((None, 0), |(first, rest)| (Some(first), rest.len()));
        if let Some(first) = first {
            write!(formatter, "{first} imports `{module}`, which is neither in the artifact nor in Python {python}")?;
        }
        match others {
            0 => Ok(()),
            1 => formatter.write_str(" (another line does, too)"),
            _ => write!(formatter, " ({others} other lines do, too)"),
        }
    }
}

impl ImportFinding {
    /// Returns whether it certainly fails.
    pub fn is_error(&self) -> bool {
        match self {
            Self::Syntax { is_certain, .. } | Self::Name { is_certain, .. } | Self::Beyond { is_certain, .. } => {
                *is_certain
            }
            Self::Missing(missing) => missing.is_certain,
            Self::Read { .. } => true,
        }
    }

    /// Returns the module that is nowhere.
    pub fn missing(&self) -> Option<&String> {
        match self {
            Self::Missing(missing) => Some(&missing.module),
            _ => None,
        }
    }
}

impl Hints for ImportFinding {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Syntax { .. } => vec!["correct the file, or leave it out with --exclude".to_owned()],
            Self::Missing(missing) => missing.remedies.clone(),
            Self::Name { module, similar, .. } => {
                similar.iter().map(|name| format!("`{module}` defines `{name}`")).collect()
            }
            Self::Beyond { .. } => vec!["import it by its full name from the artifact's root".to_owned()],
            Self::Read { .. } => Vec::new(),
        }
    }
}
