//! What the environment, the tools on `PATH` and the clock contribute to a build: resolved once, into typed values.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::aws::AwsEnvironment;
use crate::image::{InvalidTimestamp, Timestamp};
use crate::interpreter::InterpreterLocations;
use crate::registry::RegistryFiles;
use crate::registry::credentials::{self, KeychainOptions};
use crate::silence::NetworkTimeout;

/// The environment variables whose name and value are UTF-8. One without a value counts as not set.
#[derive(Clone, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl fmt::Debug for Variables {
    /// Shows none: there may be passwords among them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Variables").finish_non_exhaustive()
    }
}

impl Variables {
    pub(crate) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// Returns those whose names begin with one of some prefixes.
    fn with_prefixes(&self, prefixes: &[&str]) -> Self {
        let wanted = self.0.iter().filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)));
        Self(wanted.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    fn without_prefixes(&self, prefixes: &[&str]) -> Self {
        let others = self.0.iter().filter(|(name, _)| !prefixes.iter().any(|prefix| name.starts_with(prefix)));
        Self(others.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// Returns the names and the values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(|(name, value)| (name.clone(), value.clone()))
    }
}

/// The prefixes of variables that no process inherits from pybundle: credentials of registries and indexes, which build
/// backends and git would pass on to code of others. uv gets back those of its own indexes.
const WITHHELD: [&str; 8] = [
    credentials::VARIABLE_PREFIX,
    credentials::AUTH_CONFIG,
    "POETRY_HTTP_BASIC_",
    "UV_PUBLISH_",
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
];

/// Returns whether a variable is removed from the environment, so that no process inherits it.
pub(crate) fn is_withheld(name: &str) -> bool {
    WITHHELD.iter().any(|prefix| name.starts_with(prefix))
}

/// What a build takes from the environment. The command line reads it once, and nothing else does.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    pub(crate) indexes: IndexVariables,
    pub(crate) index_credentials: IndexCredentialSources,
    pub(crate) registry_credentials: KeychainOptions,
    /// Where AWS credentials come from.
    pub(crate) aws: AwsEnvironment,
    /// The files of podman and Docker with the mirrors of registries.
    pub(crate) registry_files: RegistryFiles,
    /// The hosts in `PYBUNDLE_INSECURE_REGISTRY`, which are accessed by plain HTTP.
    pub(crate) insecure_registries: Vec<String>,
    /// `SOURCE_DATE_EPOCH`, if it is set. Whether an invalid one is an error depends on who needs it.
    pub(crate) source_date_epoch: Option<Result<Timestamp, InvalidTimestamp>>,
    /// The directories of executables, as in `PATH`.
    pub(crate) search_path: Option<OsString>,
    /// Whether git uses the SSH client of `GIT_SSH`.
    pub(crate) has_git_ssh: bool,
    pub(crate) interpreters: InterpreterLocations,
    /// What `${NAME}` in a requirements file stands for: a file of the project, which may not send the logins of registries
    /// to an index.
    pub(crate) references: Variables,
    /// How long servers may be silent. The command line sets it.
    pub(crate) network_timeout: NetworkTimeout,
    /// The time at which the command was started.
    pub(crate) now: SystemTime,
}

/// Where the credentials of indexes are looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct IndexCredentialSources {
    /// The variables of uv and Poetry that contain credentials.
    pub(crate) variables: Variables,
    /// The `.netrc` of the user, or the file that `NETRC` names.
    pub(crate) netrc: Option<PathBuf>,
    /// Poetry's auth.toml, which may not exist.
    pub(crate) poetry_auth: Option<PathBuf>,
    /// The file in which `uv auth login` stores credentials, which may not exist.
    pub(crate) uv_store: Option<PathBuf>,
}

/// The variables of uv that set options of indexes, of which the first of each list is uv's newer name.
#[derive(Debug, Clone, Default)]
pub(crate) struct IndexVariables(Variables);

