//! Options of SBOMs, provenance and registries.

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::texts::{self, OneOrMany};
use super::values::SbomChoice;
use crate::image::InvalidTimestamp;
use crate::settings::{DocumentSettings, Environment, RegistrySettings};

/// The documents that are written about an artifact.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Output")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct DocumentOptions {
    /// Write an SBOM beside a zip, or attach it to an image [default: none]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) sbom: Option<SbomChoice>,
    /// Write SLSA provenance beside a zip, or attach it to an image
    #[arg(long, hide_short_help = true)]
    pub(crate) provenance: bool,
}

impl DocumentOptions {
    /// Turns the options into settings. The creation time of documents is `SOURCE_DATE_EPOCH`, if that is set.
    ///
    /// # Errors
    /// `SOURCE_DATE_EPOCH` is not a valid time.
    pub(super) fn settings(&self, environment: &Environment) -> Result<DocumentSettings, InvalidTimestamp> {
        let sbom = self.sbom.and_then(SbomChoice::format);
        let provenance = self.provenance;
        let is_dated = sbom.is_some() || provenance;
        let created = environment.source_date_epoch.clone().filter(|_| is_dated).transpose()?;
        Ok(DocumentSettings { sbom, provenance, created })
    }
}

/// How registries are accessed.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Registry")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct RegistryAccessOptions {
    /// Use plain HTTP for this registry host [env: PYBUNDLE_INSECURE_REGISTRY]
    ///
    /// Logins are then sent unencrypted, so [tool.pybundle] cannot set it. Registries on this machine (localhost) need no
    /// flag.
    #[arg(long, value_name = "HOST", hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) insecure_registry: Vec<String>,
    /// Create the repository if it is missing (Amazon ECR)
    #[arg(long, hide_short_help = true)]
    pub(crate) create_repo: bool,
}

impl RegistryAccessOptions {
    /// Turns the options into settings.
    pub(crate) fn settings(self, environment: &Environment) -> RegistrySettings {
        let of_environment = RegistrySettings::of(environment);
        RegistrySettings {
            insecure: self.insecure_registry.into_iter().chain(of_environment.insecure).collect(),
            create_repositories: self.create_repo,
            ..of_environment
        }
    }
}
