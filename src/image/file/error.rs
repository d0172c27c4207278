//! Why an artifact cannot be read from a file, or written to one.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use super::{ImageFormat, InvalidImageFile};
use crate::archive::ArchiveError;
use crate::digest::Sha256;
use crate::hints::Hints;
use crate::image::BlobError;

/// Why an artifact cannot be read from a file, or written to one.
#[derive(Debug, thiserror::Error)]
pub enum ImageFileError {
    /// The text that names the file is wrong.
    #[error(transparent)]
    Name(#[from] InvalidImageFile),
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A blob that belongs into the file cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The file is neither a layout nor an archive.
    #[error("{} is neither an OCI layout nor an archive of OCI or Docker", .0.display())]
    Unrecognised(PathBuf),
    /// The file is not of the form that it is said to be.
    #[error("{} is not what `{}:` stands for: {reason}", .path.display(), .form.prefix())]
    WrongForm {
        /// The file.
        path: PathBuf,
        /// The form that it is said to be.
        form: ImageFormat,
        /// What tells.
        reason: &'static str,
    },
    /// The archive as a whole is compressed, so nothing in it can be read in place.
    #[error("{} is compressed with {program}", .path.display())]
    Compressed {
        /// The archive.
        path: PathBuf,
        /// The program that compresses so.
        program: &'static str,
    },
    /// Something in the file is wrong.
    #[error("{}: `{}` {fault}", .path.display(), .entry.escape_debug())]
    Invalid {
        /// The layout or the archive.
        path: PathBuf,
        /// The path in it.
        entry: String,
        /// What is wrong.
        fault: InvalidEntry,
    },
    /// The file holds several artifacts, and none is chosen.
    #[error("{} holds several artifacts: {}", .path.display(), quoted(.names))]
    Several {
        /// The layout or the archive.
        path: PathBuf,
        /// What can be chosen from: names, or digests of what has none.
        names: BTreeSet<String>,
    },
    /// The file does not hold the artifact that is chosen.
    #[error("{} holds no `{}`, but {}", .path.display(), .choice.escape_debug(), quoted(.names))]
    NotFound {
        /// The layout or the archive.
        path: PathBuf,
        /// What was chosen.
        choice: String,
        /// What there is.
        names: BTreeSet<String>,
    },
    /// The place of a layout is taken by something else.
    #[error("{} is there already and is no OCI layout", .0.display())]
    Occupied(PathBuf),
    /// An uncompressed layer is not what the configuration says.
    #[error("layer {digest} should have the diff ID {diff_id}; it is uncompressed, so the two cannot differ")]
    DiffId {
        /// The layer's digest.
        digest: Sha256,
        /// What the configuration says.
        diff_id: Sha256,
    },
    /// A layer has a compression that `docker load` does not take.
    #[error("`docker load` does not take layer {digest} of media type {media_type}")]
    Unloadable {
        /// The layer's digest.
        digest: Sha256,
        /// The layer's media type.
        media_type: String,
    },
}

/// What is wrong with something in a layout or an archive. Reads as a sentence about it.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEntry {
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It is something other than a file.
    #[error("is no file")]
    NoFile,
    /// It has another size than its descriptor states.
    #[error("has {actual} bytes, and should have {stated}")]
    Size {
        /// What the descriptor says.
        stated: u64,
        /// What there is.
        actual: u64,
    },
    /// It has another digest than its descriptor, its name or the configuration states.
    #[error("should have the digest {stated}, and has {actual}")]
    Digest {
        /// What it should be.
        stated: Sha256,
        /// What it is.
        actual: Sha256,
    },
    /// It is larger than any such document.
    #[error("has {size} bytes, and a document of its kind at most {limit}")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The most that is read.
        limit: u64,
    },
    /// It does not parse.
    #[error("is malformed: {0}")]
    Json(#[from] serde_json::Error),
    /// It follows no schema that is known, or contradicts itself.
    #[error("{0}")]
    Malformed(&'static str),
    /// The layout's version is not known.
    #[error("states version `{}` of the layout, and 1.0.0 is known", .0.escape_debug())]
    Version(String),
    /// A digest that it refers to is not SHA-256.
    #[error("refers to `{}`: only SHA-256 is supported", .0.escape_debug())]
    Algorithm(String),
    /// It states another media type than its descriptor.
    #[error("calls itself `{}`, and its descriptor calls it `{}`", .actual.escape_debug(), .stated.escape_debug())]
    MediaType {
        /// What the descriptor says.
        stated: String,
        /// What it says itself.
        actual: String,
    },
    /// A path in the archive is wrong.
    #[error("is not a path inside an archive")]
    Path,
    /// The number of layers differs from that of the diff IDs.
    #[error("lists {layers} layers, and its configuration {diff_ids} diff IDs")]
    Layers {
        /// The number of layers.
        layers: usize,
        /// The number of diff IDs.
        diff_ids: usize,
    },
}

impl Hints for ImageFileError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Name(_) | Self::Unrecognised(_) => {
                vec!["write oci:DIR, oci-archive:FILE or docker-archive:FILE".to_owned()]
            }
            Self::WrongForm { path, .. } => {
                vec![format!("write {} without a prefix, to have it recognised", path.display())]
            }
            Self::Compressed { path, program } => {
                let path = path.display();
                vec![format!("unpack it: {program} -dc '{path}' > '{path}.tar'")]
            }
            Self::Several { .. } => vec!["say which, as in oci:DIR:NAME or oci:DIR@sha256:…".to_owned()],
            Self::Occupied(_) => vec!["remove it, or choose another place".to_owned()],
            Self::Unloadable { .. } => vec!["compress the layers with gzip".to_owned()],
            Self::Archive(error) => error.hints(),
            Self::Invalid { .. } | Self::DiffId { .. } => {
                vec!["it is damaged or incomplete: write it again".to_owned()]
            }
            Self::Read { .. } | Self::Write { .. } | Self::Blob(_) | Self::NotFound { .. } => Vec::new(),
        }
    }
}

/// The most names that an error lists.
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
