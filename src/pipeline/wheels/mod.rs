//! Obtains the wheels of the selected distributions: fetched, or built from source.

pub(crate) mod compatibility;
pub(crate) mod completeness;
mod directory_state;
pub(crate) mod elf_cache;
pub(crate) mod from_source;
pub(crate) mod known;
mod normalized;
pub(crate) mod planned;
pub(crate) mod project_wheels;
pub(crate) mod requirements;
mod requires_python;
mod static_project;
mod uncommitted;
mod violations;
mod wheel_build;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::cache::Cache;
use crate::fetch::{DownloadOptions, Fetcher};
use crate::lock::{LockedWheel, SelectedDistribution, SelectedSource};
use crate::pipeline::BuildError;
use crate::pipeline::plan::{LockedProject, Plan, indexes};
use crate::pipeline::wheels::from_source::{BuildJob, SourceBuilder};
use crate::pipeline::wheels::known::KnownWheels;
use crate::pipeline::wheels::requires_python::StatedPython;
use crate::report::Reporter;
use crate::settings::Settings;
use crate::wheel::Wheel;

/// A selected distribution and its wheel.
pub(super) struct SelectedWheel<'a> {
    pub selected: &'a SelectedDistribution,
    pub wheel: Wheel,
}

/// Where the wheel of a distribution comes from: its position among those that the lock has, or those that are built.
enum WheelSource {
    Locked(usize),
    Built(usize),
}

/// Fetches and builds the wheels of several plans of one project, each of them once. Those that are known are fetched when their
/// bytes are first needed.
///
/// Returns the wheels of each plan: first the dependencies in the order of [`Plan::dependencies`], then the local projects
/// in the order of [`Plan::projects`].
///
/// # Errors
/// A file cannot be fetched, or a distribution cannot be built, or not for the target.
pub(super) fn obtain<'a>(
    settings: &Settings,
    project: &LockedProject,
    fetch: &DownloadOptions,
    plans: &'a [Plan],
    (cache, known): (&Cache, &KnownWheels),
    directory: &Path,
    reporter: &dyn Reporter,
) -> Result<Vec<Vec<SelectedWheel<'a>>>, BuildError> {
    let mut locked: Vec<LockedWheel> = Vec::new();
    let mut positions: HashMap<_, usize> = HashMap::new();
    let mut jobs: Vec<BuildJob> = Vec::new();
    let mut sources: Vec<Vec<(&SelectedDistribution, WheelSource)>> = Vec::new();
    for plan in plans {
        let mut of_plan = Vec::new();
        for selected in plan.dependencies().chain(plan.projects().map(|(selected, _)| selected)) {
            let source = match &selected.source {
                SelectedSource::Wheel(wheel, _) => {
                    let key = (wheel.filename.to_string(), wheel.digests.clone());
                    WheelSource::Locked(*positions.entry(key).or_insert_with(|| {
                        locked.push(wheel.as_ref().clone());
                        locked.len() - 1
                    }))
                }
                _ => WheelSource::Built(BuildJob { selected, python: plan.target.python }.position_in(&mut jobs)),
            };
            of_plan.push((selected, source));
        }
        sources.push(of_plan);
    }
    uncommitted::warn_of_changes(plans, reporter);
    let fetcher = Arc::new(Fetcher::new(fetch.clone()));
    let fetched = locked_wheels(&locked, &fetcher, (cache, known), reporter)?;
    let indexes = indexes::of_build_requirements(settings, project)?;
    let outputs = plans.iter().flat_map(|plan| plan.outputs.iter().cloned());
    let outputs = outputs.chain(settings.wheel_dir.as_ref().and_then(|kept| kept.canonicalize().ok())).collect();
    let root = &project.workspace.root;
    let builder = SourceBuilder { settings, root, indexes, outputs, fetcher: &fetcher, cache, directory };
    let builders = builder.wheel_builders(&jobs)?;
    for (plan, sources) in plans.iter().zip(&sources) {
        for (_, source) in sources {
            if let WheelSource::Built(job) = source {
                let python = &builders[&plan.target.python].python;
                compatibility::refuse_in_advance(&jobs[*job], python, &plan.target)?;
            }
        }
    }
    let built = builder.build(&jobs, &builders, reporter)?;
    let all = fetched.iter().chain(built.iter().map(|built| &built.wheel));
    violations::check(all, &settings.contents.accept_invalid, reporter)?;

    let mut obtained = Vec::new();
    for (plan, sources) in plans.iter().zip(sources) {
        let mut wheels = Vec::new();
        for (selected, source) in sources {
            let wheel = match source {
                WheelSource::Locked(position) => fetched[position].clone(),
                WheelSource::Built(position) => {
                    compatibility::require(&built[position], selected, &plan.target, cache)?;
                    built[position].wheel.clone()
                }
            };
            wheels.push(SelectedWheel { selected, wheel });
        }
        let stated = wheels.iter().map(|selected| StatedPython::of(&selected.wheel));
        requires_python::check(stated, &plan.target, reporter)?;
        obtained.push(wheels);
    }
    Ok(obtained)
}

/// Returns the wheels that the lock has, in their order.
fn locked_wheels(
    locked: &[LockedWheel],
    fetcher: &Arc<Fetcher>,
    (cache, known): (&Cache, &KnownWheels),
    reporter: &dyn Reporter,
) -> Result<Vec<Wheel>, BuildError> {
    let found: Vec<Option<Wheel>> =
        locked.iter().map(|wheel| known.wheel(wheel, fetcher, cache)).collect::<Result<_, _>>()?;
    let unknown: Vec<LockedWheel> =
        locked.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(wheel, _)| wheel.clone()).collect();
    let mut fetched = fetcher.fetch(&unknown, cache, reporter)?.into_iter();
    Ok(found.into_iter().filter_map(|found| found.or_else(|| fetched.next())).collect())
}
