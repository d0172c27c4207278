//! skopeo, umoci and gzip read what pybundle writes, and pybundle reads what they write.

use std::fs;
use std::path::Path;
use std::process::Command;

use pybundle::hints::Hints;
use pybundle::image::file::{ImageFile, ImageFileError, ImageFormat, open};
use pybundle::image::{OciArtifact, OciImage, docker_archive, layout};
use pybundle::report::Silent;
use serde_json::Value;

use crate::images::{NAME, assert_equal, at, bytes, index, named, sample, write};
use crate::support::command::succeed;

/// Returns a command that the tests need.
pub fn program(name: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(name).is_file());
    assert!(found, "{name} is missing: scripts/setup-tests installs it");
    Command::new(name)
}

fn skopeo(arguments: &[&str]) -> String {
    succeed(program("skopeo").args(["--insecure-policy"]).args(arguments))
}

/// Returns the digests of the layers as Docker's archive has them, uncompressed.
fn diff_ids(image: &OciImage) -> Vec<String> {
    image.layers.iter().map(|layer| layer.diff_id.to_string()).collect()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

#[test]
fn skopeo_finds_the_image_in_each_format() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    for (format, name) in
        [(ImageFormat::Layout, "1.0"), (ImageFormat::OciArchive, "1.0"), (ImageFormat::DockerArchive, NAME)]
    {
        let path = directory.path().join(format.prefix());
        write(&image, format, &path).unwrap();
        let place = format!("{}:{name}", at(format, &path));
        let config: Value = serde_json::from_str(&skopeo(&["inspect", "--config", "--raw", &place])).unwrap();
        assert_eq!(strings(&config["rootfs"]["diff_ids"]), diff_ids(&image));
        if format != ImageFormat::DockerArchive {
            assert_eq!(skopeo(&["inspect", "--raw", &place]).into_bytes(), bytes(&image.manifest));
        }
        // Every blob is read, and verified.
        let copy = directory.path().join("copy").join(format.prefix());
        fs::create_dir_all(&copy).unwrap();
        let destination = format!("oci:{}:copied", copy.display());
        match format {
            // What skopeo makes of it has another manifest.
            ImageFormat::DockerArchive => skopeo(&["copy", &place, &destination]),
            ImageFormat::Layout | ImageFormat::OciArchive => {
                skopeo(&["copy", "--preserve-digests", &place, &destination])
            }
        };
        let copied = open(&named(ImageFormat::Layout, &copy, "copied")).unwrap();
        match format {
            ImageFormat::DockerArchive => {
                let config: Value = serde_json::from_slice(&bytes(&copied.blobs[0])).unwrap();
                assert_eq!(strings(&config["rootfs"]["diff_ids"]), diff_ids(&image));
            }
            ImageFormat::Layout | ImageFormat::OciArchive => assert_equal(&copied, &OciArtifact::from(&image)),
        }
    }
}

#[test]
fn skopeo_copies_an_index_with_all_its_images() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    let mut index = index(&image);
    // skopeo copies manifests only, and of media types that it knows.
    index.children.truncate(2);
    let manifests: Vec<_> = index.children.iter().map(|child| crate::images::descriptor(&child.manifest)).collect();
    let document = serde_json::json!({ "schemaVersion": 2, "manifests": manifests }).to_string();
    index.manifest = pybundle::image::Blob::of_bytes(index.manifest.media_type, document.into_bytes());
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    layout::write(&index, &[NAME.to_owned()], &from, &Silent).unwrap();
    let place = |path: &Path| format!("oci:{}:1.0", path.display());
    skopeo(&["copy", "--all", "--preserve-digests", &place(&from), &place(&to)]);
    assert_equal(&open(&named(ImageFormat::Layout, &to, "1.0")).unwrap(), &index);
}

#[test]
fn umoci_unpacks_a_layout() {
    let directory = tempfile::tempdir().unwrap();
    let (path, bundle) = (directory.path().join("layout"), directory.path().join("bundle"));
    write(&sample(directory.path()), ImageFormat::Layout, &path).unwrap();
    let place = format!("{}:1.0", path.display());
    succeed(program("umoci").args(["unpack", "--rootless", "--image", &place]).arg(&bundle));
    assert_eq!(fs::read(bundle.join("rootfs/etc/greeting")).unwrap(), b"good day");
    assert_eq!(fs::read(bundle.join("rootfs/bin/tool")).unwrap(), [7; 100_000]);
}

