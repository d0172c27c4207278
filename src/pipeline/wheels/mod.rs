//! Getting wheels and installing them: what every kind of artifact begins with.

pub(crate) mod compatibility;
pub(crate) mod completeness;
pub(crate) mod elf_cache;
pub(crate) mod from_source;
mod uncommitted;

use std::collections::HashMap;
use std::path::Path;

use crate::cache::Cache;
use crate::fetch::{FetchOptions, Fetcher};
use crate::lock::{LockedWheel, SelectedSource};
use crate::pipeline::BuildError;
use crate::pipeline::plan::indexes;
use crate::pipeline::plan::{LockedProject, Plan};
use crate::pipeline::wheels::from_source::{Built, Job, Workshop};
use crate::report::Reporter;
use crate::settings::Settings;
use crate::wheel::Wheel;

/// The wheels of one plan.
pub struct Obtained {
    /// Those of the dependencies, in the order of [`Plan::dependencies`].
    pub dependencies: Vec<Wheel>,
    /// Those of local projects, in the order of [`Plan::projects`].
    pub projects: Vec<Wheel>,
}

/// Where the wheel of a distribution comes from: its place among those that are fetched, or those that are built.
enum Place {
    Fetched(usize),
    Built(usize),
}

/// Gets the wheels of several plans of one project, each once; returns those of each plan in its order.
///
/// # Errors
/// A file cannot be fetched, or a distribution cannot be built, or not for the target.
pub fn obtain(
    settings: &Settings,
    project: &LockedProject,
    fetch: &FetchOptions,
    plans: &[Plan],
    cache: &Cache,
    folder: &Path,
    reporter: &dyn Reporter,
) -> Result<Vec<Obtained>, BuildError> {
    let mut locked: Vec<LockedWheel> = Vec::new();
    let mut positions: HashMap<_, usize> = HashMap::new();
    let mut jobs: Vec<Job> = Vec::new();
    let mut places: Vec<Vec<Place>> = Vec::new();
    for plan in plans {
        let mut of_plan = Vec::new();
        for selected in plan.dependencies().chain(plan.projects().map(|(selected, _)| selected)) {
            of_plan.push(match &selected.source {
                SelectedSource::Wheel(wheel, _) => {
                    let key = (wheel.filename.to_string(), wheel.digests.clone());
                    Place::Fetched(*positions.entry(key).or_insert_with(|| {
                        locked.push(wheel.clone());
                        locked.len() - 1
                    }))
                }
                _ => Place::Built(Job { selected, python: plan.target.python }.position_in(&mut jobs)),
            });
        }
        places.push(of_plan);
    }
    uncommitted::warn_of_changes(plans, reporter);
    let fetcher = Fetcher::new(fetch.clone());
    let fetched = fetcher.fetch(&locked, cache, reporter)?;
    let indexes = indexes::of_build_requirements(settings, project)?;
    let workshop = Workshop { settings, root: &project.workspace.root, indexes, fetcher: &fetcher, cache, folder };
    let builders = workshop.builders(&jobs)?;
    for (plan, places) in plans.iter().zip(&places) {
        let foresee = |place: &Place| match place {
            Place::Built(at) => compatibility::foresee(&jobs[*at], &builders[&plan.target.python].python, &plan.target),
            Place::Fetched(_) => Ok(()),
        };
        places.iter().try_for_each(foresee)?;
    }
    let built = workshop.build(&jobs, &builders, reporter)?;

    let mut obtained = Vec::new();
    for (plan, places) in plans.iter().zip(places) {
        let wheel_at = |place| match place {
            Place::Fetched(at) => Ok(fetched[at].clone()),
            Place::Built(at) => {
                let built: &Built = &built[at];
                compatibility::require(built, jobs[at].selected, &plan.target, cache)?;
                Ok(built.wheel.clone())
            }
        };
        let mut wheels = places.into_iter().map(wheel_at).collect::<Result<Vec<_>, BuildError>>()?;
        let projects = wheels.split_off(plan.dependencies().count());
        obtained.push(Obtained { dependencies: wheels, projects });
    }
    Ok(obtained)
}
