//! Who logs in where, and as whom.

use std::path::PathBuf;

pub use error::CredentialsError;

mod error;

/// Text that must not be shown.
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

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("****")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("****")
    }
}

/// How to log in to a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Nothing is known: ask as anyone may.
    Anonymous,
    /// A user and a password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// An OAuth 2 refresh token.
    IdentityToken(Secret),
}

/// Where credentials are looked for.
pub struct KeychainOptions {
    /// The environment's variables.
    pub variables: Vec<(String, String)>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
}

/// The credentials of registries.
pub struct Keychain {
    _options: KeychainOptions,
}

impl Keychain {
    /// Returns a keychain that looks in the usual places. It reads nothing yet.
    pub fn new(options: KeychainOptions) -> Self {
        Self { _options: options }
    }

    /// Returns a keychain of given logins, by their registries' names.
    pub fn fixed(_logins: impl IntoIterator<Item = (String, Login)>) -> Self {
        Self::new(KeychainOptions { variables: Vec::new(), home: None })
    }

    /// Returns the login for a repository.
    pub async fn login(&self, _registry: &str, _repository: &str) -> Result<Login, CredentialsError> {
        Ok(Login::Anonymous)
    }
}
