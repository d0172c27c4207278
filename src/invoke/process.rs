//! The process of a function.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::function::LocalFunction;
use super::runtime_api::RuntimeApi;
use super::{FunctionError, InvokeError, log};

/// The process groups of functions that run now.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Whether this process ends: how its functions end is not to be reported, since they are killed.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// How long what a function has printed is waited for after its end. Without a sandbox, a process that has left its process
/// group goes on, and may have its standard output open.
const LAST_LINES: Duration = Duration::from_millis(200);

/// The highest number of a signal (signal(7), `SIGRTMAX`).
const LAST_SIGNAL: i32 = 64;

/// Ends the processes of all functions, for the end of this one.
pub(crate) fn end_all() {
    IS_ENDING.store(true, Ordering::SeqCst);
    for group in std::mem::take(&mut *RUNNING.lock().unwrap_or_else(PoisonError::into_inner)) {
        kill(group);
    }
}

/// Kills a process and what it started: each function has a process group of its own.
fn kill(group: u32) {
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        // It may have ended already.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// What happens to a function.
#[derive(Debug)]
pub(super) enum ProcessEvent {
    /// The client asks for an event, so that the function is initialized.
    Ready,
    Answered(Vec<u8>),
    Failed(FunctionError),
    /// The process ended; how, unless it was without an error.
    Exited(Option<String>),
    /// A line that the function or its client printed.
    Log(Vec<u8>),
}

/// A running process of a function, with a server for its client.
pub(super) struct FunctionProcess {
    pub(super) api: RuntimeApi,
    id: u32,
    events: Receiver<ProcessEvent>,
    /// The thread that waits for its end.
    waiting: JoinHandle<()>,
}

impl FunctionProcess {
    /// Starts a function.
    ///
    /// # Errors
    /// The server or the process cannot be started.
    pub(super) fn start(function: &LocalFunction) -> Result<Self, InvokeError> {
        let (sender, events) = mpsc::channel();
        let api = RuntimeApi::start(&function.arn(), sender.clone()).map_err(InvokeError::Server)?;
        let mut command = function.command(api.address);
        let started = printed(&mut command).and_then(|printed| Ok((spawn(&mut command)?, printed)));
        let program = command.get_program().into();
        // The command has the writing end of the pipe, which would stay open.
        drop(command);
        let (mut child, printed) = started.map_err(|source| InvokeError::Start { program, source })?;
        let id = child.id();
        let is_sandboxed = function.is_sandboxed();
        let lines = sender.clone();
        thread::spawn(move || {
            log::read(printed, |line| {
                // Nobody listens any more if the invocation has ended.
                let _ = lines.send(ProcessEvent::Log(line));
            });
        });
        let waiting = thread::spawn(move || {
            let status = child.wait();
            RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            let how = status.ok().and_then(|status| describe(status, is_sandboxed));
            while IS_ENDING.load(Ordering::SeqCst) {
                thread::park();
            }
            let _ = sender.send(ProcessEvent::Exited(how));
        });
        Ok(Self { api, id, events, waiting })
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Waits for what happens next.
    ///
    /// # Errors
    /// Nothing happens for so long, or nothing can happen any more.
    pub(super) fn next(&self, timeout: Duration) -> Result<ProcessEvent, RecvTimeoutError> {
        self.events.recv_timeout(timeout)
    }

    /// Ends the process, and passes on what it has printed.
    ///
    /// # Errors
    /// That of `receive`.
    pub(super) fn end(self, mut receive: impl FnMut(&[u8]) -> Result<(), InvokeError>) -> Result<(), InvokeError> {
        kill(self.id);
        self.waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        drop(self.api);
        while let Ok(event) = self.events.recv_timeout(LAST_LINES) {
            if let ProcessEvent::Log(line) = event {
                receive(&line)?;
            }
        }
        Ok(())
    }
}

/// Makes a command print into one pipe, and returns its reading end.
fn printed(command: &mut Command) -> io::Result<io::PipeReader> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer).stdin(Stdio::null());
    Ok(reader)
}

/// Starts a command in a process group of its own, which [`end_all`] ends.
fn spawn(command: &mut Command) -> io::Result<Child> {
    // While the lock is held, a signal cannot miss the process.
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let child = command.process_group(0).spawn()?;
    running.insert(child.id());
    Ok(child)
}

/// Describes how a process ended, unless it was without an error. bubblewrap ends with the status that a shell gives for a
/// signal.
fn describe(status: ExitStatus, is_sandboxed: bool) -> Option<String> {
    // Higher statuses are none of a signal.
    let of_sandbox = status.code().filter(|code| is_sandboxed && (129..=128 + LAST_SIGNAL).contains(code));
    let signal = status.signal().or_else(|| of_sandbox.map(|code| code - 128));
    match (signal, status.code()) {
        (Some(signal), _) => Some(format!("signal {signal}")),
        (None, Some(0)) => None,
        (None, code) => Some(format!("exit status {}", code.unwrap_or_default())),
    }
}
