//! Archives: their releases, verified, and the indexes of packages, which the digests in the releases verify.
//!
//! The newest date of each suite is kept in the cache, so that nobody can serve an older release again: most have no
//! Valid-Until.

mod error;
mod files;
mod release;

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use liblzma::read::XzDecoder;

use super::AptSource;
use super::lock::LockedRelease;
use super::packages::PackageIndex;
use crate::cache::Cache;
use crate::debian::{DebianArchitecture, IndexDigest, ReleaseFile};
use crate::digest::Sha256;
use crate::fetch::{DownloadOptions, Fetcher};
use crate::lock::{FileLocation, LockedFile};
use crate::report::Reporter;

pub use error::AptArchiveError;
pub use files::{ArchiveFilename, CachedDeb};

/// The largest index, unpacked, in bytes. That of Debian 13 has 57 MB.
const LARGEST_INDEX: u64 = 1 << 30;

/// What requests to archives need.
#[derive(Clone, Copy)]
pub struct Archives<'a> {
    /// The options of requests and downloads.
    pub options: &'a DownloadOptions,
    /// The cache.
    pub cache: &'a Cache,
    /// Receives progress and warnings.
    pub reporter: &'a dyn Reporter,
    /// The present time.
    pub now: Timestamp,
}

/// A release whose signature and dates are verified.
#[derive(Debug, Clone)]
pub struct VerifiedRelease {
    /// Where it is from.
    pub source: AptSource,
    /// What it says.
    pub file: ReleaseFile,
    /// What the lock says of it.
    pub locked: LockedRelease,
}

impl Archives<'_> {
    /// Returns the packages that releases have for an architecture. Those of the releases before are preferred if the versions
    /// are equal.
    ///
    /// # Errors
    /// A release has no such index, or an index cannot be fetched or read.
    pub fn packages(
        &self,
        releases: &[VerifiedRelease],
        architecture: &DebianArchitecture,
    ) -> Result<PackageIndex, AptArchiveError> {
        let mut wanted = Vec::new();
        for (position, release) in releases.iter().enumerate() {
            wanted.extend(release.indexes(architecture)?.into_iter().map(|file| (position, file)));
        }
        let files: Vec<_> = wanted.iter().map(|(_, file)| file.clone()).collect();
        let fetched = Fetcher::new(self.options.clone()).fetch(&files, self.cache, self.reporter)?;
        let mut index = PackageIndex::default();
        for ((position, file), fetched) in wanted.iter().zip(fetched) {
            let url = file.filename.to_string();
            let reader =
                open(&fetched.path, &url).map_err(|source| AptArchiveError::Read { url: url.clone(), source })?;
            index.add(reader, *position).map_err(|source| AptArchiveError::Index { url, source })?;
        }
        Ok(index)
    }
}

impl VerifiedRelease {
    /// Returns the indexes of packages for an architecture.
    fn indexes(&self, architecture: &DebianArchitecture) -> Result<Vec<LockedFile<ArchiveFilename>>, AptArchiveError> {
        if self.source.suite.ends_with('/') {
            return Ok(vec![self.index("Packages").ok_or_else(|| self.missing("", architecture))?]);
        }
        let mut indexes = Vec::new();
        for component in &self.source.components {
            let path = |architecture: &str| format!("{component}/binary-{architecture}/Packages");
            let own = self.index(&path(architecture.as_str()));
            let for_all = if self.file.separate_all { self.index(&path(DebianArchitecture::ALL)) } else { None };
            if own.is_none() && for_all.is_none() {
                return Err(self.missing(component, architecture));
            }
            indexes.extend(own.into_iter().chain(for_all));
        }
        Ok(indexes)
    }

    fn missing(&self, component: &str, architecture: &DebianArchitecture) -> AptArchiveError {
        AptArchiveError::MissingIndex {
            release: self.locked.label(),
            component: component.to_owned(),
            architecture: architecture.clone(),
            components: self.file.components.clone(),
        }
    }

    /// Returns the best compressed file of an index.
    fn index(&self, path: &str) -> Option<LockedFile<ArchiveFilename>> {
        let paths = [".xz", ".gz", ""].map(|suffix| format!("{path}{suffix}"));
        paths.iter().find_map(|path| Some(self.locked_file(path, *self.file.indexes.get(path)?)))
    }

    fn locked_file(&self, path: &str, digest: IndexDigest) -> LockedFile<ArchiveFilename> {
        let sha256 = Sha256(digest.sha256);
        // An archive that is updated meanwhile has the file of this release only by its digest.
        let by_hash = match path.rsplit_once('/') {
            Some((directory, _)) => format!("{directory}/by-hash/SHA256/{}", sha256.hex()),
            None => format!("by-hash/SHA256/{}", sha256.hex()),
        };
        let requested = if self.file.by_hash { &by_hash } else { path };
        let directory = self.source.directory();
        LockedFile {
            filename: ArchiveFilename(format!("{} {path}", self.locked.label())),
            location: FileLocation::Url {
                url: self.source.url(&format!("{directory}/{requested}")),
                index: Some(self.source.uri.clone().into()),
            },
            digests: vec![sha256.into()],
            size: Some(digest.size),
        }
    }
}

/// Opens an index, compressed as its name says.
fn open(path: &Path, name: &str) -> std::io::Result<Box<dyn BufRead>> {
    let file = File::open(path)?;
    Ok(match name.rsplit_once('.') {
        Some((_, "xz")) => {
            Box::new(BufReader::with_capacity(1 << 16, XzDecoder::new_multi_decoder(file).take(LARGEST_INDEX)))
        }
        Some((_, "gz")) => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file).take(LARGEST_INDEX))),
        _ => Box::new(BufReader::with_capacity(1 << 16, file.take(LARGEST_INDEX))),
    })
}
