//! The cache: verified wheels and other files, by their digests.
//!
//! ```text
//! v1/lock                        locked while a cache is open, exclusively while files are removed
//! v1/wheels/ab/abcd….whl         a wheel, by its SHA-256
//! v1/wheels/ab/abcd….record      its inventory
//! v1/digests/md5/ab/abcd…        the SHA-256 of the file with this digest of another algorithm
//! v1/blobs/ab/abcd…             a source distribution, derived files, or a blob of an image, by its SHA-256
//! v1/layers, compressed, built…  records of computed values, by everything that decides them (see `RecordKind`)
//! v1/repositories/abcd…/         a bare clone, by the repository's URL
//! v1/partial/abcd….part, .lock   an incomplete download, and the lock of the process that writes it
//! ```
//!
//! A wheel is renamed to its final name after its digest was verified and it was read strictly. Builds trust the name and
//! read only the record.
//!
//! A wheel is flushed to the disk before it is renamed, so that it is complete even after a power failure. That takes a few
//! hundredths of a second for 50 MB while other downloads continue, which made no measurable difference to a build. Records
//! and pointers are not flushed: a record has a checksum and a pointer a fixed format, and an invalid one counts as missing.
//! A wheel's size is compared with its record at each use. Files are not preallocated, so that the size of an incomplete
//! one tells how much has arrived.

mod blobs;
mod local_file;
mod record;
mod records;
mod shared;
mod sweep;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::digest::{Algorithm, Digest, Hasher, HashingWriter, Sha256};
use crate::hints::Hints;
use crate::temporary::{MORE_SPACE_HINT, TemporaryFile, is_in_system_directory};
use crate::wheel::filename::WheelFilename;
use crate::wheel::{self, Wheel, WheelError, WheelReading};

use shared::Sharing;

pub use blobs::CachedSdist;
pub(crate) use records::{RecordKey, RecordKind};
pub(crate) use shared::SharedRecords;
pub use sweep::CacheSize;

/// The version of the cache's layout, which is the name of its directory.
const LAYOUT: &str = "v1";

/// How often a claim of another process is tried again.
pub(crate) const CLAIM_PAUSE: Duration = Duration::from_millis(50);

/// The errors of opening the lock of a cache that cannot be written to.
const READ_ONLY: [io::ErrorKind; 2] = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A file or a directory of the cache cannot be read or written.
    #[error("cannot {action} {} in the cache", .path.display())]
    Io {
        /// The verb of the message, for instance `read`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file has the right digest, but is not a valid wheel.
    #[error(transparent)]
    Wheel(#[from] WheelError),
}

impl CacheError {
    /// Returns the conversion of an I/O error, for `map_err(CacheError::io("read", path))`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

const PRUNE_HINT: &str = "free disk space: `pybundle cache prune` removes unused files";

impl Hints for CacheError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io { source, path, .. } if source.kind() == io::ErrorKind::StorageFull => {
                // With --no-cache, there is nothing to remove.
                vec![if is_in_system_directory(path) { MORE_SPACE_HINT } else { PRUNE_HINT }.to_owned()]
            }
            Self::Io { .. } => vec![
                "choose another directory with --cache-dir or PYBUNDLE_CACHE_DIR, or disable the cache with --no-cache"
                    .to_owned(),
            ],
            Self::Wheel(error) => error.hints(),
        }
    }
}

/// An open cache. Several processes may use it concurrently, and each may be killed at any moment.
///
/// No file is removed while any process has the cache open, so a [`Wheel`] of it remains readable. Clones are the same open
/// cache.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
    root: PathBuf,
    lock: Arc<File>,
    below: Option<Arc<ReadOnlyCache>>,
    sharing: Sharing,
}

/// A cache that this process cannot write to.
#[derive(Debug)]
struct ReadOnlyCache {
    root: PathBuf,
    /// Locked, so that no process that can write to it removes files. A cache that nobody can write to needs none.
    _lock: Option<File>,
}

