//! Local files: path sources and flat indexes.

use std::io::{Seek, Write};
use std::path::Path;

use super::error::DownloadError;
use super::fetchable::Fetchable;
use super::verify::Verifier;
use crate::cache::{Cache, CacheError, copy};
use crate::digest::Digest;
use crate::limited_reader;
use crate::lock::LockedFile;

/// Returns whether a file that the cache has is still the one on this machine: another machine would refuse another one. A file
/// that was removed does not matter.
pub(super) fn is_current<Name: Fetchable>(locked: &LockedFile<Name>, path: &Path, cache: &Cache) -> bool {
    let expected = locked.digest().and_then(Digest::sha256);
    let actual = expected.and_then(|_| cache.digest_of_file(path, &path.metadata().ok()?).ok());
    actual.is_none() || actual == expected
}

/// Copies a file into the cache, so that builds use the verified data even if the file changes.
///
/// If the lock has no digest, or several, the file is hashed each time to find it in the cache.
pub(super) fn take_in<Name: Fetchable>(
    locked: &LockedFile<Name>,
    path: &Path,
    cache: &Cache,
) -> Result<Name::Fetched, DownloadError> {
    let mut file = limited_reader::open_regular_file(path).map_err(DownloadError::Read)?;
    let (digest, digests) = (locked.digest(), &locked.digests);
    if digest.is_none() {
        let mut verifier = Verifier::new(digests);
        copy(&mut file, |bytes| verifier.update(bytes)).map_err(DownloadError::Read)?;
        let sha256 = verifier.finish(digests)?;
        if let Some(found) = locked.filename.find(&sha256.into(), cache)? {
            return Ok(found);
        }
        file.rewind().map_err(DownloadError::Read)?;
    }

    let staged = cache.stage()?;
    let mut verifier = Verifier::new(digests);
    let mut written = Ok(());
    let read = copy(&mut file, |bytes| {
        verifier.update(bytes);
        if written.is_ok() {
            written = staged.as_file().write_all(bytes).map_err(CacheError::io("write", staged.path()));
        }
    });
    let actual = read.map_err(DownloadError::Read)?;
    written?;
    if let Some(expected) = locked.size.filter(|expected| digests.is_empty() && *expected != actual) {
        return Err(DownloadError::Size { expected, actual: Some(actual) });
    }
    let sha256 = verifier.finish(digests)?;
    Ok(locked.filename.keep((staged.as_file(), staged.path()), sha256, digest, cache)?)
}
