//! The inventory of a wheel, which is read once and then cached.

use std::collections::{HashMap, HashSet};
use std::fs::File;

use pep440_rs::Version;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::archive::{ArchiveEntry, StrictArchive};
use super::entry_points::{self, EntryPoint};
use super::error::{StrictArchiveError, WheelError, WheelErrorKind};
use super::inflate::Inflater;
use super::metadata::{self, WheelRequirements};
use super::record::{self, RecordRow, RecordRows};
use super::violation::{BrokenRule, WheelViolation};
use crate::digest::{Algorithm, Hasher, Sha256};
use crate::name::DistributionName;
use crate::tree::{Extent, FileMode};
use crate::wheel::filename::WheelFilename;

/// The largest metadata file, and the largest script whose first line is rewritten, in bytes: they are held in memory.
pub(super) const LARGEST_TEXT: u64 = 16 << 20;

/// What the strict reader finds in a wheel, so that the wheel is read only once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelReading {
    /// What the wheel contains.
    pub inventory: WheelInventory,
    /// Where the contents of the files are in the wheel, in the order of [`WheelInventory::files`].
    pub extents: Vec<Extent>,
}

/// Everything that planning the installation of a wheel needs, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelInventory {
    /// The distribution's name.
    pub name: DistributionName,
    /// The distribution's version, from the file name.
    pub version: Version,
    /// Root-Is-Purelib: whether the wheel's root contains only pure Python.
    pub root_is_purelib: bool,
    /// The name of the `.dist-info` directory.
    pub dist_info: String,
    /// The files to install, ordered by part and path, without RECORD and the files that every installer writes itself.
    pub files: Vec<WheelFile>,
    /// The console and GUI scripts to generate, ordered by name.
    pub entry_points: Vec<EntryPoint>,
    /// The values of Requires-Dist in METADATA.
    pub requires: Vec<String>,
    /// The field Requires-Python of METADATA, not parsed: an invalid one does not make a wheel invalid.
    pub requires_python: Option<String>,
    /// The rules that the wheel breaks, although it can be installed as pip installs it; ordered by path.
    pub violations: Vec<WheelViolation>,
}

impl WheelInventory {
    /// The version of the cached form, to be raised whenever the form changes or reading becomes stricter.
    pub const FORMAT: u32 = 9;

    /// Returns the violations as an error.
    ///
    /// # Errors
    /// The wheel has one.
    pub(crate) fn require_valid(&self, filename: &WheelFilename) -> Result<(), WheelError> {
        match self.violations.first() {
            None => Ok(()),
            Some(violation) => Err(StrictArchiveError::from(violation.clone()).of(filename)),
        }
    }
}

/// A file of a wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelFile {
    /// The part of the scheme that the file is installed to.
    pub part: SchemePart,
    /// The path, relative to that part.
    pub path: String,
    /// The permissions.
    pub mode: FileMode,
    /// The size in bytes.
    pub size: u64,
    /// For a script that begins with `#!python`, the content after the first line, which the installer rewrites.
    pub script: Option<Box<[u8]>>,
}

/// The part of a scheme that a file is installed to. purelib and platlib are the same directory on every target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants are named after the scheme's keys")]
pub enum SchemePart {
    /// purelib, platlib and the wheel's root.
    Library,
    Scripts,
    Headers,
    Data,
}

/// Reads and verifies a wheel: every byte of the file is accounted for, and every entry is inflated once and checked
/// against its headers and RECORD.
///
/// # Errors
/// The file cannot be read, or is not a valid wheel: see [`WheelErrorKind`].
pub fn read(file: &File, filename: &WheelFilename) -> Result<WheelReading, WheelError> {
    let reading = survey(file, filename)?;
    reading.inventory.require_valid(filename)?;
    Ok(reading)
}

/// As [`read`], but lists violations in the inventory.
///
/// # Errors
/// As [`read`], except for violations.
pub(crate) fn survey(file: &File, filename: &WheelFilename) -> Result<WheelReading, WheelError> {
    read_archive(file, filename).map_err(|error| error.of(filename))
}

