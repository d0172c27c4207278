//! Reading an OCI layout, in a folder or in an archive.
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
use super::{ImageFileError, ImageSource, InvalidEntry, ManifestSelector, sha256};
use crate::digest::Sha256;
use crate::image::{Blob, BlobContent, OciArtifact};

/// The index that a layout begins with.
pub(in crate::image) const INDEX: &str = "index.json";

/// The annotation by which a layout names a manifest (image specification, annotations).
pub(in crate::image) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The annotation in which BuildKit and containerd keep the full name.
pub(in crate::image) const FULL_NAME: &str = "io.containerd.image.name";

/// The largest manifest or index, in bytes: what registries take.
pub(in crate::image) const LARGEST_MANIFEST: u64 = 4 << 20;

/// The largest image configuration, in bytes.
pub(in crate::image) const LARGEST_CONFIG: u64 = 8 << 20;

/// The most that all documents together may have, in bytes, each as often as it is referred to. This bounds the memory
/// and the time: a few small indexes can refer to each other millions of times.
const LARGEST_TOTAL: u64 = 16 << 20;

/// How many indexes lie in one another at most.
const DEEPEST: usize = 8;

/// Docker's names for a manifest and an index, in the same schema as OCI's.
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Docker's name for an image configuration.
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// Reads the artifact that is chosen, or the only one.
///
/// # Errors
/// There is no such artifact, or several; a document is not what its descriptor says; a blob is missing.
pub(super) fn read(source: &ImageSource, choice: Option<&ManifestSelector>) -> Result<OciArtifact, ImageFileError> {
    let (artifact, faults) = survey(source, choice)?;
    faults.into_iter().next().map_or(Ok(artifact), Err)
}

/// Reads the artifact that is chosen, or the only one, as far as it can be read; returns with it everything that is
/// missing from it or is not what its descriptor says.
///
/// # Errors
/// There is no such artifact, or several, or the document that it begins with cannot be read.
pub(super) fn survey(
    source: &ImageSource,
    choice: Option<&ManifestSelector>,
) -> Result<(OciArtifact, Vec<ImageFileError>), ImageFileError> {
    let index = read_index(source)?;
    let (referrers, images): (Vec<_>, Vec<_>) = index.manifests().iter().partition(|found| is_referrer(found));
    // What has nothing else in it may be a document about something elsewhere.
    let chosen = choose(source, if images.is_empty() { &referrers } else { &images }, choice)?;
    let mut reader = LayoutReader { source, left: LARGEST_TOTAL, faults: Vec::new() };
    let mut artifact = reader.artifact(INDEX, chosen, 0)?;
    for descriptor in referrers {
        let referrer = reader.artifact(INDEX, descriptor, 0)?;
        let subject = subject(source, &referrer)?;
        if let Some(subject) = subject.and_then(|subject| find(&mut artifact, subject)) {
            subject.referrers.push(referrer);
        }
    }
    Ok((artifact, reader.faults))
}

/// Returns the names of the blobs that nothing in a layout refers to.
///
/// # Errors
/// The layout cannot be read.
pub(super) fn strays(source: &ImageSource) -> Result<Vec<String>, ImageFileError> {
    let index = read_index(source)?;
    let mut reader = LayoutReader { source, left: LARGEST_TOTAL, faults: Vec::new() };
    let mut known = BTreeSet::new();
    for descriptor in index.manifests() {
        let artifact = reader.artifact(INDEX, descriptor, 0)?;
        known.extend(artifact.leaves().into_keys().map(blob_name));
        known.extend(artifact.manifests().iter().map(|manifest| blob_name(manifest.digest)));
    }
    let is_stray = |name: &String| name.starts_with("blobs/") && !known.contains(name);
    Ok(source.names()?.into_iter().filter(is_stray).collect())
}

