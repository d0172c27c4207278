//! Unpacks a source distribution so that nothing of it comes to lie elsewhere.
//!
//! Specification: [PyPA, source distribution format](https://packaging.python.org/en/latest/specifications/source-distribution-format/#source-distribution-archive-features),
//! whose rules for paths and links are those of Python's `tarfile.data_filter` (PEP 706, PEP 721). Zip archives, which
//! it does not mention, are held to the same rules.

use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::read::MultiGzDecoder;

use super::filename::SdistFormat;
use crate::allowance::Allowed;

/// How much an archive may unpack to. The default is more than any source distribution of PyPI has.
#[derive(Debug, Clone, Copy)]
pub struct UnpackLimits {
    /// The size of all files, in bytes: 2 GiB.
    pub bytes: u64,
    /// The number of entries: 200,000.
    pub entries: usize,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { bytes: 2 << 30, entries: 200_000 }
    }
}

/// The most that the headers of one tar entry, or the target of a link, may take, in bytes: they are held in memory.
const MOST_HEADERS: u64 = 1 << 20;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive cannot be read, or is none.
    #[error("cannot unpack {}", .0.display())]
    Archive(PathBuf, #[source] io::Error),
    /// A file cannot be written.
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// An entry is refused.
    #[error("`{}` in the archive {fault}", .path.escape_debug())]
    Entry {
        /// The entry's path, as the archive has it.
        path: String,
        /// What is wrong with it.
        fault: InvalidSdistEntry,
    },
    /// It unpacks to too much.
    #[error("the archive unpacks to more than {0} bytes")]
    TooLarge(u64),
    /// It has too many entries.
    #[error("the archive has more than {0} entries")]
    TooMany(usize),
    /// It does not have one folder at its top.
    #[error("the archive should have one folder at its top, and has {0} files and folders there")]
    Top(usize),
    /// The project's folder is not in it.
    #[error("there is no folder `{}` in it", .0.escape_debug())]
    Subdirectory(String),
}

/// What is wrong with an entry of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSdistEntry {
    /// Its path is absolute, or has `..`, or names nothing.
    #[error("leaves the folder that it is unpacked to")]
    Path,
    /// It is a link to something outside, or to nothing.
    #[error("is a link to what is not in the archive")]
    Link,
    /// It is there twice.
    #[error("is there twice")]
    Twice,
    /// It is neither a file, nor a folder, nor a link.
    #[error("is neither a file, nor a folder, nor a link")]
    Kind,
    /// Its path is not text.
    #[error("has a path that is not UTF-8")]
    Text,
}

/// Unpacks an archive into an empty folder; returns the one folder at its top. Of the files' modes the executable bit is
/// kept, and the times of change are those that a tar archive states, since some builds compare them.
///
/// # Errors
/// An entry would leave the folder or is no file, folder or link, the archive is too large or damaged, or it does not
/// have one folder at its top.
pub fn unpack(
    archive: &Path,
    packing: SdistFormat,
    folder: &Path,
    limits: UnpackLimits,
) -> Result<PathBuf, UnpackError> {
    let unreadable = |error| UnpackError::Archive(archive.to_owned(), error);
    let folder = folder.canonicalize().map_err(unreadable)?;
    let file = File::open(archive).map_err(unreadable)?;
    let mut unpacking = Unpacker::new(archive, &folder, limits);
    match packing {
        SdistFormat::TarGz => unpacking.tar(MultiGzDecoder::new(file))?,
        SdistFormat::Zip => unpacking.zip(file)?,
    }
    unpacking.link()?;
    let top: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(error) => return Err(unreadable(error)),
    };
    match &top[..] {
        [only] if only.is_dir() => Ok(only.clone()),
        _ => Err(UnpackError::Top(top.len())),
    }
}

