//! The platforms that artifacts are built for.
//!
//! A `Profile` describes a Lambda runtime or a kind of image. Together with an architecture it gives a [`TargetPlatform`],
//! from which the [`CompatibilityTags`] and the [`MarkerEnvironment`] are derived. Names of architectures are converted
//! here and nowhere else.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};

mod environment;
pub(crate) mod extensions;
pub(crate) mod profile;
pub(crate) mod runtime;
mod tags;

pub use environment::MarkerEnvironment;
pub use extensions::{ExtensionSuffixes, PythonVendor};
pub(crate) use profile::{BaseEntrypoint, ImageProfile, ImageTarget, PYTHON_PLACEHOLDER, Profile};
pub use profile::{LambdaLimits, LambdaProfile, ProfileError, ProfileKind, Scheme};
pub(crate) use runtime::{
    PythonChoiceError, PythonPin, PythonReason, allowed_pythons, allowed_runtimes, check_requested, listed_pythons,
};
pub use tags::{CompatibilityTag, CompatibilityTags};

use crate::hints::{Hints, did_you_mean};

/// A minor version of CPython 3, for instance 3.13, or of its free-threaded build, 3.13t.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct PythonVersion {
    /// Always 3.
    pub major: u8,
    /// For instance 13.
    pub minor: u8,
    /// Whether it has no global interpreter lock ([PEP 703](https://peps.python.org/pep-0703/)), which gives it another ABI.
    /// Only 3.13 and later exist so.
    pub free_threaded: bool,
}

/// An invalid minor version of CPython 3.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid Python version: expected a minor version such as `3.13`", .0.escape_debug())]
pub struct InvalidPythonVersion(String);

impl FromStr for PythonVersion {
    type Err = InvalidPythonVersion;

    fn from_str(text: &str) -> Result<Self, InvalidPythonVersion> {
        let (standard, free_threaded) = text.strip_suffix('t').map_or((text, false), |standard| (standard, true));
        match standard.strip_prefix("3.").and_then(parse_number) {
            Some(minor) if !free_threaded || minor >= FIRST_FREE_THREADED => {
                Ok(Self { free_threaded, ..Self::new(minor) })
            }
            _ => Err(InvalidPythonVersion(text.to_owned())),
        }
    }
}

/// As in the names of its executable and its directories: `python3.13t`.
impl fmt::Display for PythonVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}{}", self.major, self.minor, self.abi_flag())
    }
}

impl PythonVersion {
    /// The minor versions of Python 3 that Lambda has or will have: those of the built-in runtimes.
    pub(crate) const MINORS: RangeInclusive<u8> = 9..=15;

    /// The newest of these, which accepts the syntax of all others.
    pub(crate) const NEWEST: Self = Self::new(*Self::MINORS.end());

    /// Returns the standard build of a version.
    pub const fn new(minor: u8) -> Self {
        Self { major: 3, minor, free_threaded: false }
    }

    /// Returns `t` for a free-threaded build (`sys.abiflags`).
    pub(crate) fn abi_flag(self) -> &'static str {
        if self.free_threaded { "t" } else { "" }
    }

    /// Returns a patch release of this version, for instance 3.13.4.
    pub fn patch_release(self, patch: u64) -> Version {
        Version::new([self.major.into(), self.minor.into(), patch])
    }

    /// Returns whether any patch release of this version satisfies `requires_python`: `>=3.12.4` allows 3.12.
    pub fn is_allowed_by(self, requires_python: &VersionSpecifiers) -> bool {
        // The result of a specifier can only change next to the patch release that it names, so testing these is enough.
        let named = requires_python.iter().map(|specifier| specifier.version().release().get(2).copied().unwrap_or(0));
        let nearby = named.flat_map(|patch| [patch.saturating_sub(1), patch, patch.saturating_add(1)]);
        nearby.chain([0]).any(|patch| requires_python.contains(&self.patch_release(patch)))
    }
}

