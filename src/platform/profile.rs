//! Profiles: what is known of each kind of target.
//!
//! A profile is a TOML file. Those under `profiles/` are built in; a user's own has the same form. Its `kind` decides
//! what it is for: a Lambda runtime, or an image.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::LazyLock;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Architecture;
use crate::hints::{Hints, did_you_mean, nearest};
use crate::tree::TreePath;

mod image;
mod keys;
mod lambda;

pub use image::{BaseEntrypoint, ImageProfile, ImageTarget, PYTHON_PLACEHOLDER};
pub use lambda::{LambdaLimits, LambdaProfile};

/// The text of each built-in profile: the Lambda runtimes ordered by version, then images.
const BUILT_IN: [&str; 10] = [
    include_str!("../../profiles/python3.9.toml"),
    include_str!("../../profiles/python3.10.toml"),
    include_str!("../../profiles/python3.11.toml"),
    include_str!("../../profiles/python3.12.toml"),
    include_str!("../../profiles/python3.13.toml"),
    include_str!("../../profiles/python3.14.toml"),
    include_str!("../../profiles/python3.15.toml"),
    include_str!("../../profiles/service.toml"),
    include_str!("../../profiles/distroless.toml"),
    include_str!("../../profiles/lambda-image.toml"),
];

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let parse = |text| Profile::from_toml(text, Path::new("profiles"));
    BUILT_IN.into_iter().map(parse).collect::<Result<_, _>>().expect("the built-in profiles are valid")
});

/// A built-in or user-written TOML profile, for every architecture.
#[derive(Debug, Clone)]
pub enum Profile {
    /// A Lambda runtime, for zips.
    Lambda(LambdaProfile),
    /// A kind of image.
    Image(ImageProfile),
}

/// What a profile is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileKind {
    /// A Lambda runtime, for zips.
    Lambda,
    /// An image.
    Image,
}

impl Display for ProfileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Lambda => "lambda",
            Self::Image => "image",
        })
    }
}

/// Where each part of a wheel goes inside an artifact: paths without a leading or trailing `/`, empty for the root.
/// (PyPA, binary distribution format, the `.data` directory.)
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scheme {
    /// purelib and platlib.
    #[serde(deserialize_with = "artifact_path")]
    pub site_packages: String,
    /// scripts.
    #[serde(deserialize_with = "artifact_path")]
    pub scripts: String,
    /// headers; each distribution's in a directory of its name below it.
    #[serde(deserialize_with = "artifact_path")]
    pub headers: String,
    /// data.
    #[serde(deserialize_with = "artifact_path")]
    pub data: String,
}

/// Why there is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No built-in profile has this name.
    #[error("there is no profile `{}`", .name.escape_debug())]
    Unknown {
        /// The name.
        name: String,
    },
    /// The file has a key that profiles do not have.
    #[error("{}: `{}` is not a key of a profile", .path.display(), .key.escape_debug())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key, with its table's name before it.
        key: String,
        /// The key that looks most like it.
        nearest: Option<String>,
    },
    /// The file is not TOML, lacks a key, or has a value that its key does not accept.
    #[error("{}:{line}: {reason}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The profile is of the other kind.
    #[error("{name} is a profile of kind `{kind}`, and `{wanted}` is needed")]
    WrongKind {
        /// The profile's name.
        name: String,
        /// Its kind.
        kind: ProfileKind,
        /// The kind that the command builds.
        wanted: ProfileKind,
    },
}

impl Hints for ProfileError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Unknown { name } => {
                let names: Vec<&str> = Profile::all().iter().map(Profile::name).collect();
                let nearest = nearest(name, names.iter().copied()).map(did_you_mean);
                nearest.into_iter().chain([format!("the built-in profiles are {}", names.join(", "))]).collect()
            }
            Self::UnknownKey { nearest, .. } => nearest.iter().map(|key| did_you_mean(key)).collect(),
            Self::WrongKind { kind: ProfileKind::Lambda, .. } => vec!["`pybundle lambda` builds for it".to_owned()],
            Self::WrongKind { kind: ProfileKind::Image, .. } => vec!["`pybundle image` builds for it".to_owned()],
            Self::Invalid { .. } => vec![],
        }
    }
}

