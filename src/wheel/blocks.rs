//! Inflates block by block, to find the bit at which a deflate stream's last block begins and the bit at which it ends.
//!
//! With these two positions a stream can be joined to another one without inflating either again; zlib's example
//! `gzjoin.c` shows how. zlib-rs exposes them only through zlib's C interface, so this is the one module with `unsafe`
//! code.
//!
//! Specification: [RFC 1951](https://www.rfc-editor.org/rfc/rfc1951); [zlib's manual](https://zlib.net/manual.html),
//! `inflate` with `Z_BLOCK`.

use std::alloc::{Layout, handle_alloc_error};

use libz_rs_sys::{
    Z_BLOCK, Z_BUF_ERROR, Z_OK, Z_STREAM_END, inflate, inflateEnd, inflateInit2_, inflateReset, uInt, z_stream,
    zlibVersion,
};

/// A raw stream without a zlib header (negative), with the largest window (2^15 bytes).
const RAW_WINDOW_BITS: i32 = -15;

/// In `data_type`: how many bits of the last consumed byte are not used yet.
const UNUSED_BITS: i32 = 63;
/// In `data_type`: the current or previous block is the last one.
const IN_LAST_BLOCK: i32 = 64;
/// In `data_type`: `inflate` stopped at the end of a block.
const AFTER_BLOCK: i32 = 128;

#[derive(Debug)]
pub(super) struct InvalidDeflateStream;

pub(super) struct InflateStep {
    /// The number of input bytes that were consumed.
    pub(super) consumed: usize,
    /// The number of output bytes that were written.
    pub(super) produced: usize,
    pub(super) stop: InflateStop,
}

/// Why a step ended. Bits are counted from the beginning of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InflateStop {
    /// The input is empty or the output is full.
    Buffer,
    /// A block ended; the next one begins at this bit.
    Block(u64),
    /// The last block ended before this bit.
    End(u64),
}

/// Inflates one raw deflate stream after another.
pub(super) struct BlockInflater {
    /// Boxed, because zlib requires that the stream does not move.
    stream: Box<z_stream>,
    /// The number of bytes consumed from the current stream.
    consumed: u64,
}

impl BlockInflater {
    pub(super) fn new() -> Self {
        let mut stream = Box::new(z_stream::default());
        // SAFETY: the stream is valid and exclusively borrowed; its default selects the default allocator; the version
        // is a static string, and the size is that of the structure, as `inflateInit2` in zlib.h passes them.
        let code =
            unsafe { inflateInit2_(&raw mut *stream, RAW_WINDOW_BITS, zlibVersion(), size_of::<z_stream>() as i32) };
        if code != Z_OK {
            // Version, size and window are valid, so the allocation must have failed.
            handle_alloc_error(Layout::new::<z_stream>());
        }
        Self { stream, consumed: 0 }
    }

    /// Starts another stream.
    pub(super) fn reset(&mut self) {
        // SAFETY: `new` has initialized the stream, and it is exclusively borrowed.
        let code = unsafe { inflateReset(&raw mut *self.stream) };
        debug_assert_eq!(code, Z_OK, "an initialized stream can be reset");
        self.consumed = 0;
    }

    /// Inflates from `input` to `output` until one of them is exhausted or a block ends.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<InflateStep, InvalidDeflateStream> {
        let input_length = uInt::try_from(input.len()).unwrap_or(uInt::MAX);
        let output_length = uInt::try_from(output.len()).unwrap_or(uInt::MAX);
        self.stream.next_in = input.as_ptr();
        self.stream.avail_in = input_length;
        self.stream.next_out = output.as_mut_ptr();
        self.stream.avail_out = output_length;
        // SAFETY: `new` has initialized the stream, and it is exclusively borrowed. Both pointers come from slices that
        // are at least as long as the lengths beside them and that outlive the call; the output's is exclusive. Nothing
        // reads the pointers after the call: the next one replaces them, and neither reset nor end follows them.
        let code = unsafe { inflate(&raw mut *self.stream, Z_BLOCK) };
        if !matches!(code, Z_OK | Z_STREAM_END | Z_BUF_ERROR) {
            return Err(InvalidDeflateStream);
        }
        let consumed = (input_length - self.stream.avail_in) as usize;
        let produced = (output_length - self.stream.avail_out) as usize;
        self.consumed += consumed as u64;

