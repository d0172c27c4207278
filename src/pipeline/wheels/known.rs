//! Wheels of which records tell what they contain: they are fetched when their bytes are first needed.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use crate::cache::{Cache, CacheError};
use crate::closure::KnownWheel;
use crate::digest::Sha256;
use crate::fetch::Fetcher;
use crate::lock::LockedWheel;
use crate::wheel::Wheel;

/// The wheels that are known from records, by their digests.
#[derive(Debug, Default)]
pub(crate) struct KnownWheels(HashMap<Sha256, KnownWheel>);

impl KnownWheels {
    /// Adds the wheels of a record.
    pub(crate) fn extend(&mut self, wheels: impl IntoIterator<Item = KnownWheel>) {
        self.0.extend(wheels.into_iter().map(|wheel| (wheel.sha256(), wheel)));
    }

    /// Returns what is known of a wheel.
    pub(crate) fn get(&self, sha256: Sha256) -> Option<&KnownWheel> {
        self.0.get(&sha256)
    }

    /// Returns a wheel that the lock selects and the cache lacks, if it is known.
    ///
    /// # Errors
    /// The cache cannot be read.
    pub(super) fn wheel(
        &self,
        locked: &LockedWheel,
        fetcher: &Arc<Fetcher>,
        cache: &Cache,
    ) -> Result<Option<Wheel>, CacheError> {
        let Some(known) = locked.digests.iter().find_map(|digest| self.0.get(&digest.sha256()?)) else {
            return Ok(None);
        };
        if cache.wheel(&known.sha256().into(), &locked.filename)?.is_some() {
            return Ok(None);
        }
        let (fetcher, cache, to_fetch) = (Arc::clone(fetcher), cache.clone(), locked.clone());
        Ok(known.wheel(&locked.filename, move || {
            let fetched = fetcher.fetch_apart(std::slice::from_ref(&to_fetch), &cache).map_err(io::Error::other)?;
            fetched.into_iter().next().ok_or_else(|| io::ErrorKind::NotFound.into())
        }))
    }
}
