//! Files of archives: fetched by their SHA-256 and kept in the cache; those that left the archive, from a snapshot.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::{AptArchiveError, Archives};
use crate::apt::AptSource;
use crate::apt::lock::{LockedPackage, LockedRelease};
use crate::apt::source::below;
use crate::cache::{Cache, CacheError};
use crate::digest::{Digest, Sha256};
use crate::fetch::{DownloadError, FetchError, Fetchable, Fetcher};
use crate::lock::{FileLocation, LockedFile};

/// How long after a release a snapshot has it: they are made every six hours.
const SNAPSHOT_DELAY: SignedDuration = SignedDuration::from_hours(12);

/// The name of a file of an archive, in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveFilename(pub(super) String);

impl fmt::Display for ArchiveFilename {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A verified file of an archive, in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedDeb {
    /// Named by its digest.
    pub path: PathBuf,
    /// The digest of the file.
    pub sha256: Sha256,
}

impl Fetchable for ArchiveFilename {
    type Fetched = CachedDeb;

    fn find(&self, digest: &Digest, cache: &Cache) -> Result<Option<CachedDeb>, CacheError> {
        Ok(cache.archive(digest)?.map(|file| CachedDeb { path: file.path, sha256: file.sha256 }))
    }

    fn size(fetched: &CachedDeb) -> Option<u64> {
        fs::metadata(&fetched.path).ok().map(|metadata| metadata.len())
    }

    fn keep(
        &self,
        file: (&File, &Path),
        sha256: Sha256,
        digest: Option<&Digest>,
        cache: &Cache,
    ) -> Result<CachedDeb, CacheError> {
        let kept = cache.keep_archive(file, sha256, digest)?;
        Ok(CachedDeb { path: kept.path, sha256: kept.sha256 })
    }
}

impl Archives<'_> {
    /// Returns the .deb files of locked packages, in their order: from the cache, from their archive, or from its snapshot if
    /// the archive no longer has them. Each has the digest and the size in the lock.
    ///
    /// `sources` have the credentials and the snapshots of the archives; a release without a source is fetched from its URI.
    ///
    /// # Errors
    /// A file cannot be fetched, or is not the locked one.
    pub fn debs(
        &self,
        packages: &[(&LockedPackage, &LockedRelease)],
        sources: &[AptSource],
    ) -> Result<Vec<CachedDeb>, AptArchiveError> {
        let mut removed: HashSet<String> = HashSet::new();
        loop {
            let files = packages.iter().map(|(package, release)| {
                let name = name(package);
                let is_removed = removed.contains(&name);
                locked_file(package, release, sources, is_removed)
            });
            let files = files.collect::<Result<Vec<_>, _>>()?;
            match Fetcher::new(self.options.clone()).fetch(&files, self.cache, self.reporter) {
                Ok(fetched) => return Ok(fetched),
                // What was fetched before it is in the cache now.
                Err(error) => match missing(&error).filter(|file| has_snapshot(packages, sources, file)) {
                    Some(file) if removed.insert(file.to_owned()) => {}
                    _ => return Err(AptArchiveError::Deb(error)),
                },
            }
        }
    }
}

/// Returns the name of a package's file in messages, which no other one has.
fn name(package: &LockedPackage) -> String {
    format!("{} {} {}", package.name, package.version, package.architecture)
}

/// Returns the file that a server no longer has.
fn missing(error: &FetchError) -> Option<&str> {
    let FetchError::File { file, source, .. } = error else { return None };
    match &**source {
        DownloadError::Status { status, .. } if matches!(status.as_u16(), 404 | 410) => Some(file),
        _ => None,
    }
}

fn source_of<'a>(release: &LockedRelease, sources: &'a [AptSource]) -> Option<&'a AptSource> {
    sources.iter().find(|source| source.public_uri() == release.uri && source.suite == release.suite)
}

fn has_snapshot(packages: &[(&LockedPackage, &LockedRelease)], sources: &[AptSource], file: &str) -> bool {
    let mut releases = packages.iter().filter(|(package, _)| name(package) == file).map(|(_, release)| release);
    releases.any(|release| source_of(release, sources).is_some_and(|source| source.snapshot.is_some()))
}

fn locked_file(
    package: &LockedPackage,
    release: &LockedRelease,
    sources: &[AptSource],
    is_removed: bool,
) -> Result<LockedFile<ArchiveFilename>, AptArchiveError> {
    let source = source_of(release, sources);
    let uri = match source {
        Some(source) => source.uri.clone(),
        None => release.uri.parse().map_err(|_| AptArchiveError::Uri(release.uri.clone()))?,
    };
    let snapshot = source.and_then(|source| source.snapshot.as_ref()).filter(|_| is_removed);
    let url = match snapshot {
        Some(snapshot) => below(snapshot, &format!("{}/{}", snapshot_time(release.date), package.filename)),
        None => below(&uri, &package.filename),
    };
    Ok(LockedFile {
        filename: ArchiveFilename(name(package)),
        location: FileLocation::Url { url, index: Some(uri.into()) },
        digests: vec![package.sha256.into()],
        size: Some(package.size),
    })
}

/// Returns the name of a snapshot that has a release.
fn snapshot_time(date: Timestamp) -> String {
    (date + SNAPSHOT_DELAY).strftime("%Y%m%dT%H%M%SZ").to_string()
}
