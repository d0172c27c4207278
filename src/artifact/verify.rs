//! Verifies that an artifact is well formed, matches the digests in it and can be rebuilt from its project.

use std::fs::canonicalize;
use std::path::{Path, PathBuf};

use super::diff::compare;
use super::{ArtifactName, ArtifactSettings, fetched};
use crate::audit::AuditFailures;
use crate::contents::image::{self as contained, ImageDocuments, LayerDescription, images};
use crate::contents::verify::{self, CheckResult, CheckedAspect, Verification};
use crate::contents::{ArtifactContents, ArtifactProblem, DetectedKind, ScannedLayer, layer, read_zip};
use crate::image::file::{self, ImageFile, ImageFileCheck};
use crate::image::{BlobContent, OciArtifact};
use crate::lambda::PackageOutput;
use crate::pipeline::session::registry;
use crate::pipeline::{BuildError, ProjectCache, image, lambda};
use crate::platform::LambdaProfile;
use crate::registry::Registry;
use crate::report::{CheckReport, DiffReport, FORMAT_VERSION, FindingReport, Reporter, VerifiedKind, VerifyReport};
use crate::settings::{AuditSettings, ImageSettings, LambdaSettings, Settings};
use crate::temporary::TemporaryDirectory;

/// The rebuilt artifact, in reports.
const REBUILT: &str = "the project, built again";

/// The settings to rebuild an artifact with.
#[derive(Debug, Clone)]
pub(crate) enum Project {
    Lambda(Box<LambdaSettings>),
    Image(Box<ImageSettings>),
}

impl Project {
    fn audit(&mut self) -> &mut AuditSettings {
        match self {
            Self::Lambda(settings) => &mut settings.common.audit,
            Self::Image(settings) => &mut settings.common.audit,
        }
    }
}

/// Verifies an artifact; with a project, rebuilds it and compares the bytes.
///
/// # Errors
/// The artifact cannot be read at all, or the project cannot be built. Problems of the artifact are in the report.
pub(crate) fn verify(
    name: &ArtifactName,
    project: Option<Project>,
    settings: &ArtifactSettings,
    reporter: &dyn Reporter,
) -> Result<VerifyReport, BuildError> {
    let mut subject = match name {
        ArtifactName::Zip(path) => zip(path)?,
        ArtifactName::File(file) => in_file(file)?,
        ArtifactName::Registry(_) => in_registry(name, settings, reporter)?,
    };
    let mut difference = None;
    if let Some(project) = project {
        let (checks, found) = rebuild(name, &subject, project, reporter)?;
        subject.checks.extend(checks);
        difference = found;
    }
    let checks: Vec<CheckReport> = subject.checks.into_iter().map(report).collect();
    Ok(VerifyReport {
        format: FORMAT_VERSION,
        name: name.to_string(),
        kind: if matches!(name, ArtifactName::Zip(_)) { VerifiedKind::Zip } else { VerifiedKind::Image },
        digest: subject.digest,
        passed: checks.iter().all(|check| check.findings.is_empty()),
        checks,
        difference,
    })
}

/// An artifact that was verified.
struct Subject {
    /// The digest of the zip, of the manifest or of the index.
    digest: Option<String>,
    checks: Vec<CheckResult>,
    /// For an index, the contents of its first image.
    contents: Option<ArtifactContents>,
}

fn report(check: CheckResult) -> CheckReport {
    let findings = check
        .problems
        .into_iter()
        .map(|ArtifactProblem { location, message }| FindingReport { place: location, message });
    CheckReport { name: check.aspect.name().to_owned(), covers: check.covers, findings: findings.collect() }
}

fn zip(path: &Path) -> Result<Subject, BuildError> {
    // Lambda's limits are the same for every runtime.
    let limit = LambdaProfile::all().filter_map(|profile| profile.limits.unzipped).max().unwrap_or(u64::MAX);
    let Verification { checks, contents } = verify::zip(path, limit)?;
    let digest = contents.as_ref().map(|contents| contents.digest.to_string());
    Ok(Subject { digest, checks, contents })
}

fn in_file(file: &ImageFile) -> Result<Subject, BuildError> {
    let ImageFileCheck { artifact, problems, unreferenced } = file::check(file)?;
    let faults = problems.iter().map(|problem| problem_of(problem)).collect();
    let mut subject = of_images(&artifact, faults, &scan)?;
    let unreferenced = unreferenced.into_iter().map(|name| ArtifactProblem::at(name, "nothing refers to it"));
    note(&mut subject.checks, CheckedAspect::Blobs, unreferenced.collect());
    Ok(subject)
}