/// Returns the project's folder in what was unpacked or checked out: the top, or a folder below it.
///
/// # Errors
/// [`UnpackError::Subdirectory`], if it is not there, or not below the top.
pub fn project_folder(top: &Path, subdirectory: Option<&str>) -> Result<PathBuf, UnpackError> {
    let Some(subdirectory) = subdirectory else { return Ok(top.to_owned()) };
    let missing = || UnpackError::Subdirectory(subdirectory.to_owned());
    let inside = relative(Path::new(subdirectory)).ok_or_else(missing)?;
    // Links are resolved: one may lead out, though each leads somewhere in the archive.
    let (top, folder) = (top.canonicalize(), top.join(inside).canonicalize());
    match (top, folder) {
        (Ok(top), Ok(folder)) if folder.is_dir() && folder.starts_with(&top) => Ok(folder),
        _ => Err(missing()),
    }
}

/// Returns a path without `.`, if it stays below where it starts.
fn relative(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

/// An archive on its way into a folder. Links are made last, so that nothing can be written through one.
struct Unpacker<'a> {
    archive: &'a Path,
    folder: &'a Path,
    /// Files and links, by their paths below the folder.
    taken: HashSet<PathBuf>,
    /// Symbolic links: where they are, and what they say.
    links: Vec<(PathBuf, PathBuf)>,
    entries: usize,
    /// How many bytes were written.
    bytes: u64,
    limits: UnpackLimits,
}

impl<'a> Unpacker<'a> {
    fn new(archive: &'a Path, folder: &'a Path, limits: UnpackLimits) -> Self {
        Self { archive, folder, taken: HashSet::new(), links: Vec::new(), entries: 0, bytes: 0, limits }
    }

    fn unreadable(&self, error: io::Error) -> UnpackError {
        UnpackError::Archive(self.archive.to_owned(), error)
    }

