//! `pybundle man`: manual pages.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory, ValueHint};
use clap_mangen::Man;

use super::error::CliError;
use crate::archive::ArchiveError;
use crate::archive::output::{Finished, Output};

/// What the pages are of.
const VERSION: &str = concat!("pybundle ", env!("CARGO_PKG_VERSION"));

/// A date would be the only thing to differ from one build to the next. The argument is written as it is, and what
/// follows it would take its place if it were empty.
const NO_DATE: &str = "\"\"";

/// Arguments of `pybundle man`.
#[derive(Debug, Args)]
pub struct ManArguments {
    /// The folder; it is made if it is missing
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
}

/// Writes a manual page for each command, which depends on the version of pybundle and on nothing else: `pybundle.1`,
/// `pybundle-lambda.1`, `pybundle-cache-dir.1`.
///
/// # Errors
/// The folder cannot be written to; then no page is put into it.
pub fn run(arguments: &ManArguments) -> Result<(), CliError> {
    let mut root = super::Cli::command();
    // Gives each command its full name, and the options that all have.
    root.build();
    let mut commands = Vec::new();
    collect(&root, &mut commands);
    let pages = commands.into_iter().map(|command| page(command, &arguments.folder));
    let pages: Vec<Finished> = pages.collect::<Result<_, _>>()?;
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

/// Writes the page of a command, which is not at its place yet.
fn page(command: &Command, folder: &Path) -> Result<Finished, ArchiveError> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let man = Man::new(command.clone()).title(name.to_uppercase()).source(VERSION).manual("pybundle").date(NO_DATE);
    let path = folder.join(man.get_filename());
    let mut text = Vec::new();
    man.render(&mut text).map_err(|source| ArchiveError::Write { path: path.clone(), source })?;
    let mut output = Output::create(&path)?;
    output.write(&text)?;
    output.finish()
}
