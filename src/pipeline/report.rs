//! Reports of what was planned and built, shared by functions and images.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::cache::Cache;
use crate::lock::{Dependent, FileLocation, SelectedDistribution, SelectedSource};
use crate::name::DistributionName;
use crate::pipeline::install::InstalledDistribution;
use crate::pipeline::plan::Plan;
use crate::pipeline::plan::offers::{Offer, OtherSelections};
use crate::platform::TargetPlatform;
use crate::project::application::{Application, ExclusionRule};
use crate::redact;
use crate::report::{
    AbsenceReport, ApplicationReport, ArtifactKind, DistributionReport, ExcludedReport, FORMAT_VERSION, OfferReport,
    OmittedReport, PlanReport, RequirementReport, TargetReport,
};
use crate::settings::Settings;
use crate::wheel::Wheel;

/// Reports a plan, with why the distribution that is sought is not selected, if one is; `dependencies` is the artifact that dependencies go into, for functions.
pub(super) fn plan(
    plan: &Plan,
    absence: Option<AbsenceReport>,
    reason: &str,
    cache: &Cache,
    dependencies: Option<ArtifactKind>,
    outputs: Vec<PathBuf>,
) -> PlanReport {
    let installed: Vec<&SelectedDistribution> = plan.installed().collect();
    // Each wheel is looked up in the cache.
    let distributions = installed.into_par_iter().map(|selected| {
        let mut report = distribution(selected, dependencies);
        if let Some(wheel) = cached(cache, selected) {
            report.size = Some(wheel.size);
            report.unzipped_size = Some(wheel.inventory.files.iter().map(|file| file.size).sum());
            report.violations = violations(&wheel);
        }
        report
    });
    PlanReport {
        format: FORMAT_VERSION,
        project: plan.name(),
        target: target(&plan.target, reason),
        lock: plan.project.path().map(Path::to_owned),
        distributions: distributions.collect(),
        excluded: excluded(plan),
        application: plan.application.taken.clone(),
        omitted: omitted(&plan.application),
        outputs,
        requirements: requirements(plan),
        absence: absence.unwrap_or_default(),
    }
}

/// Reports which flags would select a distribution that is not selected.
pub(super) fn absence(plan: &Plan, settings: &Settings, name: &DistributionName) -> AbsenceReport {
    let known = plan.selected.iter().map(|selected| &selected.name);
    let selected: BTreeSet<&DistributionName> =
        known.chain(plan.excluded.iter().map(|excluded| &excluded.name)).collect();
    if selected.contains(name) || !plan.project.lock.lists(name) {
        return AbsenceReport::default();
    }
    let others = OtherSelections { project: plan.project, settings, target: &plan.target };
    let excluding_flag = others.excluding_flag(name);
    let mut offers = others.of_extras_and_groups(&selected);
    offers.retain(|offer| offer.distributions.contains(name));
    if offers.is_empty() && excluding_flag.is_none() {
        offers = others.of_members(&selected);
        offers.retain(|offer| offer.distributions.contains(name));
    }
    let offers = offers.into_iter().map(|Offer { flags, what, .. }| OfferReport { flags, what });
    AbsenceReport { excluding_flag, offers: offers.collect() }
}

/// Reports what the lock requires under a condition, and what would require the distributions that are not selected.
fn requirements(plan: &Plan) -> Vec<RequirementReport> {
    let selected: BTreeSet<&DistributionName> = plan.selected.iter().map(|selected| &selected.name).collect();
    let environment = plan.target.marker_environment();
    let requirements = plan.project.lock.locked_requirements(&environment);
    requirements
        .filter(|requirement| requirement.condition.is_some() || !selected.contains(&requirement.name))
        .map(|requirement| RequirementReport {
            name: requirement.name.to_string(),
            required_by: match requirement.required_by {
                Dependent::Root => plan.name(),
                dependent => dependent.to_string(),
            },
            condition: requirement.condition,
            applies: requirement.applies,
        })
        .collect()
}

/// Reports the application's files, whose uncompressed size is given in bytes.
pub(super) fn application(application: &Application, unzipped_size: u64) -> ApplicationReport {
    ApplicationReport {
        taken: application.taken.clone(),
        source_at_root: application.has_source_at_root(),
        files: application.all_files().count(),
        unzipped_size,
        omitted: omitted(application),
    }
}

