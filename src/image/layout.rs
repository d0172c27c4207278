//! Writing an artifact as a directory, an OCI image layout.
//!
//! Specification: [OCI image layout](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::file::{FULL_NAME, INDEX, ImageFileError, MARKER, REF_NAME, blob_name};
use super::{Blob, OciArtifact, listed};
use crate::digest::Sha256;
use crate::report::{Phase, Reporter};

/// The content of the file that marks a layout.
pub(super) const MARKER_TEXT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// The size of the buffer before a blob's file, in bytes.
const BUFFER: usize = 256 << 10;

/// A complete layout that waits to be put at its place. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct PreparedLayout {
    temporary: TempDir,
    /// The place as it was given, and where links lead from there.
    directory: PathBuf,
    place: PathBuf,
}

/// Writes a layout: [`prepare`] and [`PreparedLayout::persist`].
///
/// # Errors
/// As both.
pub fn write(
    artifact: &OciArtifact,
    names: &[String],
    directory: &Path,
    reporter: &dyn Reporter,
) -> Result<PathBuf, ImageFileError> {
    prepare(artifact, names, directory, reporter)?.persist()
}

/// Writes a layout beside its place. `names` are full references, for instance `ghcr.io/org/app:1.0`. Advances
/// [`Phase::Write`] by the bytes of the blobs.
///
/// # Errors
/// The place is taken by something that is no layout, it cannot be written to, or a blob cannot be had.
pub fn prepare(
    artifact: &OciArtifact,
    names: &[String],
    directory: &Path,
    reporter: &dyn Reporter,
) -> Result<PreparedLayout, ImageFileError> {
    let failed = |source| ImageFileError::Write { path: directory.to_owned(), source };
    // Where a link leads to is replaced, not the link.
    let place = match fs::canonicalize(directory) {
        Ok(place) => place,
        Err(error) if error.kind() == io::ErrorKind::NotFound => directory.to_owned(),
        Err(error) => return Err(failed(error)),
    };
    check_replaceable(&place)?;
    let temporary = temporary_beside(&place).map_err(failed)?;
    let root = temporary.path();
    fs::create_dir_all(root.join("blobs/sha256")).map_err(failed)?;
    fs::write(root.join(MARKER), MARKER_TEXT).map_err(failed)?;
    fs::write(root.join(INDEX), index(artifact, names)).map_err(failed)?;
    let blobs: Vec<&Blob> = blobs(artifact).into_values().collect();
    let written: Vec<_> = blobs.par_iter().map(|blob| write_blob(blob, root, reporter)).collect();
    written.into_iter().collect::<Result<(), _>>()?;
    Ok(PreparedLayout { temporary, directory: directory.to_owned(), place })
}

impl PreparedLayout {
    /// Puts the layout at its place, in place of the layout that was there, and returns where that is.
    ///
    /// # Errors
    /// The place was taken in between, or a directory cannot be renamed. What was there is there again.
    pub fn persist(self) -> Result<PathBuf, ImageFileError> {
        let failed = |source| ImageFileError::Write { path: self.directory.clone(), source };
        check_replaceable(&self.place)?;
        let new = self.temporary.path();
        match exchange(new, &self.place) {
            // What was there is removed in place of the temporary directory.
            Ok(()) => return Ok(self.directory),
            Err(error) if CANNOT_EXCHANGE.contains(&error.kind()) => replace(new, &self.place).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        }
        // Nothing is there any more for it to remove.
        let _ = self.temporary.keep();
        Ok(self.directory)
    }
}

/// How [`exchange`] fails where there is nothing to exchange with, or no way to do it.
const CANNOT_EXCHANGE: [io::ErrorKind; 3] =
    [io::ErrorKind::NotFound, io::ErrorKind::Unsupported, io::ErrorKind::InvalidInput];

/// Exchanges two directories in one step, so that no moment is without a layout at the place.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// Exchanges nothing: this system has no such step.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Puts a directory at a place in two steps, where another may be. If the second fails, the first is undone.
fn replace(new: &Path, place: &Path) -> io::Result<()> {
    // Removed, with what is moved into it, when this function ends.
    let aside = temporary_beside(place)?;
    let old = aside.path().join("old");
    let replaces = match fs::rename(place, &old) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    fs::rename(new, place).or_else(|error| {
        if replaces {
            fs::rename(&old, place)?;
        }
        Err(error)
    })
}

/// Returns an error unless a directory is missing, empty, or a layout and nothing else.
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
    let names = names.map_err(|source| ImageFileError::Read { path: directory.to_owned(), source })?;
    let is_layout = names.iter().any(|name| name == MARKER);
    let known = |name: &OsString| [MARKER, INDEX, "blobs"].iter().any(|known| name == known);
    if names.is_empty() || (is_layout && names.iter().all(known)) {
        Ok(())
    } else {
        Err(ImageFileError::NotReplaceable(directory.to_owned()))
    }
}

/// Makes a directory beside another one, so that renaming it stays in one file system.
fn temporary_beside(directory: &Path) -> io::Result<TempDir> {
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)?;
    tempfile::Builder::new()
        .prefix(".pybundle-")
        .suffix(".tmp")
        // The umask applies to it, as to any directory that a program makes.
        .permissions(Permissions::from_mode(0o777))
        .tempdir_in(parent)
}

fn write_blob(blob: &Blob, root: &Path, reporter: &dyn Reporter) -> Result<(), ImageFileError> {
    let path = root.join(blob_name(blob.digest));
    let failed = |source| ImageFileError::Write { path: path.clone(), source };
    let file = File::create(&path).map_err(failed)?;
    let mut output = BufWriter::with_capacity(BUFFER, ProgressWriter { inner: file, reporter });
    blob.copy_to(&mut output)?;
    output.flush().map_err(failed)
}

/// A file that reports what is written to it.
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

/// Returns everything that a layout holds as a blob, each once, ordered by digest.
pub(super) fn blobs(artifact: &OciArtifact) -> BTreeMap<Sha256, &Blob> {
    let all = artifact.all_referrers().into_iter().map(|(_, referrer)| referrer).chain([artifact]);
    all.flat_map(|artifact| {
        let manifests = artifact.manifests().into_iter().map(|manifest| (manifest.digest, manifest));
        artifact.leaves().into_iter().chain(manifests).collect::<Vec<_>>()
    })
    .collect()
}

/// Returns the document that a layout begins with: one descriptor for each name, or one without a name; then the
/// referrers, each with its artifact type. No specification gives them a place in a layout; ORAS looks for them here.
pub(super) fn index(artifact: &OciArtifact, names: &[String]) -> Vec<u8> {
    let manifest = &artifact.manifest;
    let descriptor = json!({
        "mediaType": manifest.media_type.to_string(),
        "digest": manifest.digest.to_string(),
        "size": manifest.size,
    });
    let named = |name: &String| {
        let mut descriptor = descriptor.clone();
        descriptor["annotations"] = annotations(name);
        descriptor
    };
    let mut descriptors: Vec<Value> =
        if names.is_empty() { vec![descriptor] } else { names.iter().map(named).collect() };
    descriptors.extend(artifact.all_referrers().into_iter().map(|(_, referrer)| listed(referrer)));
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": descriptors,
    });
    index.to_string().into_bytes()
}

/// Returns the annotations of a name: its tag, by which tools find it in a layout, and the whole, as BuildKit has it.
fn annotations(name: &str) -> Value {
    let mut annotations = json!({ FULL_NAME: name });
    if let Some((_, tag)) = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        annotations[REF_NAME] = tag.into();
    }
    annotations
}
