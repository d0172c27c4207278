//! Whether locks without a graph of dependencies pin everything that the wheels require.

use std::collections::BTreeSet;
use std::path::Path;

use crate::lock::SelectedDistribution;
use crate::lock::requirements::{self, InstalledMetadata};
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::plan::Plan;
use crate::pipeline::plan::requirements_source::RequirementsSource;
use crate::pipeline::wheels::SelectedWheel;
use crate::report::Reporter;
use crate::settings::Settings;

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

/// As [`check`], for the requirements that are known.
///
/// # Errors
/// A distribution is required and not pinned.
pub(super) fn check_known<'a>(
    plan: &Plan,
    known: impl Iterator<Item = (&'a SelectedDistribution, &'a [String])>,
    settings: &Settings,
    reporter: &dyn Reporter,
) -> Result<(), BuildError> {
    let Some(mut extras) = plan.project.lock.extras_without_graph(&plan.target) else { return Ok(()) };
    if settings.requirements.no_deps {
        return Ok(());
    }
    let installed: Vec<InstalledMetadata> = known
        .map(|(selected, requires_dist)| InstalledMetadata {
            name: selected.name.clone(),
            version: selected.version.clone(),
            // Those of `-e .[extra]`, and those that the user requests of the project.
            extras: {
                let mut extras = extras.remove(&selected.name).unwrap_or_default();
                if selected.is_root() {
                    extras.extend(settings.request.extras.iter().cloned());
                }
                extras
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
