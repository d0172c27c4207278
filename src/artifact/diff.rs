//! Compares artifacts.

use std::collections::HashMap;
use std::path::Path;

use super::inspect::kind;
use super::{ArtifactName, ArtifactSettings};
use crate::contents;
use crate::contents::difference::{self, Change, DistributionState, FileState};
use crate::contents::{ArtifactContents, EntryOrigin};
use crate::pipeline::BuildError;
use crate::report::{
    ChangedDistributionReport, ChangedFileReport, ChangedPackageReport, ChangedPropertyReport, ComparedReport,
    DiffReport, DiffVerdict, FORMAT_VERSION, FileChange, Reporter,
};

/// Compares two artifacts.
///
/// # Errors
/// An artifact cannot be read, or does not match its own documents.
pub(crate) fn diff(
    [before, after]: [ArtifactName; 2],
    settings: &ArtifactSettings,
    reporter: &dyn Reporter,
) -> Result<DiffReport, BuildError> {
    let (first, second) = (settings.contents(&before, reporter)?, settings.contents(&after, reporter)?);
    Ok(compare((before.to_string(), &first), (after.to_string(), &second)))
}

/// Compares two zips, each with the name that it has in the report.
///
/// # Errors
/// A zip cannot be read, or could be read differently by different readers.
pub(crate) fn diff_zips(before: (String, &Path), after: (String, &Path)) -> Result<DiffReport, BuildError> {
    let (first, second) = (contents::read_zip(before.1)?, contents::read_zip(after.1)?);
    Ok(compare((before.0, &first), (after.0, &second)))
}

/// Compares the contents of two artifacts.
pub(super) fn compare(before: (String, &ArtifactContents), after: (String, &ArtifactContents)) -> DiffReport {
    let difference = difference::compare(before.1, after.1);
    let distributions = [distribution_by_path(after.1), distribution_by_path(before.1)];
    let files = difference.files.into_iter().map(|change| {
        let distribution = distributions.iter().find_map(|by_path| by_path.get(change.name.as_str()).copied());
        file(change, distribution.map(str::to_owned))
    });
    let (verdict, reasons) = match difference.verdict {
        difference::Equivalence::Identical => (DiffVerdict::Identical, Vec::new()),
        difference::Equivalence::Equal(reasons) => (DiffVerdict::Equal, reasons),
        difference::Equivalence::Different => (DiffVerdict::Different, Vec::new()),
    };
    DiffReport {
        format: FORMAT_VERSION,
        verdict,
        reasons,
        before: compared(before),
        after: compared(after),
        distributions: difference.distributions.into_iter().map(distribution).collect(),
        packages: difference.packages.into_iter().map(package).collect(),
        files: files.collect(),
        properties: difference.properties.into_iter().map(property).collect(),
    }
}

/// Returns the distribution of each file that belongs to one.
fn distribution_by_path(contents: &ArtifactContents) -> HashMap<&str, &str> {
    let visible = contents.files.iter().filter(|file| !file.is_hidden);
    visible
        .filter_map(|file| match file.origin {
            EntryOrigin::Distribution(index) => {
                Some((file.path.as_str(), contents.distributions.get(index)?.name.as_str()))
            }
            EntryOrigin::Application | EntryOrigin::SystemPackages | EntryOrigin::Base => None,
        })
        .collect()
}

fn compared((name, contents): (String, &ArtifactContents)) -> ComparedReport {
    let visible = contents.visible();
    ComparedReport {
        name,
        kind: kind(contents.kind),
        digest: contents.digest.to_string(),
        size: contents.size,
        uncompressed_size: visible.values().map(|file| file.size).sum(),
        files: visible.len(),
    }
}

fn distribution(Change { name, before, after }: Change<DistributionState>) -> ChangedDistributionReport {
    ChangedDistributionReport {
        name,
        size_before: before.as_ref().map_or(0, |known| known.size),
        size_after: after.as_ref().map_or(0, |known| known.size),
        before: before.map(|known| known.version),
        after: after.map(|known| known.version),
    }
}

fn file(Change { name, before, after }: Change<FileState>, distribution: Option<String>) -> ChangedFileReport {
    let change = match (&before, &after) {
        (None, _) => FileChange::Added,
        (_, None) => FileChange::Removed,
        (Some(before), Some(after)) => {
            match (is_other(before, after), before.mode != after.mode, before.ids != after.ids) {
                (true, true, true) => FileChange::Everything,
                (true, true, false) => FileChange::ContentAndMode,
                (true, false, true) => FileChange::ContentAndOwner,
                (false, true, true) => FileChange::ModeAndOwner,
                (false, true, false) => FileChange::Mode,
                (false, false, true) => FileChange::Owner,
                (_, false, false) => FileChange::Content,
            }
        }
    };
    ChangedFileReport {
        path: name,
        distribution,
        change,
        mode_before: before.as_ref().map(mode),
        mode_after: after.as_ref().map(mode),
        owner_before: before.as_ref().filter(|_| change.is_of_owner()).map(owner),
        owner_after: after.as_ref().filter(|_| change.is_of_owner()).map(owner),
        size_before: before.map(|state| state.size),
        size_after: after.map(|state| state.size),
    }
}

fn mode(state: &FileState) -> String {
    format!("{:04o}", state.mode)
}

fn owner(FileState { ids: (uid, gid), .. }: &FileState) -> String {
    format!("{uid}:{gid}")
}

fn is_other(before: &FileState, after: &FileState) -> bool {
    before.sha256 != after.sha256 || before.kind != after.kind
}

fn package(Change { name, before, after }: Change<String>) -> ChangedPackageReport {
    ChangedPackageReport { name, before, after }
}

fn property(Change { name, before, after }: Change<String>) -> ChangedPropertyReport {
    ChangedPropertyReport { name, before, after }
}
