//! The end records and the central directory of an archive.
//!
//! Specification: [APPNOTE](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT) 4.3.12 (central directory),
//! 4.3.14 and 4.3.15 (zip64 end records), 4.3.16 (end record) and 4.5 (extra fields).

use std::ops::Range;

use super::error::{StrictArchiveError, WheelErrorKind};
use super::source::{ArchiveFile, LittleEndianFields};

/// The largest central directory that is read: some hundred thousand entries.
const LARGEST: u64 = 64 << 20;

const END_SIGNATURE: u32 = 0x0605_4b50;
const END_SIZE: usize = 22;
const ZIP64_LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
const ZIP64_LOCATOR_SIZE: u64 = 20;
const ZIP64_END_SIGNATURE: u32 = 0x0606_4b50;
const ZIP64_END_SIZE: u64 = 56;
const HEADER_SIGNATURE: u32 = 0x0201_4b50;

/// A field of 16 bits that says "see the zip64 record".
const SEE_ZIP64_16: u16 = u16::MAX;
/// A field of 32 bits that says "see the zip64 record".
pub(super) const SEE_ZIP64_32: u32 = u32::MAX;

/// A header of the central directory.
pub(super) struct CentralHeader {
    pub name: String,
    /// The system that made the entry (APPNOTE 4.4.2): 3 is Unix.
    pub system: u8,
    pub flags: u16,
    pub method: u16,
    pub crc32: u32,
    pub compressed_size: u64,
    pub size: u64,
    /// The Unix mode, if `system` is Unix.
    pub mode: u32,
    /// Where the local header is.
    pub offset: u64,
    /// Where this header is.
    pub place: Range<u64>,
}

/// The central directory.
pub(super) struct CentralDirectory {
    pub headers: Vec<CentralHeader>,
    /// Where it begins, which is where the last entry must end.
    pub offset: u64,
}

/// Reads the central directory. It ends where the end records begin, and they end where the file ends.
pub(super) fn read(source: &ArchiveFile) -> Result<CentralDirectory, StrictArchiveError> {
    let end = read_end(source)?;
    if end.size.checked_add(end.offset) != Some(end.position) {
        return Err(WheelErrorKind::DirectoryPlace { offset: end.offset, size: end.size, end: end.position }.into());
    }
    if end.size > LARGEST {
        return Err(WheelErrorKind::DirectorySize(end.size).into());
    }
    let mut bytes = vec![0; end.size as usize];
    source.fill(end.offset, &mut bytes)?;
    let mut fields = LittleEndianFields(&bytes);
    let mut headers = Vec::new();
    while !fields.0.is_empty() {
        let position = end.position - fields.0.len() as u64;
        headers.push(read_header(&mut fields, position)?);
    }
    if headers.len() as u64 != end.entries {
        return Err(WheelErrorKind::Count { stated: end.entries, found: headers.len() as u64 }.into());
    }
    Ok(CentralDirectory { headers, offset: end.offset })
}

/// What the end records say.
#[derive(Clone, Copy)]
struct EndOfDirectory {
    /// Where the first of the end records begins.
    position: u64,
    entries: u64,
    /// The central directory's size.
    size: u64,
    /// The central directory's offset.
    offset: u64,
}

/// Reads the end record, and the zip64 end record if there is one.
fn read_end(source: &ArchiveFile) -> Result<EndOfDirectory, WheelErrorKind> {
    let tail_size = source.length.min((END_SIZE + usize::from(u16::MAX)) as u64);
    let mut tail = vec![0; tail_size as usize];
    source.fill(source.length - tail_size, &mut tail)?;

    // Readers look for the last signature. Only where that one's record ends with the file do all of them see one archive.
    let start = tail.windows(END_SIZE).rposition(|record| record.starts_with(&END_SIGNATURE.to_le_bytes()));
    let start = start.ok_or(WheelErrorKind::NoEnd)?;
    let position = source.length - (tail.len() - start) as u64;
    let mut fields = LittleEndianFields(&tail[start + 4..]);
    let (end, comment_size) = take_end(&mut fields, position).ok_or(WheelErrorKind::NoEnd)?;
    let comment = fields.0;
    let stated = u64::from(comment_size);
    match (comment.len() as u64).checked_sub(stated) {
        Some(0) => {}
        None => return Err(WheelErrorKind::CommentCutShort(stated - comment.len() as u64)),
        Some(_) if hides_archive(&tail[..start], tail.len() - start) => return Err(WheelErrorKind::Comment),
        Some(trailing) => return Err(WheelErrorKind::TrailingBytes(trailing)),
    }
    // Every signature of an archive has such bytes, and no text does.
    if comment.iter().any(|byte| (1..=8).contains(byte)) || hides_archive(&tail[..start], tail.len() - start) {
        return Err(WheelErrorKind::Comment);
    }
    read_zip64_end(source, &end)
}

