//! Reads the manifests and configurations of an artifact in a registry.

use std::sync::Arc;

use oci_spec::image::Descriptor;
use serde::Deserialize;

use crate::contents::ContentsError;
use crate::digest::Sha256;
use crate::image::base::{self, ManifestKind};
use crate::image::{Blob, BlobContent, OciArtifact};
use crate::pipeline::BuildError;
use crate::registry::{ImageReference, Registry, RemoteManifest};
use crate::report::Reporter;

/// The largest image configuration that is read, in bytes.
const LARGEST_CONFIG: u64 = 8 << 20;

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
/// `fault` is told of what an index refers to and cannot be read, and decides whether that is an error.
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
    let malformed = malformed(&manifest);
    match base::kind(&manifest.bytes)? {
        ManifestKind::Manifest => image(registry, reference, manifest, reporter),
        ManifestKind::Index => {
            let index: Index = serde_json::from_slice(&manifest.bytes).map_err(|error| malformed(error.to_string()))?;
            if index.manifests.len() > MOST_MANIFESTS {
                return Err(malformed("it has too many manifests".to_owned()));
            }
            let child = |descriptor: &Descriptor| {
                let digest =
                    digest(descriptor).ok_or_else(|| malformed("it has a digest other than sha256".to_owned()))?;
                let child = registry.manifest(&reference.with_digest(digest))?;
                if child.bytes.len() as u64 != descriptor.size() {
                    let (actual, stated) = (child.bytes.len(), descriptor.size());
                    return Err(malformed(format!("{digest} has {actual} bytes, not {stated} as its descriptor says")));
                }
                // Other artifacts in an index, such as attestations, are kept but not read.
                match base::kind(&child.bytes) {
                    Ok(ManifestKind::Manifest) => image(registry, reference, child, reporter),
                    _ => Ok(OciArtifact {
                        manifest: blob(child),
                        blobs: Vec::new(),
                        children: Vec::new(),
                        referrers: Vec::new(),
                    }),
                }
            };
            let mut children = Vec::new();
            for descriptor in &index.manifests {
                match child(descriptor) {
                    Ok(child) => children.push(child),
                    Err(error) => fault(error)?,
                }
            }
            Ok(OciArtifact { manifest: blob(manifest), blobs: Vec::new(), children, referrers: Vec::new() })
        }
    }
}

fn image(
    registry: &Registry,
    reference: &ImageReference,
    manifest: RemoteManifest,
    reporter: &dyn Reporter,
) -> Result<OciArtifact, BuildError> {
    let malformed = malformed(&manifest);
    let Image { config, layers } =
        serde_json::from_slice(&manifest.bytes).map_err(|error| malformed(error.to_string()))?;
    let repository: Arc<str> = reference.repository_name().into();
    let remote = |descriptor: &Descriptor| {
        let digest = digest(descriptor).ok_or_else(|| malformed("it has a digest other than sha256".to_owned()))?;
        let (media_type, size) = (descriptor.media_type().clone(), descriptor.size());
        Ok::<_, BuildError>(Blob {
            media_type,
            digest,
            size,
            content: BlobContent::Registry { repository: repository.clone() },
        })
    };
    let mut config = remote(&config)?;
    if config.size > LARGEST_CONFIG {
        return Err(malformed(format!("its configuration has {} bytes", config.size)));
    }
    let mut bytes = Vec::new();
    registry.blob(reference, config.digest, config.size, &mut bytes, reporter)?;
    config.content = BlobContent::Bytes(bytes.into());
    let mut blobs = vec![config];
    for layer in &layers {
        blobs.push(remote(layer)?);
    }
    Ok(OciArtifact { manifest: blob(manifest), blobs, children: Vec::new(), referrers: Vec::new() })
}

fn blob(manifest: RemoteManifest) -> Blob {
    let RemoteManifest { media_type, digest, bytes } = manifest;
    Blob { media_type, digest, size: bytes.len() as u64, content: BlobContent::Bytes(bytes.into()) }
}

fn digest(descriptor: &Descriptor) -> Option<Sha256> {
    descriptor.digest().as_ref().parse().ok()
}

fn malformed(manifest: &RemoteManifest) -> impl Fn(String) -> BuildError + Copy + use<> {
    let digest = manifest.digest;
    move |reason| ContentsError::Document { document: "manifest", digest, reason }.into()
}
