//! Values of flags that have their own syntax.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::de::{Deserializer, Error};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::texts::OneOrMany;
use crate::image::file::{ImageFile, InvalidImageFile};
use crate::platform::{Architecture, PythonVersion};
use crate::sbom;
use crate::settings::{LayerCompression, ProfileChoice};
use crate::trim::SlimRule;

/// An OCI platform, `OS/ARCHITECTURE`; the operating system may be missing, as for Docker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImagePlatform(pub(crate) Architecture);

impl FromStr for ImagePlatform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_prefix("linux/").unwrap_or(text);
        let name = name.strip_suffix("/v8").filter(|name| *name == "arm64").unwrap_or(name);
        let unsupported = |_| format!("`{text}` is not a supported platform: expected linux/amd64 or linux/arm64");
        name.parse().map(Self).map_err(unsupported)
    }
}

impl fmt::Display for ImagePlatform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "linux/{}", self.0.oci_name())
    }
}

/// The arguments of a command: a string that is split as a POSIX shell splits it, or an array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(with = "OneOrMany")]
pub(crate) struct CommandArguments(pub(crate) Vec<String>);

impl FromStr for CommandArguments {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('[') {
            return serde_json::from_str(text)
                .map(Self)
                .map_err(|error| format!("not a JSON array of strings: {error}"));
        }
        shlex::split(text).map(Self).ok_or_else(|| "missing closing quotation mark".to_owned())
    }
}

impl<'de> Deserialize<'de> for CommandArguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum CommandValue {
            Line(String),
            Arguments(Vec<String>),
        }
        match CommandValue::deserialize(deserializer) {
            Ok(CommandValue::Line(line)) => line.parse().map_err(D::Error::custom),
            Ok(CommandValue::Arguments(arguments)) => Ok(Self(arguments)),
            Err(_) => Err(D::Error::custom("expected a string or an array of strings")),
        }
    }
}

/// A pair `NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameValue(pub(crate) String, pub(crate) String);

impl FromStr for NameValue {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self(name.to_owned(), value.to_owned())),
            _ => Err("expected NAME=VALUE"),
        }
    }
}

impl From<NameValue> for (String, String) {
    fn from(NameValue(name, value): NameValue) -> Self {
        (name, value)
    }
}

/// Serde functions for pairs as a table, ordered by name.
pub(super) mod table {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(pairs: &[NameValue], serializer: S) -> Result<S::Ok, S::Error> {
        let sorted: BTreeMap<_, _> = pairs.iter().map(|NameValue(name, value)| (name, value)).collect();
        sorted.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NameValue>, D::Error> {
        let table = BTreeMap::<String, String>::deserialize(deserializer)
            .map_err(|_| D::Error::custom("expected a table of strings"))?;
        if table.contains_key("") {
            return Err(D::Error::custom("a name must not be empty"));
        }
        Ok(table.into_iter().map(|(name, value)| NameValue(name, value)).collect())
    }
}

/// Serde functions for rules as an array, or `true` for all that need no list of data.
pub(super) mod rules {
    use super::*;
    use crate::options::texts::many;

    /// What the key takes in TOML.
    #[derive(JsonSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its schema is used")]
    pub(crate) enum SlimValue {
        All(bool),
        Some(OneOrMany),
    }

    pub(crate) fn serialize<S: Serializer>(rules: &[SlimRule], serializer: S) -> Result<S::Ok, S::Error> {
        many::serialize(rules, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SlimRule>, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::Boolean(true) => Ok(SlimRule::DEFAULT.to_vec()),
            toml::Value::Boolean(false) => Ok(Vec::new()),
            other => many::deserialize(other).map_err(|error| D::Error::custom(error.message())),
        }
    }
}

/// The format of an SBOM, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SbomChoice {
    /// CycloneDX 1.6, in JSON
    Cyclonedx,
    /// SPDX 2.3, in JSON
    Spdx,
    /// No SBOM
    None,
}

impl SbomChoice {
    pub(crate) fn format(self) -> Option<sbom::SbomFormat> {
        match self {
            Self::Cyclonedx => Some(sbom::SbomFormat::CycloneDx),
            Self::Spdx => Some(sbom::SbomFormat::Spdx),
            Self::None => None,
        }
    }
}

/// A compression method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CompressionMethod {
    /// Supported everywhere; reuses what wheels have compressed
    Gzip,
    /// Smaller, but slower; Lambda and old container engines do not support it
    Zstd,
}

impl From<CompressionMethod> for LayerCompression {
    fn from(method: CompressionMethod) -> Self {
        match method {
            CompressionMethod::Gzip => Self::Gzip,
            CompressionMethod::Zstd => Self::Zstd,
        }
    }
}

/// A file that an image is written to, without a name in it: the image is named by its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageOutput(pub(crate) ImageFile);

impl FromStr for ImageOutput {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let file: ImageFile = text.parse().map_err(|error: InvalidImageFile| error.to_string())?;
        match file.selector {
            None => Ok(Self(file)),
            Some(_) => Err("unexpected `:` in the path; use --tag to name the image".to_owned()),
        }
    }
}

impl fmt::Display for ImageOutput {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Parses a number of things.
///
/// # Errors
/// It is not a number, or it is zero.
pub(crate) fn positive_number(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "expected a number of at least 1")
}

/// Parses a version of Python, also as the name of the Lambda runtime that has it.
///
/// # Errors
/// It is neither.
pub(crate) fn python_version(text: &str) -> Result<PythonVersion, &'static str> {
    text.strip_prefix("python").unwrap_or(text).parse().map_err(|_| "expected a version such as 3.13")
}

/// Returns the profile that a text names: a file if it ends with `.toml` or contains a slash, else a built-in profile.
pub(crate) fn profile(text: &str) -> ProfileChoice {
    if text.ends_with(".toml") || text.contains('/') {
        ProfileChoice::File(text.into())
    } else {
        ProfileChoice::BuiltIn(text.to_owned())
    }
}