impl Profile {
    /// Returns the built-in profiles: the Lambda runtimes ordered by version, then those of images.
    pub fn all() -> &'static [Self] {
        &PROFILES
    }

    /// Returns the name, for instance `python3.13`.
    pub fn name(&self) -> &str {
        match self {
            Self::Lambda(profile) => &profile.name,
            Self::Image(profile) => &profile.name,
        }
    }

    /// Returns the built-in profile of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn built_in(name: &str) -> Result<Self, ProfileError> {
        let found = Self::all().iter().find(|profile| profile.name() == name);
        found.cloned().ok_or_else(|| ProfileError::Unknown { name: name.to_owned() })
    }

    /// Returns the TOML text of the built-in profile of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn built_in_text(name: &str) -> Result<&'static str, ProfileError> {
        let found = Self::all().iter().zip(BUILT_IN).find(|(profile, _)| profile.name() == name);
        found.map(|(_, text)| text).ok_or_else(|| ProfileError::Unknown { name: name.to_owned() })
    }

    /// Returns the profile as a Lambda runtime.
    ///
    /// # Errors
    /// It is the profile of an image.
    pub fn lambda(self) -> Result<LambdaProfile, ProfileError> {
        match self {
            Self::Lambda(profile) => Ok(profile),
            Self::Image(ImageProfile { name, .. }) => {
                Err(ProfileError::WrongKind { name, kind: ProfileKind::Image, wanted: ProfileKind::Lambda })
            }
        }
    }

    /// Returns the profile as the profile of an image.
    ///
    /// # Errors
    /// It is a Lambda runtime.
    pub fn image(self) -> Result<ImageProfile, ProfileError> {
        match self {
            Self::Image(profile) => Ok(profile),
            Self::Lambda(LambdaProfile { name, .. }) => {
                Err(ProfileError::WrongKind { name, kind: ProfileKind::Lambda, wanted: ProfileKind::Image })
            }
        }
    }

    /// Reads a profile from the text of a TOML file; `path` is what errors call the file.
    ///
    /// # Errors
    /// The text is not TOML, lacks a key or has an unknown one, or a value is not what its key accepts.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, ProfileError> {
        let invalid = |error: toml::de::Error| ProfileError::Invalid {
            path: path.to_owned(),
            line: error
                .span()
                .map_or(1, |span| 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count()),
            reason: error.message().replace('\n', "; "),
        };
        let table: toml::Table = toml::from_str(text).map_err(invalid)?;
        let header: ProfileHeader = toml::from_str(text).map_err(invalid)?;
        keys::refuse_unknown(&table, header.kind, path)?;
        Ok(match header.kind {
            ProfileKind::Lambda => Self::Lambda(toml::from_str::<lambda::LambdaFile>(text).map_err(invalid)?.into()),
            ProfileKind::Image => Self::Image(toml::from_str(text).map_err(invalid)?),
        })
    }
}

/// The part of the file that decides what else is in it.
#[derive(Deserialize)]
struct ProfileHeader {
    kind: ProfileKind,
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn parsed_if_present<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    parsed(deserializer).map(Some)
}

fn architectures<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Architecture>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    if names.is_empty() {
        return Err(D::Error::custom("a profile has at least one architecture"));
    }
    names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
}

/// A path inside an artifact, or the empty string for its root.
fn artifact_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    match path.is_empty() {
        true => Ok(path),
        false => TreePath::new(&path).map(|path| path.to_string()).map_err(D::Error::custom),
    }
}

/// A path that can stand in the first line of a script.
fn interpreter_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if !path.starts_with('/') || path.contains(|character: char| character.is_whitespace() || character.is_control()) {
        let reason = format!("`{}` is not an absolute path without spaces", path.escape_debug());
        return Err(D::Error::custom(reason));
    }
    Ok(path)
}

#[cfg(test)]
mod tests;
