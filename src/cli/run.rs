//! `pybundle run`: runs a function on this machine.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::arguments::{GlobalArguments, ProjectArguments};
use super::environment;
use super::error::CliError;
use super::printer::Printer;
use super::progress::ProgressReporter;
use super::{profile_imports, watch};
use crate::audit::handler::Handler;
use crate::invoke::{
    self, EndedInvocation, FunctionError, InvocationOutcome, InvocationSettings, InvokeError, LocalFunction,
};
use crate::lambda::configuration::FunctionMemory;
use crate::options::{CommonOptions, LambdaOptions, RunOptions};
use crate::pipeline::ProjectCache;
use crate::platform::Architecture;
use crate::report::{ErrorReport, FORMAT_VERSION, FunctionErrorReport, Reporter, RunOutcome, RunReport};

/// The memory of a function that is not configured.
const DEFAULT_MEMORY: FunctionMemory = FunctionMemory::DEFAULT;

/// Arguments of `pybundle run`.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Send this event: a JSON file, JSON, or `-` for standard input [default: {}]
    #[arg(short, long, value_name = "FILE|JSON")]
    event: Option<String>,
    /// Call this handler: MODULE.FUNCTION [default: the target's]
    #[arg(long, value_name = "HANDLER")]
    handler: Option<Handler>,
    /// Set a variable of the function, or pass on that of this environment
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<RunVariable>,
    #[command(flatten)]
    limits: RunOptions,
    /// Run the function again after each edit of the project, until Ctrl-C
    ///
    /// The event is sent to a new process with the code after the edit. The process is forked from one that has imported the
    /// dependencies. If the project cannot be built, the error is printed, and the next edit is waited for. With --json, each
    /// run prints one document on one line.
    #[arg(long)]
    watch: bool,
    /// With --watch, start a new interpreter for each run
    ///
    /// For dependencies that depend on what the application does before it imports them.
    #[arg(long, requires = "watch")]
    no_fork: bool,
    /// Show what each import costs when the function starts, instead of an answer
    ///
    /// The function is started several times with `python -X importtime`, and gets no event. Times are medians. What may help is
    /// measured in the same way: bytecode, and imports of the application that only its functions need.
    #[arg(long, conflicts_with_all = ["watch", "event"])]
    profile_imports: bool,
    /// Run with Python of this Lambda runtime, such as 3.13 [default: the project's]
    #[arg(long, alias = "python", value_name = "NAME")]
    runtime: Option<String>,
    /// Build for this architecture, that of this machine [default: the target's]
    #[arg(long, value_name = "ARCH")]
    arch: Option<Architecture>,
    #[command(flatten)]
    common: CommonOptions,
}

/// A variable of a function. Its value may be a secret.
#[derive(Clone)]
struct RunVariable {
    name: String,
    /// `None` for the value in the environment of pybundle.
    value: Option<String>,
}

impl std::fmt::Debug for RunVariable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RunVariable").field("name", &self.name).finish_non_exhaustive()
    }
}

impl FromStr for RunVariable {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() || text.contains('\0') {
            return Err("expected NAME or NAME=VALUE");
        }
        Ok(Self { name: name.to_owned(), value })
    }
}

impl RunVariable {
    /// Returns the name and the value; `None` if this environment does not have it.
    fn resolved(self) -> Option<(String, String)> {
        let value = self.value.or_else(|| environment::variable(&self.name))?;
        Some((self.name, value))
    }
}

/// Builds a function, runs it, and prints its answer.
///
/// # Errors
/// It cannot be built or started. If the function fails, the exit status is a failure.
pub(crate) fn run(arguments: RunArguments, global: &GlobalArguments, printer: &Printer) -> Result<ExitCode, CliError> {
    if arguments.profile_imports {
        return profile_imports::profile(&arguments, global, printer);
    }
    let event = event(arguments.event.as_deref())?;
    if arguments.watch {
        return watch::watch(&arguments, &event, global, printer.by_line());
    }
    let function = arguments.prepare(global, &ProjectCache::default(), printer)?;
    let mut log = RecordedLog::new(*printer);
    let ended = invoke::invoke(&function, &event, &mut log)?;
    finish(&function, ended, log, None, printer)
}

impl RunArguments {
    /// Builds the function, and prints how it differs from one in Lambda.
    ///
    /// # Errors
    /// It cannot be built.
    pub(super) fn prepare(
        &self,
        global: &GlobalArguments,
        projects: &ProjectCache,
        printer: &Printer,
    ) -> Result<LocalFunction, CliError> {
        let (settings, warning) = self.project.clone().settings(&self.options(), global, projects)?;
        let variables = self.env.iter().cloned().filter_map(RunVariable::resolved).collect();
        let progress = ProgressReporter::new(printer);
        warning.iter().for_each(|warning| progress.warn(warning));
        // Bytecode of the application does not follow edits.
        let with_bytecode = !self.watch;
        let invocation = InvocationSettings { variables };
        let mut function = LocalFunction::prepare(settings, invocation, with_bytecode, projects, &progress)?;
        function.warnings = progress.into_warnings();
        if !printer.is_quiet() {
            printer.remark(&format!("differs from Lambda: {}", function.differences().join(", ")));
        }
        Ok(function)
    }

    /// Returns whether the processes of a watched function may be forked.
    pub(super) fn forks(&self) -> bool {
        !self.no_fork
    }

    /// Returns the options of the function.
    fn options(&self) -> LambdaOptions {
        let mut options = LambdaOptions { common: self.common.clone(), ..LambdaOptions::default() };
        options.function.handler.clone_from(&self.handler);
        options.function.zip.runtime.clone_from(&self.runtime);
        options.function.zip.arch = self.arch;
        options.run = self.limits.clone();
        options
    }
}

