//! Who logs in where, and as whom.
//!
//! A [`Keychain`] looks for the credentials of a registry in these places, and takes the first that it finds:
//!
//! 1. the variables `PYBUNDLE_REGISTRY_<HOST>_USERNAME` and `PYBUNDLE_REGISTRY_<HOST>_PASSWORD`, where HOST is the
//!    registry's host with its port, in upper case, with `_` for every other character than letters and digits;
//! 2. Docker's `config.json`, in the folder `DOCKER_CONFIG` or else `~/.docker`;
//! 3. podman's `auth.json`: the file `REGISTRY_AUTH_FILE`, or else `containers/auth.json` in `XDG_RUNTIME_DIR`, then in
//!    `XDG_CONFIG_HOME` or `~/.config`;
//! 4. for a registry of Amazon's, AWS itself (see [`ecr`]).
//!
//! In each file, the registry's helper is asked (`credHelpers`, else `credsStore`), and then come the entries (`auths`),
//! those of the narrowest namespace first. A file that does not exist holds nothing. A file that cannot be parsed, and a
//! helper that is named but missing or fails, are errors, as in go-containerregistry: to go on as somebody else, or as
//! nobody, would end in a refusal that tells less.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use super::ecr;
use file::CredentialFile;
use helper::Helpers;
use scope::Scope;

pub(super) use error::one_line;
pub use error::{CredentialsError, HelperFault};

mod error;
mod file;
mod helper;
mod scope;
#[cfg(test)]
mod tests;
mod variables;

/// Text that must not be shown: printing it, for users as for developers, hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the text itself, to be sent and never to be shown.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("****")
    }
}

/// How to log in to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// No credentials are known: what everybody may do can be done.
    Anonymous,
    /// A user and a password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// An OAuth 2 refresh token
    /// ([distribution, OAuth2 token authentication](https://distribution.github.io/distribution/spec/auth/oauth/)).
    IdentityToken(Secret),
}

/// Where credentials are looked for.
#[derive(Clone, Default)]
pub struct KeychainOptions {
    /// The variables `PYBUNDLE_REGISTRY_<HOST>_USERNAME` and `PYBUNDLE_REGISTRY_<HOST>_PASSWORD`.
    variables: BTreeMap<String, String>,
    /// The files that may exist, in the order to look in: Docker's, then podman's.
    files: Vec<PathBuf>,
    /// The directories of credential helpers, as in `PATH`.
    search_path: String,
}

impl KeychainOptions {
    /// Resolves the environment's variables, of which those without a value count as not set, and the home directory.
    ///
    /// As for podman, a file that `REGISTRY_AUTH_FILE` names takes the place of all of podman's.
    pub fn resolve(variables: impl IntoIterator<Item = (String, String)>, home: Option<&Path>) -> Self {
        let set: BTreeMap<String, String> = variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let path = |name: &str| set.get(name).map(PathBuf::from);
        let at_home = |name: &str| home.map(|home| home.join(name));
        let docker = path("DOCKER_CONFIG").or_else(|| at_home(".docker")).map(|docker| docker.join("config.json"));
        let podman = match path("REGISTRY_AUTH_FILE") {
            Some(file) => [Some(file), None],
            None => [path("XDG_RUNTIME_DIR"), path("XDG_CONFIG_HOME").or_else(|| at_home(".config"))]
                .map(|directory| directory.map(|directory| directory.join("containers/auth.json"))),
        };
        Self {
            files: docker.into_iter().chain(podman.into_iter().flatten()).collect(),
            search_path: set.get("PATH").cloned().unwrap_or_default(),
            variables: set.into_iter().filter(|(name, _)| name.starts_with(variables::PREFIX)).collect(),
        }
    }

    /// Returns a variable with a part of a login.
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

impl fmt::Debug for KeychainOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeychainOptions").field("files", &self.files).finish_non_exhaustive()
    }
}

/// The credentials of registries. Printing it shows none.
pub struct Keychain(Source);

enum Source {
    /// By host, as in [`Scope`].
    Fixed(BTreeMap<String, Login>),
    Places {
        options: KeychainOptions,
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
    /// Returns the keychain that looks in the places that the environment and the home folder give. It reads nothing yet.
    pub fn new(options: KeychainOptions) -> Self {
        let helpers = Helpers::new(options.search_path.clone());
        Self(Source::Places { options, files: OnceCell::new(), helpers })
    }

    /// Returns the keychain that knows the given logins, each for a registry's host with its port, and looks nowhere.
    pub fn fixed(logins: impl IntoIterator<Item = (String, Login)>) -> Self {
        let by_host = logins.into_iter().map(|(registry, login)| (Scope::of_repository(&registry, "").host, login));
        Self(Source::Fixed(by_host.collect()))
    }

    /// Returns how to log in to a registry, given by its host with its port, for the sake of one of its repositories.
    ///
    /// Files are read once, at the first need. A helper is asked once for a registry, however many ask at the same time.
    ///
    /// # Errors
    /// A place that should hold the credentials cannot be read, a helper fails, or AWS gives none for its registry.
    pub async fn login(&self, registry: &str, repository: &str) -> Result<Login, CredentialsError> {
        let wanted = Scope::of_repository(registry, repository);
        match &self.0 {
            Source::Fixed(logins) => Ok(logins.get(&wanted.host).cloned().unwrap_or(Login::Anonymous)),
            Source::Places { options, files, helpers } => {
                if let Some(login) = variables::login(options, registry)? {
                    return Ok(login);
                }
                let files = files.get_or_try_init(|| file::read_all(&options.files)).await?;
                if let Some(login) = login_of_files(files, helpers, &wanted).await? {
                    return Ok(login);
                }
                match ecr::is_ecr(registry) {
                    Some(registry) => Ok(ecr::login(&registry).await?),
                    None => Ok(Login::Anonymous),
                }
            }
        }
    }
}

/// Returns the first login in the files, each after its helper.
async fn login_of_files(
    files: &[CredentialFile],
    helpers: &Helpers,
    wanted: &Scope,
) -> Result<Option<Login>, CredentialsError> {
    for file in files {
        if let Some(question) = file.question(wanted) {
            let answer = helpers.ask(&question).await.map_err(|fault| CredentialsError::Helper {
                file: file.path.clone(),
                registry: wanted.host.clone(),
                fault,
            })?;
            if answer.is_some() {
                return Ok(answer);
            }
        }
        let login = file.login(wanted)?;
        if login.is_some() {
            return Ok(login);
        }
    }
    Ok(None)
}
