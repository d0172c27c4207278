//! Unpacks source distributions without writing outside of the destination.
//!
//! Specification: [PyPA, source distribution format](https://packaging.python.org/en/latest/specifications/source-distribution-format/#source-distribution-archive-features),
//! whose rules for paths and links are those of Python's `tarfile.data_filter` (PEP 706, PEP 721). The same rules apply
//! to zip archives, which the specification does not mention.

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
use crate::limited_reader::LimitedReader;
use crate::temporary::create_below;

/// Limits against decompression bombs. The defaults exceed every source distribution on PyPI.
#[derive(Debug, Clone, Copy)]
pub struct UnpackLimits {
    /// The total size of the files in bytes; by default 2 GiB.
    pub bytes: u64,
    /// The number of entries; by default 200,000.
    pub entries: usize,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { bytes: 2 << 30, entries: 200_000 }
    }
}

/// The largest headers of one tar entry, and the longest target of a link, in bytes: both are held in memory.
const LARGEST_HEADERS: u64 = 1 << 20;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message describes it")]
pub enum UnpackError {
    #[error("cannot unpack {}", .0.display())]
    Archive(PathBuf, #[source] io::Error),
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    #[error("`{}` in the archive {reason}", .path.escape_debug())]
    Entry { path: String, reason: InvalidSdistEntry },
    #[error("the archive unpacks to more than {0} bytes")]
    TooLarge(u64),
    #[error("the archive has more than {0} entries")]
    TooManyEntries(usize),
    #[error("the archive has {0} top-level files and directories, expected one directory")]
    TopLevel(usize),
    #[error("the source has no directory `{}`", .0.escape_debug())]
    Subdirectory(String),
}

impl UnpackError {
    /// Returns the conversion of an I/O error of reading an archive.
    fn reading(archive: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let archive = archive.to_owned();
        move |error| Self::Archive(archive.clone(), error)
    }

    /// Returns the conversion of an I/O error of writing a file.
    fn writing(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |error| Self::Write(path.clone(), error)
    }
}

/// What is wrong with an entry of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message describes it")]
pub enum InvalidSdistEntry {
    /// The path is absolute, has `..`, or is empty.
    #[error("would be unpacked outside of the destination")]
    Path,
    #[error("is a link to a file that is not in the archive")]
    Link,
    #[error("is in the archive twice")]
    Duplicate,
    #[error("is neither a file, nor a directory, nor a link")]
    FileType,
    #[error("has a path that is not UTF-8")]
    NotUtf8,
}

/// Unpacks an archive into an empty directory; returns the only top-level directory. Keeps the executable bit of files,
/// and a tar archive's modification times, which some builds compare.
///
/// # Errors
/// An entry is invalid, the archive is too large or damaged, or it does not have one top-level directory.
pub fn unpack(
    archive: &Path,
    format: SdistFormat,
    directory: &Path,
    limits: UnpackLimits,
) -> Result<PathBuf, UnpackError> {
    let failed = UnpackError::reading(archive);
    let directory = directory.canonicalize().map_err(&failed)?;
    let file = File::open(archive).map_err(&failed)?;
    let mut unpacker = Unpacker::new(archive, &directory, limits);
    match format {
        SdistFormat::TarGz => unpacker.tar(MultiGzDecoder::new(file))?,
        SdistFormat::Zip => unpacker.zip(file)?,
    }
    unpacker.create_links()?;
    let top: Vec<PathBuf> = match fs::read_dir(&directory) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(error) => return Err(failed(error)),
    };
    match &top[..] {
        [only] if only.is_dir() => Ok(only.clone()),
        _ => Err(UnpackError::TopLevel(top.len())),
    }
}

