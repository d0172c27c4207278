//! Zip archives, written in one sequential pass.
//!
//! The entries of dependencies come first, then the application's, which change most often; both are ordered by the bytes of
//! their paths. All are dated 1980-01-01 and made by Unix. There are no data descriptors, no comment, and no entries for
//! directories, except for those of namespace packages where they are needed
//! (`ZipEntries::with_namespace_packages`). zip64 records are written only where a value does not fit
//! without them.
//!
//! Specification: [APPNOTE 6.3.10](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::Digest as _;

use super::ArchiveError;
use super::deflate::{self, Deflated};
use super::destination::FileFormat;
use super::earlier::EarlierOutput;
use super::open_wheels::OpenWheels;
use super::output::{FinishedFile, OutputFile};
use crate::digest::{Sha256, Sha256State};
use crate::report::{Phase, Reporter};
use crate::tree::{Extent, FileContent, FileMode, FileOrigin, FileTree, TreeEntry, TreePath, ZipCompression};

pub(crate) mod headers;
mod prepare;

use headers::EntryHeaders;
use prepare::{EntriesAhead, PreparedEntry, ZipItem};

/// The version of this writer, a part of the key of what is known of a zip: raised when its output changes.
pub(crate) const FORMAT: u32 = 2;

/// The smallest start that is copied from an earlier zip, in bytes: a smaller one is written as fast.
const SMALLEST_START: u64 = 1 << 20;

/// The entries of a zip, in two parts that are each sorted by path.
pub(crate) struct ZipEntries<'a> {
    /// The files of dependencies, which are the same in most builds.
    dependencies: Vec<ZipItem<'a>>,
    /// The application's files and those of its own distributions.
    own: Vec<ZipItem<'a>>,
    /// The directories with entries of their own, which come last.
    directories: BTreeSet<&'a str>,
}

impl<'a> ZipEntries<'a> {
    pub(crate) fn new(tree: &'a FileTree, is_own: impl Fn(&FileOrigin) -> bool) -> Self {
        let (own, dependencies) = tree.iter().partition(|(_, entry)| is_own(&entry.origin));
        Self { dependencies, own, directories: BTreeSet::new() }
    }

    /// Adds entries for the directories of modules that have no `__init__.py`. Before Python 3.14, zipimport finds a namespace
    /// package by the entry of its directory alone.
    pub(crate) fn with_namespace_packages(mut self) -> Self {
        let items = self.dependencies.iter().chain(&self.own);
        self.directories = namespace_packages(items.map(|&(path, _)| path.as_str()));
        self
    }

    /// Returns a digest of what decides the start, whether the bytes are here or not. `sources` identifies what the dependencies'
    /// files follow from, besides their paths and modes. `None` if there are none, or one is a file that may change.
    pub(crate) fn start_key(&self, sources: &str) -> Option<Sha256> {
        let mut text = format!("zip {FORMAT}\n{sources}\n");
        for (path, entry) in &self.dependencies {
            if let FileContent::File { .. } = entry.content {
                return None;
            }
            // Infallible, into a string.
            let _ = writeln!(text, "{:o} {path}", entry.access.mode.permissions());
        }
        (!self.dependencies.is_empty()).then(|| Sha256::of(text.as_bytes()))
    }

    /// Writes the zip, which is at `path` once it is persisted. Advances [`Phase::Write`] by the bytes written. Returns what is
    /// known of its start, too, if it is worth copying.
    ///
    /// # Errors
    /// The output cannot be written, a file cannot be read, or a file of the project changes meanwhile.
    pub(crate) fn write(
        &self,
        path: &Path,
        reporter: &dyn Reporter,
    ) -> Result<(FinishedFile, Option<ZipStart>), ArchiveError> {
        let mut writer = ZipWriter::new(OutputFile::create(path, FileFormat::Zip)?, reporter);
        writer.all(&self.dependencies)?;
        writer.output.mark()?;
        let (length, entries) = (writer.output.position(), writer.entries);
        let central_directory = writer.central_directory.clone();
        writer.all(&self.own)?;
        let mut finished = writer.end(&self.directories)?;
        let mark = finished.take_mark().filter(|_| length >= SMALLEST_START);
        let start = mark.map(|state| ZipStart { length, entries, central_directory, state });
        Ok((finished, start))
    }

