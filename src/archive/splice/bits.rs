//! A deflate stream bit by bit, and runs of bytes in the fixed codes.
//!
//! Specification: [RFC 1951](https://www.rfc-editor.org/rfc/rfc1951), sections 3.1.1 (bits), 3.2.5 (lengths) and 3.2.6
//! (fixed codes).

const LONGEST_MATCH: usize = 258;
const SHORTEST_MATCH: usize = 3;
/// The symbol that ends a block.
const END_OF_BLOCK: u32 = 256;

/// A fixed code: its bits in the order in which they are written, lowest first, and their number.
#[derive(Clone, Copy)]
struct FixedCode {
    bits: u16,
    count: u8,
}

/// The fixed codes of literals and lengths.
const CODES: [FixedCode; 288] = {
    let mut codes = [FixedCode { bits: 0, count: 0 }; 288];
    let mut symbol = 0;
    while symbol < codes.len() {
        let (code, count) = match symbol as u16 {
            low @ 0..=143 => (0b0011_0000 + low, 8),
            high @ 144..=255 => (0b1_1001_0000 + high - 144, 9),
            short @ 256..=279 => (short - 256, 7),
            long => (0b1100_0000 + long - 280, 8),
        };
        // Codes are written from the most significant bit on (section 3.1.1).
        codes[symbol] = FixedCode { bits: code.reverse_bits() >> (16 - count), count: count as u8 };
        symbol += 1;
    }
    codes
};

/// A buffer that is written bit by bit.
pub(super) struct BitBuffer {
    /// The complete bytes. They may be changed directly while the buffer [is aligned](Self::is_aligned).
    pub(super) bytes: Vec<u8>,
    pending: u64,
    pending_count: u32,
}

impl BitBuffer {
    /// Creates a buffer that appends to these bytes.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, pending: 0, pending_count: 0 }
    }

    /// Appends the lowest `count` bits, at most 16; the others must be zero.
    pub(super) fn put(&mut self, bits: u16, count: u32) {
        self.pending |= u64::from(bits) << self.pending_count;
        self.pending_count += count;
        if self.pending_count >= 32 {
            self.bytes.extend_from_slice(&(self.pending as u32).to_le_bytes());
            self.pending >>= 32;
            self.pending_count -= 32;
        }
    }

    /// Fills the last byte with zeros and moves it to the complete bytes.
    pub(super) fn pad(&mut self) {
        let count = self.pending_count.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.pending.to_le_bytes()[..count]);
        (self.pending, self.pending_count) = (0, 0);
    }

    /// Returns whether the next bit begins a byte.
    pub(super) fn is_aligned(&self) -> bool {
        self.pending_count.is_multiple_of(8)
    }

    /// Appends bytes in the fixed codes: literals, and runs of one byte as matches at distance 1.
    ///
    /// No other matches are searched for. Tar headers are little but runs of zeros between short strings: one takes about
    /// 120 bytes and one microsecond this way. A real compressor would save some of those bytes and take twenty times as
    /// long, and its version would be part of the format.
    pub(super) fn put_runs(&mut self, bytes: &[u8]) {
        for run in bytes.chunk_by(|a, b| a == b) {
            let [byte, rest @ ..] = run else { continue };
            self.put_symbol(u32::from(*byte));
            for part in rest.chunks(LONGEST_MATCH) {
                if part.len() < SHORTEST_MATCH {
                    part.iter().for_each(|byte| self.put_symbol(u32::from(*byte)));
                } else {
                    self.put_repeat(part.len());
                }
            }
        }
    }

    pub(super) fn put_end_of_block(&mut self) {
        self.put_symbol(END_OF_BLOCK);
    }

    /// Appends a match of a length from 3 to 258 at distance 1.
    fn put_repeat(&mut self, length: usize) {
        let (symbol, extra, extra_count) = length_symbol(length);
        self.put_symbol(symbol);
        self.put(extra, extra_count);
        // Distance 1: the first of the fixed distance codes, which have five bits, and no extra bits.
        self.put(0, 5);
    }

    fn put_symbol(&mut self, symbol: u32) {
        let FixedCode { bits, count } = CODES[symbol as usize];
        self.put(bits, u32::from(count));
    }
}

/// Returns the symbol of a match's length from 3 to 258, its extra bits and their number.
fn length_symbol(length: usize) -> (u32, u16, u32) {
    if length == LONGEST_MATCH {
        return (285, 0, 0);
    }
    // From 8 on, four symbols share each doubling of the length.
    let beyond = (length - SHORTEST_MATCH) as u32;
    let extra_count = beyond.max(4).ilog2() - 2;
    let symbol = 257 + 4 * extra_count + (beyond >> extra_count);
    (symbol, (beyond & ((1 << extra_count) - 1)) as u16, extra_count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decoder reads back runs of every length and every byte.
    #[test]
    fn runs_of_every_length_and_every_byte() {
        let mut original = Vec::new();
        for length in 1..=700 {
            original.extend(std::iter::repeat_n((length % 256) as u8, length));
        }
        original.extend(0..=255);
        let mut buffer = BitBuffer::new(Vec::new());
        // The final block, with fixed codes.
        buffer.put(0b011, 3);
        buffer.put_runs(&original);
        buffer.put_end_of_block();
        buffer.pad();
        assert!(buffer.bytes.len() < 700 * 8);
        assert!(miniz_oxide::inflate::decompress_to_vec(&buffer.bytes).unwrap() == original);
    }

    /// The table of section 3.2.5.
    #[test]
    fn lengths_have_the_symbols_of_the_table() {
        for (length, expected) in [
            (3, (257, 0, 0)),
            (10, (264, 0, 0)),
            (11, (265, 0, 1)),
            (12, (265, 1, 1)),
            (18, (268, 1, 1)),
            (19, (269, 0, 2)),
            (114, (279, 15, 4)),
            (115, (280, 0, 4)),
            (130, (280, 15, 4)),
            (131, (281, 0, 5)),
            (257, (284, 30, 5)),
            (258, (285, 0, 0)),
        ] {
            assert_eq!(length_symbol(length), expected, "{length}");
        }
    }
}
