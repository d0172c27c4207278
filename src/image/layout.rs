//! Writes an artifact as an OCI image layout in a directory.
//!
//! Specification: [OCI image layout](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Value, json};

use super::file::{FULL_NAME, INDEX, ImageFileError, MARKER, REF_NAME, REFERRERS, blob_name};
use super::manifest::descriptor;
use super::{Blob, OciArtifact, listed};
use crate::archive::directory::OutputDirectory;
use crate::archive::output::PersistedFile;
use crate::digest::Sha256;
use crate::report::{Phase, Reporter};

/// The content of `oci-layout`, which marks a layout.
pub(super) const MARKER_TEXT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// The tag of an image without a name in a layout: umoci 0.4.7 finds no image without one, and takes this by default.
const DEFAULT_TAG: &str = "latest";

/// The size of the write buffer of a blob, in bytes.
const BUFFER: usize = 256 << 10;

/// A complete layout at a temporary path, which is removed when this is dropped.
#[derive(Debug)]
pub struct PreparedLayout {
    output: OutputDirectory,
    /// The path as the user stated it.
    directory: PathBuf,
    /// The path with its symbolic links resolved.
    destination: PathBuf,
}

/// Writes a layout with [`prepare`] and [`PreparedLayout::persist`].
///
/// # Errors
/// Those of both.
pub fn write(
    artifact: &OciArtifact,
    names: &[String],
    directory: &Path,
    reporter: &dyn Reporter,
) -> Result<PathBuf, ImageFileError> {
    Ok(prepare(artifact, names, directory, reporter)?.persist()?.path)
}

/// Writes a layout to a temporary directory next to `directory`. `names` are full references, for instance
/// `ghcr.io/org/app:1.0`. Advances [`Phase::Write`] by the bytes of the blobs.
///
/// # Errors
/// `directory` exists and is not a layout, it cannot be written to, or a blob cannot be read.
pub fn prepare(
    artifact: &OciArtifact,
    names: &[String],
    directory: &Path,
    reporter: &dyn Reporter,
) -> Result<PreparedLayout, ImageFileError> {
    let destination = OutputDirectory::destination(directory).map_err(ImageFileError::write(directory))?;
    check_replaceable(&destination)?;
    let output = OutputDirectory::create(destination.clone()).map_err(ImageFileError::write(directory))?;
    let root = output.root();
    write_documents(root, artifact, names).map_err(ImageFileError::write(directory))?;
    let blobs: Vec<&Blob> = blobs(artifact).into_values().collect();
    let written: Vec<_> = blobs.par_iter().map(|blob| write_blob(blob, root, directory, reporter)).collect();
    written.into_iter().collect::<Result<(), _>>()?;
    Ok(PreparedLayout { output, directory: directory.to_owned(), destination })
}

impl PreparedLayout {
    /// Moves the layout to its final path, and replaces a layout that is there, even if it has the same content: its blobs may
    /// be damaged.
    ///
    /// # Errors
    /// Another file or directory was created at the path meanwhile, or a directory cannot be renamed. An existing layout is
    /// left in place.
    pub fn persist(self) -> Result<PersistedFile, ImageFileError> {
        check_replaceable(&self.destination)?;
        // It names every blob by its digest.
        let [before, after] = [&self.destination, self.output.root()].map(|layout| fs::read(layout.join(INDEX)));
        let is_unchanged = before.ok().is_some_and(|before| after.is_ok_and(|after| before == after));
        self.output.persist().map_err(ImageFileError::write(&self.directory))?;
        Ok(PersistedFile { path: self.directory, is_unchanged })
    }
}

/// Returns an error unless a directory is missing or empty, or contains nothing but a layout.
fn check_replaceable(directory: &Path) -> Result<(), ImageFileError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(ImageFileError::NotReplaceable(directory.to_owned()));
        }
        Err(source) => return Err(ImageFileError::Read { path: directory.to_owned(), source }),
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>();
    let names = names.map_err(ImageFileError::read(directory))?;
    let is_layout = names.iter().any(|name| name == MARKER);
    if names.is_empty() || (is_layout && names.iter().all(is_layout_entry)) {
        Ok(())
    } else {
        Err(ImageFileError::NotReplaceable(directory.to_owned()))
    }
}

