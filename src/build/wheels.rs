//! Getting wheels and installing them: what every kind of artifact begins with.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::adapt::Adapted;
use super::plan::{LockedProject, Plan};
use super::sources::{Built, Job, Workshop};
use super::{BuildError, fit, indexes, projects};
use crate::cache::Cache;
use crate::fetch::{FetchOptions, Fetcher};
use crate::lock::{LockedWheel, SelectedSource};
use crate::platform::Scheme;
use crate::report::Reporter;
use crate::settings::Settings;
use crate::tree::{Entry, TreePath};
use crate::wheel::{self, Wheel};

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
    projects::warn_of_changes(plans, reporter);
    let fetcher = Fetcher::new(fetch.clone());
    let fetched = fetcher.fetch(&locked, cache, reporter)?;
    let indexes = indexes::of_build_requirements(settings, project)?;
    let workshop = Workshop { settings, root: &project.workspace.root, indexes, fetcher: &fetcher, cache, folder };
    let builders = workshop.builders(&jobs)?;
    for (plan, places) in plans.iter().zip(&places) {
        let foresee = |place: &Place| match place {
            Place::Built(at) => fit::foresee(&jobs[*at], &builders[&plan.target.python].python, &plan.target),
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
                fit::require(built, jobs[at].selected, &plan.target, cache)?;
                Ok(built.wheel.clone())
            }
        };
        let mut wheels = places.into_iter().map(wheel_at).collect::<Result<Vec<_>, BuildError>>()?;
        let projects = wheels.split_off(plan.dependencies().count());
        obtained.push(Obtained { dependencies: wheels, projects });
    }
    Ok(obtained)
}

/// Installs wheels side by side; the results are in the order of the wheels.
pub fn install_all(
    wheels: &[Adapted],
    scheme: &Scheme,
    interpreter: &str,
) -> Result<Vec<Vec<(TreePath, Entry)>>, BuildError> {
    let install = |adapted: &Adapted| wheel::install(&adapted.wheel, &adapted.changes, scheme, interpreter);
    Ok(wheels.par_iter().map(install).collect::<Result<_, _>>()?)
}
