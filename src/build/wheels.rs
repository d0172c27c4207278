//! Getting wheels and installing them: what every kind of artifact begins with.

use std::path::Path;

use rayon::prelude::*;

use super::BuildError;
use super::plan::LockedProject;
use crate::cache::Cache;
use crate::fetch::{Credentials, FetchOptions, Fetcher, Index};
use crate::lock::LockedWheel;
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

/// Fetches wheels, with the credentials of the indexes that the project declares and the user names.
pub fn fetch(
    settings: &Settings,
    project: &LockedProject,
    wheels: &[LockedWheel],
    cache: &Cache,
    reporter: &dyn Reporter,
) -> Result<Vec<Wheel>, BuildError> {
    let declared = project.indexes().map(|index| Index { name: index.name, url: index.url });
    let given = settings.fetch.indexes.iter().map(|url| Index { name: None, url: url.clone() });
    let environment = &settings.environment;
    let indexes = declared.chain(given).collect::<Vec<_>>();
    let credentials = Credentials::new(environment.variables.clone(), environment.netrc.as_deref(), indexes);
    let options = FetchOptions { offline: settings.fetch.offline, credentials, ..FetchOptions::default() };
    Ok(Fetcher::new(options).fetch(wheels, cache, reporter)?)
}

/// Installs wheels side by side; the results are in the order of the wheels.
pub fn install_all(
    wheels: &[Wheel],
    scheme: &Scheme,
    interpreter: &str,
) -> Result<Vec<Vec<(TreePath, Entry)>>, BuildError> {
    Ok(wheels.par_iter().map(|wheel| wheel::install(wheel, scheme, interpreter)).collect::<Result<_, _>>()?)
}
