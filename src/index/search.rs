//! Searches indexes for a distribution, by the rules of uv.
//!
//! See [searching across multiple indexes](https://docs.astral.sh/uv/concepts/indexes/#searching-across-multiple-indexes).

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use url::Url;

use super::error::DeniedIndex;
use super::options::{IndexConfig, IndexOptions, IndexStrategy};
use super::page::IndexPage;
use super::pages::{PageAddress, PageCoverage, PageKind, PageLookup, Pages};
use super::{IndexError, choose};
use crate::fetch::DownloadError;
use crate::lock::{IndexQuery, QueriedIndexes};
use crate::name::DistributionName;
use crate::redact;

/// How many indexes are queried concurrently for a distribution.
const CONCURRENCY: usize = 8;

/// The statuses that deny access. If all indexes are searched, such an index is skipped.
const REFUSALS: [u16; 4] = [401, 403, 407, 511];

/// A page with files of a distribution.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    /// The index that it is of; none for a list of links.
    pub(crate) index: Option<Arc<Url>>,
    /// Where it is, without what may be secret.
    pub(crate) location: String,
    /// What it says.
    pub(crate) page: Arc<IndexPage>,
}

/// The pages of a distribution.
#[derive(Debug, Default)]
pub(super) struct SearchResult {
    pub(crate) links: Vec<Listing>,
    /// The indexes that have the distribution, in their order.
    pub(crate) indexes: Vec<Listing>,
    pub(crate) asked: Vec<String>,
    pub(crate) refused: Vec<DeniedIndex>,
    /// The indexes that were not asked, because an earlier one has the distribution.
    pub(crate) not_asked: Vec<String>,
    /// What would have been asked, if the network might be used.
    pub(crate) unknown: Vec<String>,
}

pub(super) struct IndexSearch<'a, 'p> {
    pub(crate) options: &'a IndexOptions,
    pub(crate) pages: &'a Pages<'p>,
    pub(crate) name: &'a DistributionName,
    pub(crate) query: &'a IndexQuery,
}

impl IndexSearch<'_, '_> {
    /// Asks the lists of links, and the indexes in their order.
    pub(crate) async fn run(&self) -> Result<SearchResult, IndexError> {
        let mut found = SearchResult::default();
        let indexes = match &self.query.indexes {
            QueriedIndexes::All => self.options.implicit(),
            QueriedIndexes::Every(further) => self.options.implicit_and(further),
            QueriedIndexes::Default => self.options.implicit().pop().into_iter().collect(),
            QueriedIndexes::Only(url) => {
                let index = self.options.named_by(url);
                if self.options.no_index {
                    return Err(IndexError::NoIndex { name: self.name.to_string(), index: title(&index) });
                }
                self.ask_indexes(&[index], IndexStrategy::FirstIndex, &mut found).await?;
                return Ok(found);
            }
        };
        self.ask_links(&mut found).await?;
        self.ask_indexes(&indexes, strategy(self.query, self.options), &mut found).await?;
        Ok(found)
    }

    async fn ask_links(&self, found: &mut SearchResult) -> Result<(), IndexError> {
        for url in &self.options.find_links {
            let address = PageAddress { url: bare(url), kind: PageKind::Links };
            let location = redact::url(url);
            match self.look_up(&address).await? {
                PageLookup::Found(page) => found.links.push(Listing { index: None, location: location.clone(), page }),
                PageLookup::Unknown => found.unknown.push(location.clone()),
                PageLookup::Missing => {}
                PageLookup::Refused { error, attempts } => {
                    return Err(IndexError::Request { page: location, attempts, source: error });
                }
            }
            found.asked.push(location);
        }
        Ok(())
    }

