//! Reads Docker archives.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use oci_spec::image::MediaType;
use serde::Deserialize;
use serde_json::json;

use crate::digest::{HashingWriter, Sha256};
use crate::image::file::{
    DOCKER_MANIFEST, FileRange, ImageFile, ImageFileError, ImageFormat, ImageSource, InvalidEntry, LARGEST_CONFIG,
    LARGEST_MANIFEST, ManifestSelector, blob_name, is_called, parse, sha256,
};
use crate::image::manifest::descriptor;
use crate::image::{Blob, BlobContent, Layer, OciArtifact};
use crate::tree::TreePath;

/// An image from a Docker archive, which has no manifest. Its layers may be uncompressed.
#[derive(Debug, Clone)]
pub struct DockerImage {
    /// The image config.
    pub config: Blob,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
}

impl DockerImage {
    /// Generates a manifest for the image. Equal images have equal manifests.
    pub fn to_artifact(&self) -> OciArtifact {
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

/// The fields of an image config that identify its layers.
#[derive(Deserialize)]
struct DockerImageConfig {
    rootfs: DockerRootFs,
}

#[derive(Deserialize)]
struct DockerRootFs {
    diff_ids: Vec<String>,
}

/// Reads an image from a Docker archive. Every layer is read once for its digest; its bytes stay in the file.
///
/// # Errors
/// The archive cannot be read or is invalid, or it contains several images and none is selected.
pub fn read(file: &ImageFile) -> Result<DockerImage, ImageFileError> {
    read_source(&ImageSource::open(ImageFormat::DockerArchive, &file.path)?, file.selector.as_ref())
}

/// Reads an image from an open archive.
pub(in crate::image) fn read_source(
    source: &ImageSource,
    selector: Option<&ManifestSelector>,
) -> Result<DockerImage, ImageFileError> {
    let images: Vec<DockerManifestEntry> =
        parse(source, DOCKER_MANIFEST, &source.document(DOCKER_MANIFEST, LARGEST_MANIFEST)?)?;
    let image = choose(source, &images, selector)?;
    let (config, diff_ids) = read_config(source, &plain(source, &image.config)?)?;
    if diff_ids.len() != image.layers.len() {
        let problem = InvalidEntry::LayerCount { layers: image.layers.len(), diff_ids: diff_ids.len() };
        return Err(source.invalid(DOCKER_MANIFEST, problem));
    }
    // An image may contain a layer several times: each is read once.
    let mut read = HashMap::new();
    let mut layers = Vec::new();
    for (name, diff_id) in image.layers.iter().zip(diff_ids) {
        let name = plain(source, name)?;
        let range = source.locate(name.as_str())?;
        let blob = match read.get(&range.offset) {
            Some(blob) => Blob::clone(blob),
            None => read.entry(range.offset).or_insert(read_layer(&range)?).clone(),
        };
        if blob.media_type == MediaType::ImageLayer && blob.digest != diff_id {
            return Err(source.invalid(name.as_str(), InvalidEntry::Digest { expected: diff_id, actual: blob.digest }));
        }
        layers.push(Layer { blob, diff_id });
    }
    Ok(DockerImage { config, layers })
}

/// Tells whether a Docker archive that is an OCI layout as well describes one of some images of the layout, each given by its
/// blobs: the two must refer to the same bytes.
///
/// # Errors
/// `manifest.json` cannot be read, or a file that it refers to is missing.
pub(in crate::image) fn describes(source: &ImageSource, images: &[&[Blob]]) -> Result<bool, ImageFileError> {
    let document = source.document(DOCKER_MANIFEST, LARGEST_MANIFEST)?;
    let entries: Vec<DockerManifestEntry> = parse(source, DOCKER_MANIFEST, &document)?;
    let expected = images.iter().map(|blobs| offsets(source, blobs.iter().map(|blob| blob_name(blob.digest))));
    let expected = expected.collect::<Result<Vec<_>, _>>()?;
    for entry in entries {
        let found = offsets(source, std::iter::once(entry.config).chain(entry.layers))?;
        if expected.contains(&found) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns where files of an archive begin, after following links.
fn offsets(source: &ImageSource, names: impl Iterator<Item = String>) -> Result<Vec<u64>, ImageFileError> {
    names.map(|name| Ok(source.locate(plain(source, &name)?.as_str())?.offset)).collect()
}

fn choose<'a>(
    source: &ImageSource,
    images: &'a [DockerManifestEntry],
    selector: Option<&ManifestSelector>,
) -> Result<&'a DockerManifestEntry, ImageFileError> {
    let mut found = images.iter().filter(|image| selector.is_none_or(|selector| selects(selector, image)));
    let path = source.path().to_owned();
    let names = images.iter().flat_map(|image| image.repo_tags.iter().flatten()).cloned().collect();
    match (found.next(), found.next(), selector) {
        (Some(image), None, _) => Ok(image),
        (None, _, Some(selector)) => Err(ImageFileError::NotFound { path, selector: selector.to_string(), names }),
        (None, _, None) => Err(source.invalid(DOCKER_MANIFEST, InvalidEntry::Malformed("lists no images"))),
        (Some(_), Some(_), _) => Err(ImageFileError::Ambiguous { path, names }),
    }
}

fn selects(selector: &ManifestSelector, image: &DockerManifestEntry) -> bool {
    match selector {
        ManifestSelector::Name(name) => image.repo_tags.iter().flatten().any(|tag| is_called(tag, name)),
        // A Docker archive has no manifests whose digest could be selected.
        ManifestSelector::Digest(_) => false,
    }
}

/// Checks a path from the archive's `manifest.json`.
fn plain(source: &ImageSource, name: &str) -> Result<TreePath, ImageFileError> {
    TreePath::new(name).map_err(|_| source.invalid(name, InvalidEntry::Path))
}

/// Reads the image config, and returns it with its diff IDs.
fn read_config(source: &ImageSource, name: &TreePath) -> Result<(Blob, Vec<Sha256>), ImageFileError> {
    let bytes = source.document(name.as_str(), LARGEST_CONFIG)?;
    let parsed: DockerImageConfig = parse(source, name.as_str(), &bytes)?;
    let config = Blob::of_bytes(MediaType::ImageConfig, bytes);
    if let Some(expected) = digest_in_name(name.as_str()).filter(|expected| *expected != config.digest) {
        return Err(source.invalid(name.as_str(), InvalidEntry::Digest { expected, actual: config.digest }));
    }
    let mut diff_ids = Vec::new();
    for text in parsed.rootfs.diff_ids {
        let diff_id = text.strip_prefix("sha256:").and_then(sha256);
        diff_ids.push(diff_id.ok_or_else(|| source.invalid(name.as_str(), InvalidEntry::UnsupportedDigest(text)))?);
    }
    Ok((config, diff_ids))
}

/// Returns the digest in the name of an image config: `HEX.json` (Docker before 25), `sha256:HEX` (go-containerregistry) or
/// `blobs/sha256/HEX` (Docker 25).
fn digest_in_name(name: &str) -> Option<Sha256> {
    let name = name.rsplit(['/', ':']).next()?;
    sha256(name.strip_suffix(".json").unwrap_or(name))
}

/// Reads a layer for its digest, and detects its compression by its first bytes.
fn read_layer(range: &FileRange) -> Result<Blob, ImageFileError> {
    let mut start = Vec::new();
    let mut writer = HashingWriter::new(io::sink());
    hash(range, &mut start, &mut writer).map_err(ImageFileError::read(&range.path))?;
    let media_type = match start.as_slice() {
        [0x1f, 0x8b, ..] => MediaType::ImageLayerGzip,
        [0x28, 0xb5, 0x2f, 0xfd] => MediaType::ImageLayerZstd,
        _ => MediaType::ImageLayer,
    };
    let (_, digest, size) = writer.finish();
    let content = BlobContent::File { path: Arc::clone(&range.path), offset: range.offset };
    Ok(Blob { media_type, digest, size, content })
}

/// Writes a range of a file to `writer`, and its first four bytes also to `start`.
fn hash(range: &FileRange, start: &mut Vec<u8>, writer: &mut dyn Write) -> io::Result<()> {
    let mut reader = range.open()?;
    reader.by_ref().take(4).read_to_end(start)?;
    writer.write_all(start)?;
    io::copy(&mut reader, writer).map(drop)
}
