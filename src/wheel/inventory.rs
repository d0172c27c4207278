//! What a wheel holds, read once and kept beside it.

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
use super::metadata;
use super::record::{self, RecordRow, RecordRows};
use crate::digest::{Algorithm, Hasher, Sha256};
use crate::name::DistributionName;
use crate::tree::{Extent, Mode};
use crate::wheel::filename::WheelFilename;

/// The largest metadata file, and the largest script with a shebang to rewrite, that is kept in memory.
pub(super) const LARGEST_TEXT: u64 = 16 << 20;

/// What strict reading found in a wheel: all that installing needs, so that a wheel is read only once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelInventory {
    /// The distribution's name.
    pub name: DistributionName,
    /// The distribution's version, as the file name has it.
    pub version: Version,
    /// Whether the wheel says that its root holds pure Python only.
    pub root_is_purelib: bool,
    /// The name of the `.dist-info` folder.
    pub dist_info: String,
    /// The files to install, ordered by part and path; RECORD and what other installers write are not among them.
    pub files: Vec<WheelFile>,
    /// The console and GUI scripts to make, ordered by name.
    pub entry_points: Vec<EntryPoint>,
    /// What it requires, as its METADATA has it (core metadata, Requires-Dist).
    pub requires: Vec<String>,
}

impl WheelInventory {
    /// The version of what is kept: it is raised whenever an inventory's form changes, or reading becomes stricter.
    pub const FORMAT: u32 = 4;
}

/// A file of a wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelFile {
    /// The part of the scheme that it goes to.
    pub part: SchemePart,
    /// Its path below that part.
    pub path: String,
    /// Its permissions.
    pub mode: Mode,
    /// Its verified bytes in the wheel.
    pub extent: Extent,
    /// What follows the first line of a script that begins with `#!python`: that line is written anew.
    pub script: Option<Box<[u8]>>,
}

/// The part of a scheme that a file goes to; purelib and platlib are one place on every target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SchemePart {
    /// purelib and platlib, and the wheel's root.
    Library,
    /// scripts.
    Scripts,
    /// headers.
    Headers,
    /// data.
    Data,
}

/// Reads a wheel strictly: every byte of the file is accounted for, and every entry is inflated once and checked.
///
/// # Errors
/// The file cannot be read, or is not a wheel that every installer would read alike: see [`WheelErrorKind`].
pub fn read(file: &File, filename: &WheelFilename) -> Result<WheelInventory, WheelError> {
    read_inventory(file, filename).map_err(|defect| defect.of(filename))
}

fn read_inventory(file: &File, filename: &WheelFilename) -> Result<WheelInventory, StrictArchiveError> {
    let archive = StrictArchive::open(file)?;
    let dist_info = metadata::dist_info(&archive.entries)?;
    metadata::check_dist_info(&dist_info, filename).map_err(|fault| fault.at(&*dist_info))?;
    let layout = WheelLayout::new(dist_info);
    let record = read_record(&archive, &layout)?;

    let rest: Vec<&ArchiveEntry> = archive.entries.iter().filter(|entry| entry.path != layout.record).collect();
    let verify_one = |inflater: &mut Inflater, entry: &&ArchiveEntry| {
        let keep = layout.keep(entry);
        verify(&archive, entry, record.get(&entry.path), keep, inflater)
    };
    // Collected whole, so that of several faults always the same one is reported.
    let results: Vec<_> = rest.par_iter().map_init(Inflater::new, verify_one).collect();

    let (mut files, mut texts) = (Vec::new(), HashMap::new());
    for (entry, result) in rest.into_iter().zip(results) {
        let at = |fault: WheelErrorKind| fault.at(&*entry.path);
        let (extent, mut kept) = result.map_err(at)?;
        if layout.is_text(entry) {
            texts.insert(&*entry.path, kept.take().unwrap_or_default());
        }
        let Some((part, path)) = layout.place(entry).map_err(at)? else { continue };
        let (path, script) = (path.to_owned(), kept.as_deref().map(after_first_line));
        files.push(WheelFile { part, path, mode: entry.mode, extent, script });
    }
    files.sort_unstable_by(|a, b| (a.part, &a.path).cmp(&(b.part, &b.path)));

    let text = |path: &str| texts.get(path).ok_or_else(|| WheelErrorKind::Missing.at(path));
    let root_is_purelib = metadata::check_wheel(text(&layout.wheel)?).map_err(|fault| fault.at(&*layout.wheel))?;
    let requires =
        metadata::check_metadata(text(&layout.metadata)?, filename).map_err(|fault| fault.at(&*layout.metadata))?;
    let entry_points = match texts.get(&*layout.entry_points) {
        Some(text) => entry_points::parse(text).map_err(|fault| fault.at(&*layout.entry_points))?,
        None => Vec::new(),
    };
    let (name, version) = (filename.name.clone(), filename.version.clone());
    Ok(WheelInventory { name, version, root_is_purelib, dist_info: layout.dist_info, files, entry_points, requires })
}

/// The paths that mean something in a wheel.
struct WheelLayout {
    dist_info: String,
    /// The `.data` folder.
    data: String,
    record: String,
    metadata: String,
    wheel: String,
    entry_points: String,
}

impl WheelLayout {
    fn new(dist_info: String) -> Self {
        let below = |name: &str| format!("{dist_info}/{name}");
        Self {
            data: format!("{}.data", dist_info.trim_end_matches(".dist-info")),
            record: below("RECORD"),
            metadata: below("METADATA"),
            wheel: below("WHEEL"),
            entry_points: below("entry_points.txt"),
            dist_info,
        }
    }