impl Cache {
    /// Opens the cache in a directory, and creates it if it does not exist.
    ///
    /// # Errors
    /// The directory cannot be created or written to.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        let root = dir.join(LAYOUT);
        let partial = root.join("partial");
        fs::create_dir_all(&partial).map_err(CacheError::io("create", &partial))?;
        mark_as_cache(dir)?;
        let path = root.join("lock");
        let lock = open_lock(&path)?;
        lock.lock_shared().map_err(CacheError::io("lock", &path))?;
        Ok(Self { dir: dir.to_owned(), root, lock: Arc::new(lock), below: None, sharing: Sharing::default() })
    }

    /// Opens the cache in a directory as [`open`](Self::open) does. One that exists but cannot be written to, for instance
    /// because it is another user's, is only read; what it lacks is stored in a cache in the directory `spare`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_with_spare(dir: &Path, spare: &Path) -> Result<Self, CacheError> {
        let root = dir.join(LAYOUT);
        match Self::open(dir) {
            Err(CacheError::Io { source, .. }) if READ_ONLY.contains(&source.kind()) && root.is_dir() => {
                let lock = File::open(root.join("lock")).ok().filter(|lock| lock.lock_shared().is_ok());
                let below = Some(Arc::new(ReadOnlyCache { root, _lock: lock }));
                Ok(Self { dir: dir.to_owned(), below, ..Self::open(spare)? })
            }
            opened => opened,
        }
    }

    /// Returns the path to read a file from: where it is written, unless only the read-only cache has it.
    fn readable(&self, path: PathBuf) -> PathBuf {
        let below = self.below.as_ref().filter(|_| !path.exists());
        let found = below.and_then(|below| Some(below.root.join(path.strip_prefix(&self.root).ok()?)));
        found.filter(|found| found.exists()).unwrap_or(path)
    }

    /// Returns the directory that was opened.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Tells whether the wheel with a digest is in the cache.
    ///
    /// # Errors
    /// The cache cannot be read.
    pub(crate) fn has_wheel(&self, digest: &Digest) -> Result<bool, CacheError> {
        Ok(self.resolve(digest)?.is_some_and(|sha256| self.readable(self.wheel_path(&sha256)).is_file()))
    }

    /// Returns the wheel with a digest, read as `filename`.
    ///
    /// A wheel whose record is missing, damaged or for another file name is verified again. A damaged wheel counts as
    /// missing.
    ///
    /// # Errors
    /// The cache cannot be read, or the wheel is not what `filename` says.
    pub fn wheel(&self, digest: &Digest, filename: &WheelFilename) -> Result<Option<Wheel>, CacheError> {
        let Some(sha256) = self.resolve(digest)? else { return Ok(None) };
        let path = self.readable(self.wheel_path(&sha256));
        let size = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CacheError::io("read", &path)(error)),
        };
        let record_path = self.readable(self.record_path_of(&sha256));
        if let Some(record) = record::read(&record_path).map_err(CacheError::io("read", &record_path))?
            && record.filename == filename.as_str()
            && record.size == size
        {
            sweep::mark_as_used(&record_path);
            return Ok(Some(Wheel::here(path, filename, (sha256, size), record.reading)));
        }
        self.verify_again(&path, sha256, filename)
    }

    /// Tries to get the exclusive right to store the file of a source: a digest, a URL or a path. Returns `None` while another
    /// process or thread has it.
    pub(crate) fn try_claim(&self, source: &str) -> Result<Option<Claim>, CacheError> {
        let name = Sha256::of(source.as_bytes()).hex();
        let path = self.root.join("partial").join(&name).with_extension("lock");
        let lock = open_lock(&path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Claim { partial: path.with_extension("part"), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(CacheError::io("lock", &path)(error)),
        }
    }

    /// Waits for the exclusive right to store the file or the repository of a source. If another process or thread has it, `begin`
    /// is called before that, and `end` with its result afterwards.
    pub(crate) fn claim<Waiting>(
        &self,
        source: &str,
        begin: impl FnOnce() -> Waiting,
        end: impl FnOnce(Waiting),
    ) -> Result<Claim, CacheError> {
        if let Some(claim) = self.try_claim(source)? {
            return Ok(claim);
        }
        let waiting = begin();
        loop {
            std::thread::sleep(CLAIM_PAUSE);
            if let Some(claim) = self.try_claim(source)? {
                end(waiting);
                return Ok(claim);
            }
        }
    }

    /// Returns the directory for the clone of a repository, which may not exist yet, and records its use.
    pub(crate) fn repository(&self, url: &str) -> PathBuf {
        let directory = self.root.join(sweep::REPOSITORIES).join(Sha256::of(url.as_bytes()).hex());
        sweep::mark_as_used(&directory.join(sweep::REPOSITORY_MARK));
        directory
    }

    /// Creates a temporary file for [`store`](Self::store).
    pub(crate) fn stage(&self) -> Result<TemporaryFile, CacheError> {
        let directory = self.root.join("partial");
        TemporaryFile::new_in(&directory).map_err(CacheError::io("write to", &directory))
    }

    /// Reads a staged file as a wheel, and moves it to its final name. The caller has computed its digests; later lookups use
    /// `digest`.
    ///
    /// # Errors
    /// The file is not a valid wheel, or the cache cannot be written to.
    pub(crate) fn store(
        &self,
        (file, staged): (&File, &Path),
        sha256: Sha256,
        digest: Option<&Digest>,
        filename: &WheelFilename,
    ) -> Result<Wheel, CacheError> {
        let reading = wheel::survey(file, filename)?;
        let size = file.metadata().map_err(CacheError::io("read", staged))?.len();
        let path = self.wheel_path(&sha256);
        create_parent(&path)?;
        file.sync_data().map_err(CacheError::io("write", staged))?;
        fs::rename(staged, &path).map_err(CacheError::io("write", &path))?;
        self.write_record(&sha256, filename, size, &reading)?;
        self.point(digest, sha256)?;
        Ok(Wheel::here(path, filename, (sha256, size), reading))
    }

    /// Stores a copy of a wheel that was built.
    ///
    /// # Errors
    /// The file is not a valid wheel, or the cache cannot be written to.
    pub fn take_in(&self, wheel: &Path, filename: &WheelFilename) -> Result<Wheel, CacheError> {
        let staged = self.stage()?;
        let mut output = HashingWriter::new(staged.as_file());
        let copied = File::open(wheel).and_then(|mut wheel| io::copy(&mut wheel, &mut output));
        copied.map_err(CacheError::io("write", staged.path()))?;
        let (_, sha256, _) = output.finish();
        self.store((staged.as_file(), staged.path()), sha256, None, filename)
    }

    /// Makes the cache forget a file that is damaged, so that it is fetched or made again. Returns whether it is one of the
    /// cache's and damaged.
    ///
    /// # Errors
    /// The file cannot be read or removed.
    pub(crate) fn forget_damaged(&self, path: &Path) -> Result<bool, CacheError> {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let Some(digest) = format!("sha256:{name}").parse::<Sha256>().ok().filter(|_| path.starts_with(&self.root))
        else {
            return Ok(false);
        };
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut file = File::open(path).map_err(CacheError::io("read", path))?;
        copy(&mut file, |bytes| hasher.update(bytes)).map_err(CacheError::io("read", path))?;
        if hasher.finish() == digest.into() {
            return Ok(false);
        }
        // A wheel without a record is verified before it is used again, and then counts as missing.
        let record = path.with_extension("record");
        let forgotten = if record.is_file() { &record } else { path };
        fs::remove_file(forgotten).map_err(CacheError::io("remove", forgotten))?;
        Ok(true)
    }

    /// Stores a pointer from a digest of another algorithm.
    fn point(&self, digest: Option<&Digest>, sha256: Sha256) -> Result<(), CacheError> {
        match digest.filter(|digest| digest.algorithm() != Algorithm::Sha256) {
            Some(digest) => self.write(&self.pointer_path(digest), sha256.hex().as_bytes()),
            None => Ok(()),
        }
    }

    /// Returns the SHA-256 of the file with a digest.
    fn resolve(&self, digest: &Digest) -> Result<Option<Sha256>, CacheError> {
        if digest.algorithm() == Algorithm::Sha256 {
            return Ok(digest.sha256());
        }
        let path = self.readable(self.pointer_path(digest));
        match fs::read(&path) {
            Ok(text) => {
                sweep::mark_as_used(&path);
                Ok(hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).map(Sha256))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CacheError::io("read", &path)(error)),
        }
    }

    /// Verifies a wheel again, and replaces its record.
    fn verify_again(&self, path: &Path, sha256: Sha256, filename: &WheelFilename) -> Result<Option<Wheel>, CacheError> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CacheError::io("read", path)(error)),
        };
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let size = copy(&mut file, |bytes| hasher.update(bytes)).map_err(CacheError::io("read", path))?;
        if hasher.finish() != sha256.into() {
            return Ok(None);
        }
        let reading = wheel::survey(&file, filename)?;
        self.write_record(&sha256, filename, size, &reading)?;
        Ok(Some(Wheel::here(path.to_owned(), filename, (sha256, size), reading)))
    }

    fn write_record(
        &self,
        wheel: &Sha256,
        filename: &WheelFilename,
        size: u64,
        reading: &WheelReading,
    ) -> Result<(), CacheError> {
        let path = self.record_path_of(wheel);
        let bytes = record::encode(filename, size, reading).map_err(CacheError::io("write", &path))?;
        self.write(&path, &bytes)
    }

    /// Writes a small file atomically.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
        create_parent(path)?;
        let mut file = self.stage()?;
        file.write_all(bytes).map_err(CacheError::io("write", path))?;
        file.persist(path).map_err(CacheError::io("write", path))?;
        Ok(())
    }

    fn wheel_path(&self, sha256: &Sha256) -> PathBuf {
        let hex = sha256.hex();
        self.root.join("wheels").join(&hex[..2]).join(hex).with_extension("whl")
    }

    fn record_path_of(&self, wheel: &Sha256) -> PathBuf {
        self.wheel_path(wheel).with_extension("record")
    }

    fn pointer_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join("digests").join(digest.algorithm().name()).join(&hex[..2]).join(hex)
    }
}

