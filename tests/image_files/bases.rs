//! Real base images are read: the platform is chosen, the layers are listed, and the interpreter is found.

use std::fs::File;
use std::path::Path;

use crate::support::bases;
use oci_spec::image::Descriptor;
use pybundle::image::base::{self, ManifestKind};
use pybundle::image::python::{choose, from_config};
use pybundle::image::search::LayerSearch;
use pybundle::image::{Base, BasePython, BlobContent};
use pybundle::platform::{Architecture, PythonVersion};

/// Returns the file of a blob.
fn blob(layout: &Path, descriptor: &Descriptor) -> std::path::PathBuf {
    layout.join("blobs/sha256").join(descriptor.digest().digest())
}

/// Reads the image for an architecture out of a layout.
fn read(layout: &Path, architecture: Architecture) -> Base {
    let mut document = std::fs::read(layout.join("index.json")).unwrap();
    // The layout's own index names one document, which may be an index in turn.
    let entry: serde_json::Value = serde_json::from_slice(&document).unwrap();
    if entry["manifests"][0]["mediaType"] == "application/vnd.oci.image.index.v1+json" {
        let descriptor: Descriptor = serde_json::from_value(entry["manifests"][0].clone()).unwrap();
        document = std::fs::read(blob(layout, &descriptor)).unwrap();
    }
    assert_eq!(base::kind(&document), Ok(ManifestKind::Index));
    let manifest = std::fs::read(blob(layout, &base::choose(&document, architecture).unwrap())).unwrap();
    assert_eq!(base::kind(&manifest), Ok(ManifestKind::Manifest));
    let config = std::fs::read(blob(layout, &base::configuration(&manifest).unwrap())).unwrap();
    let content = |layer: &Descriptor| BlobContent::File { path: blob(layout, layer).into(), offset: 0 };
    Base::from_manifest(&manifest, &config, architecture, content).unwrap()
}

/// Returns the interpreter of a version, by a search through the layers.
fn search(base: &Base, wanted: PythonVersion) -> BasePython {
    let mut search = LayerSearch::default();
    for layer in base.layers.iter().rev() {
        let BlobContent::File { path, .. } = &layer.blob.content else { panic!("a layout's layers are files") };
        search.in_layer(&layer.blob.media_type, File::open(path).unwrap()).unwrap();
    }
    choose(&search.pythons(), base.env("PATH"), wanted).unwrap()
}

fn here() -> Architecture {
    bases::platform().strip_prefix("linux/").unwrap().parse().unwrap()
}

#[test]
fn the_interpreter_of_every_base_is_found() {
    let slim = bases::every_slim().into_iter().map(|base| (base, "/usr/local/bin"));
    for (real, directory) in slim.chain([
        (bases::multi(), "/usr/local/bin"),
        (bases::distroless(), "/usr/bin"),
        (bases::lambda(), "/var/lang/bin"),
    ]) {
        let base = read(&real.layout, here());
        let version = real.python.parse().unwrap();
        let python = search(&base, version);
        assert_eq!((python.path, python.version), (format!("{directory}/python{version}"), version), "{real:?}");
        // Where the configuration states it, no layer has to be read.
        if let Some(stated) = from_config(&base) {
            assert_eq!((stated.path, stated.version), (format!("{directory}/python{version}"), version), "{real:?}");
        }
    }
}

#[test]
fn what_is_like_an_official_image_states_its_interpreter() {
    let real = bases::slim();
    let python = from_config(&read(&real.layout, here())).unwrap();
    assert_eq!(python.version.to_string(), real.python);
    assert!(python.full_version.unwrap().starts_with(&real.python));
}
