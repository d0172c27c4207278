//! The keys of Pipfile.lock and the types of their values.
//!
//! Unknown keys are accepted, as by pipenv.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use crate::digest::Digest;
use crate::lock::toml_syntax::Parsed;
use crate::marker::Marker;
use crate::name::{DistributionName, ExtraName};

/// The key of the requirements of `[packages]`. Those of `[dev-packages]` have the key `develop`, and those of another
/// category the name of its table.
pub(super) const DEFAULT: &str = "default";

/// The whole file.
#[derive(Debug)]
pub(super) struct PipfileDocument {
    pub(super) meta: PipfileMeta,
    /// The locked distributions of each category.
    pub(super) categories: BTreeMap<String, PipfileCategory>,
}

impl<'de> Deserialize<'de> for PipfileDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PipfileDocumentVisitor)
    }
}

/// Reads the file key by key: an error in a flattened map of categories would have no position.
struct PipfileDocumentVisitor;

impl<'de> Visitor<'de> for PipfileDocumentVisitor {
    type Value = PipfileDocument;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the object of a Pipfile.lock")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PipfileDocument, A::Error> {
        let (mut meta, mut categories) = (None, BTreeMap::new());
        while let Some(key) = map.next_key::<String>()? {
            if key == "_meta" {
                meta = Some(map.next_value()?);
                continue;
            }
            let shown = key.escape_debug().to_string();
            if categories.insert(key, map.next_value()?).is_some() {
                return Err(A::Error::custom(format!("`{shown}` is listed twice")));
            }
        }
        let meta = meta.ok_or_else(|| A::Error::missing_field("_meta"))?;
        Ok(PipfileDocument { meta, categories })
    }
}

/// `_meta`.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PipfileMeta {
    #[serde(default)]
    pub(super) hash: PipfileHash,
    pub(super) pipfile_spec: u64,
    #[serde(default)]
    pub(super) requires: PipfileRequires,
    #[serde(default)]
    pub(super) sources: Vec<PipfileSourceTable>,
}

/// `_meta.hash`: the digest of the Pipfile; see `freshness`.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct PipfileHash {
    pub(super) sha256: Option<String>,
}

/// `_meta.requires`: the Python that pipenv locked for.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct PipfileRequires {
    pub(super) python_version: Option<String>,
    pub(super) python_full_version: Option<String>,
}

/// An entry of `_meta.sources`: an index.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PipfileSourceTable {
    pub(super) name: Option<String>,
    /// May refer to environment variables.
    pub(super) url: String,
}

/// A category: locked distributions by name, none of them twice.
#[derive(Debug, Default)]
pub(super) struct PipfileCategory(pub(super) BTreeMap<DistributionName, PipfileEntry>);

impl<'de> Deserialize<'de> for PipfileCategory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PipfileCategoryVisitor)
    }
}

/// Reads an object whose keys are names that differ after normalization.
struct PipfileCategoryVisitor;

impl<'de> Visitor<'de> for PipfileCategoryVisitor {
    type Value = PipfileCategory;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of locked distributions")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PipfileCategory, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let name: DistributionName = key.parse().map_err(A::Error::custom)?;
            if entries.insert(name, map.next_value()?).is_some() {
                return Err(A::Error::custom(format!("`{key}` is listed twice")));
            }
        }
        Ok(PipfileCategory(entries))
    }
}

/// A locked distribution.
#[derive(Debug, serde::Deserialize)]
pub(super) struct PipfileEntry {
    /// `==1.0`, or `*` if pipenv did not resolve it.
    pub(super) version: Option<String>,
    /// The digests of all files of the version, without their names.
    #[serde(default)]
    pub(super) hashes: BTreeSet<PipfileDigest>,
    /// The name of a source. Only direct requirements have one.
    pub(super) index: Option<String>,
    pub(super) markers: Option<Parsed<Marker>>,
    #[serde(default)]
    pub(super) extras: BTreeSet<ExtraName>,
    /// The URL of a wheel or a source distribution.
    pub(super) file: Option<String>,
    /// A directory, wheel or source distribution, relative to the Pipfile.
    pub(super) path: Option<String>,
    pub(super) git: Option<String>,
    /// The commit of `git`.
    pub(super) r#ref: Option<String>,
    /// The project's directory in the repository or archive.
    pub(super) subdirectory: Option<String>,
    pub(super) hg: Option<String>,
    pub(super) svn: Option<String>,
    pub(super) bzr: Option<String>,
}

/// A digest, as a string.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PipfileDigest(pub(super) Digest);

impl<'de> Deserialize<'de> for PipfileDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}
