//! Reads a Lambda zip.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rayon::prelude::*;
use sha2::Digest as _;

use super::{ArtifactContents, ContentsError, DetectedKind, EntryOrigin, FileEntry, FileKind, LARGEST_RECORD, origins};
use crate::digest::{HashingWriter, Sha256};
use crate::tree::ZipCompression;
use crate::wheel::archive::{ArchiveEntry, StrictArchive};
use crate::wheel::{Inflater, WheelErrorKind};

/// Reads the headers and all entries of a zip.
///
/// # Errors
/// The zip cannot be read, or could be read differently by different readers.
pub(crate) fn read(path: &Path) -> Result<ArtifactContents, ContentsError> {
    let failed = ContentsError::reading(path);
    let file = fs::File::open(path).map_err(&failed)?;
    let archive = StrictArchive::open(&file).map_err(|error| ContentsError::zip(path.to_owned(), error))?;
    let results: Vec<_> = archive
        .entries
        .par_iter()
        .map_init(Inflater::new, |inflater, entry| read_entry(&file, &archive, entry, inflater))
        .collect();
    let (mut files, mut records) = (Vec::new(), Vec::new());
    for (entry, result) in archive.entries.iter().zip(results) {
        let (read, record) = result.map_err(|problem| ContentsError::Entry {
            path: path.to_owned(),
            entry: entry.path.clone(),
            problem,
        })?;
        records.extend(record.map(|record| (entry.path.clone(), record)));
        files.extend((!entry.is_directory).then_some(read));
    }
    let (digest, size) = digest(&file).map_err(failed)?;
    Ok(contents(files, records, digest, size))
}

/// Assembles the contents of a zip from its files.
pub(super) fn contents(
    mut files: Vec<FileEntry>,
    records: Vec<(String, Vec<u8>)>,
    digest: Sha256,
    size: u64,
) -> ArtifactContents {
    let (distributions, records) = origins::assign(&mut files, records, |_| EntryOrigin::Application);
    // Lambda extracts a layer to /opt, and Python imports from /opt/python alone.
    let is_layer =
        files.iter().all(|file| is_in_layer(&file.path)) && files.iter().any(|file| file.path.starts_with("python/"));
    let kind = if is_layer { DetectedKind::Layer } else { DetectedKind::Function };
    ArtifactContents {
        kind,
        digest,
        size,
        layers: Vec::new(),
        files,
        distributions,
        records,
        packages: BTreeMap::new(),
        image: None,
    }
}

fn is_in_layer(path: &str) -> bool {
    path.starts_with("python/") || path.starts_with("bin/")
}

/// Returns the digest and the size in bytes of a file.
pub(super) fn digest(mut file: &fs::File) -> io::Result<(Sha256, u64)> {
    let mut writer = HashingWriter::new(io::sink());
    file.seek(SeekFrom::Start(0))?;
    io::copy(&mut file, &mut writer)?;
    let (_, digest, size) = writer.finish();
    Ok((digest, size))
}

/// Reads an entry. Returns its content, too, if it is a RECORD.
pub(super) fn read_entry(
    file: &fs::File,
    archive: &StrictArchive,
    entry: &ArchiveEntry,
    inflater: &mut Inflater,
) -> Result<(FileEntry, Option<Vec<u8>>), WheelErrorKind> {
    let stated = &entry.declared;
    let mut record = (origins::is_record(&entry.path) && stated.size <= LARGEST_RECORD).then(Vec::new);
    let mut sha256 = sha2::Sha256::new();
    archive.inflate(entry, inflater, |bytes| {
        sha256.update(bytes);
        if let Some(record) = &mut record {
            record.extend_from_slice(bytes);
        }
    })?;
    let header = EntryMetadata::read(file, entry)?;
    let read = FileEntry {
        path: entry.path.clone(),
        kind: FileKind::Regular,
        size: stated.size,
        compressed_size: stated.compressed_size,
        mode: header.mode,
        ids: (0, 0),
        time: header.time,
        method: match stated.compression {
            ZipCompression::Stored => 0,
            ZipCompression::Deflated => 8,
        },
        sha256: Sha256(sha256.finalize().into()),
        layer: 0,
        is_hidden: false,
        origin: EntryOrigin::Application,
    };
    Ok((read, record))
}

/// The fields of a header in the central directory that the strict reader does not return.
struct EntryMetadata {
    /// The permissions: the upper half of the external attributes (APPNOTE 4.4.15).
    mode: u32,
    /// The date in the upper half, and the time (APPNOTE 4.4.6).
    time: u64,
}

impl EntryMetadata {
    fn read(file: &fs::File, entry: &ArchiveEntry) -> Result<Self, WheelErrorKind> {
        let mut header = [0; 46];
        file.read_exact_at(&mut header, entry.directory_header.start).map_err(WheelErrorKind::Read)?;
        let [time, date, mode] = [12, 14, 40].map(|at| u16::from_le_bytes([header[at], header[at + 1]]));
        Ok(Self { mode: u32::from(mode) & 0o7777, time: u64::from(date) << 16 | u64::from(time) })
    }
}
