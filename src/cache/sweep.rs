//! The size of the cache, and the removal of files.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Cache, CacheError};

/// How often the use of a file is recorded, so that a build with a warm cache rarely writes.
const USE_NOTED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The directory of clones. Each is used, and removed, as a whole.
pub(super) const REPOSITORIES: &str = "repositories";

/// The file whose modification time is the last use of a clone: git does not rewrite it in a bare clone.
pub(super) const REPOSITORY_MARK: &str = "HEAD";

/// A number of files and their size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheSize {
    /// The number of files.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

impl CacheSize {
    /// Counts a file, unless it is empty like a lock.
    fn add(&mut self, bytes: u64) {
        self.files += u64::from(bytes > 0);
        self.bytes += bytes;
    }
}

impl Cache {
    /// Returns the size of the cache.
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

    /// Removes files that were not used for `age`, including incomplete ones. Waits until no build uses the cache. The use of
    /// a file is recorded once a day.
    ///
    /// # Errors
    /// The cache cannot be read, or a file cannot be removed.
    pub fn prune(self, age: Duration) -> Result<CacheSize, CacheError> {
        let oldest = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let repositories = self.root.join(REPOSITORIES);
        self.remove(|path, modified| match path.extension() {
            _ if let Some(mark) = repository_mark(&repositories, path) => {
                modified_at(&mark).unwrap_or(modified) < oldest
            }
            // The use of a wheel is recorded by the time of its record.
            Some(extension) if extension == "whl" => {
                modified_at(&path.with_extension("record")).unwrap_or(modified) < oldest
            }
            _ => modified < oldest,
        })
    }

    /// Removes all files. Waits until no build uses the cache.
    ///
    /// # Errors
    /// The cache cannot be read, or a file cannot be removed.
    pub fn clean(self) -> Result<CacheSize, CacheError> {
        self.remove(|_, _| true)
    }

    /// Removes files by their path and modification time, with an exclusive lock.
    fn remove(self, is_to_go: impl Fn(&Path, SystemTime) -> bool) -> Result<CacheSize, CacheError> {
        let lock = self.root.join("lock");
        // Another process may get the lock in between, which is as if it had come first.
        self.lock.unlock().map_err(CacheError::io("unlock", &lock))?;
        self.lock.lock().map_err(CacheError::io("lock", &lock))?;

        // All files are listed first, because the age of a wheel is that of its record.
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

/// Records the use of a file, if the cache can be written to.
pub(super) fn mark_as_used(record: &Path) {
    let is_noted = modified_at(record)
        .and_then(|modified| SystemTime::now().duration_since(modified).ok())
        .is_some_and(|age| age < USE_NOTED_EVERY);
    if !is_noted {
        let _ = File::options().append(true).open(record).and_then(|file| file.set_modified(SystemTime::now()));
    }
}

/// Returns the file whose modification time is the last use of the clone that a path belongs to.
fn repository_mark(repositories: &Path, path: &Path) -> Option<PathBuf> {
    let repository = path.strip_prefix(repositories).ok()?.iter().next()?;
    Some(repositories.join(repository).join(REPOSITORY_MARK))
}

fn modified_at(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// Visits every file in a directory tree. Files that are removed meanwhile are skipped.
fn visit(
    directory: &Path,
    visitor: &mut impl FnMut(PathBuf, &fs::Metadata) -> Result<(), CacheError>,
) -> Result<(), CacheError> {
    for entry in fs::read_dir(directory).map_err(CacheError::io("read", directory))? {
        let entry = entry.map_err(CacheError::io("read", directory))?;
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
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path()).unwrap();
        let [used, unused] = ["https://a/used", "https://a/unused"].map(|url| cache.repository(url));
        for (repository, days) in [(&used, 1), (&unused, 99)] {
            fs::create_dir_all(repository.join("objects")).unwrap();
            for (file, days) in [("HEAD", days), ("objects/old", 100), ("objects/new", 0)] {
                fs::write(repository.join(file), "x").unwrap();
                let time = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
                File::options().append(true).open(repository.join(file)).unwrap().set_modified(time).unwrap();
            }
        }
        let removed = cache.prune(Duration::from_secs(30 * 24 * 60 * 60)).unwrap();
        assert_eq!(removed.files, 3);
        assert!(used.join("objects/old").exists() && !unused.join("objects/new").exists());
    }
}
