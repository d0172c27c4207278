//! `pybundle completions`: shell completions.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::error::CliError;
use super::printer::Printer;
use crate::report::{CompletionsReport, FORMAT_VERSION};

/// Arguments of `pybundle completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// Shell to complete commands in
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints a completion script.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn run(arguments: CompletionsArguments, printer: &Printer) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Cli::command(), "pybundle", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let report = CompletionsReport { format: FORMAT_VERSION, shell: arguments.shell.to_string(), script };
    printer.text(&report, &report.script)
}
