//! The tree of files that an artifact is written from.
//!
//! An entry refers to its content, which stays in the wheels: the memory of a tree depends on the number of files alone.

use std::collections::{BTreeMap, HashMap, btree_map};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::DeflateDecoder;

use crate::digest::Sha256;

pub(crate) mod access;
mod deferred;
mod origin;
mod path;
#[cfg(test)]
mod tests;

pub use access::{FileAccess, FileMode, FileOwner, InvalidMode, InvalidOwner};
pub use deferred::DeferredContent;
pub(crate) use deferred::{KnownContent, MisstatedFile, NeededModule, SourceFacts, SourceMarkers};
pub use origin::{Distribution, FileOrigin, SystemPackage};
pub use path::{InvalidPath, TreePath};

/// The compression method of a zip entry (APPNOTE 4.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ZipCompression {
    /// Method 0.
    Stored,
    /// Method 8 (RFC 1951).
    Deflated,
}

/// Where the compressed bytes of an entry are in a zip, and what they inflate to. All values were verified.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Extent {
    /// The offset in the zip, in bytes.
    pub offset: u64,
    /// The number of compressed bytes.
    pub compressed_size: u64,
    /// The number of uncompressed bytes.
    pub size: u64,
    /// The CRC-32 of the uncompressed bytes.
    pub crc32: u32,
    /// The SHA-256 of the uncompressed bytes.
    pub sha256: Sha256,
    /// The CRC-32C of the compressed bytes, which is compared whenever they are copied: a disk or another program may have
    /// changed them since.
    pub checksum: u32,
    /// The compression, with the position of the last deflate block.
    pub format: ExtentFormat,
}

impl Extent {
    /// Returns whether the fields agree with one another, as they do if they were found by reading a wheel. Those of a
    /// damaged cache record may not.
    pub(crate) fn is_coherent(&self) -> bool {
        match self.format {
            ExtentFormat::Stored => self.compressed_size == self.size,
            // A block is at least a header of three bits.
            ExtentFormat::Deflated { final_block, end } => {
                end.div_ceil(8) == self.compressed_size && final_block.checked_add(3).is_some_and(|bit| bit <= end)
            }
        }
    }
}

/// The format of compressed bytes, with what is needed to join a deflate stream to others.
///
/// Bits are counted from the beginning of the compressed bytes, in each byte from the least significant bit (RFC 1951,
/// section 3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ExtentFormat {
    /// Not compressed.
    Stored,
    /// One deflate stream.
    Deflated {
        /// The position of the `BFINAL` bit of the last block: the first bit of its header.
        final_block: u64,
        /// The first bit after the last block. The rest of its byte is undefined.
        end: u64,
    },
}

impl ExtentFormat {
    pub(crate) fn compression(self) -> ZipCompression {
        match self {
            Self::Stored => ZipCompression::Stored,
            Self::Deflated { .. } => ZipCompression::Deflated,
        }
    }
}

/// A file in the cache, or a wheel, does not contain what was verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its content changed after it was verified")]
pub struct DamagedFile {
    /// The file.
    pub path: PathBuf,
}

impl From<DamagedFile> for io::Error {
    fn from(damaged: DamagedFile) -> Self {
        Self::new(io::ErrorKind::InvalidData, damaged)
    }
}

/// Where the bytes of a file are.
#[derive(Debug, Clone)]
pub enum FileContent {
    /// In a wheel, from which they are copied without inflating them.
    Archived {
        /// The wheel.
        archive: Arc<PathBuf>,
        /// The extent in the wheel.
        extent: Extent,
    },
    /// In a file of the project.
    File {
        /// The file.
        path: PathBuf,
        /// Its size in bytes when it was listed.
        size: u64,
    },
    /// In memory.
    Bytes(Arc<[u8]>),
    /// Not on this machine: obtained when it is first needed.
    Deferred(Arc<DeferredContent>),
}