fn read_archive(file: &File, filename: &WheelFilename) -> Result<WheelReading, StrictArchiveError> {
    let archive = StrictArchive::open_with_links(file)?;
    let dist_info = metadata::dist_info(&archive.entries)?;
    metadata::check_dist_info(&dist_info, filename).map_err(|kind| kind.at(&*dist_info))?;
    let layout = WheelLayout::new(dist_info);
    let (record, mut violations) = read_record(&archive, &layout)?;

    let rest: Vec<&ArchiveEntry> = archive.entries.iter().filter(|entry| entry.path != layout.record).collect();
    // All results are collected first, so that of several errors always the same one is reported.
    let results: Vec<_> = rest
        .par_iter()
        .map_init(Inflater::new, |inflater, entry| {
            verify(&archive, entry, record.get(&entry.path), layout.keep(entry), inflater)
        })
        .collect();

    let (mut files, mut texts) = (Vec::new(), HashMap::new());
    for (entry, result) in rest.into_iter().zip(results) {
        let VerifiedEntry { extent, mut kept, broken } = result.map_err(|kind| kind.at(&*entry.path))?;
        violations.extend(broken.map(|rule| rule.at(&*entry.path)));
        if layout.is_text(entry) {
            texts.insert(&*entry.path, kept.take().unwrap_or_default());
        }
        let destination = layout.destination(entry).map_err(|kind| kind.at(&*entry.path))?;
        let Some((part, path)) = destination else { continue };
        let (path, script) = (path.to_owned(), kept.as_deref().map(after_first_line));
        files.push((WheelFile { part, path, mode: entry.mode, size: extent.size, script }, extent));
    }
    files.sort_unstable_by(|(a, _), (b, _)| (a.part, &a.path).cmp(&(b.part, &b.path)));
    let (files, extents) = files.into_iter().unzip();

    let text = required(&texts, &layout.wheel)?;
    let root_is_purelib = metadata::check_wheel(text).map_err(|kind| kind.at(&*layout.wheel))?;
    let text = required(&texts, &layout.metadata)?;
    let WheelRequirements { requires, requires_python } =
        metadata::check_metadata(text, filename).map_err(|kind| kind.at(&*layout.metadata))?;
    let entry_points = match texts.get(&*layout.entry_points) {
        Some(text) => entry_points::parse(text).map_err(|kind| kind.at(&*layout.entry_points))?,
        None => Vec::new(),
    };
    violations.sort_by(|a, b| a.entry.cmp(&b.entry));
    let (name, version) = (filename.name.clone(), filename.version.clone());
    let inventory = WheelInventory {
        name,
        version,
        root_is_purelib,
        dist_info: layout.dist_info,
        files,
        entry_points,
        requires,
        requires_python,
        violations,
    };
    Ok(WheelReading { inventory, extents })
}

fn required<'a>(texts: &'a HashMap<&str, Vec<u8>>, path: &str) -> Result<&'a [u8], StrictArchiveError> {
    texts.get(path).map(Vec::as_slice).ok_or_else(|| WheelErrorKind::MissingFile.at(path))
}

/// The special paths of a wheel.
struct WheelLayout {
    dist_info: String,
    /// The `.data` directory.
    data: String,
    record: String,
    metadata: String,
    wheel: String,
    entry_points: String,
}

impl WheelLayout {
    fn new(dist_info: String) -> Self {
        Self {
            data: format!("{}.data", dist_info.trim_end_matches(".dist-info")),
            record: format!("{dist_info}/RECORD"),
            metadata: format!("{dist_info}/METADATA"),
            wheel: format!("{dist_info}/WHEEL"),
            entry_points: format!("{dist_info}/entry_points.txt"),
            dist_info,
        }
    }

    /// Returns whether an entry is a metadata file whose content is needed here.
    fn is_text(&self, entry: &ArchiveEntry) -> bool {
        !entry.is_directory && [&self.metadata, &self.wheel, &self.entry_points].contains(&&entry.path)
    }

    /// Returns whether a path is RECORD or one of its signatures, which RECORD does not list.
    fn is_record(&self, path: &str) -> bool {
        path.strip_prefix(&*self.record).is_some_and(|suffix| matches!(suffix, "" | ".jws" | ".p7s"))
    }

    /// Returns the part of the scheme and the relative path of an entry; `None` for directories and for the files that
    /// every installer writes itself.
    fn destination<'a>(&self, entry: &'a ArchiveEntry) -> Result<Option<(SchemePart, &'a str)>, WheelErrorKind> {
        if entry.is_directory || self.is_record(&entry.path) {
            return Ok(None);
        }
        let destination = match entry.path.split_once('/') {
            Some((directory, "INSTALLER" | "REQUESTED" | "direct_url.json")) if directory == self.dist_info => {
                return Ok(None);
            }
            Some((directory, rest)) if directory == self.data => {
                match rest.split_once('/').ok_or(WheelErrorKind::UnknownScheme)? {
                    ("purelib" | "platlib", path) => (SchemePart::Library, path),
                    ("headers", path) => (SchemePart::Headers, path),
                    ("data", path) => (SchemePart::Data, path),
                    ("scripts", name) if name.contains('/') => return Err(WheelErrorKind::ScriptSubdirectory),
                    ("scripts", name) => {
                        entry_points::check_script_name(name)?;
                        (SchemePart::Scripts, name)
                    }
                    _ => return Err(WheelErrorKind::UnknownScheme),
                }
            }
            // Some installers treat every such directory as the wheel's own.
            Some((directory, _)) if directory.ends_with(".data") => return Err(WheelErrorKind::ForeignData),
            _ => (SchemePart::Library, &*entry.path),
        };
        Ok(Some(destination))
    }

    fn keep(&self, entry: &ArchiveEntry) -> BytesToKeep {
        match self.destination(entry) {
            _ if self.is_text(entry) => BytesToKeep::All,
            Ok(Some((SchemePart::Scripts, _))) => BytesToKeep::Script,
            _ => BytesToKeep::Nothing,
        }
    }
}

