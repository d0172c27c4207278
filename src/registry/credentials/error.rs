//! Why credentials could not be had.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::error::Category;

pub use super::helper::HelperFault;
use crate::hints::Hints;
use crate::registry::ecr::EcrError;

/// The longest text of another program that is shown, in characters.
const LONGEST: usize = 500;

/// Why credentials could not be had. No message shows what a file, a variable or a helper holds.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Of the two variables for a registry, one has no value.
    #[error("{set} is set, but {missing} is not")]
    Variable {
        /// The variable that has a value.
        set: String,
        /// The variable that has none.
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
    /// A file is not what it should be.
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
    /// What a file holds for a registry cannot be decoded.
    #[error("{}: the entry for {entry} cannot be used: {reason}", file.display())]
    Entry {
        /// The file.
        file: PathBuf,
        /// The registry, or the namespace in it.
        entry: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A helper gave no answer.
    #[error("{} leaves the credentials for {registry} to a helper, which gave none", file.display())]
    Helper {
        /// The file that names the helper.
        file: PathBuf,
        /// The registry.
        registry: String,
        /// What went wrong.
        #[source]
        fault: Arc<HelperFault>,
    },
    /// AWS gave none for its registry.
    #[error(transparent)]
    Ecr(#[from] EcrError),
}

impl CredentialsError {
    /// Wraps an error of the parser, whose own message may quote the file.
    pub(super) fn json(file: &Path, error: &serde_json::Error) -> Self {
        let reason = match error.classify() {
            Category::Data => "a value of another kind than Docker's configuration has here",
            Category::Eof => "the file ends within a JSON value",
            Category::Syntax | Category::Io => "this is not JSON",
        };
        Self::Json { file: file.to_owned(), line: error.line(), column: error.column(), reason }
    }
}

impl Hints for CredentialsError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Variable { set, missing } => vec![format!("set {missing} too, or unset {set}")],
            Self::Entry { entry, .. } => vec![format!("write the entry anew with `docker login {entry}`")],
            Self::Helper { fault, .. } => fault.hints(),
            Self::Ecr(error) => error.hints(),
            Self::Read { .. } | Self::Json { .. } => Vec::new(),
        }
    }
}

/// Returns what another program said as one line of bounded length, without control characters.
pub(in crate::registry) fn one_line(text: &str) -> String {
    let is_gap = |character: char| character.is_whitespace() || character.is_control();
    let words: Vec<&str> = text.split(is_gap).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_becomes_one_bounded_line() {
        assert_eq!(one_line("  cannot\r\n\tunlock \u{1b}[31mit\u{0}\n"), "cannot unlock [31mit");
        assert_eq!(one_line(&"ü".repeat(LONGEST)), "ü".repeat(LONGEST));
        assert_eq!(one_line(&"ü".repeat(LONGEST + 1)), "ü".repeat(LONGEST) + "…");
    }
}
