//! Reads an OCI layout, in a directory or in an archive.
//!
//! Specifications: [image layout](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md),
//! [index](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md),
//! [manifest](https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType, OciLayout};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::source::{MARKER, blob_name};
use super::{ImageFileError, ImageSource, InvalidEntry, ManifestSelector, is_called, sha256};
use crate::digest::Sha256;
use crate::image::{Blob, BlobContent, OciArtifact};

/// The index of a layout (image layout, index.json file).
pub(crate) const INDEX: &str = "index.json";

/// The list of referrers beside the index, an image index.
pub(in crate::image) const REFERRERS: &str = "referrers.json";

/// The annotation with the tag of a manifest in a layout (image specification, annotations).
pub(in crate::image) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation in which BuildKit and containerd store the full reference.
pub(in crate::image) const FULL_NAME: &str = "io.containerd.image.name";

/// The largest manifest or index, in bytes: registries should accept 4 MiB (OCI distribution specification, pushing
/// manifests).
pub(crate) const LARGEST_MANIFEST: u64 = 4 << 20;

/// The largest image config, in bytes.
pub(crate) const LARGEST_CONFIG: u64 = 8 << 20;

/// The most bytes of all documents together, each counted as often as it is referred to. This bounds memory and time: a
/// few small indexes can refer to each other millions of times.
const LARGEST_TOTAL: u64 = 16 << 20;

/// How deeply indexes may be nested.
const DEEPEST: usize = 8;

/// Docker's media types of a manifest and an index, which have the same schema as OCI's.
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Docker's media type of an image config.
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// Reads the selected artifact, or the only one.
///
/// # Errors
/// There is no such artifact, or several, a document does not match its descriptor, or a blob is missing.
pub(super) fn read(source: &ImageSource, selector: Option<&ManifestSelector>) -> Result<OciArtifact, ImageFileError> {
    let (artifact, problems) = check(source, selector)?;
    problems.into_iter().next().map_or(Ok(artifact), Err)
}

/// Reads the selected artifact, or the only one, as far as possible. Returns it with all problems found.
///
/// # Errors
/// There is no such artifact, or several, or its manifest or index cannot be read.
pub(super) fn check(
    source: &ImageSource,
    selector: Option<&ManifestSelector>,
) -> Result<(OciArtifact, Vec<ImageFileError>), ImageFileError> {
    let index = read_index(source)?;
    let listed = read_referrers(source)?;
    let (referrers, images): (Vec<_>, Vec<_>) = index.manifests().iter().partition(|found| is_referrer(found));
    // A layout that contains referrers alone is read too: their subject may be elsewhere.
    let chosen = choose(source, if images.is_empty() { &referrers } else { &images }, selector)?;
    let mut reader = LayoutReader { source, remaining: LARGEST_TOTAL, problems: Vec::new() };
    let mut artifact = reader.artifact(INDEX, chosen, 0)?;
    let referrers = referrers.into_iter().map(|descriptor| (INDEX, descriptor));
    for (parent, descriptor) in referrers.chain(listed.iter().map(|descriptor| (REFERRERS, descriptor))) {
        let referrer = reader.artifact(parent, descriptor, 0)?;
        let subject = subject(source, &referrer)?;
        if let Some(subject) = subject.and_then(|subject| find(&mut artifact, subject)) {
            subject.referrers.push(referrer);
        }
    }
    Ok((artifact, reader.problems))
}

/// Returns the names of the blobs in a layout that no manifest refers to.
///
/// # Errors
/// The layout cannot be read.
pub(super) fn unreferenced_blobs(source: &ImageSource) -> Result<Vec<String>, ImageFileError> {
    let index = read_index(source)?;
    let mut reader = LayoutReader { source, remaining: LARGEST_TOTAL, problems: Vec::new() };
    let mut known = BTreeSet::new();
    for descriptor in index.manifests().iter().chain(&read_referrers(source)?) {
        let artifact = reader.artifact(INDEX, descriptor, 0)?;
        known.extend(artifact.leaves().into_keys().map(blob_name));
        known.extend(artifact.manifests().iter().map(|manifest| blob_name(manifest.digest)));
    }
    let names = source.names()?.into_iter();
    Ok(names.filter(|name| name.starts_with("blobs/") && !known.contains(name)).collect())
}

fn read_index(source: &ImageSource) -> Result<ImageIndex, ImageFileError> {
    let layout: OciLayout = parse(source, MARKER, &source.document(MARKER, LARGEST_MANIFEST)?)?;
    if layout.image_layout_version() != "1.0.0" {
        return Err(source.invalid(MARKER, InvalidEntry::UnsupportedVersion(layout.image_layout_version().clone())));
    }
    let index: ImageIndex = parse(source, INDEX, &source.document(INDEX, LARGEST_MANIFEST)?)?;
    if index.schema_version() != 2 {
        return Err(source.invalid(INDEX, InvalidEntry::Malformed("has a schema version other than 2")));
    }
    Ok(index)
}

