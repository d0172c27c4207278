//! Takes wheels from a layer that was spliced from their deflate streams, so that another layer can be spliced from them
//! without the wheels' files.
//!
//! A deflate stream in a layer has the bytes that it has in the wheel, except for the `BFINAL` bit of its last block. Where it
//! begins and ends follows from the ends of blocks, and from where the tar archive has the file's content.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read, Write};
use std::ops::Range;

use super::blocks::{BlockInflater, InflateStop};
use super::inventory::{SchemePart, WheelInventory};
use crate::digest::{HashingWriter, Sha256};
use crate::tree::{Extent, ExtentFormat};

/// The header of a gzip member without optional fields (RFC 1952, section 2.3).
const HEADER: usize = 10;

/// The most blocks: a layer may consist of empty ones.
const MOST_BLOCKS: usize = 1 << 20;

/// A layer of an image, compressed in memory.
pub(crate) struct SplicedLayer {
    /// The deflate stream.
    deflated: Vec<u8>,
    ends: Vec<BlockEnd>,
    /// The files of the tar archive.
    files: HashMap<String, LayerFile>,
}

/// The end of a deflate block: the first bit after it, and the position in the tar archive.
#[derive(Clone, Copy)]
struct BlockEnd {
    bit: u64,
    position: u64,
}

/// The content of a file in a tar archive.
struct LayerFile {
    range: Range<u64>,
    crc32: u32,
    sha256: Sha256,
}

impl SplicedLayer {
    /// Reads a layer; `None` if it is not one, or has more than `largest` uncompressed bytes or very many blocks.
    pub(crate) fn read(gzip: Vec<u8>, largest: u64) -> Option<Self> {
        let mut deflated = gzip;
        if deflated.len() < HEADER || deflated[..4] != [0x1f, 0x8b, 8, 0] {
            return None;
        }
        deflated.drain(..HEADER);
        let (ends, mut files) = (RefCell::default(), HashMap::new());
        let mut tar = LayerReader {
            deflated: &deflated,
            inflater: BlockInflater::new(),
            consumed: 0,
            produced: 0,
            is_ended: false,
            largest,
            ends: &ends,
        };
        for entry in tar::Archive::new(&mut tar).entries().ok()? {
            let mut entry = entry.ok()?;
            if entry.header().entry_type().is_file() {
                let path = entry.path().ok()?.to_str()?.to_owned();
                let start = entry.raw_file_position();
                let mut content = HashingWriter::new(CrcWriter(crc32fast::Hasher::new()));
                io::copy(&mut entry, &mut content).ok()?;
                let (CrcWriter(crc32), sha256, size) = content.finish();
                files.insert(path, LayerFile { range: start..start + size, crc32: crc32.finalize(), sha256 });
            }
        }
        io::copy(&mut tar, &mut io::sink()).ok()?;
        Some(Self { deflated, ends: ends.into_inner(), files })
    }

    /// Writes the contents of a wheel's files to `output` as they are in the wheel, and returns where they are if `output`
    /// has `offset` bytes; `stored` are the positions of those that are not compressed there. `None` if the layer does not
    /// have all of them unchanged.
    ///
    /// # Errors
    /// `output` fails.
    pub(crate) fn take(
        &self,
        inventory: &WheelInventory,
        stored: &BTreeSet<usize>,
        mut offset: u64,
        output: &mut dyn Write,
    ) -> io::Result<Option<Vec<Extent>>> {
        let metadata = format!("/{}/METADATA", inventory.dist_info);
        let Some(site_packages) = self.files.keys().find_map(|path| path.strip_suffix(&metadata)) else {
            return Ok(None);
        };
        let mut extents = Vec::with_capacity(inventory.files.len());
        for (position, file) in inventory.files.iter().enumerate() {
            // Other parts are elsewhere, and scripts are rewritten.
            let is_library = file.part == SchemePart::Library && file.script.is_none();
            let found = self.files.get(&format!("{site_packages}/{}", file.path)).filter(|_| is_library);
            let found = found.filter(|found| found.range.end - found.range.start == file.size);
            let Some(LayerFile { range, crc32, sha256 }) = found else { return Ok(None) };
            let Some((bytes, format)) = self.entry(range, stored.contains(&position)) else { return Ok(None) };
            output.write_all(&bytes)?;
            extents.push(Extent {
                offset,
                compressed_size: bytes.len() as u64,
                size: file.size,
                crc32: *crc32,
                sha256: *sha256,
                checksum: crc32c::crc32c(&bytes),
                format,
            });
            offset += bytes.len() as u64;
        }
        Ok(Some(extents))
    }