/// Returns the project's directory in an unpacked archive or a checkout: `top`, or a directory below it.
///
/// # Errors
/// [`UnpackError::Subdirectory`] if it does not exist or is not below `top`.
pub fn project_directory(top: &Path, subdirectory: Option<&str>) -> Result<PathBuf, UnpackError> {
    let Some(subdirectory) = subdirectory else { return Ok(top.to_owned()) };
    // A chain of links may lead out of `top`, so resolve all of them before comparing.
    if let Some(inside) = relative(Path::new(subdirectory))
        && let (Ok(top), Ok(directory)) = (top.canonicalize(), top.join(inside).canonicalize())
        && directory.is_dir()
        && directory.starts_with(top)
    {
        return Ok(directory);
    }
    Err(UnpackError::Subdirectory(subdirectory.to_owned()))
}

/// Returns a path without `.` components, or `None` if it is absolute or has `..`.
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

/// Unpacks an archive into a directory. Symbolic links are created last, so that nothing is written through one.
struct Unpacker<'a> {
    archive: &'a Path,
    directory: &'a Path,
    /// The relative paths of files and links so far.
    unpacked: HashSet<PathBuf>,
    /// The relative paths of symbolic links, and their targets.
    links: Vec<(PathBuf, PathBuf)>,
    /// The number of entries so far.
    entries: usize,
    /// The number of bytes written so far.
    bytes: u64,
    limits: UnpackLimits,
}

impl<'a> Unpacker<'a> {
    fn new(archive: &'a Path, directory: &'a Path, limits: UnpackLimits) -> Self {
        Self { archive, directory, unpacked: HashSet::new(), links: Vec::new(), entries: 0, bytes: 0, limits }
    }

    fn unreadable(&self, error: io::Error) -> UnpackError {
        UnpackError::Archive(self.archive.to_owned(), error)
    }

