//! What was planned and built, in the form of the reports.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::archive::ArchiveError;
use crate::archive::output::FinishedFile;
use crate::cache::Cache;
use crate::lambda::{DeploymentPackage, limits};
use crate::lock::{FileLocation, SelectedDistribution, SelectedSource};
use crate::pipeline::plan::Plan;
use crate::pipeline::wheels::Obtained;
use crate::platform::{LambdaProfile, TargetPlatform};
use crate::redact;
use crate::report::{
    ApplicationReport, ArtifactKind, ArtifactReport, AuditReport, BuildReport, BytecodeReport, DistributionReport,
    DocumentReport, FORMAT_VERSION, LimitsReport, PlanReport, TargetReport, TrimReport,
};
use crate::settings::LambdaSettings;
use crate::tree::{FileOrigin, FileTree};
use crate::wheel::Wheel;

/// What a function was made of.
pub struct Built<'a> {
    /// The wheels.
    pub wheels: &'a Obtained,
    /// The files.
    pub package: &'a DeploymentPackage,
    /// What was left out of the wheels.
    pub trim: TrimReport,
    /// The bytecode, if it was wanted.
    pub bytecode: Option<BytecodeReport>,
    /// What the audits found.
    pub audit: AuditReport,
    /// How long it took.
    pub elapsed: Duration,
}

/// Reports a plan; for Lambda, its dependencies go into an artifact of the given kind.
pub fn plan(
    plan: &Plan,
    reason: &str,
    cache: &Cache,
    dependencies: Option<ArtifactKind>,
    outputs: Vec<PathBuf>,
) -> PlanReport {
    let planned = |selected: &SelectedDistribution| {
        let mut report = distribution(selected, dependencies);
        if let Some(wheel) = cached(cache, selected) {
            report.size = Some(wheel.size);
            report.unzipped_size = Some(wheel.inventory.files.iter().map(|file| file.extent.size).sum());
        }
        report
    };
    PlanReport {
        format: FORMAT_VERSION,
        project: plan.name(),
        target: target(&plan.target, reason),
        lock: plan.project.path.clone(),
        distributions: plan.installed().map(planned).collect(),
        excluded: plan.excluded.clone(),
        application: plan.application.taken.clone(),
        outputs,
    }
}

/// Returns the wheel of a distribution if it was fetched before.
fn cached(cache: &Cache, selected: &SelectedDistribution) -> Option<Wheel> {
    match &selected.source {
        SelectedSource::Wheel(wheel, _) => cache.wheel(wheel.digest()?, &wheel.filename).ok()?,
        _ => None,
    }
}

/// Reports a build.
pub fn build(
    plan: &Plan,
    settings: &LambdaSettings,
    (profile, reason): (&LambdaProfile, &str),
    built: Built,
    (artifacts, documents): (Vec<ArtifactReport>, Vec<DocumentReport>),
) -> BuildReport {
    let package = built.package;
    let dependencies = package.dependencies();
    let sizes = limits::size_by_origin(package);
    let size_of = |name: &crate::name::DistributionName| {
        let of_name = |origin: &FileOrigin| matches!(origin, FileOrigin::Distribution(found) if found.name == *name);
        sizes.iter().filter(|(origin, _)| of_name(origin)).map(|(_, size)| size).sum()
    };
    let (mut of_dependencies, mut of_projects) = (built.wheels.dependencies.iter(), built.wheels.projects.iter());
    let distributions = plan.installed().map(|selected| {
        let mut report = distribution(selected, Some(dependencies));
        let wheel = match &selected.source {
            SelectedSource::Wheel(..) | SelectedSource::Sdist(_) | SelectedSource::Git(_) => of_dependencies.next(),
            SelectedSource::Directory(_) => of_projects.next(),
            SelectedSource::Virtual(_) => None,
        };
        match wheel {
            Some(wheel) => state_wheel(&mut report, wheel, size_of(&selected.name)),
            None => report.unzipped_size = Some(size_of(&selected.name)),
        }
        report
    });
    let limits = profile.limits;
    BuildReport {
        format: FORMAT_VERSION,
        project: plan.name(),
        target: target(&plan.target, reason),
        artifacts,
        documents,
        limits: LimitsReport {
            unzipped_size: limits::unzipped_size(package),
            unzipped_limit: limits.unzipped,
            direct_upload_limit: limits.direct_upload,
        },
        distributions: distributions.collect(),
        excluded: plan.excluded.clone(),
        application: ApplicationReport {
            taken: plan.application.taken.clone(),
            files: plan.application.files.len(),
            unzipped_size: sizes.get(&FileOrigin::Application).copied().unwrap_or(0),
        },
        handler: settings.handler.as_ref().map(ToString::to_string),
        trim: built.trim,
        bytecode: built.bytecode,
        audit: built.audit,
        warnings: Vec::new(),
        elapsed_seconds: built.elapsed.as_secs_f64(),
    }
}

