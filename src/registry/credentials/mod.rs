//! Registry authentication: where the credentials of a registry are found.
//!
//! A [`Keychain`] uses the first credentials that it finds in:
//!
//! 1. the variables `PYBUNDLE_REGISTRY_<HOST>_USERNAME` and `PYBUNDLE_REGISTRY_<HOST>_PASSWORD`, where HOST is the
//!    registry's host with its port, in upper case, with `__` for a hyphen and `_` for a dot or a colon;
//! 2. the variable `DOCKER_AUTH_CONFIG`, which has the content of a `config.json` (docker/cli 6008, and GitLab's runners);
//! 3. Docker's `config.json`, in the directory `DOCKER_CONFIG` or else `~/.docker`;
//! 4. podman's `auth.json`: the file `REGISTRY_AUTH_FILE`, or else `containers/auth.json` in `XDG_RUNTIME_DIR`, then in
//!    `XDG_CONFIG_HOME` or `~/.config`;
//! 5. AWS credentials, for Amazon's registries (see [`ecr`]).
//!
//! In each file the credential helper of the registry (`credHelpers`, else `credsStore`) comes before the entries
//! (`auths`), and entries for narrower namespaces before wider ones. A malformed file and a helper that is missing or
//! fails are errors, as in go-containerregistry: with other credentials, or none, the registry's error would say less.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use super::ecr::{self, EcrError, EcrRegistry};
use crate::aws::AwsEnvironment;
pub(crate) use file::AUTH_CONFIG;
use file::CredentialFile;
use helper::Helpers;
use scope::CredentialScope;

pub use crate::redact::Secret;
pub use error::{CredentialsError, HelperError};
pub use variables::VARIABLE_PREFIX;
pub(super) use variables::variable;

mod error;
mod file;
mod helper;
mod scope;
#[cfg(test)]
mod tests;
mod variables;

/// The credentials for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryLogin {
    /// No credentials.
    Anonymous,
    /// A user name and a password.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// An OAuth 2 refresh token
    /// ([distribution, OAuth2 token authentication](https://distribution.github.io/distribution/spec/auth/oauth/)).
    IdentityToken(Secret),
}

/// Where a [`Keychain`] finds credentials.
#[derive(Clone, Default)]
pub struct KeychainOptions {
    /// The variables `PYBUNDLE_REGISTRY_<HOST>_USERNAME` and `PYBUNDLE_REGISTRY_<HOST>_PASSWORD`.
    variables: BTreeMap<String, String>,
    /// The content of `DOCKER_AUTH_CONFIG`.
    auth_config: Option<String>,
    /// The paths of credential files, Docker's before podman's.
    files: Vec<PathBuf>,
    /// The directories of credential helpers, in the format of `PATH`.
    search_path: String,
    aws: AwsEnvironment,
}

impl KeychainOptions {
    /// Resolves environment variables, of which empty ones count as not set, and the home directory.
    ///
    /// `REGISTRY_AUTH_FILE` replaces all paths of podman's, as in podman.
    pub fn resolve(variables: impl IntoIterator<Item = (String, String)>, home: Option<&Path>) -> Self {
        let set: BTreeMap<String, String> = variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let docker = path(&set, "DOCKER_CONFIG").or_else(|| Some(home?.join(".docker")));
        let podman = match path(&set, "REGISTRY_AUTH_FILE") {
            Some(file) => [Some(file), None],
            None => {
                [path(&set, "XDG_RUNTIME_DIR"), path(&set, "XDG_CONFIG_HOME").or_else(|| Some(home?.join(".config")))]
                    .map(|directory| directory.map(|directory| directory.join("containers/auth.json")))
            }
        };
        let docker = docker.map(|directory| directory.join("config.json"));
        Self {
            files: docker.into_iter().chain(podman.into_iter().flatten()).collect(),
            search_path: set.get("PATH").cloned().unwrap_or_default(),
            aws: AwsEnvironment::new(&set, home),
            auth_config: set.get(file::AUTH_CONFIG).cloned(),
            variables: set.into_iter().filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)).collect(),
        }
    }

    /// Returns a variable with a part of a login.
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

