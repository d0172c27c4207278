//! Docker's image archive: what `docker load` takes and `docker save` gives.

use std::io::Write;
use std::path::Path;

use super::file::{ArtifactFile, Choice, FileError, Source};
use super::{Artifact, Blob, Image, Layer};
use crate::archive::output::Finished;
use crate::digest::Sha256;
use crate::report::Reporter;

/// Writes an archive beside its place; [`Finished::persist`] puts it there.
///
/// # Errors
/// The archive cannot be written, a blob cannot be had, or a layer is compressed with something other than gzip.
pub fn prepare(image: &Image, names: &[String], file: &Path, reporter: &dyn Reporter) -> Result<Finished, FileError> {
    let _ = (image, names, file, reporter);
    todo!()
}

/// An image as a Docker archive holds it: without a manifest, its layers compressed or not.
#[derive(Debug, Clone)]
pub struct DockerImage {
    /// The image configuration.
    pub config: Blob,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
}

impl DockerImage {
    /// Returns the image with a manifest that is made of it.
    pub fn to_artifact(&self) -> Artifact {
        todo!()
    }
}

/// Reads an image from a Docker archive.
///
/// # Errors
/// The archive cannot be read, or is not what `docker save` writes.
pub fn read(file: &ArtifactFile) -> Result<DockerImage, FileError> {
    let _ = file;
    todo!()
}

pub(super) fn read_source(_source: &Source, _choice: Option<&Choice>) -> Result<DockerImage, FileError> {
    todo!()
}

/// What became of an uncompressed layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compressed {
    /// The digest of the compressed layer.
    pub digest: Sha256,
    /// The size of the compressed layer, in bytes.
    pub size: u64,
}

/// Compresses an uncompressed layer into one gzip member, whose bytes depend on the layer alone.
///
/// # Errors
/// The layer cannot be read, is not what its digest says, or the output cannot be written.
pub fn compress(layer: &Layer, into: &mut dyn Write) -> Result<Compressed, FileError> {
    let _ = (layer, into);
    todo!()
}
