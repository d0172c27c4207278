//! Verifies a Lambda zip.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rayon::prelude::*;

use super::records;
use super::{CheckResult, CheckedAspect, Verification};
use crate::archive::zip::headers::{EntryHeaders, end};
use crate::archive::zip::namespace_packages;
use crate::contents::{ArtifactProblem, ContentsError, EntryOrigin, zip as reading};
use crate::tree::FileMode;
use crate::wheel::archive::{ArchiveEntry, StrictArchive};
use crate::wheel::{Inflater, StrictArchiveError};

/// Verifies a zip. `limit` is the largest total size of its files, in bytes.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn zip(path: &Path, limit: u64) -> Result<Verification, ContentsError> {
    let failed = ContentsError::reading(path);
    let file = fs::File::open(path).map_err(&failed)?;
    let (archive, errors) = match StrictArchive::survey(&file) {
        Ok(surveyed) => surveyed,
        Err(error) => {
            let check = CheckResult::new(CheckedAspect::Structure, "the archive", vec![problem(error)]);
            return Ok(Verification { checks: vec![check], contents: None });
        }
    };
    let results: Vec<_> = archive
        .entries
        .par_iter()
        .map_init(Inflater::new, |inflater, entry| reading::read_entry(&file, &archive, entry, inflater))
        .collect();
    let (mut files, mut records, mut broken) = (Vec::new(), Vec::new(), Vec::new());
    for (entry, result) in archive.entries.iter().zip(results) {
        match result {
            Ok((read, record)) => {
                records.extend(record.map(|record| (entry.path.clone(), record)));
                files.extend((!entry.is_directory).then_some(read));
            }
            Err(error) => broken.push(ArtifactProblem::at(&entry.path, error.to_string())),
        }
    }
    let is_complete = errors.is_empty();
    let count = archive.entries.len();
    let structure: Vec<ArtifactProblem> = errors.into_iter().map(problem).collect();
    let unread: HashSet<String> =
        structure.iter().chain(&broken).filter_map(|problem| problem.location.clone()).collect();
    let (digest, size) = reading::digest(&file).map_err(&failed)?;
    let contents = reading::contents(files, records, digest, size);
    let headers = headers(&file, &archive.entries, &contents.files, is_complete).map_err(failed)?;
    let record = records::check(&contents, &unread.iter().map(String::as_str).collect(), |_| true);
    let checks = vec![
        CheckResult::new(
            CheckedAspect::Structure,
            format!("entries: {count}, every byte of the file accounted for"),
            structure,
        ),
        CheckResult::new(CheckedAspect::Content, format!("entries: {count}, each with its size and CRC-32"), broken),
        CheckResult::new(
            CheckedAspect::Headers,
            format!("entries: {count}, in order, with fixed times and modes"),
            headers,
        ),
        record,
        limits(contents.files.iter().map(|file| file.size).sum(), limit),
    ];
    Ok(Verification { checks, contents: unread.is_empty().then_some(contents) })
}

fn problem(StrictArchiveError { entry, kind }: StrictArchiveError) -> ArtifactProblem {
    // The report prints no causes of errors, so the message includes it.
    let cause = std::error::Error::source(&kind).map(|cause| format!(": {cause}")).unwrap_or_default();
    ArtifactProblem { location: entry, message: format!("{kind}{cause}") }
}

fn limits(size: u64, limit: u64) -> CheckResult {
    let problems = (size > limit)
        .then(|| ArtifactProblem::whole(format!("its files have {size} bytes, more than Lambda's limit of {limit}")));
    let covers = format!("{size} of {limit} bytes unpacked");
    CheckResult::new(CheckedAspect::Limits, covers, problems.into_iter().collect())
}

/// The offsets of the fields of a local header (APPNOTE 4.3.7).
const LOCAL: [(usize, &str); 11] = [
    (0, "signature"),
    (4, "version"),
    (6, "flags"),
    (8, "compression method"),
    (10, "time"),
    (12, "date"),
    (14, "CRC-32"),
    (18, "size"),
    (26, "name"),
    (28, "extra field"),
    (30, "name"),
];

/// The offsets of the fields of a header in the central directory (APPNOTE 4.3.12).
const CENTRAL: [(usize, &str); 15] = [
    (0, "signature"),
    (4, "system that made it"),
    (6, "version"),
    (8, "flags"),
    (10, "compression method"),
    (12, "time"),
    (14, "date"),
    (16, "CRC-32"),
    (20, "size"),
    (28, "name"),
    (30, "extra field"),
    (32, "comment"),
    (34, "attributes"),
    (38, "mode"),
    (42, "offset"),
];

