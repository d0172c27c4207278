//! Compressing the layers of Docker archives, which Lambda refuses uncompressed.

use std::io::{self, Write};
use std::thread;

use crate::archive::deflate;
use crate::digest::{HashingWriter, Sha256};
use crate::image::file::ImageFileError;
use crate::image::{BlobError, Layer};

/// The header of a gzip member: deflate, no flags, no time, no operating system
/// ([RFC 1952, section 2.3](https://www.rfc-editor.org/rfc/rfc1952#section-2.3)).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A layer's bytes after compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressedLayer {
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
pub fn compress(layer: &Layer, into: &mut dyn Write) -> Result<CompressedLayer, ImageFileError> {
    let blob = &layer.blob;
    let write = |source| ImageFileError::Blob(BlobError::Write { digest: blob.digest, source });
    if blob.digest != layer.diff_id {
        return Err(ImageFileError::DiffId { digest: blob.digest, diff_id: layer.diff_id });
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
        Ok::<_, ImageFileError>(copied?)
    })?;
    let (_, digest, size) = output.finish();
    Ok(CompressedLayer { digest, size })
}

fn member(reader: &mut dyn io::Read, output: &mut dyn Write) -> io::Result<()> {
    output.write_all(&HEADER)?;
    let deflated = deflate::deflate(reader, output)?;
    output.write_all(&deflated.crc32.to_le_bytes())?;
    // The size is stated modulo 2^32.
    output.write_all(&(deflated.size as u32).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use oci_spec::image::MediaType;

    use super::*;
    use crate::image::{Blob, BlobContent};

    /// More than a pipe holds.
    fn layer() -> (Layer, Vec<u8>) {
        let tar: Vec<u8> = (0..1_000_000_u32).flat_map(|number| (number / 3).to_le_bytes()).collect();
        let blob = Blob::of_bytes(MediaType::ImageLayer, tar.clone());
        (Layer { diff_id: blob.digest, blob }, tar)
    }

    #[test]
    fn what_comes_out_is_one_member_that_holds_the_layer() {
        let (layer, tar) = layer();
        let mut output = Vec::new();
        let compressed = compress(&layer, &mut output).unwrap();
        assert_eq!((compressed.digest, compressed.size), (Sha256::of(&output), output.len() as u64));
        let mut inflated = Vec::new();
        flate2::read::GzDecoder::new(output.as_slice()).read_to_end(&mut inflated).unwrap();
        assert!(inflated == tar);
    }

    #[test]
    fn an_output_that_fails_ends_the_work() {
        let (layer, _) = layer();
        let error = compress(&layer, &mut [0; 100].as_mut_slice()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write blob {}", layer.blob.digest));
    }

    #[test]
    fn a_damaged_layer_is_an_error() {
        let (mut layer, mut tar) = layer();
        tar[0] ^= 1;
        layer.blob.content = BlobContent::Bytes(tar.into());
        let error = compress(&layer, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("blob {} is damaged", layer.blob.digest)), "{error}");
    }
}
