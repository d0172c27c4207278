//! The kinds of files that are fetched, by what becomes of each in the cache.

use std::fs::File;
use std::path::Path;

use crate::cache::{Cache, CacheError, CachedSdist};
use crate::digest::{Digest, Sha256};
use crate::sdist::filename::SdistFilename;
use crate::wheel::Wheel;
use crate::wheel::filename::WheelFilename;

/// A kind of file, told by the type of its name: wheels are read strictly as they come in, source distributions are
/// kept as they are.
pub trait Fetchable: Clone + std::fmt::Display + Send + Sync {
    /// What there is when the file is in the cache.
    type Fetched: Send;

    /// Returns the file that has a digest, if the cache has it.
    ///
    /// # Errors
    /// The cache cannot be read, or the file is not what its name says.
    fn find(&self, digest: &Digest, cache: &Cache) -> Result<Option<Self::Fetched>, CacheError>;

    /// Gives a file of the cache, whose digests were verified, its name there. `digest` is the one that it will be asked
    /// for by.
    ///
    /// # Errors
    /// The file is not what its name says, or the cache cannot be written to.
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
