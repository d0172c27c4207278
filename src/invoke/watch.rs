//! Runs a function anew after each edit.
//!
//! A process that has the dependencies imported forks one for each run ([`ForkServer`]), where the system allows it. A run
//! never sees code from before the edit: the files are replaced before its process exists, none of the application's code is in
//! the process that forks, and no bytecode of it is read or written.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

use super::edits::{Edit, EditedFiles};
use super::fork::{ForkEvent, ForkServer, ImportedModule};
use super::function::{FunctionProgram, FunctionUpdate, LocalFunction};
use super::process::{Emit, FunctionProcess, ProcessEvent};
use super::runtime_api::RuntimeApi;
use super::{EndedInvocation, InvocationOutcome, InvokeError, RunningInvocation};

/// How long the loop waits for what happens next before it looks for edits.
const TICK: Duration = Duration::from_millis(4);

/// How long nothing is edited after a run before the function is built in full, which audits it.
const QUIET: Duration = Duration::from_millis(300);

/// How long what a function printed before its answer may take to arrive after it.
const LAST_LINES: Duration = Duration::from_millis(5);

/// Lambda's name of a syntax error in the handler's module, or in one that it imports.
const SYNTAX_ERROR: &str = "Runtime.UserCodeSyntaxError";

/// What happens while a function is watched.
#[derive(Debug)]
pub(crate) enum Watched {
    /// The function printed a line.
    Printed(Vec<u8>),
    /// A build has another warning than the last one.
    Warned(String),
    /// A run ended; the time is from the edit until then.
    Ended(EndedInvocation, Option<Duration>),
    /// The function cannot be built as it is now.
    NotBuilt(InvokeError),
    /// From now on, each run starts a new process, and why.
    WithoutFork(String),
}

/// What happens to the processes.
#[derive(Debug)]
enum WatchEvent {
    /// In the run with this number.
    Process(u64, ProcessEvent),
    Fork(ForkEvent),
}

/// What follows an edit.
enum EditOutcome {
    /// A run, with the time of the edit.
    Run(Option<SystemTime>),
    /// The function cannot be built.
    Failed(InvokeError),
    /// The settings may be others, since an edit at this time.
    Configured(SystemTime),
}

/// Runs a function, and again after each edit. `with_fork` is whether processes may be forked. Returns the time
/// of an edit that may have changed the settings of the function.
///
/// # Errors
/// A process cannot be started, or what `show` returns.
pub(crate) fn watch<E: From<InvokeError>>(
    function: &mut LocalFunction,
    event: &[u8],
    with_fork: bool,
    edited: Option<SystemTime>,
    edits: &mut EditedFiles,
    show: &mut dyn FnMut(&LocalFunction, Watched) -> Result<(), E>,
) -> Result<SystemTime, E> {
    edits.watch(function.watched());
    let mut session = WatchSession::start(function, with_fork)?;
    let mut outcome = EditOutcome::Run(edited);
    loop {
        match outcome {
            EditOutcome::Run(edited) => session.run(function, event, edited, edits, show)?,
            EditOutcome::Failed(error) => show(function, Watched::NotBuilt(error))?,
            EditOutcome::Configured(time) => return Ok(time),
        }
        outcome = session.next(function, edits, show)?;
    }
}

/// The processes of a watched function. They end with this.
struct WatchSession {
    sender: Sender<WatchEvent>,
    events: Receiver<WatchEvent>,
    /// The process that forks; `None` if each run starts a new process.
    fork: Option<ForkServer>,
    /// The number of the present run.
    number: u64,
    /// An edit during a run.
    edit: Option<Edit>,
    /// Whether it ended the run.
    is_interrupted: bool,
    /// The error that the last edit has led to.
    error: Option<String>,
    /// Whether the function was built in full after the last edit.
    is_checked: bool,
    /// Whether the last run has shown a syntax error, which a build finds, too.
    has_shown_syntax_error: bool,
    /// The process of the last run, which stays as it would in Lambda.
    current: Option<RunProcess>,
    /// The server of the run before, whose client must not see that it ends.
    retired: Option<RuntimeApi>,
}