    fn tar(&mut self, reader: impl Read) -> Result<(), UnpackError> {
        let allowance = Cell::new(MOST_HEADERS);
        let mut archive = tar::Archive::new(Allowed { inner: reader, allowance: &allowance });
        for entry in archive.entries().map_err(|error| self.unreadable(error))? {
            let mut entry = entry.map_err(|error| self.unreadable(error))?;
            allowance.set(entry.size().saturating_add(MOST_HEADERS));
            let kind = entry.header().entry_type();
            if kind.is_pax_global_extensions() {
                continue;
            }
            let path = PathBuf::from(OsStr::from_bytes(&entry.path_bytes()));
            let place = self.place(&path)?;
            let target = entry.link_name_bytes().map(|target| PathBuf::from(OsStr::from_bytes(&target)));
            match (place, target) {
                (place, _) if kind.is_dir() => self.directory(place.as_deref())?,
                (Some(place), _) if kind.is_file() => {
                    let is_executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
                    let time = entry.header().mtime().unwrap_or_default();
                    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time));
                    self.file(place, is_executable, time, &mut entry)?;
                }
                (Some(place), Some(target)) if kind.is_symlink() => self.links.push((place, target)),
                (Some(place), Some(target)) if kind.is_hard_link() => self.hard_link(place, &target)?,
                (None, _) => return Err(refused(&path, InvalidSdistEntry::Path)),
                _ => return Err(refused(&path, InvalidSdistEntry::Kind)),
            }
        }
        // What follows the last entry; the gzip stream's checksum is compared at its end.
        allowance.set(MOST_HEADERS);
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|error| self.unreadable(error))?;
        Ok(())
    }

    fn zip(&mut self, file: File) -> Result<(), UnpackError> {
        let unreadable = |error: zip::result::ZipError| UnpackError::Archive(self.archive.to_owned(), error.into());
        let mut archive = zip::ZipArchive::new(file).map_err(unreadable)?;
        if archive.has_duplicate_names() {
            return Err(refused(self.archive, InvalidSdistEntry::Twice));
        }
        for index in 0..archive.len() {
            let unreadable = |error: zip::result::ZipError| UnpackError::Archive(self.archive.to_owned(), error.into());
            let mut entry = archive.by_index(index).map_err(unreadable)?;
            let lossy = String::from_utf8_lossy(entry.name_raw()).into_owned();
            let path = match std::str::from_utf8(entry.name_raw()) {
                Ok(name) => PathBuf::from(name),
                Err(_) => return Err(refused(Path::new(&lossy), InvalidSdistEntry::Text)),
            };
            let place = self.place(&path)?;
            let is_executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
            match place {
                place if entry.is_dir() => self.directory(place.as_deref())?,
                Some(place) if entry.is_symlink() => {
                    let mut target = Vec::new();
                    let read = (&mut entry).take(MOST_HEADERS).read_to_end(&mut target);
                    read.map_err(|error| self.unreadable(error))?;
                    self.links.push((place, PathBuf::from(OsStr::from_bytes(&target))));
                }
                Some(place) => self.file(place, is_executable, None, &mut entry)?,
                None => return Err(refused(&path, InvalidSdistEntry::Path)),
            }
        }
        Ok(())
    }

    /// Counts an entry; returns its path below the folder, none for the folder itself.
    fn place(&mut self, path: &Path) -> Result<Option<PathBuf>, UnpackError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(UnpackError::TooMany(self.limits.entries));
        }
        let place = relative(path).ok_or_else(|| refused(path, InvalidSdistEntry::Path))?;
        Ok(Some(place).filter(|place| !place.as_os_str().is_empty()))
    }

    fn directory(&self, place: Option<&Path>) -> Result<(), UnpackError> {
        let path = self.folder.join(place.unwrap_or(Path::new("")));
        fs::create_dir_all(&path).map_err(|error| UnpackError::Write(path, error))
    }

    fn file(
        &mut self,
        place: PathBuf,
        is_executable: bool,
        time: Option<SystemTime>,
        content: &mut dyn Read,
    ) -> Result<(), UnpackError> {
        let path = self.claim(&place)?;
        let failed = |error| UnpackError::Write(path.clone(), error);
        let mut file = match File::create_new(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(refused(&place, InvalidSdistEntry::Twice));
            }
            Err(error) => return Err(failed(error)),
        };
        let mut buffer = vec![0; 64 << 10];
        loop {
            let size = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(size) => size,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.unreadable(error)),
            };
            self.bytes += size as u64;
            if self.bytes > self.limits.bytes {
                return Err(UnpackError::TooLarge(self.limits.bytes));
            }
            io::Write::write_all(&mut file, &buffer[..size]).map_err(failed)?;
        }
        let mode = if is_executable { 0o755 } else { 0o644 };
        file.set_permissions(fs::Permissions::from_mode(mode)).map_err(failed)?;
        time.map_or(Ok(()), |time| file.set_modified(time)).map_err(failed)
    }

    /// Makes another name for a file that was unpacked before.
    fn hard_link(&mut self, place: PathBuf, target: &Path) -> Result<(), UnpackError> {
        let original = relative(target).map(|target| self.folder.join(target));
        let original =
            original.filter(|original| original.is_file()).ok_or_else(|| refused(&place, InvalidSdistEntry::Link))?;
        let path = self.claim(&place)?;
        fs::hard_link(original, &path).map_err(|error| UnpackError::Write(path, error))
    }

    /// Makes sure that a path is new, and that its folder is there.
    fn claim(&mut self, place: &Path) -> Result<PathBuf, UnpackError> {
        let path = self.folder.join(place);
        if !self.taken.insert(place.to_owned()) {
            return Err(refused(place, InvalidSdistEntry::Twice));
        }
        self.directory(place.parent())?;
        Ok(path)
    }

    /// Makes the symbolic links, and follows each: together they may lead where none of them does.
    fn link(&mut self) -> Result<(), UnpackError> {
        let links = std::mem::take(&mut self.links);
        for (place, target) in &links {
            let path = self.claim(place)?;
            match symlink(target, &path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(refused(place, InvalidSdistEntry::Twice));
                }
                Err(error) => return Err(UnpackError::Write(path, error)),
            }
        }
        for (place, target) in &links {
            let top = place.components().next().map_or(self.folder.to_owned(), |top| self.folder.join(top));
            let found = self.folder.join(place).canonicalize();
            if target.is_absolute() || !found.is_ok_and(|found| found.starts_with(&top)) {
                return Err(refused(place, InvalidSdistEntry::Link));
            }
        }
        Ok(())
    }
}

fn refused(path: &Path, fault: InvalidSdistEntry) -> UnpackError {
    UnpackError::Entry { path: path.to_string_lossy().into_owned(), fault }
}
