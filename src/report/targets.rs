//! The reports of commands on several targets, or on the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BuildReport, DistributionReport, ErrorReport, ImagePlanReport, ImageReport, PlanReport, RequirementReport,
    format_version,
};

/// What `pybundle build` reports.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TargetsReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The targets, ordered by their projects and names.
    pub(crate) targets: Vec<BuiltReport>,
    /// How long it took, in seconds.
    pub(crate) elapsed_seconds: f64,
}

/// The result for a target.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BuiltReport {
    /// The target's name; in a workspace after its project's and a slash.
    pub(crate) name: String,
    /// The directory of its project.
    pub(crate) project: PathBuf,
    /// What it is built into: `lambda`, `layer` or `image`.
    pub(crate) kind: String,
    /// The result.
    #[serde(flatten)]
    pub(crate) outcome: TargetOutcome,
}

/// What `pybundle resolve` reports.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ResolvedReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The image of each target, with its digest, by the name in the files.
    pub(crate) images: BTreeMap<String, String>,
    /// The files with references replaced by images.
    pub(crate) text: String,
}

/// The result for a target.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum TargetOutcome {
    /// It was built.
    Built(Box<BuiltArtifact>),
    /// It would be built.
    Planned {
        /// What would be built.
        plan: Box<TargetPlan>,
    },
    /// It was not built, because nothing changed.
    Unchanged {
        /// Why that is known.
        reason: String,
        /// What it was built into before; absent with `--changed-since`, which does not read it.
        #[serde(flatten)]
        artifact: Option<Box<BuiltArtifact>>,
    },
    /// It could not be built.
    Failed {
        /// Why.
        error: ErrorReport,
    },
}

impl TargetOutcome {
    /// Returns what the target was built into, now or before.
    pub(crate) fn artifact(&self) -> Option<&BuiltArtifact> {
        match self {
            Self::Built(artifact) | Self::Unchanged { artifact: Some(artifact), .. } => Some(artifact),
            Self::Unchanged { artifact: None, .. } | Self::Planned { .. } | Self::Failed { .. } => None,
        }
    }
}

/// What a target was built into.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BuiltArtifact {
    /// A function, as `pybundle lambda` reports it.
    Lambda(BuildReport),
    /// An image, as `pybundle image` reports it.
    Image(ImageReport),
}

/// What a target would be built into.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Planned")]
pub(crate) enum TargetPlan {
    /// A function, as `pybundle plan` reports it.
    Lambda(PlanReport),
    /// An image, as `pybundle image --dry-run` reports it.
    Image(ImagePlanReport),
}

/// What `pybundle build --list` reports.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TargetListReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The targets, ordered by their projects and names.
    pub(crate) targets: Vec<ListedReport>,
}

/// A target that could be built.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ListedReport {
    /// The target's name; in a workspace after its project's and a slash.
    pub(crate) name: String,
    /// The target's name in its project.
    pub(crate) target: String,
    /// The directory of its project.
    pub(crate) project: PathBuf,
    /// What it is built into: `lambda`, `layer` or `image`.
    pub(crate) kind: String,
    /// Whether it would be built.
    pub(crate) changed: bool,
    /// Why, or why not.
    pub(crate) reason: Option<String>,
}

/// What `pybundle why` reports.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WhyReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The normalized name of the distribution.
    pub(crate) name: String,
    /// Why the targets get it: those that get it for the same reason together.
    pub(crate) targets: Vec<WhyTargetReport>,
    /// The targets that cannot be planned, for instance because their base cannot be read.
    pub(crate) failed: Vec<UnplannedTargetReport>,
}

/// A target that cannot be planned.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UnplannedTargetReport {
    /// The target's name.
    pub(crate) target: String,
    /// Why.
    pub(crate) error: ErrorReport,
}

/// Why targets get a distribution.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WhyTargetReport {
    /// The names of the targets; that of the project, if it has no targets.
    pub(crate) targets: Vec<String>,
    /// The distribution and everything that directly or indirectly requires it, ordered by name.
    pub(crate) distributions: Vec<DistributionReport>,
    /// The requirements of these distributions that have a condition.
    pub(crate) conditions: Vec<RequirementReport>,
}

/// What `pybundle config show` reports.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ConfigurationReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The project's pyproject.toml.
    pub(crate) path: PathBuf,
    /// The configuration of each target; for a project without targets, of each kind.
    pub(crate) targets: Vec<InForceReport>,
}

/// The configuration of a target.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InForceReport {
    /// The target's name; `null` for the configuration without a target.
    pub(crate) name: Option<String>,
    /// What it is built into: `lambda`, `layer` or `image`.
    pub(crate) kind: String,
    /// The targets that it extends, the nearest first.
    pub(crate) extends: Vec<String>,
    /// The values that are set, by their keys; with `--defaults` also the others, whose source is `default`.
    pub(crate) values: Vec<ValueReport>,
}

/// A value that is set.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ValueReport {
    /// The key.
    pub(crate) key: String,
    /// The value, without secrets.
    pub(crate) value: serde_json::Value,
    /// Where it is set; the last of several takes precedence.
    pub(crate) sources: Vec<String>,
}
