//! Inflating block by block, to find where the last block of a deflate stream begins and on which bit the stream ends.
//!
//! A stream can be joined to another one without inflating either again when these two bits are known; zlib's example
//! `gzjoin.c` shows how. zlib-rs tells them through zlib's own interface only, so this is the one module with `unsafe`
//! code.
//!
//! Specification: [RFC 1951](https://www.rfc-editor.org/rfc/rfc1951); [zlib's manual](https://zlib.net/manual.html),
//! `inflate` with `Z_BLOCK`.

use std::alloc::{Layout, handle_alloc_error};

use libz_rs_sys::{
    Z_BLOCK, Z_BUF_ERROR, Z_OK, Z_STREAM_END, inflate, inflateEnd, inflateInit2_, inflateReset, uInt, z_stream,
    zlibVersion,
};

/// A raw stream, with no zlib header around it, and with the largest window.
const RAW_WINDOW_BITS: i32 = -15;

/// In `data_type`: how many bits of the last byte taken are unused yet.
const UNUSED_BITS: i32 = 63;
/// In `data_type`: the block is, or was, the last one.
const IN_LAST_BLOCK: i32 = 64;
/// In `data_type`: `inflate` stopped right behind a block.
const AFTER_BLOCK: i32 = 128;

/// A stream that is not valid.
#[derive(Debug)]
pub(super) struct Invalid;

/// What one step has done.
pub(super) struct Step {
    /// The number of bytes taken from the input.
    pub taken: usize,
    /// The number of bytes put into the output.
    pub given: usize,
    /// Why the step ended.
    pub stop: Stop,
}

/// Why a step ended. Bits are counted from the beginning of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The input is used up, or the output is full.
    Buffer,
    /// A block has ended that is not the last one; the next begins at this bit.
    Block(u64),
    /// The last block has ended before this bit.
    End(u64),
}

/// Inflates one raw deflate stream after another.
pub(super) struct BlockInflater {
    /// In a box, because zlib's interface asks for a stream that does not move.
    stream: Box<z_stream>,
    /// The number of bytes taken from the present stream.
    taken: u64,
}

impl BlockInflater {
    /// Makes an inflater that waits for a stream.
    pub fn new() -> Self {
        let mut stream = Box::new(z_stream::default());
        // SAFETY: the stream is valid and exclusively borrowed; its default asks for the default allocator; the version
        // is a static text, and the size is the structure's own, as `inflateInit2` in zlib.h passes them.
        let code =
            unsafe { inflateInit2_(&raw mut *stream, RAW_WINDOW_BITS, zlibVersion(), size_of::<z_stream>() as i32) };
        if code != Z_OK {
            // Version, size and window are right, so only the memory can be missing.
            handle_alloc_error(Layout::new::<z_stream>());
        }
        Self { stream, taken: 0 }
    }

    /// Begins another stream.
    pub fn reset(&mut self) {
        // SAFETY: `new` has initialized the stream, and it is exclusively borrowed.
        let code = unsafe { inflateReset(&raw mut *self.stream) };
        debug_assert_eq!(code, Z_OK, "an initialized stream can be reset");
        self.taken = 0;
    }

    /// Inflates from `input` to `output` until one of them is used up or a block ends.
    ///
    /// # Errors
    /// The stream is not valid.
    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Invalid> {
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
            return Err(Invalid);
        }
        let taken = (input_length - self.stream.avail_in) as usize;
        let given = (output_length - self.stream.avail_out) as usize;
        self.taken += taken as u64;

        let state = self.stream.data_type;
        let bit = (self.taken * 8).saturating_sub((state & UNUSED_BITS) as u64);
        let stop = match (state & AFTER_BLOCK != 0, state & IN_LAST_BLOCK != 0) {
            (false, _) => Stop::Buffer,
            (true, false) => Stop::Block(bit),
            (true, true) => Stop::End(bit),
        };
        Ok(Step { taken, given, stop })
    }
}

impl Drop for BlockInflater {
    fn drop(&mut self) {
        // SAFETY: `new` has initialized the stream, and nothing uses it afterwards.
        unsafe { inflateEnd(&raw mut *self.stream) };
    }
}
