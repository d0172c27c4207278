//! Files that pybundle makes of others, deflated once, one after the other: what a cache keeps of them, and what zips and
//! layers copy from it as they copy from wheels.
//!
//! A pack has no directory of its own: the extents that [`Packer::add`] returns say where everything is.

use std::io::{self, Write};

use super::deflate::Deflater;
use crate::digest::{HashingWriter, Sha256};
use crate::tree::{Extent, ExtentFormat};

/// The block that ends each stream: stored, empty and the last (RFC 1951, section 3.2.4). Where it lies need not be
/// searched for when the stream is joined to others.
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

/// Writes a pack.
pub struct Packer<W: Write> {
    output: HashingWriter<W>,
    /// Where the next file begins.
    offset: u64,
}

impl<W: Write> Packer<W> {
    /// Begins a pack.
    pub fn new(output: W) -> Self {
        Self { output: HashingWriter::new(output), offset: 0 }
    }

    /// Adds a file, and returns where it is.
    ///
    /// # Errors
    /// Writing fails.
    pub fn add(&mut self, bytes: &[u8]) -> io::Result<Extent> {
        let mut deflater = Deflater::begin();
        deflater.push(bytes, &mut self.output)?;
        let deflated = deflater.finish_open(&mut self.output)?;
        self.output.write_all(&LAST_BLOCK)?;
        let extent = Extent {
            offset: self.offset,
            compressed_size: deflated.compressed_size + LAST_BLOCK.len() as u64,
            size: deflated.size,
            crc32: deflated.crc32,
            sha256: Sha256::of(bytes),
            form: ExtentFormat::Deflated {
                final_block: deflated.compressed_size * 8,
                end: (deflated.compressed_size + LAST_BLOCK.len() as u64) * 8,
            },
        };
        self.offset += extent.compressed_size;
        Ok(extent)
    }

    /// Ends the pack; returns what it was written to, its digest and its size in bytes.
    pub fn finish(self) -> (W, Sha256, u64) {
        self.output.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn every_file_inflates_from_where_it_is_said_to_be() {
        let files: Vec<Vec<u8>> =
            [0, 1, 1000, 300_000].map(|length| (0..length).map(|at| (at % 251) as u8).collect()).into();
        let mut packer = Packer::new(Vec::new());
        let extents: Vec<Extent> = files.iter().map(|bytes| packer.add(bytes).unwrap()).collect();
        let (pack, sha256, size) = packer.finish();
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
