//! What the command line fails with.

use std::io;

use super::printer::count;
use crate::archive::ArchiveError;
use crate::cache::CacheError;
use crate::hints::Hints;
use crate::options::{ConfigurationError, InvalidOption, SettingsError};
use crate::pipeline::BuildError;
use crate::platform::ProfileError;
use crate::project::ChangesError;
use crate::report::ErrorReport;
use crate::scaffold::ScaffoldError;

/// Why a command failed. What the arguments' parser refuses does not come this far.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A build or a plan failed.
    #[error(transparent)]
    Build(Box<BuildError>),
    /// A profile is unknown or wrong.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A project is not set up.
    #[error(transparent)]
    Scaffold(#[from] ScaffoldError),
    /// There is no folder for the cache.
    #[error("there is no folder for the cache, because no home folder is known")]
    NoCacheFolder,
    /// It cannot be told what changed.
    #[error(transparent)]
    Changes(#[from] ChangesError),
    /// The cache is to be looked after, and not to be used.
    #[error("--no-cache leaves no cache to look after")]
    NoCache,
    /// The configuration in pyproject.toml is wrong.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// An option is.
    #[error(transparent)]
    Option(#[from] InvalidOption),
    /// An artifact is not as it should be; what is wrong was printed.
    #[error("{name} is not as it should be: {}", count(*.findings as u64, "finding"))]
    NotVerified {
        /// The artifact.
        name: String,
        /// How many things are wrong.
        findings: usize,
    },
    /// A manual page cannot be written.
    #[error(transparent)]
    Page(#[from] ArchiveError),
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

impl From<BuildError> for CliError {
    fn from(error: BuildError) -> Self {
        Self::Build(Box::new(error))
    }
}

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Configuration(error) => Self::Configuration(error),
            SettingsError::Option(error) => Self::Option(error),
        }
    }
}

impl Hints for CliError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Build(error) => error.hints(),
            Self::Profile(error) => error.hints(),
            Self::Cache(error) => error.hints(),
            Self::NoCache => vec!["leave --no-cache out".to_owned()],
            Self::Page(error) => error.hints(),
            Self::Scaffold(error) => error.hints(),
            Self::NoCacheFolder => vec!["name one with --cache-dir or PYBUNDLE_CACHE_DIR".to_owned()],
            Self::Changes(error) => error.hints(),
            Self::Configuration(error) => error.hints(),
            Self::Option(error) => error.hints(),
            Self::Output(_) | Self::NotVerified { .. } => Vec::new(),
        }
    }
}

impl CliError {
    /// Returns the error as reports state it.
    pub(crate) fn report(&self) -> ErrorReport {
        ErrorReport::new(self)
    }

    /// Returns the exit status: 2 for wrong usage, else 1.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Option(_) | Self::NoCache => 2,
            _ => 1,
        }
    }
}
