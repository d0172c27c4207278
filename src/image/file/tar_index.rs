//! The index of an uncompressed tar archive, whose blobs are read in place.
//!
//! Supports what Go, GNU tar, BSD tar and Python write: ustar, GNU long names, and pax headers for paths, links and sizes.
//! Anything else is an error, as is a path that leaves the archive.
//!
//! Specification: [POSIX, pax interchange format](https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html).

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use tar::{EntryType, Header, PaxExtensions};

use super::{ImageFileError, InvalidEntry};
use crate::tree::TreePath;

/// The size of a block, in bytes.
const BLOCK: u64 = 512;

/// The most entries in an archive; images have some hundreds. This bounds the memory.
const MOST_ENTRIES: usize = 16_384;

/// The largest extension header, in bytes. It contains a path and a few numbers.
const LARGEST_EXTENSION: u64 = 16 << 10;

/// How many links are followed.
const MOST_LINKS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteRange {
    pub(super) offset: u64,
    pub(super) size: u64,
}

#[derive(Debug)]
enum TarIndexEntry {
    File(ByteRange),
    /// A symbolic or hard link with its target, which is `None` if it leaves the archive.
    Link(Option<TreePath>),
}

/// How much padding is read at a time, in bytes. An archive may end with any amount of it.
const PORTION: u64 = 64 << 10;

/// What is where in an archive.
#[derive(Debug)]
pub(super) struct TarIndex {
    /// The files and links by path.
    entries: BTreeMap<TreePath, TarIndexEntry>,
    /// The bytes after the contents, up to a whole block, and those after the last entry.
    padding: Vec<ByteRange>,
}

impl TarIndex {
    /// Reads the headers of an archive.
    ///
    /// # Errors
    /// The file cannot be read, is not a tar archive, is truncated, or has an unsupported entry.
    pub(super) fn read(file: &File, path: &Path) -> Result<Self, ImageFileError> {
        let length = file.metadata().map_err(ImageFileError::read(path))?.len();
        let mut scan = HeaderScanner { file, path, length, position: 0, padding: Vec::new() };
        let mut entries = BTreeMap::new();
        while let Some(entry) = scan.next()? {
            insert(&entry, &mut entries).map_err(|problem| ImageFileError::Invalid {
                path: path.to_owned(),
                entry: entry.name,
                problem,
            })?;
        }
        let mut padding = scan.padding;
        padding.push(ByteRange { offset: scan.position, size: length - scan.position });
        Ok(Self { entries, padding })
    }

    /// Returns the position of the first byte of padding that is not zero. Readers skip it; a writer of archives leaves
    /// none.
    pub(super) fn changed_padding(&self, file: &File) -> io::Result<Option<u64>> {
        let mut buffer = [0; PORTION as usize];
        for range in &self.padding {
            let mut done = 0;
            while done < range.size {
                let portion = &mut buffer[..PORTION.min(range.size - done) as usize];
                file.read_exact_at(portion, range.offset + done)?;
                if let Some(at) = portion.iter().position(|byte| *byte != 0) {
                    return Ok(Some(range.offset + done + at as u64));
                }
                done += portion.len() as u64;
            }
        }
        Ok(None)
    }

    /// Returns the paths of all files and links.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(TreePath::as_str)
    }

    /// Returns where the bytes of a file are, after following links; `None` if it does not exist.
    pub(super) fn find(&self, name: &str) -> Result<Option<ByteRange>, InvalidEntry> {
        let mut name = name;
        for _ in 0..MOST_LINKS {
            match self.entries.get(name) {
                None => return Ok(None),
                Some(TarIndexEntry::File(extent)) => return Ok(Some(*extent)),
                Some(TarIndexEntry::Link(target)) => name = target.as_ref().ok_or(InvalidEntry::Path)?.as_str(),
            }
        }
        Err(InvalidEntry::Malformed("has too many levels of links"))
    }
}

