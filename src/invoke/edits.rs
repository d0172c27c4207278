//! Which files of a project are edited while its function runs.
//!
//! The files are looked at again and again: that works on every file system and in every container, and for the few files of an
//! application it is as fast as a notification.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirEntry, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::digest::Sha256;

/// How often files are looked at, at most.
const SHORTEST: Duration = Duration::from_millis(8);

/// The share of the time that looking at files may take.
const SHARE: u32 = 12;

/// For how long after a change a file may change again without another modification time: file systems count in ticks of the
/// kernel, of up to 10 ms.
const RECENT: Duration = Duration::from_millis(100);

/// How long an edit may go on, such as a file that is written in parts.
const LONGEST_EDIT: Duration = Duration::from_millis(250);

/// The largest file that is read to tell whether it changed, in bytes.
const LARGEST_READ: u64 = 4 << 20;

/// Directories in which new files are not looked for, as well as hidden ones and virtual environments.
const SKIPPED: [&str; 6] = ["__pycache__", "build", "dist", "node_modules", "target", "venv"];

/// The state of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileStamp {
    modified: (i64, i64),
    size: u64,
    inode: u64,
    /// The digest of a file that had changed so recently that its time may not tell of the next change.
    sha256: Option<Sha256>,
    /// Whether the next change has another time.
    is_settled: bool,
}

impl FileStamp {
    /// Returns the state of a file that had another one before.
    fn of(path: &Path, metadata: &Metadata, before: Option<&Self>) -> Self {
        let is_settled = match metadata.modified().map(|modified| modified.elapsed()) {
            Ok(Ok(age)) => age > RECENT,
            // In the future.
            _ => false,
        };
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        let mut stamp = Self { modified, size: metadata.len(), inode: metadata.ino(), sha256: None, is_settled };
        match before.filter(|before| before.has_metadata_of(&stamp)) {
            Some(before) if before.is_settled => return before.clone(),
            // What changed in the same tick is found once more after it.
            before if stamp.size <= LARGEST_READ && (before.is_some() || !is_settled) => {
                stamp.sha256 = Sha256::of_file(path).ok();
            }
            _ => {}
        }
        stamp
    }

    fn has_metadata_of(&self, other: &Self) -> bool {
        (self.modified, self.size, self.inode) == (other.modified, other.size, other.inode)
    }

    fn is_same(&self, other: &Self) -> bool {
        let is_read_equal = match (self.sha256, other.sha256) {
            (Some(one), Some(another)) => one == another,
            _ => true,
        };
        self.has_metadata_of(other) && is_read_equal
    }
}

/// Where files are looked for.
#[derive(Debug, Default)]
pub(crate) struct WatchedPaths {
    /// All files below them, except for directories that contain no sources.
    pub(crate) directories: Vec<PathBuf>,
    /// Files wherever they are.
    pub(crate) files: Vec<PathBuf>,
}

/// The states of the watched files.
#[derive(Debug)]
pub(crate) struct EditedFiles {
    paths: WatchedPaths,
    known: BTreeMap<PathBuf, FileStamp>,
    looked: Instant,
    interval: Duration,
}

/// What was edited.
#[derive(Debug)]
pub(super) struct Edit {
    /// The files that were changed, created or removed.
    pub(super) files: Vec<PathBuf>,
    /// When the last of them was written.
    pub(super) time: SystemTime,
}

impl EditedFiles {
    /// Remembers the files as they are now.
    pub(crate) fn new(paths: WatchedPaths) -> Self {
        let mut files = Self { paths, known: BTreeMap::new(), looked: Instant::now(), interval: SHORTEST };
        files.forget();
        files
    }

    /// Watches other files from now on. Those that were not watched before count as created.
    pub(super) fn watch(&mut self, paths: WatchedPaths) {
        self.paths = paths;
    }

    /// Waits for an edit, and returns its time.
    pub(crate) fn wait(&mut self) -> SystemTime {
        loop {
            if let Some(edit) = self.edit() {
                return edit.time;
            }
            thread::sleep(SHORTEST / 2);
        }
    }

