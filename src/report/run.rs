//! What `pybundle run` reports.

use schemars::JsonSchema;
use serde::Serialize;

use super::format_version;

/// What `pybundle run` reports about a function.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunReport {
    /// The version of the document's format.
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
    /// The result.
    #[serde(flatten)]
    pub(crate) outcome: RunOutcome,
    /// How long the initialization took, in seconds; `null` if it failed.
    pub(crate) initialization_seconds: Option<f64>,
    /// How long the invocation took, in seconds; `null` if there was none.
    pub(crate) duration_seconds: Option<f64>,
    /// With `--watch`, how long after the edit it ended, in seconds; absent for the first run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) edit_seconds: Option<f64>,
    /// The largest memory of one of its processes, in bytes; `null` if the system does not report it.
    pub(crate) peak_memory: Option<u64>,
    /// What the function printed.
    pub(crate) log: String,
    /// The warnings.
    pub(crate) warnings: Vec<String>,
}

/// The result of an invocation.
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

/// What `pybundle run --profile-imports` reports about the start of a function.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ImportProfileReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The name of the function: that in Lambda, or else that of the target or the project.
    pub(crate) function: String,
    /// The handler, as MODULE.FUNCTION.
    pub(crate) handler: String,
    /// The Lambda runtime, for instance `python3.13`.
    pub(crate) runtime: String,
    /// How these starts differ from those in Lambda.
    pub(crate) differences: Vec<String>,
    /// Whether the function can be initialized.
    #[serde(flatten)]
    pub(crate) outcome: StartOutcome,
    /// How many starts all times are medians of.
    pub(crate) starts: usize,
    /// How long the initialization takes, in seconds, while CPython measures the imports; `null` if it failed.
    pub(crate) initialization_seconds: Option<f64>,
    /// How long the imports of the handler's module take, in seconds. The rest is the interpreter and the client.
    pub(crate) import_seconds: f64,
    /// The modules, by their own time, the largest first.
    pub(crate) modules: Vec<ModuleTimeReport>,
    /// What makes the start faster, as measured, or the artifact smaller.
    pub(crate) remedies: Vec<StartRemedyReport>,
    /// What the function printed at its first start.
    pub(crate) log: String,
    /// The warnings.
    pub(crate) warnings: Vec<String>,
}

/// The result of the starts of a function.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub(crate) enum StartOutcome {
    /// The function requested an event.
    Initialized,
    /// The function failed before. The modules are those that it had imported by then.
    Failed {
        /// Why.
        error: FunctionErrorReport,
    },
}

/// The time of a module, as CPython measures it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ModuleTimeReport {
    /// The dotted name.
    pub(crate) name: String,
    /// Its own time in seconds, without what it imports.
    pub(crate) self_seconds: f64,
    /// The time in seconds with what it imports, unless another module has imported that before.
    pub(crate) cumulative_seconds: f64,
    /// The module that imports it first; `null` for the handler's.
    pub(crate) imported_by: Option<String>,
    /// What it belongs to.
    pub(crate) owner: ModuleOwner,
    /// The distribution with its version, if it belongs to one.
    pub(crate) distribution: Option<String>,
}

/// What a module belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModuleOwner {
    /// The application, or a project of its workspace.
    Application,
    /// Another distribution.
    Distribution,
    /// CPython.
    StandardLibrary,
    /// It has no file that is known, such as a module that is missing.
    Unknown,
}

/// What makes a function start faster, or smaller.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum StartRemedyReport {
    /// `--compile-bytecode`.
    Bytecode {
        /// How long the initialization takes with it, in seconds.
        initialization_seconds: f64,
        /// How much larger the unpacked files are, in bytes.
        size: u64,
    },
    /// An import that only functions need.
    LazyImport {
        /// The path of the module in the function.
        path: String,
        /// The line, from 1.
        line: usize,
        /// The statement, on one line.
        statement: String,
        /// How long the initialization takes without it, in seconds.
        initialization_seconds: f64,
    },
    /// `--exclude-runtime`.
    ExcludeRuntime {
        /// The distributions that the runtime provides, with their versions here.
        distributions: Vec<String>,
        /// How large their unpacked files are, in bytes.
        size: u64,
    },
}
