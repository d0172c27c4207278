//! Credentials of indexes: from URLs, from uv's and Poetry's environment variables, from Poetry's auth.toml, from uv's store, from a
//! `.netrc`, and from the `keyring` command.
//!
//! Credentials are sent only to the scheme, host and port that they belong to
//! ([RFC 9110, section 11.5](https://www.rfc-editor.org/rfc/rfc9110#section-11.5)).

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;

use netrc::{Authenticator, Netrc};
use percent_encoding::percent_decode_str;
use url::Url;

use super::keyring::Keyring;
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::redact;

/// The URL of an index, and its name.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexUrl {
    /// The name in `[[tool.uv.index]]` or `[[tool.poetry.source]]`.
    pub name: Option<String>,
    /// The URL, which may contain credentials.
    pub url: Url,
}

impl fmt::Debug for IndexUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("IndexUrl").field("name", &self.name).field("url", &redact::url(&self.url)).finish()
    }
}

/// A username and a password, for HTTP Basic authentication.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct BasicAuth {
    pub username: String,
    pub password: String,
}

impl BasicAuth {
    /// Returns the credentials in a URL.
    fn of_url(url: &Url) -> Option<Self> {
        let username = percent_decode_str(url.username()).decode_utf8_lossy().into_owned();
        let password = percent_decode_str(url.password().unwrap_or_default()).decode_utf8_lossy().into_owned();
        (!username.is_empty() || !password.is_empty()).then_some(Self { username, password })
    }

    fn of_netrc(entry: &Authenticator) -> Self {
        Self { username: entry.login.clone(), password: entry.password.clone() }
    }
}

/// The credentials of indexes. Their debug output has no secrets.
#[derive(Clone, Default)]
pub struct IndexCredentials {
    indexes: Vec<(IndexUrl, Option<BasicAuth>)>,
    netrc: HashMap<String, Authenticator>,
    /// The credentials that uv stores, by the URL of their service.
    stored: Vec<(Url, BasicAuth)>,
    /// Why the `.netrc`, or the file of Poetry or uv, cannot be read.
    netrc_error: Option<String>,
    keyring: Option<Keyring>,
}

impl fmt::Debug for IndexCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indexes: Vec<&IndexUrl> = self.indexes.iter().map(|(index, _)| index).collect();
        formatter.debug_struct("IndexCredentials").field("indexes", &indexes).finish_non_exhaustive()
    }
}

impl IndexCredentials {
    /// Collects the credentials of `indexes`: from `variables`, which are those of the environment, from the URLs, and from
    /// the `.netrc` file if it exists.
    ///
    /// As in uv, `UV_INDEX_<NAME>_USERNAME` and `UV_INDEX_<NAME>_PASSWORD` have precedence over the URL of the index NAME.
    /// As in Poetry, `POETRY_HTTP_BASIC_<NAME>_USERNAME` and `POETRY_HTTP_BASIC_<NAME>_PASSWORD` are read where uv's variables
    /// are not set. A `.netrc` that cannot be read is no error, since most files need no credentials: the hints mention it
    /// when a server refuses a request.
    pub fn new(
        variables: impl IntoIterator<Item = (String, String)>,
        netrc: Option<&Path>,
        indexes: impl IntoIterator<Item = IndexUrl>,
    ) -> Self {
        let variables: BTreeMap<String, String> = variables.into_iter().collect();
        let indexes = indexes.into_iter().map(|index| {
            let login = index.name.as_deref().and_then(|name| login_of(name, &variables));
            let login = login.or_else(|| BasicAuth::of_url(&index.url));
            (index, login)
        });
        let (netrc, netrc_error) = match netrc.map(read_netrc) {
            Some(Ok(netrc)) => (netrc.hosts, None),
            Some(Err(error)) => (HashMap::new(), Some(error)),
            None => (HashMap::new(), None),
        };
        Self { indexes: indexes.collect(), netrc, stored: Vec::new(), netrc_error, keyring: None }
    }

