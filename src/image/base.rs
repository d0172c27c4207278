//! A base image for one platform, read from its documents.
//!
//! Specifications: [OCI image manifest](https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md) and
//! [image index](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md);
//! [Docker image manifest 2, schema 2](https://distribution.github.io/distribution/spec/manifest-v2-2/).

use std::collections::BTreeSet;

use oci_spec::image::{Arch, Descriptor, MediaType, Os, Platform};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::config::ImageConfig;
use super::file::LARGEST_CONFIG;
use super::{Blob, BlobContent, Layer, json};
use crate::digest::Sha256;
use crate::hints::Hints;
use crate::platform::Architecture;

/// A base image for one platform.
#[derive(Debug, Clone)]
pub struct Base {
    /// The full reference that it was pulled by, if any.
    pub name: Option<String>,
    /// The digest of its manifest. `None` for an empty base, and for a Docker archive without a manifest.
    pub digest: Option<Sha256>,
    /// The architecture. The operating system is always Linux.
    pub architecture: Architecture,
    /// The image config, as far as images inherit it.
    pub config: ImageConfig,
    /// The layers, lowest first, with OCI media types.
    pub layers: Vec<Layer>,
    /// The layers of operating-system packages that are put on it, lowest first, each with a description for the history.
    pub packages: Vec<(Layer, String)>,
}

/// The kind of a document that a reference resolves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// An image index or a Docker manifest list: see [`choose`].
    Index,
    /// An image manifest: see [`Base::from_manifest`].
    Manifest,
}

/// Why a base image cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// A document does not follow its schema.
    #[error("the base's {document} is malformed: {reason}")]
    Malformed {
        /// The kind of the document, for instance `image index`.
        document: &'static str,
        /// What is wrong, and where.
        reason: String,
    },
    /// The manifest has Docker's schema 1, which Docker 1.10 replaced. It has neither sizes nor an image config.
    #[error("the base has a Docker manifest of schema 1, which is not supported")]
    SchemaOne,
    /// The document describes something other than an image.
    #[error("the base is not an image: its media type is `{}`", .media_type.escape_debug())]
    NotAnImage {
        /// The media type of the document, or of its config.
        media_type: String,
    },
    /// The manifest is of an artifact without a config, or damaged.
    #[error("the base is not an image: its manifest has no `config`")]
    NoConfig,
    /// The index has no image for the platform.
    #[error("the base has no image for linux/{}; available: {}", .wanted.oci_name(), listed(.available))]
    NoPlatform {
        /// The requested architecture.
        wanted: Architecture,
        /// The platforms of the images in the index.
        available: Vec<String>,
    },
    /// The image is for a different platform.
    #[error("the base is for {}, not for linux/{}", .found.escape_debug(), .wanted.oci_name())]
    WrongPlatform {
        /// The requested architecture.
        wanted: Architecture,
        /// The platform in its image config.
        found: String,
    },
    /// A descriptor has a digest other than SHA-256.
    #[error("the base refers to `{}`: only sha256 digests are supported", .digest.escape_debug())]
    UnsupportedDigest {
        /// The digest in the descriptor.
        digest: String,
    },
    /// A layer has a media type that is not supported.
    #[error("the base's layer {digest} has the media type `{}`: {reason}", .media_type.escape_debug())]
    UnsupportedLayer {
        /// The layer's digest.
        digest: Sha256,
        /// The layer's media type.
        media_type: String,
        /// Why it is not supported.
        reason: &'static str,
    },
    /// The manifest and the image config disagree on the number of layers.
    #[error("the base's manifest has {layers} layers, but its image config has {diff_ids} diff IDs")]
    LayerCount {
        /// The number of layers.
        layers: usize,
        /// The number of diff IDs.
        diff_ids: usize,
    },
    /// The image config is larger than any that is read into memory.
    #[error("the base's image config has {size} bytes, expected at most {LARGEST_CONFIG}")]
    LargeConfig {
        /// The size in the manifest.
        size: u64,
    },
    /// The image config does not match its descriptor in the manifest.
    #[error(
        "the base's image config should have {expected_size} bytes and the digest {expected}, but has {actual_size} bytes and {actual}"
    )]
    WrongConfig {
        /// The digest in the manifest.
        expected: Sha256,
        /// The size in the manifest.
        expected_size: u64,
        /// The digest of the image config.
        actual: Sha256,
        /// The size of the image config.
        actual_size: u64,
    },
}

