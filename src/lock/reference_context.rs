//! References of a lock to files, directories and repositories, as Poetry, PDM and pipenv write them.

use std::path::Path;

use pep440_rs::Version;

use super::error::{Inconsistency, LockError};
use super::path::join;
use super::requirements::DirectReference;
use super::{DistributionSource, GitSource};
use crate::digest::Digest;
use crate::name::DistributionName;
use crate::redact;

/// The distribution whose references are read, for messages.
pub(super) struct ReferenceContext<'a> {
    /// The lock.
    pub(super) path: &'a Path,
    /// The lock's directory.
    pub(super) directory: &'a Path,
    /// The distribution, with its version if it is known.
    pub(super) package: String,
}

impl ReferenceContext<'_> {
    /// Refuses a distribution that comes from a repository of one of these version control systems, each with its URL.
    pub(super) fn check_vcs(&self, repositories: [(&str, &Option<String>); 3]) -> Result<(), LockError> {
        match repositories.into_iter().find(|(_, url)| url.is_some()) {
            None => Ok(()),
            Some((vcs, _)) => {
                let (path, package) = (self.path.to_owned(), self.package.clone());
                Err(LockError::UnsupportedVcs { path, package, vcs: vcs.to_owned() })
            }
        }
    }

    /// Returns a commit of a repository, whose URL may be a path relative to the lock.
    pub(super) fn git(
        &self,
        url: &str,
        commit: Option<&str>,
        subdirectory: Option<String>,
    ) -> Result<GitSource, LockError> {
        let Some(commit) = commit.filter(|commit| GitSource::is_commit(commit)) else {
            return Err(self.inconsistent(Inconsistency::MissingCommit));
        };
        if url.is_empty() || url.starts_with('-') {
            return Err(self.invalid_url(url, "it is not the URL of a repository"));
        }
        // `host:path` and `scheme://` are not local paths.
        let is_path = !url.split('/').next().unwrap_or_default().contains(':');
        let url = if is_path { join(self.directory, url).to_string_lossy().into_owned() } else { url.to_owned() };
        Ok(GitSource { url, commit: commit.to_ascii_lowercase(), subdirectory, lfs: false })
    }

    /// Returns the version and the source of a URL, or of a path relative to the lock.
    pub(super) fn direct(
        &self,
        name: &DistributionName,
        location: &str,
        subdirectory: Option<&String>,
        digests: impl Iterator<Item = Digest>,
    ) -> Result<(Option<Version>, DistributionSource), LockError> {
        let location = match subdirectory {
            Some(subdirectory) => format!("{location}#subdirectory={subdirectory}"),
            None => location.to_owned(),
        };
        let (reference, fragment) =
            DirectReference::parse(&location, self.directory).map_err(|reason| self.invalid_url(&location, &reason))?;
        let version = reference.version(name);
        let mut digests: Vec<Digest> = digests.collect();
        if digests.is_empty() {
            digests.extend(fragment.digest);
        }
        let source = reference.source(digests);
        Ok((version, source.ok_or_else(|| self.inconsistent(Inconsistency::MissingCommit))?))
    }

    pub(super) fn invalid_url(&self, url: &str, reason: &str) -> LockError {
        let (path, package, reason) = (self.path.to_owned(), self.package.clone(), reason.to_owned());
        LockError::InvalidUrl { path, package, url: redact::text(url), reason }
    }

    pub(super) fn inconsistent(&self, inconsistency: Inconsistency) -> LockError {
        LockError::Inconsistent { path: self.path.to_owned(), package: self.package.clone(), inconsistency }
    }
}
