//! Profiles of images: what is laid over which base, and how the image starts.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{ProfileKind, Scheme, architectures, artifact_path, interpreter_path};
use crate::platform::{Architecture, Glibc, PythonVersion, TargetPlatform};

/// What stands for the minor version of Python in the texts of a profile.
pub const PYTHON_PLACEHOLDER: &str = "{python}";

/// Everything known of one kind of image, for every architecture and version of Python.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImageProfile {
    #[serde(rename = "kind")]
    _kind: ProfileKind,
    /// The name, for instance `service`.
    pub name: String,
    /// The versions of Python that the base exists for, at least one, the oldest first.
    #[serde(deserialize_with = "pythons")]
    pub pythons: Vec<PythonVersion>,
    /// The architectures that exist; at least one.
    #[serde(deserialize_with = "architectures")]
    pub architectures: Vec<Architecture>,
    /// The base image, as `--base` names one.
    base: String,
    glibc: GlibcByPython,
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

/// The base's C library: one version for all, or a table of versions by Python.
#[derive(Debug, Clone)]
struct GlibcByPython {
    /// For the oldest Python.
    oldest: Glibc,
    /// From these on; a version of Python that is left out has the C library of the one before it.
    newer: BTreeMap<PythonVersion, Glibc>,
}

impl GlibcByPython {
    fn of(&self, python: PythonVersion) -> Glibc {
        self.newer.range(..=python).next_back().map_or(self.oldest, |(_, glibc)| *glibc)
    }
}

impl<'de> Deserialize<'de> for GlibcByPython {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a version such as \"2.36\", or a table of versions by Python, is expected")]
        enum GlibcValue {
            One(String),
            ByPython(BTreeMap<String, String>),
        }
        match GlibcValue::deserialize(deserializer)? {
            GlibcValue::One(glibc) => {
                Ok(Self { oldest: glibc.parse().map_err(D::Error::custom)?, newer: BTreeMap::new() })
            }
            GlibcValue::ByPython(table) => {
                let mut newer = BTreeMap::new();
                for (python, glibc) in &table {
                    let python: PythonVersion = python.parse().map_err(D::Error::custom)?;
                    newer.insert(python, glibc.parse().map_err(D::Error::custom)?);
                }
                let oldest = newer.values().next().copied();
                Ok(Self { oldest: oldest.ok_or_else(|| D::Error::custom("the table has no version"))?, newer })
            }
        }
    }
}

/// What becomes of the base's entrypoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BaseEntrypoint {
    /// It stays.
    Inherit,
    /// The project's only console script takes its place; if there is none, nothing does.
    Reset,
}

/// A profile of an image for one version of Python.
#[derive(Debug, Clone)]
pub struct ImageTarget {
    /// The profile's name.
    pub name: String,
    /// The version of Python.
    pub python: PythonVersion,
    /// The base's C library, or an older one.
    pub glibc: Glibc,
    /// The base image, as `--base` names one.
    pub base: String,
    /// The interpreter that scripts name, for instance `/app/.venv/bin/python`.
    pub interpreter: String,
    /// The virtual environment to make, as a path below the root, if the image has one.
    pub venv: Option<String>,
    /// Where the application's files go, as a path below the root.
    pub application: String,
    /// Where the parts of a wheel go.
    pub scheme: Scheme,
    /// The directory that the process starts in.
    pub workdir: String,
    /// The user that the process runs as, `UID` or `UID:GID`; the base's if there is none.
    pub user: Option<String>,
    /// The environment; a value may refer to the base's by `${NAME}`.
    pub env: Vec<(String, String)>,
    /// What becomes of the base's entrypoint.
    pub entrypoint: BaseEntrypoint,
    /// Whether the command is the name of a Lambda handler, which must be in the image.
    pub handler: bool,
    /// Whether several platforms may be put together in an image index. Otherwise each image stands alone.
    pub index: bool,
    /// The compressions that whoever runs the image reads: `gzip` and perhaps `zstd`.
    pub compression: Vec<String>,
    /// The largest size of the image, uncompressed and with its base, in bytes.
    pub uncompressed_limit: Option<u64>,
}

impl ImageProfile {
    /// Returns the base image as the profile names it; `{python}` stands for the version of Python.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns the profile for a version of Python.
    pub fn target(&self, python: PythonVersion) -> ImageTarget {
        let version = python.to_string();
        let expand = |text: &str| text.replace(PYTHON_PLACEHOLDER, &version);
        let scheme = Scheme {
            site_packages: expand(&self.scheme.site_packages),
            scripts: expand(&self.scheme.scripts),
            headers: expand(&self.scheme.headers),
            data: expand(&self.scheme.data),
        };
        let env = self.env.iter().map(|(name, value)| (name.clone(), expand(value)));
        ImageTarget {
            name: self.name.clone(),
            python,
            glibc: self.glibc.of(python),
            base: expand(&self.base),
            interpreter: expand(&self.interpreter),
            venv: self.venv.as_deref().map(expand),
            application: expand(&self.application),
            scheme,
            workdir: expand(&self.workdir),
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

impl ImageTarget {
    /// Returns the target that is this image on an architecture.
    pub fn target(&self, architecture: Architecture) -> TargetPlatform {
        TargetPlatform {
            name: self.name.clone(),
            python: self.python,
            python_full_version: self.python.patch_release(0),
            glibc: self.glibc,
            architecture,
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
        return Err(D::Error::custom("a profile has at least one version of Python"));
    }
    let mut versions: Vec<PythonVersion> =
        names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect::<Result<_, _>>()?;
    versions.sort_unstable();
    Ok(versions)
}

fn some_artifact_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    artifact_path(deserializer).map(Some)
}
