//! The end records and the central directory of an archive.
//!
//! Specification: [APPNOTE](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT) 4.3.12 (central directory),
//! 4.3.14 and 4.3.15 (zip64 end records), 4.3.16 (end record) and 4.5 (extra fields).

use std::ops::Range;

use super::error::{StrictArchiveError, WheelErrorKind};
use super::source::{ArchiveFile, LittleEndianFields};

/// The largest central directory that is read, in bytes: enough for several hundred thousand entries.
pub(super) const LARGEST: u64 = 64 << 20;

const END_SIGNATURE: u32 = 0x0605_4b50;
const END_SIZE: usize = 22;
const ZIP64_LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
const ZIP64_LOCATOR_SIZE: u64 = 20;
const ZIP64_END_SIGNATURE: u32 = 0x0606_4b50;
const ZIP64_END_SIZE: u64 = 56;
const HEADER_SIGNATURE: u32 = 0x0201_4b50;

/// The value of a 16-bit field whose real value is in the zip64 record (4.4.1.4).
const SEE_ZIP64_16: u16 = u16::MAX;
/// The value of a 32-bit field whose real value is in the zip64 record (4.4.1.4).
const SEE_ZIP64_32: u32 = u32::MAX;

pub(super) struct CentralHeader {
    pub(super) name: String,
    /// The system that made the entry (4.4.2): 3 is Unix.
    pub(super) system: u8,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc32: u32,
    pub(super) compressed_size: u64,
    pub(super) size: u64,
    /// The Unix mode, if `system` is Unix.
    pub(super) mode: u32,
    /// The offset of the local header.
    pub(super) offset: u64,
    /// The position of this header in the file.
    pub(super) position: Range<u64>,
}

pub(super) struct CentralDirectory {
    pub(super) headers: Vec<CentralHeader>,
    /// Where the directory begins, which is where the last entry must end.
    pub(super) offset: u64,
}

/// Reads the central directory, which must end where the end records begin.
pub(super) fn read(source: &ArchiveFile) -> Result<CentralDirectory, StrictArchiveError> {
    let end = read_end(source)?;
    if end.size.checked_add(end.offset) != Some(end.position) {
        return Err(WheelErrorKind::DirectoryOffset { offset: end.offset, size: end.size, end: end.position }.into());
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
        return Err(WheelErrorKind::EntryCount { declared: end.entries, found: headers.len() as u64 }.into());
    }
    Ok(CentralDirectory { headers, offset: end.offset })
}

/// What the end records state about the central directory.
#[derive(Clone, Copy)]
struct EndOfDirectory {
    /// Where the first of the end records begins.
    position: u64,
    entries: u64,
    size: u64,
    offset: u64,
}

/// Reads the end record and, if present, the zip64 end record.
fn read_end(source: &ArchiveFile) -> Result<EndOfDirectory, WheelErrorKind> {
    let tail_size = source.length.min((END_SIZE + usize::from(u16::MAX)) as u64);
    let mut tail = vec![0; tail_size as usize];
    source.fill(source.length - tail_size, &mut tail)?;

    // Readers search backwards for the signature. All of them find the same record only if its comment ends with the file.
    let start = tail.windows(END_SIZE).rposition(|record| record.starts_with(&END_SIGNATURE.to_le_bytes()));
    let start = start.ok_or(WheelErrorKind::NoEndRecord)?;
    let position = source.length - (tail.len() - start) as u64;
    let mut fields = LittleEndianFields(&tail[start + 4..]);
    let (end, comment_size) = take_end(&mut fields, position).ok_or(WheelErrorKind::NoEndRecord)?;
    let comment = fields.0;
    let stated = u64::from(comment_size);
    match (comment.len() as u64).checked_sub(stated) {
        Some(0) => {}
        None => return Err(WheelErrorKind::CommentCutShort(stated - comment.len() as u64)),
        Some(_) if hides_archive(&tail[..start], tail.len() - start) => return Err(WheelErrorKind::HiddenArchive),
        Some(trailing) => return Err(WheelErrorKind::TrailingBytes(trailing)),
    }
    // The signatures of zip records contain these bytes; text does not.
    if comment.iter().any(|byte| (1..=8).contains(byte)) || hides_archive(&tail[..start], tail.len() - start) {
        return Err(WheelErrorKind::HiddenArchive);
    }
    read_zip64_end(source, &end)
}

