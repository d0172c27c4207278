//! What `pybundle run` reports.

use schemars::JsonSchema;
use serde::Serialize;

use super::format_version;

/// What `pybundle run` reports about a function.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunReport {
    /// The version of the document's form.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The name of the function: that in Lambda, or else that of the target or the project.
    pub(crate) function: String,
    /// The handler, as MODULE.FUNCTION.
    pub(crate) handler: String,
    /// The Lambda runtime, for instance `python3.13`.
    pub(crate) runtime: String,
    /// How this run differs from one in Lambda.
    pub(crate) differences: Vec<String>,
    /// The ID of the request, as the function sees it.
    pub(crate) request_id: String,
    /// What came of it.
    #[serde(flatten)]
    pub(crate) outcome: RunOutcome,
    /// How long the initialization took, in seconds; none if it failed.
    pub(crate) initialization_seconds: Option<f64>,
    /// How long the invocation took, in seconds; none if there was none.
    pub(crate) duration_seconds: Option<f64>,
    /// With `--watch`, how long after the edit it ended, in seconds; none for the first run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) edit_seconds: Option<f64>,
    /// The largest memory of one of its processes, in bytes; none if the system does not tell.
    pub(crate) peak_memory: Option<u64>,
    /// What the function printed.
    pub(crate) log: String,
    /// What was warned of.
    pub(crate) warnings: Vec<String>,
}

/// What came of an invocation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub(crate) enum RunOutcome {
    /// The function answered.
    Answered {
        /// What it returned; text if that is not JSON.
        answer: serde_json::Value,
    },
    /// The function failed, or did not answer.
    Failed {
        /// Why.
        error: FunctionErrorReport,
    },
}

/// The error of a function.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FunctionErrorReport {
    /// The name of the exception, or Lambda's name of what happened.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What it says.
    pub(crate) message: String,
    /// The frames, each with its line of code, the outermost first.
    pub(crate) stack_trace: Vec<String>,
}
