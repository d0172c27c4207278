//! Why an image cannot be read from a file, or written to one.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::{ImageFormat, ImageSource, InvalidImageFile};
use crate::archive::ArchiveError;
use crate::digest::Sha256;
use crate::hints::Hints;
use crate::image::BlobError;

/// Why an image cannot be read from a file, or written to one.
#[derive(Debug, thiserror::Error)]
pub enum ImageFileError {
    /// The text that names the file is invalid.
    #[error(transparent)]
    Name(#[from] InvalidImageFile),
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A blob of the image cannot be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The format of the file cannot be detected.
    #[error("{} is not an OCI layout, an OCI archive or a Docker archive", .0.display())]
    UnknownFormat(PathBuf),
    /// The file does not have the format of its prefix.
    #[error("{} is not {}: {reason}", .path.display(), .format.with_article())]
    WrongFormat {
        /// The file.
        path: PathBuf,
        /// The expected format.
        format: ImageFormat,
        /// How the two differ.
        reason: &'static str,
    },
    /// The archive as a whole is compressed, so its blobs cannot be read in place.
    #[error("{} is compressed with {command}", .path.display())]
    Compressed {
        /// The archive.
        path: PathBuf,
        /// The command that decompresses it.
        command: &'static str,
    },
    /// An entry of the layout or the archive is invalid.
    #[error("{}: `{}` {problem}", .path.display(), .entry.escape_debug())]
    Invalid {
        /// The layout or the archive.
        path: PathBuf,
        /// The path in it, or the digest of a document.
        entry: String,
        /// What is wrong with the entry.
        problem: InvalidEntry,
    },
    /// The file contains several artifacts, and none is selected.
    #[error("{} contains several artifacts: {}", .path.display(), quoted(.names))]
    Ambiguous {
        /// The layout or the archive.
        path: PathBuf,
        /// The names to choose from, or the digests of artifacts without a name.
        names: BTreeSet<String>,
    },
    /// The file does not contain the selected artifact.
    #[error("{} does not contain `{}`, only {}", .path.display(), .selector.escape_debug(), quoted(.names))]
    NotFound {
        /// The layout or the archive.
        path: PathBuf,
        /// The name or the digest that was selected.
        selector: String,
        /// The names in the file, or the digests of artifacts without a name.
        names: BTreeSet<String>,
    },
    /// The path of a layout is a file, or a directory with other files.
    #[error("{} already exists and is not an OCI layout", .0.display())]
    NotReplaceable(PathBuf),
    /// The digest of an uncompressed layer is not its diff ID.
    #[error("the uncompressed layer {digest} has the diff ID {diff_id} in the image config: the two must be equal")]
    DiffId {
        /// The layer's digest.
        digest: Sha256,
        /// The diff ID in the image config.
        diff_id: Sha256,
    },
    /// `docker load` cannot decompress a layer.
    #[error("`docker load` does not support layer {digest}: its media type is {media_type}")]
    UnsupportedByDocker {
        /// The layer's digest.
        digest: Sha256,
        /// The layer's media type.
        media_type: String,
    },
}

/// What is wrong with an entry of a layout or an archive. The message follows the entry's name.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEntry {
    /// The entry does not exist.
    #[error("is missing")]
    Missing,
    /// The entry is a directory, a device or a pipe.
    #[error("is not a regular file")]
    NotAFile,
    /// The size differs from the one in the descriptor.
    #[error("should have {expected} bytes, but has {actual}")]
    Size {
        /// The size in the descriptor.
        expected: u64,
        /// The size of the entry.
        actual: u64,
    },
    /// The digest differs from the one in the descriptor, the name or the image config.
    #[error("should have the digest {expected}, but has {actual}")]
    Digest {
        /// The digest in the descriptor, the name or the image config.
        expected: Sha256,
        /// The digest of the content.
        actual: Sha256,
    },
    /// The document is too large to be read.
    #[error("has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The document is not JSON, or does not follow its schema.
    #[error("is malformed: {0}")]
    Json(#[from] serde_json::Error),
    /// The document or the header contradicts its specification.
    #[error("{0}")]
    Malformed(&'static str),
    /// The version of the layout is not supported.
    #[error("has the layout version `{}`, expected 1.0.0", .0.escape_debug())]
    UnsupportedVersion(String),
    /// The document refers to a digest that is not SHA-256.
    #[error("refers to `{}`: only SHA-256 is supported", .0.escape_debug())]
    UnsupportedDigest(String),
    /// The media type differs from the one in the descriptor.
    #[error("has the media type `{}`, but its descriptor has `{}`", .actual.escape_debug(), .expected.escape_debug())]
    MediaType {
        /// The media type in the descriptor.
        expected: String,
        /// The media type in the document.
        actual: String,
    },
    /// The path is absolute, leaves the archive or is otherwise invalid.
    #[error("is not a valid path in an archive")]
    Path,
    /// The manifest and the image config disagree on the number of layers.
    #[error("lists {layers} layers, but its image config has {diff_ids} diff IDs")]
    LayerCount {
        /// The number of layers.
        layers: usize,
        /// The number of diff IDs.
        diff_ids: usize,
    },
}

impl ImageFileError {
    /// Returns the conversion of an I/O error, for `map_err(ImageFileError::read(path))`.
    pub(in crate::image) fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }

    /// Returns the conversion of an I/O error, for `map_err(ImageFileError::write(path))`.
    pub(in crate::image) fn write(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Write { path: path.to_owned(), source }
    }
}

impl Hints for ImageFileError {
    fn hints(&self) -> Vec<String> {
        match self {
            // It says what to write.
            Self::Name(name) if name.reason.starts_with("`~`") => Vec::new(),
            Self::Name(_) | Self::UnknownFormat(_) => {
                vec!["use oci:DIR, oci-archive:FILE or docker-archive:FILE".to_owned()]
            }
            Self::WrongFormat { path, .. } if ImageSource::detect_format(path).is_err() => {
                vec!["use oci:DIR, oci-archive:FILE or docker-archive:FILE".to_owned()]
            }
            Self::WrongFormat { path, .. } => {
                vec![format!("use {} without a prefix to detect the format", path.display())]
            }
            Self::Compressed { path, command } => {
                let path = path.display();
                vec![format!("decompress it: {command} -dc '{path}' > '{path}.tar'")]
            }
            Self::Ambiguous { .. } => vec!["select one, as in oci:DIR:NAME or oci:DIR@sha256:…".to_owned()],
            Self::NotReplaceable(_) => vec!["remove it, or choose another path".to_owned()],
            Self::UnsupportedByDocker { .. } => vec!["compress the layers with gzip".to_owned()],
            Self::Archive(error) => error.hints(),
            Self::Invalid { .. } | Self::DiffId { .. } => {
                vec!["it is damaged or incomplete: write it again".to_owned()]
            }
            Self::Read { .. } | Self::Write { .. } | Self::Blob(_) | Self::NotFound { .. } => Vec::new(),
        }
    }
}

/// The most names in a message.
const MOST_NAMES: usize = 20;

/// Lists names for a message.
fn quoted(names: &BTreeSet<String>) -> String {
    let mut listed: Vec<String> =
        names.iter().take(MOST_NAMES).map(|name| format!("`{}`", name.escape_debug())).collect();
    if names.len() > MOST_NAMES {
        listed.push(format!("{} more", names.len() - MOST_NAMES));
    }
    if listed.is_empty() { "nothing".to_owned() } else { listed.join(", ") }
}