/// The first minor version of Python 3 that has a free-threaded build.
const FIRST_FREE_THREADED: u8 = 13;

/// A processor architecture. Its display and its `FromStr` use AWS's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Architecture {
    /// x86-64; `amd64` to OCI, `x86_64` to wheels.
    X86_64,
    /// AArch64; `arm64` to OCI, `aarch64` to wheels.
    Arm64,
}

/// An unknown architecture, or one by a name that no tool here uses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a supported architecture: expected x86_64 or arm64", .0.escape_debug())]
pub struct InvalidArchitecture(String);

impl Hints for InvalidArchitecture {
    fn hints(&self) -> Vec<String> {
        let known = match self.0.to_ascii_lowercase().as_str() {
            "amd64" | "x64" | "x86-64" | "x86_64" => Architecture::X86_64,
            "aarch64" | "arm64" => Architecture::Arm64,
            _ => return vec![],
        };
        vec![did_you_mean(known.aws_name())]
    }
}

impl Architecture {
    /// Both architectures.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    /// Returns AWS's name: `x86_64` or `arm64`.
    pub fn aws_name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// Returns the name in platform tags and from `platform.machine()`: `x86_64` or `aarch64`.
    pub fn wheel_name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }

    /// Returns the name in OCI platforms (Go's `GOARCH`): `amd64` or `arm64`.
    pub fn oci_name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// Takes the names of AWS, of platform tags and of OCI platforms.
impl FromStr for Architecture {
    type Err = InvalidArchitecture;

    fn from_str(name: &str) -> Result<Self, InvalidArchitecture> {
        let names = |architecture: &Self| [architecture.aws_name(), architecture.wheel_name(), architecture.oci_name()];
        let known = Self::ALL.into_iter().find(|architecture| names(architecture).contains(&name));
        known.ok_or_else(|| InvalidArchitecture(name.to_owned()))
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.aws_name())
    }
}

/// A version of the GNU C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Glibc {
    /// Always 2.
    pub major: u16,
    /// For instance 34.
    pub minor: u16,
}

/// An invalid version of the GNU C library.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid glibc version: expected one such as `2.34`", .0.escape_debug())]
pub struct InvalidGlibc(String);

impl FromStr for Glibc {
    type Err = InvalidGlibc;

    fn from_str(text: &str) -> Result<Self, InvalidGlibc> {
        match text.strip_prefix("2.").and_then(parse_number) {
            Some(minor) => Ok(Self { major: 2, minor: minor.into() }),
            None => Err(InvalidGlibc(text.to_owned())),
        }
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// A version of musl. Its major version is always 1.
///
/// Wheels are tagged with the minor version, but the patch release decides too: 1.2.4 is the first that supports relative
/// relocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Musl {
    /// For instance 2.
    pub minor: u8,
    /// For instance 5.
    pub patch: u8,
}

/// An invalid version of musl.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid musl version: expected one such as `1.2.5`", .0.escape_debug())]
pub struct InvalidMusl(String);

impl FromStr for Musl {
    type Err = InvalidMusl;

    fn from_str(text: &str) -> Result<Self, InvalidMusl> {
        let numbers = text.strip_prefix("1.").and_then(|rest| rest.split_once('.'));
        match numbers.map(|(minor, patch)| (parse_number(minor), parse_number(patch))) {
            Some((Some(minor), Some(patch))) => Ok(Self { minor, patch }),
            _ => Err(InvalidMusl(text.to_owned())),
        }
    }
}

impl fmt::Display for Musl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "1.{}.{}", self.minor, self.patch)
    }
}

/// The C library of a platform: neither loads what is compiled for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum CLibrary {
    /// The GNU C library.
    Glibc(Glibc),
    /// musl, the C library of Alpine Linux.
    Musl(Musl),
}

