//! The image manifest: a base's layers, and those put upon them.
//!
//! Specification: [OCI image manifest](https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md).

use std::collections::BTreeMap;

use oci_spec::image::MediaType;
use serde_json::{Value, json};

use super::config::{self, Entrypoint};
use super::{Base, Blob, Layer, OciImage, json};
use crate::digest::Sha256;
use crate::hints::Hints;

/// The most layers that an image may have: what Docker's and containerd's overlay file systems can stack.
pub const MAX_LAYERS: usize = 127;

/// The annotation that names the base (OCI annotations, pre-defined annotation keys).
const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// The annotation that holds the digest of the base's manifest.
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// Why no image can be made of a base, layers and settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// There is no layer at all.
    #[error("the image has no layer")]
    NoLayers,
    /// There are more layers than can be run.
    #[error("the image would have {} layers, {base} of its base and {own} of its own: {MAX_LAYERS} is the most", base + own)]
    TooManyLayers {
        /// The number of the base's layers.
        base: usize,
        /// The number of the image's own layers.
        own: usize,
    },
    /// The working directory is not absolute.
    #[error("the working directory `{}` is not an absolute path", .0.escape_debug())]
    Workdir(String),
    /// An environment variable cannot be set.
    #[error("`{}` is no name of an environment variable, or its value holds a null character", .0.escape_debug())]
    Env(String),
    /// The entrypoint names no program.
    #[error("the entrypoint is empty")]
    Entrypoint,
}

impl Hints for ImageError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::TooManyLayers { .. } => vec!["choose a base with fewer layers, or a smaller budget".to_owned()],
            Self::Workdir(path) => vec![format!("begin it with a slash: `/{path}`")],
            Self::Entrypoint => vec!["reset the entrypoint to run the command itself".to_owned()],
            Self::NoLayers | Self::Env(_) => vec![],
        }
    }
}

/// Returns the annotations that say what an image, or an index, is based on, as far as that is known.
pub fn base_annotations(name: Option<&str>, digest: Option<Sha256>) -> BTreeMap<String, String> {
    let name = name.map(|name| (BASE_NAME.to_owned(), name.to_owned()));
    let digest = digest.map(|digest| (BASE_DIGEST.to_owned(), digest.to_string()));
    name.into_iter().chain(digest).collect()
}

/// Makes the image of a base and of further layers, the lowest first, each with what it holds, for its history.
///
/// Both documents are serialised here, and nowhere again. The annotations are the manifest's; those that name the base
/// are added unless they are given.
///
/// # Errors
/// There are too many layers or none, or the settings are none that a container could have.
pub fn image(
    base: &Base,
    layers: Vec<(Layer, String)>,
    settings: &config::ConfigOverrides,
    annotations: &BTreeMap<String, String>,
) -> Result<OciImage, ImageError> {
    check(base.layers.len(), layers.len(), settings)?;
    let config = json::serialize(&base.config.derive(&base.layers, settings, &layers));
    let config = Blob::of_bytes(MediaType::ImageConfig, config);
    let layers: Vec<Layer> = base.layers.iter().cloned().chain(layers.into_iter().map(|(layer, _)| layer)).collect();

    let mut all = base_annotations(base.name.as_deref(), base.digest);
    all.extend(annotations.clone());
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::ImageManifest,
        "config": descriptor(&config),
        "layers": layers.iter().map(|layer| descriptor(&layer.blob)).collect::<Vec<_>>(),
    });
    if !all.is_empty() {
        manifest["annotations"] = json!(all);
    }
    let manifest = Blob::of_bytes(MediaType::ImageManifest, json::serialize(&manifest));
    Ok(OciImage { architecture: base.architecture, manifest, config, layers })
}

/// Checks what every container runtime would refuse.
fn check(base: usize, own: usize, settings: &config::ConfigOverrides) -> Result<(), ImageError> {
    if base + own == 0 {
        return Err(ImageError::NoLayers);
    }
    if base + own > MAX_LAYERS {
        return Err(ImageError::TooManyLayers { base, own });
    }
    if let Some(workdir) = settings.workdir.as_ref().filter(|workdir| !workdir.starts_with('/')) {
        return Err(ImageError::Workdir(workdir.clone()));
    }
    let is_wrong = |name: &str, value: &str| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
    if let Some((name, _)) = settings.env.iter().find(|(name, value)| is_wrong(name, value)) {
        return Err(ImageError::Env(name.clone()));
    }
    if matches!(&settings.entrypoint, Entrypoint::Set(entrypoint) if entrypoint.is_empty()) {
        return Err(ImageError::Entrypoint);
    }
    Ok(())
}

/// Returns a blob's descriptor
/// ([OCI content descriptors](https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md)).
pub(super) fn descriptor(blob: &Blob) -> Value {
    json!({ "mediaType": blob.media_type, "digest": blob.digest.to_string(), "size": blob.size })
}

#[cfg(test)]
mod tests;
