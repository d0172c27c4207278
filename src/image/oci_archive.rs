//! Writing an artifact as an OCI image layout in a tar archive.

use std::path::Path;

use super::Artifact;
use super::file::FileError;
use crate::archive::output::Finished;
use crate::report::Reporter;

/// Writes an archive beside its place; [`Finished::persist`] puts it there.
///
/// # Errors
/// The archive cannot be written, or a blob cannot be had.
pub fn prepare(
    artifact: &Artifact,
    names: &[String],
    file: &Path,
    reporter: &dyn Reporter,
) -> Result<Finished, FileError> {
    let _ = (artifact, names, file, reporter);
    todo!()
}
