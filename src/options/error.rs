//! Errors in options and in `[tool.pybundle]`.

use std::path::PathBuf;

use super::apt_source::InvalidAptSource;
use super::{TargetKind, schema};
use crate::hints::{Hints, did_you_mean, nearest};
use crate::image::InvalidTimestamp;
use crate::index::InvalidIndexUrl;
use crate::project::ProjectError;

/// An option with a value that no build can use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidOption {
    #[error(transparent)]
    Location(#[from] InvalidIndexUrl),
    #[error(transparent)]
    AptSource(#[from] InvalidAptSource),
    #[error("SOURCE_DATE_EPOCH: {0}")]
    Created(#[from] InvalidTimestamp),
    /// An image is to be pushed, but has no tag; of a target, its name.
    #[error("cannot push {}: it has no tag", .0.as_ref().map_or("the image".to_owned(), |target| format!("target `{target}`")))]
    PushWithoutTag(Option<String>),
    /// A tag is to name several images, or none; their names.
    #[error("{}", if .0.is_empty() {
        "--tag names an image, but none is built".to_owned()
    } else {
        format!("--tag names one image, but {} are built: {}", .0.len(), .0.join(", "))
    })]
    TagOfSeveral(Vec<String>),
    #[error("cannot build target `{0}` for several platforms: a function has one architecture")]
    SeveralPlatforms(String),
    #[error("{flag} is for functions, but target `{layer}` is a layer")]
    OfFunction { flag: &'static str, layer: String },
    #[error("`healthcheck-interval`, `-timeout`, `-start-period` and `-retries` need `healthcheck`")]
    NoHealthCheck,
}

impl Hints for InvalidOption {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Location(_) => vec!["use a URL such as https://example.org/simple, or a path".to_owned()],
            Self::PushWithoutTag(_) => vec!["name the image with --tag HOST/REPOSITORY:TAG".to_owned()],
            Self::TagOfSeveral(images) if images.is_empty() => {
                vec!["omit --tag, or name a target of kind `image`".to_owned()]
            }
            Self::TagOfSeveral(images) => vec![format!(
                "name the target, for instance `pybundle build {} --tag …`, or set `tag` of each in [tool.pybundle]",
                images[0]
            )],
            Self::SeveralPlatforms(_) => {
                vec!["build the images and the functions separately, by the names of their targets".to_owned()]
            }
            Self::NoHealthCheck => vec!["set the command with --healthcheck COMMAND".to_owned()],
            Self::AptSource(_) => vec![
                "write it like a source of apt: `uris`, `suites` and `components`, for instance \
                 https://deb.debian.org/debian, trixie and main"
                    .to_owned(),
            ],
            Self::Created(_) | Self::OfFunction { .. } => Vec::new(),
        }
    }
}

/// An error in `[tool.pybundle]`. Lines are counted from 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigurationError {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error("{}:{line}: unknown key `{key}` in [{table}]", path.display())]
    UnknownKey {
        path: PathBuf,
        line: usize,
        table: String,
        key: String,
        /// The known key that was probably meant.
        nearest: Option<String>,
        /// The other kind of target, if that has the key.
        other: Option<TargetKind>,
        /// Whether this kind has a key that means the same.
        has_counterpart: bool,
    },
    #[error("{}:{line}: `{key}` in [{table}]: {reason}", path.display())]
    Value { path: PathBuf, line: usize, table: String, key: String, reason: String },
    /// A key that would let a file of the project send the user's logins unencrypted.
    #[error("{}:{line}: `{key}` in [{table}]: only the user can allow plain HTTP, which sends logins unencrypted", path.display())]
    OnlyUser { path: PathBuf, line: usize, table: String, key: String },
    #[error("{}:{line}: `{one}` and `{other}` in [{table}] cannot be used together", path.display())]
    Conflict {
        path: PathBuf,
        /// The line of the first key.
        line: usize,
        table: String,
        one: &'static str,
        other: &'static str,
    },
    /// A target extends itself, directly or through others.
    #[error("{}:{line}: target `{target}` extends itself", path.display())]
    Cycle { path: PathBuf, line: usize, target: String },
    #[error("{} has no target `{name}`", path.display())]
    UnknownTarget { path: PathBuf, name: String, known: Vec<String> },
    /// A function names a target as its layer that is none.
    #[error("cannot use target `{name}` as a layer: its kind is `{}`", kind.name())]
    NoLayer { name: String, kind: TargetKind },
    /// A target is of another kind than the command builds.
    #[error("cannot build target `{name}` as `{}`: its kind is `{}`", wanted.name(), kind.name())]
    OtherKind {
        name: String,
        kind: TargetKind,
        /// The kind that the command builds.
        wanted: TargetKind,
    },
    /// Members of the workspace have targets of that name.
    #[error("{} has no target `{name}`", path.display())]
    TargetOfMember { path: PathBuf, name: String },
    #[error("{} configures no targets", .path.display())]
    NoTargets {
        path: PathBuf,
        /// Whether members of its workspace configure some.
        has_members: bool,
        /// The table of another tool whose name is almost that of pybundle's.
        misspelled: Option<String>,
    },
    /// No file configures targets.
    #[error("{} does not exist, and configures no targets", .0.display())]
    NoConfiguration(PathBuf),
    /// None of the images that are to be pushed has a tag.
    #[error("cannot push: {} has a tag", match &targets[..] {
        [] => format!("no target in {}", path.display()),
        targets => format!("none of the named targets ({})", targets.join(", ")),
    })]
    NoTags {
        path: PathBuf,
        /// Those that the command line names.
        targets: Vec<String>,
    },
    /// A flag cannot be written as TOML, because its path is not UTF-8.
    #[error("cannot read a command-line option: {0}")]
    Flags(String),
    /// Values of several sources, each of them valid, do not make valid options.
    #[error("invalid configuration: {0}")]
    Combined(String),
}

