//! The kinds of files that are fetched.

use std::fs::{self, File};
use std::path::Path;

use crate::cache::{Cache, CacheError, CachedSdist};
use crate::digest::{Digest, Sha256};
use crate::sdist::filename::SdistFilename;
use crate::wheel::Wheel;
use crate::wheel::filename::WheelFilename;

/// A kind of file, by the type of its name: wheels are read strictly when they are stored, source distributions are not
/// read.
pub trait Fetchable: Clone + std::fmt::Display + Send + Sync {
    /// The file in the cache.
    type Fetched: Send;

    /// Returns the cached file with a digest.
    ///
    /// # Errors
    /// The cache cannot be read, or the file does not match its name.
    fn find(&self, digest: &Digest, cache: &Cache) -> Result<Option<Self::Fetched>, CacheError>;

    /// Returns the size of a file in bytes; `None` if it cannot be read.
    fn size(fetched: &Self::Fetched) -> Option<u64>;

    /// Stores a verified file of the cache under its final name. Later lookups use `digest`.
    ///
    /// # Errors
    /// The file does not match its name, or the cache cannot be written to.
    fn keep(
        &self,
        file: (&File, &Path),
        sha256: Sha256,
        digest: Option<&Digest>,
        cache: &Cache,
    ) -> Result<Self::Fetched, CacheError>;
}

impl Fetchable for WheelFilename {
    type Fetched = Wheel;

    fn find(&self, digest: &Digest, cache: &Cache) -> Result<Option<Wheel>, CacheError> {
        cache.wheel(digest, self)
    }

    fn size(wheel: &Wheel) -> Option<u64> {
        Some(wheel.size)
    }

    fn keep(
        &self,
        file: (&File, &Path),
        sha256: Sha256,
        digest: Option<&Digest>,
        cache: &Cache,
    ) -> Result<Wheel, CacheError> {
        cache.store(file, sha256, digest, self)
    }
}

impl Fetchable for SdistFilename {
    type Fetched = CachedSdist;

    fn find(&self, digest: &Digest, cache: &Cache) -> Result<Option<CachedSdist>, CacheError> {
        cache.archive(digest)
    }

    fn size(sdist: &CachedSdist) -> Option<u64> {
        fs::metadata(&sdist.path).ok().map(|metadata| metadata.len())
    }

    fn keep(
        &self,
        file: (&File, &Path),
        sha256: Sha256,
        digest: Option<&Digest>,
        cache: &Cache,
    ) -> Result<CachedSdist, CacheError> {
        cache.keep_archive(file, sha256, digest)
    }
}
