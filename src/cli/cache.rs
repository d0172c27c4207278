//! `pybundle cache`: manages the cache.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::arguments::GlobalArguments;
use super::error::CliError;
use super::printer::Printer;
use super::text_page::count;
use crate::cache::{Cache, CacheSize};
use crate::report::{CacheFolderReport, CacheSizeReport, FORMAT_VERSION};
use crate::settings::{CacheChoice, binary_size};

/// Arguments of `pybundle cache`.
#[derive(Debug, Args)]
pub(crate) struct CacheArguments {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// Print the cache directory
    Dir,
    /// Print the size of the cache
    Size,
    /// Remove cached files that were not used for some time
    Prune {
        /// Remove files that were not used for this number of days
        #[arg(long, default_value_t = 30, value_name = "DAYS")]
        days: u32,
    },
    /// Remove everything from the cache
    Clean,
}

/// Shows or cleans the cache.
///
/// # Errors
/// The cache cannot be read or written.
pub(crate) fn run(arguments: CacheArguments, global: &GlobalArguments, printer: &Printer) -> Result<(), CliError> {
    let CacheChoice::Directory(directory) = global.cache()? else {
        return Err(CliError::NoCache);
    };
    let cache = Cache::open(&directory)?;
    match arguments.command {
        CacheCommand::Dir => {
            let report = CacheFolderReport { format: FORMAT_VERSION, dir: cache.dir().to_owned() };
            printer.result(&report, |page| page.line(&report.dir.display().to_string()))
        }
        CacheCommand::Size => {
            let total = cache.size()?;
            printer.result(&report(&total), |page| {
                page.line(&format!("{} in {}", binary_size(total.bytes), count(total.files, "file")));
            })
        }
        CacheCommand::Prune { days } => {
            let removed = cache.prune(Duration::from_secs(u64::from(days) * 24 * 60 * 60))?;
            removal(&removed, printer)
        }
        CacheCommand::Clean => removal(&cache.clean()?, printer),
    }
}

fn removal(removed: &CacheSize, printer: &Printer) -> Result<(), CliError> {
    printer.result(&report(removed), |page| {
        page.line(&format!("removed {}, {}", count(removed.files, "file"), binary_size(removed.bytes)));
    })
}

fn report(&CacheSize { files, bytes }: &CacheSize) -> CacheSizeReport {
    CacheSizeReport { format: FORMAT_VERSION, files, bytes }
}
