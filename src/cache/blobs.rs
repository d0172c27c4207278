//! Blobs by their digest: the parts of images, and source distributions.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Cache, CacheError, by_digest, copy, create_parent, sweep};
use crate::digest::{Algorithm, Digest, Hasher, Sha256};
use crate::temporary::TemporaryFile;

/// A verified source distribution, which has not been unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedSdist {
    /// Named by its digest.
    pub path: PathBuf,
    /// The digest of the file.
    pub sha256: Sha256,
}

impl Cache {
    /// Returns the source distribution with a digest. It is hashed, because it has no record with a checksum; a damaged one
    /// counts as missing.
    ///
    /// # Errors
    /// The cache cannot be read.
    pub fn archive(&self, digest: &Digest) -> Result<Option<CachedSdist>, CacheError> {
        let Some(sha256) = self.resolve(digest)? else { return Ok(None) };
        let Some(path) = self.blob(sha256) else { return Ok(None) };
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CacheError::io("read", &path)(error)),
        };
        copy(&mut file, |bytes| hasher.update(bytes)).map_err(CacheError::io("read", &path))?;
        Ok((hasher.finish() == sha256.into()).then_some(CachedSdist { path, sha256 }))
    }

    /// Moves a staged file to its name as a blob. The caller has computed its digests; later lookups use `digest`.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub(crate) fn keep_archive(
        &self,
        (file, staged): (&File, &Path),
        sha256: Sha256,
        digest: Option<&Digest>,
    ) -> Result<CachedSdist, CacheError> {
        let path = self.blob_path(sha256);
        create_parent(&path)?;
        file.sync_data().map_err(CacheError::io("write", staged))?;
        fs::rename(staged, &path).map_err(CacheError::io("write", &path))?;
        self.point(digest, sha256)?;
        Ok(CachedSdist { path, sha256 })
    }

    /// Tells whether the source distribution with a digest is in the cache.
    ///
    /// # Errors
    /// The cache cannot be read.
    pub(crate) fn has_blob(&self, digest: &Digest) -> Result<bool, CacheError> {
        Ok(self.resolve(digest)?.is_some_and(|sha256| self.blob(sha256).is_some()))
    }

    /// Returns the file of a blob. The caller must verify its digest.
    pub fn blob(&self, digest: Sha256) -> Option<PathBuf> {
        let path = self.readable(self.blob_path(digest));
        let found = path.is_file();
        if found {
            sweep::mark_as_used(&path);
        }
        found.then_some(path)
    }

    /// Creates a temporary file for a blob, for [`keep_blob`](Self::keep_blob).
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub(crate) fn begin_blob(&self) -> Result<TemporaryFile, CacheError> {
        self.stage()
    }

    /// Stores a blob, whose digest the caller has computed, and returns its path.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub(crate) fn keep_blob(&self, blob: TemporaryFile, digest: Sha256) -> Result<PathBuf, CacheError> {
        let path = self.blob_path(digest);
        create_parent(&path)?;
        blob.as_file().sync_data().map_err(CacheError::io("write", blob.path()))?;
        blob.persist(&path).map_err(CacheError::io("write", &path))?;
        Ok(path)
    }

    fn blob_path(&self, digest: Sha256) -> PathBuf {
        by_digest(&self.root.join("blobs"), digest)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn blobs_are_kept_once_they_are_complete() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path()).unwrap();
        let digest = Sha256::of(b"blob");
        let mut dropped = cache.begin_blob().unwrap();
        dropped.write_all(b"bl").unwrap();
        drop(dropped);
        assert_eq!(cache.blob(digest), None);

        let mut file = cache.begin_blob().unwrap();
        file.write_all(b"blob").unwrap();
        let path = cache.keep_blob(file, digest).unwrap();
        assert_eq!(cache.blob(digest), Some(path.clone()));
        assert_eq!(fs::read(path).unwrap(), b"blob");
        assert_eq!(cache.clean().unwrap().files, 1);
    }
}
