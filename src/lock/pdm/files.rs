//! The source of a distribution of pdm.lock: an index, a file, a repository or a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use url::Url;

use super::document::{PdmFile, PdmPackage};
use crate::digest::Digest;
use crate::lock::error::{Inconsistency, LockError};
use crate::lock::path::file_name_of_url;
use crate::lock::reference_context::ReferenceContext;
use crate::lock::sources::LockSource;
use crate::lock::{
    AcceptedFiles, DistributionFiles, DistributionSource, FileLocation, IndexQuery, LockedFile, LockedSdist,
    QueriedIndexes,
};
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
        let context = self.context(package);
        context.check_vcs([("hg", &package.hg), ("svn", &package.svn), ("bzr", &package.bzr)])?;
        let subdirectory = &package.subdirectory;
        if let Some(url) = &package.git {
            let git = context.git(url, package.revision.as_deref(), subdirectory.clone())?;
            return Ok(DistributionSource::Git(git));
        }
        if let Some(location) = package.url.as_ref().or(package.path.as_ref()) {
            let digests = package.files.iter().filter_map(|file| Some(file.hash.as_ref()?.value.clone()));
            return Ok(context.direct(&package.name, location, subdirectory.as_ref(), digests)?.1);
        }
        if package.files.iter().any(|file| file.url.is_some()) {
            return Ok(DistributionSource::Files(self.files(package)?));
        }
        let Some(version) = &package.version else {
            return Err(context.inconsistent(Inconsistency::MissingVersion));
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

    /// Returns the files at static URLs.
    fn files(&self, package: &PdmPackage) -> Result<DistributionFiles, LockError> {
        let context = self.context(package);
        let mut files = DistributionFiles::default();
        for PdmFile { url, hash, .. } in &package.files {
            let text = url.as_deref().unwrap_or_default();
            let name = file_name_of_url(text).map_err(|reason| context.invalid_url(text, &reason))?;
            let url = Url::parse(text).map_err(|error| context.invalid_url(text, &error.to_string()))?;
            let location = FileLocation::from_url(&url, None).map_err(|reason| context.invalid_url(text, reason))?;
            let digests: Vec<Digest> = hash.iter().map(|hash| hash.value.clone()).collect();
            if let Ok(filename) = name.parse::<WheelFilename>() {
                if filename.name != package.name {
                    return Err(context.inconsistent(Inconsistency::WheelNameMismatch(name)));
                }
                files.wheels.push(LockedFile { filename, location, digests, size: None });
            } else if let Ok(filename) = name.parse() {
                let file = LockedFile { filename, location, digests, size: None };
                files.sdist = Some(Box::new(LockedSdist { file, subdirectory: None }));
            } else {
                files.unusable.push(name);
            }
        }
        Ok(files)
    }

    fn context(&self, package: &PdmPackage) -> ReferenceContext<'_> {
        ReferenceContext { path: self.path, directory: self.directory, package: package.to_string() }
    }
}
