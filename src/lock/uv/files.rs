//! The source of a distribution of uv.lock: its files, a repository or a directory.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use url::Url;

use super::document::{UvSdist, UvSource, UvWheel, UvWheelLocation};
use super::graph::{UvPackage, has_scheme};
use crate::lock::error::{Inconsistency, LockError};
use crate::lock::path::{file_name_of_url, join};
use crate::lock::{
    DistributionFiles, DistributionSource, FileLocation, GitSource, LockedFile, LockedSdist, LockedWheel,
};
use crate::redact;

/// Locates the distributions of one lock.
pub(super) struct UvLocator<'a> {
    path: &'a Path,
    /// The lock's directory.
    directory: &'a Path,
    /// The indexes that were parsed: a lock names the same one for each file.
    indexes: RefCell<HashMap<&'a str, Arc<Url>>>,
}

/// The location of a file, as a lock states it.
enum UvFileLocation<'a> {
    /// May be relative to an index.
    Url(&'a str),
    /// Relative to an index that is a directory.
    Path(&'a str),
    /// The URL or path that is the distribution's source.
    Source,
}

impl<'a> UvLocator<'a> {
    /// Returns a locator for a lock, whose paths are relative to a directory.
    pub(super) fn new(path: &'a Path, directory: &'a Path) -> Self {
        Self { path, directory, indexes: RefCell::default() }
    }

    /// Returns the source of a distribution.
    pub(super) fn source(&self, package: &'a UvPackage) -> Result<DistributionSource, LockError> {
        Ok(match &package.source {
            UvSource::Directory(path) | UvSource::Editable(path) => {
                DistributionSource::Directory(join(self.directory, path))
            }
            UvSource::Virtual(path) => DistributionSource::Virtual(join(self.directory, path)),
            UvSource::Git(url) => DistributionSource::Git(self.repository(package, url)?),
            UvSource::Registry(_) | UvSource::Url(..) | UvSource::Path(_) => {
                DistributionSource::Files(self.files(package)?)
            }
        })
    }

    fn files(&self, package: &'a UvPackage) -> Result<DistributionFiles, LockError> {
        // Collecting results would reserve four elements for the one wheel that most distributions have.
        let mut wheels = Vec::with_capacity(package.wheels.wheels.len());
        for wheel in &package.wheels.wheels {
            wheels.push(self.wheel(package, wheel)?);
        }
        let mut unusable = package.wheels.unusable.clone();
        let Some(sdist) = &package.sdist else {
            return Ok(DistributionFiles { wheels, sdist: None, unusable });
        };
        let name = sdist.file_name(&package.source);
        match name.as_deref().and_then(|name| name.parse().ok()) {
            Some(filename) => {
                let location = match (&sdist.url, &sdist.path) {
                    (Some(url), _) => UvFileLocation::Url(url),
                    (None, Some(path)) => UvFileLocation::Path(path),
                    (None, None) => UvFileLocation::Source,
                };
                let location = self.location(package, &location)?;
                let digests = sdist.hash.iter().map(|hash| hash.value.clone()).collect();
                let file = LockedFile { filename, location, digests, size: sdist.size };
                let subdirectory = match &package.source {
                    UvSource::Url(_, subdirectory) => subdirectory.clone(),
                    _ => None,
                };
                let sdist = Box::new(LockedSdist { file, subdirectory });
                Ok(DistributionFiles { wheels, sdist: Some(sdist), unusable })
            }
            None => {
                unusable.extend(name);
                Ok(DistributionFiles { wheels, sdist: None, unusable })
            }
        }
    }

    fn wheel(&self, package: &'a UvPackage, wheel: &UvWheel) -> Result<LockedWheel, LockError> {
        let location = match &wheel.location {
            UvWheelLocation::Url(url) => UvFileLocation::Url(url),
            UvWheelLocation::Path(path) => UvFileLocation::Path(path),
            UvWheelLocation::Source => UvFileLocation::Source,
        };
        Ok(LockedWheel {
            filename: wheel.filename.clone(),
            location: self.location(package, &location)?,
            digests: wheel.digest.iter().cloned().collect(),
            size: wheel.size,
        })
    }

    fn location(&self, package: &'a UvPackage, location: &UvFileLocation) -> Result<FileLocation, LockError> {
        match (&package.source, location) {
            (UvSource::Path(path), _) => Ok(FileLocation::Path(join(self.directory, path))),
            (UvSource::Registry(index), UvFileLocation::Path(path)) => {
                Ok(FileLocation::Path(join(&join(self.directory, index), path)))
            }
            (UvSource::Registry(index), UvFileLocation::Url(url)) if has_scheme(index) => {
                let index = self.index(package, index)?;
                let url = self.parse_url(package, url, Some(&index))?;
                self.fetched_from(package, url, Some(&index))
            }
            (UvSource::Url(url, _), _) => self.direct(package, url),
            (_, UvFileLocation::Url(url)) => self.direct(package, url),
            // The graph refuses locks with these combinations.
            (_, UvFileLocation::Path(path)) => Ok(FileLocation::Path(join(self.directory, path))),
            (_, UvFileLocation::Source) => Ok(FileLocation::Path(self.directory.to_owned())),
        }
    }

    fn index(&self, package: &UvPackage, text: &'a str) -> Result<Arc<Url>, LockError> {
        if let Some(index) = self.indexes.borrow().get(text) {
            return Ok(Arc::clone(index));
        }
        let index = Arc::new(self.parse_url(package, text, None)?);
        self.indexes.borrow_mut().insert(text, Arc::clone(&index));
        Ok(index)
    }

    fn direct(&self, package: &UvPackage, url: &str) -> Result<FileLocation, LockError> {
        let url = self.parse_url(package, url, None)?;
        self.fetched_from(package, url, None)
    }

    fn fetched_from(
        &self,
        package: &UvPackage,
        mut url: Url,
        index: Option<&Arc<Url>>,
    ) -> Result<FileLocation, LockError> {
        url.set_fragment(None);
        FileLocation::from_url(&url, index).map_err(|reason| self.invalid_url(package, url.as_str(), reason))
    }

    /// Parses a URL, which may be relative to its index.
    fn parse_url(&self, package: &UvPackage, text: &str, index: Option<&Url>) -> Result<Url, LockError> {
        let parsed = match (Url::parse(text), index) {
            (Err(url::ParseError::RelativeUrlWithoutBase), Some(index)) => {
                let mut base = index.clone();
                if !base.path().ends_with('/') {
                    base.set_path(&format!("{}/", index.path()));
                }
                base.join(text)
            }
            (parsed, _) => parsed,
        };
        parsed.map_err(|error| self.invalid_url(package, text, &error.to_string()))
    }

    /// Reads a repository's URL, whose query has the options and whose fragment is the commit.
    fn repository(&self, package: &UvPackage, text: &str) -> Result<GitSource, LockError> {
        let mut url = self.parse_url(package, text, None)?;
        let subdirectory = query_value(&url, "subdirectory");
        let lfs = query_value(&url, "lfs").is_some_and(|value| value == "true");
        let commit = url.fragment().unwrap_or_default().to_owned();
        if !GitSource::is_commit(&commit) {
            return Err(LockError::Inconsistent {
                path: self.path.to_owned(),
                package: package.to_string(),
                inconsistency: Inconsistency::MissingCommit,
            });
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(GitSource { url: url.into(), commit, subdirectory, lfs })
    }

    fn invalid_url(&self, package: &UvPackage, url: &str, reason: &str) -> LockError {
        LockError::InvalidUrl {
            path: self.path.to_owned(),
            package: package.to_string(),
            url: redact::text(url),
            reason: reason.to_owned(),
        }
    }
}

impl UvSdist {
    /// Returns the file's name, if the lock states it.
    fn file_name(&self, source: &UvSource) -> Option<String> {
        match (self, source) {
            (Self { url: Some(url), .. }, _) => file_name_of_url(url).ok(),
            (Self { path: Some(path), .. }, _) | (_, UvSource::Path(path)) => {
                path.rsplit('/').next().map(str::to_owned)
            }
            (_, UvSource::Url(url, _)) => file_name_of_url(url).ok(),
            _ => None,
        }
    }
}

fn query_value(url: &Url, key: &str) -> Option<String> {
    url.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
}