/// umoci keeps what is there; skopeo and umoci write what is read here.
#[test]
fn images_of_other_tools_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    let path = directory.path().join("layout");
    write(&image, ImageFormat::Layout, &path).unwrap();
    let place = format!("oci:{}:1.0", path.display());

    let tagged = format!("{}:1.0", path.display());
    succeed(program("umoci").args(["tag", "--image", &tagged, "again"]));
    assert_equal(&open(&named(ImageFormat::Layout, &path, "again")).unwrap(), &OciArtifact::from(&image));

    let archive = directory.path().join("archive");
    skopeo(&["copy", "--preserve-digests", &place, &format!("oci-archive:{}:{NAME}", archive.display())]);
    let found = ImageFile::find(archive.to_str().unwrap()).unwrap();
    assert_eq!(found.format, ImageFormat::OciArchive);
    assert_equal(&open(&found).unwrap(), &OciArtifact::from(&image));
    assert_equal(&open(&named(ImageFormat::OciArchive, &archive, NAME)).unwrap(), &OciArtifact::from(&image));

    let docker = directory.path().join("docker");
    skopeo(&["copy", &place, &format!("docker-archive:{}:{NAME}", docker.display())]);
    assert_eq!(ImageFile::find(docker.to_str().unwrap()).unwrap().format, ImageFormat::DockerArchive);
    assert_uncompressed(&image, &docker);
}

/// Asserts that a Docker archive holds the image with its layers uncompressed, and that compressing them is the same
/// each time and loses nothing.
pub fn assert_uncompressed(image: &OciImage, path: &Path) {
    let read = docker_archive::read(&named(ImageFormat::DockerArchive, path, NAME)).unwrap();
    assert_eq!(bytes(&read.config), bytes(&image.config));
    let again = open(&at(ImageFormat::DockerArchive, path)).unwrap();
    assert_equal(&again, &read.to_artifact());
    assert_equal(&again, &open(&at(ImageFormat::DockerArchive, path)).unwrap());
    for (layer, original) in read.layers.iter().zip(&image.layers) {
        assert_eq!(layer.diff_id, original.diff_id);
        assert_eq!(layer.blob.digest, original.diff_id);
        assert_eq!(layer.blob.media_type.to_string(), "application/vnd.oci.image.layer.v1.tar");
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        let compressed = docker_archive::compress(layer, &mut once).unwrap();
        assert_eq!(compressed, docker_archive::compress(layer, &mut twice).unwrap());
        assert_eq!(once, twice);
        assert_eq!((compressed.digest, compressed.size), (pybundle::digest::Sha256::of(&once), once.len() as u64));
        let packed = path.with_extension("gz");
        fs::write(&packed, &once).unwrap();
        let unpacked = program("gzip").arg("-dc").arg(&packed).output().unwrap();
        assert!(unpacked.status.success());
        assert_eq!(pybundle::digest::Sha256::of(&unpacked.stdout), original.diff_id);
    }
    assert_eq!(read.layers.len(), image.layers.len());
}

/// The command in the hint works.
#[test]
fn a_compressed_archive_is_an_error_with_the_command_that_decompresses_it() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    for (name, suffix) in [("gzip", "gz"), ("zstd", "zst"), ("xz", "xz"), ("bzip2", "bz2")] {
        let plain = directory.path().join(name);
        write(&image, ImageFormat::DockerArchive, &plain).unwrap();
        succeed(program(name).arg("-q").arg(&plain));
        let packed = directory.path().join(format!("{name}.{suffix}"));
        for error in [
            open(&at(ImageFormat::DockerArchive, &packed)).unwrap_err(),
            ImageFile::find(packed.to_str().unwrap()).unwrap_err(),
        ] {
            assert!(matches!(error, ImageFileError::Compressed { .. }));
            assert_eq!(error.to_string(), format!("{} is compressed with {name}", packed.display()));
            let hints = error.hints();
            let command = hints[0].strip_prefix("decompress it: ").unwrap();
            succeed(Command::new("sh").args(["-c", command]));
        }
        let unpacked = directory.path().join(format!("{name}.{suffix}.tar"));
        assert_equal(&open(&at(ImageFormat::DockerArchive, &unpacked)).unwrap(), &OciArtifact::from(&image));
    }
}
