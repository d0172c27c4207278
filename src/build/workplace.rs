//! What a build works with: a temporary folder, the cache, and registries.

use tempfile::TempDir;

use super::BuildError;
use crate::cache::Cache;
use crate::registry::credentials::{Keychain, KeychainOptions};
use crate::registry::{Registry, RegistryOptions};
use crate::settings::{CacheChoice, Environment, RegistrySettings};

/// Lasts as long as a build: the folder and the cache hold what artifacts are put together from.
pub struct Workplace {
    /// A folder that goes when the build ends.
    pub temporary: TempDir,
    /// The cache.
    pub cache: Cache,
}

impl Workplace {
    /// Opens the cache; one that is not kept lies in the temporary folder.
    ///
    /// # Errors
    /// A folder cannot be written to.
    pub fn open(choice: &CacheChoice) -> Result<Self, BuildError> {
        let temporary = tempfile::Builder::new().prefix("pybundle-").tempdir().map_err(BuildError::Temporary)?;
        let cache = match choice {
            CacheChoice::Folder(folder) => Cache::open(folder)?,
            CacheChoice::Temporary => Cache::open(&temporary.path().join("cache"))?,
        };
        Ok(Self { temporary, cache })
    }

    /// Opens the cache for a plan, which makes none: if there is none, what it finds out is not kept.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_for_plan(choice: &CacheChoice) -> Result<Self, BuildError> {
        match choice {
            CacheChoice::Folder(folder) if !folder.is_dir() => Self::open(&CacheChoice::Temporary),
            choice => Self::open(choice),
        }
    }
}

/// Makes the client for registries.
///
/// # Errors
/// TLS is not to be had.
pub fn registry(settings: &RegistrySettings, environment: &Environment) -> Result<Registry, BuildError> {
    let keychain = KeychainOptions { variables: environment.variables.clone(), home: environment.home.clone() };
    Ok(Registry::new(RegistryOptions {
        insecure: settings.insecure.clone(),
        create_repositories: settings.create_repositories,
        ..RegistryOptions::new(Keychain::new(keychain))
    })?)
}
