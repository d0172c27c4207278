//! Problems with the data files of the application.

use std::fmt;
use std::path::PathBuf;

use crate::hints::Hints;
use crate::syntax::SourceLine;

/// A file or directory that a module of the application names and that is not in the artifact.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct MissingDataFile {
    pub(crate) location: SourceLine,
    /// The path in the artifact, relative to the application's directory if it is below.
    pub(crate) path: String,
    pub(crate) whereabouts: Whereabouts,
    /// Whether reading it certainly fails, if the project has it.
    pub(crate) is_certain: bool,
    /// Hints, the most helpful first.
    pub(crate) remedies: Vec<String>,
}

/// Where a file is that the artifact does not have at its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// In the project. `in_artifact` is the path in the tree that it is expected at.
    Project {
        source: PathBuf,
        in_artifact: String,
    },
    /// In the artifact, at another path: beside the module, although the path is relative to the working directory.
    Elsewhere(String),
    Nowhere,
}

impl fmt::Display for MissingDataFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { location, path, .. } = self;
        match &self.whereabouts {
            Whereabouts::Project { .. } => {
                write!(formatter, "{location} uses `{path}`, which is in the project, but not in the artifact")
            }
            Whereabouts::Elsewhere(other) => write!(
                formatter,
                "{location} uses `{path}` in the working directory, where it does not exist: in the artifact it is `{other}`"
            ),
            Whereabouts::Nowhere => {
                write!(formatter, "{location} uses `{path}`, which is neither in the artifact nor in the project")
            }
        }
    }
}

impl MissingDataFile {
    /// Returns whether this certainly fails at run time.
    pub(crate) fn is_error(&self) -> bool {
        self.is_certain && matches!(self.whereabouts, Whereabouts::Project { .. })
    }
}

impl Hints for MissingDataFile {
    fn hints(&self) -> Vec<String> {
        self.remedies.clone()
    }
}
