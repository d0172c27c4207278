//! An output that is hashed while it is written. A file appears complete or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use sha2::Digest as _;

use super::ArchiveError;
use super::destination::{CompletedOutput, FileFormat, OpenOutput};
use super::earlier::{self, EarlierOutput, OutputStamp};
use crate::digest::{Sha256, Sha256State};

/// The size of a buffer, in bytes. So few are still in the processor's cache when they are written and then hashed.
const BUFFER: usize = 512 * 1024;

/// How many buffers are in flight at once; this bounds the memory.
const BUFFERS: usize = 8;

/// Writes to a temporary file next to the final path, or into what the path leads to, on one thread, and hashes on another.
///
/// Buffers circulate: one is filled here, written by the first thread, hashed by the second, and returned.
pub(crate) struct OutputFile {
    path: PathBuf,
    format: FileFormat,
    buffer: OutputBuffer,
    written: u64,
    filled: Option<SyncSender<Portion>>,
    empty: Receiver<OutputBuffer>,
    writer: Option<JoinHandle<io::Result<OpenOutput>>>,
    hasher: Option<JoinHandle<HashedOutput>>,
}

/// Memory that is filled from the start. It keeps its size, so that it need not be zeroed again before it is filled.
struct OutputBuffer {
    bytes: Box<[u8]>,
    filled: usize,
}

impl OutputBuffer {
    fn new() -> Self {
        Self { bytes: vec![0; BUFFER].into(), filled: 0 }
    }

    fn content(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }
}

/// What passes through the threads.
enum Portion {
    Bytes(OutputBuffer),
    /// The state of the digest is to be kept.
    Mark,
}

/// The digest of an output, and its state at the mark.
struct HashedOutput {
    sha256: Sha256,
    marked: Option<Sha256State>,
}

impl OutputFile {
    /// Begins an output, and creates missing directories above a file. A file is not at `path` before
    /// [`FinishedFile::persist`]; pipes and devices receive the bytes as they are written.
    ///
    /// # Errors
    /// The directory cannot be created or written to, or `path` is a file that does not begin like one of this format.
    pub(crate) fn create(path: &Path, format: FileFormat) -> Result<Self, ArchiveError> {
        Ok(Self::new(OpenOutput::open(path, format)?, path, format))
    }

