//! Images in every format are read back, are the same each time, and are found by their names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pybundle::hints::Hints;
use pybundle::image::file::{ImageFile, ImageFileError, ImageFormat, ManifestSelector, open};
use pybundle::image::{BlobContent, OciArtifact, docker_archive, layout, oci_archive};
use pybundle::report::Silent;

use crate::images::{NAME, assert_equal, at, damaged, image, index, layer, named, sample, tar, write, write_as};
use crate::support::artifact::{leaves_of_folder, sha256};

unsafe extern "C" {
    /// Sets the process's umask (POSIX), which the standard library cannot.
    safe fn umask(mask: u32) -> u32;
}

#[test]
fn each_format_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    for format in ImageFormat::ALL {
        let path = directory.path().join(format.prefix());
        assert_eq!(write(&image, format, &path).unwrap(), path);
        let artifact = open(&at(format, &path)).unwrap();
        assert_equal(&artifact, &OciArtifact::from(&image));
        for layer in &artifact.blobs[1..] {
            assert!(matches!(&layer.content, BlobContent::File { path: within, .. } if within.starts_with(&path)));
        }
    }
}

/// Attestations and content of unknown media types are kept.
#[test]
fn an_index_is_read_back_with_all_that_it_refers_to() {
    let directory = tempfile::tempdir().unwrap();
    let index = index(&sample(directory.path()));
    let (layout, archive) = (directory.path().join("layout"), directory.path().join("archive"));
    layout::write(&index, &[], &layout, &Silent).unwrap();
    oci_archive::prepare(&index, &[], &archive, &Silent).unwrap().persist().unwrap();
    assert_equal(&open(&at(ImageFormat::Layout, &layout)).unwrap(), &index);
    assert_equal(&open(&at(ImageFormat::OciArchive, &archive)).unwrap(), &index);
}

/// The bytes depend neither on the time, nor on the path, nor on the umask.
#[test]
fn the_same_image_gives_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    let paths = |run: u32| ImageFormat::ALL.map(|format| directory.path().join(format!("{run}")).join(format.prefix()));
    for (run, mask) in [(0, 0o022), (1, 0o077)] {
        let before = umask(mask);
        for (format, path) in ImageFormat::ALL.into_iter().zip(paths(run)) {
            write(&image, format, &path).unwrap();
        }
        umask(before);
    }
    let [layout, archives @ ..] = paths(0);
    let [again, archives_again @ ..] = paths(1);
    assert_eq!(leaves_of_folder(&layout), leaves_of_folder(&again));
    for (archive, again) in archives.iter().zip(&archives_again) {
        assert_eq!(sha256(&fs::read(archive).unwrap()), sha256(&fs::read(again).unwrap()));
    }
    // The umask is the user's, and applies to files and directories as to those of any program.
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        [mode(&layout), mode(&layout.join("blobs/sha256")), mode(&layout.join("index.json"))],
        [0o755, 0o755, 0o644]
    );
    assert_eq!([mode(&again), mode(&archives_again[0])], [0o700, 0o600]);
}

#[test]
fn an_archive_is_ordered_and_its_metadata_is_fixed() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    let path = directory.path().join("archive");
    write(&image, ImageFormat::DockerArchive, &path).unwrap();
    let mut archive = tar::Archive::new(fs::File::open(&path).unwrap());
    let mut names = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        let mode = if header.entry_type().is_dir() { 0o755 } else { 0o644 };
        assert_eq!(header.mode().unwrap(), mode);
        let numbers = [header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()];
        assert_eq!(numbers, [0, 0, 315_532_800]);
        names.push(entry.path().unwrap().to_str().unwrap().to_owned());
    }
    assert_eq!(names[..5], ["manifest.json", "oci-layout", "index.json", "blobs/", "blobs/sha256/"]);
    // The manifest, the configuration and two layers, by digest.
    assert_eq!(names.len(), 9);
    assert!(names[5..].is_sorted());
}

#[test]
fn a_layer_that_is_there_twice_is_written_once() {
    let directory = tempfile::tempdir().unwrap();
    let same = layer(directory.path(), &tar(&[("file", 0o644, b"content")]));
    let image = image(vec![same.clone(), same], &[]);
    for format in ImageFormat::ALL {
        let path = directory.path().join(format.prefix());
        write(&image, format, &path).unwrap();
        assert_equal(&open(&at(format, &path)).unwrap(), &OciArtifact::from(&image));
    }
    let docker =
        docker_archive::read(&at(ImageFormat::DockerArchive, &directory.path().join("docker-archive"))).unwrap();
    assert_eq!(docker.layers.len(), 2);
}

