//! Writing a [`FileTree`](crate::tree::FileTree) as an archive whose bytes depend on the tree alone: a zip, or a layer.
//!
//! What a wheel has deflated is copied as it lies. Only what pybundle makes itself (RECORD, launchers) and the files of
//! the application are deflated here.

mod archives;
pub mod deflate;
pub mod layer;
pub mod output;
pub mod pack;
mod splice;
pub mod tar;
pub mod zip;

use std::io;
use std::path::PathBuf;

use crate::hints::Hints;
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
    /// Whoever takes the bytes of a layer failed.
    #[error("cannot write a layer")]
    Output(#[source] io::Error),
    /// A symbolic link wants the path of something else.
    #[error("`{path}` is a symbolic link, and also a file or a folder")]
    LinkPath {
        /// The path in the layer.
        path: TreePath,
    },
    /// A symbolic link points at nothing that can be named.
    #[error("`{path}` cannot be a symbolic link to `{}`", .target.escape_debug())]
    LinkTarget {
        /// The path in the layer.
        path: TreePath,
        /// What the link is to point at.
        target: String,
    },
    /// A path is longer than the format can say.
    #[error("`{entry}` is longer than the 65,535 bytes that a zip can hold for a name")]
    NameTooLong {
        /// The path in the archive.
        entry: TreePath,
    },
}

impl Hints for ArchiveError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Changed { .. } => vec!["run pybundle again when nothing writes to the project".to_owned()],
            Self::Write { .. }
            | Self::Read { .. }
            | Self::Output(_)
            | Self::LinkPath { .. }
            | Self::LinkTarget { .. }
            | Self::NameTooLong { .. } => Vec::new(),
        }
    }
}