/// Adds what is known of a wheel once it is here, and the size of its files in the artifact.
pub fn state_wheel(report: &mut DistributionReport, wheel: &Wheel, unzipped_size: u64) {
    report.version = Some(wheel.inventory.version.to_string());
    report.wheel = Some(wheel.filename.to_string());
    report.digest = Some(wheel.sha256.to_string());
    report.size = Some(wheel.size);
    report.unzipped_size = Some(unzipped_size);
}

/// Puts a complete artifact at its place and reports it.
///
/// # Errors
/// It cannot be put there.
pub fn artifact(kind: ArtifactKind, finished: FinishedFile, tree: &FileTree) -> Result<ArtifactReport, ArchiveError> {
    let (sha256, size) = (finished.sha256, finished.size);
    Ok(ArtifactReport {
        kind,
        path: finished.persist()?,
        sha256: sha256.hex(),
        code_sha256: STANDARD.encode(sha256.0),
        size,
        unzipped_size: tree.size(),
        files: tree.len(),
    })
}

/// Reports a target, and why it was chosen.
pub fn target(target: &TargetPlatform, reason: &str) -> TargetReport {
    TargetReport {
        runtime: target.name.clone(),
        reason: reason.to_owned(),
        architecture: target.architecture.to_string(),
        glibc: target.glibc.to_string(),
    }
}

fn place(location: &FileLocation) -> String {
    match location {
        FileLocation::Url { url, .. } => redact::url(url),
        FileLocation::Path(path) => path.display().to_string(),
    }
}

/// Reports a distribution; for Lambda, those that are fetched go into an artifact of the given kind.
pub fn distribution(selected: &SelectedDistribution, dependencies: Option<ArtifactKind>) -> DistributionReport {
    let mut report = DistributionReport {
        name: selected.name.to_string(),
        version: selected.version.as_ref().map(ToString::to_string),
        wheel: None,
        tag: None,
        digest: None,
        size: None,
        unzipped_size: None,
        source: String::new(),
        required_by: selected.required_by.iter().map(ToString::to_string).collect(),
        artifact: dependencies,
    };
    match &selected.source {
        SelectedSource::Wheel(wheel, tag) => {
            report.wheel = Some(wheel.filename.to_string());
            report.tag = Some(tag.to_string());
            report.digest = wheel.digest().map(ToString::to_string);
            report.size = wheel.size;
            report.source = place(&wheel.location);
        }
        SelectedSource::Sdist(sdist) => {
            report.digest = sdist.file.digest().map(ToString::to_string);
            report.size = sdist.file.size;
            report.source = place(&sdist.file.location);
        }
        SelectedSource::Git(repository) => {
            report.source = format!("{}@{}", redact::text(&repository.url), repository.commit);
        }
        SelectedSource::Directory(folder) | SelectedSource::Virtual(folder) => {
            report.source = folder.display().to_string();
            report.artifact = report.artifact.map(|_| ArtifactKind::Function);
        }
    }
    report
}
