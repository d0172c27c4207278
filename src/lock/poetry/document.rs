//! The keys of poetry.lock and the types of their values.
//!
//! Unknown keys are accepted: every version of the format has keys that do not affect the installation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use pep440_rs::Version;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::requirement::{Alternatives, parsed};
use crate::constraint::VersionConstraint;
use crate::digest::Digest;
use crate::lock::toml_syntax::DocumentParts;
use crate::marker::{ActiveExtras, Marker};
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::MarkerEnvironment;

/// The part of the file that states the version of its format.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PoetryLockVersion {
    pub(super) metadata: PoetryVersionMetadata,
}

/// `[metadata]`, of any version of the format.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PoetryVersionMetadata {
    /// Poetry 1.0 and earlier write none.
    #[serde(rename = "lock-version")]
    pub(super) lock_version: Option<String>,
}

/// The whole file.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PoetryDocument {
    #[serde(default, rename = "package")]
    pub(super) packages: Vec<PoetryPackage>,
    #[serde(default)]
    pub(super) extras: BTreeMap<ExtraName, IgnoredAny>,
    pub(super) metadata: PoetryMetadata,
}

impl PoetryDocument {
    /// Parses a file in parts. Returns `None` if it must be parsed as a whole.
    pub(super) fn parse_in_parts(text: &str) -> Option<(PoetryLockVersion, Self)> {
        let parts = DocumentParts::split(text, "package")?;
        let rest = parts.rest()?;
        let version = toml::from_str(&rest).ok()?;
        let mut document: Self = toml::from_str(&rest).ok()?;
        if !document.packages.is_empty() {
            return None;
        }
        document.packages = parts.tables(Some)?;
        Some((version, document))
    }
}

/// `[metadata]`.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PoetryMetadata {
    #[serde(deserialize_with = "python")]
    pub(super) python_versions: VersionConstraint,
    /// The SHA-256 of the relevant parts of pyproject.toml; see `freshness`.
    pub(super) content_hash: Option<String>,
    /// The files of each distribution, in all its versions; up to version 1.1 of the format.
    #[serde(default)]
    pub(super) files: BTreeMap<DistributionName, Vec<PoetryFile>>,
    /// The hashes of each distribution's files, in locks that do not list files by name.
    #[serde(default)]
    pub(super) hashes: BTreeMap<DistributionName, Vec<PoetryHash>>,
}

/// A locked distribution.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PoetryPackage {
    pub(super) name: DistributionName,
    #[serde(deserialize_with = "required")]
    pub(super) version: Version,
    #[serde(deserialize_with = "python")]
    pub(super) python_versions: VersionConstraint,
    /// The project's groups that require the distribution; since version 2.1 of the format.
    pub(super) groups: Option<BTreeSet<GroupName>>,
    /// Since version 2.1 of the format.
    #[serde(default)]
    pub(super) markers: PoetryMarkers,
    /// Since version 2.0 of the format.
    pub(super) files: Option<Vec<PoetryFile>>,
    /// Includes the dependencies of extras, which are optional.
    #[serde(default)]
    pub(super) dependencies: BTreeMap<DistributionName, Alternatives>,
    #[serde(default)]
    pub(super) extras: BTreeMap<ExtraName, Vec<ExtraMember>>,
    /// `None` for PyPI.
    pub(super) source: Option<PoetrySource>,
}

impl fmt::Display for PoetryPackage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.name, self.version)
    }
}

/// The markers under which the project's groups require a distribution.
#[derive(Debug, Default)]
pub(super) enum PoetryMarkers {
    #[default]
    Everywhere,
    Same(Marker),
    /// A group that is not listed has no marker.
    ByGroup(BTreeMap<GroupName, FromString<Marker>>),
}

impl PoetryMarkers {
    /// Returns whether a group requires the distribution.
    pub(super) fn apply_to(&self, group: &GroupName, environment: &MarkerEnvironment, active: &ActiveExtras) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Same(marker) => marker.evaluate(environment, active),
            Self::ByGroup(markers) => markers.get(group).is_none_or(|marker| marker.0.evaluate(environment, active)),
        }
    }
}

