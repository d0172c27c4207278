//! What can be wrong with options.

use std::path::PathBuf;

use super::TargetKind;
use crate::hints::{Hints, did_you_mean, nearest};
use crate::image::InvalidTimestamp;
use crate::index::InvalidLocation;
use crate::project::ProjectError;

/// Options that cannot become settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidOption {
    /// The location of an index or of files is none.
    #[error(transparent)]
    Location(#[from] InvalidLocation),
    /// The variable `SOURCE_DATE_EPOCH` is no time.
    #[error("SOURCE_DATE_EPOCH: {0}")]
    Created(#[from] InvalidTimestamp),
    /// An image is to be pushed, but has no name.
    #[error("{} is to be pushed, but has no tag", .0.as_ref().map_or("the image".to_owned(), |target| format!("the target `{target}`")))]
    PushWithoutTag(Option<String>),
}

impl Hints for InvalidOption {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Location(_) => vec!["an address looks like https://example.org/simple".to_owned()],
            Self::PushWithoutTag(_) => vec!["name it with --tag HOST/REPOSITORY:TAG".to_owned()],
            Self::Created(_) => Vec::new(),
        }
    }
}

/// What is wrong with the configuration in pyproject.toml.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigurationError {
    /// The project cannot be read.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A key that there is not.
    #[error("{}:{line}: there is no key `{key}` in [{table}]", path.display())]
    UnknownKey {
        /// The pyproject.toml.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The table.
        table: String,
        /// The key.
        key: String,
        /// The nearest key that there is.
        nearest: Option<String>,
        /// The kind that knows the key, where the target is of another.
        other: Option<TargetKind>,
    },
    /// A value is not what its key takes.
    #[error("{}:{line}: `{key}` in [{table}]: {reason}", path.display())]
    Value {
        /// The pyproject.toml.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The table.
        table: String,
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// Two keys of one table contradict each other.
    #[error("{}:{line}: `{one}` and `{other}` in [{table}] contradict each other", path.display())]
    Contradiction {
        /// The pyproject.toml.
        path: PathBuf,
        /// The line of the first, from 1.
        line: usize,
        /// The table.
        table: String,
        /// A key.
        one: &'static str,
        /// Another.
        other: &'static str,
    },
    /// A target extends itself, by way of others or not.
    #[error("{}:{line}: the target `{target}` extends itself", path.display())]
    Circle {
        /// The pyproject.toml.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The target.
        target: String,
    },
    /// There is no such target.
    #[error("{} has no target `{name}`", path.display())]
    UnknownTarget {
        /// The pyproject.toml.
        path: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A target is of another kind than the command builds.
    #[error("the target `{name}` is of the kind `{}`", kind.name())]
    OtherKind {
        /// The target.
        name: String,
        /// Its kind.
        kind: TargetKind,
    },
    /// There is no target at all.
    #[error("{} has no target", .0.display())]
    NoTargets(PathBuf),
    /// A flag cannot be taken.
    #[error("a flag cannot be taken: {0}")]
    Flags(String),
    /// What several places state does not fit together.
    #[error("the configuration does not fit together: {0}")]
    Together(String),
}

impl Hints for ConfigurationError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Project(error) => return error.hints(),
            Self::UnknownKey { other: Some(kind), key, .. } => {
                format!("`{key}` is a key of targets of the kind `{}`", kind.name())
            }
            Self::UnknownKey { nearest: Some(nearest), .. } => did_you_mean(nearest),
            Self::UnknownKey { .. } => "`pybundle config schema` prints every key".to_owned(),
            Self::Value { .. } | Self::Circle { .. } | Self::Flags(_) | Self::Together(_) => return Vec::new(),
            Self::Contradiction { .. } => "remove one of them".to_owned(),
            Self::UnknownTarget { known, name, .. } => {
                match (nearest(name, known.iter().map(String::as_str)), known.is_empty()) {
                    (Some(nearest), _) => did_you_mean(nearest),
                    (None, false) => format!("its targets are {}", known.join(", ")),
                    (None, true) => NO_TARGETS.to_owned(),
                }
            }
            Self::OtherKind { name, kind } => {
                format!("use pybundle {} --target {name}, or pybundle build {name}", kind.name())
            }
            Self::NoTargets(_) => NO_TARGETS.to_owned(),
        };
        vec![hint]
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The configuration is wrong.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// An option is.
    #[error(transparent)]
    Option(#[from] InvalidOption),
}

const NO_TARGETS: &str = "name one with a table [tool.pybundle.target.NAME], or have `pybundle init` write it";
