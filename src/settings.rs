//! Everything that drives a build, typed: flags, environment and defaults come together here and nowhere else.

use std::path::PathBuf;

use url::Url;

use crate::audit::handler::Handler;
use crate::lock::Request;
use crate::project::application::Include;
use crate::target::Architecture;

/// A target as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileChoice {
    /// By `.python-version` or `requires-python`.
    Default,
    /// A built-in profile.
    BuiltIn(String),
    /// A TOML file.
    File(PathBuf),
}

/// Where fetched wheels are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheChoice {
    /// In a folder that stays.
    Folder(PathBuf),
    /// In a temporary folder, for this build alone.
    Temporary,
}

/// How the lock is compared with pyproject.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockCheck {
    /// A lock that does not match is refused.
    Locked,
    /// The lock is taken as it is.
    Frozen,
}

/// What of the environment a build depends on. The command line reads it; nothing else does.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Every variable whose name and value are text.
    pub variables: Vec<(String, String)>,
    /// The user's `.netrc`, or what `NETRC` names.
    pub netrc: Option<PathBuf>,
}

impl Environment {
    /// Returns a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }
}

/// Where locked files may be fetched from.
#[derive(Debug, Clone, Default)]
pub struct FetchSettings {
    /// Nothing is downloaded.
    pub offline: bool,
    /// Index addresses, whose credentials apply to what is below them.
    pub indexes: Vec<Url>,
    /// Folders with wheels, which are preferred to the lock's addresses.
    pub find_links: Vec<PathBuf>,
}

/// What every command that selects from a lock needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The project's folder.
    pub project: PathBuf,
    /// The lock file, if it is not the workspace's.
    pub lock: Option<PathBuf>,
    /// How the lock is compared with pyproject.toml.
    pub lock_check: LockCheck,
    /// What is selected.
    pub request: Request,
    /// The target.
    pub profile: ProfileChoice,
    /// The application's files, if they are named.
    pub includes: Vec<Include>,
    /// What is left out of the application's files.
    pub excludes: Vec<String>,
    /// Where files may be fetched from.
    pub fetch: FetchSettings,
    /// Where they are kept.
    pub cache: CacheChoice,
    /// What the build depends on besides.
    pub environment: Environment,
}

/// What `pybundle lambda` builds.
#[derive(Debug, Clone)]
pub struct LambdaSettings {
    /// The project, the lock and the target.
    pub common: Settings,
    /// The target's architecture.
    pub architecture: Architecture,
    /// The function's zip; default `dist/NAME.zip` in the project.
    pub output: Option<PathBuf>,
    /// The layer's zip, if the dependencies are to be apart.
    pub layer: Option<PathBuf>,
    /// The handler, which must be in the artifact.
    pub handler: Option<Handler>,
    /// Leaves out the distributions that the runtime brings.
    pub exclude_runtime: bool,
    /// Writes an artifact that is larger than Lambda unpacks.
    pub allow_oversize: bool,
}
