//! The digests of files that are not in the cache.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{Cache, CacheError, RecordKey, RecordKind};
use crate::digest::Sha256;

/// The digests of larger files, in bytes, are kept until their times change: data and models, not sources.
const LARGEST_HASHED: u64 = 8 << 20;

/// How long ago a file must have changed, so that another change is sure to give it another time: FAT stores every other
/// second.
const SETTLED: Duration = Duration::from_secs(3);

impl Cache {
    /// Returns the digest of a file with this metadata, which is read again only if it is small or has changed.
    ///
    /// # Errors
    /// The file cannot be read, or the cache cannot be written to.
    pub(crate) fn digest_of_file(&self, path: &Path, metadata: &Metadata) -> io::Result<Sha256> {
        if metadata.len() <= LARGEST_HASHED || !is_settled(metadata) {
            return Sha256::of_file(path);
        }
        let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
        let identity = (metadata.dev(), metadata.ino(), metadata.len(), times);
        let key = RecordKey::new("file 1", &[&path.display(), &format!("{identity:?}")]);
        let digest =
            self.remember(RecordKind::LargeFile, key, || Sha256::of_file(path).map_err(CacheError::io("read", path)));
        digest.map_err(io::Error::other)
    }
}

fn is_settled(metadata: &Metadata) -> bool {
    let changed =
        u64::try_from(metadata.ctime()).ok().map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    changed.and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age > SETTLED)
}
