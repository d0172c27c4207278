//! `pybundle run --watch`: runs a function again after each edit.

use std::io::Write;
use std::process::ExitCode;

use super::arguments::GlobalArguments;
use super::error::CliError;
use super::printer::Printer;
use super::run::{self, RecordedLog, RunArguments, RunSubject};
use super::signals;
use crate::invoke::{self, EditedFiles, InvokeError, LocalFunction, Watched};
use crate::pipeline::ProjectCache;

/// Builds a function, runs it, and again after each edit, until a signal ends this process.
///
/// # Errors
/// It cannot be built at first, or a process cannot be started.
pub(super) fn watch(
    arguments: &RunArguments,
    event: &[u8],
    global: &GlobalArguments,
    printer: Printer,
) -> Result<ExitCode, CliError> {
    let mut function = arguments.prepare(global, &ProjectCache::default(), &printer)?;
    signals::run_until_a_signal();
    let mut edits = EditedFiles::new(function.watched());
    let mut edited = None;
    loop {
        let mut printed = PrintedRuns { printer, log: RecordedLog::new(printer) };
        let mut show = |function: &LocalFunction, watched| printed.show(function, watched);
        let mut edit = invoke::watch(&mut function, event, arguments.forks(), edited, &mut edits, &mut show)?;
        let mut shown = None;
        function = loop {
            match arguments.prepare(global, &ProjectCache::default(), &printer) {
                Ok(prepared) => break prepared,
                // The file that receives the errors may be a file of the project.
                Err(error) if shown == Some(error.to_string()) => {}
                Err(error) => {
                    printer.error(&error);
                    shown = Some(error.to_string());
                }
            }
            edit = edits.wait();
        };
        edited = Some(edit);
    }
}

/// Prints what the runs of a function print and answer.
struct PrintedRuns {
    printer: Printer,
    /// What the present run has printed.
    log: RecordedLog,
}

impl PrintedRuns {
    fn show(&mut self, function: &LocalFunction, watched: Watched) -> Result<(), CliError> {
        match watched {
            Watched::Printed(line) => {
                self.log.write_all(&line).map_err(InvokeError::Log)?;
            }
            Watched::Ended(ended, edited) => {
                let log = std::mem::replace(&mut self.log, RecordedLog::new(self.printer));
                run::finish(RunSubject::of(function), ended, log, edited, &self.printer)?;
            }
            Watched::Warned(warning) => self.printer.warning("", &warning),
            Watched::NotBuilt(error) => self.printer.error(&error.into()),
            Watched::WithoutFork(why) => {
                self.printer.remark(&format!("each run starts a new interpreter, since {why}"));
            }
        }
        Ok(())
    }
}
