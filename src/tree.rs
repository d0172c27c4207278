//! The tree of files that an artifact is written from, kept in memory.
//!
//! An entry says where its bytes lie and in which form; the bytes themselves stay in the wheels, so the tree's size
//! depends on the number of files alone.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, btree_map};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

use flate2::read::DeflateDecoder;
use pep440_rs::Version;

use crate::digest::{HashingWriter, Sha256};
use crate::name::DistributionName;

pub mod access;
#[cfg(test)]
mod tests;

pub use access::{FileAccess, FileMode, FileOwner, InvalidMode, InvalidOwner};

/// A path inside an artifact: relative, UTF-8, `/` between its components, none of them empty, `.` or `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(Arc<str>);

/// A text that is no path inside an artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a path inside an artifact: {reason}", .path.escape_debug())]
pub struct InvalidPath {
    /// The text as it was given.
    pub path: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl TreePath {
    /// Checks a path.
    ///
    /// # Errors
    /// The path is empty or absolute, has an empty component, `.`, `..`, a backslash or a control character.
    pub fn new(path: &str) -> Result<Self, InvalidPath> {
        let reason = if path.is_empty() {
            "it is empty"
        } else if path.starts_with('/') {
            "it is absolute"
        } else if path.contains('\\') {
            "it has a backslash"
        } else if path.chars().any(char::is_control) {
            "it has a control character"
        } else if path.split('/').any(str::is_empty) {
            "it has an empty component"
        } else if path.split('/').any(|component| matches!(component, "." | "..")) {
            "it has the component `.` or `..`"
        } else {
            return Ok(Self(path.into()));
        };
        Err(InvalidPath { path: path.to_owned(), reason })
    }

    /// Returns the path below `prefix`, which may be empty.
    ///
    /// # Errors
    /// The joined path is not valid.
    pub fn below(prefix: &str, path: &str) -> Result<Self, InvalidPath> {
        if prefix.is_empty() { Self::new(path) } else { Self::new(&format!("{prefix}/{path}")) }
    }

    /// Returns the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the directories above the path, the nearest first.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.as_str();
        std::iter::from_fn(move || {
            rest = &rest[..rest.rfind('/')?];
            Some(rest)
        })
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl Borrow<str> for TreePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// How the bytes of a zip entry are kept (APPNOTE 4.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ZipCompression {
    /// Method 0: as they are.
    Stored,
    /// Method 8: deflated (RFC 1951).
    Deflated,
}

/// The extent of an entry's bytes in a zip file, and what they inflate to; verified before it gets here.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Extent {
    /// Where the entry's compressed bytes begin, from the beginning of the zip file.
    pub offset: u64,
    /// The number of compressed bytes.
    pub compressed_size: u64,
    /// The number of bytes that they inflate to.
    pub size: u64,
    /// The CRC-32 of the inflated bytes.
    pub crc32: u32,
    /// The SHA-256 of the inflated bytes.
    pub sha256: Sha256,
    /// The form of the bytes.
    pub format: ExtentFormat,
}

impl Extent {
    /// Returns whether its fields agree with one another, as they do in whatever was found by reading a wheel.
    pub fn is_coherent(&self) -> bool {
        match self.format {
            ExtentFormat::Stored => self.compressed_size == self.size,
            // A block has a header of three bits at least.
            ExtentFormat::Deflated { final_block, end } => {
                end.div_ceil(8) == self.compressed_size && final_block.checked_add(3).is_some_and(|bit| bit <= end)
            }
        }
    }
}

/// The form of the bytes of a zip entry, with what is needed to join a deflate stream to others.
///
/// Bits are counted from the beginning of the compressed bytes, in each byte from the least significant one (RFC 1951,
/// section 3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ExtentFormat {
    /// As they are.
    Stored,
    /// One deflate stream.
    Deflated {
        /// The bit with which the header of the last block begins: the mark that it is the last.
        final_block: u64,
        /// The first bit after the last block. The rest of its byte is of no meaning.
        end: u64,
    },
}

impl ExtentFormat {
    /// Returns the compression method.
    pub fn compression(self) -> ZipCompression {
        match self {
            Self::Stored => ZipCompression::Stored,
            Self::Deflated { .. } => ZipCompression::Deflated,
        }
    }
}

