//! Everything that drives a build, as typed values: flags, configuration, environment and defaults are combined before.

mod apt;
mod deploy;
mod engine;
mod environment;
mod lambda;
mod remote_cache;
mod run;
mod size;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::Url;

pub(crate) use apt::{AptSettings, AptSourceSettings, SigningKeys};
pub(crate) use deploy::DeploySettings;
pub(crate) use engine::EngineChoice;
pub(crate) use environment::{Environment, IndexVariables, Variables, is_withheld};
pub(crate) use lambda::LambdaSettings;
pub(crate) use remote_cache::{BucketPrefix, RecordPlace, RecordPolicy, RemoteCacheChoice};
pub(crate) use run::RunSettings;
pub(crate) use size::{SizeLimit, binary_size};

use crate::hints::Hints;
use crate::image::config::health::{HealthCheck, StopSignal, VolumePath};
use crate::image::config::user::UserSetting;
use crate::image::file::{ImageFile, ImageFormat, InvalidImageFile};
use crate::image::{NewUser, Port, Timestamp};
use crate::index::IndexStrategy;
use crate::lock::{FormatControl, SelectionRequest};
use crate::name::DistributionName;
use crate::platform::{Architecture, PythonVersion};
use crate::project::application::Include;
use crate::registry::{ImageReference, InvalidReference, RegistryFiles};
use crate::sbom;
use crate::silence::NetworkTimeout;
use crate::trim::{FilePattern, SlimRule};

/// The profile of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProfileChoice {
    /// The profile of the project's Python version, or of images in general.
    Default,
    BuiltIn(String),
    /// A TOML file.
    File(PathBuf),
}

/// Which cache is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CacheChoice {
    Directory(PathBuf),
    /// A temporary directory, which is removed at the end.
    Temporary,
}

/// Whether the lock is checked against pyproject.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockCheck {
    /// A lock that does not match pyproject.toml is an error.
    Locked,
    /// The lock is used without being checked.
    Frozen,
}

/// Where files may be downloaded from.
#[derive(Debug, Clone, Default)]
pub(crate) struct FetchSettings {
    pub(crate) offline: bool,
    /// The default index, if it is not PyPI.
    pub(crate) default_index: Option<Url>,
    /// Indexes that are searched before the default one.
    pub(crate) extra_indexes: Vec<Url>,
    pub(crate) no_index: bool,
    /// Directories and HTML pages with files. Files in directories are preferred to the URLs in the lock.
    pub(crate) find_links: Vec<Url>,
    pub(crate) strategy: Option<IndexStrategy>,
    /// The date after which uploaded files are ignored, as for uv: a date, a time, or a duration before now.
    pub(crate) exclude_newer: Option<String>,
    /// uv's name of the keyring provider.
    pub(crate) keyring_provider: Option<String>,
}

/// How requirements files are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RequirementsSettings {
    /// uv pins for the target what the file leaves unpinned.
    pub(crate) resolve: bool,
    pub(crate) require_hashes: bool,
    /// The file need not list the dependencies of what it lists.
    pub(crate) no_deps: bool,
}

/// How the files of wheels are installed.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContentSettings {
    /// Which files are omitted.
    pub(crate) slim: BTreeSet<SlimRule>,
    /// By the rule about them, the names of data that is kept besides that which the code names.
    pub(crate) listed: BTreeMap<SlimRule, BTreeSet<String>>,
    /// Whether debug sections are stripped from compiled files.
    pub(crate) strip: bool,
    /// The distributions whose files are installed where others have the same paths, the most preferred first.
    pub(crate) prefer: Vec<DistributionName>,
    /// Which files of dependencies are omitted, whatever they are.
    pub(crate) excluded_files: Vec<FilePattern>,
    /// The distributions whose wheels may break the specification where pip and uv do not check it.
    pub(crate) accept_invalid: BTreeSet<DistributionName>,
    /// Whether sources are compiled. By default, those of images are, if an interpreter is available.
    pub(crate) bytecode: Option<bool>,
}

/// How an artifact is audited before it is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditSettings {
    pub(crate) skip: bool,
    /// The names of modules and shared libraries, and the paths of data files, that may be missing from the artifact.
    pub(crate) allow_missing: BTreeSet<String>,
    /// The largest size of the artifact as it is stored.
    pub(crate) max_size: Option<SizeLimit>,
}

/// Which of the application's files a configuration file decides: a flag would replace its list.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ConfiguredFiles {
    pub(crate) includes: bool,
    pub(crate) excludes: bool,
}

