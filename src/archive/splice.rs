//! One gzip member, spliced from existing deflate streams.
//!
//! Deflate streams can be joined: a stream is a sequence of blocks, and only the `BFINAL` bit in the header of its last
//! block says that nothing follows. So a stream is copied unchanged but for that bit, and the next one begins after its
//! last bit. Copying requires that a stream begins at a byte boundary; elsewhere an empty stored block precedes it, which
//! ends at one. The blocks between the streams are written here, and may begin at any bit.
//!
//! The output depends on the content alone: block boundaries never depend on the size of a buffer.
//!
//! Specification: [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952) around [RFC 1951](https://www.rfc-editor.org/rfc/rfc1951).

use std::io::Write;

use super::ArchiveError;
use super::deflate::{Deflater, GZIP_HEADER};
use crate::tree::{Extent, ExtentFormat};

mod bits;

use bits::BitBuffer;

/// How many bytes are collected before they are written. So few are still in the processor's cache when the output
/// takes, and often hashes, them. The output does not depend on it.
const BUFFER: usize = 256 * 1024;

/// The most bytes in a stored block (RFC 1951, section 3.2.4).
const LARGEST_STORED: u64 = 65_535;

/// The header of a stored block that is not the last: three bits (RFC 1951, section 3.2.3).
const STORED: u16 = 0b000;
/// The header of a block with fixed codes that is not the last.
const FIXED: u16 = 0b010;
/// The header of the last block, with fixed codes.
const LAST_FIXED: u16 = 0b011;

/// Writes one gzip member.
pub(super) struct Splicer<'a> {
    output: &'a mut dyn Write,
    buffer: BitBuffer,
    /// Whether a block with fixed codes has begun and not ended.
    is_open: bool,
    /// The CRC-32 and the number of all bytes, uncompressed.
    crc32: crc32fast::Hasher,
    size: u64,
}

impl<'a> Splicer<'a> {
    pub(super) fn new(output: &'a mut dyn Write) -> Self {
        let mut bytes = Vec::with_capacity(BUFFER + 64 * 1024);
        bytes.extend_from_slice(&GZIP_HEADER);
        Self { output, buffer: BitBuffer::new(bytes), is_open: false, crc32: crc32fast::Hasher::new(), size: 0 }
    }

    /// Adds uncompressed bytes that consist mostly of runs: headers and padding.
    ///
    /// # Errors
    /// The output fails.
    pub(super) fn runs(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        if !self.is_open {
            self.buffer.put(FIXED, 3);
            self.is_open = true;
        }
        self.buffer.put_runs(bytes);
        self.crc32.update(bytes);
        self.size += bytes.len() as u64;
        self.write_if_full()
    }

    /// Adds an entry of a wheel without inflating it. The extent must be [coherent](Extent::is_coherent). `fill` is
    /// called with buffers to fill and the offset of each from the beginning of the extent.
    ///
    /// # Errors
    /// The output fails, or the error of `fill`.
    pub(super) fn extent(
        &mut self,
        extent: &Extent,
        fill: impl FnMut(&mut [u8], u64) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        match extent.format {
            ExtentFormat::Stored => self.stored(extent.size, fill)?,
            ExtentFormat::Deflated { final_block, end } => {
                self.stream(extent.compressed_size, final_block, end, fill)?
            }
        }
        self.crc32.combine(&crc32fast::Hasher::new_with_initial_len(extent.crc32, extent.size));
        self.size += extent.size;
        Ok(())
    }

    /// Adds bytes, deflated by the pinned compressor. `read` fills a buffer and returns the number of bytes, 0 at the
    /// end.
    ///
    /// # Errors
    /// The output fails, or the error of `read`.
    pub(super) fn deflate(
        &mut self,
        mut read: impl FnMut(&mut [u8]) -> Result<usize, ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let mut chunk = vec![0; 64 * 1024];
        let mut length = read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        self.align();
        let mut deflater = Deflater::begin();
        while length > 0 {
            deflater.push(&chunk[..length], &mut self.buffer.bytes).map_err(ArchiveError::Output)?;
            self.write_if_full()?;
            length = read(&mut chunk)?;
        }
        let deflated = deflater.finish_open(&mut self.buffer.bytes).map_err(ArchiveError::Output)?;
        self.crc32.combine(&crc32fast::Hasher::new_with_initial_len(deflated.crc32, deflated.size));
        self.size += deflated.size;
        Ok(())
    }