/// Returns whether the last `hidden` bytes of the file could be the comment of an earlier end record.
fn hides_archive(before: &[u8], hidden: usize) -> bool {
    let signature = END_SIGNATURE.to_le_bytes();
    before.windows(END_SIZE).enumerate().any(|(start, record)| {
        let comment = before.len() - start - END_SIZE + hidden;
        record.starts_with(&signature) && usize::from(u16::from_le_bytes([record[20], record[21]])) == comment
    })
}

/// The fields of an end record.
struct EndRecord {
    position: u64,
    disks: [u16; 2],
    entries_here: u16,
    entries: u16,
    size: u32,
    offset: u32,
}

/// Parses an end record from after its signature up to its comment; returns it with the size of the comment.
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

/// Reads the zip64 end record before `end`; without one, returns what `end` states.
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
    let position = position.filter(|position| *position <= locator_position).ok_or(MISPLACED_ZIP64_END)?;
    let record = source.bytes(position, ZIP64_END_SIZE as usize)?;
    let record = record.ok_or(MISPLACED_ZIP64_END)?;
    let zip64 = zip64_end_fields(&record, position, locator_position)?;
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

/// Returns whether a 16-bit field of the end record agrees with its zip64 counterpart.
fn agrees_16(plain: u16, wide: u64) -> bool {
    plain == SEE_ZIP64_16 || u64::from(plain) == wide
}

/// Returns whether a 32-bit field of a record agrees with its zip64 counterpart.
pub(super) fn agrees_32(plain: u32, wide: u64) -> bool {
    plain == SEE_ZIP64_32 || u64::from(plain) == wide
}

fn plain_end(end: &EndRecord) -> Result<EndOfDirectory, WheelErrorKind> {
    if end.disks != [0, 0] || end.entries_here != end.entries {
        return Err(WheelErrorKind::MultipleDisks);
    }
    let EndRecord { position, entries, size, offset, .. } = *end;
    Ok(EndOfDirectory { position, entries: entries.into(), size: size.into(), offset: offset.into() })
}

/// Parses the zip64 end record at `position`, which must end where its locator begins and have no extensible data sector.
fn zip64_end_fields(record: &[u8], position: u64, locator_position: u64) -> Result<EndOfDirectory, WheelErrorKind> {
    let mut fields = LittleEndianFields(record);
    if fields.u32() != Some(ZIP64_END_SIGNATURE) {
        return Err(MISPLACED_ZIP64_END);
    }
    let size_after_this = fields.u64().ok_or(MISPLACED_ZIP64_END)?;
    if size_after_this > ZIP64_END_SIZE - 12 {
        return Err(WheelErrorKind::Zip64End("record has an extensible data sector"));
    }
    if size_after_this < ZIP64_END_SIZE - 12 {
        return Err(WheelErrorKind::Zip64End("record is too short"));
    }
    if position + ZIP64_END_SIZE != locator_position {
        return Err(WheelErrorKind::Zip64End("record does not end where its locator begins"));
    }
    // Version made by, version needed to extract.
    fields.bytes(4);
    let disks = [fields.u32(), fields.u32()];
    let (Some(entries_here), Some(entries), Some(size), Some(offset)) =
        (fields.u64(), fields.u64(), fields.u64(), fields.u64())
    else {
        return Err(MISPLACED_ZIP64_END);
    };
    if disks != [Some(0), Some(0)] || entries_here != entries {
        return Err(WheelErrorKind::MultipleDisks);
    }
    Ok(EndOfDirectory { position, entries, size, offset })
}