/// Returns whether an earlier end record takes the last `hidden` bytes of the file for its comment.
fn hides_archive(before: &[u8], hidden: usize) -> bool {
    let signature = END_SIGNATURE.to_le_bytes();
    before.windows(END_SIZE).enumerate().any(|(start, record)| {
        let comment = before.len() - start - END_SIZE + hidden;
        record.starts_with(&signature) && usize::from(u16::from_le_bytes([record[20], record[21]])) == comment
    })
}

/// The end record as it is written.
struct EndRecord {
    position: u64,
    disks: [u16; 2],
    entries_here: u16,
    entries: u16,
    size: u32,
    offset: u32,
}

/// Takes an end record after its signature, up to its comment, whose size is returned.
fn take_end(fields: &mut LittleEndianFields, position: u64) -> Option<(EndRecord, u16)> {
    let end = EndRecord {
        position,
        disks: [fields.u16()?, fields.u16()?],
        entries_here: fields.u16()?,
        entries: fields.u16()?,
        size: fields.u32()?,
        offset: fields.u32()?,
    };
    Some((end, fields.u16()?))
}

/// Reads the zip64 end record before `end`, if there is one; else returns what `end` says.
fn read_zip64_end(source: &ArchiveFile, end: &EndRecord) -> Result<EndOfDirectory, WheelErrorKind> {
    let locator_position = end.position.checked_sub(ZIP64_LOCATOR_SIZE);
    let locator = match locator_position {
        Some(position) => source.bytes(position, ZIP64_LOCATOR_SIZE as usize)?,
        None => None,
    };
    let (Some(locator_position), Some(locator)) = (locator_position, locator) else {
        return plain_end(end);
    };
    let mut fields = LittleEndianFields(&locator);
    if fields.u32() != Some(ZIP64_LOCATOR_SIGNATURE) {
        return plain_end(end);
    }
    let (disk, position, disks) = (fields.u32(), fields.u64(), fields.u32());
    if disk != Some(0) || disks.is_none_or(|disks| disks > 1) {
        return Err(WheelErrorKind::MultipleDisks);
    }
    let position = position
        .filter(|position| *position <= locator_position)
        .ok_or(WheelErrorKind::Zip64End("record is not where its locator says"))?;
    let record = source.bytes(position, ZIP64_END_SIZE as usize)?;
    let record = record.ok_or(WheelErrorKind::Zip64End("record is not where its locator says"))?;
    let zip64 = zip64_end_fields(&record, position, locator_position)?;
    let agrees_32 = |plain: u32, wide: u64| plain == SEE_ZIP64_32 || u64::from(plain) == wide;
    let agrees_16 = |plain: u16, wide: u64| plain == SEE_ZIP64_16 || u64::from(plain) == wide;
    if end.disks.iter().any(|disk| *disk != 0 && *disk != SEE_ZIP64_16) {
        return Err(WheelErrorKind::MultipleDisks);
    }
    if !agrees_16(end.entries, zip64.entries)
        || !agrees_16(end.entries_here, zip64.entries)
        || !agrees_32(end.size, zip64.size)
        || !agrees_32(end.offset, zip64.offset)
    {
        return Err(WheelErrorKind::Zip64End("record disagrees with the plain end of central directory record"));
    }
    Ok(zip64)
}

fn plain_end(end: &EndRecord) -> Result<EndOfDirectory, WheelErrorKind> {
    if end.disks != [0, 0] || end.entries_here != end.entries {
        return Err(WheelErrorKind::MultipleDisks);
    }
    let EndRecord { position, entries, size, offset, .. } = *end;
    Ok(EndOfDirectory { position, entries: entries.into(), size: size.into(), offset: offset.into() })
}

/// Parses the zip64 end record at `position`; it must end where its locator begins, and have no extensible data sector.
fn zip64_end_fields(record: &[u8], position: u64, locator_position: u64) -> Result<EndOfDirectory, WheelErrorKind> {
    let missing = || WheelErrorKind::Zip64End("record is not where its locator says");
    let mut fields = LittleEndianFields(record);
    if fields.u32() != Some(ZIP64_END_SIGNATURE) {
        return Err(missing());
    }
    let size_after_this = fields.u64().ok_or_else(missing)?;
    if size_after_this > ZIP64_END_SIZE - 12 {
        return Err(WheelErrorKind::Zip64End("record has an extensible data sector"));
    }
    if size_after_this < ZIP64_END_SIZE - 12 {
        return Err(WheelErrorKind::Zip64End("record is too short"));
    }
    if position + ZIP64_END_SIZE != locator_position {
        return Err(WheelErrorKind::Zip64End("record does not end where its locator begins"));
    }
    // The versions that made it and that are needed.
    fields.bytes(4);
    let disks = [fields.u32(), fields.u32()];
    let mut number = || fields.u64().ok_or_else(missing);
    let (entries_here, entries, size, offset) = (number()?, number()?, number()?, number()?);
    if disks != [Some(0), Some(0)] || entries_here != entries {
        return Err(WheelErrorKind::MultipleDisks);
    }
    Ok(EndOfDirectory { position, entries, size, offset })
}