    /// Writes the zip as [`write`](Self::write) does, but copies its start from an earlier one. Returns `None` if that is not
    /// possible.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(crate) fn write_after(
        &self,
        start: &ZipStart,
        earlier: &EarlierOutput,
        path: &Path,
        reporter: &dyn Reporter,
    ) -> Result<Option<FinishedFile>, ArchiveError> {
        let copied = OutputFile::after((earlier, start.length), &start.state, (path, FileFormat::Zip), |bytes| {
            reporter.advance(Phase::Write, bytes);
        });
        let Some(output) = copied? else { return Ok(None) };
        let mut writer = ZipWriter::new(output, reporter);
        (writer.entries, writer.central_directory) = (start.entries, start.central_directory.clone());
        writer.all(&self.own)?;
        writer.end(&self.directories).map(Some)
    }

    /// Writes the zip as [`write`](Self::write) does, but with the start that `fetch` writes, which returns whether all of it was
    /// written. Returns `None` if it was not, or is not that of this zip.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(crate) fn write_onto(
        &self,
        start: &ZipStart,
        fetch: impl FnOnce(&mut dyn Write) -> bool,
        path: &Path,
        reporter: &dyn Reporter,
    ) -> Result<Option<FinishedFile>, ArchiveError> {
        if start.entries != self.dependencies.len() as u64 {
            return Ok(None);
        }
        let mut writer = ZipWriter::new(OutputFile::create(path, FileFormat::Zip)?, reporter);
        let mut sink = OutputSink { writer: &mut writer, failure: None };
        let is_fetched = fetch(&mut sink);
        if let Some(error) = sink.failure {
            return Err(error);
        }
        if !is_fetched || writer.output.position() != start.length {
            return Ok(None);
        }
        (writer.entries, writer.central_directory) = (start.entries, start.central_directory.clone());
        writer.all(&self.own)?;
        writer.end(&self.directories).map(Some)
    }
}

/// Returns the directories of modules, or above them, that have no `__init__.py`.
pub(crate) fn namespace_packages<'a>(files: impl Iterator<Item = &'a str> + Clone) -> BTreeSet<&'a str> {
    let modules = files.clone().filter(|path| path.ends_with(".py") || path.ends_with(".pyc"));
    let mut directories: BTreeSet<&str> =
        modules.flat_map(|path| path.match_indices('/').map(|(at, _)| &path[..at])).collect();
    for path in files {
        if let Some((directory, "__init__.py" | "__init__.pyc")) = path.rsplit_once('/') {
            directories.remove(directory);
        }
    }
    directories
}

/// What is known of the start of a zip, up to the last file of its dependencies.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct ZipStart {
    /// In bytes.
    length: u64,
    /// The number of entries.
    entries: u64,
    /// Their headers in the central directory.
    #[serde(with = "serde_bytes")]
    central_directory: Vec<u8>,
    /// The state of the zip's digest after these bytes.
    state: Sha256State,
}

impl ZipStart {
    /// Returns the number of bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns the digest of the bytes, or `None` if the state is none of a digest.
    pub(crate) fn sha256(&self) -> Option<Sha256> {
        Some(Sha256(self.state.hasher()?.finalize().into()))
    }
}

/// Writes a tree as a zip whose entries are sorted by path.
///
/// # Errors
/// A file cannot be read, or the zip cannot be written.
pub fn write(tree: &FileTree, path: &Path, reporter: &dyn Reporter) -> Result<FinishedFile, ArchiveError> {
    Ok(ZipEntries::new(tree, |_| true).write(path, reporter)?.0)
}

struct ZipWriter<'a> {
    output: OutputFile,
    central_directory: Vec<u8>,
    /// The number of entries so far.
    entries: u64,
    wheels: OpenWheels<'a>,
    reporter: &'a dyn Reporter,
}

