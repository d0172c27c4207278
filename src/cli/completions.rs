//! `pybundle completions`: shell completions.
//!
//! The script asks this binary for each word, so that it can propose the targets of the project in the working directory.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Arg, Args, Command, CommandFactory};
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};

use super::error::CliError;
use super::printer::Printer;
use crate::options::{ProjectConfiguration, TargetKind};
use crate::pipeline::ProjectCache;
use crate::platform::{LambdaProfile, Profile};
use crate::report::{CompletionsReport, FORMAT_VERSION};

/// The variable in which a script names its shell.
const VARIABLE: &str = "PYBUNDLE_COMPLETE";

/// The name in the scripts: of the command that is completed, and of the executable that they ask.
const EXECUTABLE: &str = "pybundle";

/// zsh runs a file of site-functions in place of the function that it autoloads. The script of clap_complete 4.6 only defines
/// functions, so that the first Tab would complete nothing.
const ZSH_AUTOLOADED: &str =
    "if [[ $funcstack[1] == _pybundle ]]; then\n    _clap_dynamic_completer_pybundle \"$@\"\nfi\n";

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
    let shell = arguments.shell.to_string();
    let mut script = Vec::new();
    if let Some(completer) = Shells::builtins().completer(&shell) {
        let written = completer.write_registration(VARIABLE, EXECUTABLE, EXECUTABLE, EXECUTABLE, &mut script);
        written.expect("memory can be written to");
    }
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if arguments.shell == Shell::Zsh {
        script.push_str(ZSH_AUTOLOADED);
    }
    let report = CompletionsReport { format: FORMAT_VERSION, shell, script };
    printer.text(&report, &report.script)
}

/// Answers a completion script; returns whether one asked.
///
/// # Errors
/// The shell is unknown, or standard output cannot be written.
pub(super) fn answer(command_line: Vec<OsString>, directory: Option<&Path>) -> clap::error::Result<bool> {
    // Of a word that is not begun, clap_complete lists every option after the values.
    let hides_options = command_line.last().is_some_and(|word| word.is_empty());
    let command = || if hides_options { without_options(built()) } else { completed() };
    CompleteEnv::with_factory(command).var(VARIABLE).bin(EXECUTABLE).try_complete(command_line, directory)
}

/// Hides the options, which are proposed then only where nothing else is.
fn without_options(command: Command) -> Command {
    let hidden = |argument: Arg| if argument.is_positional() { argument } else { argument.hide(true) };
    command.mut_args(hidden).mut_subcommands(without_options)
}

/// Returns the command line with what clap adds to it: `--help` and `--version`.
fn built() -> Command {
    let mut command = completed();
    command.build();
    command
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
    let kinds: [(&str, &[TargetKind]); 2] =
        [("lambda", &[TargetKind::Lambda, TargetKind::Layer]), ("image", &[TargetKind::Image])];
    for (name, kinds) in
        kinds.into_iter().chain(["build", "plan", "resolve", "why"].map(|name| (name, &TargetKind::ALL[..])))
    {
        command = command.mut_subcommand(name, |subcommand| {
            subcommand.mut_args(|argument| match argument.get_id().as_str() {
                "names" | "target" => {
                    argument.add(ArgValueCompleter::new(TargetNames { kinds, has_directories: false }))
                }
                "project" if argument.is_positional() => {
                    argument.add(ArgValueCompleter::new(TargetNames { kinds, has_directories: true }))
                }
                id => match values.iter().find(|(option, _)| *option == id) {
                    Some((_, values)) => candidates(argument, values.clone()),
                    None => argument,
                },
            })
        });
    }
    command.mut_subcommand("config", |config| {
        config.mut_subcommand("show", |show| {
            show.mut_arg("target", |target| {
                target.add(ArgValueCompleter::new(TargetNames { kinds: &TargetKind::ALL, has_directories: false }))
            })
        })
    })
}

fn candidates(argument: Arg, values: Vec<&'static str>) -> Arg {
    argument.add(ArgValueCandidates::new(move || values.iter().map(CompletionCandidate::new).collect()))
}

/// Completes the names of the targets of the project in the working directory.
struct TargetNames {
    /// The kinds that the command takes.
    kinds: &'static [TargetKind],
    /// Whether the argument may be a directory instead.
    has_directories: bool,
}

impl ValueCompleter for TargetNames {
    /// Proposes nothing where there is no valid project: a shell has no place for errors.
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let projects = ProjectCache::default();
        let configuration = ProjectConfiguration::read(Path::new("."), None, projects.workspaces());
        let targets = configuration.iter().flat_map(ProjectConfiguration::targets);
        let meant = targets
            .filter(|(name, kind)| {
                self.kinds.contains(kind) && current.to_str().is_some_and(|current| name.starts_with(current))
            })
            .map(|(name, kind)| CompletionCandidate::new(name).help(Some(StyledStr::from(kind.name()))));
        let mut candidates: Vec<CompletionCandidate> = meant.collect();
        if self.has_directories {
            candidates.extend(PathCompleter::dir().complete(current));
        }
        candidates
    }
}