    /// Adds the credentials in Poetry's auth.toml, for named indexes without others. As with Poetry, the file has no effect if it
    /// does not exist; if it cannot be read, the hints mention it.
    #[must_use]
    pub fn with_poetry(mut self, auth: &Path) -> Self {
        let logins = match read_poetry_auth(auth) {
            Ok(logins) => logins,
            Err(error) => {
                self.netrc_error.get_or_insert(error);
                return self;
            }
        };
        for (index, login) in self.indexes.iter_mut().filter(|(_, login)| login.is_none()) {
            *login = index.name.as_ref().and_then(|name| logins.get(name)).cloned();
        }
        self
    }

    /// Adds the credentials that `uv auth login` stores in a file, for requests without others. The file need not exist; if it
    /// cannot be read, the hints mention it.
    #[must_use]
    pub fn with_uv(mut self, store: &Path) -> Self {
        match read_uv_store(store) {
            Ok(stored) => self.stored = stored,
            Err(error) => drop(self.netrc_error.get_or_insert(error)),
        }
        self
    }

    /// Adds the credentials in the URLs of other servers.
    #[must_use]
    pub fn with_urls(mut self, urls: impl IntoIterator<Item = IndexUrl>) -> Self {
        self.indexes.extend(urls.into_iter().map(|index| {
            let login = BasicAuth::of_url(&index.url);
            (index, login)
        }));
        self
    }

    /// Gets missing passwords from the `keyring` command, as uv does with `--keyring-provider subprocess`. The command is
    /// searched in `search_path`, which has the format of `PATH`; it runs once for each index and username, when a server is
    /// first queried.
    #[must_use]
    pub fn with_keyring(self, search_path: OsString) -> Self {
        Self { keyring: Some(Keyring::new(search_path)), ..self }
    }

    /// Returns the credentials for a request of an index.
    pub(super) async fn login(&self, url: &Url, index: Option<&Url>) -> Option<BasicAuth> {
        let login = self.known_login(url, index)?;
        let is_incomplete = login.password.is_empty() && !login.username.is_empty();
        let Some(keyring) = self.keyring.as_ref().filter(|_| is_incomplete) else { return Some(login) };
        let realm = self.index(url, index).map_or(url, |index| &index.url);
        match keyring.password(realm, &login.username).await {
            Some(password) => Some(BasicAuth { password, ..login }),
            None => Some(login),
        }
    }

    /// Returns the credentials without those of the keyring.
    fn known_login(&self, url: &Url, index: Option<&Url>) -> Option<BasicAuth> {
        let netrc = url.host_str().and_then(|host| self.netrc.get(host)).map(BasicAuth::of_netrc);
        let netrc = netrc.or_else(|| {
            let fitting = self.stored.iter().filter(|(service, _)| fit(service, url, None).1 > 0);
            fitting.max_by_key(|(service, _)| service.path().len()).map(|(_, login)| login.clone())
        });
        let login = BasicAuth::of_url(url).or_else(|| {
            let known = self.indexes.iter().filter(|(known, login)| login.is_some() && is_same_realm(&known.url, url));
            // `max_by_key` returns the last of equals, so this is the first.
            known.rev().max_by_key(|(known, _)| fit(&known.url, url, index)).and_then(|(_, login)| login.clone())
        });
        match login {
            // Only a username: the password may be in the .netrc.
            Some(login) if login.password.is_empty() => {
                netrc.filter(|netrc| netrc.username == login.username).or(Some(login))
            }
            Some(login) => Some(login),
            None => netrc,
        }
    }

    /// Returns the credentials for servers without known credentials that require some: the `default` of the `.netrc`.
    pub(super) fn fallback(&self) -> Option<BasicAuth> {
        self.netrc.get("default").map(BasicAuth::of_netrc)
    }

    pub(super) fn index_name(&self, url: &Url, index: Option<&Url>) -> Option<&str> {
        self.index(url, index).and_then(|index| index.name.as_deref())
    }

    /// Returns the index that a file belongs to.
    fn index(&self, url: &Url, index: Option<&Url>) -> Option<&IndexUrl> {
        let known = self.indexes.iter().map(|(known, _)| known);
        let fitting = known.filter(|known| fit(&known.url, url, index) > (false, 0));
        // `max_by_key` returns the last of equals, so this is the first.
        fitting.rev().max_by_key(|known| fit(&known.url, url, index))
    }

