//! Indexes: finds the files of pinned versions, for locks that do not contain their URLs.
//!
//! Specification: [PyPA, simple repository API](https://packaging.python.org/en/latest/specifications/simple-repository-api/).
//!
//! Which indexes are searched, and which of their files are accepted, follows uv: see [`IndexOptions`]. Pages are cached,
//! and not requested again as long as they contain all files that a lock names.

mod accept;
mod choose;
mod cutoff;
mod error;
mod local;
mod options;
pub mod page;
mod page_cache;
mod pages;
pub(crate) mod requires_python;
mod search;
mod versions;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt, TryStreamExt, stream};
use url::Url;

use crate::cache::Cache;
use crate::digest::{Digest, Hasher};
use crate::fetch::{DocumentRequest, DocumentResponse, DownloadError, DownloadOptions};
use crate::lock::{DistributionSource, FileLocation, IndexQuery, LockedWheel, PinnedDistribution, Selection};
use crate::platform::TargetPlatform;
use crate::redact;
use crate::report::Reporter;
use choose::{ChosenFiles, ConflictingFile, FileRequest};
use pages::{PageCoverage, PageLookup, PageMemory, Pages};
use search::{IndexSearch, Listing, SearchResult};

pub use cutoff::{Cutoff, InvalidCutoff};
pub use error::{DeniedIndex, IndexError};
pub use options::{IndexConfig, IndexOptions, IndexStrategy, InvalidIndexStrategy, InvalidIndexUrl, location};

/// The largest metadata of a wheel that is read, in bytes.
const LARGEST_METADATA: u64 = 16 << 20;

/// Finds files in indexes. All targets share the pages that it has read.
pub struct FileFinder<'a> {
    options: IndexOptions,
    fetch: &'a DownloadOptions,
    cache: &'a Cache,
    reporter: &'a dyn Reporter,
    memory: PageMemory,
    /// The yanked versions that were reported.
    warned: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for FileFinder<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FileFinder").field("options", &self.options).finish_non_exhaustive()
    }
}

impl<'a> FileFinder<'a> {
    /// Creates a finder, without connecting to anything.
    ///
    /// The credentials of `fetch` must include every index and `--find-links` URL that contains credentials.
    pub fn new(
        options: IndexOptions,
        fetch: &'a DownloadOptions,
        cache: &'a Cache,
        reporter: &'a dyn Reporter,
    ) -> Self {
        Self { options, fetch, cache, reporter, memory: PageMemory::default(), warned: Mutex::default() }
    }

    /// Replaces each [`DistributionSource::Index`] of a selection by the files that are accepted for the target. The version
    /// becomes that of the files, including a local version.
    ///
    /// Blocks, so it must not be called from asynchronous code or from a rayon thread. Yanked files are used, because they
    /// are pinned, with a warning.
    ///
    /// # Errors
    /// An index cannot be queried, or has no such file. Of several failures, the first in the order of the selection is
    /// returned, failed queries before missing files.
    pub fn complete(&self, selection: &mut Selection, target: &TargetPlatform) -> Result<(), IndexError> {
        let queries: Vec<(&PinnedDistribution, &IndexQuery)> = selection
            .distributions
            .iter()
            .filter_map(|pinned| match &pinned.source {
                DistributionSource::Index(query) => Some((pinned, query)),
                _ => None,
            })
            .collect();
        if queries.is_empty() {
            return Ok(());
        }
        let found = self.search(&queries)?;
        let tags = target.tags();
        let mut offers = Vec::with_capacity(queries.len());
        for ((pinned, query), found) in queries.iter().zip(&found) {
            let name = &pinned.name;
            let cutoff = self.options.cutoff(name);
            let request = FileRequest {
                name,
                query,
                target,
                tags: &tags,
                cutoff,
                strategy: search::strategy(query, &self.options),
            };
            for Listing { page, location, .. } in &found.indexes {
                // An index offers no file of a project that is quarantined.
                if let Some(status) = &page.status {
                    self.warn(format!("{name} is marked in {location} as {status}"));
                }
            }
            let offer = request.choose(found)?;
            self.warn_of_yanked(pinned, &offer);
            if let Some(ConflictingFile { name, chosen, other }) = &offer.conflict {
                self.warn(format!(
                    "{name} is taken from {chosen}, but {other} has another file of this name: pin its hash"
                ));
            }
            offers.push(offer);
        }
        let pinned = selection.distributions.iter_mut();
        let without_files = pinned.filter(|pinned| matches!(pinned.source, DistributionSource::Index(_)));
        for (pinned, offer) in without_files.zip(offers) {
            // Equal versions may be written differently: keep the lock's.
            if pinned.version.as_ref() != Some(&offer.version) {
                pinned.version = Some(offer.version);
            }
            pinned.source = DistributionSource::Files(offer.files);
        }
        Ok(())
    }

