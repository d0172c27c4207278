//! Reading what somebody else wrote no further than is allowed.

use std::cell::Cell;
use std::io::{self, Read};

/// A reader that fails once it has given as many bytes as it is allowed to, until the allowance is set anew. A tar archive
/// is read through one, because the headers of its entries are read into memory whole.
pub struct LimitedReader<'a, R> {
    /// What is read.
    pub inner: R,
    /// How many bytes are allowed from here on.
    pub allowance: &'a Cell<u64>,
}

impl<R: Read> Read for LimitedReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let allowed = usize::try_from(self.allowance.get()).unwrap_or(usize::MAX).min(buffer.len());
        if allowed == 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the headers of an entry are too long"));
        }
        let read = self.inner.read(&mut buffer[..allowed])?;
        self.allowance.set(self.allowance.get() - read as u64);
        Ok(read)
    }
}
