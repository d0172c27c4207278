//! Base images with a package database and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use pybundle::digest::Sha256;

/// Writes an OCI layout of one image for each architecture: their files by path.
pub fn write(directory: &Path, images: &[(&str, &[(&str, &str)])]) -> PathBuf {
    let blobs = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let store = |bytes: &[u8]| {
        let digest = Sha256::of(bytes);
        fs::write(blobs.join(digest.hex()), bytes).unwrap();
        (digest.to_string(), bytes.len())
    };
    let manifests = images.iter().map(|(architecture, files)| {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in *files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        let layer = archive.into_inner().unwrap();
        let (layer_digest, layer_size) = store(&layer);
        let config = serde_json::json!({
            "architecture": architecture, "os": "linux", "config": {},
            "rootfs": { "type": "layers", "diff_ids": [layer_digest] }
        });
        let (config_digest, config_size) = store(config.to_string().as_bytes());
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config_size },
            "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer_digest, "size": layer_size }]
        });
        let (digest, size) = store(manifest.to_string().as_bytes());
        serde_json::json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size,
            "platform": { "architecture": architecture, "os": "linux" }
        })
    });
    let manifests: Vec<_> = manifests.collect();
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests
    });
    let (digest, size) = store(index.to_string().as_bytes());
    let top = serde_json::json!({
        "schemaVersion": 2,
        "manifests": [{ "mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": size }]
    });
    fs::write(directory.join("index.json"), top.to_string()).unwrap();
    fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    directory.to_owned()
}