impl CLibrary {
    /// Returns the name: `glibc` or `musl`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Glibc(_) => "glibc",
            Self::Musl(_) => "musl",
        }
    }

    /// Returns the version, for instance `2.34` or `1.2.5`.
    pub fn version(self) -> String {
        match self {
            Self::Glibc(glibc) => glibc.to_string(),
            Self::Musl(musl) => musl.to_string(),
        }
    }

    /// Returns the version of glibc; `None` for musl.
    pub(crate) fn glibc(self) -> Option<Glibc> {
        match self {
            Self::Glibc(glibc) => Some(glibc),
            Self::Musl(_) => None,
        }
    }

    /// Returns the version of musl; `None` for glibc.
    pub(crate) fn musl(self) -> Option<Musl> {
        match self {
            Self::Glibc(_) => None,
            Self::Musl(musl) => Some(musl),
        }
    }
}

impl fmt::Display for CLibrary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.name(), self.version())
    }
}

/// A version of the GNU C++ library: the last number of its file name, 33 for `libstdc++.so.6.0.33`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Libstdcxx(pub u16);

/// An invalid version of the GNU C++ library.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid libstdc++ version: expected one such as `6.0.33`, from libstdc++.so.6.0.33", .0.escape_debug())]
pub struct InvalidLibstdcxx(String);

impl FromStr for Libstdcxx {
    type Err = InvalidLibstdcxx;

    fn from_str(text: &str) -> Result<Self, InvalidLibstdcxx> {
        let number = text.strip_prefix("6.0.").and_then(parse_number);
        number.map(|number| Self(number.into())).ok_or_else(|| InvalidLibstdcxx(text.to_owned()))
    }
}

impl fmt::Display for Libstdcxx {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "6.0.{}", self.0)
    }
}

impl Libstdcxx {
    /// The first library with each `CXXABI_1.3.N` and from each major version of GCC: (library, N, GCC).
    ///
    /// Specification: [libstdc++, ABI policy and guidelines](https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html).
    const HISTORY: [(u16, u16, u16); 12] = [
        (19, 7, 4),
        (20, 8, 4),
        (21, 9, 5),
        (22, 10, 6),
        (23, 11, 7),
        (25, 11, 8),
        (26, 12, 9),
        (28, 12, 10),
        (29, 13, 11),
        (30, 13, 12),
        (31, 14, 13),
        (33, 15, 14),
    ];

    /// Returns N of the newest symbol version `GLIBCXX_3.4.N` in the library.
    pub(crate) fn glibcxx(self) -> u16 {
        self.0
    }

    /// Returns N of the newest symbol version `CXXABI_1.3.N` in the library, or `u16::MAX` if the library is newer than
    /// [`Self::HISTORY`], so that nothing is reported missing.
    pub(crate) fn cxxabi(self) -> u16 {
        self.known().map_or(u16::MAX, |(_, cxxabi, _)| cxxabi)
    }

    /// Returns the major version of GCC that the library and its `libgcc_s.so.1` come from, or `u16::MAX` if the library
    /// is newer than [`Self::HISTORY`].
    pub(crate) fn gcc(self) -> u16 {
        self.known().map_or(u16::MAX, |(_, _, gcc)| gcc)
    }

    fn known(self) -> Option<(u16, u16, u16)> {
        let newest = Self::HISTORY.last().is_some_and(|(last, ..)| self.0 > *last);
        if newest { None } else { Self::HISTORY.into_iter().rev().find(|(first, ..)| *first <= self.0) }
    }
}

/// Parses a number without a sign or leading zeros, so that each version has only one spelling.
fn parse_number(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number: &u8| number.to_string() == text)
}

/// Everything that the selection from a lock depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetPlatform {
    /// The name of the profile, for instance `python3.13`.
    pub name: String,
    /// The kind of the profile.
    pub kind: ProfileKind,
    /// The minor Python version.
    pub python: PythonVersion,
    /// The full Python version, for markers.
    pub python_full_version: Version,
    /// The C library.
    pub libc: CLibrary,
    /// The processor architecture.
    pub architecture: Architecture,
    /// Who built the interpreter.
    pub vendor: PythonVendor,
}

