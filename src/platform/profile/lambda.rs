//! Profiles of Lambda runtimes.

use std::collections::BTreeMap;

use pep440_rs::Version;
use serde::{Deserialize, Deserializer, de};

use super::{
    Profile, ProfileError, ProfileKind, Scheme, architectures, artifact_path, interpreter_path, parsed,
    parsed_if_present,
};
use crate::name::DistributionName;
use crate::platform::{Architecture, CLibrary, Glibc, Libstdcxx, PythonVendor, PythonVersion, TargetPlatform};

/// The service of profiles that name none.
const LAMBDA: &str = "Lambda";

/// A Lambda runtime, or what runs functions or jobs from a zip elsewhere, for every architecture.
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
    /// The service that takes the zip, for instance `Lambda`.
    pub service: String,
    /// The directory that the zip is unpacked to, for instance `/var/task`.
    pub root: String,
    /// The directory of the application's files in the zip; empty for its root.
    pub application: String,
    /// The files that the application must contain, relative to that directory.
    pub required_files: Vec<String>,
    /// Patterns of application files that are excluded besides the default ones.
    pub excluded_files: Vec<String>,
    /// Whether modules are imported from the zip itself (zipimport), which loads no compiled ones.
    pub is_imported_from_zip: bool,
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
    /// Whether the service has layers.
    pub has_layers: bool,
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

/// The limits of a deployment package, in bytes; `None` where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LambdaLimits {
    /// The largest zip that can be uploaded directly; larger ones need S3.
    pub direct_upload: Option<u64>,
    /// The largest unzipped size of a function with its layers.
    pub unzipped: Option<u64>,
    /// The largest zip.
    pub zip: Option<u64>,
}

impl LambdaProfile {
    /// Returns a warning about a runtime that AWS has not released yet.
    pub(crate) fn unreleased(&self) -> Option<String> {
        let warning = || format!("the Lambda runtime {} is not generally available yet", self.name);
        (!self.available).then(warning)
    }

    /// Returns the built-in runtimes of Lambda, ordered by version.
    pub fn all() -> impl DoubleEndedIterator<Item = &'static Self> {
        Profile::all().iter().filter_map(|profile| match profile {
            Profile::Lambda(profile) if profile.is_lambda() => Some(profile),
            Profile::Lambda(_) | Profile::Image(_) => None,
        })
    }

    /// Returns whether the profile is a runtime of Lambda, rather than of another service.
    pub(crate) fn is_lambda(&self) -> bool {
        self.service == LAMBDA
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
            vendor: PythonVendor::Upstream,
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
    #[serde(default = "lambda")]
    service: String,
    #[serde(default = "task_root", deserialize_with = "interpreter_path")]
    root: String,
    #[serde(default, deserialize_with = "artifact_path_if_present")]
    application: Option<String>,
    #[serde(default)]
    required_files: Vec<String>,
    #[serde(default)]
    excluded_files: Vec<String>,
    #[serde(default)]
    imported_from_zip: bool,
    #[serde(deserialize_with = "interpreter_path")]
    interpreter: String,
    #[serde(deserialize_with = "parsed")]
    glibc: Glibc,
    #[serde(deserialize_with = "architectures")]
    architectures: Vec<Architecture>,
    function: Scheme,
    layer: Option<Scheme>,
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

fn lambda() -> String {
    LAMBDA.to_owned()
}

fn task_root() -> String {
    "/var/task".to_owned()
}

fn artifact_path_if_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    artifact_path(deserializer).map(Some)
}

impl From<LambdaFile> for LambdaProfile {
    fn from(file: LambdaFile) -> Self {
        Self {
            name: file.name,
            python: file.python,
            python_full_version: file.python_full_version.unwrap_or_else(|| file.python.patch_release(0)),
            available: file.available,
            service: file.service,
            root: file.root,
            application: file.application.unwrap_or_else(|| file.function.site_packages.clone()),
            required_files: file.required_files,
            excluded_files: file.excluded_files,
            is_imported_from_zip: file.imported_from_zip,
            interpreter: file.interpreter,
            glibc: file.glibc,
            architectures: file.architectures,
            has_layers: file.layer.is_some(),
            layer: file.layer.unwrap_or_else(|| file.function.clone()),
            function: file.function,
            limits: file.limits,
            runtime_distributions: file.runtime.distributions,
            runtime_versions: file.runtime.versions,
            runtime_libraries: file.runtime.libraries,
            libstdcxx: file.runtime.libstdcxx,
        }
    }
}