impl Hints for ConfigurationError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Project(error) => return error.hints(),
            Self::UnknownKey { other: Some(_), key, has_counterpart, .. } => {
                let kinds = TargetKind::ALL.into_iter().filter(|kind| schema::knows(*kind, key));
                let kinds: Vec<String> = kinds.map(|kind| format!("`{}`", kind.name())).collect();
                let only = format!("`{key}` is only valid for targets of kind {}", kinds.join(" or "));
                match counterpart(key).filter(|_| *has_counterpart) {
                    Some(counterpart) => format!("{only}: use `{counterpart}`"),
                    None => only,
                }
            }
            Self::UnknownKey { nearest: Some(nearest), .. } => did_you_mean(nearest),
            Self::UnknownKey { .. } => "run `pybundle config schema` to print every key".to_owned(),
            Self::Value { .. } | Self::Cycle { .. } | Self::Flags(_) | Self::Combined(_) => return Vec::new(),
            Self::OnlyUser { key, .. } => format!(
                "remove it, and add --{key} HOST or set PYBUNDLE_INSECURE_REGISTRY=HOST; registries on this machine need neither"
            ),
            Self::Conflict { .. } => "remove one of them".to_owned(),
            Self::UnknownTarget { known, name, .. } => {
                // In a workspace, targets are named MEMBER/NAME, or NAME for those of every member.
                let candidates = known.iter().map(|known| match known.rsplit_once('/') {
                    Some((_, target)) if !name.contains('/') => target,
                    _ => known.as_str(),
                });
                match (nearest(name, candidates), known.is_empty()) {
                    (Some(nearest), _) => did_you_mean(nearest),
                    (None, false) => format!("the targets are {}", known.join(", ")),
                    (None, true) => NO_TARGETS.to_owned(),
                }
            }
            Self::OtherKind { name, kind, .. } => {
                // Layers are built by the command of functions.
                let command = if *kind == TargetKind::Image { "image" } else { "lambda" };
                format!("run `pybundle {command} --target {name}` or `pybundle build {name}`")
            }
            Self::NoTargets { has_members: true, .. } => {
                "pass --workspace to build the targets of the workspace's members".to_owned()
            }
            Self::NoTargets { misspelled: Some(table), .. } => {
                format!("did you mean [tool.pybundle]? The file has [tool.{table}]")
            }
            Self::NoTargets { .. } => NO_TARGETS.to_owned(),
            Self::NoConfiguration(_) => "write it with `pybundle init`, or run `pybundle lambda` or `pybundle image`, \
                                         which need no targets"
                .to_owned(),
            Self::TargetOfMember { .. } => "pass --workspace: a member of the workspace has this target".to_owned(),
            Self::NoLayer { .. } => "name a target of kind `layer`".to_owned(),
            Self::NoTags { .. } => "add `tag = [\"HOST/REPOSITORY:TAG\"]` to a target of kind `image`".to_owned(),
        };
        vec![hint]
    }
}

/// Returns the key of the other kind that means the same.
pub(super) fn counterpart(key: &str) -> Option<&'static str> {
    const PAIRS: [(&str, &str); 3] = [("runtime", "python"), ("arch", "platform"), ("handler", "cmd")];
    PAIRS.into_iter().find_map(|(lambda, image)| match key {
        _ if key == lambda => Some(image),
        _ if key == image => Some(lambda),
        _ => None,
    })
}

/// An error of the configuration or of an option.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    #[error(transparent)]
    Option(#[from] InvalidOption),
}

const NO_TARGETS: &str = "add a table [tool.pybundle.target.NAME], or run `pybundle init`";
