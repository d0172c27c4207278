//! An output appears whole or not at all, and takes the place of nothing but an output.

use std::fs;
use std::path::Path;

use pybundle::hints::Hints;
use pybundle::image::file::{ImageFileError, ImageFormat, open};
use pybundle::image::{OciArtifact, layout, oci_archive};
use pybundle::report::Silent;

use crate::images::{assert_equal, at, damaged, image, layer, sample, tar, write};

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.ends_with(".blob") && name != "damaged").collect();
    names.sort();
    names
}

#[test]
fn what_was_there_is_replaced_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let old = sample(folder.path());
    let new = image(vec![layer(folder.path(), &tar(&[("other", 0o644, b"other")]))], &[]);
    for format in ImageFormat::ALL {
        let path = folder.path().join("made/on/the/way").join(format.prefix());
        write(&old, format, &path).unwrap();
        write(&new, format, &path).unwrap();
        assert_equal(&open(&at(format, &path)).unwrap(), &OciArtifact::from(&new));
        if format == ImageFormat::Layout {
            assert_eq!(fs::read_dir(path.join("blobs/sha256")).unwrap().count(), 3);
        }
    }
    assert_eq!(names(&folder.path().join("made/on/the/way")), ["docker-archive", "oci", "oci-archive"]);
}

#[test]
fn a_failure_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let old = sample(folder.path());
    let mut new = image(vec![layer(folder.path(), &tar(&[("other", 0o644, b"other")]))], &[]);
    new.layers[0].blob = damaged(folder.path(), &new.layers[0].blob);
    for format in ImageFormat::ALL {
        let path = folder.path().join(format.prefix());
        write(&old, format, &path).unwrap();
        write(&new, format, &path).unwrap_err();
        assert_equal(&open(&at(format, &path)).unwrap(), &OciArtifact::from(&old));
    }
    assert_eq!(names(folder.path()), ["docker-archive", "oci", "oci-archive"]);
}

/// As when another output of the same run fails.
#[test]
fn what_is_not_persisted_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let artifact = OciArtifact::from(&sample(folder.path()));
    let prepared = layout::prepare(&artifact, &[], &folder.path().join("layout"), &Silent).unwrap();
    let finished = oci_archive::prepare(&artifact, &[], &folder.path().join("archive"), &Silent).unwrap();
    assert_eq!(names(folder.path()).len(), 2);
    drop((prepared, finished));
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn nothing_but_a_layout_is_replaced_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let image = sample(folder.path());
    let make = |name: &str, files: &[&str]| {
        let path = folder.path().join(name);
        fs::create_dir(&path).unwrap();
        files.iter().for_each(|file| fs::write(path.join(file), "precious").unwrap());
        path
    };
    let file = folder.path().join("file");
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
    // An empty folder holds nothing that could be lost.
    write(&image, ImageFormat::Layout, &make("empty", &[])).unwrap();
    for format in [ImageFormat::OciArchive, ImageFormat::DockerArchive] {
        let error = write(&image, format, &other).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write {}", other.display()));
    }
}

/// The place is looked at again before anything is moved.
#[test]
fn a_place_that_is_taken_meanwhile_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("layout");
    let prepared = layout::prepare(&OciArtifact::from(&sample(folder.path())), &[], &path, &Silent).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("notes.txt"), "precious").unwrap();
    assert!(matches!(prepared.persist(), Err(ImageFileError::NotReplaceable(_))));
    assert_eq!(names(folder.path()), ["layout"]);
}

#[test]
fn a_link_to_a_layout_stays_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let image = sample(folder.path());
    let (layout, link) = (folder.path().join("layout"), folder.path().join("link"));
    write(&image, ImageFormat::Layout, &layout).unwrap();
    std::os::unix::fs::symlink("layout", &link).unwrap();
    write(&image, ImageFormat::Layout, &link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_equal(&open(&at(ImageFormat::Layout, &link)).unwrap(), &OciArtifact::from(&image));
}
