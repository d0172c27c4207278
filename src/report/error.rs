//! The report of a failure.

use std::error::Error;

use schemars::JsonSchema;
use serde::Serialize;

use super::format_version;
use crate::hints::Hints;
use crate::redact;

/// Causes that say nothing: reqwest and hyper name the stages of a request in a chain of errors around the one that failed.
const STAGES_OF_REQUESTS: [&str; 8] = [
    "error sending request",
    "client error (Connect)",
    "client error (SendRequest)",
    "dns error",
    "error resolving DNS",
    "tcp connect error",
    "tunnel error: failed to create underlying connection",
    "tunnel error: unsuccessful",
];

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ErrorReport {
    /// What failed, and where.
    pub(crate) message: String,
    /// The causes, the nearest first; each without what the one before says already.
    pub(crate) causes: Vec<String>,
    /// What to do about it.
    pub(crate) hints: Vec<String>,
}

/// What is printed with `--json` if a command fails.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct FailureReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// Why it failed.
    pub(crate) error: ErrorReport,
}

impl ErrorReport {
    /// Reports an error with its causes and hints, without passwords: a message may quote an address that has one.
    pub(crate) fn new(error: &(impl Error + Hints)) -> Self {
        let message = redact::text(&error.to_string());
        let mut causes = Vec::new();
        let mut last = message.clone();
        for cause in std::iter::successors(error.source(), |error| (*error).source()) {
            let text = redact::text(&cause.to_string());
            if STAGES_OF_REQUESTS.contains(&text.as_str()) {
                continue;
            }
            if !last.contains(&text) {
                causes.push(text.clone());
            }
            last = text;
        }
        let hints = error.hints().iter().map(|hint| redact::text(hint)).collect();
        Self { message, causes, hints }
    }
}
