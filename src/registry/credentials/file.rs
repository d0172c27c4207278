//! Files that hold credentials: Docker's `config.json`, and podman's `auth.json`, which has the same form.
//!
//! Specification: [docker login](https://docs.docker.com/reference/cli/docker/login/), and
//! [containers-auth.json](https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::scope::Scope;
use super::{CredentialsError, KeychainOptions, Login};

/// Files come from many hands: some leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A file that holds credentials, or names programs that do.
pub(super) struct CredentialFile {
    pub path: PathBuf,
    /// In the order to look in: a key that `docker login` writes comes before another one for the same scope.
    entries: Vec<(Scope, Entry)>,
    /// By their keys as written, since helpers are asked with these; the same order.
    helpers: Vec<(String, String)>,
    store: Option<String>,
}

/// A program to ask for credentials, and the name to ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question<'a> {
    /// The program's name after `docker-credential-`.
    pub helper: &'a str,
    /// What it knows the registry by.
    pub server: &'a str,
}

#[derive(Deserialize)]
struct Document {
    auths: Option<BTreeMap<String, Option<Entry>>>,
    #[serde(rename = "credHelpers")]
    helpers: Option<BTreeMap<String, String>>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
}

/// What is written for one key. There is no `Debug`: it would show secrets.
#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// Reads the files that exist, in the order to look in: Docker's, then podman's.
pub(super) async fn read_all(options: &KeychainOptions) -> Result<Vec<CredentialFile>, CredentialsError> {
    let mut files = Vec::new();
    for path in paths(options) {
        files.extend(CredentialFile::read(&path).await?);
    }
    Ok(files)
}

/// Returns where the files may be. As podman does, a file that `REGISTRY_AUTH_FILE` names stands for all of podman's.
fn paths(options: &KeychainOptions) -> Vec<PathBuf> {
    let folder = |name: &str| options.variable(name).map(PathBuf::from);
    let at_home = |name: &str| options.home.as_ref().map(|home| home.join(name));
    let docker = folder("DOCKER_CONFIG").or_else(|| at_home(".docker")).map(|folder| folder.join("config.json"));
    let podman = match folder("REGISTRY_AUTH_FILE") {
        Some(file) => [Some(file), None],
        None => [folder("XDG_RUNTIME_DIR"), folder("XDG_CONFIG_HOME").or_else(|| at_home(".config"))]
            .map(|folder| folder.map(|folder| folder.join("containers/auth.json"))),
    };
    docker.into_iter().chain(podman.into_iter().flatten()).collect()
}

impl CredentialFile {
    /// Reads a file, if it exists.
    async fn read(path: &Path) -> Result<Option<Self>, CredentialsError> {
        match tokio::fs::read(path).await {
            Ok(bytes) => Self::parse(path, &bytes).map(Some),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(CredentialsError::Read { file: path.to_owned(), source: error }),
        }
    }

    /// Parses a file. One without content is one without credentials.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, CredentialsError> {
        let text = if bytes.trim_ascii().is_empty() { b"{}" } else { bytes };
        let document: Document =
            serde_json::from_slice(text).map_err(|error| CredentialsError::json(path, &error))?;
        let is_other_key = |key: &str| Scope::of_key(key).docker_key() != key;
        let mut auths: Vec<_> = document.auths.unwrap_or_default().into_iter().collect();
        auths.sort_by_key(|(key, _)| is_other_key(key));
        let mut helpers: Vec<_> = document.helpers.unwrap_or_default().into_iter().collect();
        helpers.sort_by_key(|(key, _)| is_other_key(key));
        Ok(Self {
            path: path.to_owned(),
            entries: auths.into_iter().filter_map(|(key, entry)| Some((Scope::of_key(&key), entry?))).collect(),
            helpers,
            store: document.store,
        })
    }

    /// Returns whom to ask about a registry: its own helper, else the store. An empty name means nobody, as for Docker.
    pub fn question<'a>(&'a self, wanted: &'a Scope) -> Option<Question<'a>> {
        let own = self.helpers.iter().find(|(key, _)| {
            let scope = Scope::of_key(key);
            scope.is_registry() && scope.host == wanted.host
        });
        let question = match (own, &self.store) {
            (Some((key, name)), _) => Question { helper: name, server: key },
            (None, Some(name)) => Question { helper: name, server: wanted.docker_key() },
            (None, None) => return None,
        };
        (!question.helper.is_empty()).then_some(question)
    }

    /// Returns the login that the file itself holds for a scope, or else for the narrowest scope around it.
    ///
    /// # Errors
    /// The entry for it cannot be decoded.
    pub fn login(&self, wanted: &Scope) -> Result<Option<Login>, CredentialsError> {
        for scope in wanted.clone().widening() {
            for (_, entry) in self.entries.iter().filter(|(known, _)| *known == scope) {
                let login = entry.login().map_err(|reason| CredentialsError::Entry {
                    file: self.path.clone(),
                    entry: scope.to_string(),
                    reason,
                })?;
                if login.is_some() {
                    return Ok(login);
                }
            }
        }
        Ok(None)
    }
}

impl Entry {
    /// Returns the login that is written; none if a helper keeps it and the entry only says that there is one.
    fn login(&self) -> Result<Option<Login>, &'static str> {
        let text = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        if let Some(token) = text(&self.identitytoken) {
            return Ok(Some(Login::IdentityToken(token.into())));
        }
        if let Some(auth) = text(&self.auth) {
            return decode(&auth).map(Some);
        }
        Ok(match (text(&self.username), text(&self.password)) {
            (Some(username), Some(password)) => Some(Login::Basic { username, password: password.into() }),
            _ => None,
        })
    }
}

/// Decodes base64 of `user:password`. Docker once padded the password with zero bytes.
fn decode(auth: &str) -> Result<Login, &'static str> {
    let bytes = BASE64.decode(auth.trim()).map_err(|_| "`auth` is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "`auth` is not UTF-8 in base64")?;
    match text.split_once(':') {
        Some((username, password)) if !username.is_empty() => Ok(Login::Basic {
            username: username.to_owned(),
            password: password.trim_matches('\0').to_owned().into(),
        }),
        _ => Err("`auth` is not `user:password` in base64"),
    }
}