/// Returns the descriptors in the list of referrers, if there is one.
fn read_referrers(source: &ImageSource) -> Result<Vec<Descriptor>, ImageFileError> {
    if source.find(REFERRERS)?.is_none() {
        return Ok(Vec::new());
    }
    let index: ImageIndex = parse(source, REFERRERS, &source.document(REFERRERS, LARGEST_MANIFEST)?)?;
    Ok(index.manifests().clone())
}

/// Returns whether a descriptor in the index of a layout is a referrer's. ORAS lists referrers there, with their artifact
/// type and without a name.
fn is_referrer(descriptor: &Descriptor) -> bool {
    descriptor.artifact_type().is_some() && names(descriptor).next().is_none()
}

/// Returns the digest of the subject of a manifest.
fn subject(source: &ImageSource, referrer: &OciArtifact) -> Result<Option<Sha256>, ImageFileError> {
    let BlobContent::Bytes(bytes) = &referrer.manifest.content else { return Ok(None) };
    let manifest: SubjectOnly = parse(source, &referrer.manifest.digest.to_string(), bytes)?;
    Ok(manifest.subject.and_then(|subject| subject.as_digest_sha256().and_then(sha256)))
}

/// The subject of a manifest (OCI image manifest, `subject`).
#[derive(Deserialize)]
struct SubjectOnly {
    subject: Option<Descriptor>,
}

/// Finds a manifest in an artifact by its digest.
fn find(artifact: &mut OciArtifact, digest: Sha256) -> Option<&mut OciArtifact> {
    if artifact.manifest.digest == digest {
        return Some(artifact);
    }
    artifact.children.iter_mut().find_map(|child| find(child, digest))
}

/// Returns the selected descriptor. Several descriptors with one digest are one artifact with several names.
fn choose<'a>(
    source: &ImageSource,
    descriptors: &[&'a Descriptor],
    selector: Option<&ManifestSelector>,
) -> Result<&'a Descriptor, ImageFileError> {
    let found: BTreeMap<&str, &Descriptor> = descriptors
        .iter()
        .filter(|descriptor| selector.is_none_or(|selector| selects(selector, descriptor)))
        .map(|found| (found.digest().as_ref(), *found))
        .collect();
    if let (1, Some((_, descriptor))) = (found.len(), found.first_key_value()) {
        return Ok(*descriptor);
    }
    let path = source.path().to_owned();
    match selector {
        Some(selector) if found.is_empty() => {
            let names = descriptors.iter().copied().flat_map(selectable_names).collect();
            Err(ImageFileError::NotFound { path, selector: selector.to_string(), names })
        }
        // One name for several digests selects none of them.
        Some(_) => Err(ImageFileError::Ambiguous { path, names: found.into_values().map(digest_selector).collect() }),
        None if found.is_empty() => Err(source.invalid(INDEX, InvalidEntry::Malformed("lists no manifests"))),
        None => {
            let names = descriptors.iter().copied().flat_map(selectable_names).collect();
            Err(ImageFileError::Ambiguous { path, names })
        }
    }
}

fn selects(selector: &ManifestSelector, descriptor: &Descriptor) -> bool {
    match selector {
        ManifestSelector::Digest(digest) => descriptor.as_digest_sha256() == Some(&digest.hex()),
        ManifestSelector::Name(wanted) => names(descriptor).any(|name| is_called(name, wanted)),
    }
}

/// Returns the names of a descriptor, or its digest if it has none.
fn selectable_names(descriptor: &Descriptor) -> Vec<String> {
    let names: Vec<_> = names(descriptor).cloned().collect();
    if names.is_empty() { vec![digest_selector(descriptor)] } else { names }
}

fn digest_selector(descriptor: &Descriptor) -> String {
    format!("@{}", descriptor.digest())
}

/// Returns the names of a descriptor in a layout.
fn names(descriptor: &Descriptor) -> impl Iterator<Item = &String> {
    let annotations = descriptor.annotations().as_ref();
    [REF_NAME, FULL_NAME].into_iter().filter_map(move |key| annotations?.get(key))
}

struct LayoutReader<'a> {
    source: &'a ImageSource,
    /// How many bytes of documents may still be read.
    remaining: u64,
    problems: Vec<ImageFileError>,
}