    fn tar(&mut self, reader: impl Read) -> Result<(), UnpackError> {
        let remaining = Cell::new(LARGEST_HEADERS);
        let mut archive = tar::Archive::new(LimitedReader { inner: reader, remaining: &remaining });
        for entry in archive.entries().map_err(|error| self.unreadable(error))? {
            let mut entry = entry.map_err(|error| self.unreadable(error))?;
            remaining.set(entry.size().saturating_add(LARGEST_HEADERS));
            let kind = entry.header().entry_type();
            if kind.is_pax_global_extensions() {
                continue;
            }
            let path = PathBuf::from(OsStr::from_bytes(&entry.path_bytes()));
            let destination = self.destination(&path)?;
            let target = entry.link_name_bytes().map(|target| PathBuf::from(OsStr::from_bytes(&target)));
            match (destination, target) {
                (destination, _) if kind.is_dir() => self.create_directory(destination.as_deref())?,
                (Some(destination), _) if kind.is_file() => {
                    let is_executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
                    let time = entry.header().mtime().unwrap_or_default();
                    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time));
                    self.file(destination, is_executable, time, &mut entry)?;
                }
                (Some(destination), Some(target)) if kind.is_symlink() => self.links.push((destination, target)),
                (Some(destination), Some(target)) if kind.is_hard_link() => self.hard_link(destination, &target)?,
                (None, _) => return Err(invalid(&path, InvalidSdistEntry::Path)),
                _ => return Err(invalid(&path, InvalidSdistEntry::FileType)),
            }
        }
        // Read to the end, where the decoder checks gzip's checksum.
        remaining.set(LARGEST_HEADERS);
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|error| self.unreadable(error))?;
        Ok(())
    }

    fn zip(&mut self, file: File) -> Result<(), UnpackError> {
        let mut archive = zip::ZipArchive::new(file).map_err(|error| self.unreadable(error.into()))?;
        if archive.has_duplicate_names() {
            return Err(invalid(self.archive, InvalidSdistEntry::Duplicate));
        }
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| self.unreadable(error.into()))?;
            let lossy = String::from_utf8_lossy(entry.name_raw()).into_owned();
            let path = match std::str::from_utf8(entry.name_raw()) {
                Ok(name) => PathBuf::from(name),
                Err(_) => return Err(invalid(Path::new(&lossy), InvalidSdistEntry::NotUtf8)),
            };
            let destination = self.destination(&path)?;
            let is_executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
            match destination {
                destination if entry.is_dir() => self.create_directory(destination.as_deref())?,
                Some(destination) if entry.is_symlink() => {
                    let mut target = Vec::new();
                    let read = (&mut entry).take(LARGEST_HEADERS).read_to_end(&mut target);
                    read.map_err(|error| self.unreadable(error))?;
                    self.links.push((destination, PathBuf::from(OsStr::from_bytes(&target))));
                }
                Some(destination) => self.file(destination, is_executable, None, &mut entry)?,
                None => return Err(invalid(&path, InvalidSdistEntry::Path)),
            }
        }
        Ok(())
    }

    /// Counts an entry; returns its relative path, or `None` for the destination itself.
    fn destination(&mut self, path: &Path) -> Result<Option<PathBuf>, UnpackError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(UnpackError::TooManyEntries(self.limits.entries));
        }
        let destination = relative(path).ok_or_else(|| invalid(path, InvalidSdistEntry::Path))?;
        Ok(Some(destination).filter(|destination| !destination.as_os_str().is_empty()))
    }

    fn create_directory(&self, destination: Option<&Path>) -> Result<(), UnpackError> {
        let destination = destination.unwrap_or(Path::new(""));
        create_below(self.directory, destination).map_err(UnpackError::writing(&self.directory.join(destination)))
    }

    fn file(
        &mut self,
        destination: PathBuf,
        is_executable: bool,
        time: Option<SystemTime>,
        content: &mut dyn Read,
    ) -> Result<(), UnpackError> {
        let path = self.claim(&destination)?;
        let failed = UnpackError::writing(&path);
        let mut file = match File::create_new(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(invalid(&destination, InvalidSdistEntry::Duplicate));
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
            io::Write::write_all(&mut file, &buffer[..size]).map_err(&failed)?;
        }
        let mode = if is_executable { 0o755 } else { 0o644 };
        file.set_permissions(fs::Permissions::from_mode(mode)).map_err(&failed)?;
        time.map_or(Ok(()), |time| file.set_modified(time)).map_err(failed)
    }

    /// Creates a hard link to a file that was unpacked before.
    fn hard_link(&mut self, destination: PathBuf, target: &Path) -> Result<(), UnpackError> {
        let original = relative(target).map(|target| self.directory.join(target));
        let original = original
            .filter(|original| original.is_file())
            .ok_or_else(|| invalid(&destination, InvalidSdistEntry::Link))?;
        let path = self.claim(&destination)?;
        fs::hard_link(original, &path).map_err(UnpackError::writing(&path))
    }

    /// Checks that a path is new and creates its parent directory.
    fn claim(&mut self, destination: &Path) -> Result<PathBuf, UnpackError> {
        let path = self.directory.join(destination);
        if !self.unpacked.insert(destination.to_owned()) {
            return Err(invalid(destination, InvalidSdistEntry::Duplicate));
        }
        self.create_directory(destination.parent())?;
        Ok(path)
    }

    /// Creates the symbolic links, then resolves each: links that are harmless alone may lead out of the destination
    /// together.
    fn create_links(&mut self) -> Result<(), UnpackError> {
        let links = std::mem::take(&mut self.links);
        for (destination, target) in &links {
            let path = self.claim(destination)?;
            match symlink(target, &path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(invalid(destination, InvalidSdistEntry::Duplicate));
                }
                Err(error) => return Err(UnpackError::writing(&path)(error)),
            }
        }
        for (destination, target) in &links {
            let top = destination.components().next().map_or(self.directory.to_owned(), |top| self.directory.join(top));
            let found = self.directory.join(destination).canonicalize();
            if target.is_absolute() || !found.is_ok_and(|found| found.starts_with(&top)) {
                return Err(invalid(destination, InvalidSdistEntry::Link));
            }
        }
        Ok(())
    }
}

fn invalid(path: &Path, reason: InvalidSdistEntry) -> UnpackError {
    UnpackError::Entry { path: path.to_string_lossy().into_owned(), reason }
}
