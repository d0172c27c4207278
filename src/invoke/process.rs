//! The process of a function.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process_group};

use super::function::{FunctionProgram, LocalFunction};
use super::runtime_api::RuntimeApi;
use super::{FunctionError, InvokeError, container, log};

/// The process groups of functions that run now.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Whether this process ends: how its functions end is not to be reported, since they are killed.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// The highest number of a signal (signal(7), `SIGRTMAX`).
const LAST_SIGNAL: i32 = 64;

/// Ends the processes of all functions, for the end of this one.
pub(crate) fn end_all() {
    IS_ENDING.store(true, Ordering::SeqCst);
    for group in std::mem::take(&mut *RUNNING.lock().unwrap_or_else(PoisonError::into_inner)) {
        kill(group);
    }
    container::remove_all();
}

/// Kills a process and what it started: each function has a process group of its own.
pub(super) fn kill(group: u32) {
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

/// Receives what happens to a function, from several threads.
pub(super) type Emit = Arc<dyn Fn(ProcessEvent) + Send + Sync>;

/// A running process of a function, with a server for its client.
pub(super) struct FunctionProcess {
    pub(super) api: RuntimeApi,
    id: u32,
    waiting: JoinHandle<()>,
}

impl FunctionProcess {
    /// Starts a program with a function, for the address of a server. What happens to it is emitted.
    ///
    /// # Errors
    /// The server or the process cannot be started.
    pub(super) fn start(
        function: &LocalFunction,
        program: fn(SocketAddr) -> FunctionProgram,
        emit: Emit,
    ) -> Result<Self, InvokeError> {
        let command = |api| Ok(function.command(program(api)));
        Self::start_command(&function.arn(), command, function.is_sandboxed(), emit)
    }

    /// Starts the command that `command` returns for the address of a server. `is_sandboxed` says whether it ends with the status
    /// that a shell gives for a signal.
    ///
    /// # Errors
    /// The server or the process cannot be started, or that of `command`.
    pub(super) fn start_command(
        function_arn: &str,
        command: impl FnOnce(SocketAddr) -> Result<Command, InvokeError>,
        is_sandboxed: bool,
        emit: Emit,
    ) -> Result<Self, InvokeError> {
        let api = RuntimeApi::start(function_arn, Arc::clone(&emit)).map_err(InvokeError::Server)?;
        let mut command = command(api.address)?;
        let started = printed(&mut command).and_then(|printed| Ok((spawn(&mut command)?, printed)));
        let program = command.get_program().into();
        // The command has the writing end of the pipe, which would stay open.
        drop(command);
        let (mut child, printed) = started.map_err(|source| InvokeError::Start { program, source })?;
        let id = child.id();
        let lines = Arc::clone(&emit);
        thread::spawn(move || log::read(printed, |line| lines(ProcessEvent::Log(line))));
        let waiting = thread::spawn(move || {
            let how = wait(&mut child).and_then(|status| describe(status, is_sandboxed));
            emit(ProcessEvent::Exited(how));
        });
        Ok(Self { api, id, waiting })
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Ends the process. What it has printed may still be emitted for a moment.
    pub(super) fn end(self) {
        kill(self.id);
        self.waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
}

/// Waits for the end of a process that [`spawn`] has started.
pub(super) fn wait(child: &mut Child) -> Option<ExitStatus> {
    let status = child.wait();
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&child.id());
    while IS_ENDING.load(Ordering::SeqCst) {
        thread::park();
    }
    status.ok()
}

/// Makes a command print into one pipe, and returns its reading end.
fn printed(command: &mut Command) -> io::Result<io::PipeReader> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer).stdin(Stdio::null());
    Ok(reader)
}

/// Starts a command in a process group of its own, which [`end_all`] ends.
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
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
