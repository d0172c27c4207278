//! Writes the documents about an artifact into files beside it.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DocumentSources, parameters};
use crate::archive::ArchiveError;
use crate::archive::destination::FileFormat;
use crate::archive::output::{FinishedFile, OutputFile};
use crate::digest::Sha256;
use crate::limited_reader;
use crate::pipeline::BuildError;
use crate::pipeline::install::InstalledDistribution;
use crate::pipeline::plan::Plan;
use crate::report::{DocumentKind, DocumentReport, Reporter};
use crate::sbom::SbomFormat;
use crate::sbom::provenance::{self, ProvenanceParameters, ProvenanceSubject};
use crate::settings::{DocumentSettings, LambdaSettings};

/// The largest document that is read to find out who wrote it, in bytes.
const LARGEST_DOCUMENT: u64 = 256 << 20;

/// An SBOM or a provenance statement.
#[derive(Debug, Clone)]
pub(crate) struct ArtifactDocument {
    pub kind: DocumentKind,
    pub media_type: &'static str,
    /// The extension of its file, without the leading dot.
    pub extension: &'static str,
    pub bytes: Vec<u8>,
}

/// Creates the documents about the zips of a function, as complete files that [`persist`] moves beside the function's
/// zip, the first one. A layer is a part of the function: the documents describe both.
///
/// # Errors
/// A wheel or the lock cannot be read, or a file cannot be written.
pub(crate) fn beside_zip(
    settings: &LambdaSettings,
    plan: &Plan,
    distributions: &[InstalledDistribution],
    zips: &[(&Path, &FinishedFile)],
    reporter: &dyn Reporter,
) -> Result<Vec<(ArtifactDocument, FinishedFile)>, BuildError> {
    let Some((zip, function)) = zips.first() else { return Ok(Vec::new()) };
    let parameters = ProvenanceParameters {
        command: "lambda",
        exclude_runtime: settings.exclude_runtime,
        layer: settings.layer.is_some(),
        ..parameters(&settings.common, plan)
    };
    let sources = DocumentSources {
        settings: &settings.documents,
        plan,
        distributions,
        base: None,
        packages: Vec::new(),
        apt_lock: None,
        parameters,
    };
    let subjects = zips.iter().map(|(path, finished)| ProvenanceSubject {
        name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        sha256: finished.sha256,
    });
    let subjects: Vec<ProvenanceSubject> = subjects.collect();
    let documents = sources.documents(&settings.common, function.sha256, &subjects, reporter)?;
    Ok(beside(documents, zip)?)
}

/// Writes documents beside an artifact; their names begin with the artifact's.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn beside(
    documents: Vec<ArtifactDocument>,
    artifact: &Path,
) -> Result<Vec<(ArtifactDocument, FinishedFile)>, ArchiveError> {
    let mut written = Vec::with_capacity(documents.len());
    for document in documents {
        let mut output = OutputFile::create(&path(artifact, document.extension), FileFormat::Json)?;
        output.write(&document.bytes)?;
        written.push((document, output.finish()?));
    }
    Ok(written)
}

/// Returns the path of an artifact and the paths of all documents that there may be about it.
pub(crate) fn paths(artifact: &Path) -> Vec<PathBuf> {
    let extensions = SbomFormat::ALL.map(SbomFormat::extension).into_iter().chain([provenance::EXTENSION]);
    std::iter::once(artifact.to_owned()).chain(extensions.map(|extension| path(artifact, extension))).collect()
}

/// Returns the paths of the documents that the settings ask for.
pub(crate) fn planned(settings: &DocumentSettings, artifact: &Path) -> Vec<PathBuf> {
    let sbom = settings.sbom.map(SbomFormat::extension);
    let extensions = sbom.into_iter().chain(settings.provenance.then_some(provenance::EXTENSION));
    extensions.map(|extension| path(artifact, extension)).collect()
}

fn path(artifact: &Path, extension: &str) -> PathBuf {
    let mut name = artifact.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Removes the documents that an earlier run wrote about an artifact that has been replaced, and that this run does not
/// replace: they describe what is no longer there.
///
/// # Errors
/// A file cannot be removed.
pub(crate) fn remove_stale(
    settings: &DocumentSettings,
    artifact: &Path,
    reporter: &dyn Reporter,
) -> Result<(), BuildError> {
    let written = planned(settings, artifact);
    for path in paths(artifact).into_iter().skip(1).filter(|path| !written.contains(path)) {
        // Every document names what created it.
        if limited_reader::read_regular_text(&path, LARGEST_DOCUMENT).is_ok_and(|text| text.contains("pybundle")) {
            fs::remove_file(&path).map_err(BuildError::writing(&path))?;
            reporter.note(&format!("removed {}, which described an earlier artifact", path.display()));
        }
    }
    Ok(())
}

/// Moves documents to their paths and reports them.
///
/// # Errors
/// A file cannot be moved.
pub(crate) fn persist(documents: Vec<(ArtifactDocument, FinishedFile)>) -> Result<Vec<DocumentReport>, BuildError> {
    let mut reports = Vec::with_capacity(documents.len());
    for (document, finished) in documents {
        let mut report = document.report();
        report.paths.push(finished.persist()?.path);
        reports.push(report);
    }
    Ok(reports)
}

impl ArtifactDocument {
    /// Reports the document, which has not been written yet.
    pub(crate) fn report(&self) -> DocumentReport {
        DocumentReport {
            kind: self.kind,
            media_type: self.media_type.to_owned(),
            digest: Sha256::of(&self.bytes).to_string(),
            platform: None,
            paths: Vec::new(),
            referrer: None,
        }
    }
}
