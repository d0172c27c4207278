//! Writes images to files.

use std::collections::HashSet;
use std::path::Path;

use crate::archive::output::FinishedFile;
use crate::image::file::{ImageFile, ImageFormat};
use crate::image::layout::PreparedLayout;
use crate::image::{OciArtifact, docker_archive, layout, oci_archive};
use crate::pipeline::image::base::Bases;
use crate::pipeline::image::platform::PlatformBuild;
use crate::pipeline::image::referrers::AttachedDocument;
use crate::pipeline::notes::WrittenOutput;
use crate::pipeline::plan::LockedProject;
use crate::pipeline::planned_outputs::resolved;
use crate::pipeline::{BuildError, documents};
use crate::registry::ImageReference;
use crate::report::{DocumentReport, Phase, RunningPhase};
use crate::settings::ImageSettings;

/// A complete output that has not been moved to its path yet.
enum CompleteOutput {
    Layout(PreparedLayout),
    Archive(FinishedFile),
}

/// Returns the output files: those that the user names, or an archive in `dist` if the image is neither pushed nor loaded.
///
/// # Errors
/// Two outputs have the same path.
pub(crate) fn files(settings: &ImageSettings, project: &LockedProject) -> Result<Vec<ImageFile>, BuildError> {
    let mut files = settings.outputs.clone();
    if files.is_empty() && !settings.push && settings.load.is_none() {
        let pyproject = &project.member(&settings.common).pyproject;
        let script = pyproject.script().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
        let name = pyproject.name.as_ref().map(ToString::to_string).or(script);
        let path = settings.common.default_output(|| name.unwrap_or_else(|| "image".to_owned()), "tar");
        files.push(ImageFile { format: ImageFormat::OciArchive, path, selector: None });
    }
    let mut paths = HashSet::new();
    for file in &files {
        if !paths.insert(resolved(&file.path)) {
            return Err(BuildError::SameOutput { path: file.path.clone(), targets: String::new() });
        }
    }
    Ok(files)
}

/// What was written.
#[derive(Debug, Default)]
pub(crate) struct WrittenOutputs {
    /// As they can be given to `pybundle push`.
    pub(crate) outputs: Vec<String>,
    /// Those of `outputs` that had the same content before.
    pub(crate) unchanged: Vec<String>,
    pub(crate) documents: Vec<DocumentReport>,
    /// Where the outputs are.
    pub(crate) files: Vec<WrittenOutput>,
}

/// Writes the image to every output, and the documents about it, which are beside formats that do not contain them. The files
/// appear when all of them are complete.
///
/// # Errors
/// A file cannot be written, or a blob of the base cannot be downloaded.
pub(crate) fn write(
    files: &[ImageFile],
    settings: &ImageSettings,
    artifact: &OciArtifact,
    (builds, documents): (&[PlatformBuild], Vec<AttachedDocument>),
    bases: &Bases,
) -> Result<WrittenOutputs, BuildError> {
    let reports: Vec<DocumentReport> = documents.iter().map(AttachedDocument::report).collect();
    let mut written = WrittenOutputs { documents: reports, ..WrittenOutputs::default() };
    if files.is_empty() {
        return Ok(written);
    }
    let mut artifact = artifact.clone();
    download(&mut artifact, bases)?;
    let names = names(settings);
    let reporter = bases.reporter;
    let total: u64 = artifact.leaves().values().map(|blob| blob.size).sum();
    let writing = RunningPhase::start(reporter, Phase::Write, total.saturating_mul(files.len() as u64));
    let complete = files.iter().map(|file| -> Result<CompleteOutput, BuildError> {
        let path = &file.path;
        Ok(match file.format {
            ImageFormat::Layout => CompleteOutput::Layout(layout::prepare(&artifact, &names, path, reporter)?),
            ImageFormat::OciArchive => {
                CompleteOutput::Archive(oci_archive::prepare(&artifact, &names, path, reporter)?)
            }
            ImageFormat::DockerArchive => {
                let [only] = builds else { return Err(BuildError::DockerArchive(path.clone())) };
                let mut image = only.image.clone();
                image.layers.iter_mut().try_for_each(|layer| bases.download(&mut layer.blob))?;
                CompleteOutput::Archive(docker_archive::prepare(&image, &names, path, reporter)?)
            }
        })
    });
    let complete = complete.collect::<Result<Vec<_>, _>>()?;
    writing.finish();
    let mut beside = Vec::new();
    for file in files.iter().filter(|file| !file.format.contains_documents()) {
        let documents = documents.iter().map(|attached| attached.document.clone()).collect();
        beside.push(documents::beside(documents, &file.path)?);
    }
    for (output, file) in complete.into_iter().zip(files) {
        let digest = match &output {
            CompleteOutput::Layout(_) => None,
            CompleteOutput::Archive(archive) => Some(archive.sha256),
        };
        let is_unchanged = match output {
            CompleteOutput::Layout(layout) => layout.persist()?.is_unchanged,
            CompleteOutput::Archive(archive) => archive.persist()?.is_unchanged,
        };
        written.files.push(WrittenOutput { path: file.path.clone(), digest });
        if is_unchanged {
            written.unchanged.push(file.to_string());
        } else if !file.format.contains_documents() {
            documents::remove_stale(&settings.documents, &file.path, reporter)?;
        }
        written.outputs.push(file.to_string());
    }
    for documents in beside {
        for (report, (_, finished)) in written.documents.iter_mut().zip(documents) {
            report.paths.push(finished.persist()?.path);
        }
    }
    Ok(written)
}

/// Returns the names of the image in a file or an engine, which are those of its tags without digests.
pub(super) fn names(settings: &ImageSettings) -> Vec<String> {
    settings.tags.iter().filter_map(ImageReference::full_name).collect()
}

/// Downloads the blobs of the base that are only in a registry.
///
/// # Errors
/// A blob cannot be downloaded.
pub(super) fn download(artifact: &mut OciArtifact, bases: &Bases) -> Result<(), BuildError> {
    artifact.blobs.iter_mut().try_for_each(|blob| bases.download(blob))?;
    artifact.children.iter_mut().try_for_each(|child| download(child, bases))
}
