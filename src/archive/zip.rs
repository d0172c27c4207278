//! Zip archives, written in one sequential pass.
//!
//! Entries are in the order of their paths' bytes, dated 1980-01-01, made by Unix, with no data descriptors, no folders
//! and no comment. zip64 records stand only where a value does not fit without them.
//!
//! Specification: [APPNOTE 6.3.10](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::ArchiveError;
use super::archives::OpenWheels;
use super::deflate::{self, Deflated};
use super::output::{FinishedFile, OutputFile};
use crate::report::{Phase, Reporter};
use crate::tree::{Extent, FileContent, FileTree, TreeEntry, TreePath, ZipCompression};

pub mod records;

use records::EntryHeaders;

/// Files up to this size are deflated in memory, several at once; larger ones are deflated twice, first to learn the
/// length that stands before the bytes. So memory does not grow with the files.
const IN_MEMORY: u64 = 512 * 1024;

/// How many entries are looked at together for what has to be deflated.
const BATCH: usize = 64;

/// Writes a tree as a zip that will be at `path` once it is persisted.
///
/// # Errors
/// The output cannot be written, a file cannot be read, or a file of the project changes meanwhile.
pub fn write(tree: &FileTree, path: &Path, reporter: &dyn Reporter) -> Result<FinishedFile, ArchiveError> {
    let mut writer =
        ZipWriter { output: OutputFile::create(path)?, directory: Vec::new(), archives: OpenWheels::default() };
    let entries: Vec<(&TreePath, &TreeEntry)> = tree.iter().collect();
    let mut entry_count = 0;
    for batch in entries.chunks(BATCH) {
        let prepared = prepare_batch(batch)?;
        for ((path, entry), prepared) in batch.iter().zip(prepared) {
            let before = writer.output.position();
            writer.entry(path, entry, prepared)?;
            entry_count += 1;
            reporter.advance(Phase::Write, writer.output.position() - before);
        }
    }
    writer.end(entry_count)
}

/// What an entry's bytes are, known before its header is written.
enum PreparedEntry<'a> {
    /// Copied from a wheel.
    Copied { archive: &'a PathBuf, extent: &'a Extent },
    /// Deflated, or kept as they are where deflating does not help.
    Ready { bytes: Vec<u8>, compression: ZipCompression, crc32: u32, size: u64 },
    /// Deflated again while they are written.
    Streamed { path: &'a PathBuf, expected: Deflated },
}

/// Prepares entries, side by side where that is worth waking other threads for: most batches are copied as they lie.
fn prepare_batch<'a>(batch: &[(&'a TreePath, &'a TreeEntry)]) -> Result<Vec<PreparedEntry<'a>>, ArchiveError> {
    let is_copied = |entry: &TreeEntry| matches!(entry.content, FileContent::Archived { .. });
    if batch.iter().filter(|(_, entry)| !is_copied(entry)).count() > 1 {
        batch.par_iter().map(|(path, entry)| prepare(path, &entry.content)).collect()
    } else {
        batch.iter().map(|(path, entry)| prepare(path, &entry.content)).collect()
    }
}

fn prepare<'a>(entry: &TreePath, content: &'a FileContent) -> Result<PreparedEntry<'a>, ArchiveError> {
    match content {
        FileContent::Archived { archive, extent } => Ok(PreparedEntry::Copied { archive, extent }),
        FileContent::Bytes(bytes) => Ok(deflated(bytes)),
        FileContent::File { path, .. } => {
            let failed = |source| ArchiveError::Read { path: path.clone(), entry: entry.clone(), source };
            let mut file = File::open(path).map_err(failed)?;
            if file.metadata().map_err(failed)?.len() <= IN_MEMORY {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).map_err(failed)?;
                return Ok(deflated(&bytes));
            }
            let expected = deflate::deflate(&mut file, &mut io::sink()).map_err(failed)?;
            Ok(PreparedEntry::Streamed { path, expected })
        }
    }
}

