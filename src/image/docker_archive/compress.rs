//! Compressing the layers of Docker archives, which Lambda refuses uncompressed.

use std::io::{self, Write};
use std::thread;

use crate::archive::deflate;
use crate::digest::{HashingWriter, Sha256};
use crate::image::file::FileError;
use crate::image::{BlobError, Layer};

/// The header of a gzip member: deflate, no flags, no time, no operating system
/// ([RFC 1952, section 2.3](https://www.rfc-editor.org/rfc/rfc1952#section-2.3)).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A layer's bytes after compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compressed {
    /// The digest of the compressed layer.
    pub digest: Sha256,
    /// The size of the compressed layer, in bytes.
    pub size: u64,
}

/// Compresses an uncompressed layer into one gzip member, whose bytes depend on the layer alone. It can be kept under
/// the layer's diff ID.
///
/// # Errors
/// The layer cannot be read, is not what its digest or its diff ID says, or the output cannot be written.
pub fn compress(layer: &Layer, into: &mut dyn Write) -> Result<Compressed, FileError> {
    let blob = &layer.blob;
    let write = |source| FileError::Blob(BlobError::Write { digest: blob.digest, source });
    if blob.digest != layer.diff_id {
        return Err(FileError::DiffId { digest: blob.digest, diff_id: layer.diff_id });
    }
    let mut output = HashingWriter::new(into);
    let (mut reader, mut writer) = io::pipe().map_err(write)?;
    thread::scope(|scope| {
        let copying = scope.spawn(move || blob.copy_to(&mut writer));
        let deflated = member(&mut reader, &mut output);
        // A writer that still has bytes to give fails now, and does not wait.
        drop(reader);
        let copied = copying.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        deflated.map_err(write)?;
        Ok::<_, FileError>(copied?)
    })?;
    let (_, digest, size) = output.finish();
    Ok(Compressed { digest, size })
}

fn member(reader: &mut dyn io::Read, output: &mut dyn Write) -> io::Result<()> {
    output.write_all(&HEADER)?;
    let deflated = deflate::deflate(reader, output)?;
    output.write_all(&deflated.crc32.to_le_bytes())?;
    // The size is stated modulo 2^32.
    output.write_all(&(deflated.size as u32).to_le_bytes())
}