/// Parses one header; `position` is its offset in the file.
fn read_header(fields: &mut LittleEndianFields, position: u64) -> Result<CentralHeader, StrictArchiveError> {
    let before = fields.0.len();
    if fields.u32() != Some(HEADER_SIGNATURE) {
        return Err(WheelErrorKind::InvalidDirectory(position).into());
    }
    let raw = RawCentralHeader::take(fields).ok_or(WheelErrorKind::InvalidDirectory(position))?;
    let position = position..position + (before - fields.0.len()) as u64;
    raw.check(position).map_err(|kind| kind.at(String::from_utf8_lossy(raw.name)))
}

/// Returns a value of a header, or the next one in the zip64 field if the header refers to it.
fn widened(value: u32, zip64: &mut Option<LittleEndianFields>) -> Result<u64, WheelErrorKind> {
    match zip64 {
        Some(zip64) if value == SEE_ZIP64_32 => {
            zip64.u64().ok_or(WheelErrorKind::ExtraField("has a zip64 field that is too short"))
        }
        _ => Ok(value.into()),
    }
}

const MISPLACED_ZIP64_END: WheelErrorKind = WheelErrorKind::Zip64End("record is not where its locator says");

/// The fields of a central directory header.
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
        // Version needed to extract: flags and method say more.
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

    fn check(&self, position: Range<u64>) -> Result<CentralHeader, WheelErrorKind> {
        let name = std::str::from_utf8(self.name).map_err(|_| WheelErrorKind::InvalidName("it is not UTF-8"))?;
        let extra = ExtraField::parse(self.extra)?;
        extra.check_name(name)?;
        // 4.5.3: the zip64 field contains only the values that the header marks, in this order.
        let mut zip64 = extra.zip64.map(LittleEndianFields);
        let size = widened(self.size, &mut zip64)?;
        let compressed_size = widened(self.compressed_size, &mut zip64)?;
        let offset = widened(self.offset, &mut zip64)?;
        let disk = match self.disk {
            SEE_ZIP64_16 => zip64.as_mut().and_then(LittleEndianFields::u32).ok_or(WheelErrorKind::MultipleDisks)?,
            disk => disk.into(),
        };
        if disk != 0 {
            return Err(WheelErrorKind::MultipleDisks);
        }
        if zip64.is_some_and(|rest| !rest.0.is_empty()) || extra.zip64.is_some_and(<[u8]>::is_empty) {
            return Err(WheelErrorKind::ExtraField("has a zip64 field that is longer than needed"));
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
            position,
        })
    }
}

/// The extra fields that change an entry's name, sizes or offset.
#[derive(Default)]
pub(super) struct ExtraField<'a> {
    /// 64-bit sizes and offset (4.5.3).
    pub(super) zip64: Option<&'a [u8]>,
    /// Another name (Info-ZIP Unicode Path, 4.6.9).
    unicode_path: Option<&'a [u8]>,
}

impl<'a> ExtraField<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, WheelErrorKind> {
        let mut extra = Self::default();
        let mut fields = LittleEndianFields(bytes);
        while !fields.0.is_empty() {
            let broken = WheelErrorKind::ExtraField("is malformed");
            let (Some(id), Some(size)) = (fields.u16(), fields.u16()) else { return Err(broken) };
            let Some(content) = fields.bytes(size.into()) else { return Err(broken) };
            let previous = match id {
                0x0001 => extra.zip64.replace(content),
                0x7075 => extra.unicode_path.replace(content),
                _ => None,
            };
            if previous.is_some() {
                return Err(WheelErrorKind::ExtraField("has a duplicate field"));
            }
        }
        Ok(extra)
    }

    /// Checks that the extra field gives readers no other name than `name`.
    pub(super) fn check_name(&self, name: &str) -> Result<(), WheelErrorKind> {
        // One byte of version and the CRC-32 of the header's name precede the other name.
        match self.unicode_path {
            Some(field) if field.get(5..) != Some(name.as_bytes()) => {
                Err(WheelErrorKind::ExtraField("gives it a different name"))
            }
            _ => Ok(()),
        }
    }
}
