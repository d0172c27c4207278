//! How much is in the cache, and removing from it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Cache, CacheError};

/// How often the use of a wheel is noted: a build with a warm cache shall not write ten times for ten wheels.
const USE_NOTED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The folder of clones. Each is used, and removed, as a whole.
pub(super) const REPOSITORIES: &str = "repositories";

/// The file of a clone whose time of change is when the clone was used last: git never writes it anew.
pub(super) const REPOSITORY_MARK: &str = "HEAD";

/// An amount of files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheSize {
    /// How many files.
    pub files: u64,
    /// Their sizes, in bytes.
    pub bytes: u64,
}

impl CacheSize {
    /// Counts a file. Empty ones, the locks, do not count.
    fn add(&mut self, bytes: u64) {
        self.files += u64::from(bytes > 0);
        self.bytes += bytes;
    }
}

impl Cache {
    /// Returns how much is in the cache.
    ///
    /// # Errors
    /// The cache cannot be read.
    pub fn size(&self) -> Result<CacheSize, CacheError> {
        let mut total = CacheSize::default();
        visit(&self.root, &mut |_, metadata| {
            total.add(metadata.len());
            Ok(())
        })?;
        Ok(total)
    }

    /// Removes the wheels that were not used for `age`, and what was left half written for as long. Waits for builds
    /// that use the cache to end. The use of a wheel is noted once a day.
    ///
    /// # Errors
    /// The cache cannot be read, or a file cannot be removed.
    pub fn prune(self, age: Duration) -> Result<CacheSize, CacheError> {
        let oldest = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let repositories = self.root.join(REPOSITORIES);
        let mark_of = |path: &Path| {
            let repository = path.strip_prefix(&repositories).ok()?.iter().next()?;
            Some(repositories.join(repository).join(REPOSITORY_MARK))
        };
        self.remove(|path, modified| match path.extension() {
            _ if let Some(mark) = mark_of(path) => modified_at(&mark).unwrap_or(modified) < oldest,
            // A wheel is as old as its record: that is where its use is noted.
            Some(extension) if extension == "whl" => {
                modified_at(&path.with_extension("record")).unwrap_or(modified) < oldest
            }
            _ => modified < oldest,
        })
    }

    /// Removes everything. Waits for builds that use the cache to end.
    ///
    /// # Errors
    /// The cache cannot be read, or a file cannot be removed.
    pub fn clean(self) -> Result<CacheSize, CacheError> {
        self.remove(|_, _| true)
    }

    /// Removes the files, below the cache's own lock, that are to go by their path and time of change.
    fn remove(self, is_to_go: impl Fn(&Path, SystemTime) -> bool) -> Result<CacheSize, CacheError> {
        let lock = self.root.join("lock");
        // Between the two others may come in: that is as good as if they had come before.
        self.lock.unlock().map_err(CacheError::io("unlock", &lock))?;
        self.lock.lock().map_err(CacheError::io("lock", &lock))?;

        // Looked at first and removed then: a wheel's age is its record's.
        let mut going: Vec<(PathBuf, u64)> = Vec::new();
        visit(&self.root, &mut |path, metadata| {
            let modified = metadata.modified().map_err(CacheError::io("read", &path))?;
            if path != lock && is_to_go(&path, modified) {
                going.push((path, metadata.len()));
            }
            Ok(())
        })?;
        let mut removed = CacheSize::default();
        for (path, size) in going {
            fs::remove_file(&path).map_err(CacheError::io("remove", &path))?;
            removed.add(size);
        }
        Ok(removed)
    }
}

/// Notes that a wheel was used. A cache that cannot be written to still serves.
pub(super) fn mark_as_used(record: &Path) {
    let is_noted = modified_at(record)
        .and_then(|modified| SystemTime::now().duration_since(modified).ok())
        .is_some_and(|age| age < USE_NOTED_EVERY);
    if !is_noted {
        let _ = File::options().append(true).open(record).and_then(|file| file.set_modified(SystemTime::now()));
    }
}

fn modified_at(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// Visits every file below a folder. Files that vanish meanwhile are passed over.
fn visit(
    folder: &Path,
    visitor: &mut impl FnMut(PathBuf, &fs::Metadata) -> Result<(), CacheError>,
) -> Result<(), CacheError> {
    for entry in fs::read_dir(folder).map_err(CacheError::io("read", folder))? {
        let entry = entry.map_err(CacheError::io("read", folder))?;
        let path = entry.path();
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => visit(&path, visitor)?,
            Ok(metadata) => visitor(path, &metadata)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(CacheError::io("read", &path)(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_goes_as_a_whole_once_it_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let write = |repository: &Path, age: u64| {
            fs::create_dir_all(repository.join("objects")).unwrap();
            for (file, age) in [("HEAD", age), ("objects/old", 100), ("objects/new", 0)] {
                fs::write(repository.join(file), "x").unwrap();
                let time = SystemTime::now() - Duration::from_secs(age * 24 * 60 * 60);
                File::options().append(true).open(repository.join(file)).unwrap().set_modified(time).unwrap();
            }
        };
        let cache = Cache::open(folder.path()).unwrap();
        let [used, unused] = ["https://a/used", "https://a/unused"].map(|url| cache.repository(url));
        write(&used, 1);
        write(&unused, 99);
        let removed = cache.prune(Duration::from_secs(30 * 24 * 60 * 60)).unwrap();
        assert_eq!(removed.files, 3);
        assert!(used.join("objects/old").exists() && !unused.join("objects/new").exists());
    }
}
