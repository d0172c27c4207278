use std::fmt::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::platform::Architecture::{Arm64, X86_64};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Returns the descriptor of an image whose digest is computed from its name.
fn image(name: &str, platform: Value) -> Value {
    let digest = Sha256::of(name.as_bytes()).to_string();
    json!({ "mediaType": MANIFEST, "digest": digest, "size": 1637, "platform": platform })
}

fn index(manifests: &[Value]) -> String {
    json!({ "schemaVersion": 2, "manifests": manifests }).to_string()
}

/// Asserts that the image of this name is chosen.
fn assert_chosen(index: &str, architecture: Architecture, name: &str) {
    let chosen = choose(index.as_bytes(), architecture).unwrap();
    assert_eq!(chosen.digest().to_string(), Sha256::of(name.as_bytes()).to_string());
}

/// The index of an official image: several architectures, attestations between them.
#[test]
fn the_image_of_the_architecture_is_chosen() {
    let mut attestation = image("attestation", json!({ "architecture": "unknown", "os": "unknown" }));
    attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
    let index = index(&[
        attestation.clone(),
        image("windows", json!({ "architecture": "amd64", "os": "windows", "os.version": "10.0.20348.2762" })),
        image("amd64", json!({ "architecture": "amd64", "os": "linux" })),
        attestation,
        image("armv7", json!({ "architecture": "arm", "os": "linux", "variant": "v7" })),
        image("arm64", json!({ "architecture": "arm64", "os": "linux", "variant": "v8" })),
    ]);
    assert_chosen(&index, X86_64, "amd64");
    assert_chosen(&index, Arm64, "arm64");
}

#[test]
fn the_baseline_variant_is_optional() {
    for (architecture, name, variants, chosen) in
        [(X86_64, "amd64", ["v3", "v1"], "v1"), (X86_64, "amd64", ["v3", ""], ""), (Arm64, "arm64", ["v9", "v8"], "v8")]
    {
        let images =
            variants.map(|variant| image(variant, json!({ "architecture": name, "os": "linux", "variant": variant })));
        assert_chosen(&index(&images), architecture, chosen);
    }
    let too_new = image("v9", json!({ "architecture": "arm64", "os": "linux", "variant": "v9" }));
    let plain = image("plain", json!({ "architecture": "arm64", "os": "linux" }));
    assert_chosen(&index(&[too_new, plain]), Arm64, "plain");
}

#[test]
fn a_docker_manifest_list_is_an_index() {
    let mut amd64 = image("amd64", json!({ "architecture": "amd64", "os": "linux" }));
    amd64["mediaType"] = json!(DOCKER_MANIFEST);
    let list = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
        "manifests": [amd64],
    });
    assert_chosen(&list.to_string(), X86_64, "amd64");
}

#[test]
fn a_single_image_needs_no_platform() {
    assert_chosen(&index(&[image("only", Value::Null)]), Arm64, "only");
}

/// Returns the documents of an image with layers of these media types.
fn documents(config: &Value, media_types: &[&str]) -> (String, String) {
    let mut config = config.clone();
    let diff_ids: Vec<_> = media_types.iter().map(|media_type| Sha256::of(media_type.as_bytes()).to_string()).collect();
    config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
    let config = config.to_string();
    fn layer(media_type: &&str) -> Value {
        json!({ "mediaType": media_type, "digest": Sha256::of(b"").to_string(), "size": 9 })
    }

    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": Sha256::of(config.as_bytes()).to_string(),
            "size": config.len(),
        },
        "layers": media_types.iter().map(layer).collect::<Vec<_>>(),
    });
    (manifest.to_string(), config)
}

fn repository(_: &Descriptor) -> BlobContent {
    BlobContent::Registry { repository: "example.org/base".into() }
}