    /// Returns the METADATA that indexes serve separately from wheels ([PEP 658](https://peps.python.org/pep-0658/)), verified
    /// with the digest that the index states. `None` for a wheel that is local or not from an index, or if the network is
    /// disabled.
    ///
    /// Blocks, as [`complete`](Self::complete) does.
    ///
    /// # Errors
    /// An index cannot be queried, or serves metadata with another digest than it states.
    pub fn metadata(&self, wheels: &[LockedWheel]) -> Result<Vec<Option<Vec<u8>>>, IndexError> {
        let has_remote = wheels.iter().any(|wheel| matches!(wheel.location, FileLocation::Url { index: Some(_), .. }));
        if self.fetch.offline || !has_remote {
            return Ok(vec![None; wheels.len()]);
        }
        let pages = Pages::new(self.fetch, self.cache, &self.memory);
        let asked = stream::iter(wheels.iter().map(|wheel| self.metadata_of(wheel, &pages)));
        let runtime = self.fetch.connections.runtime()?;
        let answers = asked.buffered(self.fetch.concurrency.max(1)).try_collect();
        runtime.block_on(self.fetch.attend(self.reporter, answers))
    }

    /// Searches for distributions concurrently; the results are in the order of the queries.
    fn search(&self, queries: &[(&PinnedDistribution, &IndexQuery)]) -> Result<Vec<SearchResult>, IndexError> {
        let pages = Pages::new(self.fetch, self.cache, &self.memory);
        let searches = queries.iter().map(|(pinned, query)| {
            let search = IndexSearch { options: &self.options, pages: &pages, name: &pinned.name, query };
            async move { search.run().await }
        });
        let searches = stream::iter(searches).buffered(self.fetch.concurrency.max(1));
        let runtime = self.fetch.connections.runtime()?;
        runtime.block_on(self.fetch.attend(self.reporter, searches.try_collect()))
    }

    async fn metadata_of(&self, wheel: &LockedWheel, pages: &Pages<'_>) -> Result<Option<Vec<u8>>, IndexError> {
        let FileLocation::Url { url, index: Some(index) } = &wheel.location else { return Ok(None) };
        let index = search::bare(index);
        let address = search::page_of(&index, &wheel.filename.name);
        let lookup = pages.look_up(&address, |page| PageCoverage::all_or_nothing(page.file(url).is_some())).await?;
        let PageLookup::Found(page) = lookup else { return Ok(None) };
        let Some(stated) = page.file(url).and_then(|file| file.metadata.clone()) else { return Ok(None) };
        let beside = beside(url);
        let (index, limit) = (Some(&index), LARGEST_METADATA);
        let question = DocumentRequest { url: &beside, index, accept: "*/*", etag: None, limit };
        let body = match pages.client().await?.ask(&question, self.fetch.retry).await {
            Ok(DocumentResponse::Document(document)) => document.body,
            Ok(DocumentResponse::Unchanged(_)) => return Ok(None),
            Err((DownloadError::Status { status, .. }, _)) if status.as_u16() == 404 => return Ok(None),
            Err((error, attempts)) => {
                return Err(IndexError::Request { page: redact::url(&beside), attempts, source: error.into() });
            }
        };
        verify(wheel, &stated, &body)?;
        Ok(Some(body))
    }

    fn warn_of_yanked(&self, pinned: &PinnedDistribution, offer: &ChosenFiles) {
        let Some((location, reason)) = &offer.yanked else { return };
        let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        self.warn(format!("{} {} was yanked from {location}{reason}", pinned.name, offer.version));
    }

    /// Prints a warning once, though several targets cause it.
    fn warn(&self, message: String) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(message.clone()) {
            self.reporter.warn(&message);
        }
    }
}

fn beside(wheel: &Url) -> Url {
    let mut url = wheel.clone();
    url.set_path(&format!("{}.metadata", wheel.path()));
    url
}

fn verify(wheel: &LockedWheel, stated: &[Digest], body: &[u8]) -> Result<(), IndexError> {
    for expected in stated {
        let mut hasher = Hasher::new(expected.algorithm());
        hasher.update(body);
        let actual = hasher.finish();
        if actual != *expected {
            let (wheel, expected) = (wheel.filename.to_string(), expected.clone());
            return Err(IndexError::Metadata { wheel, expected, actual });
        }
    }
    Ok(())
}