/// Adds a file or a link to the entries of an archive; directories are skipped.
fn insert(header: &ScannedHeader, entries: &mut BTreeMap<TreePath, TarIndexEntry>) -> Result<(), InvalidEntry> {
    let Some((name, target)) = header.target()? else { return Ok(()) };
    if entries.len() == MOST_ENTRIES {
        return Err(InvalidEntry::Malformed("exceeds the limit of 16,384 entries"));
    }
    match entries.insert(name, target) {
        None => Ok(()),
        Some(_) => Err(InvalidEntry::Malformed("occurs twice in the archive")),
    }
}

/// Reads the headers of an archive in order.
struct HeaderScanner<'a> {
    file: &'a File,
    path: &'a Path,
    length: u64,
    position: u64,
    padding: Vec<ByteRange>,
}

/// A header, merged with the extension headers before it.
struct ScannedHeader {
    name: String,
    kind: EntryType,
    link: String,
    extent: ByteRange,
}

/// The values of the extension headers before an entry.
#[derive(Default)]
struct ExtensionHeaders {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl HeaderScanner<'_> {
    /// Returns the next entry, or `None` at the end.
    fn next(&mut self) -> Result<Option<ScannedHeader>, ImageFileError> {
        let mut extensions = ExtensionHeaders::default();
        loop {
            let start = self.position;
            let Some(header) = self.header(start)? else { return Ok(None) };
            let kind = header.entry_type();
            let header_size = header.entry_size().map_err(|_| self.malformed(start, "has an invalid size"))?;
            let size = if kind.is_file() { extensions.size.unwrap_or(header_size) } else { header_size };
            let extent = self.body(start, size)?;
            match kind {
                EntryType::GNULongName => extensions.name = Some(self.text(start, extent)?),
                EntryType::GNULongLink => extensions.link = Some(self.text(start, extent)?),
                EntryType::XHeader => self.pax(start, extent, &mut extensions)?,
                // A global header applies to all entries. `git archive` writes one, with a comment.
                EntryType::XGlobalHeader => {}
                _ => {
                    let name = extensions.name.unwrap_or_else(|| header.path_bytes().into_owned());
                    let link =
                        extensions.link.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned());
                    let (Ok(name), Ok(link)) = (String::from_utf8(name), String::from_utf8(link)) else {
                        return Err(self.malformed(start, "has a name that is not UTF-8"));
                    };
                    self.skip(extent);
                    return Ok(Some(ScannedHeader { name, kind, link, extent }));
                }
            }
            self.skip(extent);
        }
    }

    /// Reads the header at a position. Returns `None` at the end of the archive or of the file.
    fn header(&self, position: u64) -> Result<Option<Header>, ImageFileError> {
        let mut header = Header::new_old();
        if position == self.length {
            return Ok(None);
        }
        if self.length - position < BLOCK {
            return Err(match position {
                0 => self.no_header(position),
                _ => self.malformed(position, "is less than a header: the archive is truncated"),
            });
        }
        self.fill(header.as_mut_bytes(), position)?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The checksum is computed as if its own field, bytes 148 to 155, were spaces.
        let (before, rest) = header.as_bytes().split_at(148);
        let bytes = before.iter().chain(rest.get(8..).unwrap_or_default());
        let actual = bytes.map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
        if header.cksum().ok() != Some(actual) {
            return Err(self.no_header(position));
        }
        Ok(Some(header))
    }

    /// Returns the error for an invalid header. If it is the first, the file is not an archive.
    fn no_header(&self, position: u64) -> ImageFileError {
        match position {
            0 => ImageFileError::UnknownFormat(self.path.to_owned()),
            _ => self.malformed(position, "is not a tar header"),
        }
    }

    /// Returns where the content that follows a header is.
    fn body(&self, header: u64, size: u64) -> Result<ByteRange, ImageFileError> {
        let offset = header + BLOCK;
        match offset.checked_add(size) {
            Some(end) if end <= self.length => Ok(ByteRange { offset, size }),
            // A download that was cut off is likelier than a header with a wrong size.
            Some(_) => Err(self.malformed(header, "is a header whose content ends early: the archive is truncated")),
            None => Err(self.malformed(header, "has content past the end of the file")),
        }
    }

    /// Moves to the next header. The padding of the last entry may be missing: some writers omit it.
    fn skip(&mut self, extent: ByteRange) {
        let end = extent.offset + extent.size;
        self.position = end.next_multiple_of(BLOCK).min(self.length);
        if self.position > end {
            self.padding.push(ByteRange { offset: end, size: self.position - end });
        }
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> Result<(), ImageFileError> {
        self.file.read_exact_at(buffer, offset).map_err(ImageFileError::read(self.path))
    }

    fn extension(&self, header: u64, extent: ByteRange) -> Result<Vec<u8>, ImageFileError> {
        if extent.size > LARGEST_EXTENSION {
            return Err(self.at(header, InvalidEntry::TooLarge { size: extent.size, limit: LARGEST_EXTENSION }));
        }
        let mut bytes = vec![0; extent.size as usize];
        self.fill(&mut bytes, extent.offset)?;
        Ok(bytes)
    }

    /// Reads a GNU long name, which is null-terminated.
    fn text(&self, header: u64, extent: ByteRange) -> Result<Vec<u8>, ImageFileError> {
        let mut bytes = self.extension(header, extent)?;
        bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
        Ok(bytes)
    }

    fn pax(&self, header: u64, extent: ByteRange, extensions: &mut ExtensionHeaders) -> Result<(), ImageFileError> {
        for record in PaxExtensions::new(&self.extension(header, extent)?) {
            let record = record.map_err(|_| self.malformed(header, "is a malformed pax header"))?;
            let value = record.value_bytes();
            match record.key_bytes() {
                b"path" => extensions.name = Some(value.to_owned()),
                b"linkpath" => extensions.link = Some(value.to_owned()),
                b"size" => {
                    let size = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    extensions.size = Some(size.ok_or_else(|| self.malformed(header, "has an invalid size"))?);
                }
                key if key.starts_with(b"GNU.sparse.") => return Err(self.malformed(header, "is a sparse file")),
                _ => {}
            }
        }
        Ok(())
    }

    fn malformed(&self, position: u64, reason: &'static str) -> ImageFileError {
        self.at(position, InvalidEntry::Malformed(reason))
    }

    fn at(&self, position: u64, problem: InvalidEntry) -> ImageFileError {
        ImageFileError::Invalid { path: self.path.to_owned(), entry: format!("byte {position}"), problem }
    }
}

