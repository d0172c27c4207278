//! What the targets of one run share: the projects and locks that were read, the cache, a temporary directory, and the
//! client for registries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tempfile::TempDir;

use crate::cache::Cache;
use crate::lock::{Lock, LockFormat};
use crate::pipeline::BuildError;
use crate::project::revision::{self, Revision};
use crate::project::workspace::Workspace;
use crate::registry::credentials::{Keychain, KeychainOptions};
use crate::registry::{Registry, RegistryOptions};
use crate::settings::{CacheChoice, RegistrySettings};

/// What lasts as long as a build: the directory and the cache contain what artifacts are copied from.
pub struct Session {
    /// Removed when the build ends.
    pub temporary: TempDir,
    pub cache: Cache,
}

impl Session {
    /// Opens the cache; with `--no-cache` it is in the temporary directory.
    ///
    /// # Errors
    /// A directory cannot be written to.
    pub fn open(choice: &CacheChoice) -> Result<Self, BuildError> {
        let temporary = tempfile::Builder::new().prefix("pybundle-").tempdir().map_err(BuildError::Temporary)?;
        let cache = match choice {
            CacheChoice::Directory(folder) => Cache::open(folder)?,
            CacheChoice::Temporary => Cache::open(&temporary.path().join("cache"))?,
        };
        Ok(Self { temporary, cache })
    }

    /// Opens the cache for a plan, which does not create one: without a cache, its results are not kept.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_for_plan(choice: &CacheChoice) -> Result<Self, BuildError> {
        match choice {
            CacheChoice::Directory(folder) if !folder.is_dir() => Self::open(&CacheChoice::Temporary),
            choice => Self::open(choice),
        }
    }
}

/// Creates the client for registries.
///
/// # Errors
/// TLS is not to be had.
pub fn registry(settings: &RegistrySettings, keychain: &KeychainOptions) -> Result<Registry, BuildError> {
    Ok(Registry::new(RegistryOptions {
        insecure: settings.insecure.clone(),
        create_repositories: settings.create_repositories,
        ..RegistryOptions::new(Keychain::new(keychain.clone()))
    })?)
}

/// The commit that a workspace's files are identical to, determined once: outputs that are written later do not count.
#[derive(Debug, Clone, Default)]
pub struct WorkspaceRevision(Arc<OnceLock<Option<Revision>>>);

impl WorkspaceRevision {
    /// Returns the commit of the files below a directory, as of the first call.
    pub fn revision(&self, folder: &Path) -> Option<Revision> {
        self.0.get_or_init(|| revision::revision(folder)).clone()
    }
}

/// The workspaces and locks that were read, so that targets that are built together read each of them once.
#[derive(Debug, Default)]
pub struct ProjectCache {
    workspaces: Mutex<Vec<(Workspace, WorkspaceRevision)>>,
    locks: Mutex<BTreeMap<PathBuf, Arc<Lock>>>,
    /// The locks that are known to match their projects.
    current: Mutex<BTreeSet<PathBuf>>,
}

impl ProjectCache {
    /// Returns the workspace that a directory belongs to, and its commit.
    ///
    /// # Errors
    /// See [`Workspace::discover`].
    pub fn workspace(&self, folder: &Path) -> Result<(Workspace, WorkspaceRevision), BuildError> {
        // The lock is held while reading, so that other threads wait instead of reading the same files.
        let mut known = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.iter().find_map(|(it, noted)| Some((it.seen_from(folder)?, noted.clone()))) {
            return Ok(found);
        }
        let found = (Workspace::discover(folder, &LockFormat::NAMES)?, WorkspaceRevision::default());
        known.push(found.clone());
        Ok(found)
    }

    /// Returns a lock whose content does not depend on the project that reads it.
    ///
    /// # Errors
    /// `read` fails.
    pub fn lock(&self, path: &Path, read: impl FnOnce() -> Result<Lock, BuildError>) -> Result<Arc<Lock>, BuildError> {
        let mut known = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = known.get(path) {
            return Ok(lock.clone());
        }
        let lock = Arc::new(read()?);
        known.insert(path.to_owned(), lock.clone());
        Ok(lock)
    }

    /// Compares a lock with its workspace, unless an earlier comparison succeeded.
    ///
    /// # Errors
    /// `check` fails.
    pub fn check(&self, path: &Path, check: impl FnOnce() -> Result<(), BuildError>) -> Result<(), BuildError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if !current.contains(path) {
            check()?;
            current.insert(path.to_owned());
        }
        Ok(())
    }
}