fn omitted(application: &Application) -> Vec<OmittedReport> {
    let reports = application.left_out.iter().map(|excluded| OmittedReport {
        path: excluded.path.clone(),
        rule: excluded.rule.to_string(),
        routine: excluded.rule.is_routine(),
        secret: excluded.rule == ExclusionRule::Secret,
    });
    reports.collect()
}

/// Reports the distributions that are selected, but excluded.
pub(super) fn excluded(plan: &Plan) -> Vec<ExcludedReport> {
    let report = plan.excluded.iter().map(|excluded| ExcludedReport {
        name: excluded.name.to_string(),
        version: excluded.version.as_ref().map(ToString::to_string),
        reason: excluded.reason.clone(),
        layer: excluded.layer.clone(),
    });
    report.collect()
}

/// Returns the wheel of a distribution if it is cached.
fn cached(cache: &Cache, selected: &SelectedDistribution) -> Option<Wheel> {
    match &selected.source {
        SelectedSource::Wheel(wheel, _) => cache.wheel(wheel.digest()?, &wheel.filename).ok()?,
        _ => None,
    }
}

/// Returns the length in bytes of a file that is on this machine.
fn length(location: &FileLocation) -> Option<u64> {
    let path = match location {
        FileLocation::Path(path) => path.clone(),
        FileLocation::Url { url, .. } if url.scheme() == "file" => url.to_file_path().ok()?,
        FileLocation::Url { .. } => return None,
    };
    path.metadata().ok().map(|metadata| metadata.len())
}

/// Reports installed distributions, ordered by name; `size_of` returns the size of one in the artifact, in bytes.
pub(super) fn distributions(
    distributions: &[InstalledDistribution],
    dependencies: Option<ArtifactKind>,
    size_of: impl Fn(&InstalledDistribution) -> u64,
) -> Vec<DistributionReport> {
    let mut ordered: Vec<&InstalledDistribution> = distributions.iter().collect();
    ordered.sort_by_key(|distribution| &distribution.selected.name);
    let reports = ordered.into_iter().map(|installed| {
        let wheel = &installed.wheel;
        DistributionReport {
            version: Some(wheel.inventory.version.to_string()),
            wheel: Some(wheel.filename.to_string()),
            digest: Some(wheel.sha256.to_string()),
            size: Some(wheel.size),
            unzipped_size: Some(size_of(installed)),
            violations: violations(wheel),
            ..distribution(installed.selected, dependencies)
        }
    });
    reports.collect()
}

fn violations(wheel: &Wheel) -> Vec<String> {
    wheel.inventory.violations.iter().map(ToString::to_string).collect()
}

/// Reports a target platform and why it was chosen.
pub(super) fn target(target: &TargetPlatform, reason: &str) -> TargetReport {
    TargetReport {
        runtime: target.name.clone(),
        reason: reason.to_owned(),
        architecture: target.architecture.to_string(),
        glibc: target.libc.glibc().map(|glibc| glibc.to_string()),
        musl: target.libc.musl().map(|musl| musl.to_string()),
    }
}

fn shown(location: &FileLocation) -> String {
    match location {
        FileLocation::Url { url, .. } => redact::url(url),
        FileLocation::Path(path) => path.display().to_string(),
    }
}

/// Reports a distribution; `dependencies` is the artifact that dependencies go into, for functions.
pub(super) fn distribution(selected: &SelectedDistribution, dependencies: Option<ArtifactKind>) -> DistributionReport {
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
        violations: Vec::new(),
    };
    match &selected.source {
        SelectedSource::Wheel(wheel, tag) => {
            report.wheel = Some(wheel.filename.to_string());
            report.tag = Some(tag.to_string());
            report.digest = wheel.digest().map(ToString::to_string);
            report.size = wheel.size.or_else(|| length(&wheel.location));
            report.source = shown(&wheel.location);
        }
        SelectedSource::Sdist(sdist) => {
            report.digest = sdist.file.digest().map(ToString::to_string);
            report.size = sdist.file.size.or_else(|| length(&sdist.file.location));
            report.source = shown(&sdist.file.location);
        }
        SelectedSource::Git(repository) => {
            report.source = format!("{}@{}", redact::text(&repository.url), repository.commit);
        }
        SelectedSource::Directory(directory) | SelectedSource::Virtual(directory) => {
            report.source = directory.display().to_string();
            report.artifact = report.artifact.map(|_| ArtifactKind::Function);
        }
    }
    report
}
