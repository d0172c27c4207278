//! What building an image works with: a temporary folder, the cache, and registries.

use tempfile::TempDir;

use super::base::Bases;
use super::{BuildError, wheels};
use crate::cache::Cache;
use crate::registry::credentials::{Keychain, KeychainOptions};
use crate::registry::{Registry, RegistryOptions};
use crate::report::Reporter;
use crate::settings::{CacheChoice, Environment, ImageSettings, RegistrySettings};

/// Lasts as long as a build: the folder and the cache hold what layers are put together from.
pub struct Workplace {
    /// A folder that goes when the build ends.
    pub temporary: TempDir,
    /// The cache.
    pub cache: Cache,
    /// The client for registries.
    pub registry: Registry,
}

impl Workplace {
    /// Opens what the settings name.
    ///
    /// # Errors
    /// A folder cannot be written to, or TLS is not to be had.
    pub fn open(settings: &ImageSettings) -> Result<Self, BuildError> {
        Self::with_cache(settings, &settings.common.cache)
    }

    /// Opens what the settings name for a plan, which makes no cache: if there is none, it notes nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_for_plan(settings: &ImageSettings) -> Result<Self, BuildError> {
        match &settings.common.cache {
            CacheChoice::Folder(folder) if !folder.is_dir() => Self::with_cache(settings, &CacheChoice::Temporary),
            choice => Self::with_cache(settings, choice),
        }
    }

    fn with_cache(settings: &ImageSettings, choice: &CacheChoice) -> Result<Self, BuildError> {
        let temporary = wheels::temporary()?;
        let cache = wheels::open_cache(choice, temporary.path())?;
        let registry = registry(&settings.registry, &settings.common.environment)?;
        Ok(Self { temporary, cache, registry })
    }

    /// Returns what finds base images.
    pub fn bases<'a>(&'a self, settings: &ImageSettings, reporter: &'a dyn Reporter) -> Bases<'a> {
        Bases { registry: &self.registry, offline: settings.common.fetch.offline, cache: &self.cache, reporter }
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