fn read_index(source: &ImageSource) -> Result<ImageIndex, ImageFileError> {
    let layout: OciLayout = parse(source, MARKER, &source.document(MARKER, LARGEST_MANIFEST)?)?;
    if layout.image_layout_version() != "1.0.0" {
        return Err(source.invalid(MARKER, InvalidEntry::Version(layout.image_layout_version().clone())));
    }
    let index: ImageIndex = parse(source, INDEX, &source.document(INDEX, LARGEST_MANIFEST)?)?;
    if index.schema_version() != 2 {
        return Err(source.invalid(INDEX, InvalidEntry::Malformed("has a schema version other than 2")));
    }
    Ok(index)
}

/// Tells whether a layout lists a document about something, as ORAS does, rather than an image.
fn is_referrer(descriptor: &Descriptor) -> bool {
    descriptor.artifact_type().is_some() && names(descriptor).next().is_none()
}

/// Returns the digest of what a manifest is about.
fn subject(source: &ImageSource, referrer: &OciArtifact) -> Result<Option<Sha256>, ImageFileError> {
    let BlobContent::Bytes(bytes) = &referrer.manifest.content else { return Ok(None) };
    let about: SubjectOnly = parse(source, &referrer.manifest.digest.to_string(), bytes)?;
    Ok(about.subject.and_then(|subject| subject.as_digest_sha256().and_then(sha256)))
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

/// Returns the descriptor that is meant. Several of one digest are one artifact with several names.
fn choose<'a>(
    source: &ImageSource,
    descriptors: &[&'a Descriptor],
    choice: Option<&ManifestSelector>,
) -> Result<&'a Descriptor, ImageFileError> {
    let meant = |descriptor: &&&Descriptor| match choice {
        None => true,
        Some(ManifestSelector::Digest(chosen)) => descriptor.as_digest_sha256() == Some(&chosen.hex()),
        Some(ManifestSelector::Name(chosen)) => names(descriptor).any(|name| name == chosen),
    };
    let found: BTreeMap<&str, _> =
        descriptors.iter().filter(meant).map(|found| (found.digest().as_ref(), *found)).collect();
    if let (1, Some((_, descriptor))) = (found.len(), found.first_key_value()) {
        return Ok(*descriptor);
    }
    let digest = |descriptor: &Descriptor| format!("@{}", descriptor.digest());
    let named = |descriptor: &Descriptor| {
        let names: Vec<_> = names(descriptor).cloned().collect();
        if names.is_empty() { vec![digest(descriptor)] } else { names }
    };
    let path = source.path().to_owned();
    match choice {
        Some(choice) if found.is_empty() => {
            let names = descriptors.iter().copied().flat_map(named).collect();
            Err(ImageFileError::NotFound { path, choice: choice.to_string(), names })
        }
        // One name for several digests chooses nothing.
        Some(_) => Err(ImageFileError::Several { path, names: found.into_values().map(digest).collect() }),
        None if found.is_empty() => Err(source.invalid(INDEX, InvalidEntry::Malformed("refers to nothing"))),
        None => Err(ImageFileError::Several { path, names: descriptors.iter().copied().flat_map(named).collect() }),
    }
}

/// Returns what a layout calls a manifest.
fn names(descriptor: &Descriptor) -> impl Iterator<Item = &String> {
    let annotations = descriptor.annotations().as_ref();
    [REF_NAME, FULL_NAME].into_iter().filter_map(move |key| annotations?.get(key))
}

struct LayoutReader<'a> {
    source: &'a ImageSource,
    /// How many bytes of documents may still be read.
    left: u64,
    /// What is missing, or is not what its descriptor says.
    faults: Vec<ImageFileError>,
}