    pub(super) fn netrc_error(&self) -> Option<&str> {
        self.netrc_error.as_deref()
    }
}

/// Returns the name of an index in uv's environment variables: `my-index` becomes `MY_INDEX`.
pub(super) fn variable_name(index: &str) -> String {
    index.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// Returns the name of a source in Poetry's environment variables: `my-source` becomes `MY_SOURCE`.
fn poetry_variable_name(source: &str) -> String {
    source.to_uppercase().replace('-', "_")
}

fn login_of(index: &str, variables: &BTreeMap<String, String>) -> Option<BasicAuth> {
    let prefixes =
        [format!("UV_INDEX_{}", variable_name(index)), format!("POETRY_HTTP_BASIC_{}", poetry_variable_name(index))];
    prefixes.iter().find_map(|prefix| {
        let username = variables.get(&format!("{prefix}_USERNAME"));
        let password = variables.get(&format!("{prefix}_PASSWORD"));
        let is_set = username.is_some() || password.is_some();
        is_set.then(|| BasicAuth {
            username: username.cloned().unwrap_or_default(),
            password: password.cloned().unwrap_or_default(),
        })
    })
}

fn read_netrc(path: &Path) -> Result<Netrc, String> {
    match Netrc::from_file(path) {
        Ok(netrc) => Ok(netrc),
        Err(netrc::Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Netrc::default()),
        Err(netrc::Error::Io(error)) => Err(format!("cannot read {}: {error}", path.display())),
        // The parser's own message quotes the word that it stumbled over, which may be a password.
        Err(netrc::Error::Parsing { .. }) => Err(format!("cannot read {}: it has a syntax error", path.display())),
    }
}

/// Reads the logins of Poetry's sources, which `poetry config http-basic.NAME USERNAME PASSWORD` writes where there is no
/// keyring.
fn read_poetry_auth(path: &Path) -> Result<BTreeMap<String, BasicAuth>, String> {
    #[derive(Default, serde::Deserialize)]
    #[serde(rename_all = "kebab-case", default)]
    struct PoetryAuth {
        http_basic: BTreeMap<String, PoetryLogin>,
    }

    #[derive(serde::Deserialize)]
    struct PoetryLogin {
        username: String,
        #[serde(default)]
        password: String,
    }

    let Some(text) = read_login_file(path)? else { return Ok(BTreeMap::new()) };
    let auth: PoetryAuth = toml::from_str(&text).map_err(|_| syntax_error(path))?;
    let logins = auth.http_basic.into_iter();
    Ok(logins.map(|(name, PoetryLogin { username, password })| (name, BasicAuth { username, password })).collect())
}

/// Reads the logins that uv stores in its `credentials.toml`. Tokens are not for indexes.
fn read_uv_store(path: &Path) -> Result<Vec<(Url, BasicAuth)>, String> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct UvStore {
        credential: Vec<UvCredential>,
    }

    #[derive(serde::Deserialize)]
    struct UvCredential {
        service: Url,
        scheme: Option<String>,
        #[serde(default)]
        username: String,
        #[serde(default)]
        password: String,
    }

    let Some(text) = read_login_file(path)? else { return Ok(Vec::new()) };
    let store: UvStore = toml::from_str(&text).map_err(|_| syntax_error(path))?;
    let basic = store.credential.into_iter().filter(|login| login.scheme.as_deref().is_none_or(|it| it == "basic"));
    Ok(basic
        .map(|UvCredential { service, username, password, .. }| (service, BasicAuth { username, password }))
        .collect())
}

