//! Reads an image: its documents, and its layers as one file system.
//!
//! Specification: [OCI image manifest](https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md) and
//! [configuration](https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md).

use std::collections::{BTreeMap, HashMap};

use oci_spec::image::{Descriptor, Platform};
use rayon::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::layer::{self, LayerMember, LayerMemberKind, ScannedLayer};
use super::{
    ArtifactContents, ContentsError, DetectedKind, EntryOrigin, FileEntry, ImageDescription, LayerContents,
    LayerOrigin, origins, packages,
};
use crate::digest::Sha256;
use crate::image::base::{self, ManifestKind};
use crate::image::{Blob, BlobContent, BlobError, OciArtifact, manifest};

/// The `created_by` of pybundle's layers in the history.
const CREATED_BY: &str = "pybundle";

/// An image in an index, or a single image.
#[derive(Debug, Clone)]
pub(crate) struct ImageCandidate<'a> {
    pub(crate) artifact: &'a OciArtifact,
    /// The platform in the index, if any.
    pub(crate) platform: Option<String>,
}

/// Returns the images in an index in their order, or the single image.
///
/// # Errors
/// A document is malformed.
pub(crate) fn images(artifact: &OciArtifact) -> Result<Vec<ImageCandidate<'_>>, ContentsError> {
    #[derive(Deserialize)]
    struct IndexManifests {
        manifests: Vec<Descriptor>,
    }
    let bytes = document(&artifact.manifest)?;
    let digest = artifact.manifest.digest;
    match base::kind(&bytes).map_err(|error| ContentsError::malformed("manifest", digest, error))? {
        ManifestKind::Manifest => Ok(vec![ImageCandidate { artifact, platform: None }]),
        ManifestKind::Index => {
            let index: IndexManifests = parse(&bytes, "manifest", digest)?;
            let children: HashMap<String, &OciArtifact> =
                artifact.children.iter().map(|child| (child.manifest.digest.to_string(), child)).collect();
            let images = index.manifests.iter().filter_map(|descriptor| {
                let artifact = children.get(descriptor.digest().as_ref())?;
                // BuildKit's attestations have this platform.
                let platform = descriptor.platform().as_ref().map(displayed);
                let is_image = artifact.children.is_empty() && !artifact.blobs.is_empty();
                (is_image && platform.as_deref() != Some("unknown/unknown"))
                    .then_some(ImageCandidate { artifact, platform })
            });
            Ok(images.collect())
        }
    }
}

/// Returns the image for a platform, or the first one without a platform. `linux/arm64` also selects `linux/arm64/v8`.
///
/// # Errors
/// There is no such image, or a document is malformed.
pub(crate) fn choose<'a>(
    artifact: &'a OciArtifact,
    platform: Option<&str>,
) -> Result<ImageCandidate<'a>, ContentsError> {
    let images = images(artifact)?;
    let available: Vec<Option<String>> = images.iter().map(platform_of).collect();
    let found = available.iter().position(|available| match (available, platform) {
        (Some(available), Some(wanted)) => is_platform(available, wanted),
        _ => true,
    });
    found.and_then(|at| images.into_iter().nth(at)).ok_or_else(|| ContentsError::NoPlatform {
        wanted: platform.unwrap_or("any platform").to_owned(),
        available: match available.into_iter().flatten().collect::<Vec<_>>() {
            platforms if platforms.is_empty() => "none".to_owned(),
            platforms => platforms.join(", "),
        },
    })
}

/// Returns the platform of an image according to the index, or to its image config.
fn platform_of(candidate: &ImageCandidate) -> Option<String> {
    let in_index = candidate.platform.clone();
    in_index.or_else(|| Some(ImageDocuments::read(candidate.artifact).ok()?.platform()))
}

