//! Finds the installed interpreters, and the properties that bytecode depends on.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::process;
use crate::platform::PythonVersion;

/// The directories to search for interpreters.
#[derive(Debug, Clone, Default)]
pub(crate) struct InterpreterLocations {
    /// The directory of uv's managed interpreters.
    pub(crate) uv: Option<PathBuf>,
    /// The value of `PATH`.
    pub(crate) search_path: Option<OsString>,
    /// The root directory of pyenv.
    pub(crate) pyenv: Option<PathBuf>,
}

impl InterpreterLocations {
    /// Returns executables that may be an interpreter of a version, in uv's order: managed by uv, newest first, then on
    /// the search path, and finally pyenv's, newest first. Scripts are skipped: which interpreter a shim of pyenv runs
    /// depends on the working directory and the user's settings.
    pub(crate) fn executables(&self, version: PythonVersion) -> Vec<PathBuf> {
        let name = format!("python{version}");
        let managed = self.uv.iter().flat_map(|directory| patch_releases(directory, "cpython-", version));
        let pyenv = self.pyenv.iter().flat_map(|root| patch_releases(&root.join("versions"), "", version));
        let on_path = std::env::split_paths(self.search_path.as_deref().unwrap_or_default()).map(|dir| dir.join(&name));
        let candidates = managed
            .map(|directory| directory.join("bin").join(&name))
            .chain(on_path)
            .chain(pyenv.map(|directory| directory.join("bin").join(&name)));
        candidates.filter(|path| path.is_absolute() && is_binary(path)).collect()
    }
}

/// Returns the directories `PREFIX3.12.4` and `PREFIX3.12.4-SUFFIX` of patch releases, newest first.
fn patch_releases(directory: &Path, prefix: &str, version: PythonVersion) -> Vec<PathBuf> {
    let start = format!("{prefix}{version}.");
    let mut found: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let patch = name.strip_prefix(&start).and_then(|rest| rest.split('-').next()?.parse().ok());
        found.extend(patch.map(|patch| (patch, entry.path())));
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, path)| path).collect()
}

/// Returns whether a file exists and is not a script.
fn is_binary(path: &Path) -> bool {
    let mut start = [0; 2];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start != *b"#!"
}

/// An installed CPython: a final release, neither a debug nor a free-threaded build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BytecodeInterpreter {
    /// The path of the executable.
    pub path: PathBuf,
    /// The minor version.
    pub version: PythonVersion,
    /// For instance `3.12.4`.
    pub full_version: String,
    /// The output of `identity()` in `compile.py`. Interpreters with the same identity produce the same bytecode.
    pub identity: String,
}

impl BytecodeInterpreter {
    /// Runs an executable to identify it; `None` if it is not a regular build of the version.
    pub fn query(path: &Path, version: PythonVersion) -> Option<Self> {
        Self::from_identity(path, version, process::identity(path).ok()?)
    }

    fn from_identity(path: &Path, version: PythonVersion, identity: String) -> Option<Self> {
        let lines: Vec<&str> = identity.splitn(7, '\n').collect();
        let [implementation, minor_version, release_level, abi_flags, cache_tag, _magic_number, full] = lines[..]
        else {
            return None;
        };
        // The bytecode files of builds with ABI flags have other names (debug) or other content (free-threaded).
        let is_regular = implementation == "cpython"
            && minor_version == version.to_string()
            && release_level == "final"
            && abi_flags.is_empty()
            && cache_tag == tag(version);
        let full_version = full.split_whitespace().next()?.to_owned();
        is_regular.then(|| Self { path: path.to_owned(), version, full_version, identity })
    }

    /// Returns the tag in the names of bytecode files, for instance `cpython-312` (PEP 3147).
    pub fn cache_tag(&self) -> String {
        tag(self.version)
    }
}

fn tag(version: PythonVersion) -> String {
    format!("cpython-{}{}", version.major, version.minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_builds_of_the_version_are_accepted() {
        fn parse(identity: &str) -> Option<BytecodeInterpreter> {
            let version = "3.13".parse().unwrap();
            BytecodeInterpreter::from_identity(Path::new("/python"), version, identity.to_owned())
        }
        let usual = "cpython\n3.13\nfinal\n\ncpython-313\nf30d0d0a\n3.13.2 (main, Feb  4 2025) \n[GCC 12]";
        let interpreter = parse(usual).unwrap();
        assert_eq!((&*interpreter.full_version, &*interpreter.identity), ("3.13.2", usual));
        for (from, to) in [
            ("cpython\n", "pypy\n"),
            ("\n3.13\n", "\n3.12\n"),
            ("final", "candidate"),
            ("\n\n", "\nt\n"),
            ("\n\n", "\nd\n"),
            ("cpython-313", "None"),
            ("\n3.13.2 (main, Feb  4 2025) \n[GCC 12]", ""),
        ] {
            assert_eq!(parse(&usual.replacen(from, to, 1)), None, "{to}");
        }
    }

    #[test]
    fn interpreters_are_searched_in_the_order_of_uv() {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("uv/cpython-3.12.9-linux-x86_64-gnu/bin/python3.12", "\x7fELF"),
            ("uv/cpython-3.12.10-linux-x86_64-gnu/bin/python3.12", "\x7fELF"),
            ("uv/cpython-3.13.1-linux-x86_64-gnu/bin/python3.13", "\x7fELF"),
            ("uv/pypy-3.12.1-linux-x86_64-gnu/bin/python3.12", "\x7fELF"),
            ("bin/python3.12", "\x7fELF"),
            ("pyenv/versions/3.12.4/bin/python3.12", "\x7fELF"),
            ("pyenv/versions/3.12.11/bin/python3.12", "\x7fELF"),
            ("pyenv/versions/3.12-dev/bin/python3.12", "\x7fELF"),
            ("shims/python3.12", "#!/bin/sh\n"),
        ] {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let search_path =
            std::env::join_paths([directory.path().join("shims"), directory.path().join("bin"), "bin".into()]);
        let locations = InterpreterLocations {
            uv: Some(directory.path().join("uv")),
            search_path: search_path.ok(),
            pyenv: Some(directory.path().join("pyenv")),
        };
        let programs = locations.executables("3.12".parse().unwrap());
        let relative: Vec<_> =
            programs.iter().map(|path| path.strip_prefix(&directory).unwrap().to_str().unwrap()).collect();
        assert_eq!(
            relative,
            [
                "uv/cpython-3.12.10-linux-x86_64-gnu/bin/python3.12",
                "uv/cpython-3.12.9-linux-x86_64-gnu/bin/python3.12",
                "bin/python3.12",
                "pyenv/versions/3.12.11/bin/python3.12",
                "pyenv/versions/3.12.4/bin/python3.12",
            ]
        );
    }
}
