//! An output file that appears whole or not at all, hashed while it is written.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use sha2::Digest as _;
use tempfile::NamedTempFile;

use super::ArchiveError;
use crate::digest::Sha256;

/// The size of a buffer. Its contents are written, then hashed, while they are still in the processor's cache.
const BUFFER: usize = 512 * 1024;

/// How many buffers are on their way at once; this bounds the memory.
const BUFFERS: usize = 8;

/// A file that is being written: to a temporary file beside its place, on a thread of its own, and hashed on another.
///
/// A buffer goes round: it is filled here, written by one thread, hashed by the next, and comes back.
pub struct OutputFile {
    path: PathBuf,
    buffer: Vec<u8>,
    written: u64,
    filled: Option<SyncSender<Vec<u8>>>,
    empty: Receiver<Vec<u8>>,
    writer: Option<JoinHandle<io::Result<NamedTempFile>>>,
    hasher: Option<JoinHandle<Sha256>>,
}

impl OutputFile {
    /// Begins a file at `path`; missing folders above it are made. Nothing is at `path` until [`FinishedFile::persist`].
    ///
    /// # Errors
    /// The folder cannot be made or written to.
    pub fn create(path: &Path) -> Result<Self, ArchiveError> {
        let temporary =
            temporary_beside(path).map_err(|source| ArchiveError::Write { path: path.to_owned(), source })?;
        let (filled, to_write) = sync_channel::<Vec<u8>>(BUFFERS);
        let (written, to_hash) = sync_channel::<Vec<u8>>(BUFFERS);
        let (hashed, empty) = sync_channel::<Vec<u8>>(BUFFERS);
        for _ in 1..BUFFERS {
            // The channel holds as many as there are, so this cannot block.
            let _ = hashed.send(Vec::with_capacity(BUFFER));
        }
        let writer = thread::spawn(move || {
            let mut temporary = temporary;
            for buffer in to_write {
                temporary.write_all(&buffer)?;
                // A hasher that is gone has panicked; its thread's result says so.
                let _ = written.send(buffer);
            }
            Ok(temporary)
        });
        let hasher = thread::spawn(move || {
            let mut hasher = sha2::Sha256::new();
            for mut buffer in to_hash {
                hasher.update(&buffer);
                buffer.clear();
                // Nobody takes buffers back any more once everything is written.
                let _ = hashed.send(buffer);
            }
            Sha256(hasher.finalize().into())
        });
        Ok(Self {
            path: path.to_owned(),
            buffer: Vec::with_capacity(BUFFER),
            written: 0,
            filled: Some(filled),
            empty,
            writer: Some(writer),
            hasher: Some(hasher),
        })
    }

    /// Returns the number of bytes written so far.
    pub fn position(&self) -> u64 {
        self.written
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// Writing failed, now or before.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), ArchiveError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            self.advance(now.len())?;
            bytes = later;
        }
        Ok(())
    }

    /// Adds `length` bytes that `fill` puts straight into the buffer, in portions. `fill` gets the portion and its
    /// distance from the beginning.
    ///
    /// # Errors
    /// Writing failed, or the error of `fill`.
    pub fn write_with(
        &mut self,
        length: u64,
        mut fill: impl FnMut(&mut [u8], u64) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let mut done = 0;
        while done < length {
            let start = self.buffer.len();
            let portion = usize::try_from(length - done).unwrap_or(usize::MAX).min(BUFFER - start);
            self.buffer.resize(start + portion, 0);
            fill(&mut self.buffer[start..], done)?;
            self.advance(portion)?;
            done += portion as u64;
        }
        Ok(())
    }

    /// Counts bytes that were put into the buffer, and passes it on when it is full.
    fn advance(&mut self, length: usize) -> Result<(), ArchiveError> {
        self.written += length as u64;
        if self.buffer.len() == BUFFER { self.pass_on() } else { Ok(()) }
    }

    fn pass_on(&mut self) -> Result<(), ArchiveError> {
        // Both channels close early only when the writer stopped at an error, which joining it returns.
        let passed = match (&self.filled, self.empty.recv()) {
            (Some(filled), Ok(empty)) => filled.send(std::mem::replace(&mut self.buffer, empty)).is_ok(),
            _ => false,
        };
        if passed { Ok(()) } else { self.join().map(|_| ()) }
    }

    fn join(&mut self) -> Result<(NamedTempFile, Sha256), ArchiveError> {
        let failed = |source| ArchiveError::Write { path: self.path.clone(), source };
        let stopped = || failed(io::Error::other("the writing thread stopped"));
        self.filled = None;
        let temporary =
            self.writer.take().and_then(|writer| writer.join().ok()).ok_or_else(stopped)?.map_err(failed)?;
        let sha256 = self.hasher.take().and_then(|hasher| hasher.join().ok()).ok_or_else(stopped)?;
        Ok((temporary, sha256))
    }

    /// Ends the file. It is complete, but not at its place yet.
    ///
    /// # Errors
    /// Writing failed.
    pub fn finish(mut self) -> Result<FinishedFile, ArchiveError> {
        self.pass_on()?;
        let (temporary, sha256) = self.join()?;
        Ok(FinishedFile { temporary, path: self.path.clone(), sha256, size: self.written })
    }
}

