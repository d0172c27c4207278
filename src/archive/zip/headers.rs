//! The headers of a zip archive: local headers, the central directory, and the end of the archive. Section numbers are
//! those of [APPNOTE 6.3.10](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).

use crate::tree::{FileMode, ZipCompression};

/// The date of [`EPOCH`](crate::archive::EPOCH) in MS-DOS format (4.4.6): day in bits 0–4, month in 5–8, years since 1980
/// in 9–15.
const DATE: u16 = 1 | 1 << 5;

/// The time of [`EPOCH`](crate::archive::EPOCH): midnight.
const TIME: u16 = 0;

/// "Made by" Unix (4.4.2.2): otherwise readers ignore the permissions.
const UNIX: u16 = 3 << 8;

/// The file type `S_IFREG`, in the upper half of the external attributes together with the permissions.
const REGULAR_FILE: u32 = 0o100_000;

/// The file type `S_IFDIR`, and below it the attribute of a directory in MS-DOS.
const DIRECTORY: (u32, u32) = (0o040_000, 1 << 4);

/// Version 2.0 of the format: deflate (4.4.3.2).
const VERSION_DEFLATE: u16 = 20;

/// Version 4.5 of the format: zip64.
const VERSION_ZIP64: u16 = 45;

/// The name is UTF-8 (4.4.4, bit 11).
const FLAG_UTF8: u16 = 1 << 11;

/// The value that refers a reader to the zip64 record (4.5.3).
const IN_ZIP64: u32 = u32::MAX;

/// The content of an entry's two headers.
pub(crate) struct EntryHeaders<'a> {
    /// The path, at most 65,535 bytes long. That of a directory ends with a slash.
    pub(crate) name: &'a str,
    pub(crate) mode: FileMode,
    pub(crate) compression: ZipCompression,
    /// The CRC-32 of the uncompressed bytes.
    pub(crate) crc32: u32,
    pub(crate) size: u64,
    pub(crate) compressed_size: u64,
    /// The offset of the local header.
    pub(crate) offset: u64,
}

impl EntryHeaders<'_> {
    /// Returns the local file header (4.3.7).
    pub(crate) fn local_header(&self) -> Vec<u8> {
        let large = does_not_fit(self.size) || does_not_fit(self.compressed_size);
        // A local zip64 field must hold both sizes, even where only one of them is too large (4.5.3).
        let extra = if large { zip64_field(&[self.size, self.compressed_size]) } else { Vec::new() };
        let mut header = Vec::with_capacity(30 + self.name.len() + extra.len());
        header.extend_from_slice(&0x0403_4b50_u32.to_le_bytes());
        header.extend_from_slice(&version(large).to_le_bytes());
        self.append_common(&mut header, large, extra.len());
        header.extend(self.name.as_bytes());
        header.extend(extra);
        header
    }

    /// Appends the header in the central directory (4.3.12).
    pub(crate) fn append_to_directory(&self, directory: &mut Vec<u8>) {
        let large = does_not_fit(self.size) || does_not_fit(self.compressed_size);
        let mut values = if large { vec![self.size, self.compressed_size] } else { Vec::new() };
        if does_not_fit(self.offset) {
            values.push(self.offset);
        }
        let extra = if values.is_empty() { Vec::new() } else { zip64_field(&values) };
        let version = version(!values.is_empty());
        directory.extend_from_slice(&0x0201_4b50_u32.to_le_bytes());
        directory.extend_from_slice(&(UNIX | version).to_le_bytes());
        directory.extend_from_slice(&version.to_le_bytes());
        self.append_common(directory, large, extra.len());
        // No comment, the first disk, no internal attributes.
        directory.extend_from_slice(&[0; 6]);
        let (kind, dos) = if self.name.ends_with('/') { DIRECTORY } else { (REGULAR_FILE, 0) };
        directory.extend(((kind | self.mode.permissions()) << 16 | dos).to_le_bytes());
        directory.extend_from_slice(&narrow(self.offset).to_le_bytes());
        directory.extend(self.name.as_bytes());
        directory.extend(extra);
    }

    /// Appends the fields that both headers have in the same order: from the flags to the length of the extra field.
    fn append_common(&self, header: &mut Vec<u8>, large: bool, extra: usize) {
        let flags = if self.name.is_ascii() { 0 } else { FLAG_UTF8 };
        let method: u16 = match self.compression {
            ZipCompression::Stored => 0,
            ZipCompression::Deflated => 8,
        };
        let (compressed_size, size) =
            if large { (IN_ZIP64, IN_ZIP64) } else { (narrow(self.compressed_size), narrow(self.size)) };
        header.extend_from_slice(&flags.to_le_bytes());
        header.extend_from_slice(&method.to_le_bytes());
        header.extend_from_slice(&TIME.to_le_bytes());
        header.extend_from_slice(&DATE.to_le_bytes());
        header.extend_from_slice(&self.crc32.to_le_bytes());
        header.extend_from_slice(&compressed_size.to_le_bytes());
        header.extend_from_slice(&size.to_le_bytes());
        header.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        header.extend_from_slice(&(extra as u16).to_le_bytes());
    }
}

