//! Where a distribution of poetry.lock comes from: an index, a file, a repository, or a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use percent_encoding::percent_decode_str;
use url::Url;

use super::document::{File, Metadata, Package, Source as LockSource};
use crate::digest::Digest;
use crate::lock::error::{Inconsistency, LockError};
use crate::lock::path::join;
use crate::lock::{
    AskedIndexes, Files, IndexQuery, Location, LockedFile, LockedSdist, LockedWheel, Repository, Source, Wanted,
};
use crate::redact;

/// Says where the distributions of one lock come from.
pub struct Locator<'a> {
    /// The lock.
    pub path: &'a Path,
    /// The lock's folder.
    pub folder: &'a Path,
    /// What the lock says of itself; older ones have the files there.
    pub metadata: &'a Metadata,
}

impl Locator<'_> {
    /// Returns where a distribution comes from.
    ///
    /// # Errors
    ///
    /// [`LockError::InvalidUrl`] if it cannot be fetched from where the lock says, [`LockError::Inconsistent`] if a
    /// repository has no commit.
    pub fn source(&self, package: &Package) -> Result<Source, LockError> {
        Ok(match &package.source {
            None => Source::Index(self.query(package, None)),
            Some(LockSource::Index(url)) => {
                let index = self.parse_url(package, url)?;
                Source::Index(self.query(package, Some(index)))
            }
            Some(LockSource::Directory(path)) => Source::Directory(join(self.folder, path)),
            Some(LockSource::File(path, subdirectory)) => {
                let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
                let location = Location::Path(join(self.folder, path));
                Source::Files(self.file(package, name, location, subdirectory.as_ref())?)
            }
            Some(LockSource::Url(url, subdirectory)) => {
                let mut url = self.parse_url(package, url)?;
                url.set_fragment(None);
                let encoded = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
                let name = percent_decode_str(encoded).decode_utf8_lossy().into_owned();
                let location = self.location(package, &url)?;
                Source::Files(self.file(package, &name, location, subdirectory.as_ref())?)
            }
            Some(LockSource::Git { url, commit, subdirectory }) => {
                Source::Repository(self.repository(package, url, commit.as_deref(), subdirectory.clone())?)
            }
        })
    }

    /// Says what to ask an index for.
    fn query(&self, package: &Package, index: Option<Url>) -> IndexQuery {
        // What names no source is of PyPI, whichever other sources there are.
        let indexes = index.map_or(AskedIndexes::Default, AskedIndexes::Only);
        let mut named = BTreeMap::<String, BTreeSet<Digest>>::new();
        for file in self.files(package) {
            named.entry(file.name.clone()).or_default().extend(file.hash.iter().map(|hash| hash.0.clone()));
        }
        let hashes = self.metadata.hashes.get(&package.name).into_iter().flatten();
        let digests: BTreeSet<Digest> = hashes.map(|hash| hash.0.clone()).collect();
        let wanted = match (named.is_empty(), digests.is_empty()) {
            (false, _) => Wanted::Named(named),
            (true, false) => Wanted::Digests(digests),
            (true, true) => Wanted::Any,
        };
        IndexQuery { version: package.version.clone(), wanted, indexes }
    }

    /// Returns the files of a distribution. Older locks have those of all its versions together.
    fn files<'p>(&'p self, package: &'p Package) -> &'p [File] {
        let in_metadata = || self.metadata.files.get(&package.name);
        package.files.as_ref().or_else(in_metadata).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the one file that a direct reference leads to.
    fn file(
        &self,
        package: &Package,
        name: &str,
        location: Location,
        subdirectory: Option<&String>,
    ) -> Result<Files, LockError> {
        let listed = self.files(package);
        let entry = match listed {
            [only] => Some(only),
            _ => listed.iter().find(|file| file.name == name),
        };
        let digests: Vec<Digest> =
            entry.and_then(|file| file.hash.as_ref()).map(|hash| hash.0.clone()).into_iter().collect();
        if let Ok(filename) = name.parse::<crate::wheel::filename::WheelFilename>() {
            if filename.name != package.name {
                return Err(self.inconsistent(package, Inconsistency::WheelOfAnother(name.to_owned())));
            }
            let wheel = LockedWheel { filename, location, digests, size: None };
            return Ok(Files { wheels: vec![wheel], ..Files::default() });
        }
        Ok(match name.parse() {
            Ok(filename) => {
                let file = LockedFile { filename, location, digests, size: None };
                Files { sdist: Some(LockedSdist { file, subdirectory: subdirectory.cloned() }), ..Files::default() }
            }
            Err(_) => Files { unusable: vec![name.to_owned()], ..Files::default() },
        })
    }

    fn repository(
        &self,
        package: &Package,
        url: &str,
        commit: Option<&str>,
        subdirectory: Option<String>,
    ) -> Result<Repository, LockError> {
        let Some(commit) = commit.filter(|commit| Repository::is_commit(commit)) else {
            return Err(self.inconsistent(package, Inconsistency::NoCommit));
        };
        if url.is_empty() || url.starts_with('-') {
            return Err(self.invalid_url(package, url, "it names no repository"));
        }
        // `host:path` and `scheme://` are not paths of this machine.
        let is_path = !url.split('/').next().unwrap_or_default().contains(':');
        let url = if is_path { join(self.folder, url).to_string_lossy().into_owned() } else { url.to_owned() };
        Ok(Repository { url, commit: commit.to_ascii_lowercase(), subdirectory, lfs: false })
    }

    fn parse_url(&self, package: &Package, text: &str) -> Result<Url, LockError> {
        let url = Url::parse(text).map_err(|error| self.invalid_url(package, text, &error.to_string()))?;
        self.location(package, &url)?;
        Ok(url)
    }

    fn location(&self, package: &Package, url: &Url) -> Result<Location, LockError> {
        Location::of_url(url, None).map_err(|reason| self.invalid_url(package, url.as_str(), reason))
    }

    fn invalid_url(&self, package: &Package, url: &str, reason: &str) -> LockError {
        LockError::InvalidUrl {
            path: self.path.to_owned(),
            package: package.to_string(),
            url: redact::text(url),
            reason: reason.to_owned(),
        }
    }

    fn inconsistent(&self, package: &Package, fault: Inconsistency) -> LockError {
        LockError::Inconsistent { path: self.path.to_owned(), package: package.to_string(), fault }
    }
}
