//! Blobs: manifests, image configs and layers, identified by their digests.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::image::MediaType;

use crate::archive::ArchiveError;
use crate::archive::layer::{self, LayerTree};
use crate::digest::{HashingWriter, Sha256};
use crate::tree::DamagedFile;

/// Where the bytes of a blob are.
#[derive(Debug, Clone)]
pub enum BlobContent {
    /// In memory: manifests and image configs.
    Bytes(Arc<[u8]>),
    /// In a file, from `offset` on.
    File {
        /// The file.
        path: Arc<Path>,
        /// The offset of the blob, in bytes.
        offset: u64,
    },
    /// In wheels: the layer is spliced again each time it is read, which costs no more than copying it.
    Layer(Arc<LayerTree>),
    /// In a registry.
    Registry {
        /// The repository with its registry, for instance `registry-1.docker.io/library/python`.
        repository: Arc<str>,
    },
}

/// A descriptor, and where the bytes that it describes are.
#[derive(Debug, Clone)]
pub struct Blob {
    /// The media type.
    pub media_type: MediaType,
    /// The digest of the bytes.
    pub digest: Sha256,
    /// The number of bytes.
    pub size: u64,
    /// Where the bytes are.
    pub content: BlobContent,
}

/// Why a blob cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The layer cannot be spliced.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The writer that receives the bytes failed.
    #[error("cannot write blob {digest}")]
    Write {
        /// The blob's digest.
        digest: Sha256,
        /// The error of the writer.
        source: io::Error,
    },
    /// The bytes do not match the digest: a file was changed or damaged.
    #[error("blob {expected} is damaged: its content has the digest {actual}{}", in_file(.file.as_ref()))]
    Damaged {
        /// The digest in the descriptor.
        expected: Sha256,
        /// The digest of the content.
        actual: Sha256,
        /// The file that contains it, if it is in one.
        #[source]
        file: Option<DamagedFile>,
    },
    /// The blob is only in a registry.
    #[error("blob {digest} has not been downloaded from {repository}")]
    NotDownloaded {
        /// The blob's digest.
        digest: Sha256,
        /// The repository that contains it.
        repository: String,
    },
}

impl BlobError {
    /// Returns the conversion of an I/O error, for `map_err(BlobError::read(path))`.
    fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }

    /// Returns the error of the writer if that is what failed, and else the error itself. The caller knows what it wrote to.
    pub(super) fn of_output(self) -> Result<io::Error, Self> {
        match self {
            Self::Write { source, .. } | Self::Archive(ArchiveError::Output(source)) => Ok(source),
            other => Err(other),
        }
    }

    /// Returns the conversion of an I/O error, for `map_err(BlobError::write(digest))`.
    pub(super) fn write(digest: Sha256) -> impl Fn(io::Error) -> Self {
        move |source| Self::Write { digest, source }
    }
}

impl Blob {
    /// Creates a blob from bytes in memory.
    pub fn of_bytes(media_type: MediaType, bytes: Vec<u8>) -> Self {
        let (digest, size) = (Sha256::of(&bytes), bytes.len() as u64);
        Self { media_type, digest, size, content: BlobContent::Bytes(bytes.into()) }
    }

    /// Writes the bytes to `output`, and verifies the digest.
    ///
    /// # Errors
    /// The bytes cannot be read or written, do not match the digest, or have not been downloaded.
    pub fn copy_to(&self, output: &mut dyn Write) -> Result<(), BlobError> {
        let mut output = HashingWriter::new(output);
        match &self.content {
            BlobContent::Bytes(bytes) => output.write_all(bytes).map_err(BlobError::write(self.digest))?,
            BlobContent::Layer(tree) => layer::gzip(tree, &mut output)?,
            BlobContent::File { path, offset } => {
                let mut file = File::open(path).map_err(BlobError::read(path))?;
                file.seek(SeekFrom::Start(*offset)).map_err(BlobError::read(path))?;
                io::copy(&mut file.take(self.size), &mut output).map_err(BlobError::write(self.digest))?;
            }
            BlobContent::Registry { repository } => {
                return Err(BlobError::NotDownloaded { digest: self.digest, repository: repository.to_string() });
            }
        }
        let (_, actual, _) = output.finish();
        if actual == self.digest {
            return Ok(());
        }
        let file = match &self.content {
            BlobContent::File { path, .. } => Some(DamagedFile { path: path.to_path_buf() }),
            BlobContent::Bytes(_) | BlobContent::Layer(_) | BlobContent::Registry { .. } => None,
        };
        Err(BlobError::Damaged { expected: self.digest, actual, file })
    }
}

/// Names the file of a damaged blob.
fn in_file(file: Option<&DamagedFile>) -> String {
    file.map(|file| format!(" in {}", file.path.display())).unwrap_or_default()
}

/// A manifest or an index with everything that it refers to: what a tag names and what outputs write.
#[derive(Debug, Clone)]
pub struct OciArtifact {
    /// The image manifest, or the image index.
    pub manifest: Blob,
    /// The image config and the layers of an image manifest.
    pub blobs: Vec<Blob>,
    /// The manifests of an image index.
    pub children: Vec<OciArtifact>,
    /// The manifests that refer to this one as their subject. The artifact's digest does not depend on them, and they are
    /// pushed after it.
    pub referrers: Vec<OciArtifact>,
}

impl OciArtifact {
    /// Returns the referrers of this artifact, then those of its children, each with its subject's manifest.
    pub(crate) fn all_referrers(&self) -> Vec<(&Blob, &OciArtifact)> {
        let own = self.referrers.iter().map(|referrer| (&self.manifest, referrer));
        own.chain(self.children.iter().flat_map(OciArtifact::all_referrers)).collect()
    }

    /// Returns all image configs and layers, each once, ordered by digest.
    pub fn leaves(&self) -> BTreeMap<Sha256, &Blob> {
        let own = self.blobs.iter().map(|blob| (blob.digest, blob));
        self.children.iter().flat_map(|child| child.leaves()).chain(own).collect()
    }

    /// Returns all manifests, children first: a registry rejects an index before the manifests that it refers to.
    pub fn manifests(&self) -> Vec<&Blob> {
        let children = self.children.iter().flat_map(OciArtifact::manifests);
        children.chain([&self.manifest]).collect()
    }
}
