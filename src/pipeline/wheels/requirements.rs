//! What wheels require, before they are installed.

use crate::cache::Cache;
use crate::fetch::{DownloadOptions, Fetcher};
use crate::index::FileFinder;
use crate::lock::LockedWheel;
use crate::pipeline::BuildError;
use crate::report::Silent;
use crate::wheel;

/// Returns the Requires-Dist of wheels: of cached ones, from the metadata that an index serves (PEP 658), or else of those
/// that are fetched. Without options for that, it is `None`.
///
/// # Errors
/// An index cannot be asked, or a wheel cannot be fetched.
pub(crate) fn of(
    wheels: &[LockedWheel],
    finder: &FileFinder,
    cache: &Cache,
    fetch: Option<&DownloadOptions>,
) -> Result<Vec<Option<Vec<String>>>, BuildError> {
    let mut found: Vec<Option<Vec<String>>> = Vec::with_capacity(wheels.len());
    for wheel in wheels {
        let cached = wheel.digest().map(|digest| cache.wheel(digest, &wheel.filename)).transpose()?.flatten();
        found.push(cached.map(|wheel| wheel.inventory.requires));
    }
    let unknown: Vec<usize> = (0..wheels.len()).filter(|at| found[*at].is_none()).collect();
    let asked: Vec<LockedWheel> = unknown.iter().map(|at| wheels[*at].clone()).collect();
    for (at, metadata) in unknown.into_iter().zip(finder.metadata(&asked)?) {
        found[at] = metadata.and_then(|text| wheel::requirements(&text).ok()).map(|found| found.requires);
    }
    if let Some(fetch) = fetch {
        let unknown: Vec<usize> = (0..wheels.len()).filter(|at| found[*at].is_none()).collect();
        let missing: Vec<LockedWheel> = unknown.iter().map(|at| wheels[*at].clone()).collect();
        for (at, wheel) in unknown.into_iter().zip(Fetcher::new(fetch.clone()).fetch(&missing, cache, &Silent)?) {
            found[at] = Some(wheel.inventory.requires);
        }
    }
    Ok(found)
}
