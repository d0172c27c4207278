//! The image manifest: the base's layers and those added to it.
//!
//! Specification: [OCI image manifest](https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md).

use std::collections::BTreeMap;

use oci_spec::image::MediaType;
use serde_json::{Value, json};

use super::config::{self, Entrypoint};
use super::{Base, Blob, Layer, OciImage, json};
use crate::digest::Sha256;
use crate::hints::Hints;

/// The most layers in an image: the limit of the overlay file systems of Docker and containerd.
pub(crate) const MOST_LAYERS: usize = 127;

/// The annotation with the base's reference (OCI annotations, pre-defined annotation keys).
const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// The annotation with the digest of the base's manifest.
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// The description of the layer with dpkg's database, the last of the layers with operating-system packages.
pub(crate) const PACKAGE_DATABASE: &str = "the package database";

/// What the layer is called that packages with a Python have above them.
pub(crate) const STANDARD_LIBRARY: &str = "the bytecode of the standard library";

/// The annotation with the closure of an image: what leads to the record of its distributions, and follows from what decides
/// its layers.
pub(crate) const CLOSURE: &str = "dev.pybundle.cache";

/// Why an image cannot be built from a base, layers and settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Neither the base nor the project has a layer.
    #[error("the image has no layers")]
    NoLayers,
    /// The image has more layers than container engines can run.
    #[error(
        "the image would have {} layers ({base} from its base, {added} added), more than the limit of {MOST_LAYERS}",
        base + added
    )]
    TooManyLayers {
        /// The number of the base's layers.
        base: usize,
        /// The number of added layers.
        added: usize,
    },
    /// The working directory is not absolute.
    #[error("the working directory `{}` is not an absolute path", .0.escape_debug())]
    Workdir(String),
    /// The name of an environment variable is invalid, or its value has a null character.
    #[error("`{}` is not a valid environment variable: its name is empty or has a `=`, or it has a null character", .0.escape_debug())]
    Env(String),
    /// The entrypoint has no arguments.
    #[error("the entrypoint is empty")]
    Entrypoint,
}

impl Hints for ImageError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::TooManyLayers { .. } => vec!["choose a base with fewer layers, or lower --max-layers".to_owned()],
            Self::Workdir(path) => vec![format!("use `/{path}`")],
            Self::Entrypoint => vec!["reset the entrypoint to run the command itself".to_owned()],
            Self::NoLayers | Self::Env(_) => vec![],
        }
    }
}

/// Returns the annotations that identify the base of an image or an index.
pub(crate) fn base_annotations(name: Option<&str>, digest: Option<Sha256>) -> BTreeMap<String, String> {
    let name = name.map(|name| (BASE_NAME.to_owned(), name.to_owned()));
    let digest = digest.map(|digest| (BASE_DIGEST.to_owned(), digest.to_string()));
    name.into_iter().chain(digest).collect()
}

/// Builds an image from a base with its packages and further layers, lowest first, each with a description for the history.
///
/// The annotations are the manifest's. Those that identify the base are added unless they are set.
///
/// # Errors
/// There are too many layers or none, or a setting is invalid.
pub fn image(
    base: &Base,
    layers: Vec<(Layer, String)>,
    settings: &config::ConfigOverrides,
    annotations: &BTreeMap<String, String>,
) -> Result<OciImage, ImageError> {
    let layers: Vec<(Layer, String)> = base.packages.iter().cloned().chain(layers).collect();
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

/// Checks for settings that every container runtime rejects.
fn check(base: usize, added: usize, settings: &config::ConfigOverrides) -> Result<(), ImageError> {
    if base + added == 0 {
        return Err(ImageError::NoLayers);
    }
    if base + added > MOST_LAYERS {
        return Err(ImageError::TooManyLayers { base, added });
    }
    if let Some(workdir) = settings.workdir.as_ref().filter(|workdir| !workdir.starts_with('/')) {
        return Err(ImageError::Workdir(workdir.clone()));
    }
    for (name, value) in &settings.env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(ImageError::Env(name.clone()));
        }
    }
    if matches!(&settings.entrypoint, Entrypoint::Set(entrypoint) if entrypoint.is_empty()) {
        return Err(ImageError::Entrypoint);
    }
    Ok(())
}

/// Returns the descriptor of a blob
/// ([OCI content descriptors](https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md)).
pub(crate) fn descriptor(blob: &Blob) -> Value {
    json!({ "mediaType": blob.media_type, "digest": blob.digest.to_string(), "size": blob.size })
}

#[cfg(test)]
mod tests;
