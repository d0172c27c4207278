//! Whether requirements files pin everything that the wheels require.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cache::Cache;
use crate::index::FileFinder;
use crate::lock::requirements::{self, InstalledMetadata};
use crate::lock::{SelectedDistribution, SelectedSource};
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::plan::Plan;
use crate::pipeline::plan::requirements_source::RequirementsSource;
use crate::pipeline::wheels::SelectedWheel;
use crate::report::Reporter;
use crate::settings::Settings;
use crate::wheel;

/// Checks that the installed distributions require nothing that is not pinned: a requirements file may be incomplete.
/// A pinned version outside a requirement's range is a warning, since it may be intended.
///
/// # Errors
/// A distribution is required and not pinned.
pub(crate) fn check(
    plan: &Plan,
    wheels: &[SelectedWheel],
    settings: &Settings,
    reporter: &dyn Reporter,
) -> Result<(), BuildError> {
    let known = wheels.iter().map(|it| (it.selected, it.wheel.inventory.requires.as_slice()));
    check_known(plan, known, settings, reporter)
}

/// Like [`check`], for a plan, which fetches no wheel: by cached wheels and the metadata that an index serves (PEP
/// 658). The requirements of sources are not known.
///
/// # Errors
/// A distribution is required and not pinned, or an index cannot be asked.
pub(crate) fn check_planned(
    plan: &Plan,
    settings: &Settings,
    finder: &FileFinder,
    cache: &Cache,
    reporter: &dyn Reporter,
) -> Result<(), BuildError> {
    if plan.project.lock.requirements().is_none() || settings.requirements.no_deps {
        return Ok(());
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for selected in plan.installed() {
        let SelectedSource::Wheel(wheel, _) = &selected.source else {
            known.push((selected, Vec::new()));
            continue;
        };
        match wheel.digest().map(|digest| cache.wheel(digest, &wheel.filename)).transpose()?.flatten() {
            Some(wheel) => known.push((selected, wheel.inventory.requires)),
            None => unknown.push((selected, wheel.clone())),
        }
    }
    let wheels: Vec<_> = unknown.iter().map(|(_, wheel)| wheel.clone()).collect();
    let metadata = finder.metadata(&wheels)?;
    for ((selected, _), metadata) in unknown.into_iter().zip(metadata) {
        let requires = metadata.and_then(|text| wheel::requires(&text).ok()).unwrap_or_default();
        known.push((selected, requires));
    }
    let known = known.iter().map(|(selected, requires)| (*selected, requires.as_slice()));
    check_known(plan, known, settings, reporter)
}

fn check_known<'a>(
    plan: &Plan,
    known: impl Iterator<Item = (&'a SelectedDistribution, &'a [String])>,
    settings: &Settings,
    reporter: &dyn Reporter,
) -> Result<(), BuildError> {
    let Some(lock) = plan.project.lock.requirements() else { return Ok(()) };
    if settings.requirements.no_deps {
        return Ok(());
    }
    let mut extras = lock.extras(&plan.target);
    let installed: Vec<InstalledMetadata> = known
        .map(|(selected, requires_dist)| InstalledMetadata {
            name: selected.name.clone(),
            version: selected.version.clone(),
            extras: if selected.is_root() {
                settings.request.extras.clone()
            } else {
                extras.remove(&selected.name).unwrap_or_default()
            },
            requires_dist,
        })
        .collect();
    let mut excluded: BTreeSet<DistributionName> = settings.request.no_install_packages.clone();
    excluded.extend(plan.excluded.iter().map(|distribution| distribution.name.clone()));
    let completeness = requirements::completeness(&installed, &excluded, &plan.target);
    for mismatch in &completeness.mismatched {
        let requirements::MismatchedRequirement { requirement, name, version, required_by } = mismatch;
        reporter.warn(&format!("{required_by} requires {requirement}, but {name} {version} is pinned"));
    }
    match &completeness.missing[..] {
        [] => Ok(()),
        missing => Err(BuildError::Incomplete {
            lock: plan.project.path().map(Path::to_owned),
            command: RequirementsSource::of(&plan.project.workspace).map(|source| source.lock_command()),
            missing: missing.to_vec(),
        }),
    }
}
