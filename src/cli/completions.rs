//! `pybundle completions`: shell completions.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::error::CliError;
use super::printer::Printer;

/// Arguments of `pybundle completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints a completion script.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(arguments: CompletionsArguments, printer: &Printer) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Cli::command(), "pybundle", &mut script);
    printer.raw(&script)
}
