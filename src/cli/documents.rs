//! The documents about an artifact, as flags ask for them and as pages name them.

use clap::{Args, ValueEnum};

use super::error::CliError;
use super::printer::Page;
use crate::report::{DocumentKind, DocumentReport};
use crate::sbom::Format;
use crate::settings::{DocumentSettings, Environment};

/// Which documents are made.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct DocumentArguments {
    /// Make a bill of materials: beside a zip, attached to an image
    #[arg(long, value_enum, default_value = "none", value_name = "FORMAT")]
    sbom: Sbom,
    /// State what the artifact was built from, as SLSA provenance: beside a zip, attached to an image
    #[arg(long)]
    provenance: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Sbom {
    /// CycloneDX 1.6, in JSON
    Cyclonedx,
    /// SPDX 2.3, in JSON
    Spdx,
    /// None
    None,
}

impl DocumentArguments {
    /// Turns the arguments into settings. The documents state the time of `SOURCE_DATE_EPOCH`, if that is set.
    ///
    /// # Errors
    /// It is no time.
    pub fn settings(&self, environment: &Environment) -> Result<DocumentSettings, CliError> {
        let sbom = match self.sbom {
            Sbom::Cyclonedx => Some(Format::CycloneDx),
            Sbom::Spdx => Some(Format::Spdx),
            Sbom::None => None,
        };
        let provenance = self.provenance;
        let is_dated = sbom.is_some() || provenance;
        let created = environment.get("SOURCE_DATE_EPOCH").filter(|_| is_dated).map(str::parse).transpose()?;
        Ok(DocumentSettings { sbom, provenance, created })
    }
}

/// Adds a line for each document: where it lies, or by which digest it refers to its image.
pub fn fields(documents: &[DocumentReport], page: &mut Page) {
    for document in documents {
        let (label, name) = match document.kind {
            DocumentKind::Cyclonedx => ("sbom", "CycloneDX"),
            DocumentKind::Spdx => ("sbom", "SPDX"),
            DocumentKind::Provenance => ("slsa", "provenance"),
        };
        let platform = document.platform.iter().map(|platform| platform.replace("linux/", ""));
        let referrer = document.referrer.clone();
        let paths = document.paths.iter().map(|path| path.display().to_string());
        let parts: Vec<String> = platform.chain(referrer).chain(paths).collect();
        page.field(label, &format!("{name}, {}", parts.join(", ")));
    }
}
