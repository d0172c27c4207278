//! Profiles describe Lambda runtimes and kinds of images.
//!
//! A profile is a TOML file. Those in `profiles/` are built in, and users can write their own. The key `kind` says
//! whether it is for a Lambda runtime or an image.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::LazyLock;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::runtime::python_version_in;
use super::{Architecture, PythonVersion};
use crate::hints::{Hints, did_you_mean, nearest};
use crate::tree::TreePath;

mod image;
mod keys;
mod lambda;

pub(crate) use image::{BaseEntrypoint, ImageProfile, ImageTarget, PYTHON_PLACEHOLDER};
pub use lambda::{LambdaLimits, LambdaProfile};

/// The built-in profiles: Lambda runtimes ordered by version, other services, then images.
const BUILT_IN: [&str; 14] = [
    include_str!("../../profiles/python3.9.toml"),
    include_str!("../../profiles/python3.10.toml"),
    include_str!("../../profiles/python3.11.toml"),
    include_str!("../../profiles/python3.12.toml"),
    include_str!("../../profiles/python3.13.toml"),
    include_str!("../../profiles/python3.14.toml"),
    include_str!("../../profiles/python3.15.toml"),
    include_str!("../../profiles/azure-python3.11.toml"),
    include_str!("../../profiles/azure-python3.12.toml"),
    include_str!("../../profiles/azure-python3.13.toml"),
    include_str!("../../profiles/glue-5.0.toml"),
    include_str!("../../profiles/service.toml"),
    include_str!("../../profiles/distroless.toml"),
    include_str!("../../profiles/lambda-image.toml"),
];

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let profiles = BUILT_IN.into_iter().map(|text| Profile::from_toml(text, Path::new("profiles")));
    profiles.collect::<Result<_, _>>().expect("the built-in profiles are valid")
});

/// A profile for every architecture, built-in or from a file.
#[derive(Debug, Clone)]
pub(crate) enum Profile {
    Lambda(LambdaProfile),
    Image(ImageProfile),
}

/// The value of the key `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileKind {
    /// A Lambda runtime, for zips.
    Lambda,
    /// An image, also one for Lambda.
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

/// An installation scheme: where the parts of a wheel are installed in an artifact (PyPA, binary distribution format,
/// the `.data` directory). Paths have no leading or trailing `/`; the empty path is the root.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are named after the scheme's keys")]
pub struct Scheme {
    /// purelib and platlib.
    #[serde(deserialize_with = "artifact_path")]
    pub site_packages: String,
    #[serde(deserialize_with = "artifact_path")]
    pub scripts: String,
    /// The parent of the directories with the headers of each distribution.
    #[serde(deserialize_with = "artifact_path")]
    pub headers: String,
    #[serde(deserialize_with = "artifact_path")]
    pub data: String,
}

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message describes it")]
pub enum ProfileError {
    #[error("{} `{}` does not exist", if *kind == Some(ProfileKind::Lambda) { "runtime" } else { "profile" }, .name.escape_debug())]
    Unknown {
        name: String,
        /// The kind that is wanted.
        kind: Option<ProfileKind>,
    },
    #[error("`{}` is not a runtime: AWS Lambda has no free-threaded Python", .name.escape_debug())]
    FreeThreaded { name: String },
    #[error("{}: `{}` is not a valid key in a profile", .path.display(), .key.escape_debug())]
    UnknownKey {
        path: PathBuf,
        /// The dotted key, for instance `limits.unziped`.
        key: String,
        /// The most similar valid key.
        nearest: Option<String>,
    },
    #[error("{}:{line}: {reason}", .path.display())]
    Invalid {
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        reason: String,
    },
    #[error("profile `{name}` has kind `{kind}`, expected `{expected}`")]
    WrongKind { name: String, kind: ProfileKind, expected: ProfileKind },
}

impl ProfileError {
    /// Returns the standard build of the Python that a name ends with, if that is a free-threaded one.
    fn standard(name: &str) -> Option<PythonVersion> {
        let version: PythonVersion = name.strip_prefix("python").unwrap_or(name).parse().ok()?;
        version.free_threaded.then(|| PythonVersion::new(version.minor))
    }
}

