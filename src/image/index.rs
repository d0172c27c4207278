//! The image index: one image for each platform, under one name.
//!
//! Specification: [OCI image index](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md).

use std::collections::BTreeMap;

use oci_spec::image::MediaType;
use serde_json::json;

use super::manifest::descriptor;
use super::{Blob, OciArtifact, OciImage, json};
use crate::platform::Architecture;

/// Builds the index of images, one for each platform, in the given order.
pub fn index(images: &[OciImage], annotations: &BTreeMap<String, String>) -> OciArtifact {
    let manifests = images.iter().map(|image| {
        let mut descriptor = descriptor(&image.manifest);
        let mut platform = json!({ "architecture": image.architecture.oci_name(), "os": "linux" });
        if let Some(variant) = variant(image.architecture) {
            platform["variant"] = json!(variant);
        }
        descriptor["platform"] = platform;
        descriptor
    });
    let mut index = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::ImageIndex,
        "manifests": manifests.collect::<Vec<_>>(),
    });
    if !annotations.is_empty() {
        index["annotations"] = json!(annotations);
    }
    let manifest = Blob::of_bytes(MediaType::ImageIndex, json::serialize(&index));
    OciArtifact {
        manifest,
        blobs: Vec::new(),
        children: images.iter().map(OciArtifact::from).collect(),
        referrers: Vec::new(),
    }
}

/// Returns the platform variant of an architecture (OCI image index, platform variants).
///
/// For arm64 it is v8, the minimum for wheels. Docker's official images have it, and so clients that do not treat a
/// missing variant as v8 find the image. For amd64 no variant is known to all clients.
pub(super) fn variant(architecture: Architecture) -> Option<&'static str> {
    match architecture {
        Architecture::X86_64 => None,
        Architecture::Arm64 => Some("v8"),
    }
}
