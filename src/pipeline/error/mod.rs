//! Errors of the pipeline.

mod conversions;
mod hints;
pub(super) mod incompatible;
pub(super) mod layer;
pub(super) mod over_budget;
pub(super) mod service;

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::apt::lock::AptLockError;
use crate::archive::ArchiveError;
use crate::audit::AuditFailures;
use crate::audit::handler::{HandlerError, InvalidHandler, UnknownHandler};
use crate::builder;
use crate::bytecode::BytecodeError;
use crate::cache::CacheError;
use crate::contents::ContentsError;
use crate::debian::InvalidDebianArchitecture;
use crate::digest::Sha256;
use crate::engine::EngineError;
use crate::fetch::{FetchError, InvalidKeyringProvider};
use crate::git::GitChangesError;
use crate::image::config::InvalidEnvValue;
use crate::image::config::substitution::InvalidEnvReference;
use crate::image::file::ImageFileError;
use crate::image::{BaseError, BasePythonError, BlobError, ImageError, UserError};
use crate::index::{IndexError, InvalidCutoff, InvalidIndexStrategy, InvalidIndexUrl};
use crate::lambda::limits::Oversize;
use crate::lock::LockError;
use crate::lock::requirements::MissingRequirement;
use crate::name::DistributionName;
use crate::pipeline::apt::{PackagesError, SystemLayerError};
use crate::pipeline::error::incompatible::{IncompatiblePython, IncompatibleWheel};
use crate::pipeline::error::layer::LayerError;
use crate::pipeline::error::over_budget::OverBudget;
use crate::pipeline::error::service::ServiceError;
use crate::platform::{Architecture, ProfileError, PythonChoiceError, PythonVersion};
use crate::project::ProjectError;
use crate::project::application::{ApplicationError, InvalidExclude};
use crate::redact;
use crate::registry::{InvalidReference, RegistryError};
use crate::repository::RepositoryError;
use crate::sdist::unpack::UnpackError;
use crate::settings::InvalidBase;
use crate::tree::{InsertError, InvalidPath, TreePath};
use crate::trim::data::DataError;
use crate::wheel::WheelError;
use crate::wheel::filename::InvalidWheelFilename;