impl BaseError {
    fn malformed(document: &'static str, reason: impl Into<String>) -> Self {
        Self::Malformed { document, reason: reason.into() }
    }
}

impl Hints for BaseError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::SchemaOne => vec!["pull the base with Docker and push it again, or choose a newer tag".to_owned()],
            Self::NoPlatform { .. } | Self::WrongPlatform { .. } => {
                vec!["choose a platform that the base supports, or another base".to_owned()]
            }
            Self::UnsupportedLayer { .. } => vec!["choose a base whose layers are tar archives".to_owned()],
            Self::WrongConfig { .. } => vec!["the base is damaged: pull or copy it again".to_owned()],
            Self::Malformed { .. }
            | Self::LargeConfig { .. }
            | Self::NotAnImage { .. }
            | Self::NoConfig
            | Self::UnsupportedDigest { .. }
            | Self::LayerCount { .. } => vec![],
        }
    }
}

/// The media types of an image index.
const INDICES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
/// The media types of an image manifest.
const MANIFESTS: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
/// The media types of an image config.
const CONFIGURATIONS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// The fields that distinguish documents.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestShape {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
}

/// An image index (OCI image index, properties).
#[derive(Deserialize)]
struct BaseIndex {
    manifests: Vec<Descriptor>,
}

/// An image manifest (OCI image manifest, properties).
#[derive(Deserialize)]
struct BaseManifest {
    /// Optional by the main branch of the specification, for other artifacts.
    config: Option<Descriptor>,
    layers: Vec<Descriptor>,
}

/// Returns the kind of a document by its media type, or by its fields if it has none: the field is optional in OCI
/// documents.
///
/// # Errors
/// The document is neither an index nor an image manifest, or has the fields of both.
pub fn kind(document: &[u8]) -> Result<ManifestKind, BaseError> {
    let shape: ManifestShape = parse("manifest", document)?;
    match shape.schema_version {
        1 => return Err(BaseError::SchemaOne),
        2 => {}
        other => return Err(BaseError::malformed("manifest", format!("its schemaVersion is {other}, not 2"))),
    }
    // Some clients would read it as an index and others as a manifest (CVE-2021-41190).
    if shape.manifests.is_some() && shape.layers.is_some() {
        return Err(BaseError::malformed("manifest", "it has both `manifests` and `layers`"));
    }
    match shape.media_type.as_deref() {
        Some(media_type) if INDICES.contains(&media_type) => Ok(ManifestKind::Index),
        Some(media_type) if MANIFESTS.contains(&media_type) => Ok(ManifestKind::Manifest),
        Some(media_type) => Err(BaseError::NotAnImage { media_type: media_type.to_owned() }),
        None if shape.manifests.is_some() => Ok(ManifestKind::Index),
        None if shape.layers.is_some() => Ok(ManifestKind::Manifest),
        None => Err(BaseError::malformed("manifest", "it has neither `mediaType` nor `manifests` nor `layers`")),
    }
}

/// Chooses the Linux image for an architecture from an image index or a Docker manifest list.
///
/// The variant must be one that every processor of the architecture supports. A single image without a platform, as in
/// the index of a layout, is chosen as well: its image config is checked later.
///
/// # Errors
/// The index is malformed, or has no such image.
pub fn choose(index: &[u8], architecture: Architecture) -> Result<Descriptor, BaseError> {
    let BaseIndex { manifests } = read(index, ManifestKind::Index, "image index")?;
    let images: Vec<_> = manifests.into_iter().filter(is_image).collect();
    let mut available: Vec<_> = images.iter().filter_map(|image| image.platform().as_ref().map(displayed)).collect();
    let mut seen = BTreeSet::new();
    available.retain(|platform| seen.insert(platform.clone()));
    let by_platform = images.iter().find(|image| image.platform().as_ref().is_some_and(|it| is_for(it, architecture)));
    let chosen = by_platform.or(match images.as_slice() {
        [only] if only.platform().is_none() => Some(only),
        _ => None,
    });
    let chosen = chosen.ok_or(BaseError::NoPlatform { wanted: architecture, available })?;
    sha256(chosen)?;
    Ok(chosen.clone())
}

