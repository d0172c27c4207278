//! Profiles: what is known of each kind of target.
//!
//! A profile is a TOML file. Those under `profiles/` are built in; a user's own has the same form.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::LazyLock;

use pep440_rs::Version;
use serde::{Deserialize, Deserializer};

use super::{Architecture, Glibc, PythonVersion};
use crate::name::DistributionName;
use crate::tree::TreePath;

/// The text of each built-in profile, ordered by version.
const BUILT_IN: [&str; 7] = [
    include_str!("../../profiles/python3.9.toml"),
    include_str!("../../profiles/python3.10.toml"),
    include_str!("../../profiles/python3.11.toml"),
    include_str!("../../profiles/python3.12.toml"),
    include_str!("../../profiles/python3.13.toml"),
    include_str!("../../profiles/python3.14.toml"),
    include_str!("../../profiles/python3.15.toml"),
];

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let parse = |text| Profile::from_toml(text, Path::new("profiles"));
    BUILT_IN.into_iter().map(parse).collect::<Result<_, _>>().expect("the built-in profiles are valid")
});

/// A built-in or user-written TOML profile: everything known of one kind of target, for every architecture.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The name, for instance `python3.13`.
    pub name: String,
    /// The interpreter's minor version.
    pub python: PythonVersion,
    /// The interpreter's full version, if it is to be fixed; else `X.Y.0` as in uv.
    pub python_full_version: Version,
    /// Whether the runtime is generally available; one that is not is only chosen by its name.
    pub available: bool,
    /// The interpreter's path at run time, for instance `/var/lang/bin/python3.13`.
    pub interpreter: String,
    /// The C library of the runtime.
    pub glibc: Glibc,
    /// The architectures that exist; at least one.
    pub architectures: Vec<Architecture>,
    /// Where a function's files go.
    pub function: Scheme,
    /// Where a layer's files go.
    pub layer: Scheme,
    /// The limits of the artifacts.
    pub limits: Limits,
    /// The distributions that the runtime brings (the SDK and what it needs), by name.
    pub runtime_distributions: Vec<DistributionName>,
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
    /// headers; each distribution's in a folder of its name below it.
    #[serde(deserialize_with = "artifact_path")]
    pub headers: String,
    /// data.
    #[serde(deserialize_with = "artifact_path")]
    pub data: String,
}

/// The limits of a Lambda deployment package, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// The largest zip that can be uploaded directly: 52,428,800.
    pub direct_upload: u64,
    /// The largest size of function and layers together, unzipped: 262,144,000.
    pub unzipped: u64,
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
    #[error("{}, line {line}: {reason}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

impl ProfileError {
    /// Returns what may be done about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Unknown { name } => {
                let names: Vec<&str> = Profile::all().iter().map(|profile| profile.name.as_str()).collect();
                let nearest = nearest(name, &names).map(|nearest| format!("did you mean `{nearest}`?"));
                nearest.into_iter().chain([format!("the built-in profiles are {}", names.join(", "))]).collect()
            }
            Self::UnknownKey { nearest, .. } => nearest.iter().map(|key| format!("did you mean `{key}`?")).collect(),
            Self::Invalid { .. } => vec![],
        }
    }
}

impl Profile {
    /// Returns the built-in profiles, ordered by version.
    pub fn all() -> &'static [Self] {
        &PROFILES
    }

    /// Returns the built-in profile of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn built_in(name: &str) -> Result<Self, ProfileError> {
        let found = Self::all().iter().find(|profile| profile.name == name);
        found.cloned().ok_or_else(|| ProfileError::Unknown { name: name.to_owned() })
    }

    /// Returns the TOML text of the built-in profile of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn built_in_text(name: &str) -> Result<&'static str, ProfileError> {
        let found = Self::all().iter().zip(BUILT_IN).find(|(profile, _)| profile.name == name);
        found.map(|(_, text)| text).ok_or_else(|| ProfileError::Unknown { name: name.to_owned() })
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
        refuse_unknown_keys(&table, path)?;
        let file: ProfileFile = toml::from_str(text).map_err(invalid)?;
        Ok(Self {
            name: file.name,
            python: file.python,
            python_full_version: file.python_full_version.unwrap_or_else(|| file.python.patch_release(0)),
            available: file.available,
            interpreter: file.interpreter,
            glibc: file.glibc,
            architectures: file.architectures,
            function: file.function,
            layer: file.layer,
            limits: file.limits,
            runtime_distributions: file.runtime.distributions,
        })
    }
}

