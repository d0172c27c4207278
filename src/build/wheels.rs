//! Getting wheels and installing them: what every kind of artifact begins with.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::plan::{LockedProject, Plan};
use super::sources::{Built, Job, Workshop};
use super::{BuildError, fit, projects};
use crate::cache::Cache;
use crate::fetch::{Credentials, FetchOptions, Fetcher, Index};
use crate::lock::{LockedWheel, SelectedSource};
use crate::report::Reporter;
use crate::settings::{CacheChoice, Settings};
use crate::target::Scheme;
use crate::tree::{Entry, TreePath};
use crate::wheel::{self, Wheel};

/// Makes a folder for what is needed while a build runs.
pub fn temporary() -> Result<tempfile::TempDir, BuildError> {
    tempfile::Builder::new().prefix("pybundle-").tempdir().map_err(BuildError::Temporary)
}

/// Opens the cache; one that is not kept lies in the temporary folder.
pub fn open_cache(choice: &CacheChoice, temporary: &Path) -> Result<Cache, BuildError> {
    Ok(match choice {
        CacheChoice::Folder(folder) => Cache::open(folder)?,
        CacheChoice::Temporary => Cache::open(&temporary.join("cache"))?,
    })
}

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
    let options = FetchOptions {
        offline: settings.fetch.offline,
        credentials: credentials(settings, project),
        ..FetchOptions::default()
    };
    let fetcher = Fetcher::new(options);
    let fetched = fetcher.fetch(&locked, cache, reporter)?;
    let workshop = Workshop { settings, root: &project.workspace.root, fetcher: &fetcher, cache, folder };
    let built = workshop.build(&jobs, reporter)?;

    let mut obtained = Vec::new();
    for (plan, places) in plans.iter().zip(places) {
        let wheel_at = |place| match place {
            Place::Fetched(at) => Ok(fetched[at].clone()),
            Place::Built(at) => {
                let built: &Built = &built[at];
                fit::require(built, jobs[at].selected, &plan.target, reporter)?;
                Ok(built.wheel.clone())
            }
        };
        let mut wheels = places.into_iter().map(wheel_at).collect::<Result<Vec<_>, BuildError>>()?;
        let projects = wheels.split_off(plan.dependencies().count());
        obtained.push(Obtained { dependencies: wheels, projects });
    }
    Ok(obtained)
}

/// Returns the credentials of the indexes that the project declares and the user names.
fn credentials(settings: &Settings, project: &LockedProject) -> Credentials {
    let declared = project.indexes().map(|index| Index { name: index.name, url: index.url });
    let given = settings.fetch.indexes.iter().map(|url| Index { name: None, url: url.clone() });
    let environment = &settings.environment;
    let indexes = declared.chain(given).collect::<Vec<_>>();
    Credentials::new(environment.variables.clone(), environment.netrc.as_deref(), indexes)
}

/// Installs wheels side by side; the results are in the order of the wheels.
pub fn install_all(
    wheels: &[Wheel],
    scheme: &Scheme,
    interpreter: &str,
) -> Result<Vec<Vec<(TreePath, Entry)>>, BuildError> {
    Ok(wheels.par_iter().map(|wheel| wheel::install(wheel, scheme, interpreter)).collect::<Result<_, _>>()?)
}
