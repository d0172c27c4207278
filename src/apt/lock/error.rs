//! Errors of apt.lock.

use std::path::PathBuf;

use crate::hints::Hints;

/// An `apt.lock` that is invalid.
#[derive(Debug, thiserror::Error)]
pub enum AptLockError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Io {
        /// The lock.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The text is not TOML, or has other keys or types.
    #[error("{}{}: {reason}", .path.display(), .line.map(|line| format!(" (line {line})")).unwrap_or_default())]
    Syntax {
        /// The lock.
        path: PathBuf,
        /// The line, from 1, if it is known.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// The lock has an unsupported version of the format.
    #[error("{}: unsupported lock version {version} (only version 1 is supported)", .path.display())]
    Version {
        /// The lock.
        path: PathBuf,
        /// The version of the format.
        version: u64,
    },
    /// Parts of the lock contradict each other.
    #[error("{}: {reason}", .path.display())]
    Inconsistent {
        /// The lock.
        path: PathBuf,
        /// The contradiction.
        reason: String,
    },
}

impl Hints for AptLockError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io { .. } => Vec::new(),
            Self::Syntax { .. } | Self::Inconsistent { .. } => {
                vec!["delete it and run `pybundle apt lock`; do not edit it by hand".to_owned()]
            }
            Self::Version { .. } => {
                vec!["upgrade pybundle, or delete the lock and run `pybundle apt lock`".to_owned()]
            }
        }
    }
}
