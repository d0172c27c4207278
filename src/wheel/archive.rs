//! A strict reader for zip archives: it accepts only what every zip reader interprets alike.
//!
//! Every byte of the file is accounted for: entries follow one another without a gap from the first byte to the central
//! directory, which is followed by its end records and nothing else. Lenient readers disagree on which entries an
//! archive has when there are gaps, overlaps or several directories, so a scanner could see other files than an
//! installer.
//!
//! Specification: [APPNOTE](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).

use std::collections::HashSet;
use std::fs::File;
use std::ops::Range;

use super::directory::{self, CentralDirectory, CentralHeader};
use super::error::{StrictArchiveError, WheelErrorKind};
use super::inflate::{DeclaredExtent, Inflater};
use super::local;
use super::source::ArchiveFile;
use super::violation::BrokenRule;
use crate::digest::Sha256;
use crate::tree::{Extent, ExtentFormat, FileMode, TreePath, ZipCompression};

/// Flags that do not matter (deflate's effort, UTF-8) or that are checked (data descriptor); 4.4.4.
const KNOWN_FLAGS: u16 = 0b0000_1000_0000_1110;
/// Encryption, strong encryption and an encrypted central directory.
const ENCRYPTION_FLAGS: u16 = 0b0010_0000_0100_0001;
/// The name is UTF-8 (4.4.4, bit 11).
const UTF8_FLAG: u16 = 1 << 11;

/// The file type in a Unix mode.
const FILE_TYPE: u32 = 0o170_000;
const SYMBOLIC_LINK: u32 = 0o120_000;

/// An archive whose headers have been checked.
pub(crate) struct StrictArchive<'a> {
    pub(super) source: ArchiveFile<'a>,
    /// The entries, ordered by offset.
    pub(crate) entries: Vec<ArchiveEntry>,
}

/// An entry whose headers have been checked.
pub(crate) struct ArchiveEntry {
    /// The name, without a directory's trailing slash.
    pub(crate) path: String,
    /// Whether the entry is a directory.
    pub(crate) is_directory: bool,
    /// Whether the mode says that the entry is a symbolic link. Its content is the target.
    pub(super) is_symbolic_link: bool,
    /// The permissions, reduced to the executable bit.
    pub(crate) mode: FileMode,
    /// The location and the declared size and checksum of the content.
    pub(crate) declared: DeclaredExtent,
    /// The offset of the local header.
    pub(crate) local_header: u64,
    /// The position of the central directory's header.
    pub(crate) directory_header: Range<u64>,
}

impl<'a> StrictArchive<'a> {
    /// Reads and checks all headers.
    ///
    /// # Errors
    /// The file cannot be read, or is not a valid archive.
    pub(crate) fn open(file: &'a File) -> Result<Self, StrictArchiveError> {
        let (archive, errors) = Self::survey(file)?;
        errors.into_iter().next().map_or(Ok(archive), Err)
    }

    /// Reads and checks all headers; returns the valid entries and the errors of the others, both ordered by offset.
    ///
    /// # Errors
    /// The file cannot be read, or its central directory is invalid.
    pub(crate) fn survey(file: &'a File) -> Result<(Self, Vec<StrictArchiveError>), StrictArchiveError> {
        let (mut archive, errors) = Self::read(file)?;
        let links = archive.entries.extract_if(.., |entry| entry.is_symbolic_link);
        let links = links.map(|link| (link.local_header, BrokenRule::SymbolicLink.at(link.path).into()));
        let mut errors: Vec<_> = errors.into_iter().chain(links).collect();
        errors.sort_by_key(|(offset, _)| *offset);
        Ok((archive, errors.into_iter().map(|(_, error)| error).collect()))
    }

    /// As [`open`](Self::open), but accepts symbolic links.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn open_with_links(file: &'a File) -> Result<Self, StrictArchiveError> {
        let (archive, errors) = Self::read(file)?;
        errors.into_iter().next().map_or(Ok(archive), |(_, error)| Err(error))
    }

    /// Reads and checks all headers; returns the valid entries, and the errors with the offsets of their entries.
    fn read(file: &'a File) -> Result<(Self, Vec<(u64, StrictArchiveError)>), StrictArchiveError> {
        let source = ArchiveFile::new(file)?;
        let CentralDirectory { mut headers, offset: directory_offset } = directory::read(&source)?;
        headers.sort_by_key(|header| header.offset);
        let first = headers.first().map_or(directory_offset, |header| header.offset);
        if first > 0 {
            return Err(WheelErrorKind::Prefix(first).into());
        }
        let ends: Vec<u64> =
            headers.iter().skip(1).map(|header| header.offset).chain(std::iter::once(directory_offset)).collect();
        let (mut entries, mut errors) = (Vec::new(), Vec::new());
        for (header, end) in headers.into_iter().zip(ends) {
            match check(&source, &header, end) {
                Ok(entry) => entries.push(entry),
                Err(kind) => errors.push((header.offset, kind.at(header.name))),
            }
        }
        if let Err(error) = check_paths(&entries) {
            errors.push((directory_offset, error));
        }
        Ok((Self { source, entries }, errors))
    }

    /// Inflates an entry, passes its bytes to `sink` and compares them with its headers; returns how they are stored.
    /// On an error, what `sink` received is not verified.
    ///
    /// # Errors
    /// The file cannot be read, or the content does not match the headers.
    pub(crate) fn inflate(
        &self,
        entry: &ArchiveEntry,
        inflater: &mut Inflater,
        sink: impl FnMut(&[u8]),
    ) -> Result<(ExtentFormat, u32), WheelErrorKind> {
        inflater.run(&self.source, &entry.declared, sink)
    }
}

