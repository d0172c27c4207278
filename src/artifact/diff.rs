//! Compares artifacts.

use std::collections::HashMap;

use super::inspect::kind;
use super::{ArtifactName, ArtifactSettings};
use crate::contents::difference::{self, Change, DistributionState, FileState};
use crate::contents::{ArtifactContents, EntryOrigin, FileEntry};
use crate::pipeline::BuildError;
use crate::report::{
    ChangedDistributionReport, ChangedFileReport, ChangedPropertyReport, ComparedReport, DiffReport, DiffVerdict,
    FORMAT_VERSION, FileChange, Reporter,
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
    let read = |name: &ArtifactName| settings.contents(name, reporter);
    let (first, second) = (read(&before)?, read(&after)?);
    Ok(compare((before.to_string(), &first), (after.to_string(), &second)))
}

/// Compares the contents of two artifacts.
pub(super) fn compare(before: (String, &ArtifactContents), after: (String, &ArtifactContents)) -> DiffReport {
    let difference = difference::compare(before.1, after.1);
    let owners = [owners(after.1), owners(before.1)];
    let file = |change: Change<FileState>| {
        let owner = owners.iter().find_map(|owners| owners.get(change.name.as_str()).copied().flatten());
        file(change, owner.map(str::to_owned))
    };
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
        files: difference.files.into_iter().map(file).collect(),
        properties: difference.properties.into_iter().map(property).collect(),
    }
}

/// Returns the distribution of each file.
fn owners(contents: &ArtifactContents) -> HashMap<&str, Option<&str>> {
    let owner = |file: &FileEntry| match file.origin {
        EntryOrigin::Distribution(index) => contents.distributions.get(index).map(|known| known.name.as_str()),
        EntryOrigin::Application | EntryOrigin::Base => None,
    };
    let visible = contents.files.iter().filter(|file| !file.is_hidden);
    visible.map(|file| (file.path.as_str(), owner(file))).collect()
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
    let size = |distribution: &Option<DistributionState>| distribution.as_ref().map_or(0, |known| known.size);
    ChangedDistributionReport {
        name,
        size_before: size(&before),
        size_after: size(&after),
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
    let owner = |state: &Option<FileState>| {
        state.as_ref().filter(|_| change.is_of_owner()).map(|state| format!("{}:{}", state.ids.0, state.ids.1))
    };
    let mode = |state: &Option<FileState>| state.as_ref().map(|state| format!("{:04o}", state.mode));
    ChangedFileReport {
        path: name,
        distribution,
        change,
        mode_before: mode(&before),
        mode_after: mode(&after),
        owner_before: owner(&before),
        owner_after: owner(&after),
        size_before: before.map(|state| state.size),
        size_after: after.map(|state| state.size),
    }
}

fn is_other(before: &FileState, after: &FileState) -> bool {
    before.sha256 != after.sha256 || before.kind != after.kind
}

fn property(Change { name, before, after }: Change<String>) -> ChangedPropertyReport {
    ChangedPropertyReport { name, before, after }
}