/// The settings of every command that selects from a lock.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The project's directory, or a script.
    pub(crate) project: PathBuf,
    /// The directory whose `dist` outputs are written to by default: the project's, or the script's if it is in none.
    pub(crate) directory: PathBuf,
    /// The name of the target, if one is built.
    pub(crate) target: Option<String>,
    /// The settings of the target that this one extends: the artifact contains everything that the other's does.
    pub(crate) extends: Option<Box<Settings>>,
    /// The lock, or several requirements files; empty for the lock that is found in the project or its workspace.
    pub(crate) locks: Vec<PathBuf>,
    pub(crate) lock_check: LockCheck,
    pub(crate) request: SelectionRequest,
    pub(crate) requirements: RequirementsSettings,
    pub(crate) profile: ProfileChoice,
    /// Whether the artifact contains an application; a layer has none.
    pub(crate) has_application: bool,
    /// The application's files; empty for the default.
    pub(crate) includes: Vec<Include>,
    /// Patterns of application files that are excluded.
    pub(crate) excludes: Vec<String>,
    /// The commands that run before the application's files are collected.
    pub(crate) prepare: Vec<Vec<String>>,
    pub(crate) configured: ConfiguredFiles,
    /// The handler of a function, or the arguments of an image's entrypoint and command.
    pub(crate) started: Vec<String>,
    pub(crate) contents: ContentSettings,
    pub(crate) audit: AuditSettings,
    /// Whether wheels and source distributions may be used.
    pub(crate) formats: FormatControl,
    pub(crate) fetch: FetchSettings,
    /// The directory for a copy of each wheel that is built.
    pub(crate) wheel_dir: Option<PathBuf>,
    pub(crate) cache: CacheChoice,
    pub(crate) environment: Environment,
}

impl Settings {
    /// Returns a text that differs for settings with different results, whatever the cache, the environment and the network
    /// are. The values that variables have replaced are among the settings.
    pub(crate) fn identity(&self) -> String {
        // Without `..`, so that a new setting is not forgotten.
        let Self {
            project,
            directory,
            target,
            extends,
            locks,
            lock_check,
            request,
            requirements,
            profile,
            has_application,
            includes,
            excludes,
            prepare,
            configured,
            started,
            contents,
            audit,
            formats,
            fetch,
            wheel_dir,
            cache: _,
            environment,
        } = self;
        let FetchSettings {
            offline: _,
            default_index,
            extra_indexes,
            no_index,
            find_links,
            strategy,
            exclude_newer,
            keyring_provider: _,
        } = fetch;
        let extends = extends.as_ref().map(|extends| extends.identity());
        let parts: [&dyn fmt::Debug; 26] = [
            project,
            directory,
            target,
            &extends,
            locks,
            lock_check,
            request,
            requirements,
            profile,
            has_application,
            includes,
            excludes,
            prepare,
            configured,
            started,
            contents,
            audit,
            formats,
            default_index,
            extra_indexes,
            no_index,
            find_links,
            strategy,
            exclude_newer,
            wheel_dir,
            &environment.source_date_epoch,
        ];
        format!("{parts:?}")
    }

    /// Returns the default path of an artifact. It has the name of the target, or else `name`.
    pub(crate) fn default_output(&self, name: impl FnOnce() -> String, ending: &str) -> PathBuf {
        self.dist().join(format!("{}.{ending}", self.target.clone().unwrap_or_else(name)))
    }

    fn dist(&self) -> PathBuf {
        if self.directory == Path::new(".") { PathBuf::from("dist") } else { self.directory.join("dist") }
    }
}

/// The location of a value in a TOML file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfiguredAt {
    pub(crate) file: PathBuf,
    /// The keys that lead to the value.
    pub(crate) keys: Vec<String>,
}

/// Which documents are written about an artifact.
#[derive(Debug, Clone, Default)]
pub(crate) struct DocumentSettings {
    /// The format of the SBOM, if one is written.
    pub(crate) sbom: Option<sbom::SbomFormat>,
    /// Whether SLSA provenance is written.
    pub(crate) provenance: bool,
    /// The creation time that they state: never the time of the build, so that they are reproducible.
    pub(crate) created: Option<Timestamp>,
}

/// A base image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BaseChoice {
    /// No base: an empty file system.
    Scratch,
    /// A layout or an archive on this machine.
    File(ImageFile),
    Registry(ImageReference),
}

/// A text that is not a base image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidBase {
    #[error(transparent)]
    File(#[from] InvalidImageFile),
    #[error(transparent)]
    Reference(#[from] InvalidReference),
}

impl Hints for InvalidBase {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::File(_) => Vec::new(),
            Self::Reference(error) if error.text.starts_with(['/', '.', '~']) => {
                vec!["use oci:DIR, oci-archive:FILE or docker-archive:FILE for an image on this machine".to_owned()]
            }
            Self::Reference(error) => error.hints(),
        }
    }
}

impl FromStr for BaseChoice {
    type Err = InvalidBase;

