//! Pages that are kept in the cache, so that an index is not asked for what it told already.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use url::Url;

use super::page::IndexPage;
use crate::cache::{Cache, CacheError, RecordKey, RecordKind};

/// How long a page is fresh if its server does not say.
const FRESH_FOR: Duration = Duration::from_secs(600);

/// The version of the form in which pages are kept.
const FORMAT: u32 = 1;

/// A page, and what its server said of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CachedPage<P> {
    /// The tag by which the server knows the page.
    pub etag: Option<String>,
    /// When the server was last asked, in seconds since 1970.
    asked: u64,
    /// How long the page is fresh, in seconds.
    fresh_for: u64,
    /// What it says.
    pub page: P,
}

impl<P> CachedPage<P> {
    /// Notes a page that a server has just told, or confirmed.
    pub(super) fn now(page: P, etag: Option<String>, fresh_for: Option<Duration>) -> Self {
        Self { etag, asked: now(), fresh_for: fresh_for.unwrap_or(FRESH_FOR).as_secs(), page }
    }

    /// Returns whether the server need not be asked again.
    pub(super) fn is_fresh(&self) -> bool {
        let now = now();
        // A clock that was set back makes nothing fresh.
        now >= self.asked && now - self.asked < self.fresh_for
    }
}

impl CachedPage<Arc<IndexPage>> {
    /// Returns the page of a URL, if it is kept.
    pub(super) fn load(cache: &Cache, url: &Url) -> Option<Self> {
        let CachedPage { etag, asked, fresh_for, page } =
            cache.record::<CachedPage<IndexPage>>(RecordKind::Page, key(url))?;
        Some(Self { etag, asked, fresh_for, page: Arc::new(page) })
    }
}

impl CachedPage<&IndexPage> {
    /// Keeps the page of a URL, unless its links may hold what is secret.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub(super) fn store(&self, cache: &Cache, url: &Url) -> Result<(), CacheError> {
        if self.page.files.iter().any(|file| may_be_secret(&file.url)) {
            return Ok(());
        }
        cache.store_record(RecordKind::Page, key(url), self)
    }
}

/// Returns what is kept of a page for one query: pages of thousands of files take longer to read than all else of a
/// build that has every file.
pub(super) fn excerpt(cache: &Cache, url: &Url, query: &str) -> Option<IndexPage> {
    cache.record(RecordKind::Page, excerpt_key(url, query))
}

/// Keeps what of a page one query needs, unless its links may hold what is secret.
///
/// # Errors
/// The cache cannot be written to.
pub(super) fn keep_excerpt(cache: &Cache, url: &Url, query: &str, excerpt: &IndexPage) -> Result<(), CacheError> {
    if excerpt.files.iter().any(|file| may_be_secret(&file.url)) {
        return Ok(());
    }
    cache.store_record(RecordKind::Page, excerpt_key(url, query), excerpt)
}

/// Returns whether a link may hold a password, or a token that stands for one.
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
