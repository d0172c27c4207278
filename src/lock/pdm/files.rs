//! The source of a distribution of pdm.lock: an index, a file, a repository or a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use url::Url;

use super::document::{PdmFile, PdmPackage};
use crate::digest::Digest;
use crate::lock::error::{Inconsistency, LockError};
use crate::lock::path::{file_name_of_url, join};
use crate::lock::requirements::DirectReference;
use crate::lock::sources::LockSource;
use crate::lock::{
    AcceptedFiles, DistributionFiles, DistributionSource, FileLocation, GitSource, IndexQuery, LockedFile, LockedSdist,
    QueriedIndexes,
};
use crate::redact;
use crate::wheel::filename::WheelFilename;

/// Locates the distributions of one lock.
pub(super) struct PdmLocator<'a> {
    pub(super) path: &'a Path,
    /// The lock's directory.
    pub(super) directory: &'a Path,
    /// The project's indexes.
    pub(super) sources: &'a [LockSource],
}

impl PdmLocator<'_> {
    /// Returns the source of a distribution.
    pub(super) fn source(&self, package: &PdmPackage) -> Result<DistributionSource, LockError> {
        let repositories = [("hg", &package.hg), ("svn", &package.svn), ("bzr", &package.bzr)];
        if let Some((vcs, _)) = repositories.iter().find(|(_, url)| url.is_some()) {
            let (path, package, vcs) = (self.path.to_owned(), package.to_string(), (*vcs).to_owned());
            return Err(LockError::UnsupportedVcs { path, package, vcs });
        }
        if let Some(url) = &package.git {
            return Ok(DistributionSource::Git(self.repository(package, url)?));
        }
        if let Some(location) = package.url.as_ref().or(package.path.as_ref()) {
            return self.direct(package, location);
        }
        if package.files.iter().any(|file| file.url.is_some()) {
            return Ok(DistributionSource::Files(self.files(package)?));
        }
        let Some(version) = &package.version else {
            return Err(self.inconsistent(package, Inconsistency::MissingVersion));
        };
        let mut by_name = BTreeMap::<String, BTreeSet<Digest>>::new();
        for PdmFile { file, hash, .. } in &package.files {
            let digests = hash.iter().map(|hash| hash.value.clone());
            by_name.entry(file.clone().unwrap_or_default()).or_default().extend(digests);
        }
        // Digests tell the files apart, whatever index has them.
        let (accepted, indexes) = if by_name.is_empty() || by_name.values().any(BTreeSet::is_empty) {
            (AcceptedFiles::Any, QueriedIndexes::All)
        } else {
            (
                AcceptedFiles::Named(by_name),
                QueriedIndexes::Every(self.sources.iter().map(|source| source.url.clone()).collect()),
            )
        };
        Ok(DistributionSource::Index(IndexQuery { version: version.value.clone(), accepted, indexes }))
    }

    /// Returns the source of a URL or path.
    fn direct(&self, package: &PdmPackage, location: &str) -> Result<DistributionSource, LockError> {
        let location = match &package.subdirectory {
            Some(subdirectory) => format!("{location}#subdirectory={subdirectory}"),
            None => location.to_owned(),
        };
        let (reference, _) = DirectReference::parse(&location, self.directory)
            .map_err(|reason| self.invalid_url(package, &location, &reason))?;
        let digests = package.files.iter().filter_map(|file| Some(file.hash.as_ref()?.value.clone())).collect();
        let source = reference.source(digests);
        source.ok_or_else(|| self.inconsistent(package, Inconsistency::MissingCommit))
    }

    /// Returns the files at static URLs.
    fn files(&self, package: &PdmPackage) -> Result<DistributionFiles, LockError> {
        let mut files = DistributionFiles::default();
        for PdmFile { url, hash, .. } in &package.files {
            let text = url.as_deref().unwrap_or_default();
            let name = file_name_of_url(text).map_err(|reason| self.invalid_url(package, text, &reason))?;
            let url = Url::parse(text).map_err(|error| self.invalid_url(package, text, &error.to_string()))?;
            let location =
                FileLocation::from_url(&url, None).map_err(|reason| self.invalid_url(package, text, reason))?;
            let digests: Vec<Digest> = hash.iter().map(|hash| hash.value.clone()).collect();
            if let Ok(filename) = name.parse::<WheelFilename>() {
                if filename.name != package.name {
                    return Err(self.inconsistent(package, Inconsistency::WheelNameMismatch(name)));
                }
                files.wheels.push(LockedFile { filename, location, digests, size: None });
            } else if let Ok(filename) = name.parse() {
                let file = LockedFile { filename, location, digests, size: None };
                files.sdist = Some(LockedSdist { file, subdirectory: None });
            } else {
                files.unusable.push(name);
            }
        }
        Ok(files)
    }

    fn repository(&self, package: &PdmPackage, url: &str) -> Result<GitSource, LockError> {
        let Some(commit) = package.revision.as_deref().filter(|commit| GitSource::is_commit(commit)) else {
            return Err(self.inconsistent(package, Inconsistency::MissingCommit));
        };
        if url.is_empty() || url.starts_with('-') {
            return Err(self.invalid_url(package, url, "it is not the URL of a repository"));
        }
        // `host:path` and `scheme://` are not local paths.
        let is_path = !url.split('/').next().unwrap_or_default().contains(':');
        let url = if is_path { join(self.directory, url).to_string_lossy().into_owned() } else { url.to_owned() };
        let subdirectory = package.subdirectory.clone();
        Ok(GitSource { url, commit: commit.to_ascii_lowercase(), subdirectory, lfs: false })
    }

    fn invalid_url(&self, package: &PdmPackage, url: &str, reason: &str) -> LockError {
        let (path, package, reason) = (self.path.to_owned(), package.to_string(), reason.to_owned());
        LockError::InvalidUrl { path, package, url: redact::text(url), reason }
    }

    fn inconsistent(&self, package: &PdmPackage, inconsistency: Inconsistency) -> LockError {
        LockError::Inconsistent { path: self.path.to_owned(), package: package.to_string(), inconsistency }
    }
}
