//! Profiles of images.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{ProfileKind, Scheme, architectures, artifact_path, interpreter_path};
use crate::platform::{Architecture, CLibrary, Glibc, PythonVendor, PythonVersion, TargetPlatform};

/// Replaced by the minor Python version in the values of a profile.
pub(crate) const PYTHON_PLACEHOLDER: &str = "{python}";

/// A kind of image, for every architecture and Python version.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ImageProfile {
    #[serde(rename = "kind")]
    _kind: ProfileKind,
    /// The name of the profile, for instance `service`.
    pub(crate) name: String,
    /// The Python versions that base images exist for: at least one, oldest first.
    #[serde(deserialize_with = "pythons")]
    pub(crate) pythons: Vec<PythonVersion>,
    /// The supported architectures: at least one.
    #[serde(deserialize_with = "architectures")]
    pub(crate) architectures: Vec<Architecture>,
    base: ByPython<String>,
    glibc: ByPython<Glibc>,
    #[serde(deserialize_with = "interpreter_path")]
    interpreter: String,
    #[serde(default, deserialize_with = "some_artifact_path")]
    venv: Option<String>,
    #[serde(deserialize_with = "artifact_path")]
    application: String,
    workdir: String,
    #[serde(default)]
    user: Option<String>,
    entrypoint: BaseEntrypoint,
    #[serde(default)]
    handler: bool,
    #[serde(default = "yes")]
    index: bool,
    #[serde(default = "every_compression")]
    compression: Vec<String>,
    #[serde(default)]
    uncompressed_limit: Option<u64>,
    scheme: Scheme,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// A value that may depend on the version of Python: the base, or the version of its C library.
#[derive(Debug, Clone)]
struct ByPython<T> {
    /// For Python versions before the first key of `newer`.
    oldest: T,
    /// From each of these Python versions on.
    newer: BTreeMap<PythonVersion, T>,
}

impl<T> ByPython<T> {
    fn of(&self, python: PythonVersion) -> &T {
        self.newer.range(..=python).next_back().map_or(&self.oldest, |(_, value)| value)
    }
}

impl<'de, T: FromStr<Err: Display> + Clone> Deserialize<'de> for ByPython<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a string such as \"2.36\", or a table of strings by Python version")]
        enum StringOrTable {
            One(String),
            ByPython(BTreeMap<String, String>),
        }
        match StringOrTable::deserialize(deserializer)? {
            StringOrTable::One(text) => {
                Ok(Self { oldest: text.parse().map_err(D::Error::custom)?, newer: BTreeMap::new() })
            }
            StringOrTable::ByPython(table) => {
                let mut newer = BTreeMap::new();
                for (python, text) in &table {
                    let python: PythonVersion = python.parse().map_err(D::Error::custom)?;
                    newer.insert(python, text.parse().map_err(D::Error::custom)?);
                }
                let oldest = newer.values().next().cloned();
                Ok(Self { oldest: oldest.ok_or_else(|| D::Error::custom("the table is empty"))?, newer })
            }
        }
    }
}

/// What happens to the base's entrypoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BaseEntrypoint {
    /// It is kept.
    Inherit,
    /// It is replaced by the project's only console script, if it has one, and removed otherwise.
    Reset,
}

/// A profile of an image for one Python version.
#[derive(Debug, Clone)]
pub(crate) struct ImageTarget {
    /// The name of the profile.
    pub(crate) name: String,
    /// The minor Python version.
    pub(crate) python: PythonVersion,
    /// The oldest C library that the base may have.
    pub(crate) glibc: Glibc,
    /// The base image, as for `--base`.
    pub(crate) base: String,
    /// The interpreter for the first line of scripts, for instance `/app/.venv/bin/python`.
    pub(crate) interpreter: String,
    /// The virtual environment to create, relative to the root.
    pub(crate) venv: Option<String>,
    /// The directory for the application's files, relative to the root.
    pub(crate) application: String,
    /// The installation scheme.
    pub(crate) scheme: Scheme,
    /// The working directory of the process.
    pub(crate) workdir: String,
    /// `UID` or `UID:GID`; by default the base's user.
    pub(crate) user: Option<String>,
    /// Environment variables; `${NAME}` in a value is replaced by the base's value.
    pub(crate) env: Vec<(String, String)>,
    /// What happens to the base's entrypoint.
    pub(crate) entrypoint: BaseEntrypoint,
    /// Whether the command is the name of a Lambda handler, which must be in the image.
    pub(crate) handler: bool,
    /// Whether images for several platforms may share an image index.
    pub(crate) index: bool,
    /// The supported compressions of layers: `gzip`, `zstd`.
    pub(crate) compression: Vec<String>,
    /// The largest uncompressed size of the image with its base, in bytes.
    pub(crate) uncompressed_limit: Option<u64>,
}

impl ImageProfile {
    /// Tells whether the image is a Lambda function.
    pub(crate) fn is_for_lambda(&self) -> bool {
        self.handler
    }

    /// Returns the base image, in which `{python}` is not replaced; `None` if it depends on the version of Python.
    pub(crate) fn base(&self) -> Option<&str> {
        self.base.newer.is_empty().then_some(&*self.base.oldest)
    }

    /// Returns the profile for a Python version.
    pub(crate) fn target(&self, python: PythonVersion) -> ImageTarget {
        let scheme = Scheme {
            site_packages: expand(&self.scheme.site_packages, python),
            scripts: expand(&self.scheme.scripts, python),
            headers: expand(&self.scheme.headers, python),
            data: expand(&self.scheme.data, python),
        };
        let env = self.env.iter().map(|(name, value)| (name.clone(), expand(value, python)));
        ImageTarget {
            name: self.name.clone(),
            python,
            glibc: *self.glibc.of(python),
            base: expand(self.base.of(python), python),
            interpreter: expand(&self.interpreter, python),
            venv: self.venv.as_deref().map(|venv| expand(venv, python)),
            application: expand(&self.application, python),
            scheme,
            workdir: expand(&self.workdir, python),
            user: self.user.clone(),
            env: env.collect(),
            entrypoint: self.entrypoint,
            handler: self.handler,
            index: self.index,
            compression: self.compression.clone(),
            uncompressed_limit: self.uncompressed_limit,
        }
    }
}

/// Replaces the placeholder of the Python version.
fn expand(text: &str, python: PythonVersion) -> String {
    text.replace(PYTHON_PLACEHOLDER, &python.to_string())
}

impl ImageTarget {
    /// Returns the platform of this image on an architecture, on a base with glibc.
    pub(crate) fn target(&self, architecture: Architecture) -> TargetPlatform {
        TargetPlatform {
            name: self.name.clone(),
            kind: ProfileKind::Image,
            python: self.python,
            python_full_version: self.python.patch_release(0),
            libc: CLibrary::Glibc(self.glibc),
            architecture,
            vendor: PythonVendor::Upstream,
        }
    }
}

fn yes() -> bool {
    true
}

fn every_compression() -> Vec<String> {
    vec!["gzip".to_owned(), "zstd".to_owned()]
}

fn pythons<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PythonVersion>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    if names.is_empty() {
        return Err(D::Error::custom("expected at least one Python version"));
    }
    let mut versions: Vec<PythonVersion> =
        names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect::<Result<_, _>>()?;
    versions.sort_unstable();
    Ok(versions)
}

fn some_artifact_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    artifact_path(deserializer).map(Some)
}
