//! Where an output goes, and which existing file it may replace.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{ArchiveError, EPOCH};
use crate::digest::Sha256;
use crate::temporary::TemporaryFile;

/// The names of standard output. The operating system's are among them because a summary must not mix with an artifact that
/// is written there.
const STANDARD_OUTPUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// How many bytes of an existing file tell its format: a tar header.
const START: u64 = 512;

/// Returns whether the path of an output names standard output.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    STANDARD_OUTPUT.iter().any(|name| path == Path::new(name))
}

/// Returns the devices and inodes of what standard output and standard error are redirected to. Files of the project may be
/// among them, and change while it is built.
pub(crate) fn redirected_streams() -> Vec<(u64, u64)> {
    let streams = [io::stdout().as_fd().try_clone_to_owned(), io::stderr().as_fd().try_clone_to_owned()];
    let metadata = streams.into_iter().flatten().filter_map(|stream| File::from(stream).metadata().ok());
    metadata.map(|metadata| (metadata.dev(), metadata.ino())).collect()
}

/// The format of an output. A file that does not begin like it is not replaced: it is not an earlier output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileFormat {
    Zip,
    Tar,
    Json,
    Html,
    ManPage,
}

impl FileFormat {
    pub(crate) fn with_article(self) -> &'static str {
        match self {
            Self::Zip => "a zip archive",
            Self::Tar => "a tar archive",
            Self::Json => "a JSON document",
            Self::Html => "an HTML page",
            Self::ManPage => "a manual page",
        }
    }

    fn matches(self, start: &[u8]) -> bool {
        match self {
            // A local file header, or the end record of an empty archive (APPNOTE 4.3.7 and 4.3.16).
            Self::Zip => start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06"),
            // `docker save` and skopeo write ustar, too. An archive that was compressed as a whole is still one.
            Self::Tar => start.get(257..262) == Some(b"ustar") || start.starts_with(b"\x1f\x8b"),
            Self::Json => start.trim_ascii_start().starts_with(b"{"),
            Self::Html => start.trim_ascii_start().starts_with(b"<"),
            Self::ManPage => start.starts_with(b"."),
        }
    }
}

/// Where an output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A regular file, which appears when it is complete. A symbolic link to one is replaced itself: a link in somebody
    /// else's project must not lead to a file outside of it.
    File,
    /// What the path leads to, into which the output is streamed: a pipe, a device, or a descriptor of this process.
    Stream,
    StandardOutput,
}

impl Destination {
    /// Returns where the output with a path goes.
    pub(crate) fn of(path: &Path) -> Self {
        if is_standard_output(path) {
            return Self::StandardOutput;
        }
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => Self::File,
            Ok(metadata) if metadata.is_file() && !is_device_path(path) => Self::File,
            Ok(_) => Self::Stream,
            Err(_) => Self::File,
        }
    }

    fn open(self, path: &Path) -> io::Result<File> {
        let file = match self {
            // A duplicate has the position of the original, and also works for a socket, which cannot be opened.
            Self::StandardOutput => rustix::stdio::stdout().try_clone_to_owned()?.into(),
            // Appending matters only if a shell has redirected the descriptor to a file.
            Self::File | Self::Stream => File::options().append(true).open(path)?,
        };
        if file.metadata()?.file_type().is_block_device() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a block device"));
        }
        if file.is_terminal() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a terminal"));
        }
        Ok(file)
    }
}

/// Returns whether a path is below `/dev` or `/proc`, where a link such as `/dev/fd/3` may lead to a regular file.
fn is_device_path(path: &Path) -> bool {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Files in shared memory are like any other.
    parent.canonicalize().is_ok_and(|parent| {
        (parent.starts_with("/dev") && !parent.starts_with("/dev/shm")) || parent.starts_with("/proc")
    })
}

/// Refuses to replace a file that is not an earlier output. An empty one is replaced, as is a symbolic link.
///
/// # Errors
/// The file has another format, is a directory, or cannot be read.
pub(crate) fn check_replaceable(path: &Path, format: FileFormat) -> Result<(), ArchiveError> {
    if path.is_dir() {
        return Err(ArchiveError::Write { path: path.to_owned(), source: is_directory() });
    }
    match start(path).map_err(ArchiveError::write(path))? {
        Some(start) if !start.is_empty() && !format.matches(&start) => {
            Err(ArchiveError::NotReplaceable { path: path.to_owned(), format: format.with_article() })
        }
        _ => Ok(()),
    }
}

/// What a page of pybundle has in its head.
const GENERATOR: &str = "<meta name=\"generator\" content=\"pybundle\">";

/// Returns whether pybundle has written the archive at a path, as far as its first entry tells: it has the time that pybundle
/// gives to all of them, as hardly another program does. Pages name their generator.
pub(crate) fn is_own(path: &Path, format: FileFormat) -> bool {
    let Some(start) = start(path).ok().flatten().filter(|start| format.matches(start)) else { return false };
    match format {
        FileFormat::Zip => is_own_zip(path).unwrap_or(false),
        FileFormat::Tar => {
            let digits = start.get(136..147).and_then(|digits| str::from_utf8(digits).ok());
            digits.and_then(|digits| u64::from_str_radix(digits, 8).ok()) == Some(EPOCH)
        }
        FileFormat::Html => memchr::memmem::find(&start, GENERATOR.as_bytes()).is_some(),
        FileFormat::Json | FileFormat::ManPage => true,
    }
}

