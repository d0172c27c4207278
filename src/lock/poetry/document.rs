//! The text of poetry.lock as it lies in the file: its keys and the types of their values.
//!
//! Unknown keys are accepted: every version of the format has some that say nothing of what is installed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use pep440_rs::Version;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::requirement::{Alternatives, parsed};
use crate::constraint::VersionConstraint;
use crate::digest::Digest;
use crate::marker::{ActiveExtras, Marker};
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::MarkerEnvironment;

/// The part of the file that says which version of the format it has.
#[derive(Debug, serde::Deserialize)]
pub struct Preamble {
    /// See there.
    pub metadata: PreambleMetadata,
}

/// `[metadata]`, of any version of the format.
#[derive(Debug, serde::Deserialize)]
pub struct PreambleMetadata {
    /// The version of the format; Poetry 1.0 and earlier wrote none.
    #[serde(rename = "lock-version")]
    pub lock_version: Option<String>,
}

/// The whole file.
#[derive(Debug, serde::Deserialize)]
pub struct Document {
    /// The locked distributions.
    #[serde(default, rename = "package")]
    pub packages: Vec<Package>,
    /// The project's extras.
    #[serde(default)]
    pub extras: BTreeMap<ExtraName, IgnoredAny>,
    /// What the lock says of itself.
    pub metadata: Metadata,
}

/// `[metadata]`.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metadata {
    /// The versions of Python that were resolved for.
    #[serde(deserialize_with = "python")]
    pub python_versions: VersionConstraint,
    /// The digest of what of pyproject.toml was locked.
    pub content_hash: Option<String>,
    /// The files of the distributions, until version 1.1 of the format.
    #[serde(default)]
    pub files: BTreeMap<DistributionName, Vec<File>>,
    /// The hashes of the files of the distributions, before files had names.
    #[serde(default)]
    pub hashes: BTreeMap<DistributionName, Vec<Hash>>,
}

/// A locked distribution.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Package {
    /// The distribution.
    pub name: DistributionName,
    /// Its version.
    #[serde(deserialize_with = "required")]
    pub version: Version,
    /// The versions of Python that it is for.
    #[serde(deserialize_with = "python")]
    pub python_versions: VersionConstraint,
    /// The project's groups that need it; since version 2.1 of the format.
    pub groups: Option<BTreeSet<GroupName>>,
    /// Where it is needed; since version 2.1 of the format.
    #[serde(default)]
    pub markers: Markers,
    /// Its files; since version 2.0 of the format.
    pub files: Option<Vec<File>>,
    /// What it needs, that of its extras among it.
    #[serde(default)]
    pub dependencies: BTreeMap<DistributionName, Alternatives>,
    /// The names of what its extras need.
    #[serde(default)]
    pub extras: BTreeMap<ExtraName, Vec<ExtraMember>>,
    /// Where it comes from, if that is not PyPI.
    pub source: Option<Source>,
}

impl fmt::Display for Package {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.name, self.version)
    }
}

/// Where a distribution is needed.
#[derive(Debug, Default)]
pub enum Markers {
    /// Everywhere.
    #[default]
    Everywhere,
    /// For every group in the same places.
    Same(Marker),
    /// For each group in places of its own; everywhere, for a group that is not named.
    ByGroup(BTreeMap<GroupName, Parsed<Marker>>),
}

impl Markers {
    /// Returns whether a group needs the distribution.
    pub fn hold(&self, group: &GroupName, environment: &MarkerEnvironment, active: &ActiveExtras) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Same(marker) => marker.evaluate(environment, active),
            Self::ByGroup(markers) => markers.get(group).is_none_or(|marker| marker.0.evaluate(environment, active)),
        }
    }
}

impl<'de> Deserialize<'de> for Markers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MarkersVisitor)
    }
}

struct MarkersVisitor;

impl<'de> Visitor<'de> for MarkersVisitor {
    type Value = Markers;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a marker, or a table of markers by group")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Markers, E> {
        text.parse().map(Markers::Same).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Markers, A::Error> {
        BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(Markers::ByGroup)
    }
}

/// A member of a distribution's extra. Its version and its marker are with the dependency of that name.
#[derive(Debug)]
pub struct ExtraMember {
    /// The distribution.
    pub name: DistributionName,
    /// Its extras.
    pub extras: BTreeSet<ExtraName>,
}

impl<'de> Deserialize<'de> for ExtraMember {
    /// Reads no more than the name and the extras: older locks have requirements that no specification knows.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_name = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
        let (name, rest) = text.split_at(text.find(|character| !is_name(character)).unwrap_or(text.len()));
        let list = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(list, _)| list);
        let extras = list.into_iter().flat_map(|list| list.split(',')).map(|extra| extra.trim().parse());
        Ok(Self {
            name: name.parse().map_err(D::Error::custom)?,
            extras: extras.collect::<Result<_, _>>().map_err(D::Error::custom)?,
        })
    }
}

/// A file of a distribution.
#[derive(Debug, serde::Deserialize)]
pub struct File {
    /// Its name.
    #[serde(rename = "file")]
    pub name: String,
    /// Its digest.
    pub hash: Option<Hash>,
}

/// A digest; one without an algorithm is a SHA-256.
#[derive(Debug)]
pub struct Hash(pub Digest);

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let text = if text.contains(':') { text } else { format!("sha256:{text}") };
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// Where a distribution comes from.
#[derive(Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "SourceTable")]
pub enum Source {
    /// An index other than PyPI: its URL.
    Index(String),
    /// A folder, by its path from the lock's.
    Directory(String),
    /// A file, by its path from the lock's folder, and the project's folder in it.
    File(String, Option<String>),
    /// A file on a server, and the project's folder in it.
    Url(String, Option<String>),
    /// A repository.
    Git {
        /// Its URL.
        url: String,
        /// The commit.
        commit: Option<String>,
        /// The project's folder in it.
        subdirectory: Option<String>,
    },
}

impl Source {
    /// Returns whether it is no index.
    pub fn is_direct(&self) -> bool {
        !matches!(self, Self::Index(_))
    }
}

#[derive(serde::Deserialize)]
struct SourceTable {
    r#type: String,
    url: String,
    resolved_reference: Option<String>,
    subdirectory: Option<String>,
}

impl TryFrom<SourceTable> for Source {
    type Error = String;

    fn try_from(table: SourceTable) -> Result<Self, String> {
        let SourceTable { r#type, url, resolved_reference: commit, subdirectory } = table;
        match r#type.as_str() {
            "legacy" => Ok(Self::Index(url)),
            "directory" => Ok(Self::Directory(url)),
            "file" => Ok(Self::File(url, subdirectory)),
            "url" => Ok(Self::Url(url, subdirectory)),
            "git" => Ok(Self::Git { url, commit, subdirectory }),
            other => Err(format!(
                "`{}` is not a type of source: legacy, directory, file, url and git are",
                other.escape_debug()
            )),
        }
    }
}

/// A value with a syntax of its own, inside of another.
#[derive(Debug)]
pub struct Parsed<T>(pub T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Parsed<T> {
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
