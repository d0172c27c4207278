//! Reading Docker archives.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use oci_spec::image::MediaType;
use serde::Deserialize;
use serde_json::json;

use crate::digest::{HashingWriter, Sha256};
use crate::image::file::{
    DOCKER_MANIFEST, FileRange, ImageFile, ImageFileError, ImageFormat, ImageSource, InvalidEntry, LARGEST_CONFIG,
    LARGEST_MANIFEST, ManifestSelector, parse, sha256,
};
use crate::image::{Blob, BlobContent, Layer, OciArtifact};
use crate::tree::TreePath;

/// An image as a Docker archive holds it: without a manifest, its layers compressed or not.
#[derive(Debug, Clone)]
pub struct DockerImage {
    /// The image configuration.
    pub config: Blob,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
}

impl DockerImage {
    /// Returns the image with a manifest that is made of it, the same for the same image.
    pub fn to_artifact(&self) -> OciArtifact {
        let descriptor = |blob: &Blob| {
            json!({
                "mediaType": blob.media_type.to_string(),
                "digest": blob.digest.to_string(),
                "size": blob.size,
            })
        };
        let layers: Vec<_> = self.layers.iter().map(|layer| descriptor(&layer.blob)).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::ImageManifest.to_string(),
            "config": descriptor(&self.config),
            "layers": layers,
        });
        let blobs = std::iter::once(&self.config).chain(self.layers.iter().map(|layer| &layer.blob)).cloned();
        OciArtifact {
            manifest: Blob::of_bytes(MediaType::ImageManifest, manifest.to_string().into_bytes()),
            blobs: blobs.collect(),
            children: Vec::new(),
            referrers: Vec::new(),
        }
    }
}

/// An image in `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifestEntry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// The part of an image configuration that says what its layers are.
#[derive(Deserialize)]
struct DockerImageConfig {
    rootfs: DockerRootFs,
}

#[derive(Deserialize)]
struct DockerRootFs {
    diff_ids: Vec<String>,
}

/// Reads an image from a Docker archive. Every layer is read once, for its digest, and stays where it lies.
///
/// # Errors
/// The archive cannot be read, is not what `docker save` writes, or holds several images where none is chosen.
pub fn read(file: &ImageFile) -> Result<DockerImage, ImageFileError> {
    read_source(&ImageSource::open(ImageFormat::DockerArchive, &file.path)?, file.choice.as_ref())
}

/// Reads an image from an archive that is open.
pub(in crate::image) fn read_source(
    source: &ImageSource,
    choice: Option<&ManifestSelector>,
) -> Result<DockerImage, ImageFileError> {
    let images: Vec<DockerManifestEntry> =
        parse(source, DOCKER_MANIFEST, &source.document(DOCKER_MANIFEST, LARGEST_MANIFEST)?)?;
    let image = choose(source, &images, choice)?;
    let (config, diff_ids) = read_config(source, &plain(source, &image.config)?)?;
    if diff_ids.len() != image.layers.len() {
        let fault = InvalidEntry::Layers { layers: image.layers.len(), diff_ids: diff_ids.len() };
        return Err(source.invalid(DOCKER_MANIFEST, fault));
    }
    // An image may have one layer several times.
    let mut read = HashMap::new();
    let mut layers = Vec::new();
    for (name, diff_id) in image.layers.iter().zip(diff_ids) {
        let name = plain(source, name)?;
        let place = source.locate(name.as_str())?;
        let blob = match read.get(&place.offset) {
            Some(blob) => Blob::clone(blob),
            None => read.entry(place.offset).or_insert(read_layer(&place)?).clone(),
        };
        if blob.media_type == MediaType::ImageLayer && blob.digest != diff_id {
            return Err(source.invalid(name.as_str(), InvalidEntry::Digest { stated: diff_id, actual: blob.digest }));
        }
        layers.push(Layer { blob, diff_id });
    }
    Ok(DockerImage { config, layers })
}

