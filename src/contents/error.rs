//! Why an artifact cannot be read.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Sha256;
use crate::hints::Hints;
use crate::image::BlobError;
use crate::wheel::{StrictArchiveError, WheelErrorKind};

/// Why an artifact cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentsError {
    /// Perhaps the files of a function, which `--output dir:PATH` has written.
    #[error("{} is a directory, but not an OCI layout", .0.display())]
    Directory(PathBuf),
    #[error("{} is not a zip, an OCI layout, an OCI archive or a Docker archive", .0.display())]
    NotAnArtifact(PathBuf),
    /// A zip, which registries do not take.
    #[error("cannot push {}: it is a zip, not an image", .0.display())]
    Unpushable(PathBuf),
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The zip could be read differently by different readers.
    #[error("{}: {problem}", .path.display())]
    Zip { path: PathBuf, problem: WheelErrorKind },
    /// An entry of the zip is invalid. Its path may be any string.
    #[error("{}: `{}`: {problem}", .path.display(), .entry.escape_debug())]
    Entry { path: PathBuf, entry: String, problem: WheelErrorKind },
    #[error("the {document} {digest} is malformed: {reason}")]
    Document { document: &'static str, digest: Sha256, reason: String },
    #[error("there is no image for {wanted}; available: {available}")]
    NoPlatform { wanted: String, available: String },
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error("cannot unpack layer {digest}")]
    Layer { digest: Sha256, source: io::Error },
    /// A layer does not match its digest or its diff ID.
    #[error("layer {digest} is damaged: {reason}")]
    Damaged { digest: Sha256, reason: String },
}

impl ContentsError {
    /// Returns the conversion of an I/O error of reading a zip.
    pub(super) fn reading(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Read { path: path.clone(), source }
    }

    /// Creates the error of a malformed manifest or image config.
    pub(crate) fn malformed(document: &'static str, digest: Sha256, reason: impl ToString) -> Self {
        Self::Document { document, digest, reason: reason.to_string() }
    }

    pub(super) fn zip(path: PathBuf, StrictArchiveError { entry, kind: problem }: StrictArchiveError) -> Self {
        match entry {
            Some(entry) => Self::Entry { path, entry, problem },
            None => Self::Zip { path, problem },
        }
    }
}

impl Hints for ContentsError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Zip { .. } | Self::Entry { .. } | Self::Layer { .. } | Self::Damaged { .. } => {
                vec!["run `pybundle verify` to list all problems".to_owned()]
            }
            Self::Directory(_) => vec![
                "if it is the output of --output dir:PATH, build with --output FILE.zip: the zip has the same files"
                    .to_owned(),
            ],
            Self::NotAnArtifact(_) => {
                vec![
                    "pass what `pybundle lambda` or `pybundle image` has written, or an image: HOST/REPOSITORY:TAG"
                        .to_owned(),
                ]
            }
            Self::Unpushable(_) => vec![
                "use `pybundle deploy` for a function, or build an image with `pybundle image` to push it".to_owned(),
            ],
            Self::NoPlatform { .. } => vec!["select one of them with --platform".to_owned()],
            Self::Read { .. } | Self::Document { .. } | Self::Blob(_) => Vec::new(),
        }
    }
}
