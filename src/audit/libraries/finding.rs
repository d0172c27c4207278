//! What the audit of shared libraries finds.

use std::fmt;

use super::{SystemKind, advice};
use crate::audit::elf::{Machine, MalformedElf};
use crate::hints::Hints;
use crate::platform::Architecture;
use crate::tree::FileOrigin;

/// A compiled file that does not load, or may not.
#[derive(Debug)]
pub struct LibraryFinding {
    /// The file, by its path in the artifact.
    pub file: String,
    /// How many more files of the same distribution have the same.
    pub others: usize,
    /// What loads the file, by its path in the artifact, if that is another one.
    pub loader: Option<String>,
    /// What brings the file.
    pub owner: FileOrigin,
    /// The target.
    pub system: String,
    /// The target's kind.
    pub kind: SystemKind,
    /// What is wrong.
    pub misfit: Misfit,
    /// Whether it certainly fails.
    pub is_error: bool,
}

/// Why a compiled file does not load.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// It is for another machine.
    Machine {
        /// The file's.
        found: Machine,
        /// The target's.
        target: Architecture,
    },
    /// It is no ELF file, though it begins as one.
    Malformed(MalformedElf),
    /// It uses symbols of a newer library.
    Version {
        /// The version that it needs, for instance `GLIBC_2.38`.
        needed: String,
        /// The newest that the target has.
        has: String,
    },
    /// It is linked to libraries that are not there.
    Missing {
        /// The libraries; at least one.
        libraries: Vec<String>,
        /// Whether it is known what the target has.
        is_known: bool,
    },
    /// It is linked to a library of the artifact that the dynamic linker does not find.
    Unreachable {
        /// The library.
        library: String,
        /// Where it is, by its path in the artifact.
        at: String,
        /// What brings the library.
        owner: String,
    },
}

impl fmt::Display for LibraryFinding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, others, loader, owner, system, misfit, .. } = self;
        match misfit {
            Misfit::Machine { found, target } => {
                write!(formatter, "{file} of {owner} is for {found}, the target is {target}")
            }
            Misfit::Malformed(reason) => write!(formatter, "{file} of {owner} does not load: {reason}"),
            Misfit::Version { needed, has } => {
                write!(formatter, "{file} of {owner} needs {needed}, {system} has {has}")
            }
            Misfit::Missing { libraries, is_known } => {
                let (are, them) = if libraries.len() == 1 { ("is", "it") } else { ("are", "them") };
                let place = match is_known {
                    true => format!("{are} neither in the artifact nor in {system}"),
                    false => format!("{are} not in the artifact, and may not be in {system}"),
                };
                write!(formatter, "{} {place}: {file} of {owner} needs {them}", libraries.join(", "))
            }
            Misfit::Unreachable { library, at, owner: provider } => write!(
                formatter,
                "{file} of {owner} needs {library}, which is {at} of {provider}, where the dynamic linker does not look"
            ),
        }?;
        if let Some(loader) = loader {
            write!(formatter, ", which {loader} loads")?;
        }
        match others {
            0 => Ok(()),
            1 => formatter.write_str(" (and 1 more file)"),
            several => write!(formatter, " (and {several} more files)"),
        }
    }
}

impl std::error::Error for LibraryFinding {}

impl LibraryFinding {
    /// Returns whether it certainly fails.
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// Returns the libraries that are nowhere.
    pub fn missing(&self) -> &[String] {
        match &self.misfit {
            Misfit::Missing { libraries, .. } => libraries,
            _ => &[],
        }
    }
}

impl Hints for LibraryFinding {
    fn hints(&self) -> Vec<String> {
        match &self.misfit {
            Misfit::Missing { libraries, .. } => {
                libraries.iter().flat_map(|library| advice::of_missing(library, self.kind)).collect()
            }
            Misfit::Version { .. } => vec![advice::of_version(&self.owner, self.kind)],
            Misfit::Machine { target, .. } => {
                vec![format!("lock a wheel of {} for {target}, or build it on such a machine", self.owner)]
            }
            Misfit::Malformed(_) => vec![format!("{} may have been cut short when it was built", self.file)],
            Misfit::Unreachable { at, .. } => {
                let folder = at.rsplit_once('/').map_or("", |(folder, _)| folder);
                vec![format!("let its RUNPATH begin with $ORIGIN and lead to `{folder}`, as auditwheel does")]
            }
        }
    }
}
