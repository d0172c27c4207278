//! Why a build failed.

mod hints;
pub mod incompatible;

use std::path::{Path, PathBuf};

use crate::archive::ArchiveError;
use crate::audit::AuditFailures;
use crate::audit::handler::{HandlerError, InvalidHandler};
use crate::builder;
use crate::bytecode::BytecodeError;
use crate::cache::CacheError;
use crate::contents::ContentsError;
use crate::digest::Sha256;
use crate::fetch::FetchError;
use crate::image::config::InvalidEnvValue;
use crate::image::file::ImageFileError;
use crate::image::{BaseError, BasePythonError, BlobError, ImageError, UserError};
use crate::index::{IndexError, InvalidCutoff, InvalidLocation, InvalidStrategy};
use crate::lambda::limits::Oversize;
use crate::lock::LockError;
use crate::lock::requirements::MissingRequirement;
use crate::pipeline::error::incompatible::IncompatibleWheel;
use crate::platform::{Architecture, ProfileError, PythonChoiceError, PythonVersion};
use crate::project::application::{ApplicationError, InvalidExclude};
use crate::project::{ChangesError, ProjectError};
use crate::registry::{InvalidReference, RegistryError};
use crate::repository::RepositoryError;
use crate::sdist::unpack::UnpackError;
use crate::settings::InvalidBase;
use crate::tree::{InsertError, InvalidPath, TreePath};
use crate::wheel::WheelError;
use crate::wheel::filename::InvalidWheelFilename;