#[test]
fn an_artifact_is_found_by_each_of_its_names() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    let names = [NAME.to_owned(), "localhost:5000/app:latest".to_owned()];
    for format in ImageFormat::ALL {
        let path = directory.path().join(format.prefix());
        write_as(&image, format, &path, &names).unwrap();
        for name in ["1.0", NAME, "latest", "localhost:5000/app:latest"] {
            assert_equal(&open(&named(format, &path, name)).unwrap(), &OciArtifact::from(&image));
        }
        let by_digest =
            ImageFile { selector: Some(ManifestSelector::Digest(image.manifest.digest)), ..at(format, &path) };
        assert_equal(&open(&by_digest).unwrap(), &OciArtifact::from(&image));
        let error = open(&named(format, &path, "2.0")).unwrap_err().to_string();
        let listed =
            "does not contain `:2.0`, only `1.0`, `example.org/team/app:1.0`, `latest`, `localhost:5000/app:latest`";
        assert_eq!(error, format!("{} {listed}", path.display()));
    }
}

#[test]
fn the_format_of_a_path_is_detected() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    for format in ImageFormat::ALL {
        let path = directory.path().join(format.prefix());
        write(&image, format, &path).unwrap();
        let found = ImageFile::find(path.to_str().unwrap()).unwrap();
        // A Docker archive of ours is an OCI archive as well.
        let expected = if format == ImageFormat::Layout { ImageFormat::Layout } else { ImageFormat::OciArchive };
        assert_eq!(found, at(expected, &path));
        assert_equal(&open(&found).unwrap(), &OciArtifact::from(&image));
        // A prefix says what it is, whatever is recognised.
        let prefixed = format!("{}:{}", format.prefix(), path.display());
        assert_eq!(ImageFile::find(&prefixed).unwrap(), at(format, &path));
        assert_eq!(at(format, &path).to_string(), prefixed);
    }
    for (name, bytes) in [("empty", &b""[..]), ("text", &[b'x'; 2000]), ("tar", &tar(&[("file", 0o644, b"")]))] {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        let error = ImageFile::find(path.to_str().unwrap()).unwrap_err();
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
        assert!(matches!(error, ImageFileError::UnknownFormat(_)), "{error:?}");
    }
    let error = ImageFile::find("nowhere/at.all").unwrap_err();
    assert!(matches!(&error, ImageFileError::Read { path, .. } if path == Path::new("nowhere/at.all")), "{error:?}");
    let error = ImageFile::find("nowhere:at.all").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`nowhere:at.all` is not a valid image file: expected oci:DIR, oci-archive:FILE or docker-archive:FILE"
    );
    assert_eq!(error.hints(), ["use oci:DIR, oci-archive:FILE or docker-archive:FILE"]);
    for (text, is_valid) in [("oci:~/x", false), ("docker-archive:~", false), ("oci:~x", true), ("oci:./~/x", true)] {
        let parsed = text.parse::<ImageFile>();
        assert_eq!(parsed.is_ok(), is_valid, "{parsed:?}");
        let expected =
            "`~` is not expanded after a prefix, use $HOME in a shell, or ./~ for a directory with this name";
        assert!(
            parsed.is_ok_and(|_| is_valid) || text.parse::<ImageFile>().unwrap_err().to_string().ends_with(expected)
        );
    }
}

#[test]
fn a_file_of_another_format_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    let (layout, archive) = (directory.path().join("layout"), directory.path().join("archive"));
    write(&image, ImageFormat::Layout, &layout).unwrap();
    write(&image, ImageFormat::OciArchive, &archive).unwrap();
    let several = directory.path().join("several");
    oci_archive::prepare(&index(&image), &[], &several, &Silent).unwrap().persist().unwrap();
    for (format, path, name, reason) in [
        (ImageFormat::Layout, &archive, "an OCI layout", "it is not a directory"),
        (ImageFormat::OciArchive, &layout, "an OCI archive", "it is a directory"),
        (ImageFormat::DockerArchive, &layout, "a Docker archive", "it is a directory"),
        (ImageFormat::DockerArchive, &several, "a Docker archive", "it has no `manifest.json`"),
        (ImageFormat::Layout, &directory.path().to_owned(), "an OCI layout", "it has no `oci-layout`"),
    ] {
        let error = open(&at(format, path)).unwrap_err().to_string();
        assert_eq!(error, format!("{} is not {name}: {reason}", path.display()));
    }
}

#[test]
fn a_damaged_blob_is_named_wherever_it_goes() {
    let directory = tempfile::tempdir().unwrap();
    let mut image = sample(directory.path());
    image.layers[1].blob = damaged(directory.path(), &image.layers[1].blob);
    for format in ImageFormat::ALL {
        let path = directory.path().join(format.prefix());
        let error = write(&image, format, &path).unwrap_err();
        let start = format!("blob {} is damaged: its content has the digest ", image.layers[1].blob.digest);
        assert!(error.to_string().starts_with(&start), "{error}");
        assert!(!path.exists());
    }
}