fn choose<'a>(
    source: &ImageSource,
    images: &'a [DockerManifestEntry],
    choice: Option<&ManifestSelector>,
) -> Result<&'a DockerManifestEntry, ImageFileError> {
    let tags = |image: &'a DockerManifestEntry| image.repo_tags.iter().flatten();
    let meant = |image: &&'a DockerManifestEntry| match choice {
        None => true,
        Some(ManifestSelector::Name(name)) => tags(image).any(|tag| tag == name),
        // The archive knows no manifests.
        Some(ManifestSelector::Digest(_)) => false,
    };
    let path = source.path().to_owned();
    let names = images.iter().flat_map(tags).cloned().collect();
    let mut found = images.iter().filter(meant);
    match (found.next(), found.next(), choice) {
        (Some(image), None, _) => Ok(image),
        (None, _, Some(choice)) => Err(ImageFileError::NotFound { path, choice: choice.to_string(), names }),
        (None, _, None) => Err(source.invalid(DOCKER_MANIFEST, InvalidEntry::Malformed("lists no image"))),
        (Some(_), Some(_), _) => Err(ImageFileError::Several { path, names }),
    }
}

/// Returns a path that the archive's manifest states.
fn plain(source: &ImageSource, name: &str) -> Result<TreePath, ImageFileError> {
    TreePath::new(name).map_err(|_| source.invalid(name, InvalidEntry::Path))
}

/// Reads the configuration, and returns it with its diff IDs.
fn read_config(source: &ImageSource, name: &TreePath) -> Result<(Blob, Vec<Sha256>), ImageFileError> {
    let bytes = source.document(name.as_str(), LARGEST_CONFIG)?;
    let parsed: DockerImageConfig = parse(source, name.as_str(), &bytes)?;
    let config = Blob::of_bytes(MediaType::ImageConfig, bytes);
    if let Some(stated) = stated_digest(name.as_str()).filter(|stated| *stated != config.digest) {
        return Err(source.invalid(name.as_str(), InvalidEntry::Digest { stated, actual: config.digest }));
    }
    let parse = |text: &String| {
        let digest = text.strip_prefix("sha256:").and_then(sha256);
        digest.ok_or_else(|| source.invalid(name.as_str(), InvalidEntry::Algorithm(text.clone())))
    };
    let diff_ids = parsed.rootfs.diff_ids.iter().map(parse).collect::<Result<_, _>>()?;
    Ok((config, diff_ids))
}

/// Returns the digest that a configuration's name states, as `docker save` and its likes write it: `HEX.json`,
/// `sha256:HEX` or `blobs/sha256/HEX`.
fn stated_digest(name: &str) -> Option<Sha256> {
    let name = name.rsplit(['/', ':']).next()?;
    sha256(name.strip_suffix(".json").unwrap_or(name))
}

/// Reads a layer for its digest, and tells its compression by its first bytes.
fn read_layer(place: &FileRange) -> Result<Blob, ImageFileError> {
    let mut start = Vec::new();
    let mut writer = HashingWriter::new(io::sink());
    let mut copy = || {
        let mut reader = place.open()?;
        reader.by_ref().take(4).read_to_end(&mut start)?;
        writer.write_all(&start)?;
        io::copy(&mut reader, &mut writer)
    };
    copy().map_err(|source| ImageFileError::Read { path: place.path.to_path_buf(), source })?;
    let media_type = match start.as_slice() {
        [0x1f, 0x8b, ..] => MediaType::ImageLayerGzip,
        [0x28, 0xb5, 0x2f, 0xfd] => MediaType::ImageLayerZstd,
        _ => MediaType::ImageLayer,
    };
    let (_, digest, size) = writer.finish();
    let content = BlobContent::File { path: Arc::clone(&place.path), offset: place.offset };
    Ok(Blob { media_type, digest, size, content })
}