/// Returns whether a platform is the wanted one, or a variant of it.
fn is_platform(available: &str, wanted: &str) -> bool {
    available.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn displayed(platform: &Platform) -> String {
    let variant = platform.variant().iter().filter(|variant| !variant.is_empty()).map(|variant| format!("/{variant}"));
    format!("{}/{}{}", platform.os(), platform.architecture(), variant.collect::<String>())
}

/// The manifest and the image config of an image.
#[derive(Debug, Clone)]
pub(crate) struct ImageDocuments {
    pub(crate) manifest: Value,
    pub(crate) configuration: Value,
    /// The size of both, in bytes.
    pub(crate) size: u64,
    /// The layers of the manifest, lowest first.
    pub(crate) layers: Vec<LayerDescription>,
}

/// A layer according to the documents of its image.
#[derive(Debug, Clone)]
pub(crate) struct LayerDescription {
    pub(crate) blob: Blob,
    /// The diff ID, if the image config has one.
    pub(crate) diff_id: Option<String>,
    /// The description in the history.
    pub(crate) description: String,
    pub(crate) origin: LayerOrigin,
}

impl LayerDescription {
    /// Returns whether pybundle built the layer.
    pub(crate) fn is_own(&self) -> bool {
        self.origin == LayerOrigin::Pybundle
    }
}

/// The layers of a manifest.
#[derive(Deserialize)]
struct ManifestLayers {
    layers: Vec<Descriptor>,
}

/// An entry of the history (OCI image configuration, `history`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HistoryStep {
    created_by: Option<String>,
    comment: Option<String>,
    empty_layer: bool,
}

impl HistoryStep {
    /// Returns whether pybundle built the layer.
    fn is_own(&self) -> bool {
        self.created_by.as_deref() == Some(CREATED_BY)
    }
}

impl ImageDocuments {
    /// Reads the documents of an image. Their digests were verified when the artifact was opened.
    ///
    /// # Errors
    /// A document is malformed, or a blob is missing.
    pub(crate) fn read(image: &OciArtifact) -> Result<Self, ContentsError> {
        let manifest = document(&image.manifest)?;
        let digest = image.manifest.digest;
        let parsed: ManifestLayers = parse(&manifest, "manifest", digest)?;
        let value: Value = parse(&manifest, "manifest", digest)?;
        let blobs: HashMap<String, &Blob> = image.blobs.iter().map(|blob| (blob.digest.to_string(), blob)).collect();
        let config_digest = value["config"]["digest"].as_str().unwrap_or_default();
        let config_blob = blobs.get(config_digest).ok_or_else(|| missing(digest, config_digest))?;
        let config = document(config_blob)?;
        let configuration: Value = parse(&config, "image config", config_blob.digest)?;
        let steps: Vec<HistoryStep> = match configuration.get("history") {
            None | Some(Value::Null) => Vec::new(),
            Some(history) => serde_json::from_value(history.clone())
                .map_err(|error| ContentsError::malformed("image config", config_blob.digest, error))?,
        };
        let steps: Vec<&HistoryStep> = steps.iter().filter(|step| !step.empty_layer).collect();
        // A history that does not match the layers says nothing about them.
        let is_complete = steps.len() == parsed.layers.len();
        let first = steps.iter().position(|step| step.is_own()).filter(|_| is_complete);
        let layers = parsed.layers.iter().enumerate().map(|(index, descriptor)| {
            let layer_digest = descriptor.digest().as_ref();
            let blob = Blob::clone(blobs.get(layer_digest).ok_or_else(|| missing(digest, layer_digest))?);
            let step = steps.get(index).filter(|_| is_complete);
            let origin = match first {
                Some(first) if index < first => LayerOrigin::Base,
                Some(_) if step.is_some_and(|step| step.is_own()) => LayerOrigin::Pybundle,
                _ => LayerOrigin::Unknown,
            };
            let description =
                step.and_then(|step| step.comment.clone().filter(|_| step.is_own()).or(step.created_by.clone()));
            let diff_id = configuration["rootfs"]["diff_ids"][index].as_str().map(str::to_owned);
            Ok(LayerDescription { blob, diff_id, description: description.unwrap_or_default(), origin })
        });
        let layers = layers.collect::<Result<_, ContentsError>>()?;
        let size = (manifest.len() + config.len()) as u64;
        Ok(Self { manifest: value, configuration, size, layers })
    }

