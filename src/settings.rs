//! Everything that drives a build, typed: flags, environment and defaults come together here and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::Url;

use crate::audit::handler::Handler;
use crate::image::file::{ImageFile, InvalidImageFile};
use crate::image::{NewUser, Port, Timestamp};
use crate::index::Strategy;
use crate::lock::{FormatControl, SelectionRequest};
use crate::platform::{Architecture, PythonVersion};
use crate::project::application::Include;
use crate::registry::{InvalidReference, Reference};
use crate::sbom;
use crate::trim::SlimRule;

/// A target as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProfileChoice {
    /// By `.python-version` or `requires-python`.
    Default,
    /// A built-in profile.
    BuiltIn(String),
    /// A TOML file.
    File(PathBuf),
}

/// Where fetched wheels are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CacheChoice {
    /// In a folder that stays.
    Folder(PathBuf),
    /// In a temporary folder, for this build alone.
    Temporary,
}

/// How the lock is compared with pyproject.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockCheck {
    /// A lock that does not match is refused.
    Locked,
    /// The lock is taken as it is.
    Frozen,
}

/// What of the environment a build depends on. The command line reads it; nothing else does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// Every variable whose name and value are text.
    pub(crate) variables: Vec<(String, String)>,
    /// The user's `.netrc`, or what `NETRC` names.
    pub(crate) netrc: Option<PathBuf>,
    /// The user's home folder.
    pub(crate) home: Option<PathBuf>,
}

impl Environment {
    /// Returns a variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }
}

/// Where locked files may be fetched from.
#[derive(Debug, Clone, Default)]
pub(crate) struct FetchSettings {
    /// Nothing is downloaded.
    pub(crate) offline: bool,
    /// The index in the place of PyPI.
    pub(crate) default_index: Option<Url>,
    /// Further indexes, which are asked before that one.
    pub(crate) extra_indexes: Vec<Url>,
    /// No index is asked.
    pub(crate) no_index: bool,
    /// Folders and pages with files; those of folders are preferred to the lock's addresses.
    pub(crate) find_links: Vec<Url>,
    /// Which index of several decides.
    pub(crate) strategy: Option<Strategy>,
    /// Files that were uploaded later do not count, in uv's form.
    pub(crate) exclude_newer: Option<String>,
    /// Who knows passwords, by uv's name.
    pub(crate) keyring_provider: Option<String>,
}

/// How files of requirements are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RequirementsSettings {
    /// uv pins for the target what they leave open.
    pub(crate) resolve: bool,
    /// Every requirement must have a hash.
    pub(crate) require_hashes: bool,
    /// What their distributions require need not be among them.
    pub(crate) no_deps: bool,
}

/// What an installation makes of the wheels.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContentSettings {
    /// What is left out.
    pub(crate) slim: BTreeSet<SlimRule>,
    /// Whether debug sections of compiled files are dropped.
    pub(crate) strip: bool,
    /// Whether sources are compiled; if it is not said, those of images are, where that is possible.
    pub(crate) bytecode: Option<bool>,
}

/// How what was built is audited before it is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditSettings {
    /// Whether it is not.
    pub(crate) skip: bool,
    /// Modules and shared libraries that are elsewhere at run time, by their names, so that nobody misses them.
    pub(crate) allow_missing: BTreeSet<String>,
}

/// What every command that selects from a lock needs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The project's folder.
    pub(crate) project: PathBuf,
    /// The name of the target that is built, if it has one.
    pub(crate) target: Option<String>,
    /// What the target extends: everything that is in that is in this, too.
    pub(crate) extends: Option<Box<Settings>>,
    /// The lock file, if it is not the workspace's.
    pub(crate) lock: Option<PathBuf>,
    /// How the lock is compared with pyproject.toml.
    pub(crate) lock_check: LockCheck,
    /// What is selected.
    pub(crate) request: SelectionRequest,
    /// How requirements are read.
    pub(crate) requirements: RequirementsSettings,
    /// The target.
    pub(crate) profile: ProfileChoice,
    /// The application's files, if they are named.
    pub(crate) includes: Vec<Include>,
    /// What is left out of the application's files.
    pub(crate) excludes: Vec<String>,
    /// What becomes of the wheels' files.
    pub(crate) contents: ContentSettings,
    /// How what was built is audited.
    pub(crate) audit: AuditSettings,
    /// Which forms of distributions may be used.
    pub(crate) formats: FormatControl,
    /// Where files may be fetched from.
    pub(crate) fetch: FetchSettings,
    /// Where a copy of each wheel that is built is kept, if it is.
    pub(crate) wheel_dir: Option<PathBuf>,
    /// Where they are kept.
    pub(crate) cache: CacheChoice,
    /// What the build depends on besides.
    pub(crate) environment: Environment,
}

impl Settings {
    /// Returns where an artifact goes unless it is told another place: it has the target's name, or else this one.
    pub(crate) fn default_output(&self, name: impl FnOnce() -> String, ending: &str) -> PathBuf {
        self.dist().join(format!("{}.{ending}", self.target.clone().unwrap_or_else(name)))
    }

    /// Returns the folder that artifacts go into unless they are told another place.
    fn dist(&self) -> PathBuf {
        if self.project == Path::new(".") { PathBuf::from("dist") } else { self.project.join("dist") }
    }
}

/// Where a value stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfiguredAt {
    /// A TOML file.
    pub(crate) file: PathBuf,
    /// The keys that lead to the value.
    pub(crate) keys: Vec<String>,
}

