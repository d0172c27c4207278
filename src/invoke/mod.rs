//! Functions run on this machine, under AWS's own runtime client, as Lambda runs them.
//!
//! The client asks a [`RuntimeApi`] of ours for events, as it asks Lambda's
//! ([AWS, Using the Lambda runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html)). The process has the
//! artifact's own files, Lambda's paths where bubblewrap can provide them, and an environment that contains only Lambda's
//! variables and those that the user names.

mod client;
mod container;
mod edits;
mod error;
mod fork;
mod function;
mod log;
mod memory;
mod process;
mod profile;
mod runtime_api;
mod sandbox;
mod variables;
mod watch;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

pub(crate) use container::{LocalImage, find_engine};
pub(crate) use edits::EditedFiles;
pub(crate) use error::InvokeError;
pub(crate) use function::{InvocationSettings, LocalFunction};
pub(crate) use process::end_all;
pub(crate) use profile::{ImportProfile, ModuleOrigin, StartRemedy, profile_imports};
pub(crate) use watch::{Watched, watch};

use self::function::FunctionProgram;
use self::memory::PeakMemory;
use self::process::{FunctionProcess, ProcessEvent};
use self::runtime_api::RuntimeApi;
use crate::lambda::configuration::{FunctionMemory, FunctionTimeout};
use crate::settings::RunSettings;

/// How long the initialization of a function may take. Lambda stops it after 10 seconds, and does it again within the timeout
/// of the first invocation.
const LONGEST_INITIALIZATION: Duration = Duration::from_secs(10);

/// The largest event of a synchronous invocation, in bytes
/// ([AWS, Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)).
pub(crate) const LARGEST_EVENT: usize = 6 << 20;

/// How often the memory of a function is measured.
const MEASURED: Duration = Duration::from_millis(20);

/// How long what a process has printed is waited for after its end: another process may have its standard output open.
const LAST_LINES: Duration = Duration::from_millis(200);

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InvocationOutcome {
    /// What the function returned, which is JSON unless it returned bytes.
    Answered(Vec<u8>),
    Failed(FunctionError),
}

/// The error of a function, or why it did not answer, by Lambda's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionError {
    /// For instance `ValueError` or `Sandbox.Timedout`.
    pub(crate) kind: String,
    pub(crate) message: String,
    /// The frames, each with its line of code, the outermost first.
    pub(crate) stack_trace: Vec<String>,
}

impl FunctionError {
    fn new(kind: &str, message: String) -> Self {
        Self { kind: kind.to_owned(), message, stack_trace: Vec::new() }
    }
}

/// An invocation that ended.
#[derive(Debug)]
pub(crate) struct EndedInvocation {
    pub(crate) request_id: String,
    pub(crate) outcome: InvocationOutcome,
    /// From the start of the process until it asked for an event; `None` if it never did.
    pub(crate) initialization: Option<Duration>,
    /// From the event to the answer or the error; `None` if there was no invocation.
    pub(crate) duration: Option<Duration>,
    /// The largest memory of a process, in bytes, if the system tells.
    pub(crate) peak_memory: Option<u64>,
}

/// Starts a function, sends it one event, and ends it when it has answered. What it prints goes to `log`.
///
/// # Errors
/// It cannot be started, or the log cannot be written.
pub(crate) fn invoke(
    function: &LocalFunction,
    event: &[u8],
    log: &mut dyn Write,
) -> Result<EndedInvocation, InvokeError> {
    let (sender, events) = mpsc::channel();
    // Nobody listens any more when the invocation has ended.
    let emit = Arc::new(move |event| drop(sender.send(event)));
    let process = FunctionProcess::start(function, FunctionProgram::Client, emit)?;
    let id = process.id();
    let ended = attend(&process, &events, RunningInvocation::new(function.limits(), event), &mut || Some(id), log)?;
    process.end();
    // What it printed last may still be in the pipe.
    while let Ok(event) = events.recv_timeout(LAST_LINES) {
        if let ProcessEvent::Log(line) = event {
            write(log, &line)?;
        }
    }
    Ok(ended)
}

