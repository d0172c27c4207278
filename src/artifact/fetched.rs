//! Reads the manifests and configurations of an artifact in a registry.

use std::sync::Arc;

use oci_spec::image::Descriptor;
use serde::Deserialize;

use crate::contents::ContentsError;
use crate::digest::Sha256;
use crate::image::base::{self, ManifestKind};
use crate::image::file::LARGEST_CONFIG;
use crate::image::{Blob, BlobContent, OciArtifact};
use crate::pipeline::BuildError;
use crate::registry::{ImageReference, Registry, RemoteManifest};
use crate::report::Reporter;

/// The greatest number of manifests that an index may have: each costs a request.
const MOST_MANIFESTS: usize = 256;

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Image {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// Reads the manifests and configurations of an artifact and checks their digests and sizes. Its layers are not
/// downloaded.
///
/// `fault` is called for each child of an index that cannot be read, and decides whether that is an error.
///
/// # Errors
/// There is no such artifact, or a document is malformed.
pub(super) fn documents(
    registry: &Registry,
    reference: &ImageReference,
    fault: &mut dyn FnMut(BuildError) -> Result<(), BuildError>,
    reporter: &dyn Reporter,
) -> Result<OciArtifact, BuildError> {
    let found = registry.find(reference)?.ok_or_else(|| BuildError::NoImage(reference.to_string()))?;
    let manifest = registry.manifest(&reference.with_digest(found.digest))?;
    match base::kind(&manifest.bytes)? {
        ManifestKind::Manifest => image(registry, reference, manifest, reporter),
        ManifestKind::Index => {
            let index: Index = serde_json::from_slice(&manifest.bytes).map_err(|error| malformed(&manifest, error))?;
            if index.manifests.len() > MOST_MANIFESTS {
                return Err(malformed(&manifest, "it has too many manifests"));
            }
            let mut children = Vec::new();
            for descriptor in &index.manifests {
                match child(registry, reference, &manifest, descriptor, reporter) {
                    Ok(child) => children.push(child),
                    Err(error) => fault(error)?,
                }
            }
            Ok(OciArtifact { manifest: blob(manifest), blobs: Vec::new(), children, referrers: Vec::new() })
        }
    }
}

/// Reads a child of an index. Other artifacts than images, such as attestations, are kept but not read.
fn child(
    registry: &Registry,
    reference: &ImageReference,
    index: &RemoteManifest,
    descriptor: &Descriptor,
    reporter: &dyn Reporter,
) -> Result<OciArtifact, BuildError> {
    let digest = digest(descriptor, index)?;
    let child = registry.manifest(&reference.with_digest(digest))?;
    let (actual, stated) = (child.bytes.len() as u64, descriptor.size());
    if actual != stated {
        return Err(malformed(index, format!("{digest} has {actual} bytes, not {stated} as its descriptor says")));
    }
    match base::kind(&child.bytes) {
        Ok(ManifestKind::Manifest) => image(registry, reference, child, reporter),
        _ => Ok(OciArtifact { manifest: blob(child), blobs: Vec::new(), children: Vec::new(), referrers: Vec::new() }),
    }
}

fn image(
    registry: &Registry,
    reference: &ImageReference,
    manifest: RemoteManifest,
    reporter: &dyn Reporter,
) -> Result<OciArtifact, BuildError> {
    let Image { config, layers } =
        serde_json::from_slice(&manifest.bytes).map_err(|error| malformed(&manifest, error))?;
    let repository: Arc<str> = reference.repository_name().into();
    let mut config = remote_blob(&repository, &manifest, &config)?;
    if config.size > LARGEST_CONFIG {
        return Err(malformed(&manifest, format!("its configuration has {} bytes", config.size)));
    }
    let mut bytes = Vec::new();
    registry.blob(reference, config.digest, config.size, &mut bytes, reporter)?;
    config.content = BlobContent::Bytes(bytes.into());
    let mut blobs = vec![config];
    for layer in &layers {
        blobs.push(remote_blob(&repository, &manifest, layer)?);
    }
    Ok(OciArtifact { manifest: blob(manifest), blobs, children: Vec::new(), referrers: Vec::new() })
}

fn blob(manifest: RemoteManifest) -> Blob {
    let RemoteManifest { media_type, digest, bytes } = manifest;
    Blob { media_type, digest, size: bytes.len() as u64, content: BlobContent::Bytes(bytes.into()) }
}

/// Returns a blob of a manifest, which is not downloaded.
fn remote_blob(repository: &Arc<str>, manifest: &RemoteManifest, descriptor: &Descriptor) -> Result<Blob, BuildError> {
    Ok(Blob {
        media_type: descriptor.media_type().clone(),
        digest: digest(descriptor, manifest)?,
        size: descriptor.size(),
        content: BlobContent::Registry { repository: repository.clone() },
    })
}

/// Returns the digest in a descriptor of a manifest.
fn digest(descriptor: &Descriptor, manifest: &RemoteManifest) -> Result<Sha256, BuildError> {
    let digest = descriptor.digest().as_ref().parse();
    digest.map_err(|_| malformed(manifest, "it has a digest other than sha256"))
}

fn malformed(manifest: &RemoteManifest, reason: impl ToString) -> BuildError {
    ContentsError::malformed("manifest", manifest.digest, reason).into()
}
