//! Inflates an entry once, in bounded memory, to verify it.

use super::blocks::{BlockInflater, InflateStep, InflateStop};
use super::error::WheelErrorKind;
use super::source::ArchiveFile;
use crate::tree::{ExtentFormat, ZipCompression};

/// The size of each buffer, in bytes.
const BUFFER: usize = 64 << 10;

/// The location of an entry's content, and what its headers state about it.
pub(crate) struct DeclaredExtent {
    /// The offset of the compressed bytes in the file.
    pub(crate) offset: u64,
    /// The number of compressed bytes.
    pub(crate) compressed_size: u64,
    /// The number of inflated bytes.
    pub(crate) size: u64,
    /// The CRC-32 of the inflated bytes.
    pub(crate) crc32: u32,
    /// The compression method.
    pub(crate) compression: ZipCompression,
}

/// Buffers and state for inflating, reused from entry to entry.
pub(crate) struct Inflater {
    input: Box<[u8]>,
    output: Box<[u8]>,
    blocks: BlockInflater,
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// Allocates the buffers.
    pub(crate) fn new() -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Self { input: buffer.clone(), output: buffer, blocks: BlockInflater::new() }
    }

    /// Inflates an entry and passes its bytes to `sink`, in chunks of which all but the last fill a buffer. Stops as
    /// soon as the output exceeds the declared size, so that a zip bomb costs no time. Returns the format, and the CRC-32C of
    /// the compressed bytes.
    pub(super) fn run(
        &mut self,
        source: &ArchiveFile,
        declared: &DeclaredExtent,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(ExtentFormat, u32), WheelErrorKind> {
        let mut crc32 = crc32fast::Hasher::new();
        let mut checked_sink = |bytes: &[u8]| {
            crc32.update(bytes);
            sink(bytes);
        };
        let (format, checksum) = match declared.compression {
            ZipCompression::Stored => self.copy(source, declared, &mut checked_sink)?,
            ZipCompression::Deflated => self.inflate(source, declared, &mut checked_sink)?,
        };
        let actual = crc32.finalize();
        if actual != declared.crc32 {
            return Err(WheelErrorKind::Crc32 { expected: declared.crc32, actual });
        }
        Ok((format, checksum))
    }

    /// Passes a stored entry to `sink`.
    fn copy(
        &mut self,
        source: &ArchiveFile,
        declared: &DeclaredExtent,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<(ExtentFormat, u32), WheelErrorKind> {
        let mut input = EntryReader::new(declared);
        while input.left > 0 {
            sink(input.next(source, &mut self.input)?);
        }
        Ok((ExtentFormat::Stored, input.checksum))
    }

    /// Inflates a deflated entry (RFC 1951).
    fn inflate(
        &mut self,
        source: &ArchiveFile,
        declared: &DeclaredExtent,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<(ExtentFormat, u32), WheelErrorKind> {
        self.blocks.reset();
        let mut input = EntryReader::new(declared);
        let mut compressed: &[u8] = &[];
        let (mut filled, mut size) = (0, 0);
        let mut final_block = 0;
        let end = loop {
            if compressed.is_empty() {
                compressed = input.next(source, &mut self.input)?;
            }
            let step = self.blocks.step(compressed, &mut self.output[filled..]);
            let InflateStep { consumed, produced, stop } = step.map_err(|_| WheelErrorKind::Deflate("is invalid"))?;
            compressed = &compressed[consumed..];
            filled += produced;
            size += produced as u64;
            if size > declared.size {
                return Err(WheelErrorKind::TooLong(declared.size));
            }
            if matches!(stop, InflateStop::End(_)) || filled == self.output.len() {
                sink(&self.output[..filled]);
                filled = 0;
            }
            match stop {
                InflateStop::End(bit) => break bit,
                InflateStop::Block(bit) => final_block = bit,
                InflateStop::Buffer if consumed == 0 && produced == 0 => {
                    return Err(WheelErrorKind::Deflate("is truncated"));
                }
                InflateStop::Buffer => {}
            }
        };
        let trailing = declared.compressed_size - end.div_ceil(8);
        if trailing > 0 {
            return Err(WheelErrorKind::DeflateTrailing(trailing));
        }
        if size != declared.size {
            return Err(WheelErrorKind::TooShort { expected: declared.size, actual: size });
        }
        Ok((ExtentFormat::Deflated { final_block, end }, input.checksum))
    }
}

/// Reads the compressed bytes of an entry.
struct EntryReader {
    offset: u64,
    /// The number of bytes left to read.
    left: u64,
    /// The CRC-32C of the bytes that were read.
    checksum: u32,
}

impl EntryReader {
    fn new(declared: &DeclaredExtent) -> Self {
        Self { offset: declared.offset, left: declared.compressed_size, checksum: 0 }
    }

    /// Reads the next bytes into `buffer`; an empty slice is the end.
    fn next<'a>(&mut self, source: &ArchiveFile, buffer: &'a mut [u8]) -> Result<&'a [u8], WheelErrorKind> {
        let size = self.left.min(buffer.len() as u64);
        let chunk = &mut buffer[..size as usize];
        source.fill(self.offset, chunk)?;
        self.checksum = crc32c::crc32c_append(self.checksum, chunk);
        self.offset += size;
        self.left -= size;
        Ok(chunk)
    }
}
