//! The command that pins the requirements of a file.

use std::ffi::OsString;
use std::path::Path;

use crate::platform::{Glibc, TargetPlatform};

/// The minor versions of glibc 2 for which uv has a `--python-platform`. uv rejects others.
const KNOWN_GLIBC: [u16; 12] = [17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40];

/// Returns the arguments with which uv pins the requirements of a file for a target, and writes them with hashes to its standard
/// output, as a requirements file. uv respects the index options of the file, but does not write them. It must run in the
/// project's directory, to which the file's paths are relative.
pub fn compile_arguments(path: &Path, target: &TargetPlatform) -> Vec<OsString> {
    let version = target.python_full_version.to_string();
    let mut arguments: Vec<OsString> = ["pip", "compile", "--quiet", "--no-progress"].map(OsString::from).into();
    arguments.extend(["--generate-hashes", "--no-header", "--no-strip-extras"].map(OsString::from));
    arguments.extend(["--python-version", &version, "--python-platform", &platform(target)].map(OsString::from));
    arguments.extend([OsString::from("--"), path.into()]);
    arguments
}

/// Returns uv's name of the platform: the one with the highest glibc that the target has.
fn platform(target: &TargetPlatform) -> String {
    let Glibc { major, minor } = target.glibc;
    let known = KNOWN_GLIBC.into_iter().rfind(|known| major > 2 || *known <= minor);
    let architecture = target.architecture.wheel_name();
    format!("{architecture}-manylinux_2_{}", known.unwrap_or(KNOWN_GLIBC[0]))
}