/// Returns whether the first entry in the central directory of a zip is dated 1980-01-01, made by Unix in version 2.0, and a
/// regular file. Others give that date to entries, too, such as `zipfile.ZipInfo` (CPython 3.14), but without a file type.
fn is_own_zip(path: &Path) -> io::Result<bool> {
    const END: u64 = 22;
    const ENTRY: usize = 46;
    let file = File::open(path)?;
    let (mut end, mut entry) = ([0; END as usize], [0; ENTRY]);
    file.read_exact_at(&mut end, file.metadata()?.len().saturating_sub(END))?;
    let offset = u32::from_le_bytes([end[16], end[17], end[18], end[19]]);
    file.read_exact_at(&mut entry, offset.into())?;
    // The headers of APPNOTE 6.3.10, 4.3.16 and 4.3.12.
    let is_entry = end.starts_with(b"PK\x05\x06") && entry.starts_with(b"PK\x01\x02");
    let (made_by, time_and_date, file_type) = (&entry[4..6], &entry[12..16], entry[41] >> 4);
    Ok(is_entry && made_by == [20, 3] && time_and_date == [0, 0, 0x21, 0] && file_type == 0o10)
}

/// Returns the first bytes of a regular file; `None` if there is none at the path itself.
fn start(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => {
            let mut start = Vec::new();
            File::open(path)?.take(START).read_to_end(&mut start)?;
            Ok(Some(start))
        }
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Receives the bytes of an output.
#[derive(Debug)]
pub(super) enum OpenOutput {
    /// Next to the final path.
    Temporary(TemporaryFile),
    Stream(File),
}

impl OpenOutput {
    /// Opens the destination of an output, and creates missing directories above a file.
    ///
    /// # Errors
    /// The destination cannot be opened, or is a file that is not replaced.
    pub(super) fn open(path: &Path, format: FileFormat) -> Result<Self, ArchiveError> {
        let opened = match Destination::of(path) {
            Destination::File => {
                check_replaceable(path, format)?;
                temporary_beside(path).map(Self::Temporary)
            }
            destination => destination.open(path).map(Self::Stream),
        };
        opened.map_err(ArchiveError::write(path))
    }

    /// Completes the output at its path. A file that has these bytes already, by their digest, is left as it is, with its
    /// time. `known` is the digest of the file at the path, if it need not be read.
    ///
    /// # Errors
    /// The file cannot be renamed, or the path leads to something else by now.
    pub(super) fn persist(
        self,
        path: &Path,
        format: FileFormat,
        (size, sha256): (u64, Sha256),
        known: Option<Sha256>,
    ) -> Result<CompletedOutput, ArchiveError> {
        let Self::Temporary(temporary) = self else { return Ok(CompletedOutput::Streamed) };
        check_replaceable(path, format)?;
        if Destination::of(path) != Destination::File {
            let source = io::Error::other("it was replaced by something that is not a file");
            return Err(ArchiveError::Write { path: path.to_owned(), source });
        }
        let is_unchanged = match known {
            Some(known) => known == sha256,
            None => has_content(path, size, sha256).unwrap_or(false),
        };
        if is_unchanged {
            return Ok(CompletedOutput::Unchanged);
        }
        temporary.persist(path).map(CompletedOutput::Moved).map_err(ArchiveError::write(path))
    }

    /// Returns the file, unless the output goes elsewhere.
    pub(super) fn as_temporary(&self) -> Option<&File> {
        match self {
            Self::Temporary(file) => Some(file.as_file()),
            Self::Stream(_) => None,
        }
    }
}

/// What became of an output.
pub(super) enum CompletedOutput {
    Streamed,
    /// The file has these bytes already.
    Unchanged,
    /// The file is at its path.
    Moved(File),
}

/// Returns whether there is a regular file with these bytes at a path itself.
fn has_content(path: &Path, size: u64, sha256: Sha256) -> io::Result<bool> {
    let metadata = path.symlink_metadata()?;
    if !metadata.is_file() || metadata.len() != size {
        return Ok(false);
    }
    Ok(Sha256::of_file(path)? == sha256)
}

impl io::Write for OpenOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Temporary(file) => file.write(bytes),
            Self::Stream(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Temporary(file) => file.flush(),
            Self::Stream(file) => file.flush(),
        }
    }
}

/// Creates a temporary file in the directory of `path`, so that it can be renamed within one file system.
fn temporary_beside(path: &Path) -> io::Result<TemporaryFile> {
    if path.is_dir() {
        return Err(is_directory());
    }
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(directory)?;
    TemporaryFile::new_in(directory)
}

fn is_directory() -> io::Error {
    io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")
}

/// Returns the path of an output for messages.
pub(super) fn shown(path: &Path) -> PathBuf {
    if is_standard_output(path) { "to standard output".into() } else { path.to_owned() }
}

#[cfg(test)]
mod tests;
