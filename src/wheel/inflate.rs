//! Inflating an entry once, in bounded memory, to verify it.

use super::blocks::{BlockInflater, InflateStep, InflateStop};
use super::error::WheelErrorKind;
use super::source::ArchiveFile;
use crate::tree::{Compression, Form};

/// The size of each buffer, in bytes.
const BUFFER: usize = 64 << 10;

/// Where an entry's bytes lie, and what they are stated to be.
pub struct DeclaredExtent {
    /// Where the compressed bytes begin, from the beginning of the file.
    pub offset: u64,
    /// The number of compressed bytes.
    pub compressed_size: u64,
    /// The number of bytes that they inflate to.
    pub size: u64,
    /// The CRC-32 of the inflated bytes.
    pub crc32: u32,
    /// How they are compressed.
    pub compression: Compression,
}

/// What inflating needs; kept from entry to entry.
pub struct Inflater {
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
    /// Makes one, with its buffers.
    pub fn new() -> Self {
        let buffer = || vec![0; BUFFER].into_boxed_slice();
        Self { input: buffer(), output: buffer(), blocks: BlockInflater::new() }
    }

    /// Inflates an entry and gives its bytes to `sink`, in pieces of which all but the last fill a buffer; returns the
    /// entry's form. Stops as soon as more comes out than is stated.
    pub(super) fn run(
        &mut self,
        source: &ArchiveFile,
        stated: &DeclaredExtent,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<Form, WheelErrorKind> {
        let mut crc32 = crc32fast::Hasher::new();
        let mut count = |bytes: &[u8]| {
            crc32.update(bytes);
            sink(bytes);
        };
        let form = match stated.compression {
            Compression::Stored => self.copy(source, stated, &mut count)?,
            Compression::Deflated => self.inflate(source, stated, &mut count)?,
        };
        let actual = crc32.finalize();
        if actual != stated.crc32 {
            return Err(WheelErrorKind::Crc32 { stated: stated.crc32, actual });
        }
        Ok(form)
    }

    /// Passes a stored entry on.
    fn copy(
        &mut self,
        source: &ArchiveFile,
        stated: &DeclaredExtent,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<Form, WheelErrorKind> {
        let mut input = EntryReader { offset: stated.offset, left: stated.compressed_size };
        while input.left > 0 {
            sink(input.next(source, &mut self.input)?);
        }
        Ok(Form::Stored)
    }

    /// Inflates a deflated entry (RFC 1951).
    fn inflate(
        &mut self,
        source: &ArchiveFile,
        stated: &DeclaredExtent,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<Form, WheelErrorKind> {
        self.blocks.reset();
        let mut input = EntryReader { offset: stated.offset, left: stated.compressed_size };
        let mut compressed: &[u8] = &[];
        let (mut filled, mut size) = (0, 0);
        let mut final_block = 0;
        let end = loop {
            if compressed.is_empty() {
                compressed = input.next(source, &mut self.input)?;
            }
            let step = self.blocks.step(compressed, &mut self.output[filled..]);
            let InflateStep { taken, given, stop } = step.map_err(|_| WheelErrorKind::Deflate("is not valid"))?;
            compressed = &compressed[taken..];
            filled += given;
            size += given as u64;
            if size > stated.size {
                return Err(WheelErrorKind::TooLong(stated.size));
            }
            if matches!(stop, InflateStop::End(_)) || filled == self.output.len() {
                sink(&self.output[..filled]);
                filled = 0;
            }
            match stop {
                InflateStop::End(bit) => break bit,
                InflateStop::Block(bit) => final_block = bit,
                InflateStop::Buffer if taken == 0 && given == 0 => return Err(WheelErrorKind::Deflate("is cut short")),
                InflateStop::Buffer => {}
            }
        };
        let trailing = stated.compressed_size - end.div_ceil(8);
        if trailing > 0 {
            return Err(WheelErrorKind::DeflateTrailing(trailing));
        }
        if size != stated.size {
            return Err(WheelErrorKind::TooShort { stated: stated.size, actual: size });
        }
        Ok(Form::Deflated { final_block, end })
    }
}

/// The bytes of an entry that are still to be read.
struct EntryReader {
    offset: u64,
    left: u64,
}

impl EntryReader {
    /// Reads as much as `buffer` holds; nothing when nothing is left.
    fn next<'a>(&mut self, source: &ArchiveFile, buffer: &'a mut [u8]) -> Result<&'a [u8], WheelErrorKind> {
        let size = self.left.min(buffer.len() as u64);
        let chunk = &mut buffer[..size as usize];
        source.fill(self.offset, chunk)?;
        self.offset += size;
        self.left -= size;
        Ok(chunk)
    }
}
