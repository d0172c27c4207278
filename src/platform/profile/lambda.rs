//! The Lambda runtimes: one profile for each.

use pep440_rs::Version;
use serde::Deserialize;

use super::{Profile, ProfileError, ProfileKind, Scheme, architectures, interpreter_path, parsed, parsed_if_present};
use crate::name::DistributionName;
use crate::platform::{Architecture, Glibc, Libstdcxx, PythonVersion, TargetPlatform};

/// Everything known of one Lambda runtime, for every architecture.
#[derive(Debug, Clone)]
pub struct LambdaProfile {
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
    pub limits: LambdaLimits,
    /// The distributions that the runtime brings (the SDK and what it needs), by name.
    pub runtime_distributions: Vec<DistributionName>,
    /// The shared libraries that the runtime brings beyond those of every manylinux platform, by the names that others are
    /// linked to. If they are not known, what is missing in an artifact may be there.
    pub runtime_libraries: Option<Vec<String>>,
    /// The runtime's C++ library. If it is not known, any will do.
    pub libstdcxx: Option<Libstdcxx>,
}

/// The limits of a Lambda deployment package, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LambdaLimits {
    /// The largest zip that can be uploaded directly: 52,428,800.
    pub direct_upload: u64,
    /// The largest size of function and layers together, unzipped: 262,144,000.
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

    /// Returns the built-in runtime of this name.
    ///
    /// # Errors
    /// There is none, or it is the profile of an image.
    pub fn built_in(name: &str) -> Result<Self, ProfileError> {
        Profile::built_in(name)?.lambda()
    }

    /// Returns the target that is this runtime on an architecture.
    pub fn target(&self, architecture: Architecture) -> TargetPlatform {
        TargetPlatform {
            name: self.name.clone(),
            python: self.python,
            python_full_version: self.python_full_version.clone(),
            glibc: self.glibc,
            architecture,
        }
    }
}

/// The form of the TOML file.
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
    #[serde(default)]
    libraries: Option<Vec<String>>,
    #[serde(default, deserialize_with = "parsed_if_present")]
    libstdcxx: Option<Libstdcxx>,
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
            runtime_libraries: file.runtime.libraries,
            libstdcxx: file.runtime.libstdcxx,
        }
    }
}
