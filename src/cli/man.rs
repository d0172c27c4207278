//! `pybundle man`: manual pages.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, ValueHint};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::error::CliError;
use super::help;
use crate::archive::ArchiveError;
use crate::archive::destination::FileFormat;
use crate::archive::output::{FinishedFile, OutputFile};

/// The source of the pages, which their last line names.
const VERSION: &str = concat!("pybundle ", env!("CARGO_PKG_VERSION"));

/// An empty date: a date would be the only difference between two builds. clap_mangen writes the argument as it is, and the
/// next one would take the place of an empty one.
const NO_DATE: &str = "\"\"";

/// Arguments of `pybundle man`.
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// Directory to write to; it is created if it is missing
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    directory: PathBuf,
}

/// Writes a manual page for each command, which depends on the version of pybundle and on nothing else: `pybundle.1`,
/// `pybundle-lambda.1`, `pybundle-cache-dir.1`.
///
/// # Errors
/// The directory cannot be written to; then it contains none of the pages.
pub(crate) fn run(arguments: &ManArguments) -> Result<(), CliError> {
    let mut root = help::command().disable_help_subcommand(true);
    // Gives each command its full name, and the global options.
    root.build();
    let mut commands = Vec::new();
    collect(&root, &mut commands);
    let pages = commands.into_iter().map(|command| page(command, &arguments.directory));
    let pages: Vec<FinishedFile> = pages.collect::<Result<_, _>>()?;
    for page in pages {
        page.persist()?;
    }
    Ok(())
}

/// Adds a command and those below it.
fn collect<'a>(command: &'a Command, commands: &mut Vec<&'a Command>) {
    commands.push(command);
    command.get_subcommands().filter(|command| !command.is_hide_set()).for_each(|below| collect(below, commands));
}

/// Writes the page of a command to a temporary file.
fn page(command: &Command, directory: &Path) -> Result<FinishedFile, ArchiveError> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let man = Man::new(command.clone()).title(name.to_uppercase()).source(VERSION).manual("pybundle").date(NO_DATE);
    let path = directory.join(man.get_filename());
    let mut text = Vec::new();
    render(&man, command, &mut text).map_err(|source| ArchiveError::Write { path: path.clone(), source })?;
    let mut output = OutputFile::create(&path, FileFormat::ManPage)?;
    output.write(&text)?;
    output.finish()
}

/// Renders the sections in the order of man-pages(7).
fn render(man: &Man, command: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    man.render_options_section(text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(text)?;
    }
    let words = command.get_display_name().unwrap_or_default().replace('-', " ");
    sections(words.trim_start_matches("pybundle").trim_start()).to_writer(text)
}

/// Returns the sections that clap knows nothing of: examples, environment and exit status.
fn sections(words: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in help::EXIT_STATUSES {
        roff.control("TP", []).text([bold(status.to_string())]).text([roman(*meaning)]);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    for variable in help::variables(words) {
        roff.control("TP", []).text([bold(variable.name)]).text([roman(variable.what)]);
    }
    roff.control("SH", ["EXAMPLES"]);
    for example in help::examples(words) {
        roff.control("PP", []).text([roman(format!("{}:", example.what))]);
        roff.control("RS", ["4"]).control("nf", []).text([bold(example.line)]).control("fi", []).control("RE", []);
    }
    roff
}
