//! A base image for one platform, from its documents, wherever they came from.
//!
//! Specifications: [OCI image manifest](https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md) and
//! [image index](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md);
//! [Docker image manifest 2, schema 2](https://distribution.github.io/distribution/spec/manifest-v2-2/).

use std::collections::BTreeSet;

use oci_spec::image::{Arch, Descriptor, MediaType, Os, Platform};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::config::ImageConfig;
use super::{Blob, BlobContent, Layer, json};
use crate::digest::Sha256;
use crate::hints::Hints;
use crate::platform::Architecture;

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
    pub config: ImageConfig,
    /// The layers, the lowest first, with OCI's media types.
    pub layers: Vec<Layer>,
}

/// What a document is by which an image is found.
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

impl Hints for BaseError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::SchemaOne => vec!["pull the base with docker and push it again, or choose a newer tag".to_owned()],
            Self::NoPlatform { .. } | Self::WrongPlatform { .. } => {
                vec!["choose a platform that the base is for, or another base".to_owned()]
            }
            Self::UnsupportedLayer { .. } => vec!["choose a base whose layers are tar archives".to_owned()],
            Self::WrongConfiguration { .. } => vec!["the base is damaged: get it again".to_owned()],
            Self::Malformed { .. }
            | Self::NotAnImage { .. }
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
/// The media types of an image configuration.
const CONFIGURATIONS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// The fields that tell documents apart.
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
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// Tells what a document is by its media type, else by its fields.
///
/// # Errors
/// It is neither an index nor a manifest of an image, or could be taken for either.
pub fn kind(document: &[u8]) -> Result<ManifestKind, BaseError> {
    let shape: ManifestShape = parse("manifest", document)?;
    let malformed = |reason: String| BaseError::Malformed { document: "manifest", reason };
    match shape.schema_version {
        1 => return Err(BaseError::SchemaOne),
        2 => {}
        other => return Err(malformed(format!("its schemaVersion is {other}, not 2"))),
    }
    // One reader would take it for an index and another for an image (CVE-2021-41190).
    if shape.manifests.is_some() && shape.layers.is_some() {
        return Err(malformed("it has both `manifests` and `layers`".to_owned()));
    }
    match shape.media_type.as_deref() {
        Some(media_type) if INDICES.contains(&media_type) => Ok(ManifestKind::Index),
        Some(media_type) if MANIFESTS.contains(&media_type) => Ok(ManifestKind::Manifest),
        Some(media_type) => Err(BaseError::NotAnImage { media_type: media_type.to_owned() }),
        None if shape.manifests.is_some() => Ok(ManifestKind::Index),
        None if shape.layers.is_some() => Ok(ManifestKind::Manifest),
        None => Err(malformed("it has neither `mediaType` nor `manifests` nor `layers`".to_owned())),
    }
}

/// Chooses the image for an architecture out of an image index or a Docker manifest list.
///
/// The operating system is Linux, and the variant the one that every processor of the architecture has. An image of
/// unknown platform is chosen if the index holds nothing else, as layouts of a single image do: its configuration
/// will tell.
///
/// # Errors
/// The index is malformed, or has no such image.
pub fn choose(index: &[u8], architecture: Architecture) -> Result<Descriptor, BaseError> {
    let BaseIndex { manifests } = read(index, ManifestKind::Index, "image index")?;
    let images: Vec<_> = manifests.into_iter().filter(is_image).collect();
    let mut available: Vec<_> = images.iter().filter_map(|image| image.platform().as_ref().map(displayed)).collect();
    let mut seen = BTreeSet::new();
    available.retain(|platform| seen.insert(platform.clone()));
    let is_wanted = |image: &&Descriptor| image.platform().as_ref().is_some_and(|it| suits(it, architecture));
    let wanted = images.iter().find(is_wanted).or(match images.as_slice() {
        [only] if only.platform().is_none() => Some(only),
        _ => None,
    });
    let wanted = wanted.ok_or(BaseError::NoPlatform { wanted: architecture, available })?;
    sha256(wanted)?;
    Ok(wanted.clone())
}

/// Tells whether a descriptor of an index is an image's, and not an attestation's, which states no platform.
fn is_image(descriptor: &Descriptor) -> bool {
    let unknown = |platform: &Platform| *platform.os() == Os::Other("unknown".to_owned());
    MANIFESTS.contains(&descriptor.media_type().as_ref()) && !descriptor.platform().as_ref().is_some_and(unknown)
}

/// Tells whether every Linux machine of an architecture runs images for a platform.
fn suits(platform: &Platform, architecture: Architecture) -> bool {
    let lowest = match architecture {
        Architecture::X86_64 => "v1",
        Architecture::Arm64 => "v8",
    };
    let variant = platform.variant().as_deref().unwrap_or_default();
    *platform.os() == Os::Linux
        && *platform.architecture() == Arch::from(architecture.oci_name())
        && (variant.is_empty() || variant == lowest)
}

