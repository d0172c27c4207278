//! The cache: wheels that were verified once, kept by their digest.
//!
//! ```text
//! v1/lock                        held shared while a cache is open, exclusively to remove something
//! v1/wheels/ab/abcd….whl         a wheel, by its SHA-256
//! v1/wheels/ab/abcd….record      what strict reading found in it
//! v1/digests/md5/ab/abcd…        the SHA-256 of the file that has this digest of another algorithm
//! v1/blobs/ab/abcd…             a source distribution, a pack, or a layer or a document of an image, by its SHA-256
//! v1/layers, compressed, built…  notes on images and built wheels, by what they are about (see [`RecordKind`])
//! v1/repositories/abcd…/         a bare clone, by the repository's URL
//! v1/partial/abcd….part, .lock   a file on the way in, and the lock of the one process that writes it
//! ```
//!
//! A wheel comes to its name by a rename, after its digest was verified and it was read strictly. Builds trust the name
//! and read the record only.
//!
//! A wheel is flushed to the disk before it is renamed, so that after a power failure, too, the name means the whole
//! file. That takes a few hundredths of a second for 50 MB, while others still come in: no difference could be measured
//! over a whole build. Records and pointers are not flushed: a record has a checksum, a pointer a fixed form, and what
//! does not hold counts as absent. A wheel's size is compared with its record's at each use. No file is given its size in
//! advance, so that its size tells what arrived.

mod blobs;
mod record;
mod records;
mod sweep;

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::digest::{Algorithm, Digest, Hasher, HashingWriter, Sha256};
use crate::hints::Hints;
use crate::wheel::filename::WheelFilename;
use crate::wheel::{self, Wheel, WheelError, WheelInventory};

pub use blobs::CachedSdist;
pub(crate) use records::{RecordKey, RecordKind};
pub use sweep::CacheSize;

/// The version of the cache's layout. Another version lives beside it, in a folder of its own.
const LAYOUT: &str = "v1";

/// How long another process is given before it is asked again whether it is done with a file.
pub(crate) const CLAIM_PAUSE: Duration = Duration::from_millis(50);

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A file or a directory of the cache cannot be read or written.
    #[error("cannot {action} {} in the cache", .path.display())]
    Io {
        /// What was tried, for instance `read`.
        action: &'static str,
        /// The file or the folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file has the right digest, and yet is no wheel that can be installed.
    #[error(transparent)]
    Wheel(#[from] WheelError),
}

impl CacheError {
    /// Returns an adaptor for the system's errors, for instance `map_err(CacheError::io("read", path))`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

impl Hints for CacheError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                vec!["free disk space: `pybundle cache prune` removes unused files".to_owned()]
            }
            Self::Io { .. } => vec![
                "choose another directory with --cache-dir or PYBUNDLE_CACHE_DIR, or disable the cache with --no-cache"
                    .to_owned(),
            ],
            Self::Wheel(error) => error.hints(),
        }
    }
}

/// A cache of wheels. Several processes may use one at once, and each may be killed at any moment.
///
/// Nothing is removed from a cache while it is open anywhere: a [`Wheel`] out of it can be read as long as it is.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
    root: PathBuf,
    lock: File,
}

impl Cache {
    /// Opens the cache in a folder, which is made if need be.
    ///
    /// # Errors
    /// The folder cannot be made or written to.
    pub fn open(dir: &Path) -> Result<Self, CacheError> {
        let root = dir.join(LAYOUT);
        let partial = root.join("partial");
        fs::create_dir_all(&partial).map_err(CacheError::io("create", &partial))?;
        mark_as_cache(dir)?;
        let path = root.join("lock");
        let lock = open_lock(&path)?;
        lock.lock_shared().map_err(CacheError::io("lock", &path))?;
        Ok(Self { dir: dir.to_owned(), root, lock })
    }

