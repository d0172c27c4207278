//! Which versions of a distribution have a wheel for a target: for the hint about one that has none.

use std::collections::BTreeSet;

use pep440_rs::Version;
use url::Url;

use super::accept::accept;
use super::{FileFinder, SearchResult};
use crate::lock::{AcceptedFiles, DistributionSource, IndexQuery, PinnedDistribution, QueriedIndexes};
use crate::name::DistributionName;
use crate::platform::TargetPlatform;
use crate::wheel::filename::WheelFilename;

impl FileFinder<'_> {
    /// Returns the versions of a distribution that have a compatible wheel, oldest first, on the index of the lock or on those
    /// that are configured. Yanked files do not count, and pre-releases only if one is locked. `None` if no index can be asked:
    /// a hint is not worth an error.
    ///
    /// Blocks, as [`complete`](Self::complete) does.
    pub(crate) fn versions_with_wheels(
        &self,
        name: &DistributionName,
        locked: &Version,
        index: Option<&Url>,
        target: &TargetPlatform,
    ) -> Option<Vec<Version>> {
        if self.fetch.offline {
            return None;
        }
        let indexes = index.map_or(QueriedIndexes::All, |index| QueriedIndexes::Only(index.clone()));
        let query = IndexQuery { version: locked.clone(), accepted: AcceptedFiles::Any, indexes };
        let source = DistributionSource::Index(query.clone());
        let pinned =
            PinnedDistribution { name: name.clone(), version: Some(locked.clone()), required_by: Vec::new(), source };
        let SearchResult { links, indexes, .. } = self.search(&[(&pinned, &query)]).ok()?.pop()?;
        let (tags, cutoff) = (target.tags(), self.options.cutoff(name));
        let files = links.iter().chain(&indexes).flat_map(|listing| &listing.page.files);
        let compatible = files.filter(|file| file.yanked.is_none()).filter_map(|file| {
            let wheel = file.name.parse::<WheelFilename>().ok().filter(|wheel| wheel.name == *name)?;
            let is_accepted = accept(file, &AcceptedFiles::Any, target.python, cutoff).ok()?.is_ok();
            let is_stable = !wheel.version.any_prerelease() || locked.any_prerelease();
            (is_accepted && is_stable && tags.best_match(&wheel).is_some()).then_some(wheel.version)
        });
        let versions: BTreeSet<Version> = compatible.collect();
        (!links.is_empty() || !indexes.is_empty()).then(|| versions.into_iter().collect())
    }
}