impl<'a> ZipWriter<'a> {
    fn new(output: OutputFile, reporter: &'a dyn Reporter) -> Self {
        Self { output, central_directory: Vec::new(), entries: 0, wheels: OpenWheels::default(), reporter }
    }

    fn all(&mut self, entries: &[ZipItem<'a>]) -> Result<(), ArchiveError> {
        rayon::in_place_scope(|scope| {
            let mut ahead = EntriesAhead::new(entries);
            for &(path, entry) in entries {
                let prepared = ahead.prepare((path, entry), scope)?;
                self.entry(path, entry, prepared)?;
                self.entries += 1;
            }
            Ok(())
        })
    }

    fn entry(&mut self, path: &TreePath, entry: &TreeEntry, prepared: PreparedEntry<'a>) -> Result<(), ArchiveError> {
        let (compression, crc32, size, compressed_size) = match &prepared {
            PreparedEntry::Copied { extent, .. } => {
                (extent.format.compression(), extent.crc32, extent.size, extent.compressed_size)
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
        let headers = EntryHeaders { name, mode: entry.access.mode, compression, crc32, size, compressed_size, offset };
        self.write(&headers.local_header())?;
        headers.append_to_directory(&mut self.central_directory);
        match prepared {
            PreparedEntry::Copied { archive, extent } => self.copy(path, archive, extent),
            PreparedEntry::Ready { bytes, .. } => self.write(&bytes),
            PreparedEntry::Streamed { path: file, expected } => self.stream(path, file, expected),
        }
    }

    fn directory(&mut self, path: &str) -> Result<(), ArchiveError> {
        let headers = EntryHeaders {
            name: &format!("{path}/"),
            mode: FileMode::EXECUTABLE,
            compression: ZipCompression::Stored,
            crc32: 0,
            size: 0,
            compressed_size: 0,
            offset: self.output.position(),
        };
        self.output.write(&headers.local_header())?;
        headers.append_to_directory(&mut self.central_directory);
        self.entries += 1;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.output.write(bytes)?;
        self.reporter.advance(Phase::Write, bytes.len() as u64);
        Ok(())
    }

    fn copy(&mut self, entry: &TreePath, archive: &'a Path, extent: &Extent) -> Result<(), ArchiveError> {
        let file = self.wheels.open(archive).map_err(ArchiveError::read(archive, entry))?;
        let mut checksum = 0;
        self.output.write_with(extent.compressed_size, |portion, done| {
            file.read_exact_at(portion, extent.offset + done).map_err(ArchiveError::read(archive, entry))?;
            checksum = crc32c::crc32c_append(checksum, portion);
            self.reporter.advance(Phase::Write, portion.len() as u64);
            Ok(())
        })?;
        if checksum == extent.checksum { Ok(()) } else { Err(ArchiveError::damaged(archive, entry)) }
    }

    fn stream(&mut self, entry: &TreePath, path: &Path, expected: Deflated) -> Result<(), ArchiveError> {
        let mut sink = OutputSink { writer: self, failure: None };
        let mut file = File::open(path).map_err(ArchiveError::read(path, entry))?;
        let deflated = deflate::deflate(&mut file, &mut sink);
        if let Some(error) = sink.failure {
            return Err(error);
        }
        if deflated.map_err(ArchiveError::read(path, entry))? == expected {
            Ok(())
        } else {
            Err(ArchiveError::Changed { path: path.to_owned() })
        }
    }

    fn end(mut self, directories: &BTreeSet<&str>) -> Result<FinishedFile, ArchiveError> {
        for directory in directories {
            self.directory(directory)?;
        }
        let offset = self.output.position();
        self.output.write(&self.central_directory)?;
        self.output.write(&headers::end(self.entries, self.central_directory.len() as u64, offset))?;
        self.output.finish()
    }
}

/// Passes deflated bytes on to the output, and keeps its error: [`io::Write`] has no room for an [`ArchiveError`].
struct OutputSink<'a, 'b> {
    writer: &'a mut ZipWriter<'b>,
    failure: Option<ArchiveError>,
}

impl io::Write for OutputSink<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.writer.write(bytes) {
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
