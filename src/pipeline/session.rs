//! What the targets of one run share: the projects and locks that were read, the cache, a temporary directory, and the
//! client for registries.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::archive::destination::Destination;
use crate::cache::Cache;
use crate::fetch::Connections;
use crate::git::revision::{self, GitRevision};
use crate::lock::{Lock, LockFormat};
use crate::pipeline::BuildError;
use crate::project::WorkspaceCache;
use crate::project::workspace::Workspace;
use crate::registry::credentials::{Keychain, KeychainOptions};
use crate::registry::{Registry, RegistryOptions};
use crate::report::Reporter;
use crate::settings::{CacheChoice, RegistrySettings};
use crate::silence::SilenceLimits;
use crate::temporary::TemporaryDirectory;
use crate::tree::DamagedFile;

/// What lasts as long as a build: the directory and the cache contain what artifacts are copied from.
pub(crate) struct Session {
    /// Removed when the build ends.
    pub temporary: TemporaryDirectory,
    pub cache: Cache,
}

impl Session {
    /// Opens the cache; with `--no-cache` it is in the temporary directory, and so is what a read-only cache lacks.
    ///
    /// # Errors
    /// A directory cannot be written to.
    pub(crate) fn open(choice: &CacheChoice) -> Result<Self, BuildError> {
        let temporary = TemporaryDirectory::new().map_err(BuildError::Temporary)?;
        let own = temporary.path().join("cache");
        let cache = match choice {
            CacheChoice::Directory(directory) => Cache::open_with_spare(directory, &own)?,
            CacheChoice::Temporary => Cache::open(&own)?,
        };
        Ok(Self { temporary, cache })
    }

    /// Opens the cache for a plan, which does not create one: without a cache, its results are not kept.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_for_plan(choice: &CacheChoice) -> Result<Self, BuildError> {
        match choice {
            CacheChoice::Directory(directory) if !directory.is_dir() => Self::open(&CacheChoice::Temporary),
            choice => Self::open(choice),
        }
    }
}

/// Repeats a build whose cache turns out to be damaged, once: what is damaged is fetched or made again. One that streams a
/// file, for instance into a pipe, is not repeated: the reader already has the beginning of the first.
///
/// # Errors
/// Those of the build.
pub(crate) fn repairing<'a, T>(
    choice: &CacheChoice,
    files: impl Iterator<Item = &'a Path>,
    reporter: &dyn Reporter,
    build: impl Fn() -> Result<T, BuildError>,
) -> Result<T, BuildError> {
    let result = build();
    let CacheChoice::Directory(directory) = choice else { return result };
    let Some(path) = result.as_ref().err().and_then(damaged_file) else { return result };
    // What is in a read-only cache stays there.
    let Ok(cache) = Cache::open(directory) else { return result };
    if !cache.forget_damaged(&path)? {
        return result;
    }
    if is_streamed(files) {
        reporter.warn(&format!("{} was damaged: the next build makes or fetches it again", path.display()));
        return result;
    }
    reporter.warn(&format!("{} was damaged: building again without it", path.display()));
    build()
}

/// Tells whether one of the files is streamed, for instance into a pipe, so that its reader would see a second beginning.
pub(crate) fn is_streamed<'a>(mut files: impl Iterator<Item = &'a Path>) -> bool {
    files.any(|file| Destination::of(file) != Destination::File)
}

/// Returns the file whose damage is the cause of an error.
fn damaged_file(error: &BuildError) -> Option<PathBuf> {
    let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source());
    causes.find_map(|cause| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref::<DamagedFile>());
        Some(inner.or_else(|| cause.downcast_ref::<DamagedFile>())?.path.clone())
    })
}

/// Creates the client for registries.
///
/// # Errors
/// TLS is not to be had.
pub(crate) fn registry<'a>(
    settings: &RegistrySettings,
    keychain: &KeychainOptions,
    reporter: &'a dyn Reporter,
) -> Result<Registry<'a>, BuildError> {
    let registry = Registry::new(RegistryOptions {
        insecure: settings.insecure.clone(),
        files: settings.files.clone(),
        create_repositories: settings.create_repositories,
        silence: SilenceLimits::of_registry(settings.network_timeout),
        ..RegistryOptions::new(Keychain::new(keychain.clone()))
    })?;
    Ok(registry.with_reporter(reporter))
}