impl IndexVariables {
    const DEFAULT_INDEX: [&'static str; 2] = ["UV_DEFAULT_INDEX", "UV_INDEX_URL"];
    const INDEX: [&'static str; 2] = ["UV_INDEX", "UV_EXTRA_INDEX_URL"];
    const FIND_LINKS: [&'static str; 1] = ["UV_FIND_LINKS"];
    const INDEX_STRATEGY: [&'static str; 1] = ["UV_INDEX_STRATEGY"];
    const EXCLUDE_NEWER: [&'static str; 1] = ["UV_EXCLUDE_NEWER"];
    const KEYRING_PROVIDER: [&'static str; 1] = ["UV_KEYRING_PROVIDER"];

    /// The keys of `[tool.pybundle]` that variables set, each with its variables.
    pub(crate) const KEYS: [(&'static str, &'static [&'static str]); 6] = [
        ("index-url", &Self::DEFAULT_INDEX),
        ("extra-index-url", &Self::INDEX),
        ("find-links", &Self::FIND_LINKS),
        ("index-strategy", &Self::INDEX_STRATEGY),
        ("exclude-newer", &Self::EXCLUDE_NEWER),
        ("keyring-provider", &Self::KEYRING_PROVIDER),
    ];

    fn new(variables: &Variables) -> Self {
        let names = Self::KEYS.iter().flat_map(|(_, names)| *names);
        let set = names.filter_map(|name| Some(((*name).to_owned(), variables.get(name)?.to_owned())));
        Self(Variables::new(set))
    }

    /// Returns the value of a variable of [`KEYS`](Self::KEYS), if it is set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// Returns the default indexes, of which the first takes precedence.
    pub(crate) fn default_indexes(&self) -> impl Iterator<Item = &str> {
        self.words(&Self::DEFAULT_INDEX)
    }

    /// Returns the indexes that are searched before the default one.
    pub(crate) fn extra_indexes(&self) -> impl Iterator<Item = &str> {
        self.words(&Self::INDEX)
    }

    /// Returns the directories and pages with files, which commas separate.
    pub(crate) fn find_links(&self) -> impl Iterator<Item = &str> {
        self.first(&Self::FIND_LINKS).unwrap_or_default().split(',').filter(|text| !text.is_empty())
    }

    pub(crate) fn strategy(&self) -> Option<&str> {
        self.first(&Self::INDEX_STRATEGY)
    }

    pub(crate) fn exclude_newer(&self) -> Option<&str> {
        self.first(&Self::EXCLUDE_NEWER)
    }

    pub(crate) fn keyring_provider(&self) -> Option<&str> {
        self.first(&Self::KEYRING_PROVIDER)
    }

    fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    fn words<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
        names.iter().flat_map(|name| self.get(name).unwrap_or_default().split_whitespace())
    }
}

impl Environment {
    /// Resolves variables, with the user's home directory and `.netrc`, and the present time.
    pub(crate) fn new(variables: Variables, home: Option<&Path>, netrc: Option<PathBuf>, now: SystemTime) -> Self {
        let data = variables.path("XDG_DATA_HOME").or_else(|| Some(home?.join(".local/share")));
        let search_path = variables.get("PATH").map(OsString::from);
        Self {
            indexes: IndexVariables::new(&variables),
            index_credentials: IndexCredentialSources {
                variables: variables.with_prefixes(&["UV_", "POETRY_HTTP_BASIC_"]),
                netrc,
                uv_store: variables
                    .path("UV_CREDENTIALS_DIR")
                    .or_else(|| Some(data.as_ref()?.join("uv/credentials")))
                    .map(|directory| directory.join("credentials.toml")),
                poetry_auth: poetry_directory(&variables, home).map(|directory| directory.join("auth.toml")),
            },
            registry_credentials: KeychainOptions::resolve(variables.pairs(), home),
            aws: AwsEnvironment::new(&variables.0, home),
            registry_files: RegistryFiles::of_system(&|name| variables.path(name), home),
            insecure_registries: variables
                .get("PYBUNDLE_INSECURE_REGISTRY")
                .into_iter()
                .flat_map(|hosts| hosts.split([',', ' ']))
                .filter(|host| !host.is_empty())
                .map(str::to_owned)
                .collect(),
            source_date_epoch: variables.get("SOURCE_DATE_EPOCH").map(str::parse),
            has_git_ssh: variables.get("GIT_SSH").is_some(),
            interpreters: InterpreterLocations {
                uv: variables.path("UV_PYTHON_INSTALL_DIR").or_else(|| Some(data?.join("uv/python"))),
                search_path: search_path.clone(),
                pyenv: variables.path("PYENV_ROOT").or_else(|| Some(home?.join(".pyenv"))),
            },
            search_path,
            references: variables.without_prefixes(&[credentials::VARIABLE_PREFIX, credentials::AUTH_CONFIG]),
            network_timeout: NetworkTimeout::default(),
            now,
        }
    }

    /// Returns the variables of indexes that uv reads, and does not inherit.
    pub(crate) fn of_uv(&self) -> impl Iterator<Item = (String, String)> {
        self.index_credentials
            .variables
            .pairs()
            .filter(|(name, _)| is_withheld(name) && name.starts_with("UV_") && !name.starts_with("UV_PUBLISH_"))
    }

    /// Returns the directories of executables, as in `PATH`.
    pub(crate) fn search_path(&self) -> Option<&OsStr> {
        self.search_path.as_deref()
    }
}

/// Returns the directory of Poetry's configuration, as in
/// [its documentation](https://python-poetry.org/docs/configuration/#config-directory).
fn poetry_directory(variables: &Variables, home: Option<&Path>) -> Option<PathBuf> {
    let of_user = || {
        if cfg!(target_os = "macos") {
            return Some(home?.join("Library/Application Support"));
        }
        variables.path("XDG_CONFIG_HOME").or_else(|| Some(home?.join(".config")))
    };
    variables.path("POETRY_CONFIG_DIR").or_else(|| Some(of_user()?.join("pypoetry")))
}