/// Why a build failed: the failure of one of its stages, or of what they have in common.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The project cannot be read.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// It cannot be told what changed.
    #[error(transparent)]
    Changes(#[from] ChangesError),
    /// The lock cannot be read, does not match, or selects nothing for the target.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The target is unknown.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// No runtime can be chosen.
    #[error(transparent)]
    Runtime(#[from] PythonChoiceError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// An index has not what is locked.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The location of an index cannot be read.
    #[error(transparent)]
    IndexLocation(#[from] InvalidLocation),
    /// There is no such strategy for indexes.
    #[error(transparent)]
    IndexStrategy(#[from] InvalidStrategy),
    /// The time from which on files are passed over cannot be read.
    #[error(transparent)]
    Cutoff(#[from] InvalidCutoff),
    /// A wheel cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A wheel is wrong.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// A source cannot be built.
    #[error(transparent)]
    Builder(#[from] builder::WheelBuildError),
    /// Sources cannot be compiled.
    #[error("{origin} cannot be compiled to bytecode")]
    Bytecode {
        /// The wheel, or the application.
        origin: String,
        /// What went wrong.
        source: BytecodeError,
    },
    /// A source that is to be compiled cannot be read, or is not what it was.
    #[error("cannot read {file} of {origin}")]
    Source {
        /// The source.
        file: String,
        /// The wheel, or the application.
        origin: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Bytecode is asked for, and nothing makes it.
    #[error("no CPython {0} is on this machine, which --compile-bytecode needs")]
    NoInterpreter(PythonVersion),
    /// The application's files cannot be collected.
    #[error(transparent)]
    Application(#[from] ApplicationError),
    /// A pattern of what to leave out is wrong.
    #[error(transparent)]
    Exclude(#[from] InvalidExclude),
    /// A path does not fit the target's root.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// Two files want one path.
    #[error(transparent)]
    Tree(#[from] InsertError),
    /// The handler is not in the artifact.
    #[error(transparent)]
    Handler(#[from] HandlerError),
    /// Something in the artifact would fail at run time.
    #[error(transparent)]
    Audit(#[from] AuditFailures),
    /// The artifact is larger than its target takes.
    #[error(transparent)]
    Oversize(#[from] Oversize),
    /// The artifact cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A base image is malformed.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// A base image is too large to be looked through.
    #[error("the base {0} has more files than can be looked through")]
    LargeBase(Sha256),
    /// A user cannot be added.
    #[error(transparent)]
    User(#[from] UserError),
    /// Something is to lie where the base has a folder.
    #[error("`{include}` cannot lie over a folder of the base's")]
    FolderThere {
        /// The path.
        include: TreePath,
    },
    /// A base image has no interpreter for the target.
    #[error(transparent)]
    Python(#[from] BasePythonError),
    /// No image can be made of the base and the layers.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A value of the profile's environment is malformed.
    #[error(transparent)]
    Environment(#[from] InvalidEnvValue),
    /// A file with an image cannot be read or written.
    #[error(transparent)]
    File(#[from] ImageFileError),
    /// A blob cannot be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The profile names no base.
    #[error(transparent)]
    BaseChoice(#[from] InvalidBase),
    /// A repository's name is none.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    /// A registry refused, or cannot be reached.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The command names no handler.
    #[error(transparent)]
    InvalidHandler(#[from] InvalidHandler),
    /// An artifact cannot be read.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// There is nothing of the name.
    #[error("there is no file or folder {}", .0.escape_debug())]
    NoArtifact(String),
    /// There is no image of the name in its registry.
    #[error("there is no image {0} in its registry")]
    NoImage(String),
    /// A platform was named, and a zip has none.
    #[error("{} is a zip, which is for no platform", .0.display())]
    NoPlatforms(PathBuf),
    /// There is no base image of the name.
    #[error("there is no image {0}")]
    NoBase(String),
    /// The base image was never fetched, and the network must not be used.
    #[error("the base {0} is not in the cache, and the network must not be used")]
    OfflineBase(String),
    /// The target starts a handler, and none is named.
    #[error("{0} starts a handler, and no handler is named")]
    NoHandler(String),
    /// The target takes no image index.
    #[error("{0} takes an image for one platform, and no index of several")]
    OnePlatform(String),
    /// The target does not read the compression.
    #[error("{profile} does not read layers that are compressed with {compression}")]
    Compression {
        /// The profile's name.
        profile: String,
        /// The compression.
        compression: &'static str,
    },
    /// A Docker archive cannot hold the image.
    #[error("{} cannot hold the image: a Docker archive holds the image of one platform, with layers in gzip", .0.display())]
    DockerArchive(PathBuf),
    /// The image is larger than its target takes.
    #[error("the image would have {size} bytes besides its base, uncompressed; {profile} takes {limit}")]
    ImageTooLarge {
        /// The profile's name.
        profile: String,
        /// The size of what is laid over the base, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The base is named by the profile that is built in, or by nothing.
    #[error("the base is named in no file of yours, so its digest cannot be written there")]
    NothingToPin,
    /// The base is no reference to one image that has a tag.
    #[error("`{}` names no image by its tag, so there is no digest to pin", .0.escape_debug())]
    CannotPin(String),
    /// A file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The temporary folder cannot be written to.
    #[error("cannot write to the temporary folder")]
    Temporary(#[source] std::io::Error),
    /// There is no lock file.
    #[error("there is no lock file {}", .0.display())]
    NoLock(PathBuf),
    /// uv says that the lock does not match.
    #[error("{} does not match pyproject.toml, as `uv lock --check` says", .0.display())]
    LockOutdated(PathBuf),
    /// The lock file is of a form that is not read.
    #[error("{} is not a lock file", .0.display())]
    UnknownLock(PathBuf),
    /// A file that drives the build cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The profile does not exist for the architecture.
    #[error("{profile} does not exist for {architecture}")]
    NoArchitecture {
        /// The profile's name.
        profile: String,
        /// The architecture that was asked for.
        architecture: Architecture,
    },
    /// A source distribution cannot be unpacked, or a project's folder is not in it or in a repository.
    #[error("cannot build from {origin}")]
    Unpack {
        /// The file's name, or the repository.
        origin: String,
        /// What is wrong with it.
        source: UnpackError,
    },
    /// A commit cannot be had.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// What was built here does not fit the target.
    #[error(transparent)]
    IncompatibleWheel(#[from] Box<IncompatibleWheel>),
    /// A source was built into a wheel of another name or version.
    #[error("{origin} is {expected} in the lock, but builds {wheel}")]
    BuiltAnother {
        /// The folder, the source distribution or the repository.
        origin: String,
        /// The name in the lock, and the version if it has one.
        expected: String,
        /// The wheel's file name.
        wheel: String,
    },
    /// A source was built into a file that is no wheel.
    #[error("{} was built, which is not a wheel", .path.display())]
    WheelName {
        /// The file.
        path: PathBuf,
        /// What is wrong with its name.
        source: InvalidWheelFilename,
    },
    /// What is pinned requires more.
    #[error("{} not pinned: {}", not_pinned_by(.lock.as_deref(), .missing.len()), list_missing(.missing))]
    Incomplete {
        /// The lock, if there is one.
        lock: Option<PathBuf>,
        /// What is missing.
        missing: Vec<MissingRequirement>,
    },
    /// There is no file whose versions could be resolved.
    #[error("there is no file of requirements to resolve")]
    NothingToResolve,
    /// Only uv resolves for a target.
    #[error("uv is not on PATH, which --resolve needs")]
    NoUv,
    /// uv cannot be started.
    #[error("cannot run uv")]
    RunUv(#[source] std::io::Error),
    /// uv finds no versions.
    #[error("uv cannot pin what {} requires:\n{said}", path.display())]
    Unresolvable {
        /// The file of requirements.
        path: PathBuf,
        /// What uv says.
        said: String,
    },
    /// The name of a project cannot be told without running its code.
    #[error("the name of the project in {} is computed by its setup.py", .0.display())]
    Nameless(PathBuf),
    /// Two outputs are to be the same file.
    #[error("{} is named as an output twice", .0.display())]
    SameOutput(PathBuf),
    /// There is nothing to bundle.
    #[error("nothing is selected, so the artifact would be empty")]
    Empty,
}

fn not_pinned_by(lock: Option<&Path>, count: usize) -> String {
    let file = lock.map(|lock| format!("{}: ", lock.display())).unwrap_or_default();
    match count {
        1 => format!("{file}a distribution is required, but"),
        count => format!("{file}{count} distributions are required, but"),
    }
}

fn list_missing(missing: &[MissingRequirement]) -> String {
    let each = missing.iter().map(|missing| format!("{} (by {})", missing.requirement, missing.required_by));
    each.collect::<Vec<_>>().join(", ")
}
