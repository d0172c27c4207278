//! Getting wheels and installing them: what every kind of artifact begins with.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::plan::Plan;
use super::{BuildError, projects};
use crate::cache::Cache;
use crate::fetch::{FetchOptions, Fetcher};
use crate::lock::{LockedWheel, Selected, SelectedSource};
use crate::report::Reporter;
use crate::settings::Settings;
use crate::target::Scheme;
use crate::tree::{Entry, TreePath};
use crate::wheel::{self, Wheel};

/// The wheels of one plan.
pub struct Obtained {
    /// Those of the dependencies, in the order of [`Plan::dependencies`].
    pub dependencies: Vec<Wheel>,
    /// Those of local projects, in the order of [`Plan::projects`].
    pub projects: Vec<Wheel>,
}

/// Gets the wheels of several plans of one project, each once; returns those of each plan in its order.
///
/// # Errors
/// A file cannot be fetched, or a distribution cannot be built, or not for the target.
pub fn obtain(
    settings: &Settings,
    fetch: &FetchOptions,
    plans: &[Plan],
    cache: &Cache,
    folder: &Path,
    reporter: &dyn Reporter,
) -> Result<Vec<Obtained>, BuildError> {
    let mut locked: Vec<LockedWheel> = Vec::new();
    let mut positions: HashMap<_, usize> = HashMap::new();
    let mut position_of = |selected: &Selected| match &selected.source {
        SelectedSource::Wheel(wheel, _) => {
            Ok(*positions.entry((wheel.filename.to_string(), wheel.digests.clone())).or_insert_with(|| {
                locked.push(wheel.clone());
                locked.len() - 1
            }))
        }
        _ => Err(BuildError::Unbuilt { name: selected.name.clone() }),
    };
    let mut of_plans: Vec<Vec<usize>> = Vec::new();
    for plan in plans {
        of_plans.push(plan.dependencies().map(&mut position_of).collect::<Result<_, _>>()?);
    }
    let fetched = Fetcher::new(fetch.clone()).fetch(&locked, cache, reporter)?;
    let built = projects::build_all(settings, plans, folder, reporter)?;
    let of_plans = of_plans.into_iter().zip(built).map(|(positions, projects)| Obtained {
        dependencies: positions.into_iter().map(|at| fetched[at].clone()).collect(),
        projects,
    });
    Ok(of_plans.collect())
}

/// Installs wheels side by side; the results are in the order of the wheels.
pub fn install_all(
    wheels: &[Wheel],
    scheme: &Scheme,
    interpreter: &str,
) -> Result<Vec<Vec<(TreePath, Entry)>>, BuildError> {
    Ok(wheels.par_iter().map(|wheel| wheel::install(wheel, scheme, interpreter)).collect::<Result<_, _>>()?)
}