/// Where the bytes of a file lie, and in which form.
#[derive(Debug, Clone)]
pub enum FileContent {
    /// In a wheel, and copied from it as they lie.
    Archived {
        /// The wheel's file.
        archive: Arc<PathBuf>,
        /// Where in the wheel.
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
}

impl FileContent {
    /// Returns the number of bytes when nothing is compressed.
    pub fn size(&self) -> u64 {
        match self {
            Self::Archived { extent, .. } => extent.size,
            Self::File { size, .. } => *size,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Returns the uncompressed bytes, if there are at most `limit`.
    ///
    /// # Errors
    /// The file cannot be read, or its bytes do not inflate to the size that the extent states; or there are more than
    /// `limit`, which is [`io::ErrorKind::FileTooLarge`].
    pub fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader()?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        match self {
            Self::Archived { extent, .. } if bytes.len() as u64 != extent.size => {
                Err(io::ErrorKind::InvalidData.into())
            }
            Self::Archived { .. } | Self::File { .. } | Self::Bytes(_) => Ok(bytes),
        }
    }

    /// Returns a reader of the uncompressed bytes.
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
                match extent.format {
                    ExtentFormat::Stored => Box::new(compressed),
                    ExtentFormat::Deflated { .. } => Box::new(DeflateDecoder::new(compressed)),
                }
            }
        })
    }

    /// Returns the number of bytes as they lie now, which is about what they take in an archive.
    pub fn stored_size(&self) -> u64 {
        match self {
            Self::Archived { extent, .. } => extent.compressed_size,
            Self::File { .. } | Self::Bytes(_) => self.size(),
        }
    }

    /// Returns the SHA-256 of the uncompressed bytes; a file of the project is read for it.
    ///
    /// # Errors
    /// The project's file cannot be read.
    pub fn sha256(&self) -> Result<Sha256, InsertError> {
        match self {
            Self::Archived { extent, .. } => Ok(extent.sha256),
            Self::Bytes(bytes) => Ok(Sha256::of(bytes)),
            Self::File { path, .. } => {
                let hash = || -> io::Result<Sha256> {
                    let mut writer = HashingWriter::new(io::sink());
                    io::copy(&mut File::open(path)?, &mut writer)?;
                    Ok(writer.finish().1)
                };
                hash().map_err(|error| InsertError::Read(path.clone(), error))
            }
        }
    }
}

/// A distribution that files come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Distribution {
    /// The normalized name.
    pub name: DistributionName,
    /// The version, as the wheel states it.
    pub version: Version,
}

impl fmt::Display for Distribution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.name, self.version)
    }
}

/// What a file belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileOrigin {
    /// An installed distribution.
    Distribution(Arc<Distribution>),
    /// The application's own files.
    Application,
}

impl fmt::Display for FileOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distribution(distribution) => distribution.fmt(formatter),
            Self::Application => formatter.write_str("the application"),
        }
    }
}

/// A file of the tree.
#[derive(Debug, Clone)]
pub struct TreeEntry {
    /// Whose it is, and its permissions.
    pub access: FileAccess,
    /// Its bytes.
    pub content: FileContent,
    /// What it belongs to.
    pub origin: FileOrigin,
}

/// Two origins that want one path for different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// The path.
    pub path: TreePath,
    /// What brought the path first.
    pub first: FileOrigin,
    /// What brought it again.
    pub second: FileOrigin,
}

impl fmt::Display for Collision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, first, second } = self;
        match first == second {
            true => write!(formatter, "{first} brings `{path}` twice"),
            false => write!(formatter, "{first} and {second} both bring `{path}`"),
        }
    }
}

/// Why a file could not be added to a tree.
#[derive(Debug, thiserror::Error)]
pub enum InsertError {
    /// Two different files want one path.
    #[error("{0}, with different content")]
    Content(Collision),
    /// One file wants to be somebody's, or to have permissions, that it is not to have by another.
    #[error("{0}, with different modes or owners")]
    Access(Collision),
    /// A path is a file of one origin and a directory of another.
    #[error("{} and {} cannot be bundled together: `{}` is a file in one and a directory in the other", .0.first, .0.second, .0.path)]
    Kind(Collision),
    /// A file had to be read to compare it, and could not be.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
}

