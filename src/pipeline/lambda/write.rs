//! Writes a function and its layer.

use std::collections::BTreeSet;
use std::path::Path;

use super::earlier_zips::EarlierZips;
use super::report;
use crate::archive::output::FinishedFile;
use crate::archive::unpacked::{self, UnpackedTree};
use crate::archive::zip::ZipEntries;
use crate::cache::Cache;
use crate::lambda::{DeploymentPackage, PackageOutput};
use crate::name::DistributionName;
use crate::pipeline::{BuildError, documents};
use crate::report::{ArtifactKind, ArtifactReport, Phase, Reporter, RunningPhase};
use crate::settings::DocumentSettings;

/// Where a zip goes of which only the digest and the size are wanted.
const DISCARDED: &str = "/dev/null";

/// A function or a layer that is complete, and not at its path yet.
pub(super) enum FinishedPackage {
    Zip(FinishedFile),
    Directory {
        files: UnpackedTree,
        /// The zip with the same files, which is not kept: what it is deployed as has this digest if pybundle makes it.
        zip: FinishedFile,
    },
}

impl FinishedPackage {
    /// Returns the zip, whether it is kept or not.
    pub(super) fn zip(&self) -> &FinishedFile {
        match self {
            Self::Zip(zip) | Self::Directory { zip, .. } => zip,
        }
    }
}

/// Writes what [`persist`] moves to its path. Zips have the dependencies first, then the application and its local
/// `projects`. Those that modules are imported from have entries for namespace packages.
///
/// # Errors
/// An output cannot be written, or a file cannot be read.
pub(super) fn write(
    package: &DeploymentPackage,
    (projects, is_imported_from_zip): (&BTreeSet<&DistributionName>, bool),
    earlier: &EarlierZips,
    outputs: &[(ArtifactKind, PackageOutput)],
    reporter: &dyn Reporter,
) -> Result<Vec<(ArtifactKind, FinishedPackage)>, BuildError> {
    let sizes = package.trees().zip(outputs).map(|((_, tree), (_, output))| {
        let stored: u64 = tree.iter().map(|(_, entry)| entry.content.stored_size()).sum();
        if output.zip().is_some() { stored } else { stored + tree.size() }
    });
    let writing = RunningPhase::start(reporter, Phase::Write, sizes.sum());
    let finished = package.trees().zip(outputs).map(|((kind, tree), (_, output))| {
        let entries = ZipEntries::new(tree, |origin| origin.is_own(projects));
        let entries = if is_imported_from_zip { entries.with_namespace_packages() } else { entries };
        let finished = match output {
            PackageOutput::Zip(path) => FinishedPackage::Zip(earlier.write(&entries, path, reporter)?),
            PackageOutput::Directory(path) => FinishedPackage::Directory {
                files: unpacked::write(tree, path, reporter)?,
                zip: entries.write(Path::new(DISCARDED), reporter)?.0,
            },
        };
        Ok((kind, finished))
    });
    let finished = finished.collect::<Result<_, BuildError>>()?;
    writing.finish();
    Ok(finished)
}

/// Warns of zips that Lambda accepts only from S3.
pub(super) fn warn_of_direct_upload(finished: &[(ArtifactKind, FinishedPackage)], limit: u64, reporter: &dyn Reporter) {
    let zips = finished.iter().filter_map(|(kind, finished)| match finished {
        FinishedPackage::Zip(zip) => Some((kind, zip)),
        FinishedPackage::Directory { .. } => None,
    });
    for (kind, finished) in zips.filter(|(_, zip)| zip.size > limit) {
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
    finished: Vec<(ArtifactKind, FinishedPackage)>,
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
