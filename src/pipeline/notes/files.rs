//! Files as they were when they were last read: their content by its digest, and what the file system says of them, so
//! that most need not be read again. Git's index does the same
//! ([racy-git](https://git-scm.com/docs/racy-git)).

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// How long after a change another one is sure to be stamped with another time: the clock of Linux's file systems ticks 100
/// to 1000 times a second.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// The same for file systems that store whole seconds, of which FAT stores every other one.
const COARSE_TICK: Duration = Duration::from_millis(2100);

/// What the file system says of a file. Whatever changes its content changes this, too; a copy of the file has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    mode: u32,
    /// In seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    /// Returns the stamp of a file; `None` if there is none, or something else.
    pub(super) fn of(path: &Path) -> Option<Self> {
        path.metadata().ok().filter(Metadata::is_file).map(|metadata| Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            mode: metadata.mode(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Returns whether a change after `now` is sure to change the stamp.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let tick = if self.modified.1 == 0 && nanoseconds == 0 { COARSE_TICK } else { TICK };
        let changed = u64::try_from(seconds).ok().and_then(|seconds| {
            let since = Duration::new(seconds, u32::try_from(nanoseconds).ok()?);
            SystemTime::UNIX_EPOCH.checked_add(since)?.checked_add(tick)
        });
        changed.is_some_and(|settled| settled < now)
    }
}

/// The digests of files, by their paths and stamps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileIndex(BTreeMap<PathBuf, (FileStamp, Sha256)>);

impl FileIndex {
    /// Returns the digest of a file that has not been touched since it was added.
    fn digest(&self, path: &Path, stamp: &FileStamp) -> Option<Sha256> {
        self.0.get(path).filter(|(known, _)| known == stamp).map(|(_, digest)| *digest)
    }

    /// Adds a file, unless it might change without changing its stamp.
    pub(super) fn add(&mut self, path: &Path, stamp: FileStamp, digest: Sha256, now: SystemTime) {
        if stamp.is_settled(now) {
            self.0.insert(path.to_owned(), (stamp, digest));
        }
    }
}

impl FileIndex {
    /// Returns the files of both.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// The files that were read, and a text that changes with all that was found.
#[derive(Debug, Default)]
pub(super) struct FileReader<'a> {
    /// What is known from before.
    known: Option<&'a FileIndex>,
    pub(super) index: FileIndex,
    stamps: BTreeMap<PathBuf, Option<FileStamp>>,
    text: String,
}

/// What was found, to be compared with what is found later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReadFiles {
    pub(super) digest: Sha256,
    stamps: BTreeMap<PathBuf, Option<FileStamp>>,
}

impl<'a> FileReader<'a> {
    pub(super) fn new(known: Option<&'a FileIndex>) -> Self {
        Self { known, ..Self::default() }
    }

    /// Adds what is no file.
    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Adds a file, which may be missing, and returns the digest of its content.
    pub(super) fn file(&mut self, path: &Path) -> io::Result<Option<Sha256>> {
        let now = SystemTime::now();
        let stamp = FileStamp::of(path);
        self.stamps.insert(path.to_owned(), stamp);
        let Some(stamp) = stamp else {
            let kind = if path.exists() { "no file" } else { "missing" };
            self.text(&format!("{}\0{kind}", path.display()));
            return Ok(None);
        };
        let digest = match self.known.and_then(|known| known.digest(path, &stamp)) {
            Some(digest) => digest,
            None => Sha256::of_file(path)?,
        };
        self.index.add(path, stamp, digest, now);
        self.text(&format!("{}\0{digest}", path.display()));
        Ok(Some(digest))
    }

    /// Returns whether none of the files that were added can have changed after `moment`, or else since `before`.
    pub(super) fn are_untouched_since(&self, moment: SystemTime, before: &[&ReadFiles]) -> bool {
        self.stamps.iter().all(|(path, stamp)| {
            before.iter().any(|before| before.stamps.get(path) == Some(stamp))
                || stamp.is_some_and(|stamp| stamp.is_settled(moment))
        })
    }

    /// Returns what was found, and the index of the files.
    pub(super) fn finish(self) -> (ReadFiles, FileIndex) {
        (ReadFiles { digest: Sha256::of(self.text.as_bytes()), stamps: self.stamps }, self.index)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn digest_of(path: &Path, known: Option<&FileIndex>) -> (Option<Sha256>, FileIndex) {
        let mut reader = FileReader::new(known);
        let digest = reader.file(path).unwrap();
        (digest, reader.finish().1)
    }

    #[test]
    fn a_file_that_was_just_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "one").unwrap();
        let (one, index) = digest_of(&path, None);
        assert_eq!(index, FileIndex::default(), "it may be written again within the same tick of the clock");
        fs::write(&path, "two").unwrap();
        assert_ne!(digest_of(&path, Some(&index)).0, one);
    }

    #[test]
    fn the_digest_of_an_untouched_file_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "one").unwrap();
        std::thread::sleep(TICK * 2);
        let (one, mut index) = digest_of(&path, None);
        let (stamp, digest) = index.0[&path];
        assert_eq!(Some(digest), one);
        // The file is not read if its stamp is known.
        let other = Sha256::of(b"other");
        index.0.insert(path.clone(), (stamp, other));
        assert_eq!(digest_of(&path, Some(&index)).0, Some(other));
        // A copy with the same size and time is another file.
        let modified = path.metadata().unwrap().modified().unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "two").unwrap();
        fs::File::options().append(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_eq!(digest_of(&path, Some(&index)).0, Some(Sha256::of(b"two")));
        fs::remove_file(&path).unwrap();
        assert_eq!(digest_of(&path, Some(&index)).0, None);
    }

    #[test]
    fn whole_seconds_take_longer_to_settle() {
        for (modified, changed, after, is_settled) in [
            ((100, 0), (100, 1), 10, false),
            ((100, 0), (100, 1), 30, true),
            ((100, 0), (100, 0), 2000, false),
            ((100, 0), (100, 0), 2200, true),
            // Of a machine whose clock is ahead.
            ((100, 0), (200, 5), 3000, false),
            ((100, 0), (-1, 5), 3000, false),
        ] {
            let stamp = FileStamp { device: 1, inode: 1, size: 1, mode: 0, modified, changed };
            let now = SystemTime::UNIX_EPOCH + Duration::from_millis(100_000 + after);
            assert_eq!(stamp.is_settled(now), is_settled, "{modified:?} {changed:?} {after}");
        }
    }
}