/// Waits until the temporary file is removed, so that a program that ends on an error leaves nothing behind.
impl Drop for OutputFile {
    fn drop(&mut self) {
        self.filled = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// A complete file that waits to be put at its place. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct FinishedFile {
    temporary: NamedTempFile,
    path: PathBuf,
    /// The SHA-256 of the file.
    pub sha256: Sha256,
    /// The size of the file, in bytes.
    pub size: u64,
}

impl FinishedFile {
    /// Puts the file at its place, in one step, in place of what was there.
    ///
    /// # Errors
    /// The file cannot be renamed.
    pub fn persist(self) -> Result<PathBuf, ArchiveError> {
        match self.temporary.persist(&self.path) {
            Ok(_) => Ok(self.path),
            Err(failed) => Err(ArchiveError::Write { path: self.path, source: failed.error }),
        }
    }

    /// Returns the complete file, to be read before it is at its place.
    pub fn as_file(&self) -> &File {
        self.temporary.as_file()
    }
}

/// Makes a temporary file in the folder of `path`, so that renaming it stays in one file system.
fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    if path.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    tempfile::Builder::new()
        .prefix(".pybundle-")
        .suffix(".tmp")
        // The umask applies to it, as to any file that a program makes.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_arrives_in_order_and_is_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/on/the/way/file");
        let bytes: Vec<u8> = (0..3 * BUFFER + 12_345).map(|index| (index % 251) as u8).collect();
        let mut output = OutputFile::create(&path).unwrap();
        output.write(&bytes[..10]).unwrap();
        output
            .write_with(bytes.len() as u64 - 10, |portion, done| {
                let start = 10 + done as usize;
                portion.copy_from_slice(&bytes[start..start + portion.len()]);
                Ok(())
            })
            .unwrap();
        assert_eq!(output.position(), bytes.len() as u64);
        let finished = output.finish().unwrap();
        assert!(!path.exists());
        assert_eq!(finished.sha256, Sha256::of(&bytes));
        assert_eq!(finished.size, bytes.len() as u64);
        finished.persist().unwrap();
        assert!(fs::read(&path).unwrap() == bytes);
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = OutputFile::create(&folder.path().join("file")).unwrap();
        output.write(&vec![1; 2 * BUFFER]).unwrap();
        drop(output.finish().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let error = OutputFile::create(folder.path()).err().unwrap();
        assert_eq!(error.to_string(), format!("cannot write {}", folder.path().display()));
    }

    /// A full disk ends in an error, not in a panic or a hang, however much follows.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_failing_write_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = OutputFile::create(&folder.path().join("file")).unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (filled, to_write) = sync_channel::<Vec<u8>>(BUFFERS);
        output.filled = Some(filled);
        output.writer = Some(thread::spawn(move || {
            for buffer in to_write {
                (&full).write_all(&buffer)?;
            }
            NamedTempFile::new()
        }));
        let mut result = Ok(());
        for _ in 0..3 * BUFFERS {
            result = result.and_then(|()| output.write(&vec![0; BUFFER]));
        }
        let error = result.and_then(|()| output.finish().map(|_| ())).unwrap_err();
        assert!(matches!(error, ArchiveError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull));
    }
}
