//! Inflating an entry once, in bounded memory, to verify it.

use flate2::{Decompress, FlushDecompress, Status};

use super::error::Fault;
use super::source::Source;
use crate::tree::Compression;

/// The size of each buffer, in bytes.
const BUFFER: usize = 64 << 10;

/// Where an entry's bytes lie, and what they are stated to be.
pub(super) struct Stated {
    pub offset: u64,
    pub compressed_size: u64,
    pub size: u64,
    pub crc32: u32,
    pub compression: Compression,
}

/// What inflating needs; kept from entry to entry.
pub(super) struct Inflater {
    input: Box<[u8]>,
    output: Box<[u8]>,
    deflate: Decompress,
}

impl Inflater {
    pub fn new() -> Self {
        let buffer = || vec![0; BUFFER].into_boxed_slice();
        Self { input: buffer(), output: buffer(), deflate: Decompress::new(false) }
    }

    /// Inflates an entry and gives its bytes to `sink`, in pieces of which all but the last fill a buffer. Stops as soon
    /// as more comes out than is stated.
    pub fn run(&mut self, source: &Source, stated: &Stated, mut sink: impl FnMut(&[u8])) -> Result<(), Fault> {
        let mut crc32 = crc32fast::Hasher::new();
        let mut count = |bytes: &[u8]| {
            crc32.update(bytes);
            sink(bytes);
        };
        match stated.compression {
            Compression::Stored => self.copy(source, stated, &mut count)?,
            Compression::Deflated => self.inflate(source, stated, &mut count)?,
        }
        let actual = crc32.finalize();
        if actual != stated.crc32 {
            return Err(Fault::Crc32 { stated: stated.crc32, actual });
        }
        Ok(())
    }

    /// Passes a stored entry on.
    fn copy(&mut self, source: &Source, stated: &Stated, sink: &mut impl FnMut(&[u8])) -> Result<(), Fault> {
        let mut input = Input { offset: stated.offset, left: stated.compressed_size };
        while input.left > 0 {
            sink(input.next(source, &mut self.input)?);
        }
        Ok(())
    }

    /// Inflates a deflated entry (RFC 1951).
    fn inflate(&mut self, source: &Source, stated: &Stated, sink: &mut impl FnMut(&[u8])) -> Result<(), Fault> {
        self.deflate.reset(false);
        let mut input = Input { offset: stated.offset, left: stated.compressed_size };
        let mut compressed: &[u8] = &[];
        let mut filled = 0;
        loop {
            if compressed.is_empty() {
                compressed = input.next(source, &mut self.input)?;
            }
            let (before_in, before_out) = (self.deflate.total_in(), self.deflate.total_out());
            let status = self
                .deflate
                .decompress(compressed, &mut self.output[filled..], FlushDecompress::None)
                .map_err(|_| Fault::Deflate("is not valid"))?;
            let taken = (self.deflate.total_in() - before_in) as usize;
            let given = (self.deflate.total_out() - before_out) as usize;
            compressed = &compressed[taken..];
            filled += given;
            if self.deflate.total_out() > stated.size {
                return Err(Fault::TooLong(stated.size));
            }
            let ended = status == Status::StreamEnd;
            if ended || filled == self.output.len() {
                sink(&self.output[..filled]);
                filled = 0;
            }
            if ended {
                break;
            }
            if taken == 0 && given == 0 {
                return Err(Fault::Deflate("is cut short"));
            }
        }
        let trailing = stated.compressed_size - self.deflate.total_in();
        if trailing > 0 {
            return Err(Fault::DeflateTrailing(trailing));
        }
        let actual = self.deflate.total_out();
        if actual != stated.size {
            return Err(Fault::TooShort { stated: stated.size, actual });
        }
        Ok(())
    }
}

/// The bytes of an entry that are still to be read.
struct Input {
    offset: u64,
    left: u64,
}

impl Input {
    /// Reads as much as `buffer` holds; nothing when nothing is left.
    fn next<'a>(&mut self, source: &Source, buffer: &'a mut [u8]) -> Result<&'a [u8], Fault> {
        let size = self.left.min(buffer.len() as u64);
        let chunk = &mut buffer[..size as usize];
        source.fill(self.offset, chunk)?;
        self.offset += size;
        self.left -= size;
        Ok(chunk)
    }
}
