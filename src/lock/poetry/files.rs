//! The source of a distribution of poetry.lock: an index, a file, a repository or a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use percent_encoding::percent_decode_str;
use url::Url;

use super::document::{PoetryFile, PoetryMetadata, PoetryPackage, PoetrySource};
use crate::digest::Digest;
use crate::lock::error::{Inconsistency, LockError};
use crate::lock::path::join;
use crate::lock::reference_context::ReferenceContext;
use crate::lock::{
    AcceptedFiles, DistributionFiles, DistributionSource, FileLocation, IndexQuery, LockedFile, LockedSdist,
    LockedWheel, QueriedIndexes,
};

/// Locates the distributions of one lock.
pub(super) struct PoetryLocator<'a> {
    pub(super) path: &'a Path,
    /// The lock's directory.
    pub(super) directory: &'a Path,
    /// Lists the files in locks up to version 1.1 of the format.
    pub(super) metadata: &'a PoetryMetadata,
}

impl PoetryLocator<'_> {
    /// Returns the source of a distribution.
    pub(super) fn source(&self, package: &PoetryPackage) -> Result<DistributionSource, LockError> {
        Ok(match &package.source {
            None => DistributionSource::Index(self.query(package, None)),
            Some(PoetrySource::Index(url)) => {
                let index = self.parse_url(package, url)?;
                DistributionSource::Index(self.query(package, Some(index)))
            }
            Some(PoetrySource::Directory(path)) => DistributionSource::Directory(join(self.directory, path)),
            Some(PoetrySource::File(path, subdirectory)) => {
                let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
                let location = FileLocation::Path(join(self.directory, path));
                DistributionSource::Files(self.file(package, name, location, subdirectory.as_ref())?)
            }
            Some(PoetrySource::Url(url, subdirectory)) => {
                let mut url = self.parse_url(package, url)?;
                url.set_fragment(None);
                let encoded = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
                let name = percent_decode_str(encoded).decode_utf8_lossy().into_owned();
                let location = self.location(package, &url)?;
                DistributionSource::Files(self.file(package, &name, location, subdirectory.as_ref())?)
            }
            Some(PoetrySource::Git { url, commit, subdirectory }) => {
                DistributionSource::Git(self.context(package).git(url, commit.as_deref(), subdirectory.clone())?)
            }
        })
    }

    /// Returns which files to look up on an index.
    fn query(&self, package: &PoetryPackage, index: Option<Url>) -> IndexQuery {
        // A distribution without a source comes from PyPI, even if the project has other primary sources.
        let indexes = index.map_or(QueriedIndexes::Default, QueriedIndexes::Only);
        let mut by_name = BTreeMap::<String, BTreeSet<Digest>>::new();
        for file in self.files(package) {
            by_name.entry(file.name.clone()).or_default().extend(file.hash.iter().map(|hash| hash.0.clone()));
        }
        let hashes = self.metadata.hashes.get(&package.name).into_iter().flatten();
        let digests: BTreeSet<Digest> = hashes.map(|hash| hash.0.clone()).collect();
        let accepted = match (by_name.is_empty(), digests.is_empty()) {
            (false, _) => AcceptedFiles::Named(by_name),
            (true, false) => AcceptedFiles::Digests(digests),
            (true, true) => AcceptedFiles::Any,
        };
        IndexQuery { version: package.version.clone(), accepted, indexes }
    }

    /// Returns the files of a distribution. Up to version 1.1 of the format, they are those of all its locked versions.
    fn files<'p>(&'p self, package: &'p PoetryPackage) -> &'p [PoetryFile] {
        let files = package.files.as_ref().or_else(|| self.metadata.files.get(&package.name));
        files.map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the file of a direct reference.
    fn file(
        &self,
        package: &PoetryPackage,
        name: &str,
        location: FileLocation,
        subdirectory: Option<&String>,
    ) -> Result<DistributionFiles, LockError> {
        let listed = self.files(package);
        let entry = match listed {
            [only] => Some(only),
            _ => listed.iter().find(|file| file.name == name),
        };
        let digests: Vec<Digest> =
            entry.and_then(|file| file.hash.as_ref()).map(|hash| hash.0.clone()).into_iter().collect();
        if let Ok(filename) = name.parse::<crate::wheel::filename::WheelFilename>() {
            if filename.name != package.name {
                return Err(self.context(package).inconsistent(Inconsistency::WheelNameMismatch(name.to_owned())));
            }
            let wheel = LockedWheel { filename, location, digests, size: None };
            return Ok(DistributionFiles { wheels: vec![wheel], ..DistributionFiles::default() });
        }
        Ok(match name.parse() {
            Ok(filename) => {
                let file = LockedFile { filename, location, digests, size: None };
                DistributionFiles {
                    sdist: Some(Box::new(LockedSdist { file, subdirectory: subdirectory.cloned() })),
                    ..DistributionFiles::default()
                }
            }
            Err(_) => DistributionFiles { unusable: vec![name.to_owned()], ..DistributionFiles::default() },
        })
    }

    fn parse_url(&self, package: &PoetryPackage, text: &str) -> Result<Url, LockError> {
        let url = Url::parse(text).map_err(|error| self.context(package).invalid_url(text, &error.to_string()))?;
        self.location(package, &url)?;
        Ok(url)
    }

    fn location(&self, package: &PoetryPackage, url: &Url) -> Result<FileLocation, LockError> {
        FileLocation::from_url(url, None).map_err(|reason| self.context(package).invalid_url(url.as_str(), reason))
    }

    fn context(&self, package: &PoetryPackage) -> ReferenceContext<'_> {
        ReferenceContext { path: self.path, directory: self.directory, package: package.to_string() }
    }
}
