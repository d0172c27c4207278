//! Reading untrusted archives with bounded memory.

use std::cell::Cell;
use std::io::{self, Read};

/// A reader that fails once it has returned `remaining` bytes, which its user may raise in between. It bounds what the
/// `tar` crate reads for the headers of one entry: it holds GNU long names and pax records in memory.
pub(crate) struct LimitedReader<'a, R> {
    pub(crate) inner: R,
    pub(crate) remaining: &'a Cell<u64>,
}

impl<R: Read> Read for LimitedReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let allowed = usize::try_from(self.remaining.get()).unwrap_or(usize::MAX).min(buffer.len());
        if allowed == 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the headers of an entry are too long"));
        }
        let read = self.inner.read(&mut buffer[..allowed])?;
        self.remaining.set(self.remaining.get() - read as u64);
        Ok(read)
    }
}
