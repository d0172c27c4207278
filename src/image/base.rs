//! A base image for one platform, from its documents, wherever they came from.
//!
//! Specifications: [OCI image manifest](https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md) and
//! [image index](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md);
//! [Docker image manifest 2, schema 2](https://distribution.github.io/distribution/spec/manifest-v2-2/).

use oci_spec::image::{Descriptor, MediaType};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::config::Configuration;
use super::{Blob, BlobContent, Layer, index, json};
use crate::digest::{Digest, Sha256};
use crate::target::Architecture;

/// A base image for one platform.
#[derive(Debug, Clone)]
pub struct Base {
    /// The reference that it was found under, with its registry, if it has one.
    pub name: Option<String>,
    /// The digest of its manifest, if it has one.
    pub digest: Option<Sha256>,
    /// The architecture; the operating system is always Linux.
    pub architecture: Architecture,
    /// The configuration, as far as an image inherits it.
    pub config: Configuration,
    /// The layers, the lowest first, with OCI's media types.
    pub layers: Vec<Layer>,
}

/// What a document is by which an image is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An image index or a Docker manifest list: see [`choose`].
    Index,
    /// An image manifest: see [`Base::from_manifest`].
    Manifest,
}

/// Why a base image cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// A document is not of its form.
    #[error("the base's {document} is malformed: {reason}")]
    Malformed {
        /// What the document is.
        document: &'static str,
        /// What is wrong, and where.
        reason: String,
    },
    /// The image has the form that registries dropped with Docker 1.10.
    #[error("the base has a manifest of schema 1, which states neither sizes nor a configuration")]
    SchemaOne,
    /// The document describes something else than an image.
    #[error("the base is no image but `{}`", .media_type.escape_debug())]
    NotAnImage {
        /// The media type of the document, or of the configuration.
        media_type: String,
    },
    /// The index has no image for the platform.
    #[error("the base has no image for linux/{}; it has {}", .wanted.oci_name(), listed(.available))]
    NoPlatform {
        /// What was looked for.
        wanted: Architecture,
        /// The platforms of the images that there are.
        available: Vec<String>,
    },
    /// The image is for another platform.
    #[error("the base is for {}, not for linux/{}", .found.escape_debug(), .wanted.oci_name())]
    WrongPlatform {
        /// What was looked for.
        wanted: Architecture,
        /// What its configuration says.
        found: String,
    },
    /// Something is referred to by a digest that cannot be verified.
    #[error("the base refers to `{}`: only sha256 digests are supported", .digest.escape_debug())]
    UnsupportedDigest {
        /// The digest.
        digest: String,
    },
    /// A layer is of a kind that cannot be used.
    #[error("the base's layer {digest} is `{}`: {reason}", .media_type.escape_debug())]
    UnsupportedLayer {
        /// The layer's digest.
        digest: Sha256,
        /// The media type.
        media_type: String,
        /// Why it cannot be used.
        reason: &'static str,
    },
    /// The manifest and the configuration disagree on the number of layers.
    #[error("the base's manifest has {layers} layers, its configuration {diff_ids}")]
    LayerCount {
        /// The number of layers.
        layers: usize,
        /// The number of diff IDs.
        diff_ids: usize,
    },
    /// The configuration is not the one that the manifest refers to.
    #[error(
        "the base's configuration has {actual_size} bytes and the digest {actual}, its manifest states {stated_size} bytes and {stated}"
    )]
    WrongConfiguration {
        /// The digest that the manifest states.
        stated: Sha256,
        /// The size that the manifest states.
        stated_size: u64,
        /// The digest of the configuration.
        actual: Sha256,
        /// The size of the configuration.
        actual_size: u64,
    },
}

/// Tells what a document is by its media type, else by its fields (OCI image index, `manifests`; image manifest, `layers`).
///
/// # Errors
/// It is neither, or could be taken for either.
pub fn kind(document: &[u8]) -> Result<Kind, BaseError> {
    let _ = document;
    todo!()
}

/// Chooses the image for an architecture out of an image index or a Docker manifest list.
///
/// # Errors
/// The index is malformed, or has no such image.
pub fn choose(index: &[u8], architecture: Architecture) -> Result<Descriptor, BaseError> {
    let _ = (index, architecture);
    todo!()
}

/// Returns the descriptor of the configuration that an image manifest refers to.
///
/// # Errors
/// The manifest is malformed, or describes no image.
pub fn configuration(manifest: &[u8]) -> Result<Descriptor, BaseError> {
    let _ = manifest;
    todo!()
}

impl Base {
    /// Returns the empty base.
    pub fn scratch(architecture: Architecture) -> Self {
        let config = Configuration::empty(architecture);
        Self { name: None, digest: None, architecture, config, layers: Vec::new() }
    }

    /// Makes a base, without a name, of its documents; `content` says where the bytes of each layer are.
    ///
    /// # Errors
    /// A document is malformed, the two do not belong together, or the image is not for Linux on the architecture.
    pub fn from_manifest(
        manifest: &[u8],
        config: &[u8],
        architecture: Architecture,
        content: impl Fn(&Descriptor) -> BlobContent,
    ) -> Result<Self, BaseError> {
        let _ = (manifest, config, architecture, &content);
        todo!()
    }

    /// Returns the value of an environment variable.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.config.execution.env(name)
    }
}

/// Returns names as a list, or says that there are none.
fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
