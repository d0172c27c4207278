//! Writes a [`FileTree`](crate::tree::FileTree) as an archive whose bytes depend on the tree alone: a zip or a layer.
//! Or as the files of a directory, for tools that make the archive themselves.
//!
//! Entries of wheels are copied without inflating them. What no wheel has is deflated here: files that pybundle generates
//! (RECORD, launchers, bytecode), the application's files, those of Debian's packages, and uncompressed layers of a base.

pub(crate) mod deflate;
pub(crate) mod destination;
pub(crate) mod directory;
pub(crate) mod earlier;
pub mod layer;
pub(crate) mod mirror;
mod open_wheels;
pub mod output;
pub(crate) mod pack;
mod splice;
pub(crate) mod tar;
pub(crate) mod unpacked;
pub mod zip;

use std::io;
use std::path::{Path, PathBuf};

use crate::hints::Hints;
use crate::tree::{DamagedFile, FileOrigin, TreePath};

/// The modification time of every file in every artifact, in seconds since 1970: 1980-01-01T00:00:00Z. It is the
/// earliest time that a zip can store (APPNOTE 4.4.6), so that zips, layers and images can all have the same.
pub(crate) const EPOCH: u64 = 315_532_800;

/// Why an archive cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The output cannot be written, or its directory cannot be created.
    #[error("cannot write {}", destination::shown(.path).display())]
    Write {
        /// The output.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The path of the output is that of a file in another format, which is not an earlier output.
    #[error("{} already exists and is not {format}", .path.display())]
    NotReplaceable {
        /// The output.
        path: PathBuf,
        /// The format of the output, with an article.
        format: &'static str,
    },
    /// The directory of an output has a file that pybundle did not write.
    #[error("cannot replace {}: pybundle did not write {}", .directory.display(), .file.display())]
    ForeignFile {
        /// The output.
        directory: PathBuf,
        /// The file in it.
        file: PathBuf,
    },
    /// The directory of an output can only be written into, but not be replaced.
    #[error("cannot replace {}: it is a mount point", .path.display())]
    MountPoint {
        /// The output.
        path: PathBuf,
    },
    /// The source of an entry cannot be read.
    #[error("cannot read {} for `{entry}`", .path.display())]
    Read {
        /// The file on disk: a wheel, or a file of the project.
        path: PathBuf,
        /// The path in the archive.
        entry: TreePath,
        /// The error of the system.
        source: io::Error,
    },
    /// The source of an entry cannot be obtained.
    #[error("cannot obtain `{entry}`")]
    Obtain {
        /// The path in the archive.
        entry: TreePath,
        /// Why not.
        source: io::Error,
    },
    /// A file of the project was changed while the archive was written.
    #[error("{} changed while it was bundled", .path.display())]
    Changed {
        /// The file on disk.
        path: PathBuf,
    },
    /// The writer that receives a layer failed.
    #[error("cannot write a layer")]
    Output(#[source] io::Error),
    /// A symbolic link has the path of a file or a directory, or is below a file or another link.
    #[error("`{path}` is a symbolic link, and also a file or a directory")]
    LinkPath {
        /// The path in the layer.
        path: TreePath,
    },
    /// A path of a layer has a component that would be a whiteout.
    #[error(
        "`{path}`{} cannot be in a layer: names that begin with `.wh.` are whiteouts, which remove files of lower layers",
        .origin.as_ref().map(|origin| format!(" of {origin}")).unwrap_or_default()
    )]
    Whiteout {
        /// The path in the layer.
        path: String,
        /// What it belongs to; `None` for directories and links.
        origin: Option<FileOrigin>,
    },
    /// The target of a symbolic link is empty or has a null byte.
    #[error("`{path}` cannot be a symbolic link to `{}`", .target.escape_debug())]
    LinkTarget {
        /// The path in the layer.
        path: TreePath,
        /// The target.
        target: String,
    },
    /// A path does not fit the zip format (APPNOTE 4.4.10).
    #[error("`{entry}` is longer than 65,535 bytes, the limit for a path in a zip")]
    NameTooLong {
        /// The path in the archive.
        entry: TreePath,
    },
}

impl ArchiveError {
    /// Returns the conversion of an I/O error, for `map_err(ArchiveError::write(path))`.
    pub(crate) fn write(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Write { path: path.to_owned(), source }
    }

    /// Returns the error of an entry whose bytes are not those that were verified.
    fn damaged(path: &Path, entry: &TreePath) -> Self {
        Self::read(path, entry)(DamagedFile { path: path.to_owned() }.into())
    }

    /// Returns the conversion of an I/O error, for `map_err(ArchiveError::obtain(entry))`.
    fn obtain(entry: &TreePath) -> impl Fn(io::Error) -> Self {
        move |source| Self::Obtain { entry: entry.clone(), source }
    }

    /// Returns the conversion of an I/O error, for `map_err(ArchiveError::read(path, entry))`.
    fn read(path: &Path, entry: &TreePath) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), entry: entry.clone(), source }
    }
}

impl Hints for ArchiveError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Changed { .. } => {
                vec!["run pybundle again while no other process writes to the project".to_owned()]
            }
            Self::Whiteout { origin: Some(FileOrigin::Application), .. } => {
                vec!["rename it, or do not include it".to_owned()]
            }
            Self::NotReplaceable { .. } => vec!["remove it, or choose another path".to_owned()],
            Self::ForeignFile { .. } => vec!["choose a directory that is empty or does not exist".to_owned()],
            Self::MountPoint { path } => vec![format!("choose a directory in it, as in dir:{}/NAME", path.display())],
            Self::Write { path, source } => writing_hints(path, source),
            Self::Read { .. }
            | Self::Obtain { .. }
            | Self::Output(_)
            | Self::LinkPath { .. }
            | Self::Whiteout { .. }
            | Self::LinkTarget { .. }
            | Self::NameTooLong { .. } => Vec::new(),
        }
    }
}

/// Returns what to do about an output that cannot be written.
fn writing_hints(path: &Path, error: &io::Error) -> Vec<String> {
    let hint = match error.kind() {
        io::ErrorKind::IsADirectory => format!("name a file in it, as in {}", path.join("NAME").display()),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a path in a directory that you can write to".to_owned()
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free disk space, or choose a path on another file system".to_owned()
        }
        _ => return Vec::new(),
    };
    vec![hint]
}