fn in_registry(
    name: &ArtifactName,
    settings: &ArtifactSettings,
    reporter: &dyn Reporter,
) -> Result<Subject, BuildError> {
    let ArtifactName::Registry(reference) = name else { return Err(BuildError::NoArtifact(name.to_string())) };
    let registry = registry(&settings.registry, &settings.keychain, reporter)?;
    let mut faults = Vec::new();
    let artifact = fetched::documents(
        &registry,
        reference,
        &mut |error| {
            faults.push(problem_of(&error));
            Ok(())
        },
        reporter,
    )?;
    let directory = TemporaryDirectory::new().map_err(BuildError::Temporary)?;
    of_images(&artifact, faults, &|layer| download(&registry, &directory, layer, reporter))
}

/// Reads a layer that is in a file.
fn scan(layer: &LayerDescription) -> Result<ScannedLayer, String> {
    layer::read(&layer.blob, layer.is_own()).map_err(|error| error.to_string())
}

/// Downloads a layer even if it is cached, since what the registry has is to be verified. The file is deleted after
/// reading.
fn download(
    registry: &Registry,
    directory: &TemporaryDirectory,
    layer: &LayerDescription,
    reporter: &dyn Reporter,
) -> Result<ScannedLayer, String> {
    let BlobContent::Registry { repository } = &layer.blob.content else { return scan(layer) };
    let repository = repository.parse().map_err(|error| problem_of(&error).message)?;
    let mut file = tempfile::NamedTempFile::new_in(directory.path()).map_err(|error| error.to_string())?;
    let (digest, size) = (layer.blob.digest, layer.blob.size);
    let pulled = registry.blob(&repository, digest, size, file.as_file_mut(), reporter);
    pulled.map_err(|error| problem_of(&error).message)?;
    let mut layer = layer.clone();
    layer.blob.content = BlobContent::File { path: file.path().into(), offset: 0 };
    scan(&layer)
}

/// Verifies an image, or each image of an index.
fn of_images(
    artifact: &OciArtifact,
    faults: Vec<ArtifactProblem>,
    read: &verify::LayerReader,
) -> Result<Subject, BuildError> {
    let images = images(artifact)?;
    let documents = artifact.manifests().len() + images.len();
    let is_whole = faults.is_empty();
    let mut checks = vec![CheckResult::new(
        CheckedAspect::Documents,
        format!("documents: {documents}, each with its digest"),
        faults,
    )];
    let mut contents = None;
    for image in &images {
        // Missing blobs have been reported already.
        let verified = match ImageDocuments::read(image.artifact) {
            Err(_) if !is_whole => continue,
            _ => verify::image(image.artifact, image.platform.as_deref(), read),
        };
        for check in verified.checks {
            join(&mut checks, check, image.platform.as_deref().filter(|_| images.len() > 1));
        }
        contents = contents.or(verified.contents);
    }
    if images.is_empty() && is_whole {
        let message = "the index contains no image".to_owned();
        note(&mut checks, CheckedAspect::Documents, vec![ArtifactProblem::whole(message)]);
    }
    Ok(Subject { digest: Some(artifact.manifest.digest.to_string()), checks, contents })
}

/// Merges a check of one platform into those of the others.
fn join(checks: &mut Vec<CheckResult>, mut check: CheckResult, platform: Option<&str>) {
    if let Some(platform) = platform {
        for problem in &mut check.problems {
            let location = problem.location.take();
            problem.location =
                Some(location.map_or_else(|| platform.to_owned(), |location| format!("{platform}: {location}")));
        }
        check.covers = format!("{} ({platform})", check.covers);
    }
    match checks.iter_mut().find(|known| known.aspect == check.aspect) {
        Some(known) => {
            known.covers = format!("{}; {}", known.covers, check.covers);
            known.problems.extend(check.problems);
        }
        None => checks.push(check),
    }
}

/// Adds problems to the check of an aspect.
fn note(checks: &mut [CheckResult], aspect: CheckedAspect, findings: Vec<ArtifactProblem>) {
    if let Some(check) = checks.iter_mut().find(|check| check.aspect == aspect) {
        check.problems.extend(findings);
    }
}

