//! Index pages: each is requested once, and not at all if the cached page is sufficient.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::OnceCell;
use url::Url;

use super::page::{ACCEPTED, IndexPage};
use super::page_cache::{self, CachedPage};
use super::{IndexError, local};
use crate::cache::Cache;
use crate::fetch::{DocumentRequest, DocumentResponse, DownloadError, DownloadOptions, FetchedDocument, HttpClient};
use crate::redact;

/// The largest page that is read, in bytes. The largest of PyPI have about 20 million.
const LARGEST: u64 = 256 << 20;

/// The media type of `--find-links` pages.
const LINKS: &str = "text/html";

/// The pages that a [`FileFinder`](super::FileFinder) has looked up.
#[derive(Debug, Default)]
pub(super) struct PageMemory {
    slots: Mutex<BTreeMap<String, Arc<PageSlot>>>,
}

#[derive(Debug, Default)]
struct PageSlot {
    /// The cached page.
    kept: OnceLock<Option<CachedPage<Arc<IndexPage>>>>,
    /// The response of the server.
    asked: OnceCell<PageLookup>,
}

/// The result of looking up a page.
#[derive(Debug, Clone)]
pub(super) enum PageLookup {
    Found(Arc<IndexPage>),
    Missing,
    /// The server returned an error status.
    Refused {
        error: Arc<DownloadError>,
        attempts: u32,
    },
    /// The network is disabled, and the page is not in the cache.
    Unknown,
}

#[derive(Debug, Clone)]
pub(super) struct PageAddress {
    pub(crate) url: Url,
    pub(crate) kind: PageKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PageKind {
    /// The page of a distribution in the index with this URL.
    Simple(Url),
    /// A directory or page of `--find-links`.
    Links,
}

/// How much of what a query needs is on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PageCoverage {
    /// A newer page may contain something.
    Nothing,
    /// A newer page may contain more.
    Something,
    /// All that a newer page could contain.
    All,
}

impl PageCoverage {
    pub(crate) fn all_or_nothing(is_all: bool) -> Self {
        if is_all { Self::All } else { Self::Nothing }
    }
}

/// Looks up pages.
pub(super) struct Pages<'a> {
    options: &'a DownloadOptions,
    cache: &'a Cache,
    memory: &'a PageMemory,
    client: OnceCell<HttpClient<'a>>,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(options: &'a DownloadOptions, cache: &'a Cache, memory: &'a PageMemory) -> Self {
        Self { options, cache, memory, client: OnceCell::new() }
    }

    /// Returns the client, which is created on first use.
    pub(crate) async fn client(&self) -> Result<&HttpClient<'a>, IndexError> {
        Ok(self.client.get_or_try_init(async || HttpClient::new(self.options)).await?)
    }

    /// Looks for a page. What the cache keeps is good enough if it covers all that is needed, or something while it is
    /// fresh, or if the network may not be used.
    pub(crate) async fn look_up(
        &self,
        address: &PageAddress,
        coverage: impl Fn(&IndexPage) -> PageCoverage,
    ) -> Result<PageLookup, IndexError> {
        let slot = self.memory.slot(&address.url);
        if address.url.scheme() == "file" {
            return slot.asked.get_or_try_init(async || read(address)).await.cloned();
        }
        let kept = slot.kept.get_or_init(|| CachedPage::load(self.cache, &address.url)).as_ref();
        // The server has been asked already: that is newer.
        if let (None, Some(kept)) = (slot.asked.get(), kept) {
            let is_enough = match coverage(&kept.page) {
                PageCoverage::All => true,
                PageCoverage::Something => kept.is_fresh(),
                PageCoverage::Nothing => false,
            };
            if is_enough || self.options.offline {
                return Ok(PageLookup::Found(Arc::clone(&kept.page)));
            }
        }
        if self.options.offline {
            return Ok(PageLookup::Unknown);
        }
        slot.asked.get_or_try_init(|| self.ask(address, kept)).await.cloned()
    }

    /// Returns what is kept of a page for one query, if that was everything that the query needs.
    pub(crate) fn excerpt(&self, address: &PageAddress, query: &str) -> Option<Arc<IndexPage>> {
        page_cache::excerpt(self.cache, &address.url, query).map(Arc::new)
    }

    /// Keeps what of a server's page one query needs.
    pub(crate) fn keep_excerpt(
        &self,
        address: &PageAddress,
        query: &str,
        excerpt: &IndexPage,
    ) -> Result<(), IndexError> {
        match address.url.scheme() {
            "file" => Ok(()),
            _ => Ok(page_cache::keep_excerpt(self.cache, &address.url, query, excerpt)?),
        }
    }

    async fn ask(
        &self,
        address: &PageAddress,
        kept: Option<&CachedPage<Arc<IndexPage>>>,
    ) -> Result<PageLookup, IndexError> {
        let url = &address.url;
        let (index, accept) = match &address.kind {
            PageKind::Simple(index) => (Some(index), ACCEPTED),
            PageKind::Links => (None, LINKS),
        };
        let etag = kept.and_then(|kept| kept.etag.as_deref());
        let question = DocumentRequest { url, index, accept, etag, limit: LARGEST };
        let answer = self.client().await?.ask(&question, self.options.retry).await;
        match answer {
            Ok(DocumentResponse::Document(document)) => self.take_in(address, document).await,
            Ok(DocumentResponse::Unchanged(max_age)) => {
                let Some(kept) = kept else { return Ok(PageLookup::Missing) };
                CachedPage::now(&*kept.page, kept.etag.clone(), max_age).store(self.cache, url)?;
                Ok(PageLookup::Found(Arc::clone(&kept.page)))
            }
            Err((DownloadError::Status { status, .. }, _))
                if status.as_u16() == 404 && address.kind != PageKind::Links =>
            {
                Ok(PageLookup::Missing)
            }
            Err((error @ (DownloadError::Status { .. } | DownloadError::Proxy { .. }), attempts)) => {
                Ok(PageLookup::Refused { error: Arc::new(error), attempts })
            }
            Err((error, attempts)) => {
                Err(IndexError::Request { page: redact::url(url), attempts, source: Arc::new(error) })
            }
        }
    }

    /// Reads a page that came, and keeps it.
    async fn take_in(&self, address: &PageAddress, document: FetchedDocument) -> Result<PageLookup, IndexError> {
        let FetchedDocument { url, media_type, etag, max_age, may_be_kept, body } = document;
        // Links have one form, whatever a server calls it.
        let media_type = match address.kind {
            PageKind::Simple(_) => media_type,
            PageKind::Links => Some(LINKS.to_owned()),
        };
        // A large page takes a while, and other answers come in meanwhile.
        let parse = tokio::task::spawn_blocking(move || IndexPage::parse(media_type.as_deref(), &body, &url));
        let parsed = match parse.await {
            Ok(parsed) => parsed,
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
        };
        let page = parsed.map_err(|source| IndexError::Page { page: redact::url(&address.url), source })?;
        if may_be_kept {
            CachedPage::now(&page, etag, max_age).store(self.cache, &address.url)?;
        }
        Ok(PageLookup::Found(Arc::new(page)))
    }
}

impl PageMemory {
    fn slot(&self, url: &Url) -> Arc<PageSlot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(url.to_string()).or_default())
    }
}

fn read(address: &PageAddress) -> Result<PageLookup, IndexError> {
    let page = match address.kind {
        PageKind::Simple(_) => local::simple(&address.url)?,
        PageKind::Links => Some(local::links(&address.url)?),
    };
    Ok(page.map_or(PageLookup::Missing, |page| PageLookup::Found(Arc::new(page))))
}