/// Files by path, in the order of their paths' bytes.
#[derive(Debug, Clone, Default)]
pub struct FileTree {
    entries: BTreeMap<TreePath, TreeEntry>,
    /// Every directory that has a file below it, or is there by itself, with the origin that needed it first.
    directories: HashMap<Box<str>, FileOrigin>,
    /// The directories of which it is said whose they are; the others are [`FileAccess::DIRECTORY`].
    stated: BTreeMap<TreePath, FileAccess>,
}

impl FileTree {
    /// Makes an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file. The same bytes at the same path twice are one file: the first origin keeps it, and it is
    /// executable if either is.
    ///
    /// # Errors
    /// The path is taken by other bytes, or by a directory, or one of its directories is a file; or the same bytes are there
    /// with another mode or owner, and one of the two is not usual.
    pub fn insert(&mut self, path: TreePath, entry: TreeEntry) -> Result<(), InsertError> {
        if let Some(first) = self.directories.get(path.as_str()) {
            let (first, second) = (first.clone(), entry.origin);
            return Err(InsertError::Kind(Collision { path, first, second }));
        }
        self.need_directories_above(&path, &entry.origin)?;
        match self.entries.entry(path) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(entry);
            }
            btree_map::Entry::Occupied(mut taken) => {
                let collision = |taken: &btree_map::OccupiedEntry<'_, TreePath, TreeEntry>, second: &FileOrigin| {
                    Collision { path: taken.key().clone(), first: taken.get().origin.clone(), second: second.clone() }
                };
                if taken.get().content.sha256()? != entry.content.sha256()? {
                    return Err(InsertError::Content(collision(&taken, &entry.origin)));
                }
                let (first, second) = (taken.get().access, entry.access);
                if first != second && !(first.is_usual() && second.is_usual()) {
                    return Err(InsertError::Access(collision(&taken, &entry.origin)));
                }
                taken.get_mut().access = first.max(second);
            }
        }
        Ok(())
    }

    /// Adds a directory, which stays even if nothing is in it, or says whose a directory is that is there.
    ///
    /// # Errors
    /// The path, or one above it, is a file.
    pub fn insert_directory(
        &mut self,
        path: TreePath,
        access: FileAccess,
        origin: FileOrigin,
    ) -> Result<(), InsertError> {
        if let Some(taken) = self.entries.get(&path) {
            let first = taken.origin.clone();
            return Err(InsertError::Kind(Collision { path, first, second: origin }));
        }
        self.need_directories_above(&path, &origin)?;
        self.directories.entry(path.as_str().into()).or_insert(origin);
        self.stated.insert(path, access);
        Ok(())
    }

    fn need_directories_above(&mut self, path: &TreePath, origin: &FileOrigin) -> Result<(), InsertError> {
        for parent in path.parents() {
            if self.directories.contains_key(parent) {
                break;
            }
            if let Some((path, taken)) = self.entries.get_key_value(parent) {
                let (path, first) = (path.clone(), taken.origin.clone());
                return Err(InsertError::Kind(Collision { path, first, second: origin.clone() }));
            }
            self.directories.insert(parent.into(), origin.clone());
        }
        Ok(())
    }

    /// Returns the directories that are there by themselves, or of which it is said whose they are, in their order.
    pub fn directories(&self) -> btree_map::Iter<'_, TreePath, FileAccess> {
        self.stated.iter()
    }

    /// Returns whose a directory is.
    pub fn directory_access(&self, path: &str) -> FileAccess {
        self.stated.get(path).copied().unwrap_or(FileAccess::DIRECTORY)
    }

    /// Returns the entry at a path.
    pub fn get(&self, path: &str) -> Option<&TreeEntry> {
        self.entries.get(path)
    }

    /// Returns whether a path is a directory: one that has a file below it, or was added.
    pub fn is_directory(&self, path: &str) -> bool {
        self.directories.contains_key(path)
    }

    /// Returns the entries whose paths begin with a text, in their order.
    pub fn starting_with(&self, prefix: &str) -> impl Iterator<Item = (&TreePath, &TreeEntry)> {
        let from = self.entries.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.take_while(move |(path, _)| path.as_str().starts_with(prefix))
    }

    /// Returns the entries in the order of their paths.
    pub fn iter(&self) -> btree_map::Iter<'_, TreePath, TreeEntry> {
        self.entries.iter()
    }

    /// Returns the number of files.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the number of bytes of all files, uncompressed.
    pub fn size(&self) -> u64 {
        self.iter().map(|(_, entry)| entry.content.size()).sum()
    }
}
