//! `pybundle run`: runs a function or an image on this machine.

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
use super::{profile_imports, run_image, watch};
use crate::audit::handler::Handler;
use crate::invoke::{
    self, EndedInvocation, FunctionError, InvocationOutcome, InvocationSettings, InvokeError, LARGEST_EVENT,
    LocalFunction,
};
use crate::lambda::configuration::FunctionMemory;
use crate::options::{CommonOptions, LambdaOptions, ProjectConfiguration, RunOptions, TargetKind};
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
    pub(super) event: Option<String>,
    /// Call this handler: MODULE.FUNCTION [default: the target's]
    #[arg(long, value_name = "HANDLER")]
    handler: Option<Handler>,
    /// Set an environment variable, or pass on the one of this environment
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<RunVariable>,
    #[command(flatten)]
    pub(super) limits: RunOptions,
    /// Run the function again after each edit of the project, until Ctrl-C
    ///
    /// After an edit, pybundle sends the event to a new process with the new code, which is forked from one that has imported
    /// the dependencies. If the project cannot be built, it prints the error and waits for the next edit. With --json, each run
    /// prints one document on one line.
    #[arg(long)]
    watch: bool,
    /// With --watch, start a new interpreter for each run
    ///
    /// This is for dependencies whose import depends on what the application does before it, such as setting variables.
    #[arg(long, requires = "watch")]
    no_fork: bool,
    /// Show how long each import takes when the function starts
    ///
    /// The function is started several times with `python -X importtime`, and gets no event. Times are medians. What may make it
    /// faster is tried and measured in the same way: bytecode, and imports inside of functions.
    #[arg(long, conflicts_with_all = ["watch", "event"])]
    profile_imports: bool,
    /// Run with Python of this Lambda runtime, such as 3.13 [default: the project's]
    #[arg(long, alias = "python", value_name = "NAME")]
    runtime: Option<String>,
    /// Build for this machine's architecture: x86_64 or arm64 [default: the target's]
    #[arg(long, value_name = "ARCH")]
    arch: Option<Architecture>,
    /// Connect the container of an image to this network of Docker or podman
    ///
    /// By default, the ports that the image exposes are published on the loopback interface of this machine.
    #[arg(long, value_name = "NETWORK")]
    pub(super) network: Option<String>,
    // After all others, to which its headings would apply.
    #[command(flatten)]
    pub(super) common: CommonOptions,
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

/// Builds a function or an image, and runs it. Prints the answer of a function.
///
/// # Errors
/// It cannot be built or started. If the function fails, the exit status is a failure.
pub(crate) fn run(arguments: RunArguments, global: &GlobalArguments, printer: &Printer) -> Result<ExitCode, CliError> {
    let projects = ProjectCache::default();
    if let Some(image) = arguments.image_target(&projects)? {
        return run_image::run_image(&arguments, image, global, &projects, printer);
    }
    if let Some(flag) = arguments.network.as_ref().map(|_| "--network") {
        let target =
            arguments.project.target.clone().unwrap_or_else(|| arguments.project.project.display().to_string());
        return Err(InvokeError::Flag { flag, target, kind: "not an image" }.into());
    }
    if arguments.profile_imports {
        return profile_imports::profile(&arguments, global, printer);
    }
    let event = event(arguments.event.as_deref())?;
    if arguments.watch {
        return watch::watch(&arguments, &event, global, printer.by_line());
    }
    let function = arguments.prepare(global, &projects, printer)?;
    let mut log = RecordedLog::new(*printer);
    let ended = invoke::invoke(&function, &event, &mut log)?;
    finish(RunSubject::of(&function), ended, log, None, printer)
}

/// What is run, for the report.
pub(super) struct RunSubject {
    pub(super) name: String,
    pub(super) handler: String,
    pub(super) runtime: String,
    /// How the run differs from one in Lambda.
    pub(super) differences: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// If it is configured.
    pub(super) memory: Option<FunctionMemory>,
}

impl RunSubject {
    pub(super) fn of(function: &LocalFunction) -> Self {
        Self {
            name: function.name().to_owned(),
            handler: function.handler().to_owned(),
            runtime: function.unpacked.profile.name.clone(),
            differences: function.differences(),
            warnings: function.warnings.clone(),
            memory: function.memory(),
        }
    }
}

impl RunArguments {
    /// Returns the target if it is an image: the named one, or the only one of a project without functions.
    ///
    /// # Errors
    /// The configuration of the project is invalid, or the target is a layer.
    fn image_target(&self, projects: &ProjectCache) -> Result<Option<ProjectArguments>, CliError> {
        let package = self.common.selection.package.as_ref();
        let located = self.project.clone().locate(package, projects)?;
        let configuration = ProjectConfiguration::read(&located.project, package, projects.workspaces())?;
        let of_kind = |wanted| configuration.targets().filter(move |(_, kind)| *kind == wanted).map(|(name, _)| name);
        let function = of_kind(TargetKind::Lambda).next().map(str::to_owned);
        let named = match (&located.target, of_kind(TargetKind::Image).collect::<Vec<_>>()[..].as_ref()) {
            (Some(name), _) => match configuration.kind(name)? {
                TargetKind::Lambda => None,
                TargetKind::Layer => return Err(InvokeError::Layer { name: name.clone(), function }.into()),
                TargetKind::Image => Some(name.clone()),
            },
            (None, [only]) if function.is_none() && self.handler.is_none() => Some((*only).to_owned()),
            (None, _) => None,
        };
        Ok(named.map(|name| ProjectArguments { target: Some(name), ..located }))
    }

    /// Returns a flag that only functions in zips have, if it is given.
    pub(super) fn flag_of_zips(&self) -> Option<&'static str> {
        let flags = [
            (self.handler.is_some(), "--handler"),
            (self.watch, "--watch"),
            (self.profile_imports, "--profile-imports"),
            (self.runtime.is_some(), "--runtime"),
            (self.arch.is_some(), "--arch"),
        ];
        flags.into_iter().find_map(|(is_given, flag)| is_given.then_some(flag))
    }

    /// Returns the variables of the function with their values.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        self.env.iter().cloned().filter_map(RunVariable::resolved).collect()
    }

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
        let options = self.options();
        let located = self.project.clone().locate(options.common.selection.package.as_ref(), projects)?;
        let (located, warning) = located.with_only_target(&options, projects, "run")?;
        let called = global.invocation(&located.project)?;
        let settings = located.resolve(&options, &called, projects)?.settings::<LambdaOptions>(&called)?;
        let variables = self.variables();
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
pub(super) fn event(argument: Option<&str>) -> Result<Vec<u8>, InvokeError> {
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
    if bytes.len() > LARGEST_EVENT {
        return Err(InvokeError::LargeEvent(bytes.len()));
    }
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
    subject: RunSubject,
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
        function: subject.name,
        handler: subject.handler,
        runtime: subject.runtime,
        differences: subject.differences,
        request_id: ended.request_id,
        outcome,
        initialization_seconds: seconds(ended.initialization),
        duration_seconds: seconds(ended.duration),
        edit_seconds: seconds(edited),
        peak_memory: ended.peak_memory,
        log: String::from_utf8_lossy(&log).into_owned(),
        warnings: subject.warnings,
    };
    if !printer.is_quiet() {
        printer.remark(&measured(&report));
    }
    let unlimited = report.peak_memory.filter(|peak| subject.memory.is_none() && *peak > DEFAULT_MEMORY.bytes());
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
