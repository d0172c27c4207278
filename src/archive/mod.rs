//! Writing a [`FileTree`](crate::tree::FileTree) as an archive whose bytes depend on the tree alone.
//!
//! What a wheel has deflated is copied as it lies. Only what pybundle makes itself (RECORD, launchers) and the files of
//! the application are deflated here.

pub mod deflate;
pub mod layer;
pub mod output;
pub mod zip;

use std::io;
use std::path::PathBuf;

use crate::tree::TreePath;

/// Why an archive could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The output, or the folder it is to be in, cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The output.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file that belongs into the archive cannot be read.
    #[error("cannot read {} for `{entry}`", .path.display())]
    Read {
        /// The file on disk: a wheel, or a file of the project.
        path: PathBuf,
        /// The path in the archive.
        entry: TreePath,
        /// The system's reason.
        source: io::Error,
    },
    /// A file of the project was written to while the archive was.
    #[error("{} changed while it was bundled", .path.display())]
    Changed {
        /// The file on disk.
        path: PathBuf,
    },
    /// A path is longer than the format can say.
    #[error("`{entry}` is longer than the 65,535 bytes that a zip can hold for a name")]
    NameTooLong {
        /// The path in the archive.
        entry: TreePath,
    },
}

impl ArchiveError {
    /// Returns what the user can do about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Changed { .. } => vec!["run pybundle again when nothing writes to the project".to_owned()],
            Self::Write { .. } | Self::Read { .. } | Self::NameTooLong { .. } => Vec::new(),
        }
    }
}
