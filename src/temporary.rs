//! Temporary files and directories that the end of a process does not leave behind.
//!
//! Each is removed when it is dropped. After a signal, [`remove_all`] removes those that exist. Those of a process that was
//! killed are removed by the next one that creates some in the same directory: while its process lives, each is locked.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::{NamedTempFile, PathPersistError, TempDir};

/// What the names of files and directories beside an output begin with.
const PREFIX: &str = ".pybundle-";

/// What their names end with.
const SUFFIX: &str = ".tmp";

/// What the names of directories in the system's temporary directory begin with.
const PREFIX_IN_SYSTEM: &str = "pybundle-";

/// How many random letters and digits are between them: so many that nobody else's file has such a name.
const RANDOM: usize = 12;

/// How old something is before it counts as abandoned.
const YOUNG: Duration = Duration::from_secs(10);

/// How often a directory that something is still written to is removed again.
const ATTEMPTS: usize = 20;

/// How long it is left alone between two attempts.
const PAUSE: Duration = Duration::from_millis(1);

/// What exists now, and where the leftovers of other processes were removed.
#[derive(Default)]
struct Inventory {
    existing: BTreeSet<PathBuf>,
    swept: BTreeSet<PathBuf>,
}

static INVENTORY: Mutex<Inventory> = Mutex::new(Inventory { existing: BTreeSet::new(), swept: BTreeSet::new() });

fn inventory() -> MutexGuard<'static, Inventory> {
    INVENTORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all temporary files and directories of this process. No more can be created until the result is dropped, which
/// is for the end of the process.
pub(crate) fn remove_all() -> impl Drop {
    let inventory = inventory();
    for path in &inventory.existing {
        remove(path);
    }
    inventory
}

/// Removes a file or a directory. A thread or a process may still create files in a directory, so it is tried repeatedly.
fn remove(path: &Path) {
    for _ in 0..ATTEMPTS {
        let removed = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(_) => return,
        };
        if removed.is_ok() {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// Tells whether a path is in a temporary directory of the system's.
pub(crate) fn is_in_system_directory(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_str().is_some_and(|name| is_temporary(name, PREFIX_IN_SYSTEM)))
}

/// The hint of errors of writing to the system's temporary directory.
pub(crate) const MORE_SPACE_HINT: &str = "free some disk space, or set TMPDIR to another directory";

/// Why what is read cannot be copied.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// It cannot be read.
    Read(io::Error),
    /// The copy cannot be written.
    Write(io::Error),
}

/// Copies what is read to a file without a name in the system's temporary directory. Unlike an inflating reader, it can seek.
///
/// # Errors
/// Reading or writing fails.
pub(crate) fn seekable_copy(reader: &mut dyn Read) -> Result<File, CopyError> {
    let mut copy = tempfile::tempfile().map_err(CopyError::Write)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => copy.write_all(&buffer[..read]).map_err(CopyError::Write)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CopyError::Read(error)),
        }
    }
    copy.rewind().map_err(CopyError::Write)?;
    Ok(copy)
}

/// Creates a directory below a temporary one, and those between them, unless they exist. The temporary one is never created:
/// a signal may have removed it, and `create_dir_all` would leave it behind.
///
/// # Errors
/// It cannot be created, or `root` is missing.
pub(crate) fn create_below(root: &Path, relative: &Path) -> io::Result<()> {
    let path = root.join(relative);
    match (fs::create_dir(&path), relative.parent()) {
        (Err(error), _) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound && !parent.as_os_str().is_empty() => {
            create_below(root, parent)?;
            fs::create_dir(&path)
        }
        (created, _) => created,
    }
}

/// A path in the inventory, until it is dropped.
#[derive(Debug)]
struct Registration(PathBuf);

impl Drop for Registration {
    fn drop(&mut self) {
        inventory().existing.remove(&self.0);
    }
}

/// A directory that is removed when it is dropped, unless it was renamed.
#[derive(Debug)]
pub(crate) struct TemporaryDirectory {
    directory: TempDir,
    _registration: Registration,
    /// Locked, so that other processes can tell that it is in use.
    _lock: File,
}

impl TemporaryDirectory {
    /// Creates a directory in the system's temporary directory, the value of `TMPDIR`, that only the user can read.
    ///
    /// # Errors
    /// It cannot be created.
    pub(crate) fn new() -> io::Result<Self> {
        let mut inventory = inventory();
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX_IN_SYSTEM).suffix(SUFFIX).rand_bytes(RANDOM).permissions(Permissions::from_mode(0o700));
        inventory.directory(builder.tempdir()?, PREFIX_IN_SYSTEM)
    }

    /// Creates a directory that is to be renamed, with the permissions of any new directory.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn new_in(parent: &Path) -> io::Result<Self> {
        let mut inventory = inventory();
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(RANDOM).permissions(Permissions::from_mode(0o777));
        inventory.directory(builder.tempdir_in(parent)?, PREFIX)
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// A directory whose path is the same in every process of a user, of which one at a time has it. It is removed when it is
/// dropped.
#[derive(Debug)]
pub(crate) struct FixedDirectory {
    path: PathBuf,
    lock_path: PathBuf,
    _registrations: [Registration; 2],
    _lock: File,
}