/// Returns whether a descriptor in an index is an image's. BuildKit's attestations have the platform `unknown/unknown`.
fn is_image(descriptor: &Descriptor) -> bool {
    let is_unknown =
        descriptor.platform().as_ref().is_some_and(|platform| *platform.os() == Os::Other("unknown".to_owned()));
    MANIFESTS.contains(&descriptor.media_type().as_ref()) && !is_unknown
}

/// Returns whether every Linux machine of an architecture can run images for a platform.
fn is_for(platform: &Platform, architecture: Architecture) -> bool {
    let lowest = match architecture {
        Architecture::X86_64 => "v1",
        Architecture::Arm64 => "v8",
    };
    let variant = platform.variant().as_deref().unwrap_or_default();
    *platform.os() == Os::Linux
        && *platform.architecture() == Arch::from(architecture.oci_name())
        && (variant.is_empty() || variant == lowest)
}

/// Formats a platform as Docker does, for instance `linux/arm64/v8`.
fn displayed(platform: &Platform) -> String {
    let variant = platform.variant().iter().filter(|variant| !variant.is_empty()).map(|variant| format!("/{variant}"));
    let text = format!("{}/{}{}", platform.os(), platform.architecture(), variant.collect::<String>());
    text.escape_debug().to_string()
}

/// Returns the descriptor of the image config from an image manifest.
///
/// # Errors
/// The manifest is malformed, is not an image's, or its image config is too large to be read.
pub fn configuration(manifest: &[u8]) -> Result<Descriptor, BaseError> {
    let BaseManifest { config, .. } = read(manifest, ManifestKind::Manifest, "image manifest")?;
    let config = config.ok_or(BaseError::NoConfig)?;
    if !CONFIGURATIONS.contains(&config.media_type().as_ref()) {
        return Err(BaseError::NotAnImage { media_type: config.media_type().to_string() });
    }
    sha256(&config)?;
    if config.size() > LARGEST_CONFIG {
        return Err(BaseError::LargeConfig { size: config.size() });
    }
    Ok(config)
}

impl Base {
    /// Returns an empty base, like Docker's `FROM scratch`.
    pub fn scratch(architecture: Architecture) -> Self {
        let config = ImageConfig::empty(architecture);
        Self { name: None, digest: None, architecture, config, layers: Vec::new(), packages: Vec::new() }
    }

    /// Returns the layers including those of packages, lowest first.
    pub(crate) fn all_layers(&self) -> impl DoubleEndedIterator<Item = &Layer> + Clone {
        self.layers.iter().chain(self.packages.iter().map(|(layer, _)| layer))
    }

    /// Returns a digest that identifies all files; `None` if there are none, or they are those of a Docker archive without a
    /// manifest.
    pub(crate) fn content_digest(&self) -> Option<Sha256> {
        if self.packages.is_empty() {
            return self.digest;
        }
        let layers: Vec<String> = self.all_layers().map(|layer| layer.diff_id.hex()).collect();
        Some(Sha256::of(layers.join("\n").as_bytes()))
    }