#[test]
fn layers_have_oci_media_types() {
    let pairs = [
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", MediaType::ImageLayerGzip),
        ("application/vnd.docker.image.rootfs.diff.tar", MediaType::ImageLayer),
        ("application/vnd.docker.image.rootfs.diff.tar.zstd", MediaType::ImageLayerZstd),
        ("application/vnd.oci.image.layer.v1.tar+gzip", MediaType::ImageLayerGzip),
        ("application/vnd.oci.image.layer.v1.tar", MediaType::ImageLayer),
        ("application/vnd.oci.image.layer.v1.tar+zstd", MediaType::ImageLayerZstd),
    ];
    let environment = json!({ "Env": ["PATH=/bin"] });
    let config = json!({ "architecture": "amd64", "os": "linux", "config": environment });
    let (manifest, config) = documents(&config, &pairs.clone().map(|(media_type, _)| media_type));
    let base = Base::from_manifest(manifest.as_bytes(), config.as_bytes(), X86_64, repository).unwrap();
    assert_eq!(base.digest, Some(Sha256::of(manifest.as_bytes())));
    assert_eq!((base.env("PATH"), base.env("HOME")), (Some("/bin"), None));
    assert_eq!(base.layers.len(), pairs.len());
    for (layer, (stated, media_type)) in base.layers.iter().zip(pairs) {
        assert_eq!((&layer.blob.media_type, layer.blob.size), (&media_type, 9));
        assert_eq!(layer.diff_id, Sha256::of(stated.as_bytes()));
    }
    assert_eq!(configuration(manifest.as_bytes()).unwrap().size(), config.len() as u64);
}

#[test]
fn an_image_for_another_platform_is_an_error_with_both() {
    let (manifest, config) = documents(&json!({ "architecture": "arm64", "os": "linux", "variant": "v8" }), &[]);
    assert!(Base::from_manifest(manifest.as_bytes(), config.as_bytes(), Arm64, repository).is_ok());
    let error = Base::from_manifest(manifest.as_bytes(), config.as_bytes(), X86_64, repository).unwrap_err();
    assert_eq!(error.to_string(), "the base is for linux/arm64, not for linux/amd64");
    assert_eq!(error.hints().len(), 1);
}

/// A base may have thousands of layers: the limit applies to images that are built on it.
#[test]
fn a_long_document_is_read() {
    let mut platforms = String::new();
    for at in 0..5000 {
        let _ = write!(platforms, "{},", image(&at.to_string(), json!({ "architecture": "mips", "os": "linux" })));
    }
    let last = image("last", json!({ "architecture": "amd64", "os": "linux" }));
    assert_chosen(&format!(r#"{{"schemaVersion":2,"manifests":[{platforms}{last}]}}"#), X86_64, "last");
}

#[test]
fn a_large_configuration_is_refused_before_it_is_downloaded() {
    let (manifest, config) = documents(&json!({ "architecture": "amd64", "os": "linux" }), &[]);
    let [largest, larger] = [8 << 20, (8 << 20) + 1]
        .map(|size: u64| manifest.replace(&format!("\"size\":{}", config.len()), &format!("\"size\":{size}")));
    assert_eq!(configuration(largest.as_bytes()).unwrap().size(), 8 << 20);
    let error = configuration(larger.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the base's image config has 8388609 bytes, expected at most 8388608");
}

/// The main branch of the specification allows them.
#[test]
fn manifests_without_a_config_and_other_digests_are_refused() {
    let config = json!({ "architecture": "amd64", "os": "linux" });
    let (manifest, config) = documents(&config, &["application/vnd.oci.image.layer.v1.tar+gzip"]);
    let mut document: Value = serde_json::from_str(&manifest).unwrap();
    let from = |document: &Value| {
        Base::from_manifest(document.to_string().as_bytes(), config.as_bytes(), X86_64, repository)
            .unwrap_err()
            .to_string()
    };
    for digest in [format!("sha512:{}", "0".repeat(128)), format!("blake3:{}", "0".repeat(64))] {
        let expected = format!("the base refers to `{digest}`: only sha256 digests are supported");
        for pointer in ["/config/digest", "/layers/0/digest"] {
            let mut other = document.clone();
            *other.pointer_mut(pointer).unwrap() = json!(digest);
            assert_eq!(from(&other), expected, "{pointer}");
        }
        let mut other = image("amd64", json!({ "architecture": "amd64", "os": "linux" }));
        other["digest"] = json!(digest);
        assert_eq!(choose(index(&[other]).as_bytes(), X86_64).unwrap_err().to_string(), expected);
    }
    document.as_object_mut().unwrap().remove("config");
    assert_eq!(from(&document), "the base is not an image: its manifest has no `config`");
}