    /// Begins an output as [`create`](Self::create) does, with the first `length` bytes of an earlier one, after which the
    /// digest has the state `state`. Calls `advance` with each number of bytes that were copied. Returns `None` if the earlier
    /// output may have changed or cannot be copied from.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub(crate) fn after(
        (earlier, length): (&EarlierOutput, u64),
        state: &Sha256State,
        (path, format): (&Path, FileFormat),
        advance: impl Fn(u64),
    ) -> Result<Option<Self>, ArchiveError> {
        let (Some(hasher), Some(from)) = (state.hasher(), earlier.open()) else { return Ok(None) };
        let sink = OpenOutput::open(path, format)?;
        let Some(to) = sink.as_temporary() else { return Ok(None) };
        // Errors are not reported: whatever the reason, writing all of the output succeeds, or names it.
        let is_copied = earlier::copy_start(&from, to, length, advance).unwrap_or(false);
        if !is_copied || !earlier.is_in(&from) {
            return Ok(None);
        }
        let mut output = Self::resumed(sink, hasher, path, format);
        output.written = length;
        Ok(Some(output))
    }

    /// Begins an output into a pipe, which errors call `name`.
    pub(crate) fn stream(pipe: File, name: &Path, format: FileFormat) -> Self {
        Self::new(OpenOutput::Stream(pipe), name, format)
    }

    fn new(sink: OpenOutput, path: &Path, format: FileFormat) -> Self {
        Self::resumed(sink, sha2::Sha256::new(), path, format)
    }

    fn resumed(sink: OpenOutput, hasher: sha2::Sha256, path: &Path, format: FileFormat) -> Self {
        let (filled, to_write) = sync_channel::<Portion>(BUFFERS);
        let (written, to_hash) = sync_channel::<Portion>(BUFFERS);
        let (hashed, empty) = sync_channel::<OutputBuffer>(BUFFERS);
        for _ in 1..BUFFERS {
            // The channel has room for every buffer, so this cannot block.
            let _ = hashed.send(OutputBuffer::new());
        }
        let writer = thread::spawn(move || {
            let mut sink = sink;
            for portion in to_write {
                if let Portion::Bytes(buffer) = &portion {
                    sink.write_all(buffer.content())?;
                }
                // This fails only if the hasher has panicked, which `join` reports.
                let _ = written.send(portion);
            }
            Ok(sink)
        });
        let hasher = thread::spawn(move || {
            let (mut hasher, mut marked) = (hasher, None);
            for portion in to_hash {
                match portion {
                    Portion::Bytes(mut buffer) => {
                        hasher.update(buffer.content());
                        buffer.filled = 0;
                        // This fails once everything is written: buffers are no longer needed then.
                        let _ = hashed.send(buffer);
                    }
                    Portion::Mark => marked = Some(Sha256State::of(&hasher)),
                }
            }
            HashedOutput { sha256: Sha256(hasher.finalize().into()), marked }
        });
        Self {
            path: path.to_owned(),
            format,
            buffer: OutputBuffer::new(),
            written: 0,
            filled: Some(filled),
            empty,
            writer: Some(writer),
            hasher: Some(hasher),
        }
    }

    /// Returns the number of bytes written so far.
    pub(crate) fn position(&self) -> u64 {
        self.written
    }

    /// # Errors
    /// This write or an earlier one failed.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<(), ArchiveError> {
        while !bytes.is_empty() {
            let room = self.buffer.room();
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            self.advance(now.len())?;
            bytes = later;
        }
        Ok(())
    }

    /// Adds `length` bytes that `fill` writes directly into the buffer, in portions. `fill` is called with each portion
    /// and its offset.
    ///
    /// # Errors
    /// Writing failed, or the error of `fill`.
    pub(crate) fn write_with(
        &mut self,
        length: u64,
        mut fill: impl FnMut(&mut [u8], u64) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let mut done = 0;
        while done < length {
            let room = self.buffer.room();
            let portion = usize::try_from(length - done).unwrap_or(usize::MAX).min(room.len());
            fill(&mut room[..portion], done)?;
            self.advance(portion)?;
            done += portion as u64;
        }
        Ok(())
    }

    /// Counts bytes that were added to the buffer, and passes it on when it is full.
    fn advance(&mut self, length: usize) -> Result<(), ArchiveError> {
        self.buffer.filled += length;
        self.written += length as u64;
        if self.buffer.room().is_empty() { self.pass_on() } else { Ok(()) }
    }

    fn pass_on(&mut self) -> Result<(), ArchiveError> {
        // The channels close early only if the writer failed; `join` returns its error.
        let passed = match (&self.filled, self.empty.recv()) {
            (Some(filled), Ok(empty)) => {
                filled.send(Portion::Bytes(std::mem::replace(&mut self.buffer, empty))).is_ok()
            }
            _ => false,
        };
        if passed { Ok(()) } else { self.join().map(|_| ()) }
    }

    /// Keeps the state of the digest at this position, for [`FinishedFile::take_mark`].
    ///
    /// # Errors
    /// An earlier write failed.
    pub(crate) fn mark(&mut self) -> Result<(), ArchiveError> {
        self.pass_on()?;
        let passed = self.filled.as_ref().is_some_and(|filled| filled.send(Portion::Mark).is_ok());
        if passed { Ok(()) } else { self.join().map(|_| ()) }
    }

    fn join(&mut self) -> Result<(OpenOutput, HashedOutput), ArchiveError> {
        self.filled = None;
        let sink = result_of(self.writer.take()).flatten().map_err(ArchiveError::write(&self.path))?;
        let hashed = result_of(self.hasher.take()).map_err(ArchiveError::write(&self.path))?;
        Ok((sink, hashed))
    }

    /// Completes the output; a file is still at its temporary path.
    ///
    /// # Errors
    /// Writing failed.
    pub(crate) fn finish(mut self) -> Result<FinishedFile, ArchiveError> {
        self.pass_on()?;
        let (sink, HashedOutput { sha256, marked }) = self.join()?;
        let (path, format, size) = (self.path.clone(), self.format, self.written);
        Ok(FinishedFile { sink, path, format, sha256, size, marked, start: None, earlier: None })
    }
}

/// Returns the result of a thread, or an error if it panicked.
fn result_of<T>(thread: Option<JoinHandle<T>>) -> io::Result<T> {
    thread.and_then(|thread| thread.join().ok()).ok_or_else(|| io::Error::other("the writing thread stopped"))
}

/// Waits until the temporary file is removed: the process may exit right after an error, before the thread is done.
impl Drop for OutputFile {
    fn drop(&mut self) {
        self.filled = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// A complete output. A file is at a temporary path, and is removed when this is dropped.
#[derive(Debug)]
pub struct FinishedFile {
    sink: OpenOutput,
    path: PathBuf,
    format: FileFormat,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    marked: Option<Sha256State>,
    /// The key of what later outputs may begin with, too.
    start: Option<Sha256>,
    /// The output that this one begins like.
    earlier: Option<Box<EarlierOutput>>,
}

/// An output at its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersistedFile {
    /// The path.
    pub path: PathBuf,
    /// Whether the file had these bytes before, and was left as it is.
    pub is_unchanged: bool,
}

/// A file at its path, and what to remember for later outputs that begin like it, with the key of that start.
#[derive(Debug)]
pub(crate) struct RememberedFile {
    pub(crate) file: PersistedFile,
    pub(crate) output: Option<(Sha256, EarlierOutput)>,
}

impl FinishedFile {
    /// Moves the file to its final path atomically, and replaces an earlier output that is there, unless that has the same
    /// bytes.
    ///
    /// # Errors
    /// The file cannot be renamed, or another file was created at the path meanwhile.
    pub fn persist(self) -> Result<PersistedFile, ArchiveError> {
        Ok(self.persist_remembered()?.file)
    }