    /// Returns whether an entry is one of the files that are read, rather than only installed.
    fn is_text(&self, entry: &ArchiveEntry) -> bool {
        !entry.is_folder && [&self.metadata, &self.wheel, &self.entry_points].contains(&&entry.path)
    }

    /// Returns whether a path is RECORD or one of its signatures, which RECORD does not list.
    fn is_record(&self, path: &str) -> bool {
        path.strip_prefix(&*self.record).is_some_and(|suffix| matches!(suffix, "" | ".jws" | ".p7s"))
    }

    /// Returns where an entry goes; nowhere if it is a folder, or a file that each installer writes for itself.
    fn place<'a>(&self, entry: &'a ArchiveEntry) -> Result<Option<(SchemePart, &'a str)>, WheelErrorKind> {
        if entry.is_folder || self.is_record(&entry.path) {
            return Ok(None);
        }
        let place = match entry.path.split_once('/') {
            Some((folder, "INSTALLER" | "REQUESTED" | "direct_url.json")) if folder == self.dist_info => {
                return Ok(None);
            }
            Some((folder, rest)) if folder == self.data => match rest.split_once('/').ok_or(WheelErrorKind::Scheme)? {
                ("purelib" | "platlib", path) => (SchemePart::Library, path),
                ("headers", path) => (SchemePart::Headers, path),
                ("data", path) => (SchemePart::Data, path),
                ("scripts", name) if name.contains('/') => return Err(WheelErrorKind::ScriptFolder),
                ("scripts", name) => {
                    entry_points::check_script_name(name)?;
                    (SchemePart::Scripts, name)
                }
                _ => return Err(WheelErrorKind::Scheme),
            },
            // Some installers take every such folder for the wheel's own.
            Some((folder, _)) if folder.ends_with(".data") => return Err(WheelErrorKind::ForeignData),
            _ => (SchemePart::Library, &*entry.path),
        };
        Ok(Some(place))
    }

    /// Returns which bytes of an entry are kept.
    fn keep(&self, entry: &ArchiveEntry) -> BytesToKeep {
        match self.place(entry) {
            _ if self.is_text(entry) => BytesToKeep::All,
            Ok(Some((SchemePart::Scripts, _))) => BytesToKeep::Script,
            _ => BytesToKeep::Nothing,
        }
    }
}

/// Which bytes of an entry are kept while it is verified.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BytesToKeep {
    Nothing,
    All,
    /// All, if it is a script whose first line is to be rewritten.
    Script,
}

/// Reads RECORD and checks that it lists exactly the wheel's files.
fn read_record(archive: &StrictArchive, layout: &WheelLayout) -> Result<RecordRows, StrictArchiveError> {
    let entry = archive.entries.iter().find(|entry| !entry.is_folder && entry.path == layout.record);
    let entry = entry.ok_or_else(|| WheelErrorKind::Missing.at(&*layout.record))?;
    let (_, text) =
        verify(archive, entry, None, BytesToKeep::All, &mut Inflater::new()).map_err(|f| f.at(&*entry.path))?;
    let record = record::parse(&text.unwrap_or_default()).map_err(|fault| fault.at(&*entry.path))?;

    let files: HashSet<&str> = archive.entries.iter().filter(|e| !e.is_folder).map(|e| &*e.path).collect();
    let unlisted = files.iter().filter(|path| !record.contains_key(**path) && !layout.is_record(path)).min();
    if let Some(path) = unlisted {
        return Err(WheelErrorKind::Unlisted.at(*path));
    }
    match record.keys().filter(|path| !files.contains(&***path)).min() {
        Some(path) => Err(WheelErrorKind::Absent.at(&**path)),
        None => Ok(record),
    }
}

/// Inflates an entry and checks it against its headers and against its row in RECORD; returns its extent, and its bytes
/// if they are kept.
fn verify(
    archive: &StrictArchive,
    entry: &ArchiveEntry,
    row: Option<&RecordRow>,
    keep: BytesToKeep,
    inflater: &mut Inflater,
) -> Result<(Extent, Option<Vec<u8>>), WheelErrorKind> {
    let size = entry.stated.size;
    if keep == BytesToKeep::All && size > LARGEST_TEXT {
        return Err(WheelErrorKind::TextSize(size));
    }
    let stated = row.and_then(|row| row.digest.as_ref());
    let mut sha256 = sha2::Sha256::new();
    let mut other =
        stated.map(|digest| digest.algorithm).filter(|algorithm| *algorithm != Algorithm::Sha256).map(Hasher::new);
    let mut kept = (keep == BytesToKeep::All).then(Vec::new);
    let mut is_first = true;
    let form = inflater.run(&archive.source, &entry.stated, |bytes| {
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
    if let Some(stated) = row.and_then(|row| row.size).filter(|stated| *stated != size) {
        return Err(WheelErrorKind::RecordSize { stated, actual: size });
    }
    let sha256 = Sha256(sha256.finalize().into());
    let actual = other.map_or_else(|| sha256.into(), Hasher::finish);
    match stated {
        Some(stated) if *stated != actual => Err(WheelErrorKind::RecordDigest(stated.algorithm.name())),
        _ => Ok((entry.extent(sha256, form), kept)),
    }
}

/// Returns what follows the first line of a script.
fn after_first_line(script: &[u8]) -> Box<[u8]> {
    let end = script.iter().position(|byte| *byte == b'\n').map_or(script.len(), |newline| newline + 1);
    script.get(end..).unwrap_or_default().into()
}
