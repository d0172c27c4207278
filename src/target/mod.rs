//! The platform that an artifact is for.

use std::fmt;
use std::str::FromStr;

pub mod tags;

pub use tags::{Tag, Tags};

/// A minor version of CPython, for instance 3.13.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PythonVersion {
    /// The major version: 3.
    pub major: u8,
    /// The minor version.
    pub minor: u8,
}

/// A processor architecture, by AWS's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// x86-64; `amd64` to OCI, `x86_64` to wheels.
    X86_64,
    /// AArch64; `arm64` to OCI, `aarch64` to wheels.
    Arm64,
}

/// A version of the GNU C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glibc {
    /// The major version: 2.
    pub major: u16,
    /// The minor version.
    pub minor: u16,
}

/// Where each part of a wheel goes inside an artifact: paths without a leading or trailing `/`, empty for the root.
/// (PyPA, binary distribution format, the `.data` directory.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// purelib and platlib.
    pub site_packages: String,
    /// scripts.
    pub scripts: String,
    /// headers; each distribution's in a folder of its name below it.
    pub headers: String,
    /// data.
    pub data: String,
}

/// A built-in or user-written TOML profile: everything known of one kind of target, for every architecture.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The name, for instance `python3.13`.
    pub name: String,
    /// The interpreter's minor version.
    pub python: PythonVersion,
    /// The interpreter's full version, if it is to be fixed; else `X.Y.0` as in uv.
    pub python_full_version: pep440_rs::Version,
    /// The interpreter's path at run time, for instance `/var/lang/bin/python3.13`.
    pub interpreter: String,
    /// The C library of the runtime.
    pub glibc: Glibc,
    /// The architectures that exist.
    pub architectures: Vec<Architecture>,
    /// Where a function's files go.
    pub function: Scheme,
    /// Where a layer's files go.
    pub layer: Scheme,
    /// The limits of the artifacts.
    pub limits: Limits,
    /// The distributions that the runtime brings (the SDK and what it needs), by name.
    pub runtime_distributions: Vec<crate::name::DistributionName>,
}

/// The limits of a Lambda deployment package, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest zip that can be uploaded directly: 52,428,800.
    pub direct_upload: u64,
    /// The largest size of function and layers together, unzipped: 262,144,000.
    pub unzipped: u64,
}

/// A profile and one of its architectures: the target of one artifact.
#[derive(Debug, Clone)]
pub struct Target {
    /// The profile.
    pub profile: Profile,
    /// The architecture.
    pub architecture: Architecture,
}

/// The values that markers are evaluated against (dependency specifiers, environment markers).
#[derive(Debug, Clone)]
pub struct MarkerEnvironment {
    /// `CPython` on every target.
    pub implementation_name: String,
    /// …
    pub python_full_version: pep440_rs::Version,
}

impl FromStr for PythonVersion {
    type Err = String;
    fn from_str(_: &str) -> Result<Self, String> {
        unimplemented!()
    }
}
impl fmt::Display for PythonVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}
impl Target {
    /// Returns the compatibility tags of the target, the best first.
    pub fn tags(&self) -> Tags {
        unimplemented!()
    }
    /// Returns the values that markers are evaluated against.
    pub fn marker_environment(&self) -> MarkerEnvironment {
        unimplemented!()
    }
}
