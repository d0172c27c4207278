//! The interpreters of this machine, by what of them bytecode depends on.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::process;
use crate::platform::PythonVersion;

/// Where interpreters may be.
#[derive(Debug, Clone, Default)]
pub struct InterpreterLocations {
    /// The directory with those that uv manages.
    pub uv: Option<PathBuf>,
    /// The value of `PATH`.
    pub search_path: Option<OsString>,
    /// The directory of pyenv.
    pub pyenv: Option<PathBuf>,
}

impl InterpreterLocations {
    /// Returns the programs that may be an interpreter of a version, in uv's order: those that uv manages, the newest
    /// first, then those on the search path; at last pyenv's, the newest first. Scripts are not among them: pyenv's and
    /// others' stand for an interpreter that depends on the directory and on the user's settings.
    pub fn programs(&self, version: PythonVersion) -> Vec<PathBuf> {
        let name = format!("python{version}");
        let below = |directory: &Option<PathBuf>, sub: &str, prefix: &str| {
            let mut found =
                directory.as_ref().map(|directory| patches(&directory.join(sub), prefix, version)).unwrap_or_default();
            found.sort_by(|one, other| other.cmp(one));
            found.into_iter().map(|(_, directory)| directory.join("bin").join(&name)).collect::<Vec<_>>()
        };
        let on_path = std::env::split_paths(self.search_path.as_deref().unwrap_or_default()).map(|dir| dir.join(&name));
        let managed = below(&self.uv, "", "cpython-");
        let candidates = managed.into_iter().chain(on_path).chain(below(&self.pyenv, "versions", ""));
        candidates.filter(|path| path.is_absolute() && is_program(path)).collect()
    }
}

/// Returns the directories of patch releases, with their numbers: `PREFIX3.12.4` and `PREFIX3.12.4-more`.
fn patches(directory: &Path, prefix: &str, version: PythonVersion) -> Vec<(u64, PathBuf)> {
    let start = format!("{prefix}{version}.");
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let patch = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let patch = name.strip_prefix(&start)?.split('-').next()?.parse().ok()?;
        Some((patch, entry.path()))
    };
    entries.filter_map(patch).collect()
}

/// Returns whether a file is a program by itself, and no script.
fn is_program(path: &Path) -> bool {
    let mut start = [0; 2];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start != *b"#!"
}

/// A CPython of this machine: a final release, no debug build, and with the global lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BytecodeInterpreter {
    /// The program.
    pub path: PathBuf,
    /// Its minor version.
    pub version: PythonVersion,
    /// Its full version, for instance `3.12.4`.
    pub full_version: String,
    /// All that it says of itself: the same of two interpreters whose bytecode is the same.
    pub identity: String,
}

impl BytecodeInterpreter {
    /// Asks a program what it is; none if its bytecode is not what releases of the version load.
    pub fn ask(path: &Path, version: PythonVersion) -> Option<Self> {
        Self::of(path, version, process::identity(path).ok()?)
    }

    fn of(path: &Path, version: PythonVersion, identity: String) -> Option<Self> {
        let mut said = identity.splitn(7, '\n');
        let mut next = || said.next();
        let is_release = next()? == "cpython" && next()? == version.to_string() && next()? == "final";
        // The letters are those of other builds, whose bytecode has other files or is for other rules.
        let is_usual = next()?.is_empty() && next()? == tag(version);
        let (_magic, full) = (next()?, next()?);
        let full_version = full.split_whitespace().next()?.to_owned();
        (is_release && is_usual).then(|| Self { path: path.to_owned(), version, full_version, identity })
    }

    /// Returns the tag in the names of its files, for instance `cpython-312` (PEP 3147).
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
    fn only_usual_releases_of_the_version_are_taken() {
        let version = "3.13".parse().unwrap();
        let ask = |said: &str| BytecodeInterpreter::of(Path::new("/python"), version, said.to_owned());
        let usual = "cpython\n3.13\nfinal\n\ncpython-313\nf30d0d0a\n3.13.2 (main, Feb  4 2025) \n[GCC 12]";
        let interpreter = ask(usual).unwrap();
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
            assert_eq!(ask(&usual.replacen(from, to, 1)), None, "{to}");
        }
    }

    #[test]
    fn programs_come_in_the_order_of_uv() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for path in [
            "uv/cpython-3.12.9-linux-x86_64-gnu/bin/python3.12",
            "uv/cpython-3.12.10-linux-x86_64-gnu/bin/python3.12",
            "uv/cpython-3.13.1-linux-x86_64-gnu/bin/python3.13",
            "uv/pypy-3.12.1-linux-x86_64-gnu/bin/python3.12",
            "bin/python3.12",
            "pyenv/versions/3.12.4/bin/python3.12",
            "pyenv/versions/3.12.11/bin/python3.12",
            "pyenv/versions/3.12-dev/bin/python3.12",
        ] {
            write(path, "\x7fELF");
        }
        write("shims/python3.12", "#!/bin/sh\n");
        let search_path =
            std::env::join_paths([directory.path().join("shims"), directory.path().join("bin"), "bin".into()]);
        let places = InterpreterLocations {
            uv: Some(directory.path().join("uv")),
            search_path: search_path.ok(),
            pyenv: Some(directory.path().join("pyenv")),
        };
        let programs = places.programs("3.12".parse().unwrap());
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
