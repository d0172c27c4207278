//! The uncompressed bytes of a layer.

use std::io::{self, Write};

use flate2::{Decompress, FlushDecompress, Status};

use super::ArchiveError;
use crate::tree::{Extent, ExtentFormat};

/// How many inflated bytes are passed on at once.
const BUFFER: usize = 128 * 1024;

/// Writes the uncompressed bytes, and inflates what wheels have deflated.
pub(super) struct UncompressedWriter<'a> {
    output: &'a mut dyn Write,
    inflate: Decompress,
    buffer: Box<[u8]>,
}

impl<'a> UncompressedWriter<'a> {
    /// Makes a writer.
    pub fn new(output: &'a mut dyn Write) -> Self {
        Self { output, inflate: Decompress::new(false), buffer: vec![0; BUFFER].into() }
    }

    /// Adds bytes as they are.
    ///
    /// # Errors
    /// The output fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.output.write_all(bytes).map_err(ArchiveError::Output)
    }

    /// Begins an entry of a wheel.
    pub fn extent<'b>(&'b mut self, extent: &'b Extent) -> UncompressedEntry<'b, 'a> {
        self.inflate.reset(false);
        let is_ended = extent.form == ExtentFormat::Stored;
        UncompressedEntry { plain: self, extent, crc32: crc32fast::Hasher::new(), size: 0, is_ended }
    }
}

/// An entry of a wheel that is inflated again, and compared with what was found when the wheel was verified.
pub(super) struct UncompressedEntry<'b, 'a> {
    plain: &'b mut UncompressedWriter<'a>,
    extent: &'b Extent,
    crc32: crc32fast::Hasher,
    size: u64,
    is_ended: bool,
}

impl UncompressedEntry<'_, '_> {
    /// Takes the next bytes of the entry, as they lie in the wheel. `failed` says where they are from.
    ///
    /// # Errors
    /// The output fails, or the bytes are not those that were verified.
    pub fn push(&mut self, bytes: &[u8], failed: impl Fn(io::Error) -> ArchiveError) -> Result<(), ArchiveError> {
        if self.extent.form == ExtentFormat::Stored {
            self.crc32.update(bytes);
            self.size += bytes.len() as u64;
            return self.plain.write(bytes);
        }
        let UncompressedWriter { output, inflate, buffer } = &mut *self.plain;
        let mut rest = bytes;
        loop {
            let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(rest, buffer, FlushDecompress::None).map_err(|_| failed(damaged()))?;
            let taken = (inflate.total_in() - before_in) as usize;
            let given = (inflate.total_out() - before_out) as usize;
            rest = &rest[taken..];
            self.crc32.update(&buffer[..given]);
            self.size += given as u64;
            if self.size > self.extent.size {
                return Err(failed(damaged()));
            }
            output.write_all(&buffer[..given]).map_err(ArchiveError::Output)?;
            self.is_ended = status == Status::StreamEnd;
            if self.is_ended || (taken == 0 && given == 0) {
                return if rest.is_empty() { Ok(()) } else { Err(failed(damaged())) };
            }
        }
    }

    /// Ends the entry.
    ///
    /// # Errors
    /// The bytes are not those that were verified.
    pub fn finish(self, failed: impl Fn(io::Error) -> ArchiveError) -> Result<(), ArchiveError> {
        let is_whole = self.is_ended && self.size == self.extent.size && self.crc32.finalize() == self.extent.crc32;
        if is_whole { Ok(()) } else { Err(failed(damaged())) }
    }
}

/// Returns the reason that bytes are refused for.
pub(super) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its bytes are not those that were verified")
}
