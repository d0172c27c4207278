//! What would fail in production, found before anything is deployed: handlers, imports, compiled files.

pub mod elf;
pub mod handler;
pub mod imports;
pub mod libraries;
mod module;
mod search;

use std::fmt;

use imports::ImportFinding;
use libraries::LibraryFinding;

use crate::hints::Hints;

/// Something that an audit found.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// A compiled file does not load.
    #[error(transparent)]
    Library(#[from] LibraryFinding),
    /// A module of the application does not run.
    #[error(transparent)]
    Import(#[from] ImportFinding),
}

impl Finding {
    /// Returns whether it certainly fails; the rest may be meant.
    pub fn is_error(&self) -> bool {
        match self {
            Self::Library(finding) => finding.is_error(),
            Self::Import(finding) => finding.is_error(),
        }
    }

    /// Returns what is nowhere: shared libraries, or a module.
    fn missing(&self) -> Vec<&String> {
        match self {
            Self::Library(finding) => finding.missing().iter().collect(),
            Self::Import(finding) => finding.missing().into_iter().collect(),
        }
    }
}

impl Hints for Finding {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Library(finding) => finding.hints(),
            Self::Import(finding) => finding.hints(),
        }
    }
}

/// All that the audits of one artifact found that would certainly fail; never empty.
#[derive(Debug)]
pub struct Failures(pub Vec<Finding>);

impl Hints for Failures {
    /// Each hint once.
    fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        for hint in self.0.iter().flat_map(Finding::hints) {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        let flags: Vec<String> =
            self.0.iter().flat_map(Finding::missing).map(|name| format!("--allow-missing {name}")).collect();
        match &flags[..] {
            [] => {}
            [flag] => hints.push(format!("if it is elsewhere at run time, pass {flag}")),
            flags => hints.push(format!("if they are elsewhere at run time, pass {}", flags.join(" "))),
        }
        hints
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [only] => only.fmt(formatter),
            several => {
                write!(formatter, "{} things would fail at run time:", several.len())?;
                several.iter().try_for_each(|finding| write!(formatter, "\n  {finding}"))
            }
        }
    }
}

impl std::error::Error for Failures {}