impl ScannedHeader {
    /// Returns the path, and its content or target; `None` for a directory.
    fn target(&self) -> Result<Option<(TreePath, TarIndexEntry)>, InvalidEntry> {
        let mut name = self.name.as_str();
        while let Some(rest) = name.strip_prefix("./") {
            name = rest;
        }
        if self.kind.is_dir() && matches!(name, "" | ".") {
            return Ok(None);
        }
        let trimmed = if self.kind.is_dir() { name.strip_suffix('/').unwrap_or(name) } else { name };
        let name = TreePath::new(trimmed).map_err(|_| InvalidEntry::Path)?;
        if !self.kind.is_file() && self.extent.size > 0 {
            return Err(InvalidEntry::Malformed("has content but is not a regular file"));
        }
        let directory = name.parents().next().unwrap_or_default();
        let target = match self.kind {
            EntryType::Directory => return Ok(None),
            EntryType::Regular => TarIndexEntry::File(self.extent),
            EntryType::Symlink => TarIndexEntry::Link(resolve(directory, &self.link)),
            EntryType::Link => TarIndexEntry::Link(resolve("", &self.link)),
            _ => return Err(InvalidEntry::NotAFile),
        };
        Ok(Some((name, target)))
    }
}

/// Returns the target of a link in a directory, or `None` if it leaves the archive.
fn resolve(directory: &str, target: &str) -> Option<TreePath> {
    if target.starts_with('/') {
        return None;
    }
    let mut components: Vec<&str> = directory.split('/').filter(|component| !component.is_empty()).collect();
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." => _ = components.pop()?,
            _ => components.push(component),
        }
    }
    TreePath::new(&components.join("/")).ok()
}
