//! The command line: one file per subcommand, with its arguments and its `run`.
//!
//! Only this room reads the environment, knows the home folder and prints.

mod annotation;
mod arguments;
mod build;
mod cache;
mod completions;
mod config;
mod contents;
mod diff;
mod documents;
mod environment;
mod error;
mod format;
mod image;
mod init;
mod inspect;
mod lambda;
mod man;
mod plan;
mod printer;
mod profile;
mod progress;
mod push;
mod schema;
mod step;
mod targets_progress;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::CliError;
use printer::Printer;

/// What a command ends with.
const EXIT_STATUS: &str = "\
Exit status:
  0  done
  1  failed, or found what `verify` and `diff --exit-code` look for
  2  wrong usage: nothing was done";

/// Turn what a Python project has locked into what is deployed
#[derive(Debug, Parser)]
#[command(name = "pybundle", version, max_term_width = 100, disable_help_subcommand = true, after_help = EXIT_STATUS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: arguments::GlobalArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build a deterministic AWS Lambda zip
    Lambda(Box<lambda::LambdaArguments>),
    /// Build a layered OCI image, for one platform or several, and push it
    Image(Box<image::ImageArguments>),
    /// Build every target of a project, or of all projects of a workspace, side by side
    Build(Box<build::BuildArguments>),
    /// Push an image that was built before
    Push(push::PushArguments),
    /// Show what would be bundled: each distribution, its wheel, the tag that matched, and why it is there
    Plan(Box<plan::PlanArguments>),
    /// Show what is in an artifact, the largest first
    Inspect(inspect::InspectArguments),
    /// Show what differs between two artifacts: distributions, files, configuration, sizes
    Diff(diff::DiffArguments),
    /// Check that an artifact is as it should be, and that it comes out of its project again
    Verify(verify::VerifyArguments),
    /// Write the configuration and a CI workflow for a project
    Init(init::InitArguments),
    /// Show what is configured, and where
    Config(config::ConfigArguments),
    /// List and show the built-in targets
    Profile(profile::ProfileArguments),
    /// Look after the cache
    Cache(cache::CacheArguments),
    /// Print the JSON schema of what --json prints
    Schema(schema::SchemaArguments),
    /// Print a shell completion script
    Completions(completions::CompletionsArguments),
    /// Write the manual pages of all commands
    Man(man::ManArguments),
}

/// Parses the command line, runs it, and returns the exit status, which [the crate](crate#what-scripts-rely-on) documents.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return printer::usage(&error),
    };
    let printer = match Printer::new(&cli.global) {
        Ok(printer) => printer,
        Err(error) => return printer::usage(&error),
    };
    let result = match cli.command {
        Command::Lambda(arguments) => lambda::run(*arguments, &cli.global, &printer),
        Command::Image(arguments) => image::run(*arguments, &cli.global, &printer),
        Command::Build(arguments) => return exit(build::run(*arguments, &cli.global, &printer), &printer),
        Command::Push(arguments) => push::run(arguments, &printer),
        Command::Plan(arguments) => plan::run(*arguments, &cli.global, &printer),
        Command::Inspect(arguments) => inspect::run(arguments, &cli.global, &printer),
        Command::Diff(arguments) => return exit(diff::run(arguments, &cli.global, &printer), &printer),
        Command::Verify(arguments) => return exit(verify::run(arguments, &cli.global), &Printer::unparsed()),
        Command::Init(arguments) => init::run(arguments, &printer),
        Command::Config(arguments) => config::run(arguments, &printer),
        Command::Profile(arguments) => profile::run(arguments, &printer),
        Command::Cache(arguments) => cache::run(arguments, &cli.global, &printer),
        Command::Schema(arguments) => schema::run(arguments, &printer),
        Command::Completions(arguments) => completions::run(arguments, &printer),
        Command::Man(arguments) => man::run(&arguments),
    };
    exit(result.map(|()| ExitCode::SUCCESS), &printer)
}

/// Returns the exit status of a command, after printing why it failed.
fn exit(result: Result<ExitCode, CliError>, printer: &Printer) -> ExitCode {
    match result {
        Ok(status) => status,
        Err(error) => {
            printer.error(&error);
            ExitCode::from(error.exit_status())
        }
    }
}
