//! A process that has imported the dependencies of a function, and forks one that has the application's code for each run.
//!
//! What it is told and what it tells is described in `pybundle_fork.py`, which it runs.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::thread::{self, JoinHandle};

use super::function::{FunctionProgram, LocalFunction};
use super::process;
use super::{InvokeError, log};

/// A module that a process has imported: its name and its file, as the process sees it.
pub(super) type ImportedModule = (String, String);

/// What the process tells.
#[derive(Debug)]
pub(super) enum ForkEvent {
    /// The function of the run with this number has imported these modules.
    Modules(Vec<ImportedModule>),
    /// How many threads the process has now, and what it has imported.
    Imported(usize, Vec<ImportedModule>),
    /// The function of a run ended; how, unless it was without an error.
    Exited(u64, Option<String>),
    /// A line that the function printed.
    Log(Vec<u8>),
    /// The process itself ended.
    Ended,
}

/// A running process that forks functions.
pub(super) struct ForkServer {
    id: u32,
    commands: ChildStdin,
    /// The modules that it was told to import.
    requested: BTreeSet<String>,
    /// How many of these requests it has not answered yet.
    pub(super) unconfirmed: usize,
    waiting: JoinHandle<()>,
}

impl ForkServer {
    /// Starts the process. What it tells becomes events.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn start(
        function: &LocalFunction,
        tell: impl Fn(ForkEvent) + Clone + Send + 'static,
    ) -> Result<Self, InvokeError> {
        let mut command = function.command(FunctionProgram::Fork);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let program = command.get_program().into();
        let started = io::pipe().and_then(|(printed, writer)| Ok((process::spawn(command.stderr(writer))?, printed)));
        // The command has the writing end of the pipe, which would stay open.
        drop(command);
        let (mut child, printed) = started.map_err(|source| InvokeError::Start { program, source })?;
        let (Some(commands), Some(told)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(InvokeError::Disconnected);
        };
        let id = child.id();
        let [on_line, on_log] = [tell.clone(), tell.clone()];
        thread::spawn(move || listen(told, on_line));
        thread::spawn(move || log::read(printed, |line| on_log(ForkEvent::Log(line))));
        let waiting = thread::spawn(move || {
            process::wait(&mut child);
            tell(ForkEvent::Ended);
        });
        Ok(Self { id, commands, requested: BTreeSet::new(), unconfirmed: 0, waiting })
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Starts a run of the function; one that has not ended is ended.
    ///
    /// # Errors
    /// The process has ended.
    pub(super) fn run(&mut self, number: u64, api: SocketAddr) -> io::Result<()> {
        writeln!(self.commands, "run {number} {api}")
    }

    /// Ends the run of the function.
    ///
    /// # Errors
    /// The process has ended.
    pub(super) fn end_run(&mut self) -> io::Result<()> {
        writeln!(self.commands, "end")
    }

    /// Imports modules that were not requested before.
    ///
    /// # Errors
    /// The process has ended.
    pub(super) fn import(&mut self, modules: &[String]) -> io::Result<()> {
        let new: Vec<&String> = modules.iter().filter(|module| !self.requested.contains(*module)).collect();
        if new.is_empty() {
            return Ok(());
        }
        writeln!(self.commands, "import {}", serde_json::to_string(&new)?)?;
        self.unconfirmed += 1;
        self.requested.extend(new.into_iter().cloned());
        Ok(())
    }

    /// Tells whether a module of this name, or one below it, was imported.
    pub(super) fn has_imported(&self, top: &str) -> bool {
        self.requested.iter().any(|module| module.split('.').next() == Some(top))
    }

    /// Ends the process with its runs.
    pub(super) fn end(self) {
        process::kill(self.id);
        drop(self.commands);
        self.waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
}

/// Reads what the process tells.
fn listen(told: ChildStdout, tell: impl Fn(ForkEvent)) {
    for line in BufReader::new(told).lines().map_while(Result::ok) {
        if let Some(event) = parse(&line) {
            tell(event);
        }
    }
}

/// Reads a line; `None` if it is not one that the process tells.
fn parse(line: &str) -> Option<ForkEvent> {
    let (what, rest) = line.split_once(' ')?;
    Some(match what {
        "modules" => ForkEvent::Modules(serde_json::from_str(rest).ok()?),
        "imported" => {
            let (threads, modules) = rest.split_once(' ')?;
            ForkEvent::Imported(threads.parse().ok()?, serde_json::from_str(modules).ok()?)
        }
        "exited" => {
            let (number, status) = rest.split_once(' ')?;
            ForkEvent::Exited(number.parse().ok()?, describe(status.parse().ok()?))
        }
        _ => return None,
    })
}

/// Describes how a run ended, unless it was without an error: a negative status is a signal.
fn describe(status: i32) -> Option<String> {
    match status {
        0 => None,
        1.. => Some(format!("exit status {status}")),
        _ => Some(format!("signal {}", -status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        assert!(matches!(parse("exited 7 -9"), Some(ForkEvent::Exited(7, Some(how))) if how == "signal 9"));
        assert!(matches!(parse("exited 8 0"), Some(ForkEvent::Exited(8, None))));
        assert!(
            matches!(parse("imported 2 [[\"a\",\"/a.py\"]]"), Some(ForkEvent::Imported(2, modules)) if modules.len() == 1)
        );
        for line in ["", "exited", "exited x 1", "modules [", "surprise 1"] {
            assert!(parse(line).is_none(), "{line}");
        }
    }
}