fn path(variables: &BTreeMap<String, String>, name: &str) -> Option<PathBuf> {
    variables.get(name).map(PathBuf::from)
}

impl fmt::Debug for KeychainOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeychainOptions").field("files", &self.files).finish_non_exhaustive()
    }
}

/// Looks up the credentials of registries. `Debug` shows none.
pub struct Keychain(KeychainSource);

enum KeychainSource {
    /// By host, in the form of [`CredentialScope`].
    Fixed(BTreeMap<String, RegistryLogin>),
    Configured {
        options: Box<KeychainOptions>,
        files: OnceCell<Vec<CredentialFile>>,
        helpers: Helpers,
    },
}

impl fmt::Debug for Keychain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keychain").finish_non_exhaustive()
    }
}

impl Keychain {
    /// Returns the keychain for an environment and a home directory. Nothing is read yet.
    pub fn new(options: KeychainOptions) -> Self {
        let helpers = Helpers::new(options.search_path.clone());
        Self(KeychainSource::Configured { options: Box::new(options), files: OnceCell::new(), helpers })
    }

    /// Returns a keychain with these logins alone, each for a registry's host and port.
    pub fn fixed(logins: impl IntoIterator<Item = (String, RegistryLogin)>) -> Self {
        let by_host =
            logins.into_iter().map(|(registry, login)| (CredentialScope::of_repository(&registry, "").host, login));
        Self(KeychainSource::Fixed(by_host.collect()))
    }

    /// Returns the login to a registry, given by its host and port, for one of its repositories.
    ///
    /// Files are read once, and a helper runs once per registry.
    ///
    /// # Errors
    /// A file cannot be read or parsed, a helper fails, or ECR returns no token.
    pub async fn login(&self, registry: &str, repository: &str) -> Result<RegistryLogin, CredentialsError> {
        let wanted = CredentialScope::of_repository(registry, repository);
        match &self.0 {
            KeychainSource::Fixed(logins) => Ok(logins.get(&wanted.host).cloned().unwrap_or(RegistryLogin::Anonymous)),
            KeychainSource::Configured { options, files, helpers } => {
                if let Some(login) = variables::login(options, registry)? {
                    return Ok(login);
                }
                let files =
                    files.get_or_try_init(|| file::read_all(options.auth_config.as_deref(), &options.files)).await?;
                if let Some(login) = login_of_files(files, helpers, &wanted).await? {
                    return Ok(login);
                }
                match ecr::is_ecr(registry) {
                    Some(registry) => Ok(ecr::login(&options.aws, &registry).await?),
                    None => Ok(RegistryLogin::Anonymous),
                }
            }
        }
    }

    /// Creates a repository in ECR, with AWS credentials. One that exists already is success.
    ///
    /// # Errors
    /// AWS credentials are missing or cannot be loaded, or ECR cannot be reached or refuses.
    pub async fn create_repository(&self, registry: &EcrRegistry, repository: &str) -> Result<(), EcrError> {
        match &self.0 {
            KeychainSource::Fixed(_) => ecr::create_repository(&AwsEnvironment::default(), registry, repository).await,
            KeychainSource::Configured { options, .. } => {
                ecr::create_repository(&options.aws, registry, repository).await
            }
        }
    }
}

/// Returns the first login in the files. Helpers come before the entries of their file.
async fn login_of_files(
    files: &[CredentialFile],
    helpers: &Helpers,
    wanted: &CredentialScope,
) -> Result<Option<RegistryLogin>, CredentialsError> {
    for file in files {
        if let Some(query) = file.helper_query(wanted) {
            let login = helpers.ask(&query).await.map_err(|source| CredentialsError::Helper {
                file: file.path.clone(),
                registry: wanted.host.clone(),
                source,
            })?;
            if login.is_some() {
                return Ok(login);
            }
        }
        let login = file.login(wanted)?;
        if login.is_some() {
            return Ok(login);
        }
    }
    Ok(None)
}