/// Which bytes of an entry are kept in memory while it is verified.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BytesToKeep {
    Nothing,
    All,
    /// All if the entry is a script that begins with `#!python`.
    Script,
}

/// Reads RECORD and compares the files that it lists with those of the wheel; returns its rows and the violations, and
/// those by entries that are symbolic links.
fn read_record(
    archive: &StrictArchive,
    layout: &WheelLayout,
) -> Result<(RecordRows, Vec<WheelViolation>), StrictArchiveError> {
    let entry = archive.entries.iter().find(|entry| !entry.is_directory && entry.path == layout.record);
    let entry = entry.ok_or_else(|| WheelErrorKind::MissingFile.at(&*layout.record))?;
    let verified =
        verify(archive, entry, None, BytesToKeep::All, &mut Inflater::new()).map_err(|f| f.at(&*entry.path))?;
    let (record, rows) = record::survey(&verified.kept.unwrap_or_default()).map_err(|kind| kind.at(&*entry.path))?;

    let files: HashSet<&str> = archive.entries.iter().filter(|e| !e.is_directory).map(|e| &*e.path).collect();
    let links = archive.entries.iter().filter(|entry| entry.is_symbolic_link);
    let unlisted = files.iter().filter(|path| !record.contains_key(**path) && !layout.is_record(path));
    let missing = record.keys().filter(|path| !files.contains(&***path));
    let mut violations: Vec<WheelViolation> = rows.into_iter().map(|rule| rule.at(&*entry.path)).collect();
    violations.extend(links.map(|entry| BrokenRule::SymbolicLink.at(&*entry.path)));
    violations.extend(unlisted.map(|path| BrokenRule::Unlisted.at(*path)));
    violations.extend(missing.map(|path| BrokenRule::MissingListedFile.at(&**path)));
    Ok((record, violations))
}

/// An entry whose content matches its headers.
struct VerifiedEntry {
    extent: Extent,
    /// The bytes, if they are to be kept.
    kept: Option<Vec<u8>>,
    /// How the content differs from its row in RECORD.
    broken: Option<BrokenRule>,
}

/// Inflates an entry, checks it against its headers and compares it with its row in RECORD.
fn verify(
    archive: &StrictArchive,
    entry: &ArchiveEntry,
    row: Option<&RecordRow>,
    keep: BytesToKeep,
    inflater: &mut Inflater,
) -> Result<VerifiedEntry, WheelErrorKind> {
    let size = entry.declared.size;
    if keep == BytesToKeep::All && size > LARGEST_TEXT {
        return Err(WheelErrorKind::TextSize(size));
    }
    let expected = row.and_then(|row| row.digest.as_ref());
    let mut sha256 = sha2::Sha256::new();
    let mut other =
        expected.map(|digest| digest.algorithm).filter(|algorithm| *algorithm != Algorithm::Sha256).map(Hasher::new);
    let mut kept = (keep == BytesToKeep::All).then(Vec::new);
    let mut is_first = true;
    let format = inflater.run(&archive.source, &entry.declared, |bytes| {
        sha256.update(bytes);
        if let Some(other) = &mut other {
            other.update(bytes);
        }
        if std::mem::take(&mut is_first) && keep == BytesToKeep::Script && bytes.starts_with(b"#!python") {
            kept = Some(Vec::new());
        }
        if let Some(kept) = kept.as_mut().filter(|_| size <= LARGEST_TEXT) {
            kept.extend_from_slice(bytes);
        }
    })?;
    if kept.is_some() && size > LARGEST_TEXT {
        return Err(WheelErrorKind::TextSize(size));
    }
    let sha256 = Sha256(sha256.finalize().into());
    let actual = other.map_or_else(|| sha256.into(), Hasher::finish);
    let broken = match (row.and_then(|row| row.size), expected) {
        (Some(expected), _) if expected != size => Some(BrokenRule::RecordSize { expected, actual: size }),
        (_, Some(digest)) if *digest != actual => Some(BrokenRule::RecordDigest(digest.algorithm.name().to_owned())),
        _ => None,
    };
    Ok(VerifiedEntry { extent: entry.extent(sha256, format), kept, broken })
}

/// Returns the content of a script after its first line.
fn after_first_line(script: &[u8]) -> Box<[u8]> {
    let end = script.iter().position(|byte| *byte == b'\n').map_or(script.len(), |newline| newline + 1);
    script.get(end..).unwrap_or_default().into()
}
