//! Errors of looking up credentials.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::error::Category;

pub use super::helper::HelperError;
use crate::hints::Hints;
use crate::registry::ecr::EcrError;

/// Why credentials cannot be looked up. No message contains the content of a file, a variable or a helper.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// One of the two variables for a registry is missing.
    #[error("{set} is set, but {missing} is not")]
    Variable {
        /// The variable that is set.
        set: String,
        /// The variable that is not.
        missing: String,
    },
    /// A file cannot be read.
    #[error("cannot read the credentials in {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file is malformed.
    #[error("{}:{line}:{column}: {reason}", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// The line, from 1 on.
        line: usize,
        /// The column, from 1 on; 0 before the line's first character.
        column: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The entry for a registry cannot be decoded.
    #[error("{}: the entry for {entry} is invalid: {reason}", file.display())]
    Entry {
        /// The file.
        file: PathBuf,
        /// The registry or namespace.
        entry: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A credential helper failed.
    #[error("cannot get the credentials for {registry} from the helper configured in {}", file.display())]
    Helper {
        /// The file that names the helper.
        file: PathBuf,
        /// The registry.
        registry: String,
        /// Why.
        source: Arc<HelperError>,
    },
    /// ECR returned none.
    #[error(transparent)]
    Ecr(#[from] EcrError),
}

impl CredentialsError {
    /// Converts an error of the parser, whose own message may quote the file.
    pub(super) fn json(file: &Path, error: &serde_json::Error) -> Self {
        let reason = match error.classify() {
            Category::Data => "unexpected type of value in Docker's configuration",
            Category::Eof => "unexpected end of file in a JSON value",
            Category::Syntax | Category::Io => "invalid JSON",
        };
        Self::Json { file: file.to_owned(), line: error.line(), column: error.column(), reason }
    }
}

impl Hints for CredentialsError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Variable { set, missing } => vec![format!("set {missing} too, or unset {set}")],
            Self::Entry { entry, .. } => vec![format!("log in again with `docker login {entry}`")],
            Self::Helper { source, .. } => source.hints(),
            Self::Ecr(error) => error.hints(),
            Self::Read { .. } | Self::Json { .. } => Vec::new(),
        }
    }
}
