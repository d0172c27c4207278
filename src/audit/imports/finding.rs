//! Problems with the modules of the application.

use std::fmt;
use std::io;

pub(crate) use super::known_modules::Providers;
use crate::audit::search::UnfoundModule;
use crate::hints::{Hints, did_you_mean};
use crate::name::DistributionName;
use crate::platform::PythonVersion;
pub(crate) use crate::syntax::SourceLine;

/// A problem with a module of the application.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportFinding {
    #[error("{location}:{column} is not valid Python {python}: {reason}")]
    Syntax {
        location: SourceLine,
        /// In characters, from 1.
        column: usize,
        /// The version of the target.
        python: PythonVersion,
        reason: String,
        /// Whether the file can be imported at all: it is neither a template nor a test.
        is_certain: bool,
    },
    #[error(transparent)]
    MissingModule(#[from] MissingModule),
    #[error("{location} imports `{name}` from `{module}`, which does not define it")]
    MissingName {
        location: SourceLine,
        module: String,
        name: String,
        /// Similar names that the module defines, the likeliest first.
        similar: Vec<String>,
        /// Whether the import is certainly executed.
        is_certain: bool,
    },
    #[error("{location} imports `{text}`, which is beyond its top-level package")]
    BeyondTopLevel {
        location: SourceLine,
        /// The module with its leading dots.
        text: String,
        /// Whether the import is certainly executed.
        is_certain: bool,
    },
    #[error(transparent)]
    Replaced(#[from] Box<ReplacedModule>),
    #[error(transparent)]
    Hidden(#[from] Box<HiddenModule>),
    #[error("cannot read {path} of the application")]
    Read { path: String, source: io::Error },
}

/// A module of the application that is imported in place of another of the same name, by code that needs the other one.
#[derive(Debug, thiserror::Error)]
#[error("{path} replaces the module `{module}` of {replaced}, but {need}")]
pub(crate) struct ReplacedModule {
    pub(crate) path: String,
    pub(crate) module: String,
    /// The standard library, or a distribution with its version.
    pub(crate) replaced: String,
    pub(crate) need: ModuleNeed,
    /// Whether the code that needs it is certainly executed.
    pub(crate) is_certain: bool,
}

/// What needs a module that another one replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModuleNeed {
    /// An import in a file, or an attribute of the module that it uses.
    Import {
        location: SourceLine,
        /// The distribution of the file, with its version; `None` for the application.
        distribution: Option<String>,
        wanted: WantedName,
    },
    /// The interpreter.
    Startup,
}

/// What code gets from a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WantedName {
    /// By `from MODULE import NAME`.
    Name(String),
    /// By `import MODULE.NAME`.
    Submodule(String),
    /// By `MODULE.NAME`.
    Attribute(String),
    /// Something that this module of the standard library gets from it.
    Through(String),
}

impl fmt::Display for ModuleNeed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Import { location, distribution, wanted } = self else {
            return formatter.write_str("Python needs that to start");
        };
        write!(formatter, "{location}")?;
        if let Some(distribution) = distribution {
            write!(formatter, " of {distribution}")?;
        }
        match wanted {
            WantedName::Name(name) => write!(formatter, " imports `{name}` from it"),
            WantedName::Submodule(module) => write!(formatter, " imports `{module}`"),
            WantedName::Attribute(name) => write!(formatter, " uses `{name}` of it"),
            WantedName::Through(module) => write!(formatter, " imports `{module}`, which needs it"),
        }
    }
}

/// A module of the application that nothing can import, because another of the same name takes precedence.
#[derive(Debug, thiserror::Error)]
pub(crate) struct HiddenModule {
    pub(crate) path: String,
    pub(crate) module: String,
    /// What is imported instead.
    pub(crate) by: String,
    /// An import of a name that only the hidden module defines.
    pub(crate) need: Option<(SourceLine, String)>,
    /// Whether that import is certainly executed.
    pub(crate) is_certain: bool,
}

impl fmt::Display for HiddenModule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is never imported, because {} takes precedence", self.path, self.by)?;
        match &self.need {
            Some((location, name)) => write!(formatter, ", but {location} imports `{name}` from it"),
            None => Ok(()),
        }
    }
}

/// Problems of modules that nothing leads to from what is started: scripts, examples and the like.
#[derive(Debug, thiserror::Error)]
pub(crate) struct UnreachedModules {
    /// The number of the modules.
    pub(crate) modules: usize,
    /// The number of their problems.
    pub(crate) findings: usize,
    /// The first problem.
    pub(crate) first: String,
    /// The module that is started; `None` if it is not known.
    pub(crate) entry: Option<String>,
}