/// Takes one header; `position` is where it begins in the file.
fn read_header(fields: &mut LittleEndianFields, position: u64) -> Result<CentralHeader, StrictArchiveError> {
    let broken = || WheelErrorKind::Directory(position);
    let before = fields.0.len();
    if fields.u32() != Some(HEADER_SIGNATURE) {
        return Err(broken().into());
    }
    let raw = RawCentralHeader::take(fields).ok_or_else(broken)?;
    let lossy = || String::from_utf8_lossy(raw.name).into_owned();
    let place = position..position + (before - fields.0.len()) as u64;
    raw.check(place).map_err(|fault| fault.at(lossy()))
}

/// A header as it is written.
struct RawCentralHeader<'a> {
    made_by: u16,
    flags: u16,
    method: u16,
    crc32: u32,
    compressed_size: u32,
    size: u32,
    disk: u16,
    attributes: u32,
    offset: u32,
    name: &'a [u8],
    extra: &'a [u8],
}

impl<'a> RawCentralHeader<'a> {
    fn take(fields: &mut LittleEndianFields<'a>) -> Option<Self> {
        let made_by = fields.u16()?;
        // The version that is needed says less than flags and method do.
        fields.u16()?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        // Time and date.
        fields.u32()?;
        let (crc32, compressed_size, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name_size, extra_size, comment_size) = (fields.u16()?, fields.u16()?, fields.u16()?);
        let disk = fields.u16()?;
        // Internal attributes.
        fields.u16()?;
        let (attributes, offset) = (fields.u32()?, fields.u32()?);
        let name = fields.bytes(name_size.into())?;
        let extra = fields.bytes(extra_size.into())?;
        fields.bytes(comment_size.into())?;
        Some(Self { made_by, flags, method, crc32, compressed_size, size, disk, attributes, offset, name, extra })
    }

    fn check(&self, place: Range<u64>) -> Result<CentralHeader, WheelErrorKind> {
        let name = std::str::from_utf8(self.name).map_err(|_| WheelErrorKind::Name("it is not UTF-8"))?;
        let extra = ExtraField::parse(self.extra)?;
        extra.check_name(name)?;
        // 4.5.3: only fields that say so are in the zip64 field, in this order.
        let mut zip64 = LittleEndianFields(extra.zip64.unwrap_or_default());
        let mut wide = |plain: u32| {
            if plain == SEE_ZIP64_32 && extra.zip64.is_some() {
                zip64.u64().ok_or(WheelErrorKind::Extra("has too short a zip64 field"))
            } else {
                Ok(plain.into())
            }
        };
        let (size, compressed_size, offset) = (wide(self.size)?, wide(self.compressed_size)?, wide(self.offset)?);
        let disk = match self.disk {
            SEE_ZIP64_16 => zip64.u32().ok_or(WheelErrorKind::MultipleDisks)?,
            disk => disk.into(),
        };
        if disk != 0 {
            return Err(WheelErrorKind::MultipleDisks);
        }
        if !zip64.0.is_empty() || extra.zip64.is_some_and(<[u8]>::is_empty) {
            return Err(WheelErrorKind::Extra("has a zip64 field with more than is needed"));
        }
        Ok(CentralHeader {
            name: name.to_owned(),
            system: (self.made_by >> 8) as u8,
            flags: self.flags,
            method: self.method,
            crc32: self.crc32,
            compressed_size,
            size,
            mode: self.attributes >> 16,
            offset,
            place,
        })
    }
}

/// The parts of an extra field that change what an entry is.
#[derive(Default)]
pub(super) struct ExtraField<'a> {
    /// Sizes and offset of 64 bits (4.5.3).
    pub zip64: Option<&'a [u8]>,
    /// Another name (Info-ZIP Unicode Path, 4.6.9).
    unicode_path: Option<&'a [u8]>,
}

impl<'a> ExtraField<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WheelErrorKind> {
        let mut extra = Self::default();
        let mut fields = LittleEndianFields(bytes);
        while !fields.0.is_empty() {
            let broken = WheelErrorKind::Extra("is broken");
            let (Some(id), Some(size)) = (fields.u16(), fields.u16()) else { return Err(broken) };
            let Some(content) = fields.bytes(size.into()) else { return Err(broken) };
            let taken = match id {
                0x0001 => extra.zip64.replace(content),
                0x7075 => extra.unicode_path.replace(content),
                _ => None,
            };
            if taken.is_some() {
                return Err(WheelErrorKind::Extra("has one field twice"));
            }
        }
        Ok(extra)
    }

    /// Checks that no reader can see another name than `name`.
    pub fn check_name(&self, name: &str) -> Result<(), WheelErrorKind> {
        // One byte of version and the CRC-32 of the header's name precede the other name.
        match self.unicode_path {
            Some(field) if field.get(5..) != Some(name.as_bytes()) => {
                Err(WheelErrorKind::Extra("gives it another name"))
            }
            _ => Ok(()),
        }
    }
}
