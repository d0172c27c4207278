//! Layers: a tree as a tar archive, spliced into one gzip member or compressed with zstd.

use std::collections::BTreeMap;
use std::io::Write;

use super::ArchiveError;
use crate::digest::Sha256;
use crate::tree::{FileTree, TreePath};

/// What a layer holds. Its bytes depend on nothing else.
#[derive(Debug, Clone, Default)]
pub struct LayerTree {
    /// The files, by their paths from the root of the file system.
    pub files: FileTree,
    /// The symbolic links, with what they point at. No path is also a file's.
    pub links: BTreeMap<TreePath, String>,
}

/// Writes a layer as one gzip member, spliced from what the wheels have compressed. Nothing is inflated.
///
/// # Errors
/// The output cannot be written, a file cannot be read, or a file of the project changes meanwhile.
pub fn gzip(tree: &LayerTree, output: &mut dyn Write) -> Result<(), ArchiveError> {
    let _ = (tree, output);
    todo!()
}

/// Writes a layer as one gzip member, and its uncompressed bytes, a tar archive, to `tar`.
///
/// # Errors
/// As [`gzip`].
pub fn gzip_and_tar(tree: &LayerTree, output: &mut dyn Write, tar: &mut dyn Write) -> Result<(), ArchiveError> {
    let _ = (tree, output, tar);
    todo!()
}

/// Writes a layer compressed with zstd, and returns its diff ID.
///
/// # Errors
/// As [`gzip`].
pub fn zstd(tree: &LayerTree, output: &mut dyn Write) -> Result<Sha256, ArchiveError> {
    let _ = (tree, output);
    todo!()
}
