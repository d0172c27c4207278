//! OCI images: their documents, their layers, and the files that contain them.
//!
//! Specification: [OCI image format 1.1](https://github.com/opencontainers/image-spec/blob/v1.1.1/spec.md).

pub mod base;
mod blob;
pub mod config;
pub mod docker_archive;
pub mod file;
pub(crate) mod filesystem;
pub mod index;
mod json;
pub mod layout;
pub mod manifest;
pub mod oci_archive;
pub(crate) mod partition;
mod port;
pub mod python;
mod referrer;
pub mod search;
pub(crate) mod system;
mod timestamp;
pub(crate) mod users;

pub use base::{Base, BaseError};
pub use blob::{Blob, BlobContent, BlobError, OciArtifact};
pub(crate) use filesystem::FileSystem;
pub use manifest::ImageError;
pub use port::{InvalidPort, Port};
pub use python::{BasePython, BasePythonError};
pub(crate) use referrer::{listed, referrer};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub(crate) use users::{NewUser, UserError};

use crate::digest::Sha256;
use crate::platform::Architecture;

/// A layer of an image.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The layer in its stored form, compressed or not.
    pub blob: Blob,
    /// The digest of the uncompressed tar archive (OCI image configuration, layer diff ID).
    pub diff_id: Sha256,
}

/// An image for one platform. Its documents are serialised once, so that every output has the same digests.
#[derive(Debug, Clone)]
pub struct OciImage {
    /// The architecture. The operating system is always Linux.
    pub architecture: Architecture,
    /// The image manifest.
    pub manifest: Blob,
    /// The image config.
    pub config: Blob,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
}

impl From<&OciImage> for OciArtifact {
    fn from(image: &OciImage) -> Self {
        let layers = image.layers.iter().map(|layer| layer.blob.clone());
        let blobs = std::iter::once(image.config.clone()).chain(layers).collect();
        Self { manifest: image.manifest.clone(), blobs, children: Vec::new(), referrers: Vec::new() }
    }
}