    /// Creates a base without a name from its documents. `content` returns where the bytes of each layer are.
    ///
    /// # Errors
    /// A document is malformed, the image config is not the manifest's, or the image is not for Linux on the architecture.
    pub fn from_manifest(
        manifest: &[u8],
        config: &[u8],
        architecture: Architecture,
        content: impl Fn(&Descriptor) -> BlobContent,
    ) -> Result<Self, BaseError> {
        let descriptor = configuration(manifest)?;
        let digest = Sha256::of(manifest);
        let BaseManifest { layers, .. } = read(manifest, ManifestKind::Manifest, "image manifest")?;
        let (expected, expected_size) = (sha256(&descriptor)?, descriptor.size());
        let (actual, actual_size) = (Sha256::of(config), config.len() as u64);
        if (expected, expected_size) != (actual, actual_size) {
            return Err(BaseError::WrongConfig { expected, expected_size, actual, actual_size });
        }
        let mut config: ImageConfig = parse("image config", config)?;
        if (config.os.as_str(), config.architecture.as_str()) != ("linux", architecture.oci_name()) {
            let found = format!("{}/{}", config.os, config.architecture);
            return Err(BaseError::WrongPlatform { wanted: architecture, found });
        }
        config.set_default_variant(architecture);
        let diff_ids = config.diff_ids();
        if diff_ids.len() != layers.len() {
            return Err(BaseError::LayerCount { layers: layers.len(), diff_ids: diff_ids.len() });
        }
        let layers = layers.iter().zip(diff_ids).map(|(descriptor, diff_id)| {
            let (digest, diff_id) = (sha256(descriptor)?, parse_digest(diff_id)?);
            let media_type = layer_type(descriptor, digest)?;
            let blob = Blob { media_type, digest, size: descriptor.size(), content: content(descriptor) };
            Ok(Layer { blob, diff_id })
        });
        let layers = layers.collect::<Result<_, _>>()?;
        Ok(Self { name: None, digest: Some(digest), architecture, config, layers, packages: Vec::new() })
    }

    /// Returns the value of an environment variable in the image config.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.config.execution.env(name)
    }
}

/// Converts the media type of a layer from Docker's to OCI's
/// ([OCI media types, compatibility matrix](https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md)).
fn layer_type(layer: &Descriptor, digest: Sha256) -> Result<MediaType, BaseError> {
    let reason = match layer.media_type().as_ref() {
        "application/vnd.oci.image.layer.v1.tar" | "application/vnd.docker.image.rootfs.diff.tar" => {
            return Ok(MediaType::ImageLayer);
        }
        "application/vnd.oci.image.layer.v1.tar+gzip" | "application/vnd.docker.image.rootfs.diff.tar.gzip" => {
            return Ok(MediaType::ImageLayerGzip);
        }
        "application/vnd.oci.image.layer.v1.tar+zstd" | "application/vnd.docker.image.rootfs.diff.tar.zstd" => {
            return Ok(MediaType::ImageLayerZstd);
        }
        other if other.contains(".nondistributable.") || other.contains(".foreign.") => "it is not distributable",
        _ => "only tar archives, uncompressed or compressed with gzip or zstd, are supported",
    };
    Err(BaseError::UnsupportedLayer { digest, media_type: layer.media_type().to_string(), reason })
}

/// Reads a document of the expected kind.
fn read<T: DeserializeOwned>(bytes: &[u8], expected: ManifestKind, document: &'static str) -> Result<T, BaseError> {
    match (kind(bytes)?, expected) {
        (ManifestKind::Index, ManifestKind::Manifest) => Err(BaseError::malformed(document, "it is an image index")),
        (ManifestKind::Manifest, ManifestKind::Index) => Err(BaseError::malformed(document, "it is an image manifest")),
        _ => parse(document, bytes),
    }
}

fn parse<T: DeserializeOwned>(document: &'static str, bytes: &[u8]) -> Result<T, BaseError> {
    json::parse(bytes).map_err(|error| {
        // The error may quote the document, which may have control characters for the terminal.
        BaseError::malformed(document, error.to_string().replace(char::is_control, "\u{fffd}"))
    })
}

/// Returns the digest of a descriptor, and checks that its size is an `int64` (OCI content descriptors, properties).
fn sha256(descriptor: &Descriptor) -> Result<Sha256, BaseError> {
    if i64::try_from(descriptor.size()).is_err() {
        let reason = format!("{} has an invalid size, {}", descriptor.digest(), descriptor.size());
        return Err(BaseError::malformed("manifest", reason));
    }
    parse_digest(descriptor.digest().as_ref())
}

fn parse_digest(text: &str) -> Result<Sha256, BaseError> {
    text.parse().map_err(|_| BaseError::UnsupportedDigest { digest: text.to_owned() })
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
