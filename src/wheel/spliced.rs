//! Takes wheels apart from a layer that was spliced from their deflate streams, so that another layer is spliced from them as
//! if the wheels themselves were here.
//!
//! A deflate stream in a layer is what it is in the wheel, except for the `BFINAL` bit of its last block. Where it begins and
//! ends follows from the ends of blocks, and from where the tar archive has the file's content.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};
use std::ops::Range;

use super::blocks::{BlockInflater, InflateStop};
use super::inventory::{SchemePart, WheelInventory};
use crate::digest::Sha256;
use crate::tree::{Extent, ExtentFormat};

/// The header of a gzip member without optional fields (RFC 1952, section 2.3).
const HEADER: usize = 10;

/// The most blocks: a layer may consist of empty ones.
const MOST_BLOCKS: usize = 1 << 20;

/// How much is inflated at a time, in bytes.
const PORTION: usize = 256 << 10;

/// A layer of an image in memory, uncompressed and compressed.
pub(crate) struct SplicedLayer {
    /// The deflate stream.
    deflated: Vec<u8>,
    tar: Vec<u8>,
    /// For the end of each block, its bit in `deflated` and its position in `tar`.
    ends: Vec<(u64, usize)>,
    /// Where the content of each file is in `tar`.
    files: HashMap<String, Range<usize>>,
}

impl SplicedLayer {
    /// Reads a layer; `None` if it is not one, or has more than `largest` uncompressed bytes or very many blocks.
    pub(crate) fn read(mut gzip: Vec<u8>, largest: usize) -> Option<Self> {
        if gzip.len() < HEADER || gzip[..4] != [0x1f, 0x8b, 8, 0] {
            return None;
        }
        let deflated = gzip.split_off(HEADER);
        let (mut tar, mut ends) = (Vec::new(), Vec::new());
        let (mut inflater, mut buffer, mut position) = (BlockInflater::new(), vec![0; PORTION], 0);
        loop {
            let step = inflater.step(&deflated[position..], &mut buffer).ok()?;
            tar.extend_from_slice(&buffer[..step.produced]);
            position += step.consumed;
            if tar.len() > largest || ends.len() > MOST_BLOCKS {
                return None;
            }
            match step.stop {
                InflateStop::Block(bit) => ends.push((bit, tar.len())),
                InflateStop::End(_) => break,
                InflateStop::Buffer if step.consumed == 0 && step.produced == 0 => return None,
                InflateStop::Buffer => {}
            }
        }
        let mut files = HashMap::new();
        for entry in tar::Archive::new(&*tar).entries().ok()? {
            let entry = entry.ok()?;
            if entry.header().entry_type().is_file() {
                let start = usize::try_from(entry.raw_file_position()).ok()?;
                let end = start.checked_add(usize::try_from(entry.size()).ok()?).filter(|end| *end <= tar.len())?;
                files.insert(entry.path().ok()?.to_str()?.to_owned(), start..end);
            }
        }
        Some(Self { deflated, tar, ends, files })
    }

    /// Writes the contents of a wheel's files to `output` as they are in the wheel, and returns where they are if `output`
    /// has `offset` bytes; `stored` are the positions of those that are not compressed there. `None` if the layer does not have all of them unchanged.
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
            let content = self.files.get(&format!("{site_packages}/{}", file.path)).filter(|_| is_library);
            let Some(content) = content.filter(|content| content.len() as u64 == file.size) else { return Ok(None) };
            let Some((bytes, format)) = self.entry(content, stored.contains(&position)) else { return Ok(None) };
            let content = &self.tar[content.clone()];
            output.write_all(&bytes)?;
            extents.push(Extent {
                offset,
                compressed_size: bytes.len() as u64,
                size: file.size,
                crc32: crc32fast::hash(content),
                sha256: Sha256::of(content),
                checksum: crc32c::crc32c(&bytes),
                format,
            });
            offset += bytes.len() as u64;
        }
        Ok(Some(extents))
    }

    /// Returns the bytes of an entry of a wheel whose content is in a range of the tar archive; `None` if it is not where it
    /// should be. Blocks do not tell whether they were an entry that is not compressed.
    fn entry(&self, content: &Range<usize>, is_stored: bool) -> Option<(Vec<u8>, ExtentFormat)> {
        if content.is_empty() || is_stored {
            return Some((self.tar[content.clone()].to_vec(), ExtentFormat::Stored));
        }
        // The block with the header ends where the content begins.
        let header = self.ends.iter().position(|(_, position)| *position == content.start)?;
        let next = self.ends.partition_point(|(_, position)| *position <= content.end);
        let (end, position) = *self.ends.get(next.checked_sub(1)?)?;
        let (bit, _) = self.ends[header];
        if position != content.end {
            return None;
        }
        let (start, first) = match bit % 8 {
            0 => (bit / 8, header),
            // An empty stored block fills the byte up before a stream.
            _ => match self.ends.get(header + 1)? {
                (bit, position) if *position == content.start => (bit / 8, header + 1),
                _ => return None,
            },
        };
        let last = next.checked_sub(2).filter(|last| *last >= first)?;
        let (final_block, end) = (self.ends[last].0 - start * 8, end - start * 8);
        let bytes = self.deflated.get(usize::try_from(start).ok()?..)?;
        let mut bytes = bytes.get(..usize::try_from(end.div_ceil(8)).ok()?)?.to_vec();
        *bytes.get_mut(usize::try_from(final_block / 8).ok()?)? |= 1 << (final_block % 8);
        if end % 8 > 0
            && let Some(byte) = bytes.last_mut()
        {
            *byte &= (1 << (end % 8)) - 1;
        }
        Some((bytes, ExtentFormat::Deflated { final_block, end }))
    }
}