/// Returns the end of the archive (4.3.14 to 4.3.16), after a central directory of `size` bytes at `offset`.
pub(crate) fn end(entries: u64, size: u64, offset: u64) -> Vec<u8> {
    let mut end = Vec::new();
    let few_entries = u16::try_from(entries).unwrap_or(u16::MAX);
    if few_entries == u16::MAX || does_not_fit(size) || does_not_fit(offset) {
        end.extend_from_slice(&0x0606_4b50_u32.to_le_bytes());
        // The length of what follows this field.
        end.extend_from_slice(&44_u64.to_le_bytes());
        end.extend_from_slice(&(UNIX | VERSION_ZIP64).to_le_bytes());
        end.extend_from_slice(&VERSION_ZIP64.to_le_bytes());
        end.extend_from_slice(&[0; 8]);
        for value in [entries, entries, size, offset] {
            end.extend_from_slice(&value.to_le_bytes());
        }
        end.extend_from_slice(&0x0706_4b50_u32.to_le_bytes());
        end.extend_from_slice(&0_u32.to_le_bytes());
        end.extend_from_slice(&(offset + size).to_le_bytes());
        end.extend_from_slice(&1_u32.to_le_bytes());
    }
    end.extend_from_slice(&0x0605_4b50_u32.to_le_bytes());
    end.extend_from_slice(&[0; 4]);
    end.extend_from_slice(&few_entries.to_le_bytes());
    end.extend_from_slice(&few_entries.to_le_bytes());
    end.extend_from_slice(&narrow(size).to_le_bytes());
    end.extend_from_slice(&narrow(offset).to_le_bytes());
    end.extend_from_slice(&[0; 2]);
    end
}

/// Returns whether a value needs zip64. The largest 32-bit number does, as it refers to the zip64 record.
fn does_not_fit(value: u64) -> bool {
    value >= u64::from(IN_ZIP64)
}

/// Returns the value, or the number that refers to the zip64 record.
fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(IN_ZIP64)
}

fn version(zip64: bool) -> u16 {
    if zip64 { VERSION_ZIP64 } else { VERSION_DEFLATE }
}

/// Returns the zip64 extended information field (4.5.3).
fn zip64_field(values: &[u64]) -> Vec<u8> {
    let mut field = Vec::with_capacity(4 + 8 * values.len());
    field.extend_from_slice(&0x0001_u16.to_le_bytes());
    field.extend_from_slice(&(8 * values.len() as u16).to_le_bytes());
    for value in values {
        field.extend_from_slice(&value.to_le_bytes());
    }
    field
}

/// Returns an archive with one empty file.
#[cfg(test)]
pub(crate) fn archive_of_an_empty_file(name: &str) -> Vec<u8> {
    let header = EntryHeaders {
        name,
        mode: FileMode::from_permissions(0o644),
        compression: ZipCompression::Stored,
        crc32: 0,
        size: 0,
        compressed_size: 0,
        offset: 0,
    };
    let mut archive = header.local_header();
    let offset = archive.len() as u64;
    header.append_to_directory(&mut archive);
    let size = archive.len() as u64 - offset;
    archive.extend(end(1, size, offset));
    archive
}
