//! Referrers: manifests of SBOMs and provenance statements, whose subject is an image manifest.
//!
//! Specification: [OCI image manifest, guidelines for artifact usage](https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage).

use oci_spec::image::MediaType;
use serde_json::{Value, json};

use super::manifest::descriptor;
use super::{Blob, OciArtifact, json};

/// The config of a manifest that needs none (OCI image manifest, guidance for an empty descriptor).
const EMPTY: &[u8] = b"{}";

/// The annotation with a file name (OCI annotations, pre-defined annotation keys).
const TITLE: &str = "org.opencontainers.image.title";

/// Creates the manifest of a document about `subject`, an image manifest. Its artifact type is the document's media type.
/// `title` is the file name that tools such as ORAS write the document to.
pub(crate) fn referrer(subject: &Blob, document: Blob, title: &str) -> OciArtifact {
    let config = Blob::of_bytes(MediaType::EmptyJSON, EMPTY.to_vec());
    let mut layer = descriptor(&document);
    layer["annotations"] = json!({ TITLE: title });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::ImageManifest,
        "artifactType": document.media_type,
        "config": descriptor(&config),
        "layers": [layer],
        "subject": descriptor(subject),
    });
    let manifest = Blob::of_bytes(MediaType::ImageManifest, json::serialize(&manifest));
    OciArtifact { manifest, blobs: vec![config, document], children: Vec::new(), referrers: Vec::new() }
}

/// Returns the descriptor of a referrer for a list of referrers, with the artifact type and the annotations of its
/// manifest ([OCI distribution 1.1, listing referrers](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers)).
pub(crate) fn listed(referrer: &OciArtifact) -> Value {
    let mut bytes = Vec::new();
    // A manifest is always in memory.
    let _ = referrer.manifest.copy_to(&mut bytes);
    let manifest: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let mut listed = descriptor(&referrer.manifest);
    let config = manifest.get("config").and_then(|config| config.get("mediaType"));
    if let Some(artifact_type) = manifest.get("artifactType").or(config) {
        listed["artifactType"] = artifact_type.clone();
    }
    if let Some(annotations) = manifest.get("annotations") {
        listed["annotations"] = annotations.clone();
    }
    listed
}
