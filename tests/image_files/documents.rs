//! Every document of an image follows the schemas of the image specification, whatever the base is.

use std::collections::BTreeMap;
use std::path::Path;

use oci_spec::image::MediaType;
use pybundle::digest::Sha256;
use pybundle::image::config::{ConfigOverrides, Entrypoint};
use pybundle::image::{Base, Blob, BlobContent, Layer, OciArtifact, OciImage, index::index, manifest::image};
use pybundle::platform::Architecture::{self, Arm64, X86_64};
use serde_json::{Value, json};

fn layer(tar: &str) -> Layer {
    let blob = Blob::of_bytes(MediaType::ImageLayer, tar.as_bytes().to_vec());
    Layer { diff_id: blob.digest, blob }
}

/// Returns a base of one layer with this configuration, as Docker stores it.
fn base(mut config: Value, architecture: Architecture) -> Base {
    let tar = b"base";
    config["os"] = json!("linux");
    config["architecture"] = json!(architecture.oci_name());
    config["rootfs"] = json!({ "type": "layers", "diff_ids": [Sha256::of(tar).to_string()] });
    let config = config.to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": Sha256::of(config.as_bytes()).to_string(),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar",
            "digest": Sha256::of(tar).to_string(),
            "size": tar.len(),
        }],
    });
    let content = |_: &_| BlobContent::Bytes(tar[..].into());
    Base::from_manifest(manifest.to_string().as_bytes(), config.as_bytes(), architecture, content).unwrap()
}

/// Returns settings that set everything.
fn settings() -> ConfigOverrides {
    ConfigOverrides {
        user: Some("10001:10001".to_owned()),
        workdir: Some("/app".to_owned()),
        env: vec![("PATH".to_owned(), "/app/.venv/bin:/usr/bin".to_owned()), ("EMPTY".to_owned(), String::new())],
        entrypoint: Entrypoint::Set(vec!["serve".to_owned()]),
        command: Some(vec!["--port".to_owned(), "8000".to_owned()]),
        exposed_ports: ["8000".parse().unwrap(), "53/udp".parse().unwrap()].into(),
        labels: [("org.opencontainers.image.title".to_owned(), "é \"quoted\" \u{1f40d}".to_owned())].into(),
        created: "1709210096".parse().unwrap(),
        ..ConfigOverrides::default()
    }
}

/// Writes an artifact as a layout: its documents as they are.
fn write(artifact: &OciArtifact, directory: &Path) {
    let blobs = directory.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let leaves = artifact.leaves();
    for blob in artifact.manifests().into_iter().chain(leaves.into_values()) {
        blob.copy_to(&mut std::fs::File::create(blobs.join(blob.digest.hex())).unwrap()).unwrap();
    }
    std::fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let Blob { media_type, digest, size, .. } = &artifact.manifest;
    let manifest = json!({ "mediaType": media_type, "digest": digest.to_string(), "size": size });
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    std::fs::write(directory.join("index.json"), index.to_string()).unwrap();
}

/// Asserts that an artifact holds this many valid documents besides those of the layout.
fn assert_valid(artifact: &OciArtifact, documents: usize) {
    let directory = tempfile::tempdir().unwrap();
    write(artifact, directory.path());
    assert_eq!(crate::support::schema::assert_valid(directory.path()), documents + 2);
}

fn make(base: &Base, settings: &ConfigOverrides) -> OciImage {
    let annotations: BTreeMap<_, _> = [("org.opencontainers.image.revision".to_owned(), "é".to_owned())].into();
    let layers = vec![(layer("one"), "six 1.17.0".to_owned()), (layer("two"), "the application".to_owned())];
    image(base, layers, settings, &annotations).unwrap()
}

#[test]
fn an_image_of_nothing_but_layers_is_valid() {
    for architecture in Architecture::ALL {
        let image = make(&Base::scratch(architecture), &ConfigOverrides::default());
        assert_valid(&OciArtifact::from(&image), 2);
    }
}

/// Docker writes null for what is empty, which the specification allows for some properties only.
#[test]
fn images_on_what_docker_wrote_are_valid() {
    let empty = json!({
        "config": {
            "Cmd": null, "Entrypoint": null, "Env": null, "ExposedPorts": null, "Healthcheck": null, "Labels": null,
            "OnBuild": null, "Shell": null, "StopSignal": null, "User": null, "Volumes": null, "WorkingDir": null
        },
        "author": null, "created": null, "history": null, "os.features": null, "variant": null
    });
    let full = json!({
        "config": {
            "Cmd": ["python3"], "Entrypoint": ["/entrypoint"], "Env": ["PATH=/usr/bin"], "ExposedPorts": { "80/tcp": {} },
            "Healthcheck": { "Test": ["NONE"] }, "Labels": { "a": "b" }, "OnBuild": ["RUN true"], "Shell": ["/bin/sh"],
            "StopSignal": "SIGTERM", "User": "root", "Volumes": { "/data": {} }, "WorkingDir": "/", "Tty": false
        },
        "container_config": { "Cmd": ["/bin/sh"] },
        "history": [{ "created": "2024-10-19T01:12:54Z", "created_by": "ADD", "empty_layer": false }]
    });
    for config in [json!({}), json!({ "config": null }), empty, full] {
        for settings in [ConfigOverrides::default(), settings()] {
            let image = make(&base(config.clone(), X86_64), &settings);
            assert_valid(&OciArtifact::from(&image), 2);
        }
    }
}

#[test]
fn an_index_is_valid() {
    let images = [X86_64, Arm64].map(|architecture| {
        let mut base = base(json!({}), architecture);
        base.name = Some("docker.io/library/python:3.12-slim".to_owned());
        make(&base, &settings())
    });
    assert_valid(&index(&images, &BTreeMap::new()), 5);
    assert_valid(&index(&images, &[("a".to_owned(), "b".to_owned())].into()), 5);
}
