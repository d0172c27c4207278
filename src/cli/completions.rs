//! `pybundle completions`: shell completions.

use clap::builder::PossibleValuesParser;
use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::error::CliError;
use super::printer::Printer;
use crate::platform::{LambdaProfile, Profile};
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
    clap_complete::generate(arguments.shell, &mut completed(), "pybundle", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let report = CompletionsReport { format: FORMAT_VERSION, shell: arguments.shell.to_string(), script };
    printer.text(&report, &report.script)
}

/// Returns the command line with the usual values of options that take others, too: a runtime may be a version, and a profile
/// a file.
fn completed() -> Command {
    let runtimes: Vec<&'static str> = LambdaProfile::all().map(|profile| profile.name.as_str()).collect();
    let profiles: Vec<&'static str> = Profile::all().iter().map(Profile::name).collect();
    let values: [(&str, Vec<&'static str>); 4] = [
        ("runtime", runtimes),
        ("profile", profiles),
        ("arch", vec!["x86_64", "arm64"]),
        ("platform", vec!["linux/amd64", "linux/arm64"]),
    ];
    let mut command = super::Cli::command();
    for name in ["lambda", "image", "build", "plan", "why"] {
        command = command.mut_subcommand(name, |mut subcommand| {
            for (option, values) in &values {
                if subcommand.get_arguments().any(|argument| argument.get_id() == *option) {
                    subcommand = subcommand
                        .mut_arg(option, |argument| argument.value_parser(PossibleValuesParser::new(values.clone())));
                }
            }
            subcommand
        });
    }
    command
}
