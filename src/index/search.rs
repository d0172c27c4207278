//! Which index has a distribution: they are asked as uv asks them.
//!
//! uv's rules: [searching across multiple indexes](https://docs.astral.sh/uv/concepts/indexes/#searching-across-multiple-indexes).

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

/// How many indexes are asked at once for one distribution.
const CONCURRENCY: usize = 8;

/// The statuses by which a server says who may not see a page. Where every index is asked, they are passed over.
const REFUSALS: [u16; 4] = [401, 403, 407, 511];

/// A page with files of a distribution.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    /// The index that it is of; none for a list of links.
    pub(crate) index: Option<Url>,
    /// Where it is, without what may be secret.
    pub(crate) place: String,
    /// What it says.
    pub(crate) page: Arc<IndexPage>,
}

/// What indexes say of a distribution.
#[derive(Debug, Default)]
pub(super) struct SearchResult {
    pub(crate) links: Vec<Listing>,
    /// The indexes that have the distribution, in their order.
    pub(crate) indexes: Vec<Listing>,
    pub(crate) asked: Vec<String>,
    pub(crate) refused: Vec<DeniedIndex>,
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
        self.ask_indexes(&indexes, self.options.strategy, &mut found).await?;
        Ok(found)
    }

    async fn ask_links(&self, found: &mut SearchResult) -> Result<(), IndexError> {
        for url in &self.options.find_links {
            let address = PageAddress { url: bare(url), kind: PageKind::Links };
            let place = redact::url(url);
            match self.look_up(&address).await? {
                PageLookup::Found(page) => found.links.push(Listing { index: None, place: place.clone(), page }),
                PageLookup::Unknown => found.unknown.push(place.clone()),
                PageLookup::Missing => {}
                PageLookup::Refused { fault, attempts } => {
                    return Err(IndexError::Ask { page: place, attempts, fault });
                }
            }
            found.asked.push(place);
        }
        Ok(())
    }

    async fn ask_indexes(
        &self,
        indexes: &[IndexConfig],
        strategy: IndexStrategy,
        found: &mut SearchResult,
    ) -> Result<(), IndexError> {
        // One after another, the later ones are not told what is asked of the earlier ones.
        let at_once = if strategy == IndexStrategy::FirstIndex { 1 } else { CONCURRENCY };
        let lookups = indexes.iter().map(async |index| (index, self.ask_index(index).await));
        let mut lookups = stream::iter(lookups).buffered(at_once);
        while let Some((index, lookup)) = lookups.next().await {
            let place = title(index);
            found.asked.push(place.clone());
            match lookup? {
                PageLookup::Found(page) => {
                    found.indexes.push(Listing { index: Some(bare(&index.url)), place, page });
                    if strategy == IndexStrategy::FirstIndex {
                        return Ok(());
                    }
                }
                PageLookup::Missing => {}
                PageLookup::Unknown => found.unknown.push(place),
                PageLookup::Refused { fault, .. } if is_ignored(index, &fault) => {}
                PageLookup::Refused { fault, .. }
                    if status(&fault).is_some_and(|status| REFUSALS.contains(&status)) =>
                {
                    found.refused.push(DeniedIndex { index: place, fault });
                    // It may have the distribution: what others have under the name is not it.
                    if strategy == IndexStrategy::FirstIndex {
                        return Ok(());
                    }
                }
                PageLookup::Refused { fault, attempts } => {
                    return Err(IndexError::Ask { page: place, attempts, fault });
                }
            }
        }
        Ok(())
    }

    async fn ask_index(&self, index: &IndexConfig) -> Result<PageLookup, IndexError> {
        self.look_up(&page_of(&bare(&index.url), self.name)).await
    }

    async fn look_up(&self, address: &PageAddress) -> Result<PageLookup, IndexError> {
        // A page that has everything that the lock names is not asked for again, so the part that counts is enough.
        let named = choose::named(self.name, self.query);
        if let Some(excerpt) = named.as_ref().and_then(|named| self.pages.excerpt(address, named)) {
            return Ok(PageLookup::Found(excerpt));
        }
        let coverage = |page: &IndexPage| choose::coverage(page, self.name, self.query);
        let found = self.pages.look_up(address, coverage).await?;
        if let (Some(named), PageLookup::Found(page)) = (named, &found)
            && coverage(page) == PageCoverage::All
        {
            self.pages.keep_excerpt(address, &named, &choose::excerpt(page, self.name, self.query))?;
        }
        Ok(found)
    }
}

/// Returns where the page of a distribution is in an index (simple repository API: `/PROJECT/`, with the normalized name).
pub(super) fn page_of(index: &Url, name: &DistributionName) -> PageAddress {
    let mut url = index.clone();
    // It fails for URLs that have no path; these are of a kind that is refused when they are asked.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push(name.as_str()).push("");
    }
    PageAddress { url, kind: PageKind::Simple(index.clone()) }
}

/// Returns a URL without the user and the password: whoever asks gets them from what is known of the server.
pub(super) fn bare(url: &Url) -> Url {
    let mut url = url.clone();
    // These fail for URLs that cannot hold a user: then there is none.
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

fn is_ignored(index: &IndexConfig, fault: &DownloadError) -> bool {
    // PyTorch's index refuses to say which names it does not have.
    let is_pytorch = index.url.host_str() == Some("download.pytorch.org");
    let Some(status) = status(fault) else { return false };
    index.ignored_statuses.contains(&status) || is_pytorch && index.ignored_statuses.is_empty() && status == 403
}

fn status(fault: &DownloadError) -> Option<u16> {
    match fault {
        DownloadError::Status { status, .. } => Some(status.as_u16()),
        _ => None,
    }
}
