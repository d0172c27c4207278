//! Where a distribution of uv.lock comes from: its files with their places, a repository, or a folder.

use std::path::Path;

use url::Url;

use super::document::{Source as LockSource, SourceDistribution, Wheel, WheelPlace};
use super::graph::{Package, has_scheme};
use crate::lock::error::{Inconsistency, LockError};
use crate::lock::path::{file_name_of_url, join};
use crate::lock::{Files, Location, LockedFile, LockedSdist, LockedWheel, Repository, Source};
use crate::redact;

/// Says where the distributions of one lock come from.
pub struct Locator<'a> {
    /// The lock.
    pub path: &'a Path,
    /// The lock's folder.
    pub folder: &'a Path,
}

/// How a lock says where a file is.
enum Place<'a> {
    /// At a URL, which may be relative to its index.
    Url(&'a str),
    /// At a path from its index, which is a folder.
    Path(&'a str),
    /// At the URL or the path that is the distribution's source.
    Source,
}

impl Locator<'_> {
    /// Returns where a distribution comes from.
    ///
    /// # Errors
    ///
    /// [`LockError::InvalidUrl`] if a file cannot be fetched from where the lock says.
    pub fn source(&self, package: &Package) -> Result<Source, LockError> {
        Ok(match &package.source {
            LockSource::Directory(path) | LockSource::Editable(path) => Source::Directory(join(self.folder, path)),
            LockSource::Virtual(path) => Source::Virtual(join(self.folder, path)),
            LockSource::Git(url) => Source::Repository(self.repository(package, url)?),
            LockSource::Registry(_) | LockSource::Url(..) | LockSource::Path(_) => Source::Files(self.files(package)?),
        })
    }

    fn files(&self, package: &Package) -> Result<Files, LockError> {
        let wheels = package.wheels.iter().map(|wheel| self.wheel(package, wheel)).collect::<Result<_, _>>()?;
        let Some(sdist) = &package.sdist else {
            return Ok(Files { wheels, ..Files::default() });
        };
        let name = sdist.file_name(&package.source);
        match name.as_deref().and_then(|name| name.parse().ok()) {
            Some(filename) => {
                let place = match (&sdist.url, &sdist.path) {
                    (Some(url), _) => Place::Url(url),
                    (None, Some(path)) => Place::Path(path),
                    (None, None) => Place::Source,
                };
                let location = self.location(package, &place)?;
                let digests = sdist.hash.iter().map(|hash| hash.value.clone()).collect();
                let file = LockedFile { filename, location, digests, size: sdist.size };
                let subdirectory = match &package.source {
                    LockSource::Url(_, subdirectory) => subdirectory.clone(),
                    _ => None,
                };
                let sdist = LockedSdist { file, subdirectory };
                Ok(Files { wheels, sdist: Some(sdist), ..Files::default() })
            }
            None => Ok(Files { wheels, sdist: None, unusable: name.into_iter().collect() }),
        }
    }

    fn wheel(&self, package: &Package, wheel: &Wheel) -> Result<LockedWheel, LockError> {
        let place = match &wheel.place {
            WheelPlace::Url(url) => Place::Url(url),
            WheelPlace::Path(path) => Place::Path(path),
            WheelPlace::Source => Place::Source,
        };
        Ok(LockedWheel {
            filename: wheel.filename.clone(),
            location: self.location(package, &place)?,
            digests: wheel.digest.iter().cloned().collect(),
            size: wheel.size,
        })
    }

    fn location(&self, package: &Package, place: &Place) -> Result<Location, LockError> {
        match (&package.source, place) {
            (LockSource::Path(path), _) => Ok(Location::Path(join(self.folder, path))),
            (LockSource::Registry(index), Place::Path(path)) => {
                Ok(Location::Path(join(&join(self.folder, index), path)))
            }
            (LockSource::Registry(index), Place::Url(url)) if has_scheme(index) => {
                let index = self.parse_url(package, index, None)?;
                let url = self.parse_url(package, url, Some(&index))?;
                self.fetched_from(package, url, Some(&index))
            }
            (LockSource::Url(url, _), _) => self.direct(package, url),
            (_, Place::Url(url)) => self.direct(package, url),
            // The graph refuses these.
            (_, Place::Path(path)) => Ok(Location::Path(join(self.folder, path))),
            (_, Place::Source) => Ok(Location::Path(self.folder.to_owned())),
        }
    }

    fn direct(&self, package: &Package, url: &str) -> Result<Location, LockError> {
        let url = self.parse_url(package, url, None)?;
        self.fetched_from(package, url, None)
    }

    fn fetched_from(&self, package: &Package, mut url: Url, index: Option<&Url>) -> Result<Location, LockError> {
        url.set_fragment(None);
        Location::of_url(&url, index).map_err(|reason| self.invalid_url(package, url.as_str(), reason))
    }

    /// Parses a URL; one that is relative is below its index.
    fn parse_url(&self, package: &Package, text: &str, index: Option<&Url>) -> Result<Url, LockError> {
        let parsed = match (Url::parse(text), index) {
            (Err(url::ParseError::RelativeUrlWithoutBase), Some(index)) => {
                let mut folder = index.clone();
                if !folder.path().ends_with('/') {
                    folder.set_path(&format!("{}/", index.path()));
                }
                folder.join(text)
            }
            (parsed, _) => parsed,
        };
        parsed.map_err(|error| self.invalid_url(package, text, &error.to_string()))
    }

    /// Reads a repository's URL: its query says what was asked for, its fragment is the commit.
    fn repository(&self, package: &Package, text: &str) -> Result<Repository, LockError> {
        let mut url = self.parse_url(package, text, None)?;
        let value = |key: &str| url.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned());
        let (subdirectory, lfs) = (value("subdirectory"), value("lfs").is_some_and(|value| value == "true"));
        let commit = url.fragment().unwrap_or_default().to_owned();
        if !Repository::is_commit(&commit) {
            return Err(LockError::Inconsistent {
                path: self.path.to_owned(),
                package: package.to_string(),
                fault: Inconsistency::NoCommit,
            });
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(Repository { url: url.into(), commit, subdirectory, lfs })
    }

    fn invalid_url(&self, package: &Package, url: &str, reason: &str) -> LockError {
        LockError::InvalidUrl {
            path: self.path.to_owned(),
            package: package.to_string(),
            url: redact::text(url),
            reason: reason.to_owned(),
        }
    }
}

impl SourceDistribution {
    /// Returns the file's name, as far as the lock tells it.
    fn file_name(&self, source: &LockSource) -> Option<String> {
        match (self, source) {
            (Self { url: Some(url), .. }, _) => file_name_of_url(url).ok(),
            (Self { path: Some(path), .. }, _) | (_, LockSource::Path(path)) => {
                path.rsplit('/').next().map(str::to_owned)
            }
            (_, LockSource::Url(url, _)) => file_name_of_url(url).ok(),
            _ => None,
        }
    }
}
