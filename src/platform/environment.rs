//! The values of environment marker variables.
//!
//! Specification: [PyPA, dependency specifiers, environment markers](https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers).

use pep440_rs::Version;

use super::Architecture;

/// The values that environment markers are evaluated against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkerEnvironment {
    /// `sys.implementation.name`: `cpython` on every target.
    pub implementation_name: String,
    /// The implementation's version, which for CPython equals `python_full_version`.
    pub implementation_version: Version,
    /// `os.name`: `posix` on every target.
    pub os_name: String,
    /// `platform.machine()`: `x86_64` or `aarch64`.
    pub platform_machine: String,
    /// `platform.python_implementation()`: `CPython` on every target.
    pub platform_python_implementation: String,
    /// `platform.release()`: empty, since no target guarantees a kernel version.
    pub platform_release: String,
    /// `platform.system()`: `Linux` on every target.
    pub platform_system: String,
    /// `platform.version()`: empty, since no target guarantees a kernel version.
    pub platform_version: String,
    /// The full Python version, for instance 3.13.0.
    pub python_full_version: Version,
    /// The minor Python version, for instance 3.13.
    pub python_version: Version,
    /// `sys.platform`: `linux` on every target.
    pub sys_platform: String,
}

impl MarkerEnvironment {
    /// Returns the values for CPython on Linux.
    pub fn new(python_full_version: &Version, architecture: Architecture) -> Self {
        Self {
            implementation_name: "cpython".to_owned(),
            implementation_version: python_full_version.clone(),
            os_name: "posix".to_owned(),
            platform_machine: architecture.wheel_name().to_owned(),
            platform_python_implementation: "CPython".to_owned(),
            platform_release: String::new(),
            platform_system: "Linux".to_owned(),
            platform_version: String::new(),
            python_full_version: python_full_version.clone(),
            python_version: Version::new(python_full_version.release().iter().take(2)),
            sys_platform: "linux".to_owned(),
        }
    }
}