    /// Returns what was edited since the last call, when it is complete. Returns at once if it is too early to look again.
    pub(super) fn edit(&mut self) -> Option<Edit> {
        if self.looked.elapsed() < self.interval {
            return None;
        }
        let mut now = self.look(None);
        if differences(&self.known, &now).is_empty() {
            self.known = now;
            return None;
        }
        let begun = Instant::now();
        while begun.elapsed() < LONGEST_EDIT {
            thread::sleep(SHORTEST / 2);
            let later = self.look(Some(&now));
            let is_complete = differences(&now, &later).is_empty();
            now = later;
            if is_complete {
                break;
            }
        }
        let files = differences(&self.known, &now);
        self.known = now;
        if files.is_empty() {
            return None;
        }
        let times = files.iter().filter_map(|file| fs::metadata(file).and_then(|metadata| metadata.modified()).ok());
        let time = times.max().unwrap_or_else(SystemTime::now);
        Some(Edit { files, time })
    }

    /// Forgets what was edited until now.
    pub(super) fn forget(&mut self) {
        self.known = self.look(None);
    }

    /// Returns the present states, which follow on the known ones or on later ones.
    fn look(&mut self, later: Option<&BTreeMap<PathBuf, FileStamp>>) -> BTreeMap<PathBuf, FileStamp> {
        let before = later.unwrap_or(&self.known);
        let begun = Instant::now();
        let mut found = BTreeSet::new();
        let mut remaining = self.paths.directories.clone();
        while let Some(directory) = remaining.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                add(&entry, &mut found, &mut remaining);
            }
        }
        found.extend(self.paths.files.iter().cloned());
        let stamps = found.into_iter().filter_map(|path| {
            let metadata = fs::metadata(&path).ok().filter(Metadata::is_file)?;
            let stamp = FileStamp::of(&path, &metadata, before.get(&path));
            Some((path, stamp))
        });
        let stamps = stamps.collect();
        self.looked = Instant::now();
        self.interval = SHORTEST.max(SHARE * begun.elapsed());
        stamps
    }
}

/// Adds what an entry of a directory is.
fn add(entry: &DirEntry, found: &mut BTreeSet<PathBuf>, remaining: &mut Vec<PathBuf>) {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let path = entry.path();
    if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
        let is_skipped = SKIPPED.contains(&&*name) || name.starts_with('.') || path.join("pyvenv.cfg").exists();
        if !is_skipped {
            remaining.push(path);
        }
        return;
    }
    // Swap files, locks and backups of editors.
    let is_of_editor =
        name.ends_with('~') || name.starts_with(".#") || (name.starts_with('.') && name.ends_with(".swp"));
    if !is_of_editor {
        found.insert(path);
    }
}

/// Returns the files that are not the same in both.
fn differences(before: &BTreeMap<PathBuf, FileStamp>, after: &BTreeMap<PathBuf, FileStamp>) -> Vec<PathBuf> {
    let changed = after.iter().filter(|(path, stamp)| before.get(*path).is_none_or(|known| !known.is_same(stamp)));
    let removed = before.keys().filter(|path| !after.contains_key(*path));
    changed.map(|(path, _)| path).chain(removed).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks until there is an edit, or for as long as files are recent.
    fn edit(files: &mut EditedFiles) -> Option<Vec<PathBuf>> {
        let begun = Instant::now();
        while begun.elapsed() < 2 * RECENT {
            if let Some(edit) = files.edit() {
                return Some(edit.files);
            }
            thread::sleep(Duration::from_millis(1));
        }
        None
    }

    #[test]
    fn edits_are_seen_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("lib/__pycache__")).unwrap();
        fs::write(path("app.py"), "1").unwrap();
        let mut files = EditedFiles::new(WatchedPaths {
            directories: vec![directory.path().to_owned()],
            files: vec![path("dist/made.py")],
        });
        assert_eq!(edit(&mut files), None);
        // As many in a tick of the clock as there can be.
        for text in ["2", "3", "4", "5"] {
            fs::write(path("app.py"), text).unwrap();
            assert_eq!(edit(&mut files), Some(vec![path("app.py")]), "{text}");
        }
        fs::write(path("lib/new.py"), "").unwrap();
        fs::remove_file(path("app.py")).unwrap();
        assert_eq!(edit(&mut files), Some(vec![path("lib/new.py"), path("app.py")]));
        fs::write(path("lib/__pycache__/new.pyc"), "").unwrap();
        fs::write(path("lib/.new.py.swp"), "").unwrap();
        fs::write(path("lib/new.py~"), "").unwrap();
        fs::create_dir(path("dist")).unwrap();
        fs::write(path("dist/other.py"), "").unwrap();
        assert_eq!(edit(&mut files), None);
        fs::write(path("dist/made.py"), "").unwrap();
        assert_eq!(edit(&mut files), Some(vec![path("dist/made.py")]));
    }
}
