//! Credential files: Docker's `config.json`, and podman's `auth.json`, which has the same format.
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

use super::scope::CredentialScope;
use super::{CredentialsError, RegistryLogin};

/// Accepts missing padding, since not only Docker writes these files.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A file with credentials, or with the names of credential helpers.
pub(super) struct CredentialFile {
    pub path: PathBuf,
    /// Sorted: of several keys for one scope, the one that `docker login` writes comes first.
    entries: Vec<(CredentialScope, CredentialEntry)>,
    /// With the original keys, which helpers expect; in the same order.
    helpers: Vec<(String, String)>,
    store: Option<String>,
}

/// A credential helper, and the server to query it for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HelperQuery<'a> {
    /// The name of the program, without `docker-credential-`.
    pub helper: &'a str,
    /// The server, as the helper knows it.
    pub server: &'a str,
}

#[derive(Deserialize)]
struct CredentialDocument {
    auths: Option<BTreeMap<String, Option<CredentialEntry>>>,
    #[serde(rename = "credHelpers")]
    helpers: Option<BTreeMap<String, String>>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
}

/// The entry for a key. It has no `Debug`, which would show secrets.
#[derive(Deserialize)]
struct CredentialEntry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// The variable with the content of a credential file.
pub(crate) const AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";

/// Reads the content of `DOCKER_AUTH_CONFIG`, and the files that exist.
pub(super) async fn read_all(
    auth_config: Option<&str>,
    paths: &[PathBuf],
) -> Result<Vec<CredentialFile>, CredentialsError> {
    let variable = auth_config.map(|text| CredentialFile::parse(Path::new(AUTH_CONFIG), text.as_bytes()));
    let mut files: Vec<CredentialFile> = variable.into_iter().collect::<Result<_, _>>()?;
    for path in paths {
        files.extend(CredentialFile::read(path).await?);
    }
    Ok(files)
}

impl CredentialFile {
    /// Reads a file, or returns `None` if it does not exist.
    async fn read(path: &Path) -> Result<Option<Self>, CredentialsError> {
        match tokio::fs::read(path).await {
            Ok(bytes) => Self::parse(path, &bytes).map(Some),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(CredentialsError::Read { file: path.to_owned(), source: error }),
        }
    }

    /// Parses a file, which may be empty.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, CredentialsError> {
        let text = if bytes.trim_ascii().is_empty() { b"{}" } else { bytes };
        let document: CredentialDocument =
            serde_json::from_slice(text).map_err(|error| CredentialsError::json(path, &error))?;
        let mut auths: Vec<_> = document.auths.unwrap_or_default().into_iter().collect();
        auths.sort_by_key(|(key, _)| is_other_key(key));
        let mut helpers: Vec<_> = document.helpers.unwrap_or_default().into_iter().collect();
        helpers.sort_by_key(|(key, _)| is_other_key(key));
        Ok(Self {
            path: path.to_owned(),
            entries: auths
                .into_iter()
                .filter_map(|(key, entry)| Some((CredentialScope::of_key(&key), entry?)))
                .collect(),
            helpers,
            store: document.store,
        })
    }

    /// Returns the helper for a registry: its own, else the store. An empty name is no helper, as in Docker.
    pub(super) fn helper_query<'a>(&'a self, wanted: &'a CredentialScope) -> Option<HelperQuery<'a>> {
        let own = self.helpers.iter().find(|(key, _)| {
            let scope = CredentialScope::of_key(key);
            scope.is_registry() && scope.host == wanted.host
        });
        let query = match (own, &self.store) {
            (Some((key, name)), _) => HelperQuery { helper: name, server: key },
            (None, Some(name)) => HelperQuery { helper: name, server: wanted.docker_key() },
            (None, None) => return None,
        };
        (!query.helper.is_empty()).then_some(query)
    }

    /// Returns the login in the file for a scope, or else for the narrowest scope that contains it.
    ///
    /// # Errors
    /// The entry is malformed.
    pub(super) fn login(&self, wanted: &CredentialScope) -> Result<Option<RegistryLogin>, CredentialsError> {
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

impl CredentialEntry {
    /// Returns the login, or `None` if the entry is empty: Docker writes such entries for logins in a credential store.
    fn login(&self) -> Result<Option<RegistryLogin>, &'static str> {
        if let Some(token) = non_empty(&self.identitytoken) {
            return Ok(Some(RegistryLogin::IdentityToken(token.into())));
        }
        if let Some(auth) = non_empty(&self.auth) {
            return decode(&auth).map(Some);
        }
        Ok(match (non_empty(&self.username), non_empty(&self.password)) {
            (Some(username), Some(password)) => Some(RegistryLogin::Basic { username, password: password.into() }),
            _ => None,
        })
    }
}

