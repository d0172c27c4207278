//! Deflates what no wheel has deflated: the application's files, those of Debian's packages, and files that pybundle generates.
//!
//! The bytes are part of every artifact's digest, so one compressor, pinned to one version, is used on every host:
//! miniz_oxide, whose output does not depend on the processor. Faster compressors choose their hash function by the
//! processor's features.
//!
//! Specifications: [RFC 1951](https://www.rfc-editor.org/rfc/rfc1951), [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952).

use std::io::{self, Read, Write};

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output, create_comp_flags_from_zip_params,
};

/// How hard the compressor searches. Part of the format: another effort gives other bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeflateEffort {
    Default,
    /// For hundreds of megabytes that are not deflated yet: 2.4 times as fast, and 1.7 % larger (the files of ffmpeg and the
    /// packages that it needs, Debian 12), which is still less than zlib-rs at level 6.
    Fast,
}

impl DeflateEffort {
    /// Returns the compression level, from 0 to 10.
    fn level(self) -> i32 {
        match self {
            Self::Default => 6,
            Self::Fast => 4,
        }
    }
}

/// A negative window size selects a raw stream without a zlib header.
const RAW_WINDOW_BITS: i32 = -15;

/// The header of a gzip member: deflate, no flags and so no name, no time, no hint at the compressor, and an unknown
/// operating system (RFC 1952, section 2.3).
pub(super) const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// How much is read at a time, in bytes. The output does not depend on it.
const CHUNK: usize = 64 * 1024;

/// The sizes of a deflated stream, and the CRC-32 of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deflated {
    pub(crate) crc32: u32,
    pub(crate) size: u64,
    pub(crate) compressed_size: u64,
}

/// Compresses everything that `source` yields into one gzip member.
///
/// # Errors
/// Reading or writing fails.
pub(crate) fn gzip(source: &mut dyn Read, output: &mut dyn Write) -> io::Result<()> {
    output.write_all(&GZIP_HEADER)?;
    let deflated = deflate(source, output)?;
    output.write_all(&deflated.crc32.to_le_bytes())?;
    // The size modulo 2³² (RFC 1952, section 2.3.1).
    output.write_all(&(deflated.size as u32).to_le_bytes())
}

/// Deflates everything that `source` yields, with buffers of a fixed size.
///
/// # Errors
/// Reading or writing fails.
pub(crate) fn deflate(source: &mut dyn Read, output: &mut dyn Write) -> io::Result<Deflated> {
    let mut deflater = Deflater::begin();
    let mut chunk = vec![0; CHUNK];
    loop {
        match source.read(&mut chunk)? {
            0 => return deflater.finish(output),
            length => deflater.push(&chunk[..length], output)?,
        }
    }
}

/// Deflates one stream, piece by piece. The output does not depend on how the input is divided.
pub(crate) struct Deflater {
    compressor: CompressorOxide,
    crc32: crc32fast::Hasher,
    size: u64,
    compressed_size: u64,
}

impl Deflater {
    pub(crate) fn begin() -> Self {
        Self::begin_with(DeflateEffort::Default)
    }

    pub(crate) fn begin_with(effort: DeflateEffort) -> Self {
        let flags = create_comp_flags_from_zip_params(effort.level(), RAW_WINDOW_BITS, 0);
        let compressor = CompressorOxide::new(flags);
        Self { compressor, crc32: crc32fast::Hasher::new(), size: 0, compressed_size: 0 }
    }

    /// # Errors
    /// Writing fails.
    pub(crate) fn push(&mut self, bytes: &[u8], output: &mut dyn Write) -> io::Result<()> {
        self.crc32.update(bytes);
        self.size += bytes.len() as u64;
        self.compress(bytes, TDEFLFlush::None, output)
    }

    /// # Errors
    /// Writing fails.
    pub(crate) fn finish(self, output: &mut dyn Write) -> io::Result<Deflated> {
        self.end(TDEFLFlush::Finish, output)
    }

    /// Ends the stream with an empty stored block instead of a final block, so that it ends at a byte boundary and
    /// another stream can follow.
    ///
    /// # Errors
    /// Writing fails.
    pub(crate) fn finish_open(self, output: &mut dyn Write) -> io::Result<Deflated> {
        self.end(TDEFLFlush::Sync, output)
    }

    fn end(mut self, flush: TDEFLFlush, output: &mut dyn Write) -> io::Result<Deflated> {
        self.compress(&[], flush, output)?;
        Ok(Deflated { crc32: self.crc32.finalize(), size: self.size, compressed_size: self.compressed_size })
    }

    fn compress(&mut self, bytes: &[u8], flush: TDEFLFlush, output: &mut dyn Write) -> io::Result<()> {
        let mut failure = None;
        let (status, _) = compress_to_output(&mut self.compressor, bytes, flush, |bytes| {
            self.compressed_size += bytes.len() as u64;
            output.write_all(bytes).map_err(|error| failure = Some(error)).is_ok()
        });
        match (status, failure) {
            (_, Some(error)) => Err(error),
            (TDEFLStatus::Done | TDEFLStatus::Okay, None) => Ok(()),
            (status, None) => Err(io::Error::other(format!("the compressor failed: {status:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;

    fn sample(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut sample = Vec::with_capacity(length);
        for _ in 0..length {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            sample.push(b"import os\nfrom typing "[(state >> 24) as usize % 22]);
        }
        sample
    }

    #[test]
    fn deflated_bytes_inflate_again() {
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

    #[test]
    fn an_open_stream_ends_at_a_byte_and_another_can_follow() {
        let original = sample(3 * CHUNK + 17);
        let mut compressed = Vec::new();
        for piece in original.chunks(CHUNK + 1) {
            let mut deflater = Deflater::begin();
            deflater.push(piece, &mut compressed).unwrap();
            let deflated = deflater.finish_open(&mut compressed).unwrap();
            assert_eq!((deflated.size, deflated.crc32), (piece.len() as u64, crc32fast::hash(piece)));
            assert!(compressed.ends_with(&[0, 0, 0xff, 0xff]));
        }
        deflate(&mut &b""[..], &mut compressed).unwrap();
        assert!(miniz_oxide::inflate::decompress_to_vec(&compressed).unwrap() == original);
    }

    /// Fails when the compressor's output changes: then every golden digest changes, and the changelog must say so.
    #[test]
    fn the_bytes_are_pinned() {
        let mut compressed = Vec::new();
        deflate(&mut sample(100_000).as_slice(), &mut compressed).unwrap();
        assert_eq!(Sha256::of(&compressed).hex(), "5328a83eb901b037e85c0a6126327a9f4f724d4ee837cb46c7fe875cd8f94f03");
        let mut fast = Vec::new();
        let mut deflater = Deflater::begin_with(DeflateEffort::Fast);
        deflater.push(&sample(100_000), &mut fast).unwrap();
        deflater.finish(&mut fast).unwrap();
        assert_eq!(Sha256::of(&fast).hex(), "6ddd305dc668c237477ead7e47b470b0bd6af94e90f00f826db10e1d946d5db0");
    }

    /// A source may return its bytes in portions of any size.
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