/// Returns the bytes of an event, which must be JSON.
///
/// # Errors
/// The file cannot be read, or is not JSON.
fn event(argument: Option<&str>) -> Result<Vec<u8>, InvokeError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| InvokeError::ReadEvent { path, source }
    };
    let (bytes, origin) = match argument {
        None => (b"{}".to_vec(), None),
        Some("-") => {
            let mut bytes = Vec::new();
            let path = PathBuf::from("standard input");
            io::stdin().read_to_end(&mut bytes).map_err(failed(&path))?;
            (bytes, Some(path))
        }
        // No file is named so.
        Some(text) if text.trim_start().starts_with(['{', '[', '"']) => (text.as_bytes().to_vec(), None),
        // A number, `true`, `false` or `null`, unless it is a file.
        Some(text) if is_json(text.as_bytes()) && !Path::new(text).exists() => (text.as_bytes().to_vec(), None),
        Some(path) => (fs::read(path).map_err(failed(Path::new(path)))?, Some(path.into())),
    };
    // Lambda accepts no other encoding.
    let text = str::from_utf8(&bytes).map_err(serde::de::Error::custom);
    match text.and_then(serde_json::from_str::<serde::de::IgnoredAny>) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(InvokeError::Event { origin, source }),
    }
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// Prints what a function prints on standard error, and keeps it for the report.
pub(super) struct RecordedLog {
    printer: Printer,
    text: Vec<u8>,
}

impl RecordedLog {
    pub(super) fn new(printer: Printer) -> Self {
        Self { printer, text: Vec::new() }
    }

    /// Ends the last line, so that what follows begins one, and returns the text.
    ///
    /// # Errors
    /// Standard error cannot be written.
    pub(super) fn end(self) -> Result<Vec<u8>, InvokeError> {
        if self.text.last().is_some_and(|byte| *byte != b'\n') {
            self.printer.foreign(b"\n").map_err(InvokeError::Log)?;
        }
        Ok(self.text)
    }
}

impl Write for RecordedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        self.printer.foreign(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns an answer as JSON, or else as text.
fn answer(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into())
}

/// Prints the answer of a run on standard output, as the function returned it, or the error on standard error.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn finish(
    function: &LocalFunction,
    ended: EndedInvocation,
    log: RecordedLog,
    edited: Option<Duration>,
    printer: &Printer,
) -> Result<ExitCode, CliError> {
    let log = log.end()?;
    let (outcome, raw) = match ended.outcome {
        InvocationOutcome::Answered(mut bytes) => {
            let outcome = RunOutcome::Answered { answer: answer(&bytes) };
            bytes.push(b'\n');
            (outcome, bytes)
        }
        InvocationOutcome::Failed(error) => (RunOutcome::Failed { error: error_report(error) }, Vec::new()),
    };
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let report = RunReport {
        format: FORMAT_VERSION,
        function: function.name().to_owned(),
        handler: function.handler().to_owned(),
        runtime: function.unpacked.profile.name.clone(),
        differences: function.differences(),
        request_id: ended.request_id,
        outcome,
        initialization_seconds: seconds(ended.initialization),
        duration_seconds: seconds(ended.duration),
        edit_seconds: seconds(edited),
        peak_memory: ended.peak_memory,
        log: String::from_utf8_lossy(&log).into_owned(),
        warnings: function.warnings.clone(),
    };
    if !printer.is_quiet() {
        printer.remark(&measured(&report));
    }
    let unlimited = report.peak_memory.filter(|peak| function.memory().is_none() && *peak > DEFAULT_MEMORY.bytes());
    if let Some(peak) = unlimited {
        let message = format!(
            "the function used {} MB, more than Lambda's default of {DEFAULT_MEMORY} MB: configure more there, and with the key `memory`",
            peak >> 20
        );
        printer.warning("", &message);
    }
    printer.bytes(&report, &raw)?;
    let RunOutcome::Failed { error } = &report.outcome else { return Ok(ExitCode::SUCCESS) };
    show_failure(&report.function, error, printer);
    Ok(ExitCode::FAILURE)
}

pub(super) fn error_report(error: FunctionError) -> FunctionErrorReport {
    let FunctionError { kind, message, stack_trace } = error;
    FunctionErrorReport { kind, message, stack_trace }
}

/// Prints the error of a function on standard error.
pub(super) fn show_failure(function: &str, error: &FunctionErrorReport, printer: &Printer) {
    let failure = ErrorReport {
        message: if error.message.is_empty() {
            error.kind.clone()
        } else {
            format!("{}: {}", error.kind, error.message)
        },
        causes: Vec::new(),
        hints: hints(&error.kind),
    };
    printer.failures(&[(function, &failure)]);
}

/// Returns what the user can do about an error that Lambda names.
fn hints(kind: &str) -> Vec<String> {
    let hint = match kind {
        "Sandbox.Timedout" => "allow more time with --timeout, or with the key `timeout` of the target",
        "Runtime.OutOfMemory" => "allow more memory with --memory, or with the key `memory` of the target",
        _ => return Vec::new(),
    };
    vec![hint.to_owned()]
}

/// Returns the line about times and memory.
fn measured(report: &RunReport) -> String {
    let time = |seconds: f64| format!("{:.0} ms", seconds * 1000.0);
    let parts = [
        report.initialization_seconds.map(|seconds| format!("initialized in {}", time(seconds))),
        report.duration_seconds.map(|seconds| format!("ran for {}", time(seconds))),
        report.edit_seconds.map(|seconds| format!("{} after the edit", time(seconds))),
        report.peak_memory.map(|bytes| format!("used {} MB", bytes >> 20)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