/// Where the bytes of a file are on this machine, as in [`FileContent`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum PresentContent<'a> {
    Archived { archive: &'a Path, extent: &'a Extent },
    File { path: &'a Path, size: u64 },
    Bytes(&'a [u8]),
}

impl FileContent {
    /// Returns the number of uncompressed bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Archived { extent, .. } => extent.size,
            Self::File { size, .. } => *size,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Deferred(deferred) => deferred.size(),
        }
    }

    /// Returns where the bytes are on this machine. A deferred content is obtained.
    ///
    /// # Errors
    /// It cannot be obtained.
    pub(crate) fn present(&self) -> io::Result<PresentContent<'_>> {
        Ok(match self {
            Self::Archived { archive, extent } => PresentContent::Archived { archive, extent },
            Self::File { path, size } => PresentContent::File { path, size: *size },
            Self::Bytes(bytes) => PresentContent::Bytes(bytes),
            Self::Deferred(deferred) => deferred.content()?.present()?,
        })
    }

    /// Tells whether a text file of at most `limit` bytes contains one of `texts`.
    ///
    /// # Errors
    /// As [`read`](Self::read), unless the answer is known without reading the file.
    pub(crate) fn contains_any(&self, texts: &[&str], limit: u64) -> io::Result<bool> {
        if let Self::Deferred(deferred) = self
            && let KnownContent::Source(facts) = deferred.known()
            && let Some(contains) = facts.markers.contain_any(texts)
        {
            return Ok(contains);
        }
        let bytes = self.read(limit)?;
        Ok(texts.iter().any(|text| memchr::memmem::find(&bytes, text.as_bytes()).is_some()))
    }

    /// Returns the top-level modules that a Python source certainly imports, if they are known without reading it.
    pub(crate) fn known_needs(&self) -> Option<&[NeededModule]> {
        match self {
            Self::Deferred(deferred) => match deferred.known() {
                KnownContent::Source(facts) => Some(&facts.needs),
                KnownContent::Size | KnownContent::Bytes(_) => None,
            },
            _ => None,
        }
    }

    /// Returns the uncompressed bytes.
    ///
    /// # Errors
    /// The file cannot be read; for an extent, [`DamagedFile`] if it does not contain what was verified.
    /// [`io::ErrorKind::FileTooLarge`] if there are more than `limit` bytes.
    pub fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader()?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }

    /// Returns a reader of the uncompressed bytes. At the end of an extent, it returns [`DamagedFile`] if the bytes are not
    /// those that were verified.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(&bytes[..]),
            Self::File { path, .. } => Box::new(File::open(path)?),
            Self::Archived { archive, extent } => {
                let mut file = File::open(&**archive)?;
                file.seek(SeekFrom::Start(extent.offset))?;
                let compressed = file.take(extent.compressed_size);
                let inner: Box<dyn Read> = match extent.format {
                    ExtentFormat::Stored => Box::new(compressed),
                    ExtentFormat::Deflated { .. } => Box::new(DeflateDecoder::new(compressed)),
                };
                Box::new(ExtentReader { inner, archive, extent, crc32: crc32fast::Hasher::new(), size: 0 })
            }
            Self::Deferred(deferred) => match deferred.known() {
                KnownContent::Bytes(bytes) => Box::new(&bytes[..]),
                KnownContent::Size | KnownContent::Source(_) => deferred.content()?.reader()?,
            },
        })
    }

    /// Returns the number of bytes in their current form, which is about their share of an artifact.
    pub(crate) fn stored_size(&self) -> u64 {
        match self {
            Self::Archived { extent, .. } => extent.compressed_size,
            Self::File { .. } | Self::Bytes(_) | Self::Deferred(_) => self.size(),
        }
    }

    /// Returns the SHA-256 of the uncompressed bytes. A file of the project is read, and a deferred one obtained.
    ///
    /// # Errors
    /// The file cannot be read or obtained.
    pub fn sha256(&self) -> Result<Sha256, InsertError> {
        match self {
            Self::Archived { extent, .. } => Ok(extent.sha256),
            Self::Bytes(bytes) => Ok(Sha256::of(bytes)),
            Self::File { path, .. } => Sha256::of_file(path).map_err(|error| InsertError::Read(path.clone(), error)),
            Self::Deferred(deferred) => deferred.content().map_err(InsertError::Obtain)?.sha256(),
        }
    }
}

/// Compares the uncompressed bytes of an extent with its CRC-32 and its size.
struct ExtentReader<'a> {
    inner: Box<dyn Read>,
    archive: &'a Path,
    extent: &'a Extent,
    crc32: crc32fast::Hasher,
    size: u64,
}

impl ExtentReader<'_> {
    fn is_whole(&self) -> bool {
        self.size == self.extent.size && self.crc32.clone().finalize() == self.extent.crc32
    }
}

impl Read for ExtentReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer);
        let length = read.as_ref().copied().unwrap_or(0);
        self.crc32.update(&buffer[..length]);
        self.size += length as u64;
        let is_damaged = match &read {
            Ok(_) => length == 0 && !buffer.is_empty() && !self.is_whole(),
            // An invalid stream, or one that is cut off.
            Err(error) => matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof),
        };
        if is_damaged { Err(DamagedFile { path: self.archive.to_owned() }.into()) } else { read }
    }
}

/// A file of the tree.
#[derive(Debug, Clone)]
pub struct TreeEntry {
    /// The permissions and the owner.
    pub access: FileAccess,
    /// Where the bytes are.
    pub content: FileContent,
    /// What the file belongs to.
    pub origin: FileOrigin,
}

/// Two different files, or a file and a directory, with the same path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// The path.
    pub path: TreePath,
    /// The origin that was inserted first.
    pub first: FileOrigin,
    /// The origin that was inserted second.
    pub second: FileOrigin,
}

impl Collision {
    fn between(first: &btree_map::OccupiedEntry<'_, TreePath, TreeEntry>, second: TreeEntry) -> Self {
        Self { path: first.key().clone(), first: first.get().origin.clone(), second: second.origin }
    }
}

impl fmt::Display for Collision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, first, second } = self;
        if first == second {
            write!(formatter, "{first} contains `{path}` twice")
        } else {
            write!(formatter, "{first} and {second} both contain `{path}`")
        }
    }
}

