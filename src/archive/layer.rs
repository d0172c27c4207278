//! Layers: a tree as a tar archive, spliced into one gzip member or compressed with zstd.
//!
//! Members are ordered by the bytes of their paths, each directory once, before its content. The bytes of a layer depend
//! on its tree alone.
//!
//! Specification: [OCI image layer filesystem changeset](https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::ArchiveError;
use super::open_wheels::OpenWheels;
use super::splice::Splicer;
use super::tar::{self, TarFormat, TarMember};
use crate::digest::{HashingWriter, Sha256};
use crate::tree::{Extent, FileAccess, FileContent, FileTree, PresentContent, TreeEntry, TreePath};

#[cfg(test)]
mod tests;
mod uncompressed;

use uncompressed::UncompressedWriter;

/// The zstd level. Part of the format: another level gives other bytes.
const ZSTD_LEVEL: i32 = 3;

/// What the name of a whiteout begins with, and names that are reserved for such files of AUFS (layer, whiteouts).
const WHITEOUT_PREFIX: &str = ".wh.";

/// How much is read at a time where nothing is spliced, in bytes.
const PORTION: usize = 256 * 1024;

/// The files and links of a layer. Its bytes depend on nothing else.
#[derive(Debug, Clone, Default)]
pub struct LayerTree {
    /// The files and directories. Paths are relative to the root of the file system.
    pub files: FileTree,
    /// The targets of symbolic links by their paths, none of which is also in [`LayerTree::files`].
    pub links: BTreeMap<TreePath, String>,
    /// Other names of files, with the path of a file in [`LayerTree::files`], which comes before them.
    pub(crate) hard_links: BTreeMap<TreePath, TreePath>,
    /// The capabilities of files as the kernel stores them (`security.capability`).
    pub(crate) capabilities: BTreeMap<TreePath, Vec<u8>>,
    /// The files of lower layers that are removed.
    pub(crate) whiteouts: BTreeSet<TreePath>,
}

/// Writes a layer as one gzip member, spliced from the deflate streams of the wheels. Nothing is inflated.
///
/// # Errors
/// The output cannot be written, a file cannot be read, a file of the project changes meanwhile, a path would be a
/// whiteout, or a link has the path of a file or directory.
pub fn gzip(tree: &LayerTree, output: &mut dyn Write) -> Result<(), ArchiveError> {
    LayerWriter::new(Some(Splicer::new(output)), None).write(tree)
}

/// Writes a layer as one gzip member, and the uncompressed tar archive to `tar`.
///
/// # Errors
/// As [`gzip`], or a wheel has changed since it was verified.
pub fn gzip_and_tar(tree: &LayerTree, output: &mut dyn Write, tar: &mut dyn Write) -> Result<(), ArchiveError> {
    LayerWriter::new(Some(Splicer::new(output)), Some(UncompressedWriter::new(tar))).write(tree)
}

/// Writes a layer compressed with zstd, and returns its diff ID.
///
/// The frame has a checksum, and omits the size of its content: the tar archive is streamed, and readers of layers do
/// not need it.
///
/// # Errors
/// As [`gzip_and_tar`].
pub fn zstd(tree: &LayerTree, output: &mut dyn Write) -> Result<Sha256, ArchiveError> {
    let mut tar = HashingWriter::new(encoder(output).map_err(ArchiveError::Output)?);
    LayerWriter::new(None, Some(UncompressedWriter::new(&mut tar))).write(tree)?;
    let (encoder, diff_id, _) = tar.finish();
    encoder.finish().map_err(ArchiveError::Output)?;
    Ok(diff_id)
}