impl LayoutReader<'_> {
    /// Reads the manifest that the document `parent` refers to, and all below it.
    fn artifact(&mut self, parent: &str, descriptor: &Descriptor, depth: usize) -> Result<OciArtifact, ImageFileError> {
        let (manifest, bytes) = self.document(parent, descriptor, LARGEST_MANIFEST)?;
        let name = manifest.digest.to_string();
        let mut artifact = OciArtifact { manifest, blobs: Vec::new(), children: Vec::new(), referrers: Vec::new() };
        match descriptor.media_type() {
            MediaType::ImageManifest => self.manifest(&name, &bytes, &mut artifact)?,
            MediaType::Other(docker) if docker == DOCKER_MANIFEST => self.manifest(&name, &bytes, &mut artifact)?,
            MediaType::ImageIndex => self.index(&name, &bytes, depth, &mut artifact)?,
            MediaType::Other(docker) if docker == DOCKER_INDEX => self.index(&name, &bytes, depth, &mut artifact)?,
            // Whatever else an index may refer to is carried along, and not looked into.
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
        artifact.blobs.extend(self.noted(config));
        for layer in manifest.layers() {
            let layer = self.blob(name, layer);
            artifact.blobs.extend(self.noted(layer));
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
            return Err(self.source.invalid(name, InvalidEntry::Malformed("lies in too many other indexes")));
        }
        self.check(name, bytes, &artifact.manifest.media_type, "layers")?;
        let index: ImageIndex = parse(self.source, name, bytes)?;
        for descriptor in index.manifests() {
            let child = self.artifact(name, descriptor, depth + 1);
            artifact.children.extend(self.noted(child));
        }
        Ok(())
    }

    /// Returns what could be read, and notes what is wrong with what could not.
    fn noted<T>(&mut self, result: Result<T, ImageFileError>) -> Option<T> {
        result.map_err(|fault| self.faults.push(fault)).ok()
    }

    /// Checks what every manifest and index says about itself, and that it cannot be taken for the other.
    fn check(&self, name: &str, bytes: &[u8], media_type: &MediaType, foreign: &str) -> Result<(), ImageFileError> {
        let head: DocumentHeader = parse(self.source, name, bytes)?;
        if head.schema_version != 2 {
            return Err(self.source.invalid(name, InvalidEntry::Malformed("has a schema version other than 2")));
        }
        let contradicts = if foreign == "layers" { head.layers.is_some() } else { head.manifests.is_some() };
        if contradicts {
            return Err(self.source.invalid(name, InvalidEntry::Malformed("is both a manifest and an index")));
        }
        match head.media_type {
            Some(actual) if actual != media_type.to_string() => {
                Err(self.source.invalid(name, InvalidEntry::MediaType { stated: media_type.to_string(), actual }))
            }
            _ => Ok(()),
        }
    }

    /// Returns a blob that stays where it lies.
    fn blob(&self, parent: &str, descriptor: &Descriptor) -> Result<Blob, ImageFileError> {
        let digest = self.digest(parent, descriptor)?;
        self.source.blob(descriptor.media_type().clone(), digest, descriptor.size())
    }

    /// Reads and verifies a blob that is a document.
    fn document(
        &mut self,
        parent: &str,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<(Blob, Arc<[u8]>), ImageFileError> {
        let mut blob = self.blob(parent, descriptor)?;
        if blob.size > self.left {
            let fault = InvalidEntry::Malformed("refers to more documents than any image has");
            return Err(self.source.invalid(parent, fault));
        }
        self.left -= blob.size;
        let bytes: Arc<[u8]> = self.source.document_blob(&blob, limit)?.into();
        blob.content = BlobContent::Bytes(Arc::clone(&bytes));
        Ok((blob, bytes))
    }

    fn digest(&self, parent: &str, descriptor: &Descriptor) -> Result<Sha256, ImageFileError> {
        let unknown = || self.source.invalid(parent, InvalidEntry::Algorithm(descriptor.digest().to_string()));
        descriptor.as_digest_sha256().and_then(sha256).ok_or_else(unknown)
    }
}

/// What manifests and indexes have in common, and what tells them apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentHeader {
    schema_version: u32,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
}

/// Parses a document.
pub(in crate::image) fn parse<T: DeserializeOwned>(
    source: &ImageSource,
    name: &str,
    bytes: &[u8],
) -> Result<T, ImageFileError> {
    serde_json::from_slice(bytes).map_err(|error| source.invalid(name, error))
}