/// Why a file or a directory cannot be inserted into a tree.
#[derive(Debug, thiserror::Error)]
pub enum InsertError {
    /// Two files with the same path have different content.
    #[error("{0}, with different content")]
    Content(Collision),
    /// Two equal files with the same path have different modes or owners.
    #[error("{0}, with different modes or owners")]
    Access(Collision),
    /// The path is a file in one origin and a directory in the other.
    #[error("cannot bundle {} and {} together: `{}` is a file in one and a directory in the other", .0.first, .0.second, .0.path)]
    Kind(Collision),
    /// A file cannot be read to compare it.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A file cannot be obtained to compare it.
    #[error("cannot obtain a file to compare it with another")]
    Obtain(#[source] io::Error),
}

/// Files by path, sorted by the bytes of their paths.
#[derive(Debug, Clone, Default)]
pub struct FileTree {
    entries: BTreeMap<TreePath, TreeEntry>,
    /// Every directory, explicit or above a file, with the first origin that contains it.
    directories: HashMap<Box<str>, FileOrigin>,
    /// The access of explicit directories. The others have [`FileAccess::DIRECTORY`].
    explicit: BTreeMap<TreePath, FileAccess>,
}

impl FileTree {
    /// Creates an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts a file. Equal files with the same path are merged: the first origin is kept, and the file is executable if
    /// either is.
    ///
    /// # Errors
    /// The path is a directory or has different content, or a directory above it is a file. Equal files are also errors if
    /// their access differs and either is not a default.
    pub fn insert(&mut self, path: TreePath, entry: TreeEntry) -> Result<(), InsertError> {
        if let Some(first) = self.directories.get(path.as_str()) {
            let (first, second) = (first.clone(), entry.origin);
            return Err(InsertError::Kind(Collision { path, first, second }));
        }
        self.insert_parents(&path, &entry.origin)?;
        match self.entries.entry(path) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(entry);
            }
            btree_map::Entry::Occupied(mut existing) => {
                if existing.get().content.sha256()? != entry.content.sha256()? {
                    return Err(InsertError::Content(Collision::between(&existing, entry)));
                }
                let (first, second) = (existing.get().access, entry.access);
                if first != second && !(first.is_default() && second.is_default()) {
                    return Err(InsertError::Access(Collision::between(&existing, entry)));
                }
                existing.get_mut().access = first.max(second);
            }
        }
        Ok(())
    }

    /// Removes a file. The directories above it stay known.
    pub(crate) fn remove(&mut self, path: &str) {
        self.entries.remove(path);
    }

    /// Inserts an explicit directory, or sets the access of an existing one. It is written even if it is empty.
    ///
    /// # Errors
    /// The path or a directory above it is a file.
    pub(crate) fn insert_directory(
        &mut self,
        path: TreePath,
        access: FileAccess,
        origin: FileOrigin,
    ) -> Result<(), InsertError> {
        if let Some(existing) = self.entries.get(&path) {
            let first = existing.origin.clone();
            return Err(InsertError::Kind(Collision { path, first, second: origin }));
        }
        self.insert_parents(&path, &origin)?;
        self.directories.entry(path.as_str().into()).or_insert(origin);
        self.explicit.insert(path, access);
        Ok(())
    }

    fn insert_parents(&mut self, path: &TreePath, origin: &FileOrigin) -> Result<(), InsertError> {
        for parent in path.parents() {
            if self.directories.contains_key(parent) {
                break;
            }
            if let Some((path, existing)) = self.entries.get_key_value(parent) {
                let (path, first) = (path.clone(), existing.origin.clone());
                return Err(InsertError::Kind(Collision { path, first, second: origin.clone() }));
            }
            self.directories.insert(parent.into(), origin.clone());
        }
        Ok(())
    }

    /// Returns the explicit directories, sorted by path.
    pub fn directories(&self) -> btree_map::Iter<'_, TreePath, FileAccess> {
        self.explicit.iter()
    }

    /// Returns the access of a directory.
    pub(crate) fn directory_access(&self, path: &str) -> FileAccess {
        self.explicit.get(path).copied().unwrap_or(FileAccess::DIRECTORY)
    }

    /// Returns the file at a path.
    pub fn get(&self, path: &str) -> Option<&TreeEntry> {
        self.entries.get(path)
    }

    /// Returns whether a path is a directory, explicit or above a file.
    pub(crate) fn is_directory(&self, path: &str) -> bool {
        self.directories.contains_key(path)
    }

    /// Returns the files whose paths begin with `prefix`, sorted by path.
    pub(crate) fn starting_with(&self, prefix: &str) -> impl Iterator<Item = (&TreePath, &TreeEntry)> {
        let from = self.entries.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.take_while(move |(path, _)| path.as_str().starts_with(prefix))
    }

    /// Returns the files, sorted by path.
    pub fn iter(&self) -> btree_map::Iter<'_, TreePath, TreeEntry> {
        self.entries.iter()
    }

    /// Returns the number of files.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether the tree has no files.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the total number of uncompressed bytes.
    pub fn size(&self) -> u64 {
        self.iter().map(|(_, entry)| entry.content.size()).sum()
    }
}