    async fn ask_indexes(
        &self,
        indexes: &[IndexConfig],
        strategy: IndexStrategy,
        found: &mut SearchResult,
    ) -> Result<(), IndexError> {
        // Sequentially, so that later indexes are not queried for private distributions of earlier ones.
        let at_once = if strategy == IndexStrategy::FirstIndex { 1 } else { CONCURRENCY };
        let lookups = indexes.iter().enumerate();
        let lookups = lookups.map(async |(at, index)| (at, index, self.ask_index(index).await));
        let mut lookups = stream::iter(lookups).buffered(at_once);
        while let Some((at, index, lookup)) = lookups.next().await {
            let location = title(index);
            found.asked.push(location.clone());
            match lookup? {
                PageLookup::Found(page) => {
                    found.indexes.push(Listing { index: Some(bare(&index.url).into()), location, page });
                    if strategy == IndexStrategy::FirstIndex {
                        found.not_asked = indexes[at + 1..].iter().map(title).collect();
                        return Ok(());
                    }
                }
                PageLookup::Missing => {}
                PageLookup::Unknown => found.unknown.push(location),
                PageLookup::Refused { error, .. } if is_ignored(index, &error) => {}
                PageLookup::Refused { error, .. }
                    if status(&error).is_some_and(|status| REFUSALS.contains(&status)) =>
                {
                    found.refused.push(DeniedIndex { index: location, error });
                    // The index may have the distribution, and another may have a different one of the same name.
                    if strategy == IndexStrategy::FirstIndex {
                        return Ok(());
                    }
                }
                PageLookup::Refused { error, attempts } => {
                    return Err(IndexError::Request { page: location, attempts, source: error });
                }
            }
        }
        Ok(())
    }

    async fn ask_index(&self, index: &IndexConfig) -> Result<PageLookup, IndexError> {
        self.look_up(&page_of(&bare(&index.url), self.name)).await
    }

    async fn look_up(&self, address: &PageAddress) -> Result<PageLookup, IndexError> {
        // A page with all files that the lock names is not requested again, so its excerpt is sufficient.
        let named = choose::named(self.name, self.query);
        if let Some(excerpt) = named.as_ref().and_then(|named| self.pages.excerpt(address, named)) {
            return Ok(PageLookup::Found(excerpt));
        }
        let found = self.pages.look_up(address, |page| choose::coverage(page, self.name, self.query)).await?;
        if let (Some(named), PageLookup::Found(page)) = (named, &found)
            && choose::coverage(page, self.name, self.query) == PageCoverage::All
        {
            self.pages.keep_excerpt(address, &named, &choose::excerpt(page, self.name, self.query))?;
        }
        Ok(found)
    }
}

/// Returns how one of several indexes is chosen for a query. Digests of the lock prevent dependency confusion.
pub(super) fn strategy(query: &IndexQuery, options: &IndexOptions) -> IndexStrategy {
    match query.indexes {
        QueriedIndexes::Every(_) => IndexStrategy::UnsafeFirstMatch,
        QueriedIndexes::All | QueriedIndexes::Default | QueriedIndexes::Only(_) => options.strategy,
    }
}

/// Returns the address of a distribution in an index (simple repository API: `/PROJECT/`, with the normalized name).
pub(super) fn page_of(index: &Url, name: &DistributionName) -> PageAddress {
    let mut url = index.clone();
    // Fails for URLs without a path, whose schemes are refused by the request.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push(name.as_str()).push("");
    }
    PageAddress { url, kind: PageKind::Simple(index.clone()) }
}

/// Returns a URL without credentials, which requests get from `IndexCredentials`.
pub(super) fn bare(url: &Url) -> Url {
    let mut url = url.clone();
    // These fail only for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

fn title(index: &IndexConfig) -> String {
    match &index.name {
        Some(name) => format!("`{name}` ({})", redact::url(&index.url)),
        None => redact::url(&index.url),
    }
}

fn is_ignored(index: &IndexConfig, error: &DownloadError) -> bool {
    // As in uv: PyTorch's index returns 403 for distributions that it does not have.
    let is_pytorch = index.url.host_str() == Some("download.pytorch.org");
    let Some(status) = status(error) else { return false };
    index.ignored_statuses.contains(&status) || is_pytorch && index.ignored_statuses.is_empty() && status == 403
}

fn status(error: &DownloadError) -> Option<u16> {
    match error {
        DownloadError::Status { status, .. } => Some(status.as_u16()),
        _ => None,
    }
}