    /// Returns the bytes of an entry of a wheel whose content is in a range of the tar archive; `None` if it is not where it
    /// should be. Blocks do not tell whether they were an entry that is not compressed.
    fn entry(&self, content: &Range<u64>, is_stored: bool) -> Option<(Vec<u8>, ExtentFormat)> {
        if content.is_empty() {
            return Some((Vec::new(), ExtentFormat::Stored));
        }
        // The block with the header ends where the content begins.
        let header = self.ends.iter().position(|end| end.position == content.start)?;
        let next = self.ends.partition_point(|end| end.position <= content.end);
        let end = self.ends.get(next.checked_sub(1)?).filter(|end| end.position == content.end)?.bit;
        let bit = self.ends[header].bit;
        if is_stored {
            return Some((self.stored(bit, end)?, ExtentFormat::Stored));
        }
        let (start, first) = if bit.is_multiple_of(8) {
            (bit / 8, header)
        } else {
            // An empty stored block fills the byte up before a stream.
            let empty = self.ends.get(header + 1).filter(|empty| empty.position == content.start)?;
            (empty.bit / 8, header + 1)
        };
        let last = next.checked_sub(2).filter(|last| *last >= first)?;
        let (final_block, end) = (self.ends[last].bit - start * 8, end - start * 8);
        let mut bytes = self.bytes(start..start + end.div_ceil(8))?.to_vec();
        *bytes.get_mut(usize::try_from(final_block / 8).ok()?)? |= 1 << (final_block % 8);
        if end % 8 > 0
            && let Some(byte) = bytes.last_mut()
        {
            *byte &= (1 << (end % 8)) - 1;
        }
        Some((bytes, ExtentFormat::Deflated { final_block, end }))
    }

    /// Returns what stored blocks between two bits contain (RFC 1951, section 3.2.4).
    fn stored(&self, mut bit: u64, end: u64) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        while bit < end {
            let length = (bit + 3).div_ceil(8);
            let bytes = length + 4;
            let length = u16::from_le_bytes(self.bytes(length..length + 2)?.try_into().ok()?);
            content.extend_from_slice(self.bytes(bytes..bytes + u64::from(length))?);
            bit = (bytes + u64::from(length)) * 8;
        }
        (bit == end).then_some(content)
    }

    fn bytes(&self, range: Range<u64>) -> Option<&[u8]> {
        self.deflated.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }
}

/// Inflates a layer, and notes where its blocks end.
struct LayerReader<'a> {
    deflated: &'a [u8],
    inflater: BlockInflater,
    consumed: usize,
    produced: u64,
    is_ended: bool,
    largest: u64,
    ends: &'a RefCell<Vec<BlockEnd>>,
}

impl Read for LayerReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_ended && !buffer.is_empty() {
            let step = self.inflater.step(&self.deflated[self.consumed..], buffer);
            let step = step.map_err(|_| io::ErrorKind::InvalidData)?;
            self.consumed += step.consumed;
            self.produced += step.produced as u64;
            let mut ends = self.ends.borrow_mut();
            match step.stop {
                InflateStop::Block(bit) => ends.push(BlockEnd { bit, position: self.produced }),
                InflateStop::End(_) => self.is_ended = true,
                InflateStop::Buffer if step.consumed == 0 && step.produced == 0 => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                InflateStop::Buffer => {}
            }
            if self.produced > self.largest || ends.len() > MOST_BLOCKS {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            if step.produced > 0 {
                return Ok(step.produced);
            }
        }
        Ok(0)
    }
}

/// Computes the CRC-32 of what is written.
struct CrcWriter(crc32fast::Hasher);

impl Write for CrcWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
