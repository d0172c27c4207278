//! Writes images to files.

use std::path::{Path, PathBuf};

use crate::archive::output::FinishedFile;
use crate::image::file::{ImageFile, ImageFormat};
use crate::image::layout::PreparedLayout;
use crate::image::{OciArtifact, docker_archive, layout, oci_archive};
use crate::pipeline::image::base::Bases;
use crate::pipeline::image::platform::PlatformBuild;
use crate::pipeline::image::referrers::AttachedDocument;
use crate::pipeline::plan::LockedProject;
use crate::pipeline::{BuildError, documents};
use crate::report::{DocumentReport, Phase};
use crate::settings::ImageSettings;

/// A complete output that has not been moved to its path yet.
enum Complete {
    Folder(PreparedLayout),
    File(FinishedFile),
}

/// Returns the output files: those that the user names, or an archive in `dist` if the image is not pushed.
///
/// # Errors
/// Two outputs have the same path.
pub(crate) fn places(settings: &ImageSettings, project: &LockedProject) -> Result<Vec<ImageFile>, BuildError> {
    let mut places = settings.outputs.clone();
    if places.is_empty() && !settings.push {
        let member = project.member(&settings.common);
        let name = || member.pyproject.name.as_ref().map_or_else(|| "image".to_owned(), ToString::to_string);
        let path = settings.common.default_output(name, "tar");
        places.push(ImageFile { format: ImageFormat::OciArchive, path, selector: None });
    }
    let resolved: Vec<PathBuf> = places.iter().map(|place| resolved(&place.path)).collect();
    for (at, place) in places.iter().enumerate() {
        if resolved[..at].contains(&resolved[at]) {
            return Err(BuildError::SameOutput(place.path.clone()));
        }
    }
    Ok(places)
}

/// Canonicalizes a path that may not exist yet, as far as its directories exist.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let in_parent = || {
        let parent = path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        Some(resolved(parent).join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(in_parent).unwrap_or_else(|| path.to_owned())
}

/// Writes the image to every output, and returns the outputs and the reports of the documents about it. The files
/// appear when all of them are complete. OCI layouts and archives contain the documents; for Docker archives they are
/// files beside them.
///
/// # Errors
/// A file cannot be written, or a blob of the base cannot be downloaded.
pub(crate) fn write(
    places: &[ImageFile],
    settings: &ImageSettings,
    artifact: &OciArtifact,
    (builds, documents): (&[PlatformBuild], Vec<AttachedDocument>),
    bases: &Bases,
) -> Result<(Vec<String>, Vec<DocumentReport>), BuildError> {
    let mut reports: Vec<DocumentReport> = documents.iter().map(AttachedDocument::report).collect();
    if places.is_empty() {
        return Ok((Vec::new(), reports));
    }
    let mut artifact = artifact.clone();
    download(&mut artifact, bases)?;
    let names: Vec<String> = settings.tags.iter().map(ToString::to_string).collect();
    let reporter = bases.reporter;
    let total: u64 = artifact.leaves().values().map(|blob| blob.size).sum();
    reporter.start(Phase::Write, total.saturating_mul(places.len() as u64));
    let complete = |place: &ImageFile| -> Result<Complete, BuildError> {
        let path = &place.path;
        Ok(match place.format {
            ImageFormat::Layout => Complete::Folder(layout::prepare(&artifact, &names, path, reporter)?),
            ImageFormat::OciArchive => Complete::File(oci_archive::prepare(&artifact, &names, path, reporter)?),
            ImageFormat::DockerArchive => {
                let [only] = builds else { return Err(BuildError::DockerArchive(path.clone())) };
                let mut image = only.image.clone();
                image.layers.iter_mut().try_for_each(|layer| bases.download(&mut layer.blob))?;
                Complete::File(docker_archive::prepare(&image, &names, path, reporter)?)
            }
        })
    };
    let complete = places.iter().map(complete).collect::<Result<Vec<_>, _>>();
    reporter.finish(Phase::Write);
    let mut beside = Vec::new();
    for place in places.iter().filter(|place| place.format == ImageFormat::DockerArchive) {
        let documents = documents.iter().map(|attached| attached.document.clone()).collect();
        beside.push(documents::beside(documents, &place.path)?);
    }
    let persist = |complete| -> Result<PathBuf, BuildError> {
        Ok(match complete {
            Complete::Folder(folder) => folder.persist()?,
            Complete::File(file) => file.persist()?,
        })
    };
    for complete in complete? {
        persist(complete)?;
    }
    for documents in beside {
        for (report, (_, finished)) in reports.iter_mut().zip(documents) {
            report.paths.push(finished.persist()?);
        }
    }
    Ok((places.iter().map(ToString::to_string).collect(), reports))
}

fn download(artifact: &mut OciArtifact, bases: &Bases) -> Result<(), BuildError> {
    artifact.blobs.iter_mut().try_for_each(|blob| bases.download(blob))?;
    artifact.children.iter_mut().try_for_each(|child| download(child, bases))
}
