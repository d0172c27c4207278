//! Problems with compiled files.

use std::collections::BTreeSet;
use std::fmt;

use super::linker::file_name;
use super::{SystemKind, providers};
use crate::audit::c_library::CLibraryKind;
use crate::audit::elf::{ElfMachine, MalformedElf};
use crate::audit::musl::MuslFeature;
use crate::hints::Hints;
use crate::platform::{Architecture, CLibrary, Musl};
use crate::tree::FileOrigin;

/// A compiled file that cannot be loaded, or may not be.
#[derive(Debug)]
pub(crate) struct LibraryFinding {
    /// The path in the artifact.
    pub(crate) file: String,
    /// The files that Python opens and that fail, or load what does.
    pub(crate) loaded: BTreeSet<String>,
    /// How many more files of the same owner have the problem.
    pub(crate) others: usize,
    /// The path in the artifact of the file that loads this one, if it is another.
    pub(crate) loader: Option<String>,
    pub(crate) owner: FileOrigin,
    /// The target's name.
    pub(crate) system: String,
    pub(crate) kind: SystemKind,
    pub(crate) problem: LoadProblem,
    /// Whether it certainly fails.
    pub(crate) is_error: bool,
}

/// Why a compiled file cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LoadProblem {
    Machine {
        found: ElfMachine,
        target: Architecture,
    },
    Malformed(MalformedElf),
    /// It is compiled for another C library, or named as if it were.
    CLibrary {
        found: CLibraryKind,
        target: CLibrary,
    },
    /// It is an extension module with the suffix of another Python or platform, which the target's Python does not look at.
    ForeignModule {
        /// The suffix that Python looks for first.
        expected: String,
    },
    /// It uses what the target's musl lacks.
    NewerMusl {
        needed: MuslFeature,
        has: Musl,
    },
    /// It uses symbols of a newer library.
    Version {
        /// For instance `GLIBC_2.38`.
        needed: String,
        /// The newest version of the target.
        has: String,
    },
    /// It is linked to libraries that are neither in the artifact nor on the target.
    Missing {
        /// At least one.
        libraries: Vec<String>,
        /// Whether the libraries of the target are known.
        is_known: bool,
    },
    /// It is linked to a library of the artifact that the dynamic linker does not find.
    Unreachable {
        library: String,
        /// The path of the library in the artifact.
        at: String,
        /// The owner of the library.
        owner: String,
    },
}