impl fmt::Display for UnreachedModules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { modules, findings, first, entry } = self;
        let modules = if *modules == 1 { "1 module".to_owned() } else { format!("{modules} modules") };
        match entry {
            Some(entry) => write!(formatter, "problems in {modules} that `{entry}` does not import: {first}")?,
            None => write!(formatter, "problems in {modules} that nothing imports: {first}")?,
        }
        match findings - 1 {
            0 => Ok(()),
            others => write!(formatter, " (and {others} more, see `audit.unreached` with --json)"),
        }
    }
}

/// A module that neither the artifact nor the standard library has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct MissingModule {
    /// The dotted name up to the first component that is missing: `google.cloud.storage` if there is a `google.cloud`.
    pub(crate) module: String,
    /// The imports of the module, or of the one that imports it; never empty.
    pub(crate) locations: Vec<SourceLine>,
    /// The module of a distribution that imports it, if the application does not.
    pub(crate) importer: Option<Box<LibraryModule>>,
    /// The version of the target.
    pub(crate) python: PythonVersion,
    /// Whether one of the imports is certainly executed.
    pub(crate) is_certain: bool,
    pub(crate) providers: Providers,
    /// The file or directory of that name that is not found.
    pub(crate) hidden: Option<Box<UnfoundModule>>,
    /// Hints, the most helpful first.
    pub(crate) remedies: Vec<String>,
}

/// A module of a distribution that the application imports, and that cannot be imported.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LibraryModule {
    /// The dotted name.
    pub(crate) module: String,
    /// The import that fails.
    pub(crate) location: SourceLine,
    pub(crate) distribution: DistributionName,
    /// The distribution with its version.
    pub(crate) version: String,
}

impl fmt::Display for MissingModule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { module, python, .. } = self;
        let Some((first, others)) = self.locations.split_first() else { return Ok(()) };
        match (&self.hidden, &self.importer) {
            (Some(hidden), _) => write!(formatter, "{first} imports `{module}`, but {hidden}")?,
            (None, Some(importer)) => {
                let LibraryModule { module: imported, location, version, .. } = &**importer;
                write!(
                    formatter,
                    "{first} imports `{imported}`, but {location} of {version} imports `{module}`, which is neither in the artifact nor in Python {python}"
                )?;
            }
            (None, None) => {
                write!(
                    formatter,
                    "{first} imports `{module}`, which is neither in the artifact nor in Python {python}"
                )?;
            }
        }
        match others.len() {
            0 => Ok(()),
            1 => formatter.write_str(" (and 1 more import)"),
            several => write!(formatter, " (and {several} more imports)"),
        }
    }
}

impl ImportFinding {
    /// Returns whether this certainly fails at run time.
    pub(crate) fn is_error(&self) -> bool {
        match self {
            Self::Syntax { is_certain, .. }
            | Self::MissingName { is_certain, .. }
            | Self::BeyondTopLevel { is_certain, .. } => *is_certain,
            Self::MissingModule(missing) => missing.is_certain,
            Self::Replaced(replaced) => replaced.is_certain,
            Self::Hidden(hidden) => hidden.is_certain,
            Self::Read { .. } => true,
        }
    }

    /// Returns the paths of the modules that have the problem.
    pub(crate) fn paths(&self) -> Vec<&str> {
        match self {
            Self::Syntax { location, .. }
            | Self::MissingName { location, .. }
            | Self::BeyondTopLevel { location, .. } => {
                vec![&location.path]
            }
            Self::MissingModule(missing) => missing.locations.iter().map(|location| &*location.path).collect(),
            Self::Replaced(replaced) => vec![&replaced.path],
            Self::Hidden(hidden) => vec![&hidden.path],
            Self::Read { path, .. } => vec![path],
        }
    }

    /// Returns the module that is missing.
    pub(crate) fn missing(&self) -> Option<&String> {
        match self {
            Self::MissingModule(missing) => Some(&missing.module),
            _ => None,
        }
    }
}

impl Hints for ImportFinding {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Syntax { .. } => vec!["fix the file, or exclude it with --exclude".to_owned()],
            Self::MissingModule(missing) => missing.remedies.clone(),
            Self::MissingName { similar, .. } => similar.iter().map(|name| did_you_mean(name)).collect(),
            Self::BeyondTopLevel { .. } => {
                vec!["import the module by its absolute name from the artifact's root".to_owned()]
            }
            Self::Replaced(replaced) => rename(&replaced.module),
            Self::Hidden(hidden) => rename(&hidden.module),
            Self::Read { .. } => Vec::new(),
        }
    }
}

fn rename(module: &str) -> Vec<String> {
    vec![format!("rename the module, for instance to `app_{module}`")]
}