impl ArchiveEntry {
    /// Returns the verified extent of the entry's content.
    pub(super) fn extent(&self, sha256: Sha256, (format, checksum): (ExtentFormat, u32)) -> Extent {
        let DeclaredExtent { offset, compressed_size, size, crc32, .. } = self.declared;
        Extent { offset, compressed_size, size, crc32, sha256, checksum, format }
    }
}

/// Checks the headers of one entry, which must end at `end`.
fn check(source: &ArchiveFile, header: &CentralHeader, end: u64) -> Result<ArchiveEntry, WheelErrorKind> {
    let is_directory = header.name.ends_with('/');
    let path = header.name.strip_suffix('/').unwrap_or(&header.name);
    check_name(path)?;
    if header.flags & ENCRYPTION_FLAGS != 0 {
        return Err(WheelErrorKind::Encrypted);
    }
    if header.flags & !KNOWN_FLAGS != 0 {
        return Err(WheelErrorKind::Flags(header.flags & !KNOWN_FLAGS));
    }
    // Without the flag the name is in code page 437 (appendix D), which some readers take for UTF-8.
    if header.flags & UTF8_FLAG == 0 && !header.name.is_ascii() {
        return Err(WheelErrorKind::InvalidName("it is neither ASCII nor marked as UTF-8"));
    }
    let compression = match header.method {
        0 => ZipCompression::Stored,
        8 => ZipCompression::Deflated,
        method => return Err(WheelErrorKind::Method(method)),
    };
    check_file_type(header.mode, is_directory)?;
    let offset = local::check(source, header, end)?;
    let CentralHeader { compressed_size, size, crc32, .. } = *header;
    if compression == ZipCompression::Stored && compressed_size != size {
        return Err(WheelErrorKind::StoredSizes { compressed: compressed_size, size });
    }
    if is_directory && size > 0 {
        return Err(WheelErrorKind::DirectoryContent);
    }
    let is_symbolic_link = !is_directory && header.mode & FILE_TYPE == SYMBOLIC_LINK;
    // Only entries made on Unix (4.4.2.2) have a mode. pip 26.3 takes the executable bit of regular files alone.
    let mode = match header.system {
        3 if !is_symbolic_link => FileMode::from_permissions(header.mode),
        _ => FileMode::REGULAR,
    };
    let declared = DeclaredExtent { offset, compressed_size, size, crc32, compression };
    Ok(ArchiveEntry {
        path: path.to_owned(),
        is_directory,
        is_symbolic_link,
        mode,
        declared,
        local_header: header.offset,
        directory_header: header.position.clone(),
    })
}

/// Checks that a name is a path that means the same on every system.
fn check_name(path: &str) -> Result<(), WheelErrorKind> {
    TreePath::new(path).map_err(|invalid| WheelErrorKind::InvalidName(invalid.reason))?;
    if matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic()) {
        return Err(WheelErrorKind::InvalidName("it begins with a drive letter"));
    }
    if path.chars().any(is_invisible) {
        return Err(WheelErrorKind::InvalidName("it has an invisible or private character"));
    }
    Ok(())
}

/// Returns whether a character is a format or private use character (Unicode categories Cf and Co): names that differ
/// only in these look alike.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e007f}' | '\u{f0000}'..='\u{10ffff}')
}

/// Checks that the file type in a Unix mode is that of the entry, or a symbolic link, or 0 as many tools write it.
fn check_file_type(mode: u32, is_directory: bool) -> Result<(), WheelErrorKind> {
    match mode & FILE_TYPE {
        0 | 0o100_000 => Ok(()),
        0o040_000 if is_directory => Ok(()),
        0o040_000 => Err(WheelErrorKind::FileType("directory without a trailing slash")),
        SYMBOLIC_LINK if is_directory => Err(WheelErrorKind::FileType("symbolic link with a trailing slash")),
        SYMBOLIC_LINK => Ok(()),
        _ => Err(WheelErrorKind::FileType("special file")),
    }
}

/// Checks that paths are unique, and that no file is also a directory.
fn check_paths(entries: &[ArchiveEntry]) -> Result<(), StrictArchiveError> {
    let mut files = HashSet::new();
    let mut directories = HashSet::new();
    for entry in entries {
        let is_new = if entry.is_directory { directories.insert(&*entry.path) } else { files.insert(&*entry.path) };
        if !is_new {
            return Err(WheelErrorKind::Duplicate.at(&*entry.path));
        }
    }
    for entry in entries {
        let mut rest = &*entry.path;
        if entry.is_directory && files.contains(rest) {
            return Err(WheelErrorKind::FileAndDirectory.at(rest));
        }
        while let Some(slash) = rest.rfind('/') {
            rest = &rest[..slash];
            if files.contains(rest) {
                return Err(WheelErrorKind::FileAndDirectory.at(rest));
            }
        }
    }
    Ok(())
}