/// The exclusive right to store one file, until it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Claim {
    partial: PathBuf,
    _lock: File,
}

impl Claim {
    /// Opens the incomplete file, which may contain the data of an earlier attempt.
    pub(crate) fn open(&self) -> Result<File, CacheError> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        options.open(&self.partial).map_err(CacheError::io("write", &self.partial))
    }

    /// Returns the path of the incomplete file.
    pub(crate) fn path(&self) -> &Path {
        &self.partial
    }

    /// Removes the incomplete file. If that fails, the next attempt finds it, and its digest does not match either.
    pub(crate) fn discard(&self) {
        let _ = fs::remove_file(&self.partial);
    }
}

/// Passes the rest of a file to `sink` in chunks; returns its length.
pub(crate) fn copy(file: &mut File, mut sink: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let mut length = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Ok(size) => {
                sink(&buffer[..size]);
                length += size as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Returns the path of what is stored by its digest in a directory, spread over 256 subdirectories.
fn by_digest(directory: &Path, digest: Sha256) -> PathBuf {
    let hex = digest.hex();
    directory.join(&hex[..2]).join(hex)
}

fn open_lock(path: &Path) -> Result<File, CacheError> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(CacheError::io("open", path))
}

fn create_parent(path: &Path) -> Result<(), CacheError> {
    match path.parent() {
        Some(parent) => fs::create_dir_all(parent).map_err(CacheError::io("create", parent)),
        None => Ok(()),
    }
}

/// Marks the directory so that backup programs skip it, and no application contains it.
///
/// Specification: [Cache Directory Tagging](https://bford.info/cachedir/).
///
/// # Errors
/// The directory cannot be written to.
pub(crate) fn mark_as_cache(dir: &Path) -> Result<(), CacheError> {
    let path = dir.join("CACHEDIR.TAG");
    if path.exists() {
        return Ok(());
    }
    fs::write(&path, "Signature: 8a477f597d28d172789f06886806bc55\n").map_err(CacheError::io("write", &path))
}
