//! The uncompressed tar archive of a layer.

use std::io::Write;

use flate2::{Decompress, FlushDecompress, Status};

use super::ArchiveError;
use crate::tree::{Extent, ExtentFormat};

/// The size of the buffer for inflated bytes.
const BUFFER: usize = 128 * 1024;

/// Writes an uncompressed tar archive, and inflates the entries of wheels for it.
pub(super) struct UncompressedWriter<'a> {
    output: &'a mut dyn Write,
    inflate: Decompress,
    buffer: Box<[u8]>,
}

impl<'a> UncompressedWriter<'a> {
    pub(super) fn new(output: &'a mut dyn Write) -> Self {
        Self { output, inflate: Decompress::new(false), buffer: vec![0; BUFFER].into() }
    }

    /// # Errors
    /// The output fails.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.output.write_all(bytes).map_err(ArchiveError::Output)
    }

    /// Begins an entry of a wheel.
    pub(super) fn extent<'b>(&'b mut self, extent: &'b Extent) -> UncompressedEntry<'b, 'a> {
        self.inflate.reset(false);
        let is_ended = extent.format == ExtentFormat::Stored;
        UncompressedEntry { writer: self, extent, crc32: crc32fast::Hasher::new(), size: 0, is_ended }
    }
}

/// Inflates an entry of a wheel, and checks that it is still the one that was verified.
pub(super) struct UncompressedEntry<'b, 'a> {
    writer: &'b mut UncompressedWriter<'a>,
    extent: &'b Extent,
    crc32: crc32fast::Hasher,
    size: u64,
    is_ended: bool,
}

impl UncompressedEntry<'_, '_> {
    /// Adds the next bytes of the entry as they are in the wheel. `damaged` is the error if they are invalid.
    ///
    /// # Errors
    /// The output fails, or the wheel has changed since it was verified.
    pub(super) fn push(&mut self, bytes: &[u8], damaged: impl Fn() -> ArchiveError) -> Result<(), ArchiveError> {
        if self.extent.format == ExtentFormat::Stored {
            self.crc32.update(bytes);
            self.size += bytes.len() as u64;
            return self.writer.write(bytes);
        }
        let UncompressedWriter { output, inflate, buffer } = &mut *self.writer;
        let mut rest = bytes;
        loop {
            let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(rest, buffer, FlushDecompress::None).map_err(|_| damaged())?;
            let consumed = (inflate.total_in() - before_in) as usize;
            let produced = (inflate.total_out() - before_out) as usize;
            rest = &rest[consumed..];
            self.crc32.update(&buffer[..produced]);
            self.size += produced as u64;
            if self.size > self.extent.size {
                return Err(damaged());
            }
            output.write_all(&buffer[..produced]).map_err(ArchiveError::Output)?;
            self.is_ended = status == Status::StreamEnd;
            if self.is_ended || (consumed == 0 && produced == 0) {
                return if rest.is_empty() { Ok(()) } else { Err(damaged()) };
            }
        }
    }

    /// Returns whether all bytes were added, and are those that were verified.
    pub(super) fn is_whole(&self) -> bool {
        let is_intact = self.crc32.clone().finalize() == self.extent.crc32;
        self.is_ended && self.size == self.extent.size && is_intact
    }
}
