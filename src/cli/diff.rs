//! `pybundle diff`: shows the differences between two artifacts.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::{Args, ValueHint};

use super::arguments::GlobalArguments;
use super::error::CliError;
use super::inspect::ReadingArguments;
use super::printer::Printer;
use super::progress::ProgressReporter;
use super::text_page::{TextPage, count, shortened, visible};
use crate::artifact::{self, ArtifactName};
use crate::report::{
    ChangedDistributionReport, ChangedFileReport, ChangedPackageReport, ChangedPropertyReport, ComparedReport,
    DiffReport, DiffVerdict, FileChange,
};
use crate::settings::binary_size;

/// How many distributions, properties and files are shown without --verbose.
const SHOWN: usize = 12;

/// Arguments of `pybundle diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// Zip, OCI layout, OCI or Docker archive, or image in a registry
    #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
    before: String,
    /// Artifact to compare it with
    #[arg(value_name = "B", value_hint = ValueHint::AnyPath)]
    after: String,
    #[command(flatten)]
    reading: ReadingArguments,
    /// Exit with status 1 if the artifacts differ, even if only in bytes
    #[arg(long)]
    exit_code: bool,
}

/// Compares the artifacts, and prints the differences.
///
/// # Errors
/// See [`artifact::diff`].
pub(crate) fn run(arguments: DiffArguments, global: &GlobalArguments, printer: &Printer) -> Result<ExitCode, CliError> {
    let names = [ArtifactName::find(&arguments.before)?, ArtifactName::find(&arguments.after)?];
    let settings = arguments.reading.settings(global)?;
    let report = artifact::diff(names, &settings, &ProgressReporter::new(printer))?;
    printer.result(&report, |page| show(&report, printer, page))?;
    let differs = report.verdict != DiffVerdict::Identical;
    Ok(if arguments.exit_code && differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Adds the differences.
pub(crate) fn show(report: &DiffReport, printer: &Printer, page: &mut TextPage) {
    let verdict = match report.verdict {
        DiffVerdict::Identical => "byte-identical".to_owned(),
        DiffVerdict::Equal => format!("equal contents, different bytes: {}", report.reasons.join(", ")),
        DiffVerdict::Different => "different".to_owned(),
    };
    page.headline(&format!("{} and {}", report.before.name, report.after.name), &verdict);
    if report.verdict == DiffVerdict::Identical {
        page.field("digest", &report.before.digest);
        return;
    }
    sizes(&report.before, &report.after, page);
    let shown = if printer.is_verbose() { usize::MAX } else { SHOWN };
    let width = printer.width();
    section(page, "distributions", &report.distributions, shown, |page, changes| {
        let rows: Vec<_> = changes.iter().map(distribution).collect();
        page.table(&rows, &[3]);
    });
    section(page, "packages", &report.packages, shown, |page, changes| {
        let rows: Vec<_> = changes.iter().map(package).collect();
        page.table(&rows, &[]);
    });
    section(page, "configuration", &report.properties, shown, |page, changes| {
        changes.iter().for_each(|change| property(change, width, page));
    });
    // The files of a changed distribution are only counted: usually all of them differ.
    let changed: BTreeSet<&str> = report.distributions.iter().map(|change| change.name.as_str()).collect();
    let mut files: Vec<&ChangedFileReport> = report.files.iter().collect();
    files.retain(|change| change.distribution.as_ref().is_none_or(|name| !changed.contains(name.as_str())));
    section(page, "files", &files, shown, |page, changes| {
        let rows: Vec<_> = changes.iter().map(|change| file(change, width)).collect();
        page.table(&rows, &[2]);
    });
    let unlisted = report.files.len() - files.len();
    if unlisted > 0 {
        page.line(&format!("    {} of these distributions; --json lists them", count(unlisted as u64, "file")));
    }
}

fn section<T>(page: &mut TextPage, title: &str, changes: &[T], shown: usize, add: impl FnOnce(&mut TextPage, &[T])) {
    if changes.is_empty() {
        return;
    }
    page.line("");
    page.heading(&format!("{title} ({})", changes.len()));
    let shown = if changes.len() <= shown.saturating_add(1) { changes.len() } else { shown };
    let (named, others) = changes.split_at(shown);
    add(page, named);
    if !others.is_empty() {
        page.line(&format!("    {} more; -v shows them", others.len()));
    }
}

fn sizes(before: &ComparedReport, after: &ComparedReport, page: &mut TextPage) {
    page.field("packed", &change_of_size(before.size, after.size));
    page.field("unpacked", &change_of_size(before.uncompressed_size, after.uncompressed_size));
    let files = if before.files == after.files {
        count(after.files as u64, "file")
    } else {
        format!("{} → {}", before.files, count(after.files as u64, "file"))
    };
    page.field("files", &files);
}

fn change_of_size(before: u64, after: u64) -> String {
    if before == after {
        return binary_size(before);
    }
    format!("{} → {} ({})", binary_size(before), binary_size(after), delta(before, after))
}

fn delta(before: u64, after: u64) -> String {
    if after >= before {
        format!("+{}", binary_size(after - before))
    } else {
        format!("-{}", binary_size(before - after))
    }
}

fn distribution(change: &ChangedDistributionReport) -> [String; 4] {
    let [sign, name, versions] = versions(&change.name, &change.before, &change.after);
    [sign, name, versions, delta(change.size_before, change.size_after)]
}

fn package(change: &ChangedPackageReport) -> [String; 3] {
    versions(&change.name, &change.before, &change.after)
}

fn versions(name: &str, before: &Option<String>, after: &Option<String>) -> [String; 3] {
    let (sign, versions) = match (before, after) {
        (Some(before), Some(after)) => ("  ~", format!("{before} → {after}")),
        (None, after) => ("  +", after.clone().unwrap_or_default()),
        (before, None) => ("  -", before.clone().unwrap_or_default()),
    };
    [sign.to_owned(), name.to_owned(), versions]
}

fn property(change: &ChangedPropertyReport, width: usize, page: &mut TextPage) {
    for (sign, value) in [("-", &change.before), ("+", &change.after)] {
        if let Some(value) = value {
            let text = format!("{} = {}", visible(&change.name), visible(value));
            page.line(&format!("  {sign} {}", shortened(&text, width.saturating_sub(4))));
        }
    }
}

fn file(change: &ChangedFileReport, width: usize) -> [String; 3] {
    let (before, after) = (change.size_before.unwrap_or(0), change.size_after.unwrap_or(0));
    let modes = match (&change.mode_before, &change.mode_after) {
        (Some(before), Some(after)) if before != after => format!(", {before} → {after}"),
        _ => String::new(),
    };
    let owners = match (&change.owner_before, &change.owner_after) {
        (Some(before), Some(after)) => format!(", {before} → {after}"),
        _ => String::new(),
    };
    let path = shortened(&visible(&change.path), width.saturating_sub(36 + owners.len()).max(20));
    let (sign, what) = match change.change {
        FileChange::Added => ("+", String::new()),
        FileChange::Removed => ("-", String::new()),
        what => ("~", format!("{}{modes}{owners}", what.name())),
    };
    [format!("  {sign} {path}"), what, if before == after { String::new() } else { delta(before, after) }]
}
