//! Indexes: where the files of a pinned version are, for locks that do not say.
//!
//! Specification: [PyPA, simple repository API](https://packaging.python.org/en/latest/specifications/simple-repository-api/).
//!
//! Which index is asked, and which of its files count, follows uv: [`IndexOptions`] has the rules. What an index told is
//! kept in the cache, and it is not asked again as long as that has everything that a lock names.

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
use choose::{ChosenFiles, FileRequest};
use pages::{PageCoverage, PageLookup, PageMemory, Pages};
use search::{IndexSearch, SearchResult};

pub use cutoff::{Cutoff, InvalidCutoff};
pub use error::{DeniedIndex, IndexError};
pub use options::{IndexConfig, IndexOptions, IndexStrategy, InvalidIndexStrategy, InvalidIndexUrl, PYPI, location};

/// The most bytes that the metadata of a wheel may have.
const LARGEST_METADATA: u64 = 16 << 20;

/// Looks for files in indexes. What it learns of an index it knows for every target.
pub struct FileFinder<'a> {
    options: IndexOptions,
    fetch: &'a DownloadOptions,
    cache: &'a Cache,
    reporter: &'a dyn Reporter,
    memory: PageMemory,
    /// The yanked versions that the user was told of.
    warned: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for FileFinder<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FileFinder").field("options", &self.options).finish_non_exhaustive()
    }
}

impl<'a> FileFinder<'a> {
    /// Makes one. Nothing is connected or read before it is needed.
    ///
    /// The credentials of `fetch` must know every index and every list of links whose URL holds a user or a password.
    pub fn new(
        options: IndexOptions,
        fetch: &'a DownloadOptions,
        cache: &'a Cache,
        reporter: &'a dyn Reporter,
    ) -> Self {
        Self { options, fetch, cache, reporter, memory: PageMemory::default(), warned: Mutex::default() }
    }

    /// Puts the files that are accepted, and that the target's Python may install, in the place of each
    /// [`DistributionSource::Index`] of a selection. The version gets the local part of the files, if they have one.
    ///
    /// Blocks: it is for a thread of the program's own, neither an asynchronous one nor one of rayon's. What was yanked is
    /// used, for it is pinned; the reporter is told so.
    ///
    /// # Errors
    /// An index cannot be asked, or has no such file. Of several distributions of which the first is so, the first one of
    /// the selection is reported, and else the first of those that have no file.
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
            let request = FileRequest { name, query, target, tags: &tags, cutoff, strategy: self.options.strategy };
            let offer = request.choose(found)?;
            self.warn_of_yanked(pinned, &offer);
            offers.push(offer);
        }
        let is_sought = |pinned: &&mut PinnedDistribution| matches!(pinned.source, DistributionSource::Index(_));
        for (pinned, offer) in selection.distributions.iter_mut().filter(is_sought).zip(offers) {
            // The same version may be written in several ways: the lock's is kept.
            if pinned.version.as_ref() != Some(&offer.version) {
                pinned.version = Some(offer.version);
            }
            pinned.source = DistributionSource::Files(offer.files);
        }
        Ok(())
    }

    /// Returns the metadata of each wheel that its index serves beside it ([PEP 658](https://peps.python.org/pep-0658/)),
    /// without the wheel: the text of the file METADATA, which has the digest that the index states of it. There is none
    /// for a wheel that is on this machine or of no index, and none if the network may not be used.
    ///
    /// Blocks, as [`complete`](Self::complete) does.
    ///
    /// # Errors
    /// An index cannot be asked, or serves something else than it states.
    pub fn metadata(&self, wheels: &[LockedWheel]) -> Result<Vec<Option<Vec<u8>>>, IndexError> {
        let is_remote = |wheel: &LockedWheel| matches!(wheel.location, FileLocation::Url { index: Some(_), .. });
        if self.fetch.offline || !wheels.iter().any(is_remote) {
            return Ok(vec![None; wheels.len()]);
        }
        let pages = Pages::new(self.fetch, self.cache, &self.memory);
        let asked = stream::iter(wheels.iter().map(|wheel| self.metadata_of(wheel, &pages)));
        let runtime = self.fetch.connections.runtime()?;
        runtime.block_on(asked.buffered(self.fetch.concurrency.max(1)).try_collect())
    }

    /// Asks for the pages of some distributions side by side; returns what was found of each, in their order.
    fn search(&self, queries: &[(&PinnedDistribution, &IndexQuery)]) -> Result<Vec<SearchResult>, IndexError> {
        let pages = Pages::new(self.fetch, self.cache, &self.memory);
        let searches = queries.iter().map(|(pinned, query)| {
            let search = IndexSearch { options: &self.options, pages: &pages, name: &pinned.name, query };
            async move { search.run().await }
        });
        let searches = stream::iter(searches).buffered(self.fetch.concurrency.max(1));
        let runtime = self.fetch.connections.runtime()?;
        runtime.block_on(searches.try_collect())
    }

    async fn metadata_of(&self, wheel: &LockedWheel, pages: &Pages<'_>) -> Result<Option<Vec<u8>>, IndexError> {
        let FileLocation::Url { url, index: Some(index) } = &wheel.location else { return Ok(None) };
        let index = search::bare(index);
        let address = search::page_of(&index, &wheel.filename.name);
        let find = |page: &page::IndexPage| {
            let file = page.files.iter().find(|file| file.url == *url)?;
            Some(file.metadata.clone())
        };
        let coverage =
            |page: &page::IndexPage| if find(page).is_some() { PageCoverage::All } else { PageCoverage::Nothing };
        let PageLookup::Found(page) = pages.look_up(&address, coverage).await? else { return Ok(None) };
        let Some(stated) = find(&page).flatten() else { return Ok(None) };
        let beside = beside(url);
        let (index, limit) = (Some(&index), LARGEST_METADATA);
        let question = DocumentRequest { url: &beside, index, accept: "*/*", etag: None, limit };
        let body = match pages.client().await?.ask(&question, self.fetch.retry).await {
            Ok(DocumentResponse::Document(document)) => document.body,
            Ok(DocumentResponse::Unchanged(_)) => return Ok(None),
            Err((DownloadError::Status { status, .. }, _)) if status.as_u16() == 404 => return Ok(None),
            Err((fault, attempts)) => {
                return Err(IndexError::Ask { page: redact::url(&beside), attempts, fault: fault.into() });
            }
        };
        verify(wheel, &stated, &body)?;
        Ok(Some(body))
    }

    fn warn_of_yanked(&self, pinned: &PinnedDistribution, offer: &ChosenFiles) {
        let Some((place, reason)) = &offer.yanked else { return };
        let package = format!("{} {}", pinned.name, offer.version);
        let is_new = self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(package.clone());
        if is_new {
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            self.reporter.warn(&format!("{package} was yanked from {place}{reason}"));
        }
    }
}

/// Returns where the metadata of a wheel is.
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
