//! pylock.toml, version 1.
//!
//! Specification: [PyPA, pylock.toml](https://packaging.python.org/en/latest/specifications/pylock-toml/).

use std::path::Path;

use super::{LockError, Request, Selection};
use crate::target::Target;

/// A parsed pylock.toml.
#[derive(Debug)]
pub struct Pylock {}

impl Pylock {
    /// Parses the text of a lock. `path` is where it lies: its folder is what its paths are relative to.
    ///
    /// # Errors
    ///
    /// [`LockError`], if the text is no pylock.toml of version 1, or contradicts itself.
    pub fn parse(_text: &str, path: &Path) -> Result<Self, LockError> {
        Err(LockError::UnsupportedVersion { path: path.to_owned(), version: 0 })
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
