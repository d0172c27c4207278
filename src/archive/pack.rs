//! Derived files, deflated once and concatenated: the cache keeps such a pack, and zips and layers copy from it as they
//! copy from wheels.
//!
//! A pack has no central directory: the extents that [`Packer::add`] returns are stored apart.

use std::io::{self, Read, Write};

use super::deflate::{DeflateEffort, Deflater};
use crate::digest::{HashingWriter, Sha256};
use crate::tree::{Extent, ExtentFormat};

/// The final block of each stream: stored and empty (RFC 1951, section 3.2.4). Its position is known without inflating
/// the stream, so that the stream can be joined to others.
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

/// How much of a file is read at a time, in bytes. The output does not depend on it.
const CHUNK: usize = 64 * 1024;

/// Writes a pack.
pub(crate) struct Packer<W: Write> {
    output: HashingWriter<W>,
    effort: DeflateEffort,
    /// The offset of the next file, in bytes.
    offset: u64,
}

impl<W: Write> Packer<W> {
    pub(crate) fn new(output: W, effort: DeflateEffort) -> Self {
        Self { output: HashingWriter::new(output), effort, offset: 0 }
    }

    /// Adds a file, and returns its extent in the pack.
    ///
    /// # Errors
    /// Writing fails.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> io::Result<Extent> {
        let mut stream = Vec::new();
        let mut deflater = Deflater::begin_with(self.effort);
        deflater.push(bytes, &mut stream)?;
        let deflated = deflater.finish_open(&mut stream)?;
        stream.extend_from_slice(&LAST_BLOCK);
        self.output.write_all(&stream)?;
        let extent = Extent {
            offset: self.offset,
            compressed_size: stream.len() as u64,
            size: deflated.size,
            crc32: deflated.crc32,
            sha256: Sha256::of(bytes),
            checksum: crc32c::crc32c(&stream),
            format: ExtentFormat::Deflated { final_block: deflated.compressed_size * 8, end: stream.len() as u64 * 8 },
        };
        self.offset += extent.compressed_size;
        Ok(extent)
    }

    /// Adds a file that is read piece by piece, and returns its extent in the pack.
    ///
    /// # Errors
    /// Reading or writing fails.
    pub(crate) fn add_from(&mut self, source: &mut dyn Read) -> io::Result<Extent> {
        let mut chunk = vec![0; CHUNK];
        let mut stream = MeasuredWriter { inner: &mut self.output, size: 0, checksum: 0 };
        let mut sha256 = HashingWriter::new(io::sink());
        let mut deflater = Deflater::begin_with(self.effort);
        loop {
            let length = source.read(&mut chunk)?;
            if length == 0 {
                break;
            }
            sha256.write_all(&chunk[..length])?;
            deflater.push(&chunk[..length], &mut stream)?;
        }
        let deflated = deflater.finish_open(&mut stream)?;
        stream.write_all(&LAST_BLOCK)?;
        let extent = Extent {
            offset: self.offset,
            compressed_size: stream.size,
            size: deflated.size,
            crc32: deflated.crc32,
            sha256: sha256.finish().1,
            checksum: stream.checksum,
            format: ExtentFormat::Deflated { final_block: deflated.compressed_size * 8, end: stream.size * 8 },
        };
        self.offset += extent.compressed_size;
        Ok(extent)
    }

    /// Returns the writer, and the digest and the size in bytes of the pack.
    pub(crate) fn finish(self) -> (W, Sha256, u64) {
        self.output.finish()
    }
}

/// Measures what is written, and computes its CRC-32C.
struct MeasuredWriter<W> {
    inner: W,
    size: u64,
    checksum: u32,
}

impl<W: Write> Write for MeasuredWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.size += length as u64;
        self.checksum = crc32c::crc32c_append(self.checksum, &bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn every_file_inflates_from_its_extent() {
        let files: Vec<Vec<u8>> =
            [0, 1, 1000, 300_000].map(|length| (0..length).map(|at| (at % 251) as u8).collect()).into();
        let mut packer = Packer::new(Vec::new(), DeflateEffort::Default);
        let extents: Vec<Extent> = files.iter().map(|bytes| packer.add(bytes).unwrap()).collect();
        let (pack, sha256, size) = packer.finish();
        let mut packer = Packer::new(Vec::new(), DeflateEffort::Default);
        let read: Vec<Extent> = files.iter().map(|bytes| packer.add_from(&mut bytes.as_slice()).unwrap()).collect();
        assert!(read == extents && packer.finish().0 == pack);
        assert_eq!((sha256, size), (Sha256::of(&pack), pack.len() as u64));
        for (bytes, extent) in files.iter().zip(&extents) {
            assert!(extent.is_coherent(), "{extent:?}");
            let stream = &pack[extent.offset as usize..][..extent.compressed_size as usize];
            let mut inflated = Vec::new();
            flate2::read::DeflateDecoder::new(stream).read_to_end(&mut inflated).unwrap();
            assert_eq!(&inflated, bytes);
            assert_eq!((extent.size, extent.crc32), (bytes.len() as u64, crc32fast::hash(bytes)));
        }
    }
}