impl LayoutReader<'_> {
    /// Reads the manifest or index that the document `parent` refers to, and everything below it.
    fn artifact(&mut self, parent: &str, descriptor: &Descriptor, depth: usize) -> Result<OciArtifact, ImageFileError> {
        let (manifest, bytes) = self.document(parent, descriptor, LARGEST_MANIFEST)?;
        let name = manifest.digest.to_string();
        let mut artifact = OciArtifact { manifest, blobs: Vec::new(), children: Vec::new(), referrers: Vec::new() };
        match descriptor.media_type() {
            MediaType::ImageManifest => self.manifest(&name, &bytes, &mut artifact)?,
            MediaType::Other(docker) if docker == DOCKER_MANIFEST => self.manifest(&name, &bytes, &mut artifact)?,
            MediaType::ImageIndex => self.index(&name, &bytes, depth, &mut artifact)?,
            MediaType::Other(docker) if docker == DOCKER_INDEX => self.index(&name, &bytes, depth, &mut artifact)?,
            // An index may refer to content of any media type (image index, manifests): it is kept unread.
            _ => {}
        }
        Ok(artifact)
    }

    fn manifest(&mut self, name: &str, bytes: &[u8], artifact: &mut OciArtifact) -> Result<(), ImageFileError> {
        self.check(name, bytes, &artifact.manifest.media_type, "manifests")?;
        let manifest: ImageManifest = parse(self.source, name, bytes)?;
        let config = manifest.config();
        let config = match config.media_type() {
            MediaType::ImageConfig => self.document(name, config, LARGEST_CONFIG).map(|(blob, _)| blob),
            MediaType::Other(docker) if docker == DOCKER_CONFIG => {
                self.document(name, config, LARGEST_CONFIG).map(|(blob, _)| blob)
            }
            _ => self.blob(name, config),
        };
        artifact.blobs.extend(self.collect(config));
        for layer in manifest.layers() {
            let layer = self.blob(name, layer);
            artifact.blobs.extend(self.collect(layer));
        }
        Ok(())
    }

    fn index(
        &mut self,
        name: &str,
        bytes: &[u8],
        depth: usize,
        artifact: &mut OciArtifact,
    ) -> Result<(), ImageFileError> {
        if depth == DEEPEST {
            return Err(self.source.invalid(name, InvalidEntry::Malformed("is nested in too many indexes")));
        }
        self.check(name, bytes, &artifact.manifest.media_type, "layers")?;
        let index: ImageIndex = parse(self.source, name, bytes)?;
        for descriptor in index.manifests() {
            let child = self.artifact(name, descriptor, depth + 1);
            artifact.children.extend(self.collect(child));
        }
        Ok(())
    }

    /// Returns the value, or adds the error to the problems.
    fn collect<T>(&mut self, result: Result<T, ImageFileError>) -> Option<T> {
        result.map_err(|error| self.problems.push(error)).ok()
    }

    /// Checks the fields that manifests and indexes share, and that a document is not both (CVE-2021-41190).
    fn check(&self, name: &str, bytes: &[u8], media_type: &MediaType, foreign: &str) -> Result<(), ImageFileError> {
        let header: DocumentHeader = parse(self.source, name, bytes)?;
        if header.schema_version != 2 {
            return Err(self.source.invalid(name, InvalidEntry::Malformed("has a schema version other than 2")));
        }
        let is_both = if foreign == "layers" { header.layers.is_some() } else { header.manifests.is_some() };
        if is_both {
            return Err(self.source.invalid(name, InvalidEntry::Malformed("is both a manifest and an index")));
        }
        match header.media_type {
            Some(actual) if actual != media_type.to_string() => {
                Err(self.source.invalid(name, InvalidEntry::MediaType { expected: media_type.to_string(), actual }))
            }
            _ => Ok(()),
        }
    }

    /// Locates a blob, and checks its size.
    fn blob(&self, parent: &str, descriptor: &Descriptor) -> Result<Blob, ImageFileError> {
        let digest = self.digest(parent, descriptor)?;
        self.source.blob(descriptor.media_type().clone(), digest, descriptor.size())
    }

    /// Reads and verifies a document.
    fn document(
        &mut self,
        parent: &str,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<(Blob, Arc<[u8]>), ImageFileError> {
        let mut blob = self.blob(parent, descriptor)?;
        if blob.size > self.remaining {
            let problem = InvalidEntry::Malformed("refers to more than 16 MiB of documents");
            return Err(self.source.invalid(parent, problem));
        }
        self.remaining -= blob.size;
        let bytes: Arc<[u8]> = self.source.document_blob(&blob, limit)?.into();
        blob.content = BlobContent::Bytes(Arc::clone(&bytes));
        Ok((blob, bytes))
    }

    fn digest(&self, parent: &str, descriptor: &Descriptor) -> Result<Sha256, ImageFileError> {
        descriptor.as_digest_sha256().and_then(sha256).ok_or_else(|| {
            self.source.invalid(parent, InvalidEntry::UnsupportedDigest(descriptor.digest().to_string()))
        })
    }
}

/// The fields that manifests and indexes share, and those that distinguish them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentHeader {
    schema_version: u32,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
}

pub(in crate::image) fn parse<T: DeserializeOwned>(
    source: &ImageSource,
    name: &str,
    bytes: &[u8],
) -> Result<T, ImageFileError> {
    serde_json::from_slice(bytes).map_err(|error| source.invalid(name, error))
}
