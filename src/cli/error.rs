//! Errors of commands.

use std::io;

use super::apt::UnknownFile;
use super::deploy::InvalidDeployment;
use super::located_project::InvalidProject;
use super::option_of_others;
use super::resolve::UnresolvableTarget;
use super::text_page::count;
use super::why::NotSelected;
use crate::archive::ArchiveError;
use crate::cache::CacheError;
use crate::deploy::DeployError;
use crate::deployment_file::InvalidDeploymentFile;
use crate::git::GitChangesError;
use crate::hints::Hints;
use crate::image::InvalidPort;
use crate::invoke::InvokeError;
use crate::options::{ConfigurationError, InvalidOption, SettingsError};
use crate::pipeline::BuildError;
use crate::platform::ProfileError;
use crate::registry::InvalidReference;
use crate::report::ErrorReport;
use crate::scaffold::ScaffoldError;
use crate::settings::InvalidBase;

/// Why a command failed. Errors of the command line itself are clap's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Build(Box<BuildError>),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Scaffold(#[from] ScaffoldError),
    #[error("cannot find the cache directory: the home directory is unknown")]
    NoCacheDirectory,
    #[error(transparent)]
    Changes(#[from] GitChangesError),
    #[error("--no-cache cannot be used with `pybundle cache`")]
    NoCache,
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    #[error(transparent)]
    Option(#[from] InvalidOption),
    #[error(transparent)]
    Project(#[from] InvalidProject),
    #[error(transparent)]
    NotSelected(#[from] Box<NotSelected>),
    #[error(transparent)]
    Deployment(#[from] InvalidDeployment),
    #[error(transparent)]
    Deploy(#[from] DeployError),
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    #[error(transparent)]
    UnknownFile(#[from] UnknownFile),
    #[error(transparent)]
    DeploymentFile(#[from] InvalidDeploymentFile),
    #[error(transparent)]
    UnresolvableTarget(#[from] UnresolvableTarget),
    /// An artifact has problems, which were printed.
    #[error("verification of {name} failed: {}", count(*.findings as u64, "problem"))]
    NotVerified {
        name: String,
        findings: usize,
        /// The flags that may explain how a rebuild differs.
        flags: Vec<&'static str>,
    },
    /// A manual page cannot be written.
    #[error(transparent)]
    Page(#[from] ArchiveError),
    /// What asks for the document.
    #[error("cannot print {0} on standard output, which is the output of the artifact")]
    ArtifactAndDocument(&'static str),
    #[error("cannot write to standard output: it is a terminal")]
    Terminal,
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
            Self::NoCache => vec!["remove --no-cache".to_owned()],
            Self::Page(error) => error.hints(),
            Self::Scaffold(error) => error.hints(),
            Self::NoCacheDirectory => vec!["set --cache-dir or PYBUNDLE_CACHE_DIR".to_owned()],
            Self::Changes(error) => error.hints(),
            Self::Configuration(error) => error.hints(),
            Self::Option(error) => error.hints(),
            Self::Project(error) => error.hints(),
            Self::NotSelected(error) => error.hints(),
            Self::Deployment(error) => error.hints(),
            Self::Deploy(error) => error.hints(),
            Self::Invoke(error) => error.hints(),
            Self::UnknownFile(_) => Vec::new(),
            Self::DeploymentFile(error) => error.hints(),
            Self::UnresolvableTarget(error) => error.hints(),
            Self::ArtifactAndDocument(flag) => {
                vec![format!("write the artifact to a file, or omit {flag}")]
            }
            Self::Terminal => vec!["redirect standard output, or write to a file with --output".to_owned()],
            Self::NotVerified { flags, .. } if !flags.is_empty() => vec![format!(
                "pass the options that the artifact was built with, or --target NAME; these may differ: {}",
                flags.join(", ")
            )],
            Self::Output(_) | Self::NotVerified { .. } => Vec::new(),
        }
    }
}

/// Returns the hints for an option that the command does not have, or for a value that cannot be parsed.
pub(super) fn usage_hints(message: &clap::Error) -> Vec<String> {
    let Some(problem) = std::error::Error::source(message) else {
        return option_of_others::hint(message).into_iter().collect();
    };
    let hints = [
        problem.downcast_ref::<InvalidReference>().map(Hints::hints),
        problem.downcast_ref::<InvalidBase>().map(Hints::hints),
        problem.downcast_ref::<InvalidPort>().map(Hints::hints),
    ];
    hints.into_iter().flatten().next().unwrap_or_default()
}

impl CliError {
    pub(crate) fn report(&self) -> ErrorReport {
        ErrorReport::new(self)
    }

    /// Returns whether standard output has neither the document of the command nor an artifact.
    pub(crate) fn is_without_document(&self) -> bool {
        !matches!(self, Self::NotVerified { .. } | Self::ArtifactAndDocument(_) | Self::Terminal | Self::Output(_))
    }

    /// Returns the exit status: 2 for usage errors, else 1.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Option(_) | Self::NoCache | Self::ArtifactAndDocument(_) => 2,
            _ => 1,
        }
    }
}
