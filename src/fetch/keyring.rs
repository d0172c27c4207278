//! Passwords from the `keyring` command, queried as by pip and by uv's `--keyring-provider subprocess`.
//!
//! The command: [keyring](https://github.com/jaraco/keyring#command-line-utility).

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::OnceCell;
use url::Url;

/// The timeout of the command, which may have to prompt the user to unlock the keyring.
const PATIENCE: Duration = Duration::from_secs(60);

/// The provider of passwords that are found nowhere else: uv's `keyring-provider`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyringProvider {
    /// Use no keyring.
    #[default]
    Disabled,
    /// Use the `keyring` command.
    Subprocess,
}

/// A text that is not the name of a [`KeyringProvider`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a keyring provider: expected disabled or subprocess", .0.escape_debug())]
pub struct InvalidKeyringProvider(pub String);

impl FromStr for KeyringProvider {
    type Err = InvalidKeyringProvider;

    fn from_str(text: &str) -> Result<Self, InvalidKeyringProvider> {
        match text {
            "disabled" => Ok(Self::Disabled),
            "subprocess" => Ok(Self::Subprocess),
            _ => Err(InvalidKeyringProvider(text.to_owned())),
        }
    }
}

/// Runs the `keyring` command, once for each service and username.
#[derive(Clone)]
pub(super) struct Keyring {
    search_path: OsString,
    answers: Arc<Mutex<HashMap<KeyringEntry, CachedPassword>>>,
}

/// The service, a URL or a host, and the username.
type KeyringEntry = (String, String);

/// The password after the query; `None` if the keyring does not have it.
type CachedPassword = Arc<OnceCell<Option<String>>>;

impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keyring").field("search_path", &self.search_path).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Makes one that finds the command in the directories of `search_path`, which has the form of the variable `PATH`.
    pub(super) fn new(search_path: OsString) -> Self {
        Self { search_path, answers: Arc::default() }
    }

    /// Returns the password of a user: the one that is kept for the URL, else for the host, else, where the connection is
    /// not encrypted, for the host with its scheme.
    pub(super) async fn password(&self, url: &Url, user: &str) -> Option<String> {
        for service in services(url) {
            if let Some(password) = self.ask_once(service, user).await {
                return Some(password);
            }
        }
        None
    }

    async fn ask_once(&self, service: String, user: &str) -> Option<String> {
        let question = (service, user.to_owned());
        let answer = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(question.clone()).or_default())
        };
        // Concurrent requests for the same password wait for one command.
        answer.get_or_init(|| self.ask(&question.0, user)).await.clone()
    }

    async fn ask(&self, service: &str, user: &str) -> Option<String> {
        let mut command = Command::new(self.program()?);
        // The command would parse an argument with a leading hyphen as an option.
        if service.starts_with('-') || user.starts_with('-') {
            return None;
        }
        command.args(["get", service, user]).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
        if !output.status.success() {
            return None;
        }
        let password = String::from_utf8(output.stdout).ok()?;
        let password = password.trim_end_matches(['\r', '\n']);
        (!password.is_empty()).then(|| password.to_owned())
    }

    fn program(&self) -> Option<PathBuf> {
        let directories = std::env::split_paths(&self.search_path).filter(|directory| directory.is_absolute());
        directories.map(|directory| directory.join("keyring")).find(|program| program.is_file())
    }
}

/// Returns the services of a server, in the order in which uv queries them.
fn services(url: &Url) -> Vec<String> {
    let mut bare = url.clone();
    // These fail only for URLs that cannot have credentials.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    let Some(host) = url.host_str() else { return Vec::new() };
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let with_scheme = (url.scheme() != "https").then(|| format!("{}://{host}", url.scheme()));
    [bare.into(), host].into_iter().chain(with_scheme).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_have_uvs_names() {
        assert_eq!("disabled".parse(), Ok(KeyringProvider::Disabled));
        assert_eq!("subprocess".parse(), Ok(KeyringProvider::Subprocess));
        for text in ["", "nonsense", "Subprocess"] {
            let error = text.parse::<KeyringProvider>().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("`{text}` is not a keyring provider: expected disabled or subprocess")
            );
        }
    }

    #[test]
    fn a_server_is_known_by_its_url_and_its_host() {
        for (url, expected) in [
            ("https://u:p@host/simple/", &["https://host/simple/", "host"][..]),
            ("https://host:8443/simple", &["https://host:8443/simple", "host:8443"]),
            ("http://host/x", &["http://host/x", "host", "http://host"]),
            ("file:///x", &[]),
        ] {
            assert_eq!(services(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
