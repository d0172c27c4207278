//! The command that pins what files of requirements leave open.

use std::ffi::OsString;
use std::path::Path;

use crate::platform::{Glibc, TargetPlatform};

/// The versions of glibc that uv has a platform for, as the minor versions after 2. uv takes no others.
const KNOWN_GLIBC: [u16; 12] = [17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40];

/// Returns the arguments with which uv writes to its standard output what a file requires on a target, pinned and with
/// hashes. The text is a file of requirements itself; what the file says of indexes is heeded, but not repeated in it.
/// uv is run in the project's folder, which the file's paths are relative to.
pub fn compile_arguments(path: &Path, target: &TargetPlatform) -> Vec<OsString> {
    let version = target.python_full_version.to_string();
    let mut arguments: Vec<OsString> = ["pip", "compile", "--quiet", "--no-progress"].map(OsString::from).into();
    arguments.extend(["--generate-hashes", "--no-header", "--no-strip-extras"].map(OsString::from));
    arguments.extend(["--python-version", &version, "--python-platform", &platform(target)].map(OsString::from));
    arguments.extend([OsString::from("--"), path.into()]);
    arguments
}

/// Returns uv's name of the platform: that of the highest glibc that uv knows and the target has.
fn platform(target: &TargetPlatform) -> String {
    let Glibc { major, minor } = target.glibc;
    let known = KNOWN_GLIBC.into_iter().rfind(|known| major > 2 || *known <= minor);
    let architecture = target.architecture.wheel_name();
    format!("{architecture}-manylinux_2_{}", known.unwrap_or(KNOWN_GLIBC[0]))
}