    /// As [`persist`](Self::persist), for an output with a [start](Self::begin_with).
    ///
    /// # Errors
    /// As [`persist`](Self::persist).
    pub(crate) fn persist_remembered(self) -> Result<RememberedFile, ArchiveError> {
        let Self { sink, path, format, sha256, size, start, earlier, .. } = self;
        let temporary = sink.as_temporary().filter(|_| start.is_some());
        let before = temporary.and_then(|file| OutputStamp::settled(file).ok().flatten());
        let known = earlier.filter(|earlier| earlier.is_at(&path)).map(|earlier| earlier.sha256);
        let completed = sink.persist(&path, format, (size, sha256), known)?;
        let is_unchanged = matches!(completed, CompletedOutput::Unchanged);
        let stamp = match (completed, before) {
            (CompletedOutput::Moved(file), Some(before)) => before.after_rename(&file).ok().flatten(),
            _ => None,
        };
        let absolute = std::path::absolute(&path).ok();
        let output = stamp.zip(absolute).map(|(stamp, path)| EarlierOutput { path, stamp, sha256 });
        Ok(RememberedFile { file: PersistedFile { path, is_unchanged }, output: start.zip(output) })
    }

    /// Sets the key of what later outputs may begin with, too, and the output that it was copied from.
    pub(crate) fn begin_with(&mut self, start: Sha256, earlier: Option<EarlierOutput>) {
        (self.start, self.earlier) = (Some(start), earlier.map(Box::new));
    }

    /// Takes the state of the digest at the mark.
    pub(crate) fn take_mark(&mut self) -> Option<Sha256State> {
        self.marked.take()
    }

    #[cfg(test)]
    pub(super) fn as_file(&self) -> &File {
        match &self.sink {
            OpenOutput::Temporary(file) => file.as_file(),
            OpenOutput::Stream(file) => file,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::hints::Hints;
    use crate::temporary::TemporaryFile;

    #[test]
    fn bytes_are_written_in_order_and_hashed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made/on/the/way/file");
        let bytes: Vec<u8> = (0..3 * BUFFER + 12_345).map(|index| (index % 251) as u8).collect();
        let mut output = OutputFile::create(&path, FileFormat::Zip).unwrap();
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

    /// The time of a file tells make and others whether it changed.
    #[test]
    fn a_file_with_the_same_bytes_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let write = |bytes: &[u8]| {
            let mut output = OutputFile::create(&path, FileFormat::Json).unwrap();
            output.write(bytes).unwrap();
            let persisted = output.finish().unwrap().persist().unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
            (persisted.is_unchanged, fs::metadata(&path).unwrap().ino())
        };
        let (first, inode) = write(b"{}");
        assert!(!first);
        assert_eq!(write(b"{}"), (true, inode));
        let (second, other) = write(b"[]");
        assert!(!second && other != inode);
        // A link is replaced, even if it leads to the same bytes.
        fs::rename(&path, directory.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(!write(b"[]").0 && path.symlink_metadata().unwrap().is_file());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_is_not_persisted_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let mut output = OutputFile::create(&directory.path().join("file"), FileFormat::Zip).unwrap();
        output.write(&vec![1; 2 * BUFFER]).unwrap();
        drop(output.finish().unwrap());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let error = OutputFile::create(directory.path(), FileFormat::Zip).err().unwrap();
        assert_eq!(error.to_string(), format!("cannot write {}", directory.path().display()));
    }

    /// A full disk ends in an error, not in a panic or a hang, however much follows.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_failing_write_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let mut output = OutputFile::create(&directory.path().join("file"), FileFormat::Zip).unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (filled, to_write) = sync_channel::<Portion>(BUFFERS);
        output.filled = Some(filled);
        output.writer = Some(thread::spawn(move || {
            for portion in to_write {
                if let Portion::Bytes(buffer) = portion {
                    (&full).write_all(buffer.content())?;
                }
            }
            TemporaryFile::new_in(&std::env::temp_dir()).map(OpenOutput::Temporary)
        }));
        let mut result = Ok(());
        for _ in 0..3 * BUFFERS {
            result = result.and_then(|()| output.write(&vec![0; BUFFER]));
        }
        let error = result.and_then(|()| output.finish().map(|_| ())).unwrap_err();
        assert_eq!(error.hints(), ["free disk space, or choose a path on another file system"]);
        assert!(matches!(error, ArchiveError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull));
    }
}