impl fmt::Display for LibraryFinding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, owner, system, problem, .. } = self;
        write!(formatter, "{file} of {owner}{}", self.remark())?;
        match problem {
            LoadProblem::Machine { found, target } => write!(formatter, " is for {found}, but the target is {target}"),
            LoadProblem::CLibrary { found, target } => {
                write!(formatter, " is compiled for {found}, but {system} has {target}")
            }
            LoadProblem::ForeignModule { expected } => {
                write!(formatter, " is not a module of {system}, where extension modules end in `{expected}`")
            }
            LoadProblem::NewerMusl { needed, has } => {
                write!(formatter, " needs {needed}, but {system} has musl {has}")
            }
            LoadProblem::Malformed(reason) => write!(formatter, " cannot be loaded: {reason}"),
            LoadProblem::Version { needed, has } => write!(formatter, " needs {needed}, but {system} has {has}"),
            LoadProblem::Missing { libraries, is_known } => {
                let are = if libraries.len() == 1 { "is" } else { "are" };
                write!(formatter, " needs {}, which {are} ", libraries.join(", "))?;
                if *is_known {
                    write!(formatter, "neither in the artifact nor in {system}")
                } else {
                    write!(formatter, "not in the artifact and may not be in {system}")
                }
            }
            LoadProblem::Unreachable { library, at, owner: provider } => {
                write!(
                    formatter,
                    " needs {library}, which is at {at} ({provider}), where the dynamic linker does not look"
                )?;
                match &self.owner {
                    // It is a warning, which has no hints.
                    FileOrigin::Application if library.contains('/') => write!(
                        formatter,
                        ": the name is a path from the working directory, because the library had no SONAME when the file was linked; \
                         `patchelf --replace-needed {library} {} {}` makes it a name",
                        file_name(library),
                        self.file
                    ),
                    FileOrigin::Application => {
                        let directory = at.rsplit_once('/').map_or("", |(directory, _)| directory);
                        write!(formatter, ": set its RUNPATH to the path from `$ORIGIN` to `{directory}`")
                    }
                    FileOrigin::Distribution(_) | FileOrigin::System(_) => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for LibraryFinding {}

impl LibraryFinding {
    /// Returns the remark after the file's name: what loads it, and how many more files have the problem.
    fn remark(&self) -> String {
        let loader = self.loader.iter().map(|loader| format!("loaded by {loader}"));
        let others = match self.others {
            0 => None,
            1 => Some("and 1 more file".to_owned()),
            several => Some(format!("and {several} more files")),
        };
        let remarks: Vec<String> = loader.chain(others).collect();
        if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join(", ")) }
    }

    /// Returns the libraries that are missing.
    pub(crate) fn missing(&self) -> &[String] {
        match &self.problem {
            LoadProblem::Missing { libraries, .. } => libraries,
            _ => &[],
        }
    }

    /// Returns the packages that have the missing libraries.
    pub(crate) fn packages(&self) -> Vec<&'static str> {
        self.missing().iter().filter_map(|library| providers::package(library, self.kind)).collect()
    }

    fn c_library_hint(&self, target: CLibrary) -> String {
        let tag = match target {
            CLibrary::Glibc(_) => "manylinux",
            CLibrary::Musl(_) => "musllinux",
        };
        match &self.owner {
            FileOrigin::Distribution(distribution) => {
                format!("lock a wheel of {} whose tag begins with {tag}", distribution.name)
            }
            FileOrigin::System(_) | FileOrigin::Application => {
                format!("compile {} on a system with {}", self.file, target.name())
            }
        }
    }

    fn musl_hint(&self, needed: &MuslFeature) -> String {
        let base = format!(
            "choose a base with musl {} or later with --base, such as Alpine Linux {}",
            needed.since(),
            needed.alpine()
        );
        match &self.owner {
            FileOrigin::Distribution(distribution) => {
                format!("{base}, or lock a version of {} that does not need it", distribution.name)
            }
            FileOrigin::System(_) | FileOrigin::Application => base,
        }
    }

    fn version_hint(&self) -> String {
        let newer = match self.kind {
            SystemKind::Lambda => "choose a newer runtime with --runtime",
            SystemKind::Service => "choose a newer target with --profile",
            SystemKind::Image(_) | SystemKind::MuslImage => "choose a newer base with --base",
        };
        match &self.owner {
            FileOrigin::Distribution(distribution) => {
                format!("{newer}, or lock a version of {} that supports older systems", distribution.name)
            }
            FileOrigin::System(_) => newer.to_owned(),
            FileOrigin::Application => format!("{newer}, or compile it on a system as old as the target"),
        }
    }
}

impl Hints for LibraryFinding {
    fn hints(&self) -> Vec<String> {
        match &self.problem {
            LoadProblem::Missing { libraries, .. } => {
                libraries.iter().flat_map(|library| providers::hints(library, &self.owner, self.kind)).collect()
            }
            LoadProblem::Version { .. } => vec![self.version_hint()],
            LoadProblem::Machine { target, .. } => vec![match &self.owner {
                FileOrigin::Distribution(distribution) => {
                    format!("lock a wheel of {} for {target}, or build it on such a machine", distribution.name)
                }
                FileOrigin::System(_) | FileOrigin::Application => format!("compile {} for {target}", self.file),
            }],
            LoadProblem::NewerMusl { needed, .. } => vec![self.musl_hint(needed)],
            LoadProblem::CLibrary { target, .. } => vec![self.c_library_hint(*target)],
            LoadProblem::ForeignModule { expected } => vec![match &self.owner {
                FileOrigin::Distribution(distribution) => {
                    format!("lock a version of {} whose wheel has a module for the target", distribution.name)
                }
                FileOrigin::System(_) | FileOrigin::Application => {
                    format!("compile {} for the target, as `{expected}`", self.file)
                }
            }],
            LoadProblem::Malformed(_) => vec![match &self.owner {
                FileOrigin::Distribution(distribution) => format!(
                    "lock another version of {}, or build its wheel again: {} may have been truncated",
                    distribution.name, self.file
                ),
                FileOrigin::System(_) | FileOrigin::Application => {
                    format!("build {} again: it may have been truncated", self.file)
                }
            }],
            LoadProblem::Unreachable { .. } => Vec::new(),
        }
    }
}