/// Sends an invocation to a process when it is initialized, and waits until it has ended. `measured` returns the process whose
/// memory counts, if it is known.
///
/// # Errors
/// The log cannot be written.
fn attend(
    process: &FunctionProcess,
    events: &Receiver<ProcessEvent>,
    mut invocation: RunningInvocation,
    measured: &mut dyn FnMut() -> Option<u32>,
    log: &mut dyn Write,
) -> Result<EndedInvocation, InvokeError> {
    let ended = loop {
        match events.recv_timeout(MEASURED) {
            Ok(ProcessEvent::Log(bytes)) => write(log, &bytes)?,
            Ok(event) => {
                if let Some(outcome) = invocation.handle(event, &process.api) {
                    break outcome;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(InvokeError::Disconnected),
        }
        if let Some(outcome) = invocation.check_limits(measured()) {
            break outcome;
        }
    };
    Ok(invocation.end(ended))
}

fn write(log: &mut dyn Write, bytes: &[u8]) -> Result<(), InvokeError> {
    match log.write_all(bytes).and_then(|()| log.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(InvokeError::Log(error)),
        _ => Ok(()),
    }
}

/// An invocation until it ends.
struct RunningInvocation<'a> {
    event: &'a [u8],
    request_id: String,
    timeout: FunctionTimeout,
    memory: Option<FunctionMemory>,
    started: Instant,
    initialization: Option<Duration>,
    /// When it got the event.
    invoked: Option<Instant>,
    peak: PeakMemory,
    measured: Instant,
}

impl<'a> RunningInvocation<'a> {
    fn new(limits: &RunSettings, event: &'a [u8]) -> Self {
        Self {
            event,
            request_id: runtime_api::request_id(),
            timeout: limits.timeout.unwrap_or(FunctionTimeout::DEFAULT),
            memory: limits.memory,
            started: Instant::now(),
            initialization: None,
            invoked: None,
            peak: PeakMemory::default(),
            measured: Instant::now(),
        }
    }

    /// Returns how the invocation ended, if an event of its process says so.
    fn handle(&mut self, event: ProcessEvent, api: &RuntimeApi) -> Option<InvocationOutcome> {
        match event {
            ProcessEvent::Ready if self.invoked.is_none() => {
                self.initialization = Some(self.started.elapsed());
                self.invoked = Some(Instant::now());
                api.invoke(&self.request_id, self.event, self.timeout.duration());
                None
            }
            ProcessEvent::Ready | ProcessEvent::Log(_) => None,
            ProcessEvent::Answered(bytes) => Some(InvocationOutcome::Answered(bytes)),
            ProcessEvent::Failed(error) => Some(InvocationOutcome::Failed(error)),
            ProcessEvent::Exited(how) => {
                let message = match how {
                    Some(how) => format!("the runtime exited with {how}"),
                    None => "the runtime exited without providing a reason".to_owned(),
                };
                Some(InvocationOutcome::Failed(FunctionError::new("Runtime.ExitError", message)))
            }
        }
    }

    /// Returns that the invocation ended if it takes too long or needs too much memory.
    fn check_limits(&mut self, process: Option<u32>) -> Option<InvocationOutcome> {
        let limit = self.timeout.duration();
        let (since, limit) = match self.invoked {
            Some(invoked) => (invoked, limit),
            None => (self.started, limit.max(LONGEST_INITIALIZATION)),
        };
        if since.elapsed() > limit {
            let what = if self.invoked.is_some() { "the task" } else { "the initialization" };
            let message = format!("{what} timed out after {:.2} seconds", limit.as_secs_f64());
            return Some(InvocationOutcome::Failed(FunctionError::new("Sandbox.Timedout", message)));
        }
        if self.measured.elapsed() >= MEASURED {
            process.into_iter().for_each(|process| self.peak.measure(process));
            self.measured = Instant::now();
        }
        let (used, memory) = (self.peak.bytes()?, self.memory?);
        (used > memory.bytes()).then(|| {
            let message = format!("the function used {} MB, more than its memory of {memory} MB", used >> 20);
            InvocationOutcome::Failed(FunctionError::new("Runtime.OutOfMemory", message))
        })
    }

    fn end(self, outcome: InvocationOutcome) -> EndedInvocation {
        EndedInvocation {
            request_id: self.request_id,
            outcome,
            initialization: self.initialization,
            duration: self.invoked.map(|invoked| invoked.elapsed()),
            peak_memory: self.peak.bytes(),
        }
    }
}