/// The commit that a workspace's files are identical to, determined once: outputs that are written later do not count.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkspaceRevision(Arc<OnceLock<Option<GitRevision>>>);

impl WorkspaceRevision {
    /// Returns the commit of the files below a directory, as of the first call.
    pub(crate) fn revision(&self, directory: &Path) -> Option<GitRevision> {
        self.0.get_or_init(|| revision::revision(directory)).clone()
    }
}

/// What the commands did that prepare a project.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Preparation {
    /// The files that they created or changed, ordered.
    pub files: Vec<PathBuf>,
}

/// How it is known that a lock matches its project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockEvidence {
    /// By the lock and every pyproject.toml.
    Files,
    /// uv says so, or nobody knows.
    Uv,
}

/// What was done in directories by commands.
type PreparedProjects = BTreeMap<(PathBuf, Vec<Vec<String>>), Arc<Preparation>>;

/// The workspaces and locks that were read, so that targets that are built together read each of them once.
#[derive(Debug, Default)]
pub(crate) struct ProjectCache {
    workspaces: WorkspaceCache,
    /// The commits of workspaces, by their roots.
    revisions: Mutex<BTreeMap<PathBuf, WorkspaceRevision>>,
    connections: Connections,
    locks: Mutex<BTreeMap<PathBuf, Arc<Lock>>>,
    /// The locks that are known to match their projects, and how that is known.
    current: Mutex<BTreeMap<PathBuf, LockEvidence>>,
    /// What was done in projects by the commands that were run in them.
    prepared: Mutex<PreparedProjects>,
    /// Held while a project is locked.
    locking: Mutex<()>,
}

impl ProjectCache {
    /// Returns the workspace that a directory belongs to, and its commit.
    ///
    /// # Errors
    /// See [`Workspace::discover`].
    pub(crate) fn workspace(&self, directory: &Path) -> Result<(Workspace, WorkspaceRevision), BuildError> {
        let workspace = self.workspaces.discover(directory, &LockFormat::NAMES)?;
        let mut revisions = self.revisions.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = revisions.entry(workspace.root.clone()).or_default().clone();
        Ok((workspace, revision))
    }

    /// Returns the workspaces that were discovered.
    pub(crate) fn workspaces(&self) -> &WorkspaceCache {
        &self.workspaces
    }

    /// Returns the connections to indexes.
    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Returns a lock whose content does not depend on the project that reads it.
    ///
    /// # Errors
    /// `read` fails.
    pub(crate) fn lock(
        &self,
        path: &Path,
        read: impl FnOnce() -> Result<Lock, BuildError>,
    ) -> Result<Arc<Lock>, BuildError> {
        let mut known = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = known.get(path) {
            return Ok(lock.clone());
        }
        let lock = Arc::new(read()?);
        known.insert(path.to_owned(), lock.clone());
        Ok(lock)
    }

    /// Prepares a project, unless that was done before with the same commands.
    ///
    /// # Errors
    /// `prepare` fails.
    pub(crate) fn prepared(
        &self,
        directory: &Path,
        commands: &[Vec<String>],
        prepare: impl FnOnce() -> Result<Preparation, BuildError>,
    ) -> Result<Arc<Preparation>, BuildError> {
        // Commands of one project may write the same files, so that only one runs at a time.
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (directory.to_owned(), commands.to_vec());
        if let Some(known) = prepared.get(&key) {
            return Ok(known.clone());
        }
        let preparation = Arc::new(prepare()?);
        prepared.insert(key, preparation.clone());
        Ok(preparation)
    }

    /// Locks a project, which targets in parallel do one after the other.
    ///
    /// # Errors
    /// `lock` fails.
    pub(crate) fn locking(&self, lock: impl FnOnce() -> Result<(), BuildError>) -> Result<(), BuildError> {
        let _held = self.locking.lock().unwrap_or_else(PoisonError::into_inner);
        lock()
    }

    /// Compares a lock with its workspace, unless an earlier comparison succeeded.
    ///
    /// # Errors
    /// `check` fails.
    pub(crate) fn check(
        &self,
        path: &Path,
        check: impl FnOnce() -> Result<LockEvidence, BuildError>,
    ) -> Result<LockEvidence, BuildError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(evidence) = current.get(path) {
            return Ok(*evidence);
        }
        let evidence = check()?;
        current.insert(path.to_owned(), evidence);
        Ok(evidence)
    }
}
