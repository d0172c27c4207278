//! Why an artifact cannot be read.

use std::io;
use std::path::PathBuf;

use crate::digest::Sha256;
use crate::hints::Hints;
use crate::image::BlobError;
use crate::wheel::{StrictArchiveError, WheelErrorKind};

/// Why an artifact cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The zip is not one that all readers would read alike.
    #[error("{}: {fault}", .path.display())]
    Zip {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: WheelErrorKind,
    },
    /// An entry of the zip is wrong.
    #[error("{}: `{}`: {fault}", .path.display(), .entry.escape_debug())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The entry; it may be any text.
        entry: String,
        /// What is wrong.
        fault: WheelErrorKind,
    },
    /// A document of an image cannot be understood.
    #[error("the image's {document} {digest} is malformed: {reason}")]
    Document {
        /// What it is.
        document: &'static str,
        /// Its digest.
        digest: Sha256,
        /// What is wrong with it.
        reason: String,
    },
    /// The image has no manifest for a platform.
    #[error("there is no image for {wanted}; there is {available}")]
    NoPlatform {
        /// The platform.
        wanted: String,
        /// The platforms that there are.
        available: String,
    },
    /// A blob cannot be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A layer cannot be unpacked.
    #[error("layer {digest} cannot be unpacked")]
    Layer {
        /// The layer's digest.
        digest: Sha256,
        /// The reason.
        source: io::Error,
    },
    /// A layer is not what its digests say.
    #[error("layer {digest} is damaged: {reason}")]
    Damaged {
        /// The layer's digest.
        digest: Sha256,
        /// What is wrong.
        reason: String,
    },
}

impl ContentsError {
    /// Names the file that a defect is in.
    pub(super) fn zip(path: PathBuf, StrictArchiveError { entry, kind: fault }: StrictArchiveError) -> Self {
        match entry {
            Some(entry) => Self::Entry { path, entry, fault },
            None => Self::Zip { path, fault },
        }
    }
}

impl Hints for ContentsError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Zip { .. } | Self::Entry { .. } | Self::Layer { .. } | Self::Damaged { .. } => {
                vec!["`pybundle verify` lists everything that is wrong with it".to_owned()]
            }
            Self::NoPlatform { .. } => vec!["name one of them with --platform".to_owned()],
            Self::Read { .. } | Self::Document { .. } | Self::Blob(_) => Vec::new(),
        }
    }
}
