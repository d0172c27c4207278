//! Compresses the layers of Docker archives: Lambda rejects images with uncompressed layers.

use std::io::{self, Write};
use std::thread;

use crate::archive::deflate;
use crate::digest::{HashingWriter, Sha256};
use crate::image::file::ImageFileError;
use crate::image::{BlobError, Layer};

/// The digest and the size of a layer after compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressedLayer {
    /// The digest of the compressed bytes.
    pub digest: Sha256,
    /// The number of compressed bytes.
    pub size: u64,
}

/// Compresses an uncompressed layer into one gzip member, whose bytes depend on the layer alone: it can be cached by the
/// layer's diff ID.
///
/// # Errors
/// The layer cannot be read, does not match its digest or its diff ID, or the output cannot be written.
pub fn compress(layer: &Layer, into: &mut dyn Write) -> Result<CompressedLayer, ImageFileError> {
    let blob = &layer.blob;
    if blob.digest != layer.diff_id {
        return Err(ImageFileError::DiffId { digest: blob.digest, diff_id: layer.diff_id });
    }
    let mut output = HashingWriter::new(into);
    let (mut reader, mut writer) = io::pipe().map_err(BlobError::write(blob.digest))?;
    thread::scope(|scope| {
        let copying = scope.spawn(move || blob.copy_to(&mut writer));
        let compressed = deflate::gzip(&mut reader, &mut output);
        // After an error, this makes the writer fail instead of waiting for a reader.
        drop(reader);
        let copied = copying.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        compressed.map_err(BlobError::write(blob.digest))?;
        copied
    })?;
    let (_, digest, size) = output.finish();
    Ok(CompressedLayer { digest, size })
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
    fn a_compressed_layer_is_one_gzip_member() {
        let (layer, tar) = layer();
        let mut output = Vec::new();
        let compressed = compress(&layer, &mut output).unwrap();
        assert_eq!((compressed.digest, compressed.size), (Sha256::of(&output), output.len() as u64));
        let mut inflated = Vec::new();
        flate2::read::GzDecoder::new(output.as_slice()).read_to_end(&mut inflated).unwrap();
        assert!(inflated == tar);
    }

    #[test]
    fn a_failing_output_is_an_error() {
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
