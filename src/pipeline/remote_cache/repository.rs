//! Records in a repository: an artifact for each, under a tag.
//!
//! Its manifest is that of an image, because registries refuse what they do not know (GitLab and Quay), and lists the layers of
//! the image, so that the registry keeps them as long as the record. In another repository than the image's, only the layers of
//! distributions are kept, from where images of other services mount them.

use std::io::Write;

use oci_spec::image::MediaType;
use serde_json::{Value, json};

use super::store::{LocalFile, NewRecord, RecordError, RecordStore, SharedFile, StoredRecord};
use crate::closure::{ClosureRecord, InvalidRecord, LARGEST_RECORD};
use crate::digest::Sha256;
use crate::image::manifest::descriptor;
use crate::image::{Blob, BlobContent, OciArtifact};
use crate::registry::{ImageReference, MountSource, Registry, RemoteManifest, RepositoryEvidence};
use crate::report::Silent;

/// The media type of records.
const RECORD: &str = "application/vnd.pybundle.closure.v1+zstd";

/// The configuration of an image without a platform.
const CONFIGURATION: &[u8] = br#"{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]}}"#;

/// A repository with records.
pub(super) struct RecordRepository<'a> {
    pub registry: &'a Registry<'a>,
    /// Any reference in the repository.
    pub any: ImageReference,
    /// Whether it is the image's own, which has the layers.
    pub is_own: bool,
    /// The image that is pushed, if that is to the same registry.
    pub image: Option<ImageReference>,
}

impl RecordStore for RecordRepository<'_> {
    fn location(&self) -> String {
        self.any.repository_name()
    }

    fn has(&self, name: &str) -> Result<bool, RecordError> {
        Ok(self.registry.survey(&self.any.with_tag(name))?.is_some())
    }

    fn read(&self, name: &str) -> Result<Option<StoredRecord>, RecordError> {
        let reference = self.any.with_tag(name);
        let Some(manifest) = self.registry.survey(&reference)? else { return Ok(None) };
        let layers = descriptors(&manifest);
        let Some((_, digest, size)) = layers.iter().find(|(media_type, _, _)| media_type == RECORD) else {
            return Err(InvalidRecord::Header.into());
        };
        if *size > LARGEST_RECORD {
            return Err(RecordError::Size);
        }
        let mut bytes = Vec::new();
        self.registry.blob(&reference, *digest, *size, &mut bytes, &Silent)?;
        let blobs = layers.iter().map(|(_, digest, _)| *digest).collect();
        Ok(Some(StoredRecord { record: ClosureRecord::decode(&bytes)?, blobs }))
    }

    fn read_file(&self, name: &str, file: &SharedFile, output: &mut dyn Write) -> Result<(), RecordError> {
        Ok(self.registry.blob(&self.any.with_tag(name), file.sha256, file.size, output, &Silent)?)
    }

    fn write(&self, new: &NewRecord) -> Result<bool, RecordError> {
        let mut blobs = vec![
            Blob::of_bytes(MediaType::ImageConfig, CONFIGURATION.to_vec()),
            Blob::of_bytes(MediaType::Other(RECORD.to_owned()), new.encoded.clone()),
        ];
        for LocalFile { file, path } in &new.files {
            let content = BlobContent::File { path: path.as_path().into(), offset: 0 };
            let media_type = MediaType::Other(file.media_type().to_owned());
            blobs.push(Blob { media_type, digest: file.sha256, size: file.size, content });
        }
        let layers = new.layers.iter().map(|layer| &layer.blob);
        let (kept, mounts) = match &self.image {
            _ if self.is_own => (layers.cloned().collect(), None),
            // Other images mount them from here.
            Some(image) => {
                let shared: Vec<Blob> = layers.filter(|blob| new.shared.contains(&blob.digest)).cloned().collect();
                blobs.extend(shared);
                (Vec::new(), Some(MountSource { repository: image.repository_name(), blobs: new.shared.clone() }))
            }
            None => (Vec::new(), None),
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::ImageManifest,
            "config": descriptor(&blobs[0]),
            "layers": blobs[1..].iter().chain(&kept).map(descriptor).collect::<Vec<_>>(),
        });
        let manifest = Blob::of_bytes(MediaType::ImageManifest, manifest.to_string().into_bytes());
        let artifact = OciArtifact { manifest, blobs, children: Vec::new(), referrers: Vec::new() };
        let known = RepositoryEvidence { is_damaged: new.is_replacing, mounts, ..RepositoryEvidence::default() };
        self.registry.push_known(&artifact, &[self.any.with_tag(new.name)], &known, &Silent)?;
        Ok(true)
    }
}

/// Returns an annotation of the image that a reference names, for one architecture if it names several.
pub(super) fn annotation(
    registry: &Registry,
    reference: &ImageReference,
    architecture: &str,
    name: &str,
) -> Result<Option<String>, RecordError> {
    let Some(mut manifest) = registry.survey(reference)? else { return Ok(None) };
    if let Some(child) = child(&manifest, architecture) {
        let Some(found) = registry.survey(&reference.sibling(child))? else { return Ok(None) };
        manifest = found;
    }
    let document: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
    let value = document.get("annotations").and_then(|annotations| annotations.get(name));
    Ok(value.and_then(Value::as_str).map(str::to_owned))
}

/// Returns the media type, digest and size of each layer of a manifest.
fn descriptors(manifest: &RemoteManifest) -> Vec<(String, Sha256, u64)> {
    let document: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
    let layers = document.get("layers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let described = layers.iter().filter_map(|layer| {
        let digest = layer.get("digest")?.as_str()?.parse().ok()?;
        Some((layer.get("mediaType")?.as_str()?.to_owned(), digest, layer.get("size")?.as_u64()?))
    });
    described.collect()
}

/// Returns the manifest of an index for a platform.
fn child(manifest: &RemoteManifest, architecture: &str) -> Option<Sha256> {
    let document: Value = serde_json::from_slice(&manifest.bytes).ok()?;
    let mut children = document.get("manifests")?.as_array()?.iter();
    let of_platform = |child: &&Value| child.pointer("/platform/architecture").is_some_and(|name| name == architecture);
    children.find(of_platform)?.get("digest")?.as_str()?.parse().ok()
}