    fn from_str(text: &str) -> Result<Self, InvalidBase> {
        // A host may have any name, but a colon after it is followed by a port or a tag, so these are no references.
        let prefix = text.split_once(':').map(|(prefix, _)| prefix);
        let is_file = ImageFormat::ALL.iter().any(|format| prefix == Some(format.prefix()));
        match text {
            "scratch" => Ok(Self::Scratch),
            _ if is_file => Ok(Self::File(text.parse()?)),
            _ => Ok(Self::Registry(text.parse()?)),
        }
    }
}

impl BaseChoice {
    /// Makes a relative path relative to a directory.
    pub(crate) fn in_directory(self, directory: &Path) -> Self {
        match self {
            Self::File(file) => Self::File(ImageFile { path: directory.join(file.path), ..file }),
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
    /// Spliced from what the wheels have compressed.
    Gzip,
    /// Smaller, but everything is compressed again.
    Zstd,
}

impl LayerCompression {
    /// Returns the name in profiles and media types.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// How a container of the image starts. What is `None` comes from the profile, or else from the base.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContainerSettings {
    /// Empty for no entrypoint.
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) command: Option<Vec<String>>,
    pub(crate) env: Vec<(String, String)>,
    /// `UID`, `UID:GID`, or a name that the image knows.
    pub(crate) user: Option<UserSetting>,
    /// Users to add to those of the base.
    pub(crate) users: Vec<NewUser>,
    pub(crate) workdir: Option<String>,
    pub(crate) ports: BTreeSet<Port>,
    pub(crate) volumes: BTreeSet<VolumePath>,
    pub(crate) health_check: Option<HealthCheck>,
    pub(crate) stop_signal: Option<StopSignal>,
    pub(crate) shell: Option<Vec<String>>,
}

/// How registries are accessed.
#[derive(Debug, Clone, Default)]
pub(crate) struct RegistrySettings {
    /// Hosts that are accessed by plain HTTP.
    pub(crate) insecure: Vec<String>,
    /// The files with mirrors.
    pub(crate) files: RegistryFiles,
    /// Whether a missing repository is created, if the registry supports that.
    pub(crate) create_repositories: bool,
    /// How long a registry may be silent.
    pub(crate) network_timeout: NetworkTimeout,
}

impl RegistrySettings {
    /// Returns what the environment says of registries.
    pub(crate) fn of(environment: &Environment) -> Self {
        Self {
            insecure: environment.insecure_registries.clone(),
            files: environment.registry_files.clone(),
            create_repositories: false,
            network_timeout: environment.network_timeout,
        }
    }
}

/// The settings of `pybundle image`.
#[derive(Debug, Clone)]
pub(crate) struct ImageSettings {
    pub(crate) common: Settings,
    /// At least one. An index lists them in this order, whatever the order of the flags.
    pub(crate) platforms: BTreeSet<Architecture>,
    /// The version of Python, if it is not that of the project or the base.
    pub(crate) python: Option<PythonVersion>,
    pub(crate) base: Option<BaseChoice>,
    pub(crate) apt: AptSettings,
    /// The flags that decide which system packages are locked: without them, `pybundle apt lock` locks others.
    pub(crate) apt_flags: Vec<String>,
    pub(crate) tags: Vec<ImageReference>,
    /// Whether the image is pushed to the registries of its tags.
    pub(crate) push: bool,
    /// The engine that the image is loaded into. The command line sets it.
    pub(crate) load: Option<EngineChoice>,
    pub(crate) outputs: Vec<ImageFile>,
    pub(crate) container: ContainerSettings,
    /// Labels, which replace those that pybundle sets.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) compression: LayerCompression,
    /// The largest number of layers on top of the base.
    pub(crate) layers: NonZeroUsize,
    /// The creation time that the image states.
    pub(crate) created: Timestamp,
    pub(crate) registry: RegistrySettings,
    /// Writes an image that exceeds the limit of its target.
    pub(crate) allow_oversize: bool,
    pub(crate) remote_cache: RemoteCacheChoice,
    pub(crate) documents: DocumentSettings,
    pub(crate) deploy: DeploySettings,
}

impl ImageSettings {
    /// Returns a text that differs for settings with different results; see [`Settings::identity`].
    pub(crate) fn identity(&self) -> String {
        let Self {
            common,
            platforms,
            python,
            base,
            apt,
            apt_flags: _,
            tags,
            push,
            load,
            outputs,
            container,
            labels,
            annotations,
            compression,
            layers,
            created,
            registry: _,
            remote_cache,
            allow_oversize,
            documents,
            deploy: _,
        } = self;
        let written = (tags, push, load, outputs, remote_cache, documents, allow_oversize);
        let image = (platforms, python, (base, apt), container, labels, annotations, compression, layers, created);
        format!("image {} {written:?} {image:?}", common.identity())
    }

    /// Returns the archives that the user names.
    pub(crate) fn archives(&self) -> impl Iterator<Item = &Path> {
        let archives = self.outputs.iter().filter(|output| !output.format.is_directory());
        archives.map(|output| output.path.as_path())
    }
}
