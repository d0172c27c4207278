//! Checks, before anything is deployed, that an artifact will run: its handler, its imports, its
//! compiled files and its data files.

pub(crate) mod c_library;
pub(crate) mod command;
pub(crate) mod data_files;
pub(crate) mod elf;
pub(crate) mod frameworks;
pub(crate) mod handler;
pub(crate) mod imports;
pub(crate) mod libraries;
mod literal_path;
pub(crate) mod musl;
mod names;
mod search;
pub(crate) mod startup;
pub(crate) mod system_needs;

use std::collections::BTreeSet;
use std::fmt;

use command::StartFinding;
use data_files::MissingDataFile;
use imports::{ImportFinding, UnreachedModules};
use libraries::LibraryFinding;
use startup::{ShadowedModule, UnresolvedEntryPoint};
use system_needs::MissingSystemNeed;

use crate::debian;
use crate::hints::{self, Hints};

/// The largest module that is parsed, in bytes. What a larger one does is unknown, so that it passes.
pub(crate) const LARGEST_MODULE: u64 = 4 << 20;

/// A problem that an audit found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditFinding {
    #[error(transparent)]
    Library(#[from] LibraryFinding),
    #[error(transparent)]
    Import(#[from] ImportFinding),
    #[error(transparent)]
    Start(#[from] StartFinding),
    #[error(transparent)]
    SystemNeed(#[from] MissingSystemNeed),
    #[error(transparent)]
    Shadowed(#[from] ShadowedModule),
    #[error(transparent)]
    EntryPoint(#[from] UnresolvedEntryPoint),
    #[error(transparent)]
    Unreached(#[from] UnreachedModules),
    #[error(transparent)]
    DataFile(#[from] MissingDataFile),
}

impl AuditFinding {
    /// Returns whether this certainly fails at run time. If not, it may be intended, and is a warning.
    pub(crate) fn is_error(&self) -> bool {
        match self {
            Self::Library(finding) => finding.is_error,
            Self::Import(finding) => finding.is_error(),
            Self::DataFile(finding) => finding.is_error(),
            Self::Start(finding) => finding.is_error,
            Self::Shadowed(shadowed) => shadowed.stops_runtime,
            Self::EntryPoint(_) | Self::Unreached(_) | Self::SystemNeed(_) => false,
        }
    }

    /// Returns the path of the application's module that replaces another, which is needed.
    pub(crate) fn replacing(&self) -> Option<&str> {
        match self {
            Self::Import(ImportFinding::Replaced(replaced)) => Some(&replaced.path),
            _ => None,
        }
    }

    /// Returns the operating-system packages that have what is missing.
    fn packages(&self) -> Vec<&'static str> {
        match self {
            Self::Library(finding) => finding.packages(),
            Self::Start(finding) => finding.package().into_iter().collect(),
            Self::Import(_)
            | Self::DataFile(_)
            | Self::Shadowed(_)
            | Self::EntryPoint(_)
            | Self::Unreached(_)
            | Self::SystemNeed(_) => Vec::new(),
        }
    }

    /// Returns the names that `--allow-missing` takes: shared libraries, a module or a path.
    fn missing(&self) -> Vec<&String> {
        match self {
            Self::Library(finding) => finding.missing().iter().collect(),
            Self::Import(finding) => finding.missing().into_iter().collect(),
            Self::DataFile(finding) => vec![&finding.path],
            Self::Start(finding) => finding.missing().into_iter().collect(),
            Self::Shadowed(_) | Self::EntryPoint(_) | Self::Unreached(_) | Self::SystemNeed(_) => Vec::new(),
        }
    }
}

impl Hints for AuditFinding {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Library(finding) => finding.hints(),
            Self::Import(finding) => finding.hints(),
            Self::DataFile(finding) => finding.hints(),
            Self::Start(finding) => finding.hints(),
            Self::Shadowed(finding) => finding.hints(),
            Self::EntryPoint(_) | Self::Unreached(_) | Self::SystemNeed(_) => Vec::new(),
        }
    }
}

/// How many flags a hint lists.
const LISTED_FLAGS: usize = 6;

/// Everything in one artifact that would certainly fail at run time; never empty.
#[derive(Debug)]
pub(crate) struct AuditFailures(pub(crate) Vec<AuditFinding>);

impl Hints for AuditFailures {
    /// Returns the hints of all findings, without repetition.
    fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        for hint in self.0.iter().flat_map(AuditFinding::hints) {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        let packages: BTreeSet<&str> = self.0.iter().flat_map(AuditFinding::packages).collect();
        if !packages.is_empty() {
            hints.push(debian::apt_hint(packages));
        }
        let flags: Vec<String> = self
            .0
            .iter()
            .flat_map(AuditFinding::missing)
            .map(|name| format!("--allow-missing {}", hints::quoted(name)))
            .collect();
        match &flags[..] {
            [] => {}
            [flag] => hints.push(format!("if it is provided at run time, pass {flag}")),
            flags if flags.len() > LISTED_FLAGS => {
                hints.push("if they are provided at run time, pass --allow-missing with each of them".to_owned());
            }
            flags => hints.push(format!("if they are provided at run time, pass {}", flags.join(" "))),
        }
        hints
    }
}

impl fmt::Display for AuditFailures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [only] => only.fmt(formatter),
            several => {
                write!(formatter, "the artifact has {} problems that fail at run time:", several.len())?;
                several.iter().try_for_each(|finding| write!(formatter, "\n  {finding}"))
            }
        }
    }
}

impl std::error::Error for AuditFailures {}

/// Modules that every interpreter on Linux contains (CPython, Modules/Setup.bootstrap.in; `sys.builtin_module_names`). No
/// file can replace them, and awslambdaric refuses them as handlers (`Runtime.BuiltInModuleConflict`).
const BUILT_IN_MODULES: [&str; 32] = [
    "_abc",
    "_ast",
    "_codecs",
    "_collections",
    "_functools",
    "_imp",
    "_io",
    "_locale",
    "_operator",
    "_signal",
    "_sre",
    "_stat",
    "_string",
    "_symtable",
    "_sysconfig",
    "_thread",
    "_tracemalloc",
    "_types",
    "_typing",
    "_warnings",
    "_weakref",
    "atexit",
    "builtins",
    "errno",
    "faulthandler",
    "gc",
    "itertools",
    "marshal",
    "posix",
    "pwd",
    "sys",
    "time",
];