/// The process of a run.
enum RunProcess {
    Started(FunctionProcess),
    Forked(RuntimeApi),
}

impl Drop for WatchSession {
    fn drop(&mut self) {
        self.end_run();
        if let Some(fork) = self.fork.take() {
            fork.end();
        }
    }
}

impl WatchSession {
    fn start(function: &LocalFunction, with_fork: bool) -> Result<Self, InvokeError> {
        let (sender, events) = mpsc::channel();
        let mut session = Self {
            sender,
            events,
            fork: None,
            number: 0,
            edit: None,
            is_interrupted: false,
            error: None,
            // Files may have been edited since it was built, before they were watched.
            is_checked: false,
            has_shown_syntax_error: false,
            current: None,
            retired: None,
        };
        if with_fork {
            session.fork = Some(session.fork_server(function)?);
        }
        Ok(session)
    }

    fn fork_server(&self, function: &LocalFunction) -> Result<ForkServer, InvokeError> {
        let sender = self.sender.clone();
        ForkServer::start(function, move |event| {
            // Nobody listens any more when the function is not watched any more.
            let _ = sender.send(WatchEvent::Fork(event));
        })
    }

    /// Starts a process for a run, instead of that of the last one.
    fn process(&mut self, function: &LocalFunction) -> Result<RunProcess, InvokeError> {
        self.end_run();
        self.number += 1;
        let (number, sender) = (self.number, self.sender.clone());
        let emit: Emit = Arc::new(move |event| {
            let _ = sender.send(WatchEvent::Process(number, event));
        });
        if let Some(fork) = &mut self.fork {
            let api = RuntimeApi::start(&function.arn(), Arc::clone(&emit)).map_err(InvokeError::Server)?;
            if fork.run(number, api.address).is_ok() {
                return Ok(RunProcess::Forked(api));
            }
            self.fork = None;
        }
        FunctionProcess::start(function, FunctionProgram::Client, emit).map(RunProcess::Started)
    }

