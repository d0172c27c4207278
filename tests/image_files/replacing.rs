//! An output appears complete or not at all, and replaces nothing but an output.

use std::fs;
use std::path::Path;

use pybundle::hints::Hints;
use pybundle::image::file::{ImageFileError, ImageFormat, open};
use pybundle::image::{OciArtifact, layout, oci_archive};
use pybundle::report::Silent;

use crate::images::{assert_equal, at, damaged, image, layer, sample, tar, write};

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.ends_with(".blob") && name != "damaged").collect();
    names.sort();
    names
}

#[test]
fn an_output_is_replaced_completely() {
    let directory = tempfile::tempdir().unwrap();
    let old = sample(directory.path());
    let new = image(vec![layer(directory.path(), &tar(&[("other", 0o644, b"other")]))], &[]);
    for format in ImageFormat::ALL {
        let path = directory.path().join("made/on/the/way").join(format.prefix());
        write(&old, format, &path).unwrap();
        write(&new, format, &path).unwrap();
        assert_equal(&open(&at(format, &path)).unwrap(), &OciArtifact::from(&new));
        if format == ImageFormat::Layout {
            assert_eq!(fs::read_dir(path.join("blobs/sha256")).unwrap().count(), 3);
        }
    }
    assert_eq!(names(&directory.path().join("made/on/the/way")), ["docker-archive", "oci", "oci-archive"]);
}

#[test]
fn a_failure_keeps_the_old_output() {
    let directory = tempfile::tempdir().unwrap();
    let old = sample(directory.path());
    let mut new = image(vec![layer(directory.path(), &tar(&[("other", 0o644, b"other")]))], &[]);
    new.layers[0].blob = damaged(directory.path(), &new.layers[0].blob);
    for format in ImageFormat::ALL {
        let path = directory.path().join(format.prefix());
        write(&old, format, &path).unwrap();
        write(&new, format, &path).unwrap_err();
        assert_equal(&open(&at(format, &path)).unwrap(), &OciArtifact::from(&old));
    }
    assert_eq!(names(directory.path()), ["docker-archive", "oci", "oci-archive"]);
}

/// As when another output of the same run fails.
#[test]
fn an_output_that_is_not_persisted_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let artifact = OciArtifact::from(&sample(directory.path()));
    let prepared = layout::prepare(&artifact, &[], &directory.path().join("layout"), &Silent).unwrap();
    let finished = oci_archive::prepare(&artifact, &[], &directory.path().join("archive"), &Silent).unwrap();
    assert_eq!(names(directory.path()).len(), 2);
    drop((prepared, finished));
    assert_eq!(names(directory.path()), [""; 0]);
}

#[test]
fn nothing_but_a_layout_is_replaced_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    let make = |name: &str, files: &[&str]| {
        let path = directory.path().join(name);
        fs::create_dir(&path).unwrap();
        files.iter().for_each(|file| fs::write(path.join(file), "precious").unwrap());
        path
    };
    let file = directory.path().join("file");
    fs::write(&file, "precious").unwrap();
    let other = make("other", &["notes.txt"]);
    // Somebody keeps more in it than the layout.
    let both = make("both", &["oci-layout", "notes.txt"]);
    for path in [&file, &other, &both] {
        let error = write(&image, ImageFormat::Layout, path).unwrap_err();
        assert!(matches!(error, ImageFileError::NotReplaceable(_)), "{error:?}");
        assert_eq!(error.to_string(), format!("{} already exists and is not an OCI layout", path.display()));
        assert_eq!(error.hints(), ["remove it, or choose another path"]);
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert_eq!(names(&both), ["notes.txt", "oci-layout"]);
    // An empty directory holds nothing that could be lost.
    write(&image, ImageFormat::Layout, &make("empty", &[])).unwrap();
    for format in [ImageFormat::OciArchive, ImageFormat::DockerArchive] {
        let error = write(&image, format, &other).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write {}", other.display()));
    }
}

/// The path is checked again before anything is moved.
#[test]
fn a_path_that_is_created_meanwhile_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layout");
    let prepared = layout::prepare(&OciArtifact::from(&sample(directory.path())), &[], &path, &Silent).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("notes.txt"), "precious").unwrap();
    assert!(matches!(prepared.persist(), Err(ImageFileError::NotReplaceable(_))));
    assert_eq!(names(directory.path()), ["layout"]);
}

#[test]
fn a_link_to_a_layout_stays_a_link() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    let (layout, link) = (directory.path().join("layout"), directory.path().join("link"));
    write(&image, ImageFormat::Layout, &layout).unwrap();
    std::os::unix::fs::symlink("layout", &link).unwrap();
    write(&image, ImageFormat::Layout, &link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_equal(&open(&at(ImageFormat::Layout, &link)).unwrap(), &OciArtifact::from(&image));
}
