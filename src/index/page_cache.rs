//! Cached index pages.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use url::Url;

use super::page::IndexPage;
use crate::cache::{Cache, CacheError, RecordKey, RecordKind};

/// How long a page is fresh if the response has no max-age: as long as PyPI states for its pages.
const FRESH_FOR: Duration = Duration::from_secs(600);

/// The version of the format.
const FORMAT: u32 = 2;

/// A page, with the headers of its response.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CachedPage<P> {
    /// The entity tag.
    pub(crate) etag: Option<String>,
    /// The time of the last request, in seconds since 1970.
    asked: u64,
    /// In seconds.
    fresh_for: u64,
    pub(crate) page: P,
}

impl<P> CachedPage<P> {
    /// Creates the record of a page that a server has just sent or confirmed.
    pub(crate) fn now(page: P, etag: Option<String>, fresh_for: Option<Duration>) -> Self {
        Self { etag, asked: now(), fresh_for: fresh_for.unwrap_or(FRESH_FOR).as_secs(), page }
    }

    /// Returns whether the page can be used without another request.
    pub(crate) fn is_fresh(&self) -> bool {
        let now = now();
        // Not if the clock was set back.
        now >= self.asked && now - self.asked < self.fresh_for
    }
}

impl CachedPage<Arc<IndexPage>> {
    /// Returns the cached page of a URL.
    pub(crate) fn load(cache: &Cache, url: &Url) -> Option<Self> {
        let CachedPage { etag, asked, fresh_for, page } =
            cache.record::<CachedPage<IndexPage>>(RecordKind::Page, key(url))?;
        Some(Self { etag, asked, fresh_for, page: Arc::new(page) })
    }
}

impl CachedPage<&IndexPage> {
    /// Stores the page of a URL, unless its links may contain secrets.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub(crate) fn store(&self, cache: &Cache, url: &Url) -> Result<(), CacheError> {
        if self.page.files.iter().any(|file| may_be_secret(&file.url)) {
            return Ok(());
        }
        cache.store_record(RecordKind::Page, key(url), self)
    }
}

/// Returns the cached excerpt of a page for a query. Decoding a page with thousands of files takes longer than the rest of
/// a build with a warm cache.
pub(super) fn excerpt(cache: &Cache, url: &Url, query: &str) -> Option<IndexPage> {
    cache.record(RecordKind::Page, excerpt_key(url, query))
}

/// Stores the excerpt of a page for a query, unless its links may contain secrets.
///
/// # Errors
/// The cache cannot be written to.
pub(super) fn keep_excerpt(cache: &Cache, url: &Url, query: &str, excerpt: &IndexPage) -> Result<(), CacheError> {
    if excerpt.files.iter().any(|file| may_be_secret(&file.url)) {
        return Ok(());
    }
    cache.store_record(RecordKind::Page, excerpt_key(url, query), excerpt)
}

/// Returns whether a link may contain a password or a token.
fn may_be_secret(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some() || url.query().is_some()
}

fn key(url: &Url) -> RecordKey {
    RecordKey::new(format!("page {FORMAT}"), &[url])
}

fn excerpt_key(url: &Url, query: &str) -> RecordKey {
    RecordKey::new(format!("excerpt {FORMAT}"), &[url, &query])
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