/// Compares the order of the entries and every byte of their headers with what pybundle writes. The end of the archive is
/// compared only if all entries could be read.
fn headers(
    file: &fs::File,
    entries: &[ArchiveEntry],
    files: &[crate::contents::FileEntry],
    is_complete: bool,
) -> std::io::Result<Vec<ArtifactProblem>> {
    let modes: std::collections::HashMap<&str, (u32, EntryOrigin)> =
        files.iter().map(|file| (file.path.as_str(), (file.mode, file.origin))).collect();
    let namespaces = namespace_packages(files.iter().map(|file| file.path.as_str()));
    let length = file.metadata()?.len();
    let mut problems = Vec::new();
    let mut before: Option<&ArchiveEntry> = None;
    // The dependencies' part of the archive, then the application's.
    let mut is_first_part = true;
    for entry in entries {
        if entry.is_directory && !namespaces.contains(entry.path.as_str()) {
            let message = "it is a directory, but only files and namespace packages may have entries";
            problems.push(ArtifactProblem::at(&entry.path, message));
            continue;
        }
        let stated = &entry.declared;
        let mode = match modes.get(entry.path.as_str()) {
            None if entry.is_directory => FileMode::EXECUTABLE,
            // The mode of an include, which everyone must be able to read: Lambda runs functions as another user.
            Some((mode, EntryOrigin::Application)) => FileMode::from(mode & 0o777 | 0o004),
            _ => entry.mode,
        };
        let headers = EntryHeaders {
            name: &if entry.is_directory { format!("{}/", entry.path) } else { entry.path.clone() },
            mode,
            compression: stated.compression,
            crc32: stated.crc32,
            size: stated.size,
            compressed_size: stated.compressed_size,
            offset: entry.local_header,
        };
        let mut central = Vec::new();
        headers.append_to_directory(&mut central);
        let local = compare(file, entry.local_header, stated.offset, &headers.local_header(), &LOCAL)?;
        let extent = &entry.directory_header;
        let central = compare(file, extent.start, extent.end, &central, &CENTRAL)?;
        let difference = central.or(local).map(|field| match (field, modes.get(entry.path.as_str())) {
            ("mode", Some((bits, EntryOrigin::Application))) if FileMode::from(*bits) != mode => {
                format!("its mode is {bits:04o}: Lambda cannot read it, or it sets a special bit")
            }
            ("mode", Some((bits, _))) if FileMode::from(*bits) != mode => {
                format!("its mode is {bits:04o}, not 0644 or 0755")
            }
            ("mode", _) => {
                let kind = if entry.is_directory { "directory" } else { "regular file" };
                format!("its attributes are not those of a {kind}")
            }
            ("time" | "date", _) => "it is not dated 1980-01-01 00:00".to_owned(),
            (field, _) => format!("the {field} in its header is not what pybundle writes"),
        });
        let disorder = before.replace(entry).and_then(|before| {
            let is_own = modes.get(before.path.as_str()).is_some_and(|(_, origin)| *origin == EntryOrigin::Application);
            let begins_part = is_first_part && !is_own && entry.path < before.path;
            is_first_part &= !begins_part;
            disorder(before, entry, begins_part || (entry.is_directory && !before.is_directory))
        });
        let messages = difference.into_iter().chain(disorder);
        problems.extend(messages.map(|message| ArtifactProblem::at(&entry.path, message)));
    }
    let starts = entries.iter().map(|entry| entry.directory_header.start).min();
    let ends = entries.iter().map(|entry| entry.directory_header.end).max();
    if let (true, Some(start), Some(stop)) = (is_complete, starts, ends) {
        let expected = end(entries.len() as u64, stop - start, start);
        if compare(file, stop, length, &expected, &[(0, "end")])?.is_some() {
            let message = "the end of the archive is not what pybundle writes: it has a comment, or other records";
            problems.push(ArtifactProblem::whole(message));
        }
    }
    Ok(problems)
}

/// Describes why an entry must not follow another. One that begins a part of the archive may have any path.
fn disorder(before: &ArchiveEntry, entry: &ArchiveEntry, begins_part: bool) -> Option<String> {
    let follows_directory = before.is_directory && !entry.is_directory;
    if follows_directory || (entry.path <= before.path && !begins_part) {
        Some(format!(
            "it comes after `{}`: entries must be sorted by path, first those of dependencies, then the others",
            before.path
        ))
    } else if entry.directory_header.start < before.directory_header.start {
        Some("its position in the central directory differs from that in the archive".to_owned())
    } else {
        None
    }
}

/// Returns the first field of a header that differs from the expected bytes.
fn compare(
    file: &fs::File,
    start: u64,
    stop: u64,
    expected: &[u8],
    fields: &[(usize, &'static str)],
) -> std::io::Result<Option<&'static str>> {
    let length = usize::try_from(stop.saturating_sub(start)).unwrap_or(usize::MAX);
    // A header has at most three fields of 64 KiB (name, extra field and comment) after its fixed part.
    let mut actual = vec![0; length.min(1 << 18)];
    file.read_exact_at(&mut actual, start)?;
    if actual == expected {
        return Ok(None);
    }
    let differs = actual.iter().zip(expected).position(|(actual, expected)| actual != expected);
    let at = differs.unwrap_or(actual.len().min(expected.len()));
    Ok(fields.iter().rfind(|(from, _)| *from <= at).map(|(_, name)| *name))
}