fn deflated<'a>(bytes: &[u8]) -> PreparedEntry<'a> {
    let mut compressed = Vec::new();
    match deflate::deflate(&mut &bytes[..], &mut compressed) {
        Ok(deflated) if deflated.compressed_size < deflated.size => PreparedEntry::Ready {
            bytes: compressed,
            compression: ZipCompression::Deflated,
            crc32: deflated.crc32,
            size: deflated.size,
        },
        // Between slices and vectors nothing fails; what cannot be deflated is kept as it is all the same.
        _ => PreparedEntry::Ready {
            bytes: bytes.to_vec(),
            compression: ZipCompression::Stored,
            crc32: crc32fast::hash(bytes),
            size: bytes.len() as u64,
        },
    }
}

struct ZipWriter<'a> {
    output: OutputFile,
    /// The central directory, which follows the entries.
    directory: Vec<u8>,
    archives: OpenWheels<'a>,
}

impl<'a> ZipWriter<'a> {
    fn entry(&mut self, path: &TreePath, entry: &TreeEntry, prepared: PreparedEntry<'a>) -> Result<(), ArchiveError> {
        let (compression, crc32, size, compressed_size) = match &prepared {
            PreparedEntry::Copied { extent, .. } => {
                (extent.form.compression(), extent.crc32, extent.size, extent.compressed_size)
            }
            PreparedEntry::Ready { bytes, compression, crc32, size } => {
                (*compression, *crc32, *size, bytes.len() as u64)
            }
            PreparedEntry::Streamed { expected, .. } => {
                (ZipCompression::Deflated, expected.crc32, expected.size, expected.compressed_size)
            }
        };
        let name = path.as_str();
        if name.len() > usize::from(u16::MAX) {
            return Err(ArchiveError::NameTooLong { entry: path.clone() });
        }
        let offset = self.output.position();
        let record = EntryHeaders { name, mode: entry.access.mode, compression, crc32, size, compressed_size, offset };
        self.output.write(&record.local_header())?;
        record.append_to_directory(&mut self.directory);
        match prepared {
            PreparedEntry::Copied { archive, extent } => self.copy(path, archive, extent),
            PreparedEntry::Ready { bytes, .. } => self.output.write(&bytes),
            PreparedEntry::Streamed { path: file, expected } => self.stream(path, file, expected),
        }
    }

    fn copy(&mut self, entry: &TreePath, archive: &'a Path, extent: &Extent) -> Result<(), ArchiveError> {
        let failed = |source| ArchiveError::Read { path: archive.to_owned(), entry: entry.clone(), source };
        let file = self.archives.open(archive).map_err(failed)?;
        self.output.write_with(extent.compressed_size, |portion, done| {
            file.read_exact_at(portion, extent.offset + done).map_err(failed)
        })
    }

    fn stream(&mut self, entry: &TreePath, path: &Path, expected: Deflated) -> Result<(), ArchiveError> {
        let failed = |source| ArchiveError::Read { path: path.to_owned(), entry: entry.clone(), source };
        let mut sink = OutputSink { output: &mut self.output, failure: None };
        let mut file = File::open(path).map_err(failed)?;
        let deflated = deflate::deflate(&mut file, &mut sink);
        match (sink.failure, deflated) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(failed(error)),
            (None, Ok(deflated)) if deflated != expected => Err(ArchiveError::Changed { path: path.to_owned() }),
            (None, Ok(_)) => Ok(()),
        }
    }

    fn end(mut self, entries: u64) -> Result<FinishedFile, ArchiveError> {
        let offset = self.output.position();
        self.output.write(&self.directory)?;
        self.output.write(&records::end(entries, self.directory.len() as u64, offset))?;
        self.output.finish()
    }
}

/// Passes deflated bytes on to the output, whose error it keeps.
struct OutputSink<'a> {
    output: &'a mut OutputFile,
    failure: Option<ArchiveError>,
}

impl io::Write for OutputSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.output.write(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.failure = Some(error);
                Err(io::ErrorKind::Other.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
