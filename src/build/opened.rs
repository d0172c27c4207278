//! Projects and locks that are open: targets that are built side by side read each of them once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::BuildError;
use crate::lock::{Lock, LockFormat};
use crate::project::revision::{self, Revision};
use crate::project::workspace::Workspace;

/// The commit that the files of a workspace are, once somebody asked: what is written meanwhile makes no difference.
#[derive(Debug, Clone, Default)]
pub struct Noted(Arc<OnceLock<Option<Revision>>>);

impl Noted {
    /// Returns the commit that the files below a folder are, or were when they were first asked about.
    pub fn revision(&self, folder: &Path) -> Option<Revision> {
        self.0.get_or_init(|| revision::revision(folder)).clone()
    }
}

/// What was read, for others that need the same. A build by itself begins with nothing.
#[derive(Debug, Default)]
pub struct Opened {
    workspaces: Mutex<Vec<(Workspace, Noted)>>,
    locks: Mutex<BTreeMap<PathBuf, Arc<Lock>>>,
    /// Those that were found to be the locks of their projects.
    current: Mutex<BTreeSet<PathBuf>>,
}

impl Opened {
    /// Returns the workspace that a folder belongs to, and its commit.
    ///
    /// # Errors
    /// See [`Workspace::discover`].
    pub fn workspace(&self, folder: &Path) -> Result<(Workspace, Noted), BuildError> {
        // Whoever comes meanwhile waits for the same.
        let mut known = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.iter().find_map(|(it, noted)| Some((it.seen_from(folder)?, noted.clone()))) {
            return Ok(found);
        }
        let found = (Workspace::discover(folder, &LockFormat::NAMES)?, Noted::default());
        known.push(found.clone());
        Ok(found)
    }

    /// Returns a lock that says the same to whoever reads it.
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

    /// Has a lock be compared with its workspace, unless it was already and nothing was found.
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