    /// Returns the folder that was opened.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the wheel that has a digest, if it is there. `filename` is the name that it is to be read as.
    ///
    /// A wheel whose record is missing, damaged or made for another file name is verified again, without the network.
    /// What is damaged otherwise counts as absent.
    ///
    /// # Errors
    /// The cache cannot be read, or the wheel is not what `filename` says.
    pub fn wheel(&self, digest: &Digest, filename: &WheelFilename) -> Result<Option<Wheel>, CacheError> {
        let Some(sha256) = self.resolve(digest)? else { return Ok(None) };
        let path = self.wheel_path(&sha256);
        let size = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CacheError::io("read", &path)(error)),
        };
        let record_path = path.with_extension("record");
        if let Some(record) = record::read(&record_path).map_err(CacheError::io("read", &record_path))?
            && record.filename == filename.as_str()
            && record.size == size
        {
            sweep::mark_as_used(&record_path);
            return Ok(Some(Wheel {
                filename: filename.clone(),
                archive: Arc::new(path),
                sha256,
                size,
                inventory: record.inventory,
            }));
        }
        self.verify_again(&path, sha256, filename)
    }

    /// Tries to become the one that brings in the file of a source: a digest, a URL or a path. Returns nothing while
    /// another process, or another thread, is at it.
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

    /// Becomes the one that brings in the file or the repository of a source; waits while another is at it.
    pub(crate) fn claim(&self, source: &str) -> Result<Claim, CacheError> {
        loop {
            match self.try_claim(source)? {
                Some(claim) => return Ok(claim),
                None => std::thread::sleep(CLAIM_PAUSE),
            }
        }
    }

    /// Returns the folder of a repository's clone, which may not be there yet, and notes its use.
    pub(crate) fn repository(&self, url: &str) -> PathBuf {
        let folder = self.root.join(sweep::REPOSITORIES).join(Sha256::of(url.as_bytes()).hex());
        sweep::mark_as_used(&folder.join(sweep::REPOSITORY_MARK));
        folder
    }

    /// Makes a file that nobody else writes to, for [`store`](Self::store). It is removed if it is not stored.
    pub(crate) fn stage(&self) -> Result<NamedTempFile, CacheError> {
        let folder = self.root.join("partial");
        let mut builder = tempfile::Builder::new();
        // As any other file, and unlike temporary ones: several users may share a cache.
        builder.permissions(Permissions::from_mode(0o666));
        builder.tempfile_in(&folder).map_err(CacheError::io("write to", &folder))
    }

    /// Reads a file of this cache as a wheel, and gives it its name. The caller has computed its digests; `digest` is
    /// the one that it will be asked for by.
    ///
    /// # Errors
    /// The file is no wheel that can be installed, or the cache cannot be written.
    pub(crate) fn store(
        &self,
        (file, staged): (&File, &Path),
        sha256: Sha256,
        digest: Option<&Digest>,
        filename: &WheelFilename,
    ) -> Result<Wheel, CacheError> {
        let inventory = wheel::read(file, filename)?;
        let size = file.metadata().map_err(CacheError::io("read", staged))?.len();
        let path = self.wheel_path(&sha256);
        create_parent(&path)?;
        file.sync_data().map_err(CacheError::io("write", staged))?;
        fs::rename(staged, &path).map_err(CacheError::io("write", &path))?;
        self.write_record(&path, filename, size, &inventory)?;
        self.point(digest, sha256)?;
        Ok(Wheel { filename: filename.clone(), archive: Arc::new(path), sha256, size, inventory })
    }

    /// Takes in a wheel that was built here: copies it, reads it strictly, and keeps it by its digest.
    ///
    /// # Errors
    /// The file is no wheel that can be installed, or the cache cannot be written.
    pub fn take_in(&self, wheel: &Path, filename: &WheelFilename) -> Result<Wheel, CacheError> {
        let staged = self.stage()?;
        let mut output = HashingWriter::new(staged.as_file());
        let copied = File::open(wheel).and_then(|mut wheel| io::copy(&mut wheel, &mut output));
        copied.map_err(CacheError::io("write", staged.path()))?;
        let (_, sha256, _) = output.finish();
        self.store((staged.as_file(), staged.path()), sha256, None, filename)
    }

    /// Notes which file has a digest of another algorithm.
    fn point(&self, digest: Option<&Digest>, sha256: Sha256) -> Result<(), CacheError> {
        match digest.filter(|digest| digest.algorithm() != Algorithm::Sha256) {
            Some(digest) => self.write(&self.pointer_path(digest), sha256.hex().as_bytes()),
            None => Ok(()),
        }
    }

    /// Returns the SHA-256 of the file that has a digest, as far as the cache knows.
    fn resolve(&self, digest: &Digest) -> Result<Option<Sha256>, CacheError> {
        if digest.algorithm() == Algorithm::Sha256 {
            return Ok(digest.as_bytes().try_into().ok().map(Sha256));
        }
        let path = self.pointer_path(digest);
        match fs::read(&path) {
            Ok(text) => {
                sweep::mark_as_used(&path);
                Ok(hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).map(Sha256))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CacheError::io("read", &path)(error)),
        }
    }

    /// Verifies a wheel whose record cannot be used, and writes the record anew.
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
        let inventory = wheel::read(&file, filename)?;
        self.write_record(path, filename, size, &inventory)?;
        Ok(Some(Wheel { filename: filename.clone(), archive: Arc::new(path.to_owned()), sha256, size, inventory }))
    }

    fn write_record(
        &self,
        wheel: &Path,
        filename: &WheelFilename,
        size: u64,
        inventory: &WheelInventory,
    ) -> Result<(), CacheError> {
        let path = wheel.with_extension("record");
        let bytes = record::encode(filename, size, inventory).map_err(CacheError::io("write", &path))?;
        self.write(&path, &bytes)
    }

    /// Writes a small file whole or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
        create_parent(path)?;
        let mut file = self.stage()?;
        file.write_all(bytes).map_err(CacheError::io("write", path))?;
        file.persist(path).map_err(|error| CacheError::io("write", path)(error.error))?;
        Ok(())
    }

    fn wheel_path(&self, sha256: &Sha256) -> PathBuf {
        let hex = sha256.hex();
        self.root.join("wheels").join(&hex[..2]).join(hex).with_extension("whl")
    }

    fn pointer_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join("digests").join(digest.algorithm().name()).join(&hex[..2]).join(hex)
    }
}

/// The right to bring in one file, and the place to do it. It ends when it is dropped, or when the process does.
#[derive(Debug)]
pub(crate) struct Claim {
    partial: PathBuf,
    _lock: File,
}

impl Claim {
    /// Opens the file, with what an earlier attempt has left in it.
    pub(crate) fn open(&self) -> Result<File, CacheError> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        options.open(&self.partial).map_err(CacheError::io("write", &self.partial))
    }

    /// Returns the file's path.
    pub(crate) fn path(&self) -> &Path {
        &self.partial
    }

    /// Removes the file. If that fails, the next attempt finds it, and its digest is wrong then as it is now.
    pub(crate) fn discard(&self) {
        let _ = fs::remove_file(&self.partial);
    }
}

/// Passes what is left of a file on, piece by piece; returns its length.
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

/// Tells backup programs to pass the folder over.
///
/// Specification: [Cache Directory Tagging](https://bford.info/cachedir/).
fn mark_as_cache(dir: &Path) -> Result<(), CacheError> {
    let path = dir.join("CACHEDIR.TAG");
    if path.exists() {
        return Ok(());
    }
    fs::write(&path, "Signature: 8a477f597d28d172789f06886806bc55\n").map_err(CacheError::io("write", &path))
}
