//! Writing an artifact as a folder, an OCI image layout.
//!
//! Specification: [OCI image layout](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md).

use std::path::{Path, PathBuf};

use super::Artifact;
use super::file::FileError;
use crate::report::Reporter;

/// A complete layout that waits to be put at its place. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Prepared {
    folder: PathBuf,
}

/// Writes a layout beside its place.
///
/// # Errors
/// The place is taken by something that is no layout, it cannot be written to, or a blob cannot be had.
pub fn prepare(
    artifact: &Artifact,
    names: &[String],
    folder: &Path,
    reporter: &dyn Reporter,
) -> Result<Prepared, FileError> {
    let _ = (artifact, names, reporter);
    let _ = folder;
    todo!()
}

impl Prepared {
    /// Puts the layout at its place, in place of the layout that was there.
    ///
    /// # Errors
    /// A folder cannot be renamed.
    pub fn persist(self) -> Result<PathBuf, FileError> {
        Ok(self.folder)
    }
}

/// Writes a layout: [`prepare`] and [`Prepared::persist`].
///
/// # Errors
/// As both.
pub fn write(
    artifact: &Artifact,
    names: &[String],
    folder: &Path,
    reporter: &dyn Reporter,
) -> Result<PathBuf, FileError> {
    prepare(artifact, names, folder, reporter)?.persist()
}