/// The TOML file's form.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ProfileFile {
    /// Decides which other keys there are. It has one value as long as there is one kind of target.
    #[serde(rename = "kind")]
    _kind: Kind,
    name: String,
    #[serde(deserialize_with = "parsed")]
    python: PythonVersion,
    #[serde(default, deserialize_with = "parsed_if_present")]
    python_full_version: Option<Version>,
    #[serde(default = "generally_available")]
    available: bool,
    #[serde(deserialize_with = "interpreter_path")]
    interpreter: String,
    #[serde(deserialize_with = "parsed")]
    glibc: Glibc,
    #[serde(deserialize_with = "architectures")]
    architectures: Vec<Architecture>,
    function: Scheme,
    layer: Scheme,
    limits: Limits,
    runtime: Runtime,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Lambda,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Runtime {
    distributions: Vec<DistributionName>,
}

/// Every key of a profile, by its table; the first is the file itself.
const KEYS: [(&str, &[&str]); 5] = [
    (
        "",
        &[
            "kind",
            "name",
            "python",
            "python-full-version",
            "available",
            "interpreter",
            "glibc",
            "architectures",
            "function",
            "layer",
            "limits",
            "runtime",
        ],
    ),
    ("function", &["site-packages", "scripts", "headers", "data"]),
    ("layer", &["site-packages", "scripts", "headers", "data"]),
    ("limits", &["direct-upload", "unzipped"]),
    ("runtime", &["distributions"]),
];

fn refuse_unknown_keys(file: &toml::Table, path: &Path) -> Result<(), ProfileError> {
    for (table, known) in KEYS {
        let keys = if table.is_empty() { Some(file) } else { file.get(table).and_then(toml::Value::as_table) };
        if let Some(key) = keys.and_then(|keys| keys.keys().find(|key| !known.contains(&key.as_str()))) {
            let full = |key: &str| if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
            return Err(ProfileError::UnknownKey {
                path: path.to_owned(),
                key: full(key),
                nearest: nearest(key, known).map(full),
            });
        }
    }
    Ok(())
}

/// Returns the name that looks most like `given`, if one does.
fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let similarity = |name: &str| strsim::jaro_winkler(given, name);
    let nearest = known.iter().copied().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    nearest.filter(|name| similarity(name) > 0.7)
}

fn generally_available() -> bool {
    true
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

fn parsed_if_present<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    parsed(deserializer).map(Some)
}

fn architectures<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Architecture>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    if names.is_empty() {
        return Err(serde::de::Error::custom("a profile has at least one architecture"));
    }
    names.iter().map(|name| name.parse().map_err(serde::de::Error::custom)).collect()
}

/// A path inside an artifact, or the empty string for its root.
fn artifact_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    match path.is_empty() {
        true => Ok(path),
        false => TreePath::new(&path).map(|path| path.to_string()).map_err(serde::de::Error::custom),
    }
}

/// A path that can stand in the first line of a script.
fn interpreter_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if !path.starts_with('/') || path.contains(|character: char| character.is_whitespace() || character.is_control()) {
        let reason = format!("`{}` is not an absolute path without spaces", path.escape_debug());
        return Err(serde::de::Error::custom(reason));
    }
    Ok(path)
}

#[cfg(test)]
mod tests;