/// Returns the message of an error with its causes.
fn problem_of(error: &dyn std::error::Error) -> ArtifactProblem {
    let mut message = error.to_string();
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    for cause in causes.map(ToString::to_string) {
        if !message.contains(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    ArtifactProblem::whole(message)
}

/// Rebuilds the artifact in a temporary directory, which also audits it, and compares. A failed audit does not prevent
/// the comparison.
fn rebuild(
    name: &ArtifactName,
    subject: &Subject,
    mut project: Project,
    reporter: &dyn Reporter,
) -> Result<(Vec<CheckResult>, Option<DiffReport>), BuildError> {
    let directory = TemporaryDirectory::new().map_err(BuildError::Temporary)?;
    let mut failures = Vec::new();
    let again = match build(name, subject, &project, directory.path(), reporter) {
        Err(BuildError::Audit(AuditFailures(found))) => {
            failures.extend(found.iter().map(|failure| problem_of(failure)));
            project.audit().skip = true;
            build(name, subject, &project, directory.path(), reporter)?
        }
        result => result?,
    };
    let mut checks = Vec::new();
    if !project.audit().skip || !failures.is_empty() {
        checks.push(CheckResult::new(CheckedAspect::Audits, "modules, shared libraries and data files", failures));
    }
    let (mut problems, mut difference) = (Vec::new(), None);
    if subject.digest.as_ref() != Some(&again.digest) {
        problems.push(ArtifactProblem::whole(format!("rebuilding the project results in {}", again.digest)));
        if let Some(contents) = &subject.contents {
            let platform = contents.image.as_ref().map(|image| image.platform.as_str());
            let built = again.contents(platform)?;
            difference = Some(compare((name.to_string(), contents), (REBUILT.to_owned(), &built)));
        }
    }
    checks.push(CheckResult::new(CheckedAspect::Rebuild, REBUILT, problems));
    Ok((checks, difference))
}

/// Builds the artifact in a directory.
fn build(
    name: &ArtifactName,
    subject: &Subject,
    project: &Project,
    directory: &Path,
    reporter: &dyn Reporter,
) -> Result<RebuiltArtifact, BuildError> {
    match project.clone() {
        Project::Lambda(settings) => of_lambda(name, subject, *settings, directory, reporter),
        Project::Image(settings) => of_image(name, *settings, directory, reporter),
    }
}

/// An artifact that was rebuilt.
struct RebuiltArtifact {
    digest: String,
    name: ArtifactName,
}

impl RebuiltArtifact {
    fn contents(&self, platform: Option<&str>) -> Result<ArtifactContents, BuildError> {
        match &self.name {
            ArtifactName::Zip(path) => Ok(read_zip(path)?),
            ArtifactName::File(file) => {
                let artifact = file::open(file)?;
                let image = contained::choose(&artifact, platform).or_else(|_| contained::choose(&artifact, None))?;
                Ok(contained::read(image.artifact, Vec::new())?)
            }
            ArtifactName::Registry(reference) => Err(BuildError::NoImage(reference.to_string())),
        }
    }
}

fn of_lambda(
    name: &ArtifactName,
    subject: &Subject,
    mut settings: LambdaSettings,
    directory: &Path,
    reporter: &dyn Reporter,
) -> Result<RebuiltArtifact, BuildError> {
    let mut earlier: Vec<PathBuf> =
        settings.output.iter().chain(&settings.layer).map(|output| output.path().to_owned()).collect();
    earlier.extend(path_of(name));
    exclude(&mut settings.common, &earlier);
    let is_layer = subject.contents.as_ref().is_some_and(|contents| contents.kind == DetectedKind::Layer);
    let function = directory.join("function.zip");
    let layer = settings.layer.as_ref().map(|_| directory.join("layer.zip"));
    let path = match &layer {
        Some(layer) if is_layer => layer.clone(),
        _ => function.clone(),
    };
    settings.output = Some(PackageOutput::Zip(function));
    (settings.layer, settings.allow_oversize) = (layer.map(PackageOutput::Zip), true);
    let report = lambda(&settings, &ProjectCache::default(), reporter)?.report;
    let built = report.artifacts.iter().find(|artifact| artifact.path == path);
    let digest = built.map(|artifact| format!("sha256:{}", artifact.sha256)).unwrap_or_default();
    Ok(RebuiltArtifact { digest, name: ArtifactName::Zip(path) })
}

fn of_image(
    name: &ArtifactName,
    mut settings: ImageSettings,
    directory: &Path,
    reporter: &dyn Reporter,
) -> Result<RebuiltArtifact, BuildError> {
    let mut earlier: Vec<PathBuf> = settings.outputs.iter().map(|output| output.path.clone()).collect();
    earlier.extend(path_of(name));
    exclude(&mut settings.common, &earlier);
    let layout = ImageFile { format: file::ImageFormat::Layout, path: directory.join("layout"), selector: None };
    settings.outputs = vec![layout.clone()];
    (settings.push, settings.allow_oversize) = (false, true);
    let report = image(&settings, &ProjectCache::default(), reporter)?.report;
    Ok(RebuiltArtifact { digest: report.digest, name: ArtifactName::File(layout) })
}

fn path_of(name: &ArtifactName) -> Option<PathBuf> {
    match name {
        ArtifactName::Zip(path) | ArtifactName::File(ImageFile { path, .. }) => Some(path.clone()),
        ArtifactName::Registry(_) => None,
    }
}

/// Excludes the artifact itself from the application's files: it did not exist when it was built.
fn exclude(settings: &mut Settings, artifacts: &[PathBuf]) {
    let Ok(project) = canonicalize(&settings.project) else { return };
    for artifact in artifacts.iter().filter_map(|path| canonicalize(path).ok()) {
        let Some(path) = artifact.strip_prefix(&project).ok().and_then(Path::to_str) else { continue };
        let literal = path.chars().fold(String::from("/"), |mut pattern, character| {
            if matches!(character, '*' | '?' | '[' | ']' | '\\' | '!' | '#' | ' ') {
                pattern.push('\\');
            }
            pattern.push(character);
            pattern
        });
        settings.excludes.push(literal);
    }
}
