//! A layout or an archive as documents and blobs by name.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::image::MediaType;

use super::tar_index::{ByteRange, TarIndex};
use super::{ImageFileError, ImageFormat, InvalidEntry};
use crate::digest::Sha256;
use crate::image::{Blob, BlobContent};

/// The file that marks an OCI layout.
pub(in crate::image) const MARKER: &str = "oci-layout";

/// The file that marks a Docker archive.
pub(in crate::image) const DOCKER_MANIFEST: &str = "manifest.json";

/// The magic numbers of compressed files, and the commands that decompress them.
const COMPRESSIONS: [(&[u8], &str); 4] =
    [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")];

/// An open layout or archive.
#[derive(Debug)]
pub(in crate::image) struct ImageSource {
    path: PathBuf,
    kind: SourceKind,
}

#[derive(Debug)]
enum SourceKind {
    Directory,
    /// An uncompressed tar archive, with the path that its blobs share.
    Archive {
        path: Arc<Path>,
        index: TarIndex,
    },
}

/// A part of a file.
#[derive(Debug, Clone)]
pub(in crate::image) struct FileRange {
    pub(in crate::image) path: Arc<Path>,
    pub(in crate::image) offset: u64,
    pub(in crate::image) size: u64,
}

impl ImageSource {
    /// # Errors
    /// The file cannot be read, or is neither a layout nor an archive.
    pub(super) fn detect_format(path: &Path) -> Result<ImageFormat, ImageFileError> {
        let source = Self::load(path)?;
        let is_archive = matches!(source.kind, SourceKind::Archive { .. });
        match (is_archive, source.is_oci()?) {
            (false, true) => Ok(ImageFormat::Layout),
            (true, true) => Ok(ImageFormat::OciArchive),
            (true, false) if source.has_docker_manifest()? => Ok(ImageFormat::DockerArchive),
            _ => Err(ImageFileError::UnknownFormat(path.to_owned())),
        }
    }

    /// # Errors
    /// The file cannot be read, or does not have the format.
    pub(in crate::image) fn open(format: ImageFormat, path: &Path) -> Result<Self, ImageFileError> {
        let source = Self::load(path)?;
        match source.mismatch(format)? {
            None => Ok(source),
            Some(reason) => Err(ImageFileError::WrongFormat { path: path.to_owned(), format, reason }),
        }
    }

    /// Returns why the source does not have a format, or `None` if it does.
    fn mismatch(&self, format: ImageFormat) -> Result<Option<&'static str>, ImageFileError> {
        let (marker, missing) = match (format, &self.kind) {
            (ImageFormat::Layout, SourceKind::Archive { .. }) => return Ok(Some("it is not a directory")),
            (ImageFormat::OciArchive | ImageFormat::DockerArchive, SourceKind::Directory) => {
                return Ok(Some("it is a directory"));
            }
            (ImageFormat::Layout | ImageFormat::OciArchive, _) => (MARKER, "it has no `oci-layout`"),
            (ImageFormat::DockerArchive, _) => (DOCKER_MANIFEST, "it has no `manifest.json`"),
        };
        Ok(self.find(marker)?.is_none().then_some(missing))
    }

    fn load(path: &Path) -> Result<Self, ImageFileError> {
        let metadata = fs::metadata(path).map_err(ImageFileError::read(path))?;
        if metadata.is_dir() {
            return Ok(Self { path: path.to_owned(), kind: SourceKind::Directory });
        }
        if !metadata.is_file() {
            return Err(ImageFileError::UnknownFormat(path.to_owned()));
        }
        let mut file = File::open(path).map_err(ImageFileError::read(path))?;
        let mut start = Vec::new();
        file.by_ref().take(512).read_to_end(&mut start).map_err(ImageFileError::read(path))?;
        if let Some((_, command)) = COMPRESSIONS.into_iter().find(|(magic, _)| start.starts_with(magic)) {
            return Err(ImageFileError::Compressed { path: path.to_owned(), command });
        }
        let index = TarIndex::read(&file, path)?;
        Ok(Self { path: path.to_owned(), kind: SourceKind::Archive { path: path.into(), index } })
    }

    /// Returns the problem of an archive whose padding is not zero.
    ///
    /// # Errors
    /// The archive cannot be read.
    pub(super) fn changed_padding(&self) -> Result<Option<ImageFileError>, ImageFileError> {
        let SourceKind::Archive { path, index } = &self.kind else { return Ok(None) };
        let changed = File::open(path).and_then(|file| index.changed_padding(&file));
        let position = changed.map_err(ImageFileError::read(path))?;
        Ok(position.map(|position| {
            self.invalid(&format!("byte {position}"), InvalidEntry::Malformed("is padding, but not zero"))
        }))
    }

    /// Returns whether the source is an OCI layout.
    pub(super) fn is_oci(&self) -> Result<bool, ImageFileError> {
        Ok(self.find(MARKER)?.is_some())
    }

    /// Returns whether the source is an archive that Docker can load.
    pub(super) fn has_docker_manifest(&self) -> Result<bool, ImageFileError> {
        Ok(matches!(self.kind, SourceKind::Archive { .. }) && self.find(DOCKER_MANIFEST)?.is_some())
    }

    /// Returns where a file is, or `None` if it is missing. The name must be trusted: checked, or made from a digest.
    pub(super) fn find(&self, name: &str) -> Result<Option<FileRange>, ImageFileError> {
        match &self.kind {
            SourceKind::Archive { path, index } => {
                let found = index.find(name).map_err(|problem| self.invalid(name, problem))?;
                Ok(found.map(|ByteRange { offset, size }| FileRange { path: Arc::clone(path), offset, size }))
            }
            SourceKind::Directory => {
                let path = self.path.join(name);
                match fs::metadata(&path) {
                    // Opening a named pipe would block.
                    Ok(metadata) if !metadata.is_file() => Err(self.invalid(name, InvalidEntry::NotAFile)),
                    Ok(metadata) => Ok(Some(FileRange { path: path.into(), offset: 0, size: metadata.len() })),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(source) => Err(ImageFileError::Read { path, source }),
                }
            }
        }
    }

    /// # Errors
    /// The file is missing.
    pub(in crate::image) fn locate(&self, name: &str) -> Result<FileRange, ImageFileError> {
        self.find(name)?.ok_or_else(|| self.invalid(name, InvalidEntry::Missing))
    }

    /// Returns the sorted names of all files of an archive, or of all blobs of a layout.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub(super) fn names(&self) -> Result<Vec<String>, ImageFileError> {
        match &self.kind {
            SourceKind::Archive { index, .. } => Ok(index.names().map(str::to_owned).collect()),
            SourceKind::Directory => {
                let directory = self.path.join("blobs/sha256");
                blob_names(&directory).map_err(ImageFileError::read(&directory))
            }
        }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// It is missing, or larger than `limit` bytes.
    pub(in crate::image) fn document(&self, name: &str, limit: u64) -> Result<Vec<u8>, ImageFileError> {
        let range = self.locate(name)?;
        if range.size > limit {
            return Err(self.invalid(name, InvalidEntry::TooLarge { size: range.size, limit }));
        }
        let mut bytes = Vec::new();
        let read = range.open().and_then(|reader| reader.take(limit).read_to_end(&mut bytes));
        read.map_err(ImageFileError::read(&range.path))?;
        Ok(bytes)
    }

    /// Locates a blob, whose bytes stay in the file.
    ///
    /// # Errors
    /// It is missing, or has a different size.
    pub(super) fn blob(&self, media_type: MediaType, digest: Sha256, size: u64) -> Result<Blob, ImageFileError> {
        let name = blob_name(digest);
        let FileRange { path, offset, size: actual } = self.locate(&name)?;
        if actual != size {
            return Err(self.invalid(&name, InvalidEntry::Size { expected: size, actual }));
        }
        Ok(Blob { media_type, digest, size, content: BlobContent::File { path, offset } })
    }

    /// Reads and verifies a blob.
    ///
    /// # Errors
    /// It is missing, larger than `limit` bytes, or does not match its digest and size.
    pub(super) fn document_blob(&self, blob: &Blob, limit: u64) -> Result<Vec<u8>, ImageFileError> {
        let name = blob_name(blob.digest);
        let bytes = self.document(&name, limit)?;
        let actual = Sha256::of(&bytes);
        if actual == blob.digest {
            Ok(bytes)
        } else {
            Err(self.invalid(&name, InvalidEntry::Digest { expected: blob.digest, actual }))
        }
    }

    /// Returns the error for an invalid entry.
    pub(in crate::image) fn invalid(&self, entry: &str, problem: impl Into<InvalidEntry>) -> ImageFileError {
        ImageFileError::Invalid { path: self.path.clone(), entry: entry.to_owned(), problem: problem.into() }
    }

    pub(in crate::image) fn path(&self) -> &Path {
        &self.path
    }
}

impl FileRange {
    /// Returns a reader of this part of the file.
    pub(in crate::image) fn open(&self) -> io::Result<io::Take<File>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file.take(self.size))
    }
}

/// Returns the sorted paths of the blobs in a layout, of which `directory` is `blobs/sha256`.
fn blob_names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(format!("blobs/sha256/{}", entry?.file_name().to_string_lossy()));
    }
    names.sort_unstable();
    Ok(names)
}

/// Returns the path of a blob in a layout (image layout, blobs).
pub(in crate::image) fn blob_name(digest: Sha256) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
