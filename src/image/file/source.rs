//! A layout or an archive as named documents and blobs, wherever their bytes lie.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::image::MediaType;

use super::directory::{ByteRange, TarIndex};
use super::{ImageFileError, ImageFormat, InvalidEntry};
use crate::digest::Sha256;
use crate::image::{Blob, BlobContent};

/// The file that marks an OCI layout.
pub(in crate::image) const MARKER: &str = "oci-layout";

/// The file that marks a Docker archive.
pub(in crate::image) const DOCKER_MANIFEST: &str = "manifest.json";

/// How compressed files begin, and the program that unpacks them.
const COMPRESSIONS: [(&[u8], &str); 4] =
    [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")];

/// A layout or an archive that is open.
#[derive(Debug)]
pub(in crate::image) struct ImageSource {
    path: PathBuf,
    holder: SourceKind,
}

#[derive(Debug)]
enum SourceKind {
    Folder,
    /// An uncompressed tar, with the path that blobs in it share.
    Archive {
        path: Arc<Path>,
        directory: TarIndex,
    },
}

/// Where something lies on disk.
#[derive(Debug, Clone)]
pub(in crate::image) struct FileRange {
    pub path: Arc<Path>,
    pub offset: u64,
    pub size: u64,
}

impl ImageSource {
    /// Tells by its content what a file or a folder is.
    ///
    /// # Errors
    /// It cannot be read, or is neither a layout nor an archive.
    pub fn recognise(path: &Path) -> Result<ImageFormat, ImageFileError> {
        let source = Self::load(path)?;
        let archive = matches!(source.holder, SourceKind::Archive { .. });
        match (archive, source.is_oci()?) {
            (false, true) => Ok(ImageFormat::Layout),
            (true, true) => Ok(ImageFormat::OciArchive),
            (true, false) if source.find(DOCKER_MANIFEST)?.is_some() => Ok(ImageFormat::DockerArchive),
            _ => Err(ImageFileError::Unrecognised(path.to_owned())),
        }
    }

    /// Opens a file or a folder that is to be of a form.
    ///
    /// # Errors
    /// It cannot be read, or is not of that form.
    pub fn open(form: ImageFormat, path: &Path) -> Result<Self, ImageFileError> {
        let source = Self::load(path)?;
        let wrong = |reason| ImageFileError::WrongForm { path: path.to_owned(), form, reason };
        let (marker, missing) = match (form, &source.holder) {
            (ImageFormat::Layout, SourceKind::Archive { .. }) => return Err(wrong("it is no folder")),
            (ImageFormat::OciArchive | ImageFormat::DockerArchive, SourceKind::Folder) => {
                return Err(wrong("it is a folder"));
            }
            (ImageFormat::Layout | ImageFormat::OciArchive, _) => (MARKER, "it has no `oci-layout`"),
            (ImageFormat::DockerArchive, _) => (DOCKER_MANIFEST, "it has no `manifest.json`"),
        };
        if source.find(marker)?.is_some() { Ok(source) } else { Err(wrong(missing)) }
    }

    fn load(path: &Path) -> Result<Self, ImageFileError> {
        let failed = |source| ImageFileError::Read { path: path.to_owned(), source };
        let metadata = fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            return Ok(Self { path: path.to_owned(), holder: SourceKind::Folder });
        }
        if !metadata.is_file() {
            return Err(ImageFileError::Unrecognised(path.to_owned()));
        }
        let mut file = File::open(path).map_err(failed)?;
        let mut start = Vec::new();
        file.by_ref().take(512).read_to_end(&mut start).map_err(failed)?;
        if let Some((_, program)) = COMPRESSIONS.into_iter().find(|(magic, _)| start.starts_with(magic)) {
            return Err(ImageFileError::Compressed { path: path.to_owned(), program });
        }
        let directory = TarIndex::read(&file, path)?;
        Ok(Self { path: path.to_owned(), holder: SourceKind::Archive { path: path.into(), directory } })
    }

    /// Tells whether there is an OCI layout in it.
    pub fn is_oci(&self) -> Result<bool, ImageFileError> {
        Ok(self.find(MARKER)?.is_some())
    }

    /// Returns where a file is; none if it is missing. The name must be plain: checked, or made of a digest.
    pub fn find(&self, name: &str) -> Result<Option<FileRange>, ImageFileError> {
        match &self.holder {
            SourceKind::Archive { path, directory } => {
                let found = directory.find(name).map_err(|fault| self.invalid(name, fault))?;
                Ok(found.map(|ByteRange { offset, size }| FileRange { path: Arc::clone(path), offset, size }))
            }
            SourceKind::Folder => {
                let path = self.path.join(name);
                match fs::metadata(&path) {
                    // Opening a pipe would wait for ever.
                    Ok(metadata) if !metadata.is_file() => Err(self.invalid(name, InvalidEntry::NoFile)),
                    Ok(metadata) => Ok(Some(FileRange { path: path.into(), offset: 0, size: metadata.len() })),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(source) => Err(ImageFileError::Read { path, source }),
                }
            }
        }
    }

    /// Returns where a file is.
    ///
    /// # Errors
    /// It is missing.
    pub fn locate(&self, name: &str) -> Result<FileRange, ImageFileError> {
        self.find(name)?.ok_or_else(|| self.invalid(name, InvalidEntry::Missing))
    }

    /// Returns the names of all files, in order; of a folder those of its blobs.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, ImageFileError> {
        let SourceKind::Archive { directory, .. } = &self.holder else {
            let folder = self.path.join("blobs/sha256");
            let failed = |source| ImageFileError::Read { path: folder.clone(), source };
            let entries = fs::read_dir(&folder).map_err(failed)?;
            let names = entries.map(|entry| {
                let name = entry.map_err(failed)?.file_name();
                Ok(format!("blobs/sha256/{}", name.to_string_lossy()))
            });
            let mut names = names.collect::<Result<Vec<_>, ImageFileError>>()?;
            names.sort_unstable();
            return Ok(names);
        };
        Ok(directory.names().map(str::to_owned).collect())
    }

    /// Reads a document as a whole.
    ///
    /// # Errors
    /// It is missing, or larger than `limit`.
    pub fn document(&self, name: &str, limit: u64) -> Result<Vec<u8>, ImageFileError> {
        let place = self.locate(name)?;
        if place.size > limit {
            return Err(self.invalid(name, InvalidEntry::TooLarge { size: place.size, limit }));
        }
        let mut bytes = Vec::new();
        let read = place.open().and_then(|reader| reader.take(limit).read_to_end(&mut bytes));
        read.map_err(|source| ImageFileError::Read { path: place.path.to_path_buf(), source })?;
        Ok(bytes)
    }

    /// Returns a blob that stays where it lies.
    ///
    /// # Errors
    /// It is missing, or has another size.
    pub fn blob(&self, media_type: MediaType, digest: Sha256, size: u64) -> Result<Blob, ImageFileError> {
        let name = blob_name(digest);
        let FileRange { path, offset, size: actual } = self.locate(&name)?;
        if actual != size {
            return Err(self.invalid(&name, InvalidEntry::Size { stated: size, actual }));
        }
        Ok(Blob { media_type, digest, size, content: BlobContent::File { path, offset } })
    }

    /// Reads a blob as a whole.
    ///
    /// # Errors
    /// It is missing, larger than `limit`, or not what its digest and size say.
    pub fn document_blob(&self, blob: &Blob, limit: u64) -> Result<Vec<u8>, ImageFileError> {
        let name = blob_name(blob.digest);
        let bytes = self.document(&name, limit)?;
        let actual = Sha256::of(&bytes);
        if actual == blob.digest {
            Ok(bytes)
        } else {
            Err(self.invalid(&name, InvalidEntry::Digest { stated: blob.digest, actual }))
        }
    }

    /// Returns the error about something in the file.
    pub fn invalid(&self, entry: &str, fault: impl Into<InvalidEntry>) -> ImageFileError {
        ImageFileError::Invalid { path: self.path.clone(), entry: entry.to_owned(), fault: fault.into() }
    }

    /// Returns where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl FileRange {
    /// Opens the file at the first byte; it ends after the last.
    pub fn open(&self) -> io::Result<io::Take<File>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file.take(self.size))
    }
}

/// Returns the path of a blob in a layout (image layout, blobs).
pub(in crate::image) fn blob_name(digest: Sha256) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
