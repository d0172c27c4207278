//! A layout or an archive as named documents and blobs, wherever their bytes lie.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::image::MediaType;

use super::directory::{Directory, Extent};
use super::{Fault, FileError, Form};
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
pub(in crate::image) struct Source {
    path: PathBuf,
    holder: Holder,
}

#[derive(Debug)]
enum Holder {
    Folder,
    /// An uncompressed tar, with the path that blobs in it share.
    Archive {
        path: Arc<Path>,
        directory: Directory,
    },
}

/// Where something lies on disk.
#[derive(Debug, Clone)]
pub(in crate::image) struct Place {
    pub path: Arc<Path>,
    pub offset: u64,
    pub size: u64,
}

impl Source {
    /// Tells by its content what a file or a folder is.
    ///
    /// # Errors
    /// It cannot be read, or is neither a layout nor an archive.
    pub fn recognise(path: &Path) -> Result<Form, FileError> {
        let source = Self::load(path)?;
        let archive = matches!(source.holder, Holder::Archive { .. });
        match (archive, source.is_oci()?) {
            (false, true) => Ok(Form::Layout),
            (true, true) => Ok(Form::OciArchive),
            (true, false) if source.find(DOCKER_MANIFEST)?.is_some() => Ok(Form::DockerArchive),
            _ => Err(FileError::Unrecognised(path.to_owned())),
        }
    }

    /// Opens a file or a folder that is to be of a form.
    ///
    /// # Errors
    /// It cannot be read, or is not of that form.
    pub fn open(form: Form, path: &Path) -> Result<Self, FileError> {
        let source = Self::load(path)?;
        let wrong = |reason| FileError::WrongForm { path: path.to_owned(), form, reason };
        let (marker, missing) = match (form, &source.holder) {
            (Form::Layout, Holder::Archive { .. }) => return Err(wrong("it is no folder")),
            (Form::OciArchive | Form::DockerArchive, Holder::Folder) => return Err(wrong("it is a folder")),
            (Form::Layout | Form::OciArchive, _) => (MARKER, "it has no `oci-layout`"),
            (Form::DockerArchive, _) => (DOCKER_MANIFEST, "it has no `manifest.json`"),
        };
        if source.find(marker)?.is_some() { Ok(source) } else { Err(wrong(missing)) }
    }

    fn load(path: &Path) -> Result<Self, FileError> {
        let failed = |source| FileError::Read { path: path.to_owned(), source };
        let metadata = fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            return Ok(Self { path: path.to_owned(), holder: Holder::Folder });
        }
        if !metadata.is_file() {
            return Err(FileError::Unrecognised(path.to_owned()));
        }
        let mut file = File::open(path).map_err(failed)?;
        let mut start = Vec::new();
        file.by_ref().take(512).read_to_end(&mut start).map_err(failed)?;
        if let Some((_, program)) = COMPRESSIONS.into_iter().find(|(magic, _)| start.starts_with(magic)) {
            return Err(FileError::Compressed { path: path.to_owned(), program });
        }
        let directory = Directory::read(&file, path)?;
        Ok(Self { path: path.to_owned(), holder: Holder::Archive { path: path.into(), directory } })
    }

    /// Tells whether there is an OCI layout in it.
    pub fn is_oci(&self) -> Result<bool, FileError> {
        Ok(self.find(MARKER)?.is_some())
    }

    /// Returns where a file is; none if it is missing. The name must be plain: checked, or made of a digest.
    pub fn find(&self, name: &str) -> Result<Option<Place>, FileError> {
        match &self.holder {
            Holder::Archive { path, directory } => {
                let found = directory.find(name).map_err(|fault| self.invalid(name, fault))?;
                Ok(found.map(|Extent { offset, size }| Place { path: Arc::clone(path), offset, size }))
            }
            Holder::Folder => {
                let path = self.path.join(name);
                match fs::metadata(&path) {
                    // Opening a pipe would wait for ever.
                    Ok(metadata) if !metadata.is_file() => Err(self.invalid(name, Fault::NoFile)),
                    Ok(metadata) => Ok(Some(Place { path: path.into(), offset: 0, size: metadata.len() })),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(source) => Err(FileError::Read { path, source }),
                }
            }
        }
    }

    /// Returns where a file is.
    ///
    /// # Errors
    /// It is missing.
    pub fn locate(&self, name: &str) -> Result<Place, FileError> {
        self.find(name)?.ok_or_else(|| self.invalid(name, Fault::Missing))
    }

    /// Returns the names of all files, in order; of a folder those of its blobs.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, FileError> {
        let Holder::Archive { directory, .. } = &self.holder else {
            let folder = self.path.join("blobs/sha256");
            let failed = |source| FileError::Read { path: folder.clone(), source };
            let entries = fs::read_dir(&folder).map_err(failed)?;
            let names = entries.map(|entry| {
                let name = entry.map_err(failed)?.file_name();
                Ok(format!("blobs/sha256/{}", name.to_string_lossy()))
            });
            let mut names = names.collect::<Result<Vec<_>, FileError>>()?;
            names.sort_unstable();
            return Ok(names);
        };
        Ok(directory.names().map(str::to_owned).collect())
    }

    /// Reads a document as a whole.
    ///
    /// # Errors
    /// It is missing, or larger than `limit`.
    pub fn document(&self, name: &str, limit: u64) -> Result<Vec<u8>, FileError> {
        let place = self.locate(name)?;
        if place.size > limit {
            return Err(self.invalid(name, Fault::TooLarge { size: place.size, limit }));
        }
        let mut bytes = Vec::new();
        let read = place.open().and_then(|reader| reader.take(limit).read_to_end(&mut bytes));
        read.map_err(|source| FileError::Read { path: place.path.to_path_buf(), source })?;
        Ok(bytes)
    }

    /// Returns a blob that stays where it lies.
    ///
    /// # Errors
    /// It is missing, or has another size.
    pub fn blob(&self, media_type: MediaType, digest: Sha256, size: u64) -> Result<Blob, FileError> {
        let name = blob_name(digest);
        let Place { path, offset, size: actual } = self.locate(&name)?;
        if actual != size {
            return Err(self.invalid(&name, Fault::Size { stated: size, actual }));
        }
        Ok(Blob { media_type, digest, size, content: BlobContent::File { path, offset } })
    }

    /// Reads a blob as a whole.
    ///
    /// # Errors
    /// It is missing, larger than `limit`, or not what its digest and size say.
    pub fn document_blob(&self, blob: &Blob, limit: u64) -> Result<Vec<u8>, FileError> {
        let name = blob_name(blob.digest);
        let bytes = self.document(&name, limit)?;
        let actual = Sha256::of(&bytes);
        if actual == blob.digest {
            Ok(bytes)
        } else {
            Err(self.invalid(&name, Fault::Digest { stated: blob.digest, actual }))
        }
    }

    /// Returns the error about something in the file.
    pub fn invalid(&self, entry: &str, fault: impl Into<Fault>) -> FileError {
        FileError::Invalid { path: self.path.clone(), entry: entry.to_owned(), fault: fault.into() }
    }

    /// Returns where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Place {
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
