//! Why a build failed.

use std::path::PathBuf;

use crate::archive::ArchiveError;
use crate::audit::handler::HandlerError;
use crate::cache::CacheError;
use crate::fetch::FetchError;
use crate::lambda::limits::Oversize;
use crate::lock::LockError;
use crate::name::DistributionName;
use crate::project::ProjectError;
use crate::project::application::{ApplicationError, InvalidExclude};
use crate::project::builder;
use crate::target::{Architecture, ProfileError, RuntimeError};
use crate::tree::{InsertError, InvalidPath};
use crate::wheel::WheelError;
use crate::wheel::filename::InvalidWheelFilename;

/// Why a build failed: the failure of one of its stages, or of what they have in common.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The project cannot be read.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The lock cannot be read, does not match, or selects nothing for the target.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The target is unknown.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// No runtime can be chosen.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A wheel cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A wheel is wrong.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// A local project cannot be built.
    #[error(transparent)]
    Builder(#[from] builder::BuildError),
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
    /// The artifact is larger than its target takes.
    #[error(transparent)]
    Oversize(#[from] Oversize),
    /// The artifact cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// There is no lock file.
    #[error("there is no lock file {}", .0.display())]
    NoLock(PathBuf),
    /// uv says that the lock does not match.
    #[error("{} does not match pyproject.toml, as `uv lock --check` says", .0.display())]
    LockOutdated(PathBuf),
    /// The lock file is of a form that is not read.
    #[error("{} is not a uv.lock", .0.display())]
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
    /// A local project was built into a wheel that the target cannot load.
    #[error("{name} was built here into {wheel}, which does not fit {target}")]
    BuiltForAnotherTarget {
        /// The project.
        name: DistributionName,
        /// The wheel's file name.
        wheel: String,
        /// The target.
        target: String,
    },
    /// A local project was built into a wheel of another name.
    #[error("{} is {expected} in the lock, but builds {wheel}", .folder.display())]
    BuiltAnother {
        /// The project's folder.
        folder: PathBuf,
        /// The name in the lock.
        expected: DistributionName,
        /// The wheel's file name.
        wheel: String,
    },
    /// A local project was built into a file that is no wheel.
    #[error("{} was built, which is not a wheel", .path.display())]
    WheelName {
        /// The file.
        path: PathBuf,
        /// What is wrong with its name.
        source: InvalidWheelFilename,
    },
    /// Function and layer are to be the same file.
    #[error("{} cannot be both the function's zip and the layer's", .0.display())]
    SameOutput(PathBuf),
    /// There is nothing to bundle.
    #[error("nothing is selected, so the artifact would be empty")]
    Empty,
}

impl BuildError {
    /// Returns what the user can do about it.
    pub fn hints(&self) -> Vec<String> {
        let hint = |text: &str| vec![text.to_owned()];
        match self {
            Self::Project(error) => error.hints(),
            Self::Lock(error) => error.hints(),
            Self::Profile(error) => error.hints(),
            Self::Runtime(error) => error.hints(),
            Self::Cache(error) => error.hints(),
            Self::Fetch(error) => error.hints(),
            Self::Wheel(error) => error.hints(),
            Self::Builder(error) => error.hints(),
            Self::Application(error) => error.hints(),
            Self::Handler(error) => error.hints(),
            Self::Oversize(error) => error.hints(),
            Self::Archive(error) => error.hints(),
            Self::Tree(InsertError::Content(_) | InsertError::Kind(_)) => {
                hint("leave one of the two out with --no-install-package, or lock versions that agree")
            }
            Self::Tree(InsertError::Read(..)) | Self::Read { .. } => Vec::new(),
            Self::WheelName { .. } | Self::Exclude(_) | Self::Path(_) => Vec::new(),
            Self::NoLock(_) => hint("`uv lock` makes one; --lock names another"),
            Self::LockOutdated(_) => hint("run `uv lock`, or take the lock as it is with --frozen"),
            Self::UnknownLock(_) => hint("name a uv.lock; other lock files are not read yet"),
            Self::NoArchitecture { .. } => hint("`pybundle profile list` shows what there is"),
            Self::BuiltForAnotherTarget { .. } => hint(
                "a project with extension modules is built for the machine it is built on; build its wheel for the \
                 target elsewhere, and lock that",
            ),
            Self::BuiltAnother { .. } => hint("run `uv lock`"),
            Self::SameOutput(_) => hint("give --output and --layer different names"),
            Self::Empty => hint("name the application's files with --include, or a group with --group"),
        }
    }
}
