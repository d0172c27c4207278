//! Blobs: what images are made of, by digest, wherever their bytes lie.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::image::MediaType;

use crate::archive::ArchiveError;
use crate::archive::layer::{self, LayerTree};
use crate::digest::{HashingWriter, Sha256};

/// Where the bytes of a blob lie.
#[derive(Debug, Clone)]
pub enum BlobContent {
    /// In memory: manifests and configurations.
    Bytes(Arc<[u8]>),
    /// In a file, from `offset` on.
    File {
        /// The file.
        path: Arc<Path>,
        /// Where in the file the blob begins.
        offset: u64,
    },
    /// In the wheels that the layer is spliced from, again each time it is read: that costs no more than copying it.
    Layer(Arc<LayerTree>),
    /// In a registry, under `HOST/REPOSITORY`.
    Registry {
        /// The repository with its registry's name, for instance `registry-1.docker.io/library/python`.
        repository: Arc<str>,
    },
}

/// Bytes that an image refers to by their digest (a descriptor and what it describes).
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

/// Why a blob could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The layer cannot be put together.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Whoever takes the bytes failed.
    #[error("cannot write blob {digest}")]
    Write {
        /// The blob's digest.
        digest: Sha256,
        /// The reason.
        source: io::Error,
    },
    /// The bytes are not what the digest says: a file was changed, or damaged.
    #[error("blob {stated} is damaged: its bytes have the digest {actual}")]
    Damaged {
        /// The digest that the blob is known by.
        stated: Sha256,
        /// The digest of what was read.
        actual: Sha256,
    },
    /// The blob was never downloaded.
    #[error("blob {digest} is in {repository} only")]
    Absent {
        /// The blob's digest.
        digest: Sha256,
        /// Where it is.
        repository: String,
    },
}

impl Blob {
    /// Makes a blob of bytes in memory.
    pub fn of_bytes(media_type: MediaType, bytes: Vec<u8>) -> Self {
        let (digest, size) = (Sha256::of(&bytes), bytes.len() as u64);
        Self { media_type, digest, size, content: BlobContent::Bytes(bytes.into()) }
    }

    /// Writes the bytes to `output`, and compares them with the digest on the way.
    ///
    /// # Errors
    /// They cannot be read or written, are not what the digest says, or are in a registry only.
    pub fn copy_to(&self, output: &mut dyn Write) -> Result<(), BlobError> {
        let mut output = HashingWriter::new(output);
        let write = |source| BlobError::Write { digest: self.digest, source };
        match &self.content {
            BlobContent::Bytes(bytes) => output.write_all(bytes).map_err(write)?,
            BlobContent::Layer(tree) => layer::gzip(tree, &mut output)?,
            BlobContent::File { path, offset } => {
                let read = |source| BlobError::Read { path: path.to_path_buf(), source };
                let mut file = File::open(path).map_err(read)?;
                file.seek(SeekFrom::Start(*offset)).map_err(read)?;
                io::copy(&mut file.take(self.size), &mut output).map_err(write)?;
            }
            BlobContent::Registry { repository } => {
                return Err(BlobError::Absent { digest: self.digest, repository: repository.to_string() });
            }
        }
        let (_, actual, _) = output.finish();
        if actual == self.digest { Ok(()) } else { Err(BlobError::Damaged { stated: self.digest, actual }) }
    }
}

/// A manifest with everything that it refers to: what a sink writes, and what a tag names.
#[derive(Debug, Clone)]
pub struct OciArtifact {
    /// The image manifest, or the image index.
    pub manifest: Blob,
    /// The configuration and the layers that an image manifest refers to.
    pub blobs: Vec<Blob>,
    /// The manifests that an image index refers to.
    pub children: Vec<OciArtifact>,
    /// The manifests that refer to this one as their subject. Nothing of them is a part of the artifact: its digest does
    /// not depend on them, and a registry takes them after it.
    pub referrers: Vec<OciArtifact>,
}

impl OciArtifact {
    /// Returns what refers to the artifact's manifest, and then to those that it refers to, each with the descriptor of its
    /// subject's manifest.
    pub fn all_referrers(&self) -> Vec<(&Blob, &OciArtifact)> {
        let own = self.referrers.iter().map(|referrer| (&self.manifest, referrer));
        own.chain(self.children.iter().flat_map(OciArtifact::all_referrers)).collect()
    }

    /// Returns every blob that is no manifest, each once, ordered by digest.
    pub fn leaves(&self) -> BTreeMap<Sha256, &Blob> {
        let own = self.blobs.iter().map(|blob| (blob.digest, blob));
        self.children.iter().flat_map(|child| child.leaves()).chain(own).collect()
    }

    /// Returns the manifests, each after all that it refers to; the artifact's own is the last.
    pub fn manifests(&self) -> Vec<&Blob> {
        let children = self.children.iter().flat_map(OciArtifact::manifests);
        children.chain([&self.manifest]).collect()
    }
}
