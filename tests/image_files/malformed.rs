//! Every invalid document in `testdata/invalid/image` is an error that says what is wrong.
//!
//! Each file's first line is `// error: ` and a part of the message; the document follows. A file's name begins with what
//! the document is.

use std::path::{Path, PathBuf};

use oci_spec::image::MediaType;
use pybundle::digest::Sha256;
use pybundle::hints::Hints;
use pybundle::image::base::{self, Base, BaseError, ManifestKind};
use pybundle::image::{Blob, BlobContent};
use pybundle::platform::Architecture::{Arm64, X86_64};
use serde_json::{Value, json};

/// Returns the files, each with its text.
fn files() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/invalid/image");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 60, "{} files", paths.len());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

fn nowhere(_: &oci_spec::image::Descriptor) -> BlobContent {
    BlobContent::Registry { repository: "localhost/base".into() }
}

/// Makes a base of a configuration, with a manifest of one layer that refers to it.
fn from_config(config: &[u8]) -> Result<Base, BaseError> {
    let blob = Blob::of_bytes(MediaType::ImageConfig, config.to_vec());
    Base::from_manifest(manifest(&blob).to_string().as_bytes(), config, X86_64, nowhere)
}

/// Returns a manifest of one layer that refers to a configuration.
fn manifest(config: &Blob) -> Value {
    json!({
        "schemaVersion": 2,
        "config": { "mediaType": config.media_type, "digest": config.digest.to_string(), "size": config.size },
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "digest": Sha256::of(b"layer").to_string(),
            "size": 5,
        }],
    })
}

fn configuration() -> Value {
    let diff_ids = [Sha256::of(b"tar").to_string()];
    json!({ "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": diff_ids } })
}

/// Reads a document of a kind for x86_64.
fn first_error(kind: &str, document: &[u8]) -> Option<BaseError> {
    match kind {
        "index" => base::choose(document, X86_64).err(),
        "manifest" => base::configuration(document).err(),
        "config" => from_config(document).err(),
        other => panic!("there is no kind {other}"),
    }
}

#[test]
fn each_invalid_document_is_an_error() {
    for (name, text) in files() {
        let text = text.strip_prefix("// error: ").and_then(|text| text.strip_suffix('\n')).unwrap();
        let (expected, document) = text.split_once('\n').unwrap();
        let kind = name.split_once('-').unwrap().0;
        let error = first_error(kind, document.as_bytes()).unwrap_or_else(|| panic!("{name} is let pass"));
        let message = error.to_string();
        assert!(message.contains(expected), "{name}: {message}");
        assert!(!message.contains(char::is_control), "{name}: {message:?}");
    }
}

/// Truncating a document anywhere, or changing any byte, never panics.
#[test]
fn damaged_documents_are_errors_or_other_documents() {
    let config = configuration().to_string();
    let manifest = manifest(&Blob::of_bytes(MediaType::ImageConfig, config.clone().into_bytes())).to_string();
    let platform = json!({ "os": "linux", "architecture": "amd64", "variant": "v1" });
    let index = json!({ "schemaVersion": 2, "manifests": [{
        "mediaType": MediaType::ImageManifest,
        "digest": Sha256::of(manifest.as_bytes()).to_string(),
        "size": manifest.len(),
        "platform": platform,
    }] });
    for (kind, document) in [("config", config), ("manifest", manifest), ("index", index.to_string())] {
        assert_eq!(first_error(kind, document.as_bytes()), None);
        for position in 0..document.len() {
            assert!(first_error(kind, &document.as_bytes()[..position]).is_some());
            for byte in [b'"', 0, b'[', b'}', b'9', 0xff] {
                let mut damaged = document.clone().into_bytes();
                damaged[position] = byte;
                let _ = (base::kind(&damaged), first_error(kind, &damaged));
            }
        }
    }
}

#[test]
fn unsupported_layers_are_errors() {
    let config = configuration().to_string();
    let blob = Blob::of_bytes(MediaType::ImageConfig, config.clone().into_bytes());
    for (media_type, reason) in [
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "it is not distributable"),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "it is not distributable"),
        (
            "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
            "only tar archives, uncompressed or compressed with gzip or zstd, are supported",
        ),
        (
            "application/vnd.in-toto+json",
            "only tar archives, uncompressed or compressed with gzip or zstd, are supported",
        ),
    ] {
        let mut manifest = manifest(&blob);
        manifest["layers"][0]["mediaType"] = json!(media_type);
        let base = Base::from_manifest(manifest.to_string().as_bytes(), config.as_bytes(), X86_64, nowhere);
        let message = base.unwrap_err().to_string();
        assert!(message.contains(media_type) && message.contains(reason), "{message}");
        assert!(message.contains(&Sha256::of(b"layer").to_string()), "{message}");
    }
}

#[test]
fn an_image_config_that_does_not_match_the_manifest_is_an_error() {
    let config = configuration().to_string();
    let other = Blob::of_bytes(MediaType::ImageConfig, b"{}".to_vec());
    let manifest = manifest(&other).to_string();
    let error = Base::from_manifest(manifest.as_bytes(), config.as_bytes(), X86_64, nowhere).unwrap_err();
    assert!(matches!(&error, BaseError::WrongConfig { expected_size: 2, .. }), "{error}");
    assert!(error.hints()[0].contains("pull or copy it again"));
}

#[test]
fn a_manifest_is_not_an_index() {
    let blob = Blob::of_bytes(MediaType::ImageConfig, configuration().to_string().into_bytes());
    let (manifest, index) = (manifest(&blob).to_string(), r#"{"schemaVersion":2,"manifests":[]}"#);
    assert_eq!(base::kind(manifest.as_bytes()), Ok(ManifestKind::Manifest));
    assert_eq!(base::kind(index.as_bytes()), Ok(ManifestKind::Index));
    let error = base::choose(manifest.as_bytes(), Arm64).unwrap_err().to_string();
    assert!(error.contains("image index is malformed: it is an image manifest"), "{error}");
    let error = base::configuration(index.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("image manifest is malformed: it is an image index"), "{error}");
}
