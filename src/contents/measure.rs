//! Measures the share of each file in a compressed layer.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use sha2::Digest as _;

use crate::digest::Sha256;

/// A reader of compressed bytes that hashes and counts what is consumed.
pub(super) struct MeasuringReader<'a, R> {
    inner: R,
    hasher: sha2::Sha256,
    /// The number of bytes consumed.
    count: &'a Cell<u64>,
}

impl<'a, R: BufRead> MeasuringReader<'a, R> {
    pub(crate) fn new(inner: R, count: &'a Cell<u64>) -> Self {
        Self { inner, hasher: sha2::Sha256::new(), count }
    }

    /// Consumes the rest, and returns the digest and the number of all bytes.
    pub(crate) fn finish(mut self) -> io::Result<(Sha256, u64)> {
        loop {
            let length = self.fill_buf()?.len();
            if length == 0 {
                return Ok((Sha256(self.hasher.finalize().into()), self.count.get()));
            }
            self.consume(length);
        }
    }
}

impl<R: BufRead> Read for MeasuringReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for MeasuringReader<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // Nothing was consumed since the last `fill_buf`, so this returns the same buffer without reading.
        if let Ok(buffer) = self.inner.fill_buf() {
            self.hasher.update(&buffer[..amount.min(buffer.len())]);
        }
        self.count.set(self.count.get() + amount as u64);
        self.inner.consume(amount);
    }
}

/// Divides compressed bytes among files. `ends` has, for each file, the number of compressed bytes consumed when it ended,
/// and its size.
///
/// A decompressor that works in blocks consumes a whole block for the first file in it, and nothing for the others. So the
/// bytes are divided among that file and the following ones for which nothing was consumed, by their sizes. The sum is
/// always `total`: the last file gets what follows it.
pub(super) fn divide(ends: &[(u64, u64)], total: u64) -> Vec<u64> {
    let mut shares = Vec::with_capacity(ends.len());
    let mut before = 0;
    let mut start = 0;
    while start < ends.len() {
        let consumed = ends[start].0;
        let run = ends[start..].iter().take_while(|(end, _)| *end == consumed).count();
        let end = if start + run == ends.len() { total.max(consumed) } else { consumed };
        // One more byte each, so that empty files do not make the sum zero.
        let sizes: u128 = ends[start..start + run].iter().map(|(_, size)| u128::from(*size) + 1).sum();
        let (mut so_far, mut assigned) = (0, 0);
        for (_, size) in &ends[start..start + run] {
            so_far += u128::from(*size) + 1;
            let until = (u128::from(end - before) * so_far / sizes) as u64;
            shares.push(until - assigned);
            assigned = until;
        }
        before = end;
        start += run;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_divided_by_sizes_and_nothing_is_lost() {
        assert_eq!(divide(&[(10, 100), (30, 100)], 35), [10, 25]);
        assert_eq!(divide(&[(100, 9), (100, 29), (100, 9), (130, 5)], 130), [20, 60, 20, 30]);
        assert_eq!(divide(&[(7, 0), (7, 0), (7, 0)], 8), [2, 3, 3]);
        assert_eq!(divide(&[], 5), Vec::<u64>::new());
        for total in 0..50 {
            let ends: Vec<(u64, u64)> = (0..9).map(|n| (total * (n / 2) / 8, n * n)).collect();
            assert_eq!(divide(&ends, total).iter().sum::<u64>(), total);
        }
    }

    #[test]
    fn consumed_bytes_are_hashed_and_counted() {
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let count = Cell::new(0);
        let mut reader = MeasuringReader::new(io::BufReader::with_capacity(777, bytes.as_slice()), &count);
        let mut some = vec![0; 12_345];
        reader.read_exact(&mut some).unwrap();
        assert_eq!((count.get(), &some[..]), (12_345, &bytes[..12_345]));
        assert_eq!(reader.finish().unwrap(), (Sha256::of(&bytes), bytes.len() as u64));
    }
}