/// Tells whether a key is not the one that `docker login` writes for its scope.
fn is_other_key(key: &str) -> bool {
    CredentialScope::of_key(key).docker_key() != key
}

fn non_empty(field: &Option<String>) -> Option<String> {
    field.clone().filter(|text| !text.is_empty())
}

/// Decodes base64 of `USER:PASSWORD`. Docker trims zero bytes from the password, too.
fn decode(auth: &str) -> Result<RegistryLogin, &'static str> {
    let bytes = BASE64.decode(auth.trim()).map_err(|_| "`auth` is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "`auth` is not UTF-8 in base64")?;
    match text.split_once(':') {
        Some((username, password)) if !username.is_empty() => Ok(RegistryLogin::Basic {
            username: username.to_owned(),
            password: password.trim_matches('\0').to_owned().into(),
        }),
        _ => Err("`auth` is not `user:password` in base64"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::credentials::KeychainOptions;

    const FILE: &str = "/home/user/.docker/config.json";

    fn parse(text: &str) -> CredentialFile {
        CredentialFile::parse(Path::new(FILE), text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn basic(username: &str, password: &str) -> Option<RegistryLogin> {
        Some(RegistryLogin::Basic { username: username.to_owned(), password: password.to_owned().into() })
    }

    fn token(text: &str) -> Option<RegistryLogin> {
        Some(RegistryLogin::IdentityToken(text.to_owned().into()))
    }

    /// `user:word`, `user:w:o:r:d`, `user:word` with zero bytes, `user:`, and an empty user with a token beside it.
    const AUTH: &str = "dXNlcjp3b3Jk";
    const COLONS: &str = "dXNlcjp3Om86cjpk";
    const ZEROS: &str = "dXNlcjp3b3JkAAA=";
    const NO_PASSWORD: &str = "dXNlcjo=";

    fn auths(entry: &str) -> String {
        format!(r#"{{"auths": {{"quay.io": {entry}}}}}"#)
    }

    #[test]
    fn entries_come_in_many_shapes() {
        for (text, login) in [
            (String::new(), None),
            ("\n ".to_owned(), None),
            ("{}".to_owned(), None),
            (r#"{"auths": null, "credHelpers": null, "credsStore": null}"#.to_owned(), None),
            (r#"{"auths": {}, "HttpHeaders": {"User-Agent": "Docker"}, "psFormat": 1}"#.to_owned(), None),
            (auths("null"), None),
            (auths("{}"), None),
            (auths(r#"{"auth": "", "email": "a@b"}"#), None),
            (auths(r#"{"auth": null, "username": null}"#), None),
            (auths(r#"{"username": "user"}"#), None),
            (auths(r#"{"password": "word"}"#), None),
            (auths(r#"{"username": "user", "password": "word"}"#), basic("user", "word")),
            (auths(&format!(r#"{{"auth": "{AUTH}"}}"#)), basic("user", "word")),
            (auths(&format!(r#"{{"auth": " {AUTH}\n"}}"#)), basic("user", "word")),
            (auths(&format!(r#"{{"auth": "{AUTH}", "username": "a", "password": "b"}}"#)), basic("user", "word")),
            (auths(&format!(r#"{{"auth": "{COLONS}"}}"#)), basic("user", "w:o:r:d")),
            (auths(&format!(r#"{{"auth": "{ZEROS}"}}"#)), basic("user", "word")),
            (auths(&format!(r#"{{"auth": "{}"}}"#, ZEROS.trim_end_matches('='))), basic("user", "word")),
            (auths(&format!(r#"{{"auth": "{NO_PASSWORD}"}}"#)), basic("user", "")),
            (auths(r#"{"identitytoken": "t0ken"}"#), token("t0ken")),
            (auths(&format!(r#"{{"auth": "{NO_PASSWORD}", "identitytoken": "t0ken"}}"#)), token("t0ken")),
            (auths(&format!(r#"{{"auth": "{AUTH}", "identitytoken": ""}}"#)), basic("user", "word")),
        ] {
            assert_eq!(parse(&text).login(&CredentialScope::of_repository("quay.io", "a/b")).unwrap(), login, "{text}");
        }
    }

    fn entry(user: &str) -> String {
        format!(r#"{{"username": "{user}", "password": "word"}}"#)
    }

    #[test]
    fn entries_are_found_by_host_and_narrowest_namespace() {
        for (keys, registry, repository, user) in [
            (&["quay.io"][..], "quay.io", "a/b", Some(0)),
            (&["quay.io"], "QUAY.io", "a/b", Some(0)),
            (&["quay.io"], "quay.io:443", "a/b", None),
            (&["quay.io:443"], "quay.io", "a/b", None),
            (&["https://quay.io"], "quay.io", "a/b", Some(0)),
            (&["https://quay.io/v2/"], "quay.io", "a/b", Some(0)),
            (&["http://localhost:5000/v1/"], "localhost:5000", "a", Some(0)),
            (&["evil-quay.io", "quay.io.evil"], "quay.io", "a", None),
            (&["https://quay.io/v1/", "quay.io"], "quay.io", "a", Some(1)),
            (&["quay.io/a", "quay.io"], "quay.io", "a/b/c", Some(0)),
            (&["quay.io/a", "quay.io/a/b/c", "quay.io/a/b"], "quay.io", "a/b/c", Some(1)),
            (&["quay.io/a/b/c", "quay.io"], "quay.io", "a/b", Some(1)),
            (&["quay.io/a"], "quay.io", "ab", None),
            (&["https://index.docker.io/v1/"], "registry-1.docker.io", "library/python", Some(0)),
            (&["https://index.docker.io/v1/"], "docker.io", "library/python", Some(0)),
            (&["docker.io", "https://index.docker.io/v1/"], "index.docker.io", "library/python", Some(1)),
            (&["docker.io/team", "https://index.docker.io/v1/"], "docker.io", "team/app", Some(0)),
            (&["https://index.docker.io/v1/access-token"], "docker.io", "library/python", None),
        ] {
            let entries: Vec<_> =
                keys.iter().enumerate().map(|(at, key)| format!("{key:?}: {}", entry(&at.to_string()))).collect();
            let file = parse(&format!(r#"{{"auths": {{{}}}}}"#, entries.join(", ")));
            let expected = user.and_then(|user: usize| basic(&user.to_string(), "word"));
            let login = file.login(&CredentialScope::of_repository(registry, repository)).unwrap();
            assert_eq!(login, expected, "{keys:?} for {registry}/{repository}");
        }
    }

    #[test]
    fn an_entry_that_is_not_asked_for_may_be_broken() {
        let file = parse(&format!(r#"{{"auths": {{"gcr.io": {{"auth": "!"}}, "quay.io": {{"auth": "{AUTH}"}}}}}}"#));
        assert_eq!(file.login(&CredentialScope::of_repository("quay.io", "a")).unwrap(), basic("user", "word"));
        assert!(file.login(&CredentialScope::of_repository("gcr.io", "a")).is_err());
    }

    #[test]
    fn helpers_are_those_that_docker_would_ask() {
        let none = None;
        for (text, registry, question) in [
            ("{}", "quay.io", none),
            (r#"{"credsStore": ""}"#, "quay.io", none),
            (r#"{"credsStore": "pass"}"#, "Quay.io", Some(("pass", "quay.io"))),
            (r#"{"credsStore": "pass"}"#, "registry-1.docker.io", Some(("pass", "https://index.docker.io/v1/"))),
            (r#"{"credsStore": "pass", "credHelpers": {"quay.io": "x"}}"#, "quay.io", Some(("x", "quay.io"))),
            (r#"{"credsStore": "pass", "credHelpers": {"quay.io": ""}}"#, "quay.io", none),
            (r#"{"credsStore": "pass", "credHelpers": {"quay.io": "x"}}"#, "gcr.io", Some(("pass", "gcr.io"))),
            (r#"{"credHelpers": {"quay.io/team": "x"}}"#, "quay.io", none),
            (r#"{"credHelpers": {"docker.io": "x"}}"#, "registry-1.docker.io", Some(("x", "docker.io"))),
            (r#"{"credHelpers": {"localhost:5000": "x"}}"#, "localhost:5000", Some(("x", "localhost:5000"))),
        ] {
            let (file, wanted) = (parse(text), CredentialScope::of_repository(registry, "team/app"));
            let question = question.map(|(helper, server)| HelperQuery { helper, server });
            assert_eq!(file.helper_query(&wanted), question, "{text} for {registry}");
        }
    }

    #[test]
    fn files_are_where_docker_and_podman_keep_them() {
        let runtime = ("XDG_RUNTIME_DIR", "/run/user/7");
        for (variables, home, paths) in [
            (&[][..], None, &[][..]),
            (&[], Some("/h"), &["/h/.docker/config.json", "/h/.config/containers/auth.json"]),
            (
                &[runtime, ("DOCKER_CONFIG", "/d"), ("XDG_CONFIG_HOME", "/c")],
                Some("/h"),
                &["/d/config.json", "/run/user/7/containers/auth.json", "/c/containers/auth.json"],
            ),
            (
                &[runtime, ("REGISTRY_AUTH_FILE", "/auth"), ("DOCKER_CONFIG", "")],
                Some("/h"),
                &["/h/.docker/config.json", "/auth"],
            ),
        ] {
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let options = KeychainOptions::resolve(variables, home.map(Path::new));
            assert_eq!(options.files, paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        }
    }
}
