//! Writes the zips of a function and its layer.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::earlier_zips::EarlierZips;
use super::report;
use crate::archive::output::FinishedFile;
use crate::archive::zip::ZipEntries;
use crate::cache::Cache;
use crate::lambda::DeploymentPackage;
use crate::name::DistributionName;
use crate::pipeline::{BuildError, documents};
use crate::report::{ArtifactKind, ArtifactReport, Phase, Reporter, RunningPhase};
use crate::settings::DocumentSettings;

/// Writes the zips as complete files that [`persist`] moves to their paths: dependencies first, then the application and its
/// local `projects`.
///
/// # Errors
/// A zip cannot be written, or a file cannot be read.
pub(super) fn write(
    package: &DeploymentPackage,
    projects: &BTreeSet<&DistributionName>,
    earlier: &EarlierZips,
    outputs: &[(ArtifactKind, PathBuf)],
    reporter: &dyn Reporter,
) -> Result<Vec<(ArtifactKind, FinishedFile)>, BuildError> {
    let total = package.trees().flat_map(|(_, tree)| tree.iter()).map(|(_, entry)| entry.content.stored_size()).sum();
    let writing = RunningPhase::start(reporter, Phase::Write, total);
    let finished = package.trees().zip(outputs).map(|((kind, tree), (_, path))| {
        let entries = ZipEntries::new(tree, |origin| origin.is_own(projects));
        Ok((kind, earlier.write(&entries, path, reporter)?))
    });
    let finished = finished.collect::<Result<_, BuildError>>()?;
    writing.finish();
    Ok(finished)
}

/// Warns of zips that Lambda accepts only from S3.
pub(super) fn warn_of_direct_upload(finished: &[(ArtifactKind, FinishedFile)], limit: u64, reporter: &dyn Reporter) {
    for (kind, finished) in finished.iter().filter(|(_, finished)| finished.size > limit) {
        let what = match kind {
            ArtifactKind::Function => "the function's zip",
            ArtifactKind::Layer => "the layer's zip",
        };
        reporter.warn(&format!(
            "{what} has {} bytes, more than the {limit} that Lambda accepts in a direct upload: upload it to S3 and deploy it from there",
            finished.size
        ));
    }
}

/// Moves the artifacts to their paths, now that all of them are complete, and removes documents about earlier ones.
///
/// # Errors
/// A file cannot be moved or removed.
pub(super) fn persist(
    finished: Vec<(ArtifactKind, FinishedFile)>,
    package: &DeploymentPackage,
    documents: &DocumentSettings,
    cache: &Cache,
    reporter: &dyn Reporter,
) -> Result<Vec<ArtifactReport>, BuildError> {
    let artifacts = finished.into_iter().zip(package.trees());
    let artifacts = artifacts.map(|((kind, finished), (_, tree))| report::artifact(kind, finished, tree, cache));
    let artifacts: Vec<ArtifactReport> = artifacts.collect::<Result<_, _>>()?;
    if let Some(function) = artifacts.first().filter(|function| !function.unchanged) {
        documents::remove_stale(documents, &function.path, reporter)?;
    }
    Ok(artifacts)
}
