//! The command line: one file per subcommand, with its arguments and its `run`.
//!
//! Only this module reads the environment, knows the home directory and prints.

mod annotation;
mod apt;
mod arguments;
mod build;
mod cache;
mod code_quality;
mod completions;
mod config;
mod contents;
mod dependency_tree;
mod deploy;
mod diff;
mod documents;
mod environment;
mod error;
mod explanation;
mod format;
mod help;
mod image;
mod init;
mod inspect;
mod lambda;
mod located_project;
mod man;
mod option_of_others;
mod plain;
mod plan;
mod printer;
mod profile;
mod profile_imports;
mod progress;
mod push;
pub mod reference;
mod remote_cache;
mod resolve;
mod run;
mod run_image;
mod schema;
mod selected_targets;
mod signals;
mod suspects;
mod target_flags;
mod terraform;
mod text_page;
mod verify;
mod watch;
mod why;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{FromArgMatches, Parser, Subcommand};

use error::CliError;
use printer::Printer;

/// Build AWS Lambda zips and OCI images from a Python project's lock file
///
/// pybundle selects the locked distributions for a target, fetches and verifies them, and writes a deterministic Lambda zip
/// or a layered OCI image. It needs neither Python nor Docker.
#[derive(Debug, Parser)]
#[command(name = "pybundle", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: arguments::GlobalArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build an AWS Lambda zip from a project's lock file
    Lambda(Box<lambda::LambdaArguments>),
    /// Build a layered OCI image from a project's lock file, and push it
    Image(Box<image::ImageArguments>),
    /// Build the targets that [tool.pybundle] configures
    ///
    /// Targets are built in parallel. A failing target does not stop the others.
    Build(Box<build::BuildArguments>),
    /// Deploy targets to their AWS Lambda functions, or roll them back
    ///
    /// All targets are built and all functions are checked before the first function is changed. With --alias, a version is
    /// published, and the alias is moved last: until then the earlier version is live.
    Deploy(Box<deploy::DeployArguments>),
    /// Replace references to targets in Kubernetes manifests and ECS task definitions
    ///
    /// Builds and pushes the image of each target that a value pybundle://TARGET names, and prints the files with the name and
    /// digest of the image instead of that value. Nothing else changes: comments, quotes and blank lines are kept.
    Resolve(Box<resolve::ResolveArguments>),
    /// Run a function or an image on this machine
    ///
    /// The function is built and unpacked, and AWS's runtime client (awslambdaric) calls its handler with an event, in the
    /// environment of Lambda, and at Lambda's paths if bubblewrap is installed. Its answer is printed on standard output, and
    /// its log on standard error. An image is run with Docker or podman.
    Run(Box<run::RunArguments>),
    /// Push an OCI layout or an archive to a registry
    Push(push::PushArguments),
    /// Show which distributions would be bundled, and why
    ///
    /// For each distribution: its version, the size of its wheel, the compatibility tag that matched and what requires it.
    Plan(Box<plan::PlanArguments>),
    /// Show what requires a distribution
    ///
    /// Every path from the distribution to what the project requires is shown, for each target.
    Why(Box<why::WhyArguments>),
    /// Lock system packages, and show what is locked
    ///
    /// Images contain the packages of apt.lock that their key `apt` requests, and what these depend on.
    Apt(apt::AptArguments),
    /// Show the contents of an artifact, largest first
    Inspect(inspect::InspectArguments),
    /// Show the differences between two artifacts
    ///
    /// Distributions, files, the configuration of images, and sizes are compared.
    Diff(diff::DiffArguments),
    /// Verify an artifact, or rebuild it and compare every byte
    ///
    /// The artifact is checked against the digests and sizes that it contains. If a project is given, the artifact is also built
    /// again and compared.
    Verify(verify::VerifyArguments),
    /// Write the configuration and a CI workflow for a project
    Init(init::InitArguments),
    /// Show the configuration of a project, and where each value is set
    Config(config::ConfigArguments),
    /// List and show the built-in profiles
    Profile(profile::ProfileArguments),
    /// Manage the cache
    Cache(cache::CacheArguments),
    /// Print the JSON schema of a document that --json prints
    Schema(schema::SchemaArguments),
    /// Print a shell completion script
    Completions(completions::CompletionsArguments),
    /// Write the manual pages of all commands to a directory
    Man(man::ManArguments),
}

/// Parses the command line, runs it, and returns the exit status, which [the crate](crate#what-scripts-rely-on) documents.
pub fn main() -> ExitCode {
    // First of all: later, other threads may read the environment.
    environment::withhold_credentials();
    match completions::answer(environment::command_line(), environment::working_directory().as_deref()) {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(error) => return printer::usage(&error),
    }
    if let Some(hosts) = environment::variable("NO_PROXY").or_else(|| environment::variable("no_proxy")) {
        crate::http::exclude_from_proxies(&hosts);
    }
    if ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].iter().any(|name| environment::variable(name).is_some()) {
        crate::http::note_plain_proxy();
    }
    let parsed = help::command()
        .try_get_matches()
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, help::words(&matches))));
    let (cli, words) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            let words = environment::command_line();
            let error = help::with_plain_usage(error, help::command(), &words);
            return printer::usage(&option_of_others::without_wrong_tip(error));
        }
    };
    let printer = match Printer::new(&cli.global) {
        Ok(printer) => printer,
        Err(error) => return printer::usage(&error.format(&mut help::subcommand(&words))),
    };
    if printer.is_for_terraform() && !matches!(cli.command, Command::Lambda(_) | Command::Image(_) | Command::Build(_))
    {
        let message = "the argument '--output-format terraform' is for lambda, image and build";
        return printer::usage(&help::subcommand(&words).error(ErrorKind::ArgumentConflict, message));
    }
    if let Err(error) = signals::handle(words.into_iter().next().unwrap_or_default(), printer) {
        printer.warning("", &format!("cannot handle signals: {error}"));
    }
    let result = match cli.command {
        Command::Lambda(arguments) => lambda::run(*arguments, &cli.global, &printer),
        Command::Image(arguments) => image::run(*arguments, &cli.global, &printer),
        Command::Build(arguments) => return exit(build::run(*arguments, &cli.global, &printer), &printer),
        Command::Deploy(arguments) => return exit(deploy::run(*arguments, &cli.global, &printer), &printer),
        Command::Resolve(arguments) => return exit(resolve::run(*arguments, &cli.global, &printer), &printer),
        Command::Run(arguments) => return exit(run::run(*arguments, &cli.global, &printer), &printer),
        Command::Push(arguments) => push::run(arguments, &cli.global, &printer),
        Command::Plan(arguments) => return exit(plan::run(*arguments, &cli.global, &printer), &printer),
        Command::Why(arguments) => why::run(*arguments, &cli.global, &printer),
        Command::Apt(arguments) => apt::run(arguments, &cli.global, &printer),
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

/// Returns the exit status of a command, after printing its error.
fn exit(result: Result<ExitCode, CliError>, printer: &Printer) -> ExitCode {
    signals::leave_the_end_to_a_signal();
    let status = result.unwrap_or_else(|error| {
        printer.error(&error);
        ExitCode::from(error.exit_status())
    });
    match printer.finish() {
        Ok(()) => status,
        Err(error) => ExitCode::from(error.exit_status()),
    }
}