    /// Returns the platform in the image config.
    pub(crate) fn platform(&self) -> String {
        let [os, architecture] =
            ["os", "architecture"].map(|name| self.configuration[name].as_str().unwrap_or("unknown"));
        let variant = self.configuration["variant"].as_str().filter(|variant| !variant.is_empty());
        let variant = variant.map(|variant| format!("/{variant}")).unwrap_or_default();
        format!("{os}/{architecture}{variant}")
    }

    fn annotations(&self) -> BTreeMap<String, String> {
        let annotations = self.manifest["annotations"].as_object().into_iter().flatten();
        annotations.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    }
}

/// Reads and verifies a document.
fn document(blob: &Blob) -> Result<Vec<u8>, ContentsError> {
    let mut bytes = Vec::new();
    blob.copy_to(&mut bytes)?;
    Ok(bytes)
}

/// Parses a document with a digest.
fn parse<T: DeserializeOwned>(bytes: &[u8], document: &'static str, digest: Sha256) -> Result<T, ContentsError> {
    serde_json::from_slice(bytes).map_err(|error| ContentsError::malformed(document, digest, error))
}

/// Returns the error of a manifest that refers to a missing blob.
fn missing(manifest: Sha256, blob: &str) -> ContentsError {
    ContentsError::malformed("manifest", manifest, format!("it refers to `{}`, which is missing", blob.escape_debug()))
}

/// Reads an image, each layer once. Its blobs must be in files.
///
/// # Errors
/// A document is malformed, or a layer cannot be read or does not match its digest and diff ID.
pub(crate) fn read(image: &OciArtifact, platforms: Vec<String>) -> Result<ArtifactContents, ContentsError> {
    let documents = ImageDocuments::read(image)?;
    let readings: Vec<_> = documents.layers.par_iter().map(read_layer).collect();
    let readings = readings.into_iter().collect::<Result<Vec<_>, _>>()?;
    for (stated, reading) in documents.layers.iter().zip(&readings) {
        let digest = stated.blob.digest;
        if reading.digest != digest {
            let reason = format!("its content has the digest {}", reading.digest);
            return Err(ContentsError::Damaged { digest, reason });
        }
        if stated.diff_id.as_ref().is_some_and(|stated| *stated != reading.diff_id.to_string()) {
            let reason = format!("its uncompressed content has the digest {}", reading.diff_id);
            return Err(ContentsError::Damaged { digest, reason });
        }
    }
    let readings =
        readings.into_iter().zip(&documents.layers).map(|(mut reading, stated)| match reading.failure.take() {
            Some(source) => Err(ContentsError::Layer { digest: stated.blob.digest, source }),
            None => Ok(reading),
        });
    let readings = readings.collect::<Result<Vec<_>, _>>()?;
    Ok(merge(image.manifest.digest, &documents, readings, platforms))
}

fn read_layer(stated: &LayerDescription) -> Result<ScannedLayer, ContentsError> {
    layer::read(&stated.blob, false).map_err(|source| {
        let digest = stated.blob.digest;
        match &stated.blob.content {
            BlobContent::Registry { repository } => {
                BlobError::NotDownloaded { digest, repository: repository.to_string() }.into()
            }
            _ => ContentsError::Layer { digest, source },
        }
    })
}