/// Returns a compressor whose settings are all fixed.
fn encoder<'a, W: Write>(output: W) -> io::Result<zstd::stream::write::Encoder<'a, W>> {
    let mut encoder = zstd::stream::write::Encoder::new(output, ZSTD_LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.include_contentsize(false)?;
    Ok(encoder)
}

enum MemberSource<'a> {
    File(&'a TreePath, &'a TreeEntry),
    Link(&'a str),
    HardLink(&'a TreePath),
    Whiteout,
    /// A directory that was added by itself, and may be empty.
    Directory,
}

/// Returns the files, links and explicit directories, ordered by the bytes of their paths. The path of a directory ends
/// in a slash, so that it comes right before its content.
fn members(tree: &LayerTree) -> Result<Vec<(Cow<'_, str>, MemberSource<'_>)>, ArchiveError> {
    for (path, target) in &tree.links {
        let is_taken = tree.files.get(path.as_str()).is_some() || tree.files.is_directory(path.as_str());
        if is_taken || path.parents().any(|parent| is_file_or_link(tree, parent)) {
            return Err(ArchiveError::LinkPath { path: path.clone() });
        }
        if target.is_empty() || target.contains('\0') {
            return Err(ArchiveError::LinkTarget { path: path.clone(), target: target.clone() });
        }
    }
    for (path, target) in &tree.hard_links {
        let is_taken = is_file_or_link(tree, path.as_str()) || tree.files.is_directory(path.as_str());
        if is_taken || path <= target || tree.files.get(target.as_str()).is_none() {
            return Err(ArchiveError::LinkPath { path: path.clone() });
        }
    }
    let files = tree.files.iter().map(|(path, entry)| (path.as_str().into(), MemberSource::File(path, entry)));
    let hard_links = tree.hard_links.iter();
    let hard_links = hard_links.map(|(path, target)| (path.as_str().into(), MemberSource::HardLink(target)));
    let links = tree.links.iter().map(|(path, target)| (path.as_str().into(), MemberSource::Link(target)));
    let directories = tree.files.directories().map(|(path, _)| (format!("{path}/").into(), MemberSource::Directory));
    let mut members: Vec<(Cow<'_, str>, MemberSource)> =
        files.chain(links).chain(hard_links).chain(directories).collect();
    match members.iter().find(|(path, _)| has_whiteout(path)) {
        Some((path, source)) => {
            let origin = match source {
                MemberSource::File(_, entry) => Some(entry.origin.clone()),
                MemberSource::Link(_)
                | MemberSource::HardLink(_)
                | MemberSource::Whiteout
                | MemberSource::Directory => None,
            };
            Err(ArchiveError::Whiteout { path: path.trim_end_matches('/').to_owned(), origin })
        }
        None => {
            members.extend(tree.whiteouts.iter().map(|path| (whiteout(path).into(), MemberSource::Whiteout)));
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            Ok(members)
        }
    }
}

/// Returns the path of the file that removes a file of lower layers.
fn whiteout(path: &TreePath) -> String {
    match path.as_str().rsplit_once('/') {
        Some((parent, name)) => format!("{parent}/{WHITEOUT_PREFIX}{name}"),
        None => format!("{WHITEOUT_PREFIX}{path}"),
    }
}

/// Returns whether a name of a path is a whiteout, so that unpacking it would remove files of lower layers instead.
pub(crate) fn has_whiteout(path: &str) -> bool {
    path.split('/').any(|name| name.starts_with(WHITEOUT_PREFIX))
}

fn is_file_or_link(tree: &LayerTree, path: &str) -> bool {
    tree.files.get(path).is_some() || tree.links.contains_key(path)
}

/// Writes a layer compressed, uncompressed or both, in one pass.
struct LayerWriter<'a> {
    gzip: Option<Splicer<'a>>,
    tar: Option<UncompressedWriter<'a>>,
    wheels: OpenWheels<'a>,
    /// The header blocks of the current member, kept to reuse the allocation.
    header: Vec<u8>,
}

impl<'a> LayerWriter<'a> {
    fn new(gzip: Option<Splicer<'a>>, tar: Option<UncompressedWriter<'a>>) -> Self {
        Self { gzip, tar, wheels: OpenWheels::default(), header: Vec::new() }
    }

    fn write(mut self, tree: &'a LayerTree) -> Result<(), ArchiveError> {
        let mut previous = Cow::Borrowed("");
        for (path, source) in members(tree)? {
            self.directories(&tree.files, &path, &previous)?;
            match source {
                MemberSource::Directory => {}
                MemberSource::Link(target) => self.header(&path, TarMember::Link(target), None)?,
                MemberSource::HardLink(target) => {
                    let access = tree.files.get(target.as_str()).map_or(FileAccess::FILE, |entry| entry.access);
                    self.header(&path, TarMember::HardLink { access, target: target.as_str() }, None)?;
                }
                MemberSource::Whiteout => {
                    self.header(&path, TarMember::File { access: FileAccess::FILE, size: 0 }, None)?;
                }
                MemberSource::File(tree_path, entry) => {
                    let size = entry.content.size();
                    let capability = tree.capabilities.get(tree_path).map(Vec::as_slice);
                    self.header(&path, TarMember::File { access: entry.access, size }, capability)?;
                    self.content(tree_path, &entry.content)?;
                    self.runs(tar::padding(size))?;
                }
            }
            previous = path;
        }
        self.runs(tar::end())?;
        self.gzip.map_or(Ok(()), Splicer::finish)
    }

    /// Adds the directories above `path` that are not above `previous`, the path before it. Paths are sorted, so no
    /// directory is added twice.
    fn directories(&mut self, files: &FileTree, path: &str, previous: &str) -> Result<(), ArchiveError> {
        for (at, _) in path.match_indices('/') {
            let is_written = previous.as_bytes().get(..=at) == path.as_bytes().get(..=at);
            if !is_written {
                let directory = &path[..at];
                self.header(directory, TarMember::Directory(files.directory_access(directory)), None)?;
            }
        }
        Ok(())
    }

    fn header(&mut self, path: &str, member: TarMember<'_>, capability: Option<&[u8]>) -> Result<(), ArchiveError> {
        let mut header = std::mem::take(&mut self.header);
        header.clear();
        tar::append_header_with(TarFormat::Layer, path, member, capability, &mut header);
        self.runs(&header)?;
        self.header = header;
        Ok(())
    }

    /// Adds bytes that are mostly runs.
    fn runs(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        if let Some(gzip) = &mut self.gzip {
            gzip.runs(bytes)?;
        }
        self.tar.as_mut().map_or(Ok(()), |tar| tar.write(bytes))
    }

    /// Adds the content of a file. An empty entry of a wheel may have a deflate stream of two bytes: it adds nothing, as
    /// an empty file of the project does.
    fn content(&mut self, entry: &TreePath, content: &'a FileContent) -> Result<(), ArchiveError> {
        match content.present().map_err(ArchiveError::obtain(entry))? {
            PresentContent::Archived { extent, .. } if extent.size == 0 => Ok(()),
            PresentContent::Archived { archive, extent } => self.archived(entry, archive, extent),
            PresentContent::Bytes(bytes) => {
                let mut rest = bytes;
                self.deflate(|buffer| {
                    let (now, later) = rest.split_at(rest.len().min(buffer.len()));
                    buffer[..now.len()].copy_from_slice(now);
                    rest = later;
                    Ok(now.len())
                })
            }
            PresentContent::File { path, size } => self.file(entry, path, size),
        }
    }

    /// Copies an entry of a wheel.
    fn archived(&mut self, entry: &TreePath, archive: &'a Path, extent: &Extent) -> Result<(), ArchiveError> {
        if !extent.is_coherent() {
            return Err(ArchiveError::damaged(archive, entry));
        }
        let file = self.wheels.open(archive).map_err(ArchiveError::read(archive, entry))?;
        let mut tar = self.tar.as_mut().map(|tar| tar.extent(extent));
        let mut checksum = 0;
        let fill = |portion: &mut [u8], done: u64| {
            let offset = extent.offset.saturating_add(done);
            file.read_exact_at(portion, offset).map_err(ArchiveError::read(archive, entry))?;
            checksum = crc32c::crc32c_append(checksum, portion);
            tar.as_mut().map_or(Ok(()), |tar| tar.push(portion, || ArchiveError::damaged(archive, entry)))
        };
        match &mut self.gzip {
            Some(gzip) => gzip.extent(extent, fill)?,
            None => in_portions(extent.compressed_size, fill)?,
        }
        let is_whole = checksum == extent.checksum && tar.is_none_or(|tar| tar.is_whole());
        if is_whole { Ok(()) } else { Err(ArchiveError::damaged(archive, entry)) }
    }

    /// Adds a file of the project, which must still have the size in its header.
    fn file(&mut self, entry: &TreePath, path: &Path, size: u64) -> Result<(), ArchiveError> {
        let mut file = File::open(path).map_err(ArchiveError::read(path, entry))?;
        let mut left = size;
        self.deflate(|buffer| {
            let length = file.read(buffer).map_err(ArchiveError::read(path, entry))?;
            left = left.checked_sub(length as u64).ok_or_else(|| ArchiveError::Changed { path: path.to_owned() })?;
            Ok(length)
        })?;
        if left == 0 { Ok(()) } else { Err(ArchiveError::Changed { path: path.to_owned() }) }
    }

    /// Adds what `read` puts into a buffer, until it puts nothing.
    fn deflate(&mut self, mut read: impl FnMut(&mut [u8]) -> Result<usize, ArchiveError>) -> Result<(), ArchiveError> {
        let tar = &mut self.tar;
        let mut read_and_copy = |buffer: &mut [u8]| {
            let length = read(buffer)?;
            tar.as_mut().map_or(Ok(()), |tar| tar.write(&buffer[..length]))?;
            Ok(length)
        };
        match &mut self.gzip {
            Some(gzip) => gzip.deflate(read_and_copy),
            None => {
                let mut buffer = vec![0; PORTION];
                while read_and_copy(&mut buffer)? > 0 {}
                Ok(())
            }
        }
    }
}

/// Calls `fill` with a buffer and an offset until `length` bytes are read.
fn in_portions(
    length: u64,
    mut fill: impl FnMut(&mut [u8], u64) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut buffer = vec![0; PORTION.min(usize::try_from(length).unwrap_or(PORTION))];
    let mut done = 0;
    while done < length {
        let portion = usize::try_from(length - done).unwrap_or(PORTION).min(PORTION);
        fill(&mut buffer[..portion], done)?;
        done += portion as u64;
    }
    Ok(())
}