/// Returns the text of a file with logins, or `None` if it does not exist.
fn read_login_file(path: &Path) -> Result<Option<String>, String> {
    match limited_reader::read_regular_text(path, LARGEST_PROJECT_FILE) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// Returns that a file is malformed, without the parser's own message: it quotes the line, which may have a password.
fn syntax_error(path: &Path) -> String {
    format!("cannot read {}: it has a syntax error", path.display())
}

/// Ranks an index for a file: by whether it is the one in the lock, then by the length of the common path.
fn fit(known: &Url, url: &Url, index: Option<&Url>) -> (bool, usize) {
    let is_locked = index.is_some_and(|index| {
        is_same_realm(known, index) && known.path().trim_end_matches('/') == index.path().trim_end_matches('/')
    });
    // The files of an index are often next to `/simple`, not below it.
    let root = known.path().trim_end_matches('/').trim_end_matches("/simple");
    let is_inside = is_same_realm(known, url)
        && url.path().strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (is_locked, if is_inside { root.len() + 1 } else { 0 })
}

fn is_same_realm(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host_str() == b.host_str() && a.port_or_known_default() == b.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn index(name: &str, at: &str) -> IndexUrl {
        IndexUrl { name: (!name.is_empty()).then(|| name.to_owned()), url: url(at) }
    }

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Returns `user:password`, as it would be sent for a file.
    fn sent(credentials: &IndexCredentials, file: &str, index: Option<&str>) -> Option<String> {
        let login = credentials.known_login(&url(file), index.map(url).as_ref())?;
        Some(format!("{}:{}", login.username, login.password))
    }

    #[test]
    fn a_named_index_has_its_credentials_in_the_environment() {
        let environment = variables(&[("UV_INDEX_MY_OWN_1_USERNAME", "ann"), ("UV_INDEX_MY_OWN_1_PASSWORD", "p%40ss")]);
        let credentials = IndexCredentials::new(environment, None, [index("my-own.1", "https://x:y@host/simple/")]);
        let file = "https://host/files/a.whl";
        assert_eq!(sent(&credentials, file, None).unwrap(), "ann:p%40ss");
        assert_eq!(credentials.index_name(&url(file), None), Some("my-own.1"));
    }

    #[test]
    fn poetrys_variables_are_known_too() {
        let poetry =
            [("POETRY_HTTP_BASIC_MY_OWN.1_USERNAME", "ann"), ("POETRY_HTTP_BASIC_MY_OWN.1_PASSWORD", "p%40ss")];
        let both = [&poetry[..], &[("UV_INDEX_MY_OWN_1_USERNAME", "bob")]].concat();
        for (environment, login) in [(&poetry[..], "ann:p%40ss"), (&both, "bob:")] {
            let index = index("my-own.1", "https://host/simple/");
            let credentials = IndexCredentials::new(variables(environment), None, [index]);
            let sent = sent(&credentials, "https://host/files/a.whl", Some("https://host/simple"));
            assert_eq!(sent.unwrap(), login);
        }
    }

    #[test]
    fn credentials_in_urls_are_decoded() {
        let indexes = [
            index("", "https://a%40b:c%2Fd@one/simple"),
            index("", "https://tok@two/x"),
            index("", "https://three"),
            index("named", "https://e:f@four/simple"),
        ];
        let credentials = IndexCredentials::new(variables(&[("UV_INDEX_NAMED_PASSWORD", "g")]), None, indexes);
        assert_eq!(sent(&credentials, "https://one/f/a.whl", None).unwrap(), "a@b:c/d");
        assert_eq!(sent(&credentials, "https://two/f/a.whl", None).unwrap(), "tok:");
        assert_eq!(sent(&credentials, "https://three/f/a.whl", None), None);
        assert_eq!(sent(&credentials, "https://four/f/a.whl", None).unwrap(), ":g");
        assert_eq!(sent(&credentials, "https://h:i@one/f/a.whl", None).unwrap(), "h:i");
    }

    #[test]
    fn credentials_stay_in_their_realm() {
        let credentials = IndexCredentials::new([], None, [index("", "https://u:p@host:8443/simple")]);
        assert!(sent(&credentials, "https://host:8443/f", None).is_some());
        for file in ["http://host:8443/f", "https://host/f", "https://host:8444/f", "https://a.host:8443/f"] {
            assert_eq!(sent(&credentials, file, Some("https://host:8443/simple")), None, "{file}");
        }
        let credentials = IndexCredentials::new([], None, [index("", "https://u:p@host/simple")]);
        assert!(sent(&credentials, "https://host:443/f", None).is_some());
    }

    #[test]
    fn the_best_fitting_index_of_a_realm_is_chosen() {
        let credentials = IndexCredentials::new(
            [],
            None,
            [
                index("a", "https://a:1@host/team/simple/"),
                index("b", "https://b:1@host/team/deep/simple/"),
                index("c", "https://c:1@host/tea/simple/"),
            ],
        );
        let file = "https://host/team/deep/files/x.whl";
        assert_eq!(sent(&credentials, file, None).unwrap(), "b:1");
        assert_eq!(sent(&credentials, file, Some("https://host/tea/simple")).unwrap(), "c:1");
        assert_eq!(sent(&credentials, "https://host/team/x.whl", None).unwrap(), "a:1");
        assert_eq!(sent(&credentials, "https://host/elsewhere/x.whl", None).unwrap(), "a:1");
        assert_eq!(credentials.index_name(&url("https://host/elsewhere/x.whl"), None), None);
    }

    #[test]
    fn a_netrc_completes_what_the_indexes_say() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("netrc");
        std::fs::write(&path, "machine host login ann password one\ndefault login bob password two\n").unwrap();
        let credentials = IndexCredentials::new([], Some(&path), []);
        assert_eq!(sent(&credentials, "https://host/f", None).unwrap(), "ann:one");
        assert_eq!(sent(&credentials, "https://other/f", None), None);
        assert_eq!(credentials.fallback().unwrap().username, "bob");
        for (user, login) in [("ann", "ann:one"), ("eve", "eve:"), ("ann:x", "ann:x")] {
            let index = index("", &format!("https://{user}@host/simple"));
            assert_eq!(sent(&IndexCredentials::new([], Some(&path), [index]), "https://host/f", None).unwrap(), login);
        }
    }

    #[test]
    fn poetrys_file_is_known_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("auth.toml");
        std::fs::write(&path, "[http-basic.my-own]\nusername = \"ann\"\npassword = \"one\"\n").unwrap();
        let indexes = || [index("my-own", "https://host/simple/"), index("other", "https://u:p@other/simple/")];
        let credentials = IndexCredentials::new([], None, indexes()).with_poetry(&path);
        assert_eq!(sent(&credentials, "https://host/f", None).unwrap(), "ann:one");
        assert_eq!(sent(&credentials, "https://other/f", None).unwrap(), "u:p");
        let environment = variables(&[("POETRY_HTTP_BASIC_MY_OWN_USERNAME", "bob")]);
        let credentials = IndexCredentials::new(environment, None, indexes()).with_poetry(&path);
        assert_eq!(sent(&credentials, "https://host/f", None).unwrap(), "bob:");
        std::fs::write(&path, "[http-basic.my-own]\nusername = hunter2").unwrap();
        let credentials = IndexCredentials::new([], None, indexes()).with_poetry(&path);
        let error = credentials.netrc_error().unwrap();
        assert!(error.contains("auth.toml: it has a syntax error") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_netrc_that_cannot_be_read_is_told_of_without_its_words() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("netrc");
        std::fs::write(&path, "machine host login ann hunter2").unwrap();
        let credentials = IndexCredentials::new([], Some(&path), []);
        let error = credentials.netrc_error().unwrap();
        assert!(error.contains("syntax error") && !error.contains("hunter2"), "{error}");
        assert_eq!(IndexCredentials::new([], Some(&directory.path().join("none")), []).netrc_error(), None);
    }

    #[test]
    fn printing_shows_no_secret() {
        let environment = variables(&[("UV_INDEX_A_PASSWORD", "hunter2")]);
        let credentials =
            IndexCredentials::new(environment, None, [index("a", "https://me:hunter2@host/simple?t=hunter2")]);
        assert!(!format!("{credentials:?}").contains("hunter2"));
        assert_eq!(redact::url(&url("https://me:x@host/a?b#c")), "https://host/a");
    }
}