    /// Runs the function, and shows what comes of it, unless a file is edited before it ends.
    fn run<E: From<InvokeError>>(
        &mut self,
        function: &LocalFunction,
        event: &[u8],
        edited: Option<SystemTime>,
        edits: &mut EditedFiles,
        show: &mut dyn FnMut(&LocalFunction, Watched) -> Result<(), E>,
    ) -> Result<(), E> {
        let process = self.process(function)?;
        let mut invocation = RunningInvocation::new(function.limits(), event);
        let (api, id) = match (&process, &self.fork) {
            (RunProcess::Started(process), _) => (&process.api, process.id()),
            (RunProcess::Forked(api), fork) => (api, fork.as_ref().map_or(0, ForkServer::id)),
        };
        let mut outcome: Option<InvocationOutcome> = None;
        let mut modules = Vec::new();
        // A process that should not have been forked does not count, even if it has answered before that is known.
        while outcome.is_none() || self.fork.as_ref().is_some_and(|fork| fork.unconfirmed > 0) {
            match self.events.recv_timeout(TICK) {
                Ok(WatchEvent::Process(_, ProcessEvent::Log(line)) | WatchEvent::Fork(ForkEvent::Log(line))) => {
                    show(function, Watched::Printed(line))?;
                }
                Ok(WatchEvent::Process(number, event)) if number == self.number => {
                    outcome = outcome.or_else(|| invocation.handle(event, api));
                }
                Ok(WatchEvent::Fork(ForkEvent::Modules(imported))) => modules = imported,
                Ok(WatchEvent::Fork(ForkEvent::Exited(number, how))) if number == self.number => {
                    outcome = outcome.or_else(|| invocation.handle(ProcessEvent::Exited(how), api));
                }
                Ok(WatchEvent::Fork(ForkEvent::Imported(threads, modules))) => {
                    if let Some(why) = self.confirm(function, threads, &modules) {
                        show(function, Watched::WithoutFork(why))?;
                        return self.run(function, event, edited, edits, show);
                    }
                }
                Ok(WatchEvent::Fork(ForkEvent::Ended)) => {
                    self.fork = None;
                    outcome = outcome.or_else(|| invocation.handle(ProcessEvent::Exited(None), api));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(InvokeError::Disconnected.into()),
                // Of an earlier run, or of no interest now.
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            }
            outcome = outcome.or_else(|| invocation.check_limits(Some(id)));
            if outcome.is_none()
                && let Some(edit) = edits.edit()
            {
                // Other files, such as one that receives the log, do not end the run.
                let is_used = edit.files.iter().any(|file| function.uses(file));
                let earlier = self.edit.take().map(|earlier| earlier.files).unwrap_or_default();
                self.edit = Some(Edit { files: earlier.into_iter().chain(edit.files).collect(), time: edit.time });
                if is_used {
                    break;
                }
            }
        }
        let ended = outcome.map(|outcome| invocation.end(outcome));
        let is_answered = ended.as_ref().is_some_and(|ended| matches!(ended.outcome, InvocationOutcome::Answered(_)));
        self.current = Some(process);
        if !is_answered {
            self.end_run();
        }
        let Some(ended) = ended else {
            self.is_interrupted = true;
            return Ok(());
        };
        self.has_shown_syntax_error =
            matches!(&ended.outcome, InvocationOutcome::Failed(error) if error.kind == SYNTAX_ERROR);
        let since = edited.and_then(|edited| edited.elapsed().ok());
        while let Ok(event) = self.events.recv_timeout(LAST_LINES) {
            match event {
                WatchEvent::Process(_, ProcessEvent::Log(line)) | WatchEvent::Fork(ForkEvent::Log(line)) => {
                    show(function, Watched::Printed(line))?;
                }
                WatchEvent::Fork(ForkEvent::Modules(imported)) => modules = imported,
                WatchEvent::Fork(ForkEvent::Ended) => self.fork = None,
                WatchEvent::Fork(_) | WatchEvent::Process(..) => {}
            }
        }
        show(function, Watched::Ended(ended, since))?;
        self.import(function, &modules);
        Ok(())
    }

    /// Ends the process of the last run.
    fn end_run(&mut self) {
        match self.current.take() {
            Some(RunProcess::Started(process)) => process.end(),
            Some(RunProcess::Forked(api)) => {
                if let Some(fork) = &mut self.fork {
                    // If it has ended, the next run notices.
                    let _ = fork.end_run();
                }
                self.retired = Some(api);
            }
            None => {}
        }
    }

    /// Has the process that forks import the dependencies among these modules.
    fn import(&mut self, function: &LocalFunction, modules: &[ImportedModule]) {
        let Some(fork) = &mut self.fork else { return };
        let dependencies = modules.iter().filter(|(name, file)| name != "__main__" && !function.is_own(file));
        let names: Vec<String> = dependencies.map(|(name, _)| name.clone()).collect();
        // If it has ended, the next run notices.
        let _ = fork.import(&names);
    }

    /// Notes that the process that forks has imported what it was told to. Returns why there is none any more, if its processes
    /// would not be like new ones.
    fn confirm(&mut self, function: &LocalFunction, threads: usize, modules: &[ImportedModule]) -> Option<String> {
        if let Some(fork) = &mut self.fork {
            fork.unconfirmed = fork.unconfirmed.saturating_sub(1);
        }
        let why = unforkable(function, threads, modules)?;
        self.end_run();
        if let Some(fork) = self.fork.take() {
            fork.end();
        }
        Some(why)
    }

    /// Waits for the next edit that changes the function, and applies it.
    fn next<E: From<InvokeError>>(
        &mut self,
        function: &mut LocalFunction,
        edits: &mut EditedFiles,
        show: &mut dyn FnMut(&LocalFunction, Watched) -> Result<(), E>,
    ) -> Result<EditOutcome, E> {
        // A run that was ended by an edit is repeated, whatever the edit was.
        let mut is_due = std::mem::take(&mut self.is_interrupted);
        loop {
            let waiting = Instant::now();
            let edit = loop {
                if let Some(edit) = self.edit.take().or_else(|| edits.edit()) {
                    break Some(edit);
                }
                if !self.is_checked && waiting.elapsed() > QUIET {
                    break None;
                }
                match self.events.recv_timeout(TICK) {
                    Ok(event) => self.idle(event, function, show)?,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return Err(InvokeError::Disconnected.into()),
                }
            };
            let known = function.warnings.clone();
            let updated = function.update(edit.as_ref().map(|edit| &edit.files[..]));
            for warning in function.warnings.iter().filter(|warning| !known.contains(warning)) {
                show(function, Watched::Warned(warning.clone()))?;
            }
            edits.watch(function.watched());
            if function.writes_to_project() {
                edits.forget();
            }
            let time = edit.as_ref().map(|edit| edit.time);
            // What was not built is audited as soon as there is time.
            self.is_checked = edit.is_none() || updated.is_err() || function.writes_to_project();
            // What is repaired runs again, even if it is as before.
            is_due |= updated.is_ok() && self.error.take().is_some();
            match updated {
                Ok(FunctionUpdate::Nothing) if !is_due => {}
                Ok(FunctionUpdate::Nothing | FunctionUpdate::Files) => return Ok(EditOutcome::Run(time)),
                Ok(FunctionUpdate::Dependencies) => {
                    self.restart(function)?;
                    return Ok(EditOutcome::Run(time));
                }
                Ok(FunctionUpdate::NewModules(names)) => {
                    // One of them may hide what was imported under its name.
                    if self.fork.as_ref().is_some_and(|fork| names.iter().any(|name| fork.has_imported(name))) {
                        self.restart(function)?;
                    }
                    return Ok(EditOutcome::Run(time));
                }
                Ok(FunctionUpdate::Configuration) => {
                    return Ok(EditOutcome::Configured(time.unwrap_or_else(SystemTime::now)));
                }
                // The run after the last edit has shown the error, with the line.
                Err(error) if edit.is_none() && self.has_shown_syntax_error => self.error = Some(error.to_string()),
                Err(error) => {
                    let text = error.to_string();
                    // The file that receives the log may be a file of the project.
                    let is_of_user = edit.is_none_or(|edit| edit.files.iter().any(|file| function.uses(file)));
                    if is_of_user || self.error.replace(text.clone()).is_none_or(|earlier| earlier != text) {
                        self.error = Some(text);
                        return Ok(EditOutcome::Failed(error));
                    }
                }
            }
            is_due = false;
        }
    }

    /// Starts the process that forks again, if there is one.
    fn restart(&mut self, function: &LocalFunction) -> Result<(), InvokeError> {
        if let Some(fork) = self.fork.take() {
            self.current = None;
            fork.end();
            // What it has told is of no interest any more.
            while self.events.try_recv().is_ok() {}
            self.fork = Some(self.fork_server(function)?);
        }
        Ok(())
    }

    /// Handles what happens between two runs.
    fn idle<E: From<InvokeError>>(
        &mut self,
        event: WatchEvent,
        function: &LocalFunction,
        show: &mut dyn FnMut(&LocalFunction, Watched) -> Result<(), E>,
    ) -> Result<(), E> {
        match event {
            WatchEvent::Process(_, ProcessEvent::Log(line)) | WatchEvent::Fork(ForkEvent::Log(line)) => {
                show(function, Watched::Printed(line))
            }
            WatchEvent::Fork(ForkEvent::Modules(modules)) => {
                self.import(function, &modules);
                Ok(())
            }
            WatchEvent::Fork(ForkEvent::Imported(threads, modules)) => {
                let Some(why) = self.confirm(function, threads, &modules) else { return Ok(()) };
                show(function, Watched::WithoutFork(why))
            }
            WatchEvent::Fork(ForkEvent::Ended) => {
                self.fork = None;
                Ok(())
            }
            WatchEvent::Fork(ForkEvent::Exited(..)) | WatchEvent::Process(..) => Ok(()),
        }
    }
}

/// Returns why processes that are forked from one with these threads and modules would not be like new ones, if so.
fn unforkable(function: &LocalFunction, threads: usize, modules: &[ImportedModule]) -> Option<String> {
    if threads > 1 {
        return Some("the dependencies start threads when they are imported".to_owned());
    }
    let (name, _) = modules.iter().find(|(_, file)| function.is_own(file))?;
    Some(format!("the dependencies import {name}, which belongs to the application"))
}