/// A failed build: the error of one of its stages, or of what they share.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Changes(#[from] GitChangesError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Runtime(#[from] PythonChoiceError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    IndexLocation(#[from] InvalidIndexUrl),
    #[error(transparent)]
    IndexStrategy(#[from] InvalidIndexStrategy),
    #[error(transparent)]
    KeyringProvider(#[from] InvalidKeyringProvider),
    #[error(transparent)]
    Cutoff(#[from] InvalidCutoff),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Wheel(#[from] WheelError),
    #[error(transparent)]
    Builder(#[from] builder::WheelBuildError),
    #[error("cannot compile {origin} to bytecode")]
    Bytecode { origin: String, source: BytecodeError },
    #[error("cannot read {file} of {origin}")]
    Source { file: String, origin: String, source: std::io::Error },
    #[error("--compile-bytecode needs CPython {0}, which is not installed")]
    NoInterpreter(PythonVersion),
    #[error(transparent)]
    Application(#[from] ApplicationError),
    #[error("{} has no Python module to bundle: it is the root of a workspace", root.display())]
    ChooseMember { root: PathBuf, members: Vec<DistributionName> },
    #[error(transparent)]
    Exclude(#[from] InvalidExclude),
    #[error(transparent)]
    Path(#[from] InvalidPath),
    #[error(transparent)]
    Tree(#[from] InsertError),
    #[error(transparent)]
    Handler(#[from] HandlerError),
    #[error(transparent)]
    Audit(#[from] AuditFailures),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    #[error("cannot run the commands of `prepare`: --no-build forbids it")]
    PrepareNotAllowed,
    #[error("cannot start `{command}`, a command of `prepare`")]
    StartPrepare { command: String, source: std::io::Error },
    #[error("`{command}`, a command of `prepare`, failed with {status}{}", if .said.is_empty() { String::new() } else { format!(":\n{said}") })]
    Prepare {
        command: String,
        status: ExitStatus,
        /// The end of what it printed.
        said: String,
    },
    #[error(transparent)]
    Oversize(#[from] Oversize),
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    SystemLayer(#[from] SystemLayerError),
    #[error(transparent)]
    AptLock(#[from] AptLockError),
    #[error(transparent)]
    SystemPackages(#[from] PackagesError),
    #[error(transparent)]
    DebianArchitecture(#[from] InvalidDebianArchitecture),
    #[error(transparent)]
    Base(#[from] BaseError),
    #[error("the record {name} in {place} is wrong about {what}")]
    MisstatingRecord { place: String, name: String, what: String },
    #[error("cannot read the files of system packages")]
    Packages(#[source] std::io::Error),
    #[error("base image {0} has too many files to search")]
    LargeBase(Sha256),
    #[error("the base has musl, but {0} does not state its version, which decides what can be loaded")]
    UnknownMusl(String),
    #[error(transparent)]
    User(#[from] UserError),
    #[error("`{include}` cannot be included: the base image has a directory there")]
    ReplacedDirectory { include: TreePath },
    #[error(transparent)]
    Python(#[from] BasePythonError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Environment(#[from] InvalidEnvValue),
    #[error(transparent)]
    EnvReference(#[from] InvalidEnvReference),
    #[error(transparent)]
    File(#[from] ImageFileError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    BaseChoice(#[from] InvalidBase),
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    LoadZstd(EngineError),
    #[error(transparent)]
    InvalidHandler(#[from] InvalidHandler),
    #[error(transparent)]
    UnknownHandler(#[from] UnknownHandler),
    #[error(transparent)]
    Contents(#[from] ContentsError),
    #[error("`{}` does not exist", .0.escape_debug())]
    NoArtifact(String),
    #[error("image {0} does not exist in its registry")]
    NoImage(String),
    #[error("{} is a zip, which has no platforms", .0.display())]
    NoPlatforms(PathBuf),
    #[error("base image {0} does not exist")]
    NoBase(String),
    #[error("base image {0} is not cached, and --offline forbids network access")]
    OfflineBase(String),
    #[error("{0} requires a handler")]
    NoHandler(String),
    #[error("{0} accepts an image for one platform, not an image index")]
    OnePlatform(String),
    #[error("{profile} does not support layers compressed with {compression}")]
    Compression { profile: String, compression: &'static str },
    #[error("cannot write {}: a Docker archive contains the image for one platform, with layers compressed with gzip", .0.display())]
    DockerArchive(PathBuf),
    #[error("the image has {size} bytes above its base, uncompressed: {profile} allows {limit}")]
    ImageTooLarge { profile: String, size: u64, limit: u64 },
    #[error("cannot pin the base image: no configuration file or profile of the project names it")]
    NothingToPin,
    #[error("cannot pin `{}`: it does not name an image by its tag", .0.escape_debug())]
    CannotPin(String),
    #[error("cannot write {}", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot create a temporary directory")]
    Temporary(#[source] std::io::Error),
    #[error("cannot write {}", .path.display())]
    TemporaryFile { path: PathBuf, source: std::io::Error },
    #[error("cannot write a temporary file")]
    TemporaryCopy(#[source] std::io::Error),
    /// `command` is the one that creates the lock of the project; `None` for a lock that the user names.
    #[error("lock file {} does not exist", .path.display())]
    NoLock { path: PathBuf, command: Option<String> },
    #[error("lock file {} does not exist", .path.display())]
    NoLockOfConda { path: PathBuf, source_file: &'static str, command: String },
    #[error(
        "{} does not match {}, according to `uv lock --check`",
        .path.display(),
        .script.as_ref().map_or_else(|| "pyproject.toml".into(), |script| script.to_string_lossy())
    )]
    LockOutdated { path: PathBuf, script: Option<PathBuf> },
    #[error("{} is not a supported lock file", .0.display())]
    UnknownLock(PathBuf),
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{profile} is not available for {architecture}")]
    NoArchitecture { profile: String, architecture: Architecture },
    #[error("cannot build {origin}")]
    Unpack { origin: String, source: UnpackError },
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error(transparent)]
    IncompatibleWheel(#[from] Box<IncompatibleWheel>),
    #[error(transparent)]
    IncompatiblePython(#[from] Box<IncompatiblePython>),
    #[error("{origin} is {expected} in the lock, but builds {wheel}")]
    BuiltAnother { origin: String, expected: String, wheel: String },
    #[error("the build produced {}, which is not a wheel", .path.display())]
    WheelName { path: PathBuf, source: InvalidWheelFilename },
    #[error("{}: {}", not_pinned_by(.lock.as_deref(), .missing.len()), list_missing(.missing))]
    Incomplete { lock: Option<PathBuf>, command: Option<String>, missing: Vec<MissingRequirement> },
    #[error("--resolve needs a requirements file, a pyproject.toml, a setup.py, a setup.cfg or a script")]
    NothingToResolve { script: Option<PathBuf> },
    #[error("--resolve needs uv, which is not on PATH")]
    NoUv,
    #[error("cannot run uv")]
    RunUv(#[source] std::io::Error),
    #[error("uv cannot resolve {}:\n{said}", path.display())]
    Unresolvable { path: PathBuf, said: String },
    #[error("cannot determine the name of the project in {}: its setup.py computes it", .0.display())]
    Nameless(PathBuf),
    #[error("{} is given as an output twice{targets}", .path.display())]
    SameOutput { path: PathBuf, targets: String },
    #[error("cannot write {}: it is in {}, which is an output, too{targets}", .inner.display(), .outer.display())]
    NestedOutput { inner: PathBuf, outer: PathBuf, targets: String },
    #[error("cannot write the layer {}: {}", .path.display(), if *provided { "the runtime provides all dependencies" } else { "the function has no dependencies" })]
    EmptyLayer { path: PathBuf, provided: bool },
    #[error("cannot write {}: it is {input}", .path.display())]
    OutputIsInput { path: PathBuf, input: &'static str },
    #[error("the path of an output has a control character: `{}`", .0.to_string_lossy().escape_debug())]
    OutputName(PathBuf),
    #[error("cannot write an SBOM or provenance beside {}: it is not a file", .0.display())]
    DocumentsBeside(PathBuf),
    #[error("nothing to bundle: no distribution and no application file is selected")]
    Empty,
}

impl BuildError {
    /// Returns the error of what uv cannot resolve, with what uv says.
    pub(crate) fn unresolvable(path: &Path, said: &[u8]) -> Self {
        let said = redact::text(String::from_utf8_lossy(said).trim_end());
        Self::Unresolvable { path: path.to_owned(), said }
    }
}

fn not_pinned_by(lock: Option<&Path>, count: usize) -> String {
    let lock = lock.map_or_else(|| "the project".to_owned(), |lock| lock.display().to_string());
    match count {
        1 => format!("{lock} does not pin a required distribution"),
        count => format!("{lock} does not pin {count} required distributions"),
    }
}

fn list_missing(missing: &[MissingRequirement]) -> String {
    let each = missing.iter().map(|missing| format!("{} (required by {})", missing.requirement, missing.required_by));
    each.collect::<Vec<_>>().join(", ")
}
