//! Where an output goes, and which existing file it may replace.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::{ArchiveError, EPOCH};
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

    /// Returns whether the first entry of an archive has the time that pybundle gives to all of them, as hardly another
    /// program does.
    fn is_own(self, start: &[u8]) -> bool {
        match self {
            // The time and the date of a local file header: 1980-01-01T00:00:00.
            Self::Zip => start.get(10..14) == Some(&[0, 0, 0x21, 0]),
            Self::Tar => {
                let digits = start.get(136..147).and_then(|digits| str::from_utf8(digits).ok());
                digits.and_then(|digits| u64::from_str_radix(digits, 8).ok()) == Some(EPOCH)
            }
            Self::Json | Self::Html | Self::ManPage => true,
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
/// The file has another format, or cannot be read.
pub(crate) fn check_replaceable(path: &Path, format: FileFormat) -> Result<(), ArchiveError> {
    match start(path).map_err(ArchiveError::write(path))? {
        Some(start) if !start.is_empty() && !format.matches(&start) => {
            Err(ArchiveError::NotReplaceable { path: path.to_owned(), format: format.with_article() })
        }
        _ => Ok(()),
    }
}

/// Returns whether pybundle has written the archive at a path, as far as its beginning tells.
pub(crate) fn is_own(path: &Path, format: FileFormat) -> bool {
    start(path).ok().flatten().is_some_and(|start| format.matches(&start) && format.is_own(&start))
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

    /// Completes the output at its path.
    ///
    /// # Errors
    /// The file cannot be renamed, or the path leads to something else by now.
    pub(super) fn persist(self, path: &Path, format: FileFormat) -> Result<(), ArchiveError> {
        let Self::Temporary(temporary) = self else { return Ok(()) };
        check_replaceable(path, format)?;
        if Destination::of(path) != Destination::File {
            let source = io::Error::other("it was replaced by something that is not a file");
            return Err(ArchiveError::Write { path: path.to_owned(), source });
        }
        temporary.persist(path).map_err(ArchiveError::write(path))?;
        Ok(())
    }
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
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(directory)?;
    TemporaryFile::new_in(directory)
}

/// Returns the path of an output for messages.
pub(super) fn shown(path: &Path) -> PathBuf {
    if is_standard_output(path) { "to standard output".into() } else { path.to_owned() }
}

#[cfg(test)]
mod tests;