impl TargetPlatform {
    /// Returns the suffixes of the extension modules that the interpreter loads.
    pub fn extension_suffixes(&self) -> ExtensionSuffixes {
        ExtensionSuffixes::new(self.python, self.libc, self.architecture, self.vendor)
    }

    /// Returns the supported compatibility tags, best first.
    pub fn tags(&self) -> CompatibilityTags {
        CompatibilityTags::new(self.python, self.libc, self.architecture)
    }

    /// Returns the flag that selects another version of Python for this kind of target.
    pub(crate) fn python_flag(&self, python: PythonVersion) -> String {
        match self.kind {
            ProfileKind::Lambda => format!("--runtime python{python}"),
            ProfileKind::Image => format!("--python {python}"),
        }
    }

    /// Returns the values of environment markers.
    pub fn marker_environment(&self) -> MarkerEnvironment {
        MarkerEnvironment::new(&self.python_full_version, self.architecture)
    }
}

impl fmt::Display for TargetPlatform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on {}", self.name, self.architecture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_architectures_have_one_spelling() {
        assert_eq!("3.13".parse(), Ok(PythonVersion::new(13)));
        assert_eq!("3.13t".parse(), Ok(PythonVersion { free_threaded: true, ..PythonVersion::new(13) }));
        assert_eq!("3.15t".parse::<PythonVersion>().unwrap().to_string(), "3.15t");
        assert_eq!("2.34".parse(), Ok(Glibc { major: 2, minor: 34 }));
        assert_eq!("1.2.5".parse(), Ok(Musl { minor: 2, patch: 5 }));
        for text in ["", "1", "1.2", "2.2.5", "1.2.05", "1.2.5.1", "1.2.5-git", "1.+2.5"] {
            assert_eq!(text.parse::<Musl>(), Err(InvalidMusl(text.to_owned())));
        }
        for architecture in Architecture::ALL {
            assert_eq!(architecture.to_string().parse(), Ok(architecture));
        }
        for text in
            ["", "3", "3.", "3.013", "3.+1", "3.13.0", "python3.13", "4.1", "3.256", "3.1\n", "t", "3.12t", "3.13tt"]
        {
            assert_eq!(text.parse::<PythonVersion>(), Err(InvalidPythonVersion(text.to_owned())));
        }
        for text in ["", "2", "2.034", "3.1", "2.34.1", "2.999"] {
            assert_eq!(text.parse::<Glibc>(), Err(InvalidGlibc(text.to_owned())));
        }
    }

    #[test]
    fn architectures_have_the_names_of_aws_python_and_oci() {
        for (name, architecture) in [("amd64", Architecture::X86_64), ("aarch64", Architecture::Arm64)] {
            assert_eq!(name.parse(), Ok(architecture));
        }
        for (name, hint) in [("x64", "`x86_64`"), ("AMD64", "`x86_64`"), ("ARM64", "`arm64`")] {
            let error = name.parse::<Architecture>().unwrap_err();
            assert!(error.hints()[0].contains(hint), "{:?}", error.hints());
        }
        assert!("riscv64".parse::<Architecture>().unwrap_err().hints().is_empty());
    }

    #[test]
    fn a_minor_version_is_allowed_if_one_of_its_patch_releases_is() {
        let python = PythonVersion::new(12);
        for specifiers in [
            "",
            ">=3.12",
            ">=3.12.4",
            ">3.12",
            "<3.12.1",
            "==3.12.*",
            "==3.12.7",
            "~=3.12.3",
            "!=3.12.0,!=3.12.1",
            ">=3.12.18446744073709551615",
        ] {
            assert!(python.is_allowed_by(&specifiers.parse().unwrap()), "{specifiers}");
        }
        for specifiers in [">=3.13", "<3.12", "<=3.11.9", "!=3.12.*", "==3.11.*", "~=3.11.3", ">=3.12.4,<3.12.4", "<3"]
        {
            assert!(!python.is_allowed_by(&specifiers.parse().unwrap()), "{specifiers}");
        }
    }
}
