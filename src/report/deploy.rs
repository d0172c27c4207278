//! What `pybundle deploy` reports.

use schemars::JsonSchema;
use serde::Serialize;

use super::{DiffReport, ErrorReport, format_version};

/// What `pybundle deploy` reports.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeployReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The targets, ordered by their projects and names.
    pub(crate) targets: Vec<DeployedReport>,
    /// The layers, of which versions are published.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<DeployedLayerReport>,
    /// How long it took, in seconds.
    pub(crate) elapsed_seconds: f64,
}

/// The result for a target.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeployedReport {
    /// The target's name; in a workspace after its project's and a slash.
    pub(crate) name: String,
    /// The name or the ARN of the function.
    pub(crate) function: String,
    /// The alias; `null` if `$LATEST` is live.
    pub(crate) alias: Option<String>,
    /// The function's region; `null` if it is unknown.
    pub(crate) region: Option<String>,
    /// The result.
    #[serde(flatten)]
    pub(crate) outcome: DeployOutcome,
}

/// The result for a layer, whose versions are those of the layer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeployedLayerReport {
    /// The target's name; in a workspace after its project's and a slash.
    pub(crate) name: String,
    /// The name of the layer.
    pub(crate) layer: String,
    /// The layer's region; `null` if it is unknown.
    pub(crate) region: Option<String>,
    /// The result.
    #[serde(flatten)]
    pub(crate) outcome: DeployOutcome,
}

/// A layer of a function.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FunctionLayerReport {
    /// The ARN of the layer, without a version.
    pub(crate) layer: String,
    /// What happens to it.
    pub(crate) change: FunctionLayerChange,
    /// The version that the function then has; `null` if the layer is removed, or the version is not published yet.
    pub(crate) version: Option<u64>,
    /// The version that it had before; `null` if the layer is added.
    pub(crate) previous_version: Option<u64>,
}

/// What happens to a layer of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FunctionLayerChange {
    /// The function did not have it.
    Added,
    /// The function had another version.
    Updated,
    /// The project publishes it, and the function does not name it any more.
    Removed,
    /// The version stays, like layers that others added to the function.
    Kept,
}

/// The result for a target.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub(crate) enum DeployOutcome {
    /// The code is live.
    Deployed {
        /// The version that the alias points to.
        version: Option<String>,
        /// The version that it pointed to before.
        previous_version: Option<String>,
        /// The digest of the code, as Lambda reports it.
        code_sha256: String,
        /// How many bytes of the zip were sent.
        uploaded_bytes: u64,
        /// What happened to the function's layers: those that it has in their order, and then those that were removed.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        layers: Vec<FunctionLayerReport>,
    },
    /// The alias points to the version that it pointed to before the last deployment.
    RolledBack {
        /// That version.
        version: Option<String>,
        /// The version that it pointed to until now.
        previous_version: Option<String>,
    },
    /// The code was live already.
    Unchanged {
        /// The version that the alias points to.
        version: Option<String>,
        /// The digest of the code.
        code_sha256: String,
    },
    /// It would be deployed.
    Planned {
        /// The version that the alias points to now.
        version: Option<String>,
        /// The digest of the code that would be deployed.
        code_sha256: String,
        /// What would happen to the function's layers.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        layers: Vec<FunctionLayerReport>,
        /// How the zip that is live differs from it; `null` for images, and if the live one cannot be read.
        changes: Option<Box<DiffReport>>,
    },
    /// It was not deployed, because another target cannot be built or deployed.
    Skipped,
    /// It was not deployed.
    Failed {
        /// Why.
        error: ErrorReport,
    },
}
