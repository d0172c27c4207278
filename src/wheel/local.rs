//! Compares local headers and data descriptors with the central directory.
//!
//! Specification: [APPNOTE](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT) 4.3.7 (local header),
//! 4.3.9 (data descriptor) and 4.5.3 (zip64 extra field).

use super::directory::{CentralHeader, ExtraField, agrees_32};
use super::error::{HeaderField, WheelErrorKind};
use super::source::{ArchiveFile, LittleEndianFields};

const SIGNATURE: u32 = 0x0403_4b50;
const SIZE: usize = 30;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
/// A data descriptor follows the entry's content (4.4.4, bit 3).
const HAS_DESCRIPTOR: u16 = 1 << 3;

/// Checks the local header of `header`'s entry, and that the entry ends at `end`; returns the offset of its content.
pub(super) fn check(source: &ArchiveFile, header: &CentralHeader, end: u64) -> Result<u64, WheelErrorKind> {
    let (local, bytes) = read(source, header.offset)?.ok_or(WheelErrorKind::NoLocalHeader(header.offset))?;
    let (name, extra) = bytes.split_at(local.name_size.into());

    if name != header.name.as_bytes() {
        return Err(WheelErrorKind::Disagreement(HeaderField::Name));
    }
    let extra = ExtraField::parse(extra)?;
    extra.check_name(&header.name)?;
    if local.flags != header.flags {
        return Err(WheelErrorKind::Disagreement(HeaderField::Flags));
    }
    if local.method != header.method {
        return Err(WheelErrorKind::Disagreement(HeaderField::Method));
    }
    let (size, compressed_size) = local.sizes(&extra)?;
    // 4.4.4, bit 3: with a data descriptor, these fields may be zero in the local header.
    let may_be_zero = header.flags & HAS_DESCRIPTOR != 0;
    for (field, local, central) in [
        (HeaderField::Crc32, local.crc32.into(), header.crc32.into()),
        (HeaderField::CompressedSize, compressed_size, header.compressed_size),
        (HeaderField::Size, size, header.size),
    ] {
        if local != central && !(may_be_zero && local == 0) {
            return Err(WheelErrorKind::Disagreement(field));
        }
    }
    let begin = header.offset + (SIZE + bytes.len()) as u64;
    check_end(source, header, extra.zip64.is_some(), begin, end)?;
    Ok(begin)
}

/// Reads the local header at `offset`, and the bytes of its name and its extra field.
fn read(source: &ArchiveFile, offset: u64) -> Result<Option<(RawLocalHeader, Vec<u8>)>, WheelErrorKind> {
    let Some(fields) = source.bytes(offset, SIZE)? else { return Ok(None) };
    let Some(header) = RawLocalHeader::take(&mut LittleEndianFields(&fields)) else { return Ok(None) };
    let size = usize::from(header.name_size) + usize::from(header.extra_size);
    Ok(source.bytes(offset + SIZE as u64, size)?.map(|bytes| (header, bytes)))
}

/// The fields of a local header.
struct RawLocalHeader {
    flags: u16,
    method: u16,
    crc32: u32,
    compressed_size: u32,
    size: u32,
    name_size: u16,
    extra_size: u16,
}

impl RawLocalHeader {
    fn take(fields: &mut LittleEndianFields) -> Option<Self> {
        if fields.u32()? != SIGNATURE {
            return None;
        }
        // Version needed to extract.
        fields.u16()?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        // Time and date.
        fields.u32()?;
        let (crc32, compressed_size, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        Some(Self { flags, method, crc32, compressed_size, size, name_size: fields.u16()?, extra_size: fields.u16()? })
    }

    /// Returns the uncompressed and the compressed size.
    fn sizes(&self, extra: &ExtraField) -> Result<(u64, u64), WheelErrorKind> {
        let Some(zip64) = extra.zip64 else { return Ok((self.size.into(), self.compressed_size.into())) };
        // 4.5.3: in a local header, the zip64 field must have both sizes.
        let mut fields = LittleEndianFields(zip64);
        let (Some(size), Some(compressed_size), []) = (fields.u64(), fields.u64(), fields.0) else {
            return Err(WheelErrorKind::ExtraField("has a zip64 field that does not consist of two sizes"));
        };
        if !agrees_32(self.size, size) || !agrees_32(self.compressed_size, compressed_size) {
            return Err(WheelErrorKind::ExtraField("has a zip64 field that disagrees with the local header"));
        }
        Ok((size, compressed_size))
    }
}

/// Checks that the entry whose content begins at `begin` ends at `end`, with a data descriptor if its flags announce one.
fn check_end(
    source: &ArchiveFile,
    header: &CentralHeader,
    is_zip64: bool,
    begin: u64,
    end: u64,
) -> Result<(), WheelErrorKind> {
    let data_end = begin.saturating_add(header.compressed_size);
    let rest = end.checked_sub(data_end).ok_or_else(|| WheelErrorKind::Overlap(data_end - end))?;
    // The largest descriptor has a signature, a CRC-32 and two 64-bit sizes.
    let bytes = source.bytes(data_end, rest.min(24) as usize)?.unwrap_or_default();
    let is_signed = bytes.starts_with(&DESCRIPTOR_SIGNATURE.to_le_bytes());
    if header.flags & HAS_DESCRIPTOR == 0 {
        return match rest {
            0 => Ok(()),
            _ if is_signed => Err(WheelErrorKind::UnexpectedDescriptor),
            _ => Err(WheelErrorKind::Gap(rest)),
        };
    }
    if rest == 0 {
        return Err(WheelErrorKind::MissingDescriptor);
    }
    // 4.3.9.2: the sizes have 64 bits if the entry has a zip64 field. They always do if one does not fit 32 bits.
    let is_wide = is_zip64 || header.size.max(header.compressed_size) > u64::from(u32::MAX);
    let unsigned_size = if is_wide { 20 } else { 12 };
    let mut fields = LittleEndianFields(&bytes);
    // The signature is optional (4.3.9.3), and a CRC-32 may equal it: the number of bytes decides.
    match rest.checked_sub(unsigned_size) {
        Some(0) => {}
        Some(4) if is_signed => drop(fields.u32()),
        None => return Err(WheelErrorKind::MissingDescriptor),
        Some(gap) => return Err(WheelErrorKind::Gap(if is_signed { gap.saturating_sub(4) } else { gap })),
    }
    let crc32 = fields.u32();
    let (compressed_size, size) = (fields.size(is_wide), fields.size(is_wide));
    if crc32 != Some(header.crc32) {
        return Err(WheelErrorKind::DescriptorDisagreement(HeaderField::Crc32));
    }
    if compressed_size != Some(header.compressed_size) {
        return Err(WheelErrorKind::DescriptorDisagreement(HeaderField::CompressedSize));
    }
    if size != Some(header.size) {
        return Err(WheelErrorKind::DescriptorDisagreement(HeaderField::Size));
    }
    Ok(())
}
