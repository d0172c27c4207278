//! Wheels of which records tell what they contain: they are fetched when their bytes are first needed.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cache::{Cache, CacheError};
use crate::closure::KnownWheel;
use crate::digest::Sha256;
use crate::fetch::Fetcher;
use crate::lock::LockedWheel;
use crate::tree::Extent;
use crate::wheel::Wheel;

/// The wheels that are known from records, by their digests.
#[derive(Debug, Default)]
pub(crate) struct KnownWheels {
    wheels: HashMap<Sha256, KnownWheel>,
    /// Those whose contents are in a file on this machine, which is not the wheel.
    taken: HashMap<Sha256, (PathBuf, Vec<Extent>)>,
}

impl KnownWheels {
    /// Adds the wheels of a record.
    pub(crate) fn extend(&mut self, wheels: impl IntoIterator<Item = KnownWheel>) {
        self.wheels.extend(wheels.into_iter().map(|wheel| (wheel.sha256(), wheel)));
    }

    /// Adds where the contents of a wheel's files are, in the order of its inventory.
    pub(crate) fn take(&mut self, sha256: Sha256, path: PathBuf, extents: Vec<Extent>) {
        self.taken.insert(sha256, (path, extents));
    }

    /// Tells whether the contents of a wheel's files are on this machine.
    pub(crate) fn is_taken(&self, sha256: Sha256) -> bool {
        self.taken.contains_key(&sha256)
    }

    /// Returns what is known of a wheel.
    pub(crate) fn get(&self, sha256: Sha256) -> Option<&KnownWheel> {
        self.wheels.get(&sha256)
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
        let Some(known) = locked.digests.iter().find_map(|digest| self.wheels.get(&digest.sha256()?)) else {
            return Ok(None);
        };
        if cache.wheel(&known.sha256().into(), &locked.filename)?.is_some() {
            return Ok(None);
        }
        if let Some((path, extents)) = self.taken.get(&known.sha256()) {
            let taken = known.here(&locked.filename, path.clone(), extents.clone());
            return Ok(known.wheel(&locked.filename, move || Ok(taken.clone())));
        }
        let (fetcher, cache, to_fetch) = (Arc::clone(fetcher), cache.clone(), locked.clone());
        Ok(known.wheel(&locked.filename, move || {
            let fetched = fetcher.fetch_apart(std::slice::from_ref(&to_fetch), &cache).map_err(io::Error::other)?;
            fetched.into_iter().next().ok_or_else(|| io::ErrorKind::NotFound.into())
        }))
    }
}