impl<'de> Deserialize<'de> for PoetryMarkers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PoetryMarkersVisitor)
    }
}

struct PoetryMarkersVisitor;

impl<'de> Visitor<'de> for PoetryMarkersVisitor {
    type Value = PoetryMarkers;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a marker, or a table of markers by group")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<PoetryMarkers, E> {
        text.parse().map(PoetryMarkers::Same).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PoetryMarkers, A::Error> {
        BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(PoetryMarkers::ByGroup)
    }
}

/// A member of a distribution's extra. Its version and marker are those of the dependency with this name.
#[derive(Debug)]
pub(super) struct ExtraMember {
    pub(super) name: DistributionName,
    pub(super) extras: BTreeSet<ExtraName>,
}

impl<'de> Deserialize<'de> for ExtraMember {
    /// Reads only the name and the extras, because locks of older versions contain requirements that are not PEP 508.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let end =
            text.find(|character: char| !character.is_ascii_alphanumeric() && !matches!(character, '-' | '_' | '.'));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        let list = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(list, _)| list);
        let extras = list.into_iter().flat_map(|list| list.split(',')).map(|extra| extra.trim().parse());
        Ok(Self {
            name: name.parse().map_err(D::Error::custom)?,
            extras: extras.collect::<Result<_, _>>().map_err(D::Error::custom)?,
        })
    }
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct PoetryFile {
    #[serde(rename = "file")]
    pub(super) name: String,
    pub(super) hash: Option<PoetryHash>,
}

/// A digest. One without an algorithm is a SHA-256.
#[derive(Debug)]
pub(super) struct PoetryHash(pub(super) Digest);

impl<'de> Deserialize<'de> for PoetryHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let text = if text.contains(':') { text } else { format!("sha256:{text}") };
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// The source of a distribution. Paths are relative to the lock's directory.
#[derive(Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "PoetrySourceTable")]
pub(super) enum PoetrySource {
    /// The URL of an index other than PyPI.
    Index(String),
    Directory(String),
    /// A local file, and the project's directory in it.
    File(String, Option<String>),
    /// The URL of a file, and the project's directory in it.
    Url(String, Option<String>),
    Git {
        url: String,
        commit: Option<String>,
        subdirectory: Option<String>,
    },
}

impl PoetrySource {
    /// Returns whether the source is not an index.
    pub(super) fn is_direct(&self) -> bool {
        !matches!(self, Self::Index(_))
    }
}

#[derive(serde::Deserialize)]
struct PoetrySourceTable {
    r#type: String,
    url: String,
    resolved_reference: Option<String>,
    subdirectory: Option<String>,
}

impl TryFrom<PoetrySourceTable> for PoetrySource {
    type Error = String;

    fn try_from(table: PoetrySourceTable) -> Result<Self, String> {
        let PoetrySourceTable { r#type, url, resolved_reference: commit, subdirectory } = table;
        match r#type.as_str() {
            "legacy" => Ok(Self::Index(url)),
            "directory" => Ok(Self::Directory(url)),
            "file" => Ok(Self::File(url, subdirectory)),
            "url" => Ok(Self::Url(url, subdirectory)),
            "git" => Ok(Self::Git { url, commit, subdirectory }),
            other => Err(format!(
                "`{}` is not a valid source type; expected legacy, directory, file, url or git",
                other.escape_debug()
            )),
        }
    }
}

/// A string with its own syntax, nested in another value.
#[derive(Debug)]
pub(super) struct FromString<T>(pub(super) T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for FromString<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        required(deserializer).map(Self)
    }
}

fn required<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn python<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VersionConstraint, D::Error> {
    let constraint: Option<VersionConstraint> = parsed(deserializer)?;
    Ok(constraint.map_or_else(VersionConstraint::any, VersionConstraint::on_python))
}
