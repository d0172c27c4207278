//! Rules that some published wheels break, although pip and uv install them.
//!
//! They do not say which bytes are installed where: neither pip 26.3 nor uv 0.13 reads the digests and sizes in RECORD
//! (decord 0.6.0 has a wrong size), and both write a symbolic link as a file of what its entry contains: its target, or nothing
//! (nodejs-bin 18.4.0a4).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{StrictArchiveError, WheelErrorKind};

/// A rule that an entry of a wheel breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelViolation {
    /// The path of the entry.
    pub entry: String,
    /// The rule.
    pub rule: BrokenRule,
}

/// What is wrong with an entry that can be installed nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message describes it")]
pub enum BrokenRule {
    #[error("it is a symbolic link; only files and directories are allowed")]
    SymbolicLink,
    #[error("line {line}: {reason}")]
    RecordRow { line: u64, reason: String },
    #[error("it is not listed in RECORD")]
    Unlisted,
    #[error("RECORD lists it, but it is missing from the wheel")]
    MissingListedFile,
    #[error("it has {actual} bytes, but RECORD lists {expected}")]
    RecordSize { expected: u64, actual: u64 },
    #[error("its {0} digest differs from the one in RECORD")]
    RecordDigest(String),
}

impl BrokenRule {
    /// Returns the violation by an entry.
    pub(super) fn at(self, entry: impl Into<String>) -> WheelViolation {
        WheelViolation { entry: entry.into(), rule: self }
    }
}

impl fmt::Display for WheelViolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`: {}", self.entry.escape_debug(), self.rule)
    }
}

impl From<WheelViolation> for StrictArchiveError {
    fn from(WheelViolation { entry, rule }: WheelViolation) -> Self {
        WheelErrorKind::from(rule).at(entry)
    }
}
