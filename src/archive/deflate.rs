//! Deflating what no wheel has deflated before.
//!
//! The bytes are part of every artifact's digest, so one compressor, pinned to one version, is used on every host:
//! miniz_oxide, whose output depends on no processor feature, where faster ones hash by what the processor offers.
//!
//! Specification: [RFC 1951](https://www.rfc-editor.org/rfc/rfc1951).

use std::io::{self, Read, Write};

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output, create_comp_flags_from_zip_params,
};

/// The compression level, of 0 to 10. Part of the format: another level gives other bytes.
const LEVEL: i32 = 6;

/// A negative window asks for a raw stream, with no zlib header around it.
const RAW_WINDOW_BITS: i32 = -15;

/// How much is read at a time. The output does not depend on it.
const CHUNK: usize = 64 * 1024;

/// What a stream was before it was deflated, and how long it became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflated {
    /// The CRC-32 of the bytes that were read.
    pub crc32: u32,
    /// The number of bytes that were read.
    pub size: u64,
    /// The number of bytes that were written.
    pub compressed_size: u64,
}

/// Deflates everything that `source` yields into `output`, with buffers of a fixed size.
///
/// # Errors
/// Reading or writing fails.
pub fn deflate(source: &mut dyn Read, output: &mut dyn Write) -> io::Result<Deflated> {
    let flags = create_comp_flags_from_zip_params(LEVEL, RAW_WINDOW_BITS, 0);
    let mut compressor = CompressorOxide::new(flags);
    let mut crc32 = crc32fast::Hasher::new();
    let mut deflated = Deflated { crc32: 0, size: 0, compressed_size: 0 };
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = source.read(&mut chunk)?;
        crc32.update(&chunk[..length]);
        deflated.size += length as u64;
        let flush = if length == 0 { TDEFLFlush::Finish } else { TDEFLFlush::None };

        let mut failure = None;
        let (status, _) = compress_to_output(&mut compressor, &chunk[..length], flush, |bytes| {
            deflated.compressed_size += bytes.len() as u64;
            output.write_all(bytes).map_err(|error| failure = Some(error)).is_ok()
        });
        match (status, failure) {
            (_, Some(error)) => return Err(error),
            (TDEFLStatus::Done, None) => break,
            (TDEFLStatus::Okay, None) => {}
            (status, None) => return Err(io::Error::other(format!("the compressor stopped: {status:?}"))),
        }
    }
    deflated.crc32 = crc32.finalize();
    Ok(deflated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;

    fn sample(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b"import os\nfrom typing "[(state >> 24) as usize % 22]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn what_was_deflated_inflates_again() {
        for length in [0, 1, CHUNK - 1, CHUNK, 3 * CHUNK + 17] {
            let original = sample(length);
            let mut compressed = Vec::new();
            let deflated = deflate(&mut original.as_slice(), &mut compressed).unwrap();
            assert_eq!(deflated.size, length as u64);
            assert_eq!(deflated.compressed_size, compressed.len() as u64);
            assert_eq!(deflated.crc32, crc32fast::hash(&original));
            let mut inflated = Vec::new();
            flate2::read::DeflateDecoder::new(compressed.as_slice()).read_to_end(&mut inflated).unwrap();
            assert_eq!(inflated, original);
        }
    }

    /// Fails when the compressor's output changes: every golden digest changes with it, and the changelog says so.
    #[test]
    fn the_bytes_are_pinned() {
        let mut compressed = Vec::new();
        deflate(&mut sample(100_000).as_slice(), &mut compressed).unwrap();
        assert_eq!(Sha256::of(&compressed).hex(), "5328a83eb901b037e85c0a6126327a9f4f724d4ee837cb46c7fe875cd8f94f03");
    }

    /// A source may hand out its bytes in any portions.
    #[test]
    fn the_bytes_do_not_depend_on_how_they_are_read() {
        struct Dribble<'a>(&'a [u8]);
        impl Read for Dribble<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let length = self.0.len().min(buffer.len()).min(997);
                buffer[..length].copy_from_slice(&self.0[..length]);
                self.0 = &self.0[length..];
                Ok(length)
            }
        }
        let original = sample(300_000);
        let (mut whole, mut dribbled) = (Vec::new(), Vec::new());
        deflate(&mut original.as_slice(), &mut whole).unwrap();
        deflate(&mut Dribble(&original), &mut dribbled).unwrap();
        assert!(whole == dribbled);
    }
}