/// Merges layers into one file system.
pub(super) fn merge(
    digest: Sha256,
    documents: &ImageDocuments,
    readings: Vec<ScannedLayer>,
    platforms: Vec<String>,
) -> ArtifactContents {
    let mut merged = MergedLayers::default();
    for (index, reading) in readings.into_iter().enumerate() {
        merged.layer(index, reading);
    }
    let MergedLayers { mut files, records, visible } = merged;
    let records =
        records.into_iter().filter(|((path, layer), _)| visible.get(path).is_some_and(|at| files[*at].layer == *layer));
    let mut records = records.map(|((path, _), record)| (path, record)).collect();
    let packages = packages::take(&mut records);
    let of_packages = [manifest::PACKAGE_DATABASE, manifest::STANDARD_LIBRARY];
    let is_of_packages = |layer: &LayerDescription| layer.is_own() && of_packages.contains(&layer.description.as_str());
    let last_of_packages = documents.layers.iter().rposition(is_of_packages);
    let (distributions, records) =
        origins::assign(&mut files, records, |file| match documents.layers.get(file.layer) {
            Some(_)
                if last_of_packages.is_some_and(|last| file.layer <= last && documents.layers[file.layer].is_own()) =>
            {
                EntryOrigin::SystemPackages
            }
            Some(layer) if layer.is_own() => EntryOrigin::Application,
            _ => EntryOrigin::Base,
        });
    let layers = documents.layers.iter().map(|stated| LayerContents {
        digest: stated.blob.digest,
        size: stated.blob.size,
        description: stated.description.clone(),
        origin: stated.origin,
    });
    ArtifactContents {
        kind: DetectedKind::Image,
        digest,
        size: documents.size + documents.layers.iter().map(|stated| stated.blob.size).sum::<u64>(),
        layers: layers.collect(),
        files,
        distributions,
        records,
        packages,
        image: Some(ImageDescription {
            platform: documents.platform(),
            platforms,
            configuration: documents.configuration.clone(),
            annotations: documents.annotations(),
        }),
    }
}

/// The layers merged so far.
#[derive(Default)]
struct MergedLayers {
    files: Vec<FileEntry>,
    records: Vec<((String, usize), Vec<u8>)>,
    /// The files that no higher layer hides, by path.
    visible: BTreeMap<String, usize>,
}

impl MergedLayers {
    fn layer(&mut self, index: usize, reading: ScannedLayer) {
        let first = self.files.len();
        self.records.extend(reading.records.into_iter().map(|(path, record)| ((path, index), record)));
        for member in reading.members {
            match &member.kind {
                // The whiteouts of a layer do not apply to the layer itself (layer, whiteouts).
                LayerMemberKind::Whiteout(path) => self.hide(path, true, first),
                LayerMemberKind::Opaque(directory) => self.hide(directory, false, first),
                LayerMemberKind::Directory => self.hide_one(&member.path),
                LayerMemberKind::File(_) => self.file(index, member),
            }
        }
    }

    fn file(&mut self, layer: usize, member: LayerMember) {
        let LayerMember { path, kind, size, compressed_size, mode, ids, time, sha256 } = member;
        let LayerMemberKind::File(kind) = kind else { return };
        let below = format!("{path}/");
        self.hide_below(&below, usize::MAX);
        self.hide_one(&path);
        self.visible.insert(path.clone(), self.files.len());
        self.files.push(FileEntry {
            path,
            kind,
            size,
            compressed_size,
            mode,
            ids,
            time,
            method: 0,
            sha256,
            layer,
            is_hidden: false,
            origin: EntryOrigin::Base,
        });
    }

    fn hide(&mut self, path: &str, itself: bool, first: usize) {
        if itself && self.visible.get(path).is_some_and(|at| *at < first) {
            self.hide_one(path);
        }
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        self.hide_below(&below, first);
    }

    /// Hides the file at a path.
    fn hide_one(&mut self, path: &str) {
        if let Some(at) = self.visible.remove(path) {
            self.files[at].is_hidden = true;
        }
    }

    /// Hides the files below a path that ends with a slash, if they precede the file `first`.
    fn hide_below(&mut self, below: &str, first: usize) {
        let paths = self.visible.range(below.to_owned()..).take_while(|(path, _)| path.starts_with(below));
        let paths: Vec<String> = paths.filter(|(_, at)| **at < first).map(|(path, _)| path.clone()).collect();
        paths.iter().for_each(|path| self.hide_one(path));
    }
}
