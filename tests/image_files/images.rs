//! Small images to write and read.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use oci_spec::image::MediaType;
use pybundle::digest::Sha256;
use pybundle::image::file::{ImageFile, ImageFileError, ImageFormat, ManifestSelector};
use pybundle::image::{Blob, BlobContent, Layer, OciArtifact, OciImage, docker_archive, layout, oci_archive};
use pybundle::platform::Architecture;
use pybundle::report::Silent;
use serde_json::{Value, json};

/// The name that the tests give.
pub const NAME: &str = "example.org/team/app:1.0";

/// Returns a tar archive of these files.
pub fn tar(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, mode, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(*mode);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Compresses bytes with gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns a layer that lies inside of a file in `directory`.
pub fn layer(directory: &Path, tar: &[u8]) -> Layer {
    let blob = Blob::of_bytes(MediaType::ImageLayerGzip, gzip(tar));
    let BlobContent::Bytes(bytes) = &blob.content else { unreachable!() };
    let path = directory.join(format!("{}.blob", blob.digest.hex()));
    fs::write(&path, [b"before", &bytes[..], b"after"].concat()).unwrap();
    let content = BlobContent::File { path: path.into(), offset: 6 };
    Layer { blob: Blob { content, ..blob }, diff_id: Sha256::of(tar) }
}

/// Returns the descriptor of a blob.
pub fn descriptor(blob: &Blob) -> Value {
    json!({ "mediaType": blob.media_type.to_string(), "digest": blob.digest.to_string(), "size": blob.size })
}

/// Returns an image of these layers, for this machine.
pub fn image(layers: Vec<Layer>, command: &[&str]) -> OciImage {
    let (architecture, name) = match std::env::consts::ARCH {
        "x86_64" => (Architecture::X86_64, "amd64"),
        _ => (Architecture::Arm64, "arm64"),
    };
    let diff_ids: Vec<_> = layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    let config = json!({
        "architecture": name,
        "os": "linux",
        "config": { "Cmd": command, "User": "1000" },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = Blob::of_bytes(MediaType::ImageConfig, config.to_string().into_bytes());
    let descriptors: Vec<_> = layers.iter().map(|layer| descriptor(&layer.blob)).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::ImageManifest.to_string(),
        "config": descriptor(&config),
        "layers": descriptors,
    });
    let manifest = Blob::of_bytes(MediaType::ImageManifest, manifest.to_string().into_bytes());
    OciImage { architecture, manifest, config, layers }
}

/// Returns an image of two layers whose files say what they are.
pub fn sample(directory: &Path) -> OciImage {
    let lower = tar(&[("etc/greeting", 0o644, b"hello"), ("bin/tool", 0o755, &[7; 100_000])]);
    let upper = tar(&[("etc/greeting", 0o644, b"good day")]);
    image(vec![layer(directory, &lower), layer(directory, &upper)], &["/bin/tool"])
}

/// Returns an index of an image, an attestation of it, and something that is no manifest at all.
pub fn index(image: &OciImage) -> OciArtifact {
    let statement = Blob::of_bytes(MediaType::Other("application/vnd.in-toto+json".to_owned()), b"{}".to_vec());
    let config = Blob::of_bytes(MediaType::ImageConfig, b"{\"rootfs\":{}}".to_vec());
    let attestation = json!({ "schemaVersion": 2, "config": descriptor(&config), "layers": [descriptor(&statement)] });
    let attestation = Blob::of_bytes(MediaType::ImageManifest, attestation.to_string().into_bytes());
    let unknown = Blob::of_bytes(MediaType::Other("application/vnd.example+yaml".to_owned()), b"no: json".to_vec());
    let children = vec![
        OciArtifact::from(image),
        OciArtifact {
            manifest: attestation,
            blobs: vec![config, statement],
            children: Vec::new(),
            referrers: Vec::new(),
        },
        OciArtifact { manifest: unknown, blobs: Vec::new(), children: Vec::new(), referrers: Vec::new() },
    ];
    let manifests: Vec<_> = children.iter().map(|child| descriptor(&child.manifest)).collect();
    let index = json!({ "schemaVersion": 2, "manifests": manifests });
    let manifest = Blob::of_bytes(MediaType::ImageIndex, index.to_string().into_bytes());
    OciArtifact { manifest, blobs: Vec::new(), children, referrers: Vec::new() }
}

/// Writes an image in a format, under [`NAME`].
pub fn write(image: &OciImage, format: ImageFormat, path: &Path) -> Result<PathBuf, ImageFileError> {
    write_as(image, format, path, &[NAME.to_owned()])
}

/// Writes an image in a format, under these names.
pub fn write_as(
    image: &OciImage,
    format: ImageFormat,
    path: &Path,
    names: &[String],
) -> Result<PathBuf, ImageFileError> {
    let finished = match format {
        ImageFormat::Layout => return layout::write(&OciArtifact::from(image), names, path, &Silent),
        ImageFormat::OciArchive => oci_archive::prepare(&OciArtifact::from(image), names, path, &Silent)?,
        ImageFormat::DockerArchive => docker_archive::prepare(image, names, path, &Silent)?,
    };
    Ok(finished.persist()?.path)
}

/// Returns how a file of a format is named.
pub fn at(format: ImageFormat, path: &Path) -> ImageFile {
    ImageFile { format, path: path.to_owned(), selector: None }
}

/// Returns how one of the artifacts in a file is named.
pub fn named(format: ImageFormat, path: &Path, name: &str) -> ImageFile {
    ImageFile { selector: Some(ManifestSelector::Name(name.to_owned())), ..at(format, path) }
}

/// Returns the bytes of a blob.
pub fn bytes(blob: &Blob) -> Vec<u8> {
    let mut bytes = Vec::new();
    blob.copy_to(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, blob.size);
    bytes
}

/// Asserts that two artifacts refer to the same, and that all of it can be read.
pub fn assert_equal(actual: &OciArtifact, expected: &OciArtifact) {
    let outline = |blob: &Blob| (blob.media_type.clone(), blob.digest, blob.size);
    assert_eq!(outline(&actual.manifest), outline(&expected.manifest));
    assert_eq!(bytes(&actual.manifest), bytes(&expected.manifest));
    let blobs = |artifact: &OciArtifact| artifact.blobs.iter().map(outline).collect::<Vec<_>>();
    assert_eq!(blobs(actual), blobs(expected));
    for (actual, expected) in actual.blobs.iter().zip(&expected.blobs) {
        assert_eq!(bytes(actual), bytes(expected));
    }
    assert_eq!(actual.children.len(), expected.children.len());
    for (actual, expected) in actual.children.iter().zip(&expected.children) {
        assert_equal(actual, expected);
    }
}

/// Returns a blob that says that it is in a file, where something else is.
pub fn damaged(directory: &Path, blob: &Blob) -> Blob {
    let path: Arc<Path> = directory.join("damaged").into();
    fs::write(&path, vec![0; blob.size as usize]).unwrap();
    Blob { content: BlobContent::File { path, offset: 0 }, ..blob.clone() }
}