/// Returns a platform as Docker writes it, for instance `linux/arm64/v8`.
fn displayed(platform: &Platform) -> String {
    let variant = platform.variant().iter().filter(|variant| !variant.is_empty()).map(|variant| format!("/{variant}"));
    let text = format!("{}/{}{}", platform.os(), platform.architecture(), variant.collect::<String>());
    text.escape_debug().to_string()
}

/// Returns the descriptor of the configuration that an image manifest refers to.
///
/// # Errors
/// The manifest is malformed, or describes no image.
pub fn configuration(manifest: &[u8]) -> Result<Descriptor, BaseError> {
    let BaseManifest { config, .. } = read(manifest, ManifestKind::Manifest, "image manifest")?;
    if !CONFIGURATIONS.contains(&config.media_type().as_ref()) {
        return Err(BaseError::NotAnImage { media_type: config.media_type().to_string() });
    }
    sha256(&config)?;
    Ok(config)
}

impl Base {
    /// Returns the empty base.
    pub fn scratch(architecture: Architecture) -> Self {
        let config = ImageConfig::empty(architecture);
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
        let stated = configuration(manifest)?;
        let digest = Sha256::of(manifest);
        let BaseManifest { layers, .. } = read(manifest, ManifestKind::Manifest, "image manifest")?;
        let (stated, stated_size, actual, actual_size) =
            (sha256(&stated)?, stated.size(), Sha256::of(config), config.len() as u64);
        if (stated, stated_size) != (actual, actual_size) {
            return Err(BaseError::WrongConfiguration { stated, stated_size, actual, actual_size });
        }
        let mut config: ImageConfig = parse("image configuration", config)?;
        if (config.os.as_str(), config.architecture.as_str()) != ("linux", architecture.oci_name()) {
            let found = format!("{}/{}", config.os, config.architecture);
            return Err(BaseError::WrongPlatform { wanted: architecture, found });
        }
        config.state_variant(architecture);
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
        Ok(Self { name: None, digest: Some(digest), architecture, config, layers })
    }

    /// Returns the value of an environment variable.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.config.execution.env(name)
    }
}

/// Returns OCI's media type of a layer that may have Docker's
/// ([OCI media types, compatibility matrix](https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md)).
fn layer_type(layer: &Descriptor, digest: Sha256) -> Result<MediaType, BaseError> {
    let unsupported = |reason| {
        let media_type = layer.media_type().to_string();
        Err(BaseError::UnsupportedLayer { digest, media_type, reason })
    };
    match layer.media_type().as_ref() {
        "application/vnd.oci.image.layer.v1.tar" | "application/vnd.docker.image.rootfs.diff.tar" => {
            Ok(MediaType::ImageLayer)
        }
        "application/vnd.oci.image.layer.v1.tar+gzip" | "application/vnd.docker.image.rootfs.diff.tar.gzip" => {
            Ok(MediaType::ImageLayerGzip)
        }
        "application/vnd.oci.image.layer.v1.tar+zstd" | "application/vnd.docker.image.rootfs.diff.tar.zstd" => {
            Ok(MediaType::ImageLayerZstd)
        }
        other if other.contains(".nondistributable.") || other.contains(".foreign.") => {
            unsupported("it must not be distributed with other images")
        }
        _ => unsupported("it is no tar archive, or one that is compressed in an unknown way"),
    }
}

/// Reads a document of one kind.
fn read<T: DeserializeOwned>(bytes: &[u8], expected: ManifestKind, document: &'static str) -> Result<T, BaseError> {
    match (kind(bytes)?, expected) {
        (ManifestKind::Index, ManifestKind::Manifest) => {
            Err(BaseError::Malformed { document, reason: "it is an image index".to_owned() })
        }
        (ManifestKind::Manifest, ManifestKind::Index) => {
            Err(BaseError::Malformed { document, reason: "it is an image manifest".to_owned() })
        }
        _ => parse(document, bytes),
    }
}

/// Parses a document.
fn parse<T: DeserializeOwned>(document: &'static str, bytes: &[u8]) -> Result<T, BaseError> {
    // The reason may quote the document.
    let reason = |error: serde_json::Error| error.to_string().replace(char::is_control, "\u{fffd}");
    json::parse(bytes).map_err(|error| BaseError::Malformed { document, reason: reason(error) })
}

/// Returns the digest of a descriptor whose size is one, too (OCI content descriptors: an `int64`).
fn sha256(descriptor: &Descriptor) -> Result<Sha256, BaseError> {
    if i64::try_from(descriptor.size()).is_err() {
        let reason = format!("{} has an impossible size, {}", descriptor.digest(), descriptor.size());
        return Err(BaseError::Malformed { document: "manifest", reason });
    }
    parse_digest(descriptor.digest().as_ref())
}

fn parse_digest(text: &str) -> Result<Sha256, BaseError> {
    text.parse().map_err(|_| BaseError::UnsupportedDigest { digest: text.to_owned() })
}

/// Returns names as a list, or says that there are none.
fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
