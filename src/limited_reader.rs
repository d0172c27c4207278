//! Reading untrusted files and archives with bounded memory.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The largest file of a project that is read into memory, in bytes: pyproject.toml, setup.py, .gitignore and the like.
pub(crate) const LARGEST_PROJECT_FILE: u64 = 16 << 20;

/// The largest lock, in bytes. A uv.lock of 100,000 distributions has about 32 MiB.
pub(crate) const LARGEST_LOCK: u64 = 64 << 20;

/// A reader that fails once it has returned `remaining` bytes, which its user may raise in between. It bounds what the
/// `tar` crate reads for the headers of one entry: it holds GNU long names and pax records in memory.
pub(crate) struct LimitedReader<'a, R> {
    pub(crate) inner: R,
    pub(crate) remaining: &'a Cell<u64>,
}

impl<R: Read> Read for LimitedReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let allowed = usize::try_from(self.remaining.get()).unwrap_or(usize::MAX).min(buffer.len());
        if allowed == 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the headers of an entry are too long"));
        }
        let read = self.inner.read(&mut buffer[..allowed])?;
        self.remaining.set(self.remaining.get() - read as u64);
        Ok(read)
    }
}

/// Opens a regular file, or a link to one. A checked-out project may contain links to devices, which never end, and pipes,
/// which are never written to.
///
/// # Errors
/// It cannot be opened, or is no regular file.
pub(crate) fn open_regular_file(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK, opening a pipe waits for its writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        let reason = format!("`{}` is not a regular file, but a device, pipe or socket", name_of(path));
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    Ok(file)
}

/// Reads a regular file.
///
/// # Errors
/// It cannot be read, is no regular file, or has more bytes than `limit`.
pub(crate) fn read_regular_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_stream(open_regular_file(path)?, path, limit)
}

/// Reads a stream to its end. `path` is its name for messages.
///
/// # Errors
/// It cannot be read, or has more bytes than `limit`.
pub(crate) fn read_stream(stream: impl Read, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let reason = format!("`{}` is larger than {} MiB, the limit for such a file", name_of(path), limit >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// Reads a regular file that is UTF-8.
///
/// # Errors
/// As [`read_regular_file`], or it is not UTF-8.
pub(crate) fn read_regular_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read_regular_file(path, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_pipes_and_large_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let [device, pipe, large] = ["device", "pipe", "large"].map(|name| directory.path().join(name));
        std::os::unix::fs::symlink("/dev/zero", &device).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        File::create(&large).unwrap().set_len((1 << 20) + 1).unwrap();
        for (path, expected) in [
            (&device, "`device` is not a regular file, but a device, pipe or socket"),
            (&pipe, "`pipe` is not a regular file, but a device, pipe or socket"),
            (&large, "`large` is larger than 1 MiB, the limit for such a file"),
        ] {
            assert_eq!(read_regular_file(path, 1 << 20).unwrap_err().to_string(), expected);
        }
        assert_eq!(read_regular_file(&large, (1 << 20) + 1).unwrap().len(), (1 << 20) + 1);
        let error = read_regular_file(directory.path(), 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn links_to_regular_files_are_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        std::fs::write(&file, "text").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read_regular_text(&link, 4).unwrap(), "text");
        std::fs::write(&file, [0xff]).unwrap();
        assert_eq!(read_regular_text(&link, 4).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