fn is_layout_entry(name: &OsString) -> bool {
    [MARKER, INDEX, REFERRERS, "blobs"].iter().any(|entry| name == entry)
}

/// Writes everything but the blobs.
fn write_documents(root: &Path, artifact: &OciArtifact, names: &[String]) -> io::Result<()> {
    fs::create_dir_all(root.join("blobs/sha256"))?;
    fs::write(root.join(MARKER), MARKER_TEXT)?;
    fs::write(root.join(INDEX), index(artifact, names, Some(DEFAULT_TAG)))?;
    match referrers(artifact) {
        Some(referrers) => fs::write(root.join(REFERRERS), referrers),
        None => Ok(()),
    }
}

/// Writes a blob below `root`. Errors name the directory that the user knows.
fn write_blob(blob: &Blob, root: &Path, directory: &Path, reporter: &dyn Reporter) -> Result<(), ImageFileError> {
    let file = File::create(root.join(blob_name(blob.digest))).map_err(ImageFileError::write(directory))?;
    let mut output = BufWriter::with_capacity(BUFFER, ProgressWriter { inner: file, reporter });
    blob.copy_to(&mut output).map_err(|error| match error.of_output() {
        Ok(source) => ImageFileError::write(directory)(source),
        Err(error) => error.into(),
    })?;
    output.flush().map_err(ImageFileError::write(directory))
}

/// A file that reports how many bytes are written to it.
struct ProgressWriter<'a> {
    inner: File,
    reporter: &'a dyn Reporter,
}

impl Write for ProgressWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.reporter.advance(Phase::Write, written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Returns all blobs of a layout, each once, ordered by digest.
pub(super) fn blobs(artifact: &OciArtifact) -> BTreeMap<Sha256, &Blob> {
    let all = artifact.all_referrers().into_iter().map(|(_, referrer)| referrer).chain([artifact]);
    all.flat_map(|artifact| {
        let manifests = artifact.manifests().into_iter().map(|manifest| (manifest.digest, manifest));
        artifact.leaves().into_iter().chain(manifests).collect::<Vec<_>>()
    })
    .collect()
}

/// Returns the `index.json` of a layout: one descriptor for each name, or one without a name, which gets the default tag if
/// there is one.
///
/// It lists nothing else: skopeo 1.9, podman 4.3, buildah 1.28 and syft 1.18 refuse a layout with several manifests, unless
/// one is selected.
pub(super) fn index(artifact: &OciArtifact, names: &[String], default_tag: Option<&str>) -> Vec<u8> {
    let mut tags = BTreeSet::new();
    let mut descriptors = Vec::new();
    for name in names {
        let mut annotations = json!({ FULL_NAME: name });
        // A tag that two names share is written once: umoci 0.4.7 refuses one that occurs twice.
        if let Some(tag) = tag(name).filter(|tag| tags.insert(*tag)) {
            annotations[REF_NAME] = tag.into();
        }
        descriptors.push(annotated(&artifact.manifest, annotations));
    }
    if names.is_empty() {
        descriptors.push(match default_tag {
            Some(tag) => annotated(&artifact.manifest, json!({ REF_NAME: tag })),
            None => descriptor(&artifact.manifest),
        });
    }
    image_index(&descriptors)
}

/// Returns the `referrers.json` of a layout, which lists the referrers with their artifact types, as the referrers API of
/// a registry does. No specification defines where a layout lists them.
pub(super) fn referrers(artifact: &OciArtifact) -> Option<Vec<u8>> {
    let referrers = artifact.all_referrers();
    let descriptors: Vec<Value> = referrers.into_iter().map(|(_, referrer)| listed(referrer)).collect();
    (!descriptors.is_empty()).then(|| image_index(&descriptors))
}

fn image_index(descriptors: &[Value]) -> Vec<u8> {
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": descriptors,
    });
    index.to_string().into_bytes()
}

/// Returns a descriptor with annotations: the tag, by which skopeo and others find an image in a layout, and the full
/// reference, as BuildKit writes it.
fn annotated(manifest: &Blob, annotations: Value) -> Value {
    let mut descriptor = descriptor(manifest);
    descriptor["annotations"] = annotations;
    descriptor
}

/// Returns the tag of a full reference. A colon before the last slash belongs to the registry's port.
fn tag(name: &str) -> Option<&str> {
    name.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'))
}