/// Which documents are made about an artifact.
#[derive(Debug, Clone, Default)]
pub(crate) struct DocumentSettings {
    /// The bill of materials, if one is made.
    pub(crate) sbom: Option<sbom::SbomFormat>,
    /// Whether the provenance is stated.
    pub(crate) provenance: bool,
    /// When they say that they were made; never the time of the build.
    pub(crate) created: Option<Timestamp>,
}

/// What `pybundle lambda` builds.
#[derive(Debug, Clone)]
pub(crate) struct LambdaSettings {
    /// The project, the lock and the target.
    pub(crate) common: Settings,
    /// The target's architecture.
    pub(crate) architecture: Architecture,
    /// The function's zip; default `dist/NAME.zip` in the project.
    pub(crate) output: Option<PathBuf>,
    /// The layer's zip, if the dependencies are to be apart.
    pub(crate) layer: Option<PathBuf>,
    /// The handler, which must be in the artifact.
    pub(crate) handler: Option<Handler>,
    /// Leaves out the distributions that the runtime brings.
    pub(crate) exclude_runtime: bool,
    /// Writes an artifact that is larger than Lambda unpacks.
    pub(crate) allow_oversize: bool,
    /// The documents beside the zip.
    pub(crate) documents: DocumentSettings,
}

/// A base image as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BaseChoice {
    /// Nothing: the image has no layers but its own.
    Scratch,
    /// A file or a folder of this machine.
    File(ImageFile),
    /// An image in a registry.
    Registry(Reference),
}

/// A text that names no base image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidBase {
    /// It has the prefix of a file, and is none.
    #[error(transparent)]
    File(#[from] InvalidImageFile),
    /// It is no reference.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
}

impl FromStr for BaseChoice {
    type Err = InvalidBase;

    fn from_str(text: &str) -> Result<Self, InvalidBase> {
        // A host may have any name, but a colon after it is followed by a port or a tag, so these are no references.
        let is_file = ["oci:", "oci-archive:", "docker-archive:"].iter().any(|prefix| text.starts_with(prefix));
        match text {
            "scratch" => Ok(Self::Scratch),
            _ if is_file => Ok(Self::File(text.parse()?)),
            _ => Ok(Self::Registry(text.parse()?)),
        }
    }
}

impl BaseChoice {
    /// Returns the choice as it is meant in a file of `folder`: a relative path is below that.
    pub(crate) fn in_folder(self, folder: &Path) -> Self {
        match self {
            Self::File(file) => Self::File(ImageFile { path: folder.join(file.path), ..file }),
            other => other,
        }
    }
}

impl fmt::Display for BaseChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scratch => formatter.write_str("scratch"),
            Self::File(file) => file.fmt(formatter),
            Self::Registry(reference) => reference.fmt(formatter),
        }
    }
}

/// How layers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerCompression {
    /// gzip, spliced from what the wheels have compressed. Everything reads it.
    Gzip,
    /// zstd: smaller, but everything is compressed anew.
    Zstd,
}

impl LayerCompression {
    /// Returns the name that profiles and media types use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// How a container of the image starts; what is not given comes from the profile, and then from the base.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContainerSettings {
    /// The entrypoint; empty for none.
    pub(crate) entrypoint: Option<Vec<String>>,
    /// The command.
    pub(crate) command: Option<Vec<String>>,
    /// Variables and their values, as the process sees them.
    pub(crate) env: Vec<(String, String)>,
    /// The user, `UID` or `UID:GID` or a name that the image knows.
    pub(crate) user: Option<String>,
    /// The users that the image has besides the base's.
    pub(crate) users: Vec<NewUser>,
    /// The working directory.
    pub(crate) workdir: Option<String>,
    /// The ports that the image exposes.
    pub(crate) ports: BTreeSet<Port>,
}

/// How registries are talked to.
#[derive(Debug, Clone, Default)]
pub(crate) struct RegistrySettings {
    /// The hosts that are spoken to by plain HTTP.
    pub(crate) insecure: Vec<String>,
    /// Whether a repository that is missing is created, where the registry offers that.
    pub(crate) create_repositories: bool,
}

/// What `pybundle image` builds.
#[derive(Debug, Clone)]
pub(crate) struct ImageSettings {
    /// The project and the lock.
    pub(crate) common: Settings,
    /// The architectures; at least one. An index has them in their order, so that it does not depend on the user's.
    pub(crate) platforms: BTreeSet<Architecture>,
    /// The version of Python, if it is not the project's or the base's.
    pub(crate) python: Option<PythonVersion>,
    /// The base, if it is not the profile's.
    pub(crate) base: Option<BaseChoice>,
    /// What the image is called.
    pub(crate) tags: Vec<Reference>,
    /// Whether it is pushed to where its names say.
    pub(crate) push: bool,
    /// The files and folders that it is written to.
    pub(crate) outputs: Vec<ImageFile>,
    /// How a container starts.
    pub(crate) container: ContainerSettings,
    /// Labels of the configuration, which replace those that pybundle sets.
    pub(crate) labels: BTreeMap<String, String>,
    /// Annotations of the manifests.
    pub(crate) annotations: BTreeMap<String, String>,
    /// How layers are compressed.
    pub(crate) compression: LayerCompression,
    /// How many layers there may be besides the base's.
    pub(crate) layers: NonZeroUsize,
    /// When the image says that it was created.
    pub(crate) created: Timestamp,
    /// How registries are talked to.
    pub(crate) registry: RegistrySettings,
    /// Writes an image that is larger than its target takes.
    pub(crate) allow_oversize: bool,
    /// The documents that go with the image.
    pub(crate) documents: DocumentSettings,
}