    /// # Errors
    /// The output fails.
    pub(super) fn finish(mut self) -> Result<(), ArchiveError> {
        self.close();
        self.buffer.put(LAST_FIXED, 3);
        self.buffer.put_end_of_block();
        self.buffer.pad();
        let bytes = &mut self.buffer.bytes;
        bytes.extend_from_slice(&self.crc32.finalize().to_le_bytes());
        // The size modulo 2³² (RFC 1952, section 2.3.1).
        bytes.extend_from_slice(&(self.size as u32).to_le_bytes());
        self.output.write_all(bytes).map_err(ArchiveError::Output)
    }

    /// Copies bytes into stored blocks, all of the largest size but the last.
    fn stored(
        &mut self,
        size: u64,
        mut fill: impl FnMut(&mut [u8], u64) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        self.close();
        let mut done = 0;
        while done < size {
            let length = LARGEST_STORED.min(size - done);
            self.begin_stored(length as u16);
            self.copy(length, |portion, within| fill(portion, done + within))?;
            done += length;
        }
        Ok(())
    }

    /// Copies a deflate stream up to its last bit, with the `BFINAL` bit of its last block cleared.
    fn stream(
        &mut self,
        length: u64,
        final_block: u64,
        end: u64,
        mut fill: impl FnMut(&mut [u8], u64) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        self.align();
        self.copy(length, |portion, done| {
            fill(portion, done)?;
            let at = (final_block / 8).checked_sub(done).and_then(|at| usize::try_from(at).ok());
            if let Some(byte) = at.and_then(|at| portion.get_mut(at)) {
                *byte &= !(1 << (final_block % 8));
            }
            Ok(())
        })?;
        // How many bits of the last byte belong to the stream; 0 means all of them.
        let used = end % 8;
        if used > 0
            && let Some(last) = self.buffer.bytes.pop()
        {
            self.buffer.put(u16::from(last) & ((1 << used) - 1), used as u32);
        }
        Ok(())
    }

    /// Appends `length` bytes to the buffer in portions, and writes the buffer whenever it is full.
    fn copy(
        &mut self,
        length: u64,
        mut fill: impl FnMut(&mut [u8], u64) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let mut done = 0;
        while done < length {
            self.write_if_full()?;
            let start = self.buffer.bytes.len();
            let portion = usize::try_from(length - done).unwrap_or(usize::MAX).min(BUFFER - start);
            self.buffer.bytes.resize(start + portion, 0);
            fill(&mut self.buffer.bytes[start..], done)?;
            done += portion as u64;
        }
        Ok(())
    }

    /// Ends the open block with fixed codes.
    fn close(&mut self) {
        if self.is_open {
            self.buffer.put_end_of_block();
            self.is_open = false;
        }
    }

    /// Ends the open block, and makes the next one begin at a byte boundary.
    fn align(&mut self) {
        self.close();
        if self.buffer.is_aligned() {
            self.buffer.pad();
        } else {
            self.begin_stored(0);
        }
    }

    /// Begins a stored block of `length` bytes, which follow.
    fn begin_stored(&mut self, length: u16) {
        self.buffer.put(STORED, 3);
        self.buffer.pad();
        self.buffer.bytes.extend_from_slice(&length.to_le_bytes());
        self.buffer.bytes.extend_from_slice(&(!length).to_le_bytes());
    }

    fn write_if_full(&mut self) -> Result<(), ArchiveError> {
        if self.buffer.bytes.len() >= BUFFER {
            self.output.write_all(&self.buffer.bytes).map_err(ArchiveError::Output)?;
            self.buffer.bytes.clear();
        }
        Ok(())
    }
}
