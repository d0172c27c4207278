//! Profiles of Lambda runtimes.

use std::collections::BTreeMap;

use pep440_rs::Version;
use serde::{Deserialize, Deserializer, de};

use super::{Profile, ProfileError, ProfileKind, Scheme, architectures, interpreter_path, parsed, parsed_if_present};
use crate::name::DistributionName;
use crate::platform::{Architecture, CLibrary, Glibc, Libstdcxx, PythonVersion, TargetPlatform};

/// A Lambda runtime, for every architecture.
#[derive(Debug, Clone)]
pub struct LambdaProfile {
    /// The name of the runtime, for instance `python3.13`.
    pub name: String,
    /// The minor Python version.
    pub python: PythonVersion,
    /// The full Python version for markers; by default `X.Y.0`, as in uv.
    pub python_full_version: Version,
    /// Whether the runtime is generally available. Others are only used when named.
    pub available: bool,
    /// The path of the interpreter at run time, for instance `/var/lang/bin/python3.13`.
    pub interpreter: String,
    /// The version of the runtime's C library.
    pub glibc: Glibc,
    /// The supported architectures: at least one.
    pub architectures: Vec<Architecture>,
    /// The installation scheme of functions.
    pub function: Scheme,
    /// The installation scheme of layers.
    pub layer: Scheme,
    /// The size limits.
    pub limits: LambdaLimits,
    /// The distributions provided by the runtime: the SDK and its dependencies.
    pub runtime_distributions: Vec<DistributionName>,
    /// The least versions of these that the runtime has, as far as they are known.
    pub runtime_versions: BTreeMap<DistributionName, Version>,
    /// The sonames of the shared libraries provided by the runtime, besides those of every manylinux platform. `None` if
    /// unknown: a library that is missing in the artifact may then be provided.
    pub runtime_libraries: Option<Vec<String>>,
    /// The version of the runtime's C++ library. `None` if unknown: it is then not checked.
    pub libstdcxx: Option<Libstdcxx>,
}

/// The limits of a Lambda deployment package, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LambdaLimits {
    /// The largest zip that can be uploaded directly; larger ones need S3.
    pub direct_upload: u64,
    /// The largest unzipped size of a function with its layers.
    pub unzipped: u64,
}

impl LambdaProfile {
    /// Returns the built-in runtimes, ordered by version.
    pub fn all() -> impl DoubleEndedIterator<Item = &'static Self> {
        Profile::all().iter().filter_map(|profile| match profile {
            Profile::Lambda(profile) => Some(profile),
            Profile::Image(_) => None,
        })
    }

    /// Returns a built-in runtime by its name.
    ///
    /// # Errors
    /// The name is unknown, or that of an image's profile.
    pub fn built_in(name: &str) -> Result<Self, ProfileError> {
        Profile::built_in(name, Some(ProfileKind::Lambda))?.lambda()
    }

    /// Returns the platform of this runtime on an architecture.
    pub fn target(&self, architecture: Architecture) -> TargetPlatform {
        TargetPlatform {
            name: self.name.clone(),
            kind: ProfileKind::Lambda,
            python: self.python,
            python_full_version: self.python_full_version.clone(),
            libc: CLibrary::Glibc(self.glibc),
            architecture,
        }
    }
}

/// The TOML file of a [`LambdaProfile`].
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct LambdaFile {
    #[serde(rename = "kind")]
    _kind: ProfileKind,
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
    limits: LambdaLimits,
    runtime: RuntimeTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuntimeTable {
    distributions: Vec<DistributionName>,
    #[serde(default, deserialize_with = "versions")]
    versions: BTreeMap<DistributionName, Version>,
    #[serde(default)]
    libraries: Option<Vec<String>>,
    #[serde(default, deserialize_with = "parsed_if_present")]
    libstdcxx: Option<Libstdcxx>,
}

fn versions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<DistributionName, Version>, D::Error> {
    let texts = BTreeMap::<DistributionName, String>::deserialize(deserializer)?;
    texts.into_iter().map(|(name, text)| Ok((name, text.parse().map_err(de::Error::custom)?))).collect()
}

fn generally_available() -> bool {
    true
}

impl From<LambdaFile> for LambdaProfile {
    fn from(file: LambdaFile) -> Self {
        Self {
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
            runtime_versions: file.runtime.versions,
            runtime_libraries: file.runtime.libraries,
            libstdcxx: file.runtime.libstdcxx,
        }
    }
}