impl Hints for ProfileError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::FreeThreaded { name } => {
                let named = Self::standard(name).map(|python| did_you_mean(&format!("python{python}")));
                named.into_iter().collect()
            }
            Self::Unknown { name, kind } => {
                let wanted = Profile::all().iter().filter(|profile| kind.is_none_or(|kind| profile.kind() == kind));
                let names: Vec<&str> = wanted.map(Profile::name).collect();
                // `py313` and `3.13.2` mean python3.13.
                let meant = match python_version_in(name) {
                    // Another version of Python is not a misspelling of this one.
                    Some(python) => Some(format!("python{python}")).filter(|meant| names.contains(&meant.as_str())),
                    None => nearest(name, names.iter().copied()).map(str::to_owned),
                };
                let meant = meant.as_deref().map(did_you_mean);
                let what = match kind {
                    Some(ProfileKind::Lambda) => "the runtimes are",
                    Some(ProfileKind::Image) => "the built-in profiles of images are",
                    None => "the built-in profiles are",
                };
                meant.into_iter().chain([format!("{what} {}", names.join(", "))]).collect()
            }
            Self::UnknownKey { nearest, .. } => nearest.iter().map(|key| did_you_mean(key)).collect(),
            Self::WrongKind { kind: ProfileKind::Lambda, .. } => vec!["use it with `pybundle lambda`".to_owned()],
            Self::WrongKind { kind: ProfileKind::Image, .. } => vec!["use it with `pybundle image`".to_owned()],
            Self::Invalid { .. } => vec![],
        }
    }
}

impl Profile {
    /// Returns the built-in profiles: Lambda runtimes ordered by version, other services, then images.
    pub(crate) fn all() -> &'static [Self] {
        &PROFILES
    }

    /// Returns the name of the profile, for instance `python3.13`.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Lambda(profile) => &profile.name,
            Self::Image(profile) => &profile.name,
        }
    }

    /// Returns a built-in profile by its name.
    ///
    /// # Errors
    /// [`ProfileError::Unknown`].
    pub(crate) fn built_in(name: &str, kind: Option<ProfileKind>) -> Result<Self, ProfileError> {
        let found = Self::all().iter().find(|profile| profile.name() == name);
        found.cloned().ok_or_else(|| match ProfileError::standard(name) {
            Some(_) => ProfileError::FreeThreaded { name: name.to_owned() },
            None => ProfileError::Unknown { name: name.to_owned(), kind },
        })
    }

    fn kind(&self) -> ProfileKind {
        match self {
            Self::Lambda(_) => ProfileKind::Lambda,
            Self::Image(_) => ProfileKind::Image,
        }
    }

    /// Returns the TOML text of a built-in profile.
    ///
    /// # Errors
    /// [`ProfileError::Unknown`].
    pub(crate) fn built_in_text(name: &str) -> Result<&'static str, ProfileError> {
        let found = Self::all().iter().zip(BUILT_IN).find(|(profile, _)| profile.name() == name);
        found.map(|(_, text)| text).ok_or_else(|| ProfileError::Unknown { name: name.to_owned(), kind: None })
    }

    /// Returns the profile of a Lambda runtime.
    ///
    /// # Errors
    /// [`ProfileError::WrongKind`].
    pub(crate) fn lambda(self) -> Result<LambdaProfile, ProfileError> {
        match self {
            Self::Lambda(profile) => Ok(profile),
            Self::Image(ImageProfile { name, .. }) => {
                Err(ProfileError::WrongKind { name, kind: ProfileKind::Image, expected: ProfileKind::Lambda })
            }
        }
    }

    /// Returns the profile of an image.
    ///
    /// # Errors
    /// [`ProfileError::WrongKind`].
    pub(crate) fn image(self) -> Result<ImageProfile, ProfileError> {
        match self {
            Self::Image(profile) => Ok(profile),
            Self::Lambda(LambdaProfile { name, .. }) => {
                Err(ProfileError::WrongKind { name, kind: ProfileKind::Lambda, expected: ProfileKind::Image })
            }
        }
    }

    /// Parses the text of a TOML file; `path` is its path for errors.
    ///
    /// # Errors
    /// The text is not TOML, a key is missing or unknown, or a value is invalid.
    pub(crate) fn from_toml(text: &str, path: &Path) -> Result<Self, ProfileError> {
        let table: toml::Table = parse(text, path)?;
        let header: ProfileHeader = parse(text, path)?;
        keys::refuse_unknown(&table, header.kind, path)?;
        Ok(match header.kind {
            ProfileKind::Lambda => Self::Lambda(parse::<lambda::LambdaFile>(text, path)?.into()),
            ProfileKind::Image => Self::Image(parse(text, path)?),
        })
    }
}

fn parse<T: serde::de::DeserializeOwned>(text: &str, path: &Path) -> Result<T, ProfileError> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        ProfileError::Invalid {
            path: path.to_owned(),
            line: 1 + text.bytes().take(start).filter(|byte| *byte == b'\n').count(),
            reason: error.message().replace('\n', "; "),
        }
    })
}

/// The key that determines which other keys are valid.
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
        return Err(D::Error::custom("expected at least one architecture"));
    }
    names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
}

/// A path inside an artifact, or the empty string for its root.
fn artifact_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if path.is_empty() {
        return Ok(path);
    }
    TreePath::new(&path).map(|path| path.to_string()).map_err(D::Error::custom)
}

/// A path for the first line of a script.
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