        let state = self.stream.data_type;
        let bit = (self.consumed * 8).saturating_sub((state & UNUSED_BITS) as u64);
        let stop = if state & AFTER_BLOCK == 0 {
            InflateStop::Buffer
        } else if state & IN_LAST_BLOCK == 0 {
            InflateStop::Block(bit)
        } else {
            InflateStop::End(bit)
        };
        Ok(InflateStep { consumed, produced, stop })
    }
}

impl Drop for BlockInflater {
    fn drop(&mut self) {
        // SAFETY: `new` has initialized the stream, and nothing uses it afterwards.
        unsafe { inflateEnd(&raw mut *self.stream) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inflates a stream with buffers of these sizes; returns the content, the bits at which blocks ended, and the end.
    fn run(stream: &[u8], input: usize, output: usize) -> Result<(Vec<u8>, Vec<u64>, u64), InvalidDeflateStream> {
        let mut inflater = BlockInflater::new();
        let (mut rest, mut blocks, mut inflated) = (stream, Vec::new(), Vec::new());
        let mut buffer = vec![0; output];
        loop {
            let step = inflater.step(&rest[..rest.len().min(input)], &mut buffer)?;
            rest = &rest[step.consumed..];
            inflated.extend(&buffer[..step.produced]);
            match step.stop {
                InflateStop::End(bit) => return Ok((inflated, blocks, bit)),
                InflateStop::Block(bit) => blocks.push(bit),
                InflateStop::Buffer => assert!(step.consumed + step.produced > 0, "it is cut short"),
            }
        }
    }

    /// A stored block, an empty one with fixed codes, a literal with fixed codes, and the last one, empty.
    #[test]
    fn blocks_end_where_the_specification_says() {
        // 3 bits and padding, 4 bytes of lengths, 2 bytes; then 10 bits; then 3 + 8 + 7 bits; then 10 bits.
        let stored = [0b000, 2, 0, 0xfd, 0xff, b'a', b'b'];
        let fixed: u64 = 0b010 | (0b010 | 0b1000_1001 << 3) << 10 | 0b011 << 28;
        let stream = [&stored[..], &fixed.to_le_bytes()[..5]].concat();
        let (content, blocks, end) = run(&stream, 64, 64).unwrap();
        // 0x30 plus the literal, its most significant bit first.
        assert_eq!(content, [b'a', b'b', 0b1001_0001 - 0x30]);
        assert_eq!((blocks, end), (vec![56, 66, 84], 94));
    }

    #[test]
    fn block_positions_do_not_depend_on_buffer_sizes() {
        let text: Vec<u8> = (0..60_000_u32).flat_map(|number| (number * number / 977).to_le_bytes()).collect();
        for level in [0, 1, 6, 9] {
            let stream = miniz_oxide::deflate::compress_to_vec(&text, level);
            let whole = run(&stream, usize::MAX, text.len() + 1).unwrap();
            assert!(whole.0 == text && whole.1.len() > 1, "several blocks");
            assert_eq!(whole.2.div_ceil(8), stream.len() as u64);
            for (input, output) in [(1, 1), (1, 70_000), (7, 13), (4096, 1), (70_000, 70_000)] {
                assert!(run(&stream, input, output).unwrap() == whole, "{level} {input} {output}");
            }
        }
    }

    #[test]
    fn an_inflater_can_be_reused_after_an_invalid_stream() {
        let stream = miniz_oxide::deflate::compress_to_vec(b"import os", 6);
        let mut inflater = BlockInflater::new();
        let mut buffer = [0; 16];
        for _ in 0..3 {
            inflater.reset();
            // A block type that does not exist.
            assert!(inflater.step(&[0b110], &mut buffer).is_err());
            inflater.reset();
            // A match that reaches back before the beginning: length 3, distance 1.
            assert!(inflater.step(&[0b011, 0b10, 0], &mut buffer).is_err());
            inflater.reset();
            let step = inflater.step(&stream, &mut buffer).unwrap();
            assert_eq!((&buffer[..step.produced], step.consumed), (&b"import os"[..], stream.len()));
            assert!(matches!(step.stop, InflateStop::End(_)));
        }
    }
}
