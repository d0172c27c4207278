//! Reads an archive's bytes by position.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::error::WheelErrorKind;

/// A file that several threads can read at once, since no read moves a shared position.
#[derive(Clone, Copy)]
pub(super) struct ArchiveFile<'a> {
    file: &'a File,
    pub(super) length: u64,
}

impl<'a> ArchiveFile<'a> {
    pub(super) fn new(file: &'a File) -> Result<Self, WheelErrorKind> {
        let length = file.metadata().map_err(WheelErrorKind::Read)?.len();
        Ok(Self { file, length })
    }

    /// Fills `buffer` from `offset`; the caller has checked that the file is long enough.
    pub(super) fn fill(&self, offset: u64, buffer: &mut [u8]) -> Result<(), WheelErrorKind> {
        self.file.read_exact_at(buffer, offset).map_err(WheelErrorKind::Read)
    }

    /// Returns `size` bytes from `offset`, or `None` if the file is too short.
    pub(super) fn bytes(&self, offset: u64, size: usize) -> Result<Option<Vec<u8>>, WheelErrorKind> {
        match offset.checked_add(size as u64) {
            Some(end) if end <= self.length => {
                let mut bytes = vec![0; size];
                self.fill(offset, &mut bytes)?;
                Ok(Some(bytes))
            }
            _ => Ok(None),
        }
    }
}

/// Parses little-endian fields (APPNOTE 4.4.1.1) one after another.
pub(super) struct LittleEndianFields<'a>(pub(super) &'a [u8]);

impl<'a> LittleEndianFields<'a> {
    pub(super) fn bytes(&mut self, size: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Returns a size, which has 64 bits if it is wide, else 32.
    pub(super) fn size(&mut self, is_wide: bool) -> Option<u64> {
        if is_wide { self.u64() } else { self.u32().map(u64::from) }
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }
}