impl FixedDirectory {
    /// Creates an empty directory of a name in the system's temporary directory, where `session` is a
    /// [`TemporaryDirectory`] of this process.
    ///
    /// # Errors
    /// Another process or thread has it, or the directory that contains it is not only the user's.
    pub(crate) fn new(session: &Path, name: &str) -> io::Result<Self> {
        let user = session.symlink_metadata()?.uid();
        let system = session.canonicalize()?.parent().ok_or(io::ErrorKind::NotFound)?.to_owned();
        let parent = system.join(format!("{PREFIX_IN_SYSTEM}builds-{user}"));
        match fs::DirBuilder::new().mode(0o700).create(&parent) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let metadata = parent.symlink_metadata()?;
        if !metadata.is_dir() || metadata.uid() != user || metadata.mode() & 0o077 != 0 {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let (path, lock_path) = (parent.join(name), parent.join(format!("{name}.lock")));
        let lock = File::create(&lock_path)?;
        lock.try_lock()?;
        // Its last owner may have removed the file before it unlocked it.
        if lock_path.symlink_metadata()?.ino() != lock.metadata()?.ino() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut inventory = inventory();
        let registrations = [inventory.register(&path), inventory.register(&lock_path)];
        drop(inventory);
        // A process that was killed may have left one.
        remove(&path);
        fs::create_dir(&path)?;
        Ok(Self { path, lock_path, _registrations: registrations, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for FixedDirectory {
    fn drop(&mut self) {
        remove(&self.path);
        remove(&self.lock_path);
        // Unless another one is in it.
        let _ = self.path.parent().map(fs::remove_dir);
    }
}

/// A file that is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct TemporaryFile {
    file: NamedTempFile,
    _registration: Registration,
}

impl TemporaryFile {
    /// Creates a file in a directory, with the permissions of any new file.
    ///
    /// # Errors
    /// It cannot be created.
    pub(crate) fn new_in(directory: &Path) -> io::Result<Self> {
        let mut inventory = inventory();
        let mut builder = tempfile::Builder::new();
        // Reduced by the umask, as for any new file. tempfile's default is 0600.
        let builder =
            builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(RANDOM).permissions(Permissions::from_mode(0o666));
        let file = builder.tempfile_in(directory)?;
        hold(file.as_file());
        let registration = inventory.register(file.path());
        inventory.sweep(file.path(), PREFIX);
        Ok(Self { file, _registration: registration })
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(crate) fn as_file(&self) -> &File {
        self.file.as_file()
    }

    /// Renames the file, which is then permanent, and replaces a file that is there.
    ///
    /// # Errors
    /// It cannot be renamed; it is removed.
    pub(crate) fn persist(self, path: &Path) -> io::Result<File> {
        let (file, temporary) = self.file.into_parts();
        temporary.persist(path).map_err(|PathPersistError { error, .. }| error)?;
        // Nobody waits for the lock of a permanent file.
        let _ = file.unlock();
        Ok(file)
    }

    /// Renames the file, which is then permanent, unless there is a file already.
    ///
    /// # Errors
    /// As [`persist`](Self::persist), or there is a file.
    pub(crate) fn persist_new(self, path: &Path) -> io::Result<()> {
        self.file.persist_noclobber(path).map_err(|failed| failed.error)?;
        Ok(())
    }
}

impl io::Write for TemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Inventory {
    fn register(&mut self, path: &Path) -> Registration {
        self.existing.insert(path.to_owned());
        Registration(path.to_owned())
    }

    fn directory(&mut self, directory: TempDir, prefix: &str) -> io::Result<TemporaryDirectory> {
        let lock = File::open(directory.path())?;
        hold(&lock);
        let registration = self.register(directory.path());
        self.sweep(directory.path(), prefix);
        Ok(TemporaryDirectory { directory, _registration: registration, _lock: lock })
    }

    /// Removes what killed processes of this user left beside a path, once for each directory.
    fn sweep(&mut self, created: &Path, prefix: &str) {
        let (Some(directory), Ok(own)) = (created.parent(), created.symlink_metadata()) else { return };
        if !self.swept.insert(directory.to_owned()) {
            return;
        }
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_temporary = entry.file_name().to_str().is_some_and(|name| is_temporary(name, prefix));
            if is_temporary && !self.existing.contains(&path) && is_abandoned(&path, own.uid()) {
                remove(&path);
            }
        }
    }
}

/// Locks a file or a directory while it is open. On a file system without locks that fails, and nothing counts as abandoned.
fn hold(file: &File) {
    let _ = file.lock_shared();
}

/// Returns whether a name is one that this process could have made.
fn is_temporary(name: &str, prefix: &str) -> bool {
    let random = name.strip_prefix(prefix).and_then(|name| name.strip_suffix(SUFFIX));
    random.is_some_and(|random| random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Returns whether a file or directory of a user is locked by no process. A young one may be about to be locked.
fn is_abandoned(path: &Path, user: u32) -> bool {
    let Ok(metadata) = path.symlink_metadata() else { return false };
    let is_young = metadata.modified().ok().and_then(|time| time.elapsed().ok()).is_none_or(|age| age < YOUNG);
    !is_young
        && !metadata.is_symlink()
        && metadata.uid() == user
        && File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Makes a file or a directory look older than what may be about to be locked.
    fn age(path: &Path) -> File {
        let file = File::open(path).unwrap();
        file.set_modified(SystemTime::now() - 2 * YOUNG).unwrap();
        file
    }

    #[test]
    fn what_a_signal_has_removed_is_not_created_again() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("session");
        for relative in ["layers", "a/b/c"] {
            let error = create_below(&root, Path::new(relative)).unwrap_err();
            assert!(error.kind() == io::ErrorKind::NotFound && !root.exists(), "{error}");
        }
        for _ in 0..2 {
            create_below(&root, Path::new("")).unwrap();
            create_below(&root, Path::new("a/b/c")).unwrap();
        }
        assert!(root.join("a/b/c").is_dir());
        fs::write(root.join("file"), "").unwrap();
        assert!(create_below(&root, Path::new("file")).is_err());
        assert!(create_below(&root, Path::new("file/below")).is_err());
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in [
            ".pybundle-dead00000000.tmp",
            ".pybundle-alive0000000.tmp",
            ".pybundle-young0000000.tmp",
            ".pybundle-notes.tmp",
        ] {
            fs::write(path(name), "").unwrap();
        }
        fs::create_dir_all(path(".pybundle-dead00000001.tmp/below")).unwrap();
        let alive = age(&path(".pybundle-alive0000000.tmp"));
        alive.lock_shared().unwrap();
        for name in [".pybundle-dead00000000.tmp", ".pybundle-dead00000001.tmp", ".pybundle-notes.tmp"] {
            age(&path(name));
        }
        let kept = [".pybundle-alive0000000.tmp", ".pybundle-notes.tmp", ".pybundle-young0000000.tmp"];
        drop(TemporaryFile::new_in(directory.path()).unwrap());
        assert_eq!(names(directory.path()), kept);
        let mut file = TemporaryFile::new_in(directory.path()).unwrap();
        io::Write::write_all(&mut file, b"x").unwrap();
        file.persist(&path("result")).unwrap();
        fs::rename(TemporaryDirectory::new_in(directory.path()).unwrap().path(), path("results")).unwrap();
        assert_eq!(names(directory.path()), [&kept[..], &["result", "results"]].concat());
    }

    /// What somebody else called `pybundle-…`, for instance a checkout of this repository.
    #[test]
    fn directories_of_others_in_the_system_s_directory_stay() {
        for name in ["pybundle-master", "pybundle-survey", "pybundle-tests1.tmp", "pybundle-", "pybundle"] {
            assert!(!is_temporary(name, PREFIX_IN_SYSTEM), "{name}");
        }
        let own = TemporaryDirectory::new().unwrap();
        assert!(is_temporary(own.path().file_name().unwrap().to_str().unwrap(), PREFIX_IN_SYSTEM));
    }

    #[test]
    fn a_fixed_directory_has_one_owner_and_begins_empty() {
        let session = TemporaryDirectory::new().unwrap();
        let name = format!("test-{}", std::process::id());
        let first = FixedDirectory::new(session.path(), &name).unwrap();
        assert_eq!(first.path().parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(first.path().join("file"), "").unwrap();
        let error = FixedDirectory::new(session.path(), &name).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists());
        // What a killed process left.
        fs::create_dir_all(path.join("below")).unwrap();
        fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o700)).unwrap();
        let second = FixedDirectory::new(session.path(), &name).unwrap();
        assert!(second.path() == path && names(&path).is_empty());
        fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o777)).unwrap();
        let error = FixedDirectory::new(session.path(), &format!("{name}-other")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o700)).unwrap();
    }

    #[test]
    fn a_directory_of_the_system_is_private() {
        let directory = TemporaryDirectory::new().unwrap();
        assert_eq!(directory.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}
