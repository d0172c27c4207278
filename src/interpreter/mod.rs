//! The Python interpreters of this machine: where they are, and what identifies them.
//!
//! Both who compiles bytecode and who builds wheels find theirs here, so that one is never told that an interpreter is
//! missing which the other one uses. No tool is asked: `uv python find` starts every interpreter that it considers, and
//! the shims of pyenv and asdf take a tenth of a second each.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::cache::{Cache, CacheError, RecordKey, RecordKind};
use crate::platform::PythonVersion;

#[cfg(test)]
mod tests;

/// Defines the functions `identity` and `extension_abi` in Python.
pub(crate) const IDENTITY: &str = include_str!("identity.py");

/// The version of the cached properties, to be raised when they change.
const FORMAT: u32 = 3;

/// The oldest minor version of Python 3 that builds wheels.
const OLDEST: u8 = 8;

/// How many minor versions newer than the requested one are looked for.
const NEWER: u8 = 8;

/// The directories to search for interpreters.
#[derive(Debug, Clone, Default)]
pub struct InterpreterLocations {
    /// The directory of uv's managed interpreters.
    pub uv: Option<PathBuf>,
    /// The value of `PATH`.
    pub search_path: Option<OsString>,
    /// The root directory of pyenv.
    pub pyenv: Option<PathBuf>,
}

impl InterpreterLocations {
    /// Returns the first regular build of a version. Its properties are cached until its file changes, so that later builds
    /// do not start it.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub(crate) fn find(&self, version: PythonVersion, cache: &Cache) -> Result<Option<PythonInterpreter>, CacheError> {
        for path in self.executables(version) {
            if let Some(found) = identified(&path, cache)?
                && found.is_regular(version)
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Returns an interpreter to build wheels with: of the version, or else of a newer one, or else any, since a pure wheel
    /// fits the target whatever built it.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub(crate) fn find_for_builds(
        &self,
        version: PythonVersion,
        cache: &Cache,
    ) -> Result<Option<PythonInterpreter>, CacheError> {
        let minor = |minor| PythonVersion { minor, ..version };
        let newer = (version.minor..=version.minor.saturating_add(NEWER)).map(minor);
        let older = (OLDEST..version.minor).rev().map(minor);
        let by_name = newer.flat_map(|version| self.executables(version)).collect::<Vec<_>>();
        let paths =
            by_name.into_iter().chain(self.unversioned()).chain(older.flat_map(|version| self.executables(version)));
        for path in paths {
            if let Some(found) = identified(&path, cache)?
                && found.has_standard_abi(found.version)
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Returns executables that may be an interpreter of a version, in uv's order: managed by uv, newest first, then on
    /// the search path, and finally pyenv's, newest first. Scripts are skipped: which interpreter a shim of pyenv runs
    /// depends on the working directory and the user's settings.
    pub(crate) fn executables(&self, version: PythonVersion) -> Vec<PathBuf> {
        let name = format!("python{version}");
        let managed = self.uv.iter().flat_map(|directory| patch_releases(directory, "cpython-", version));
        let pyenv = self.pyenv.iter().flat_map(|root| patch_releases(&root.join("versions"), "", version));
        let candidates = managed
            .map(|directory| directory.join("bin").join(&name))
            .chain(self.on_path(&name))
            .chain(pyenv.map(|directory| directory.join("bin").join(&name)));
        candidates.filter(|path| is_binary(path)).collect()
    }

    /// Returns the executables `python3` and `python` on the search path, a shim as the interpreter that it runs here.
    pub(crate) fn unversioned(&self) -> impl Iterator<Item = PathBuf> {
        ["python3", "python"].into_iter().flat_map(|name| self.on_path(name)).filter_map(|path| {
            if is_binary(&path) {
                Some(path)
            } else {
                output_of(&path, "import sys; print(sys.executable)").map(PathBuf::from)
            }
        })
    }

    fn on_path(&self, name: &str) -> Vec<PathBuf> {
        on_path(self.search_path.as_deref(), name)
    }
}

/// Returns the files of a name on a search path, the value of `PATH`.
pub(crate) fn on_path(search_path: Option<&OsStr>, name: &str) -> Vec<PathBuf> {
    let directories = std::env::split_paths(search_path.unwrap_or_default());
    directories.map(|directory| directory.join(name)).filter(|path| path.is_absolute() && path.is_file()).collect()
}

/// Returns the directories `PREFIX3.12.4` and `PREFIX3.12.4-SUFFIX` of patch releases, newest first. Those of free-threaded
/// builds are `PREFIX3.13.1+freethreaded-SUFFIX` with uv and `PREFIX3.13.1t` with pyenv.
fn patch_releases(directory: &Path, prefix: &str, version: PythonVersion) -> Vec<PathBuf> {
    let start = format!("{prefix}{}.{}.", version.major, version.minor);
    let mut found: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let build = name.strip_prefix(&start).and_then(|rest| rest.split('-').next());
        let patch = build.and_then(|build| {
            let free = build.strip_suffix("+freethreaded").or_else(|| build.strip_suffix('t'));
            (free.is_some() == version.free_threaded).then(|| free.unwrap_or(build))?.parse().ok()
        });
        found.extend(patch.map(|patch| (patch, entry.path())));
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, path)| path).collect()
}

/// Returns whether a file exists at an absolute path and is not a script.
fn is_binary(path: &Path) -> bool {
    let mut start = [0; 2];
    path.is_absolute() && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start != *b"#!"
}

/// Returns the properties of an executable, which are cached. A failure is not: a missing library may be installed later.
///
/// # Errors
/// The cache cannot be written to.
pub(crate) fn identified(path: &Path, cache: &Cache) -> Result<Option<PythonInterpreter>, CacheError> {
    let Some(key) = state(path) else { return Ok(None) };
    if let Some(known) = cache.record(RecordKind::Interpreter, key) {
        return Ok(Some(known));
    }
    let found = PythonInterpreter::identify(path);
    if let Some(interpreter) = &found {
        cache.store_record(RecordKind::Interpreter, key, interpreter)?;
    }
    Ok(found)
}

/// Returns a digest that changes when an executable is replaced.
fn state(path: &Path) -> Option<RecordKey> {
    let metadata = fs::metadata(path).ok()?;
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    Some(RecordKey::new(format!("interpreter {FORMAT}"), &[&path.display(), &metadata.len(), &format!("{times:?}")]))
}

/// Runs an interpreter isolated from the user's settings, and returns what a program prints.
fn output_of(path: &Path, program: &str) -> Option<String> {
    let mut command = Command::new(path);
    // -I: isolated from the user's settings. -S: no site-packages. -B: no bytecode files.
    command.args(["-I", "-S", "-B", "-c", program]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// An installed interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonInterpreter {
    /// The path of the executable.
    pub path: PathBuf,
    /// The minor version.
    pub version: PythonVersion,
    /// For instance `3.12.4`.
    pub full_version: String,
    /// The output of `identity` in `identity.py`. Interpreters with the same identity produce the same bytecode.
    pub identity: String,
    /// The ABI of extension modules and the machine, for instance `.cpython-312-x86_64-linux-gnu.so linux x86_64`.
    pub extension_abi: String,
}

impl PythonInterpreter {
    /// Runs an executable to identify it; `None` if it is not a regular build of the version: a final release of CPython,
    /// no debug build, and free-threaded only if the version is.
    pub fn query(path: &Path, version: PythonVersion) -> Option<Self> {
        Self::identify(path).filter(|interpreter| interpreter.is_regular(version))
    }

    /// Runs an executable to identify it; `None` if it is no interpreter.
    fn identify(path: &Path) -> Option<Self> {
        let printed = output_of(path, &format!("{IDENTITY}\nprint(extension_abi())\nprint(identity())"))?;
        let (extension_abi, identity) = printed.split_once('\n')?;
        Self::new(path, identity, extension_abi)
    }

    fn new(path: &Path, identity: &str, extension_abi: &str) -> Option<Self> {
        let [_, minor_version, _, abi_flags, .., full] = lines(identity)?;
        let version: PythonVersion = minor_version.parse().ok()?;
        Some(Self {
            path: path.to_owned(),
            version: PythonVersion { free_threaded: abi_flags.contains('t'), ..version },
            full_version: full.split_whitespace().next()?.to_owned(),
            identity: identity.to_owned(),
            extension_abi: extension_abi.to_owned(),
        })
    }

    /// The bytecode of a pre-release is not the release's.
    fn is_regular(&self, version: PythonVersion) -> bool {
        let is_final = lines(&self.identity).is_some_and(|[_, _, release_level, ..]| release_level == "final");
        is_final && self.has_standard_abi(version)
    }

    /// The bytecode files of builds with other ABI flags have other names (debug) or other content (free-threaded), and
    /// extension modules that they compile have another ABI.
    fn has_standard_abi(&self, version: PythonVersion) -> bool {
        lines(&self.identity).is_some_and(|[implementation, _, _, abi_flags, cache_tag, ..]| {
            implementation == "cpython"
                && self.version == version
                && abi_flags == version.abi_flag()
                && cache_tag == tag(version)
        })
    }

    /// Returns what a wheel depends on that this interpreter builds.
    pub(crate) fn build_identity(&self) -> String {
        format!("{} {} {}", self.full_version, self.extension_abi, self.identity.replace('\n', " "))
    }

    /// Returns the tag in the names of bytecode files, for instance `cpython-312` (PEP 3147). That of a free-threaded build is the
    /// same.
    pub fn cache_tag(&self) -> String {
        tag(self.version)
    }
}

/// Splits an identity into its seven properties, of which the last may have several lines.
fn lines(identity: &str) -> Option<[&str; 7]> {
    identity.splitn(7, '\n').collect::<Vec<_>>().try_into().ok()
}

fn tag(version: PythonVersion) -> String {
    format!("cpython-{}{}", version.major, version.minor)
}

/// What a run with an interpreter depends on besides its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InterpreterHost {
    /// The directory of its installation (`sys.base_prefix`).
    pub(crate) prefix: PathBuf,
    /// The C library, for instance `glibc 2.36`.
    pub(crate) libc: Option<String>,
    /// The kernel, for instance `Linux 6.1.0`.
    pub(crate) kernel: String,
}

impl PythonInterpreter {
    /// Asks the interpreter for its installation and its system; `None` if it fails.
    pub(crate) fn host(&self) -> Option<InterpreterHost> {
        const PROGRAM: &str = "import os, sys\nuname = os.uname()\nprint(sys.base_prefix)\n\
                               print('CS_GNU_LIBC_VERSION' in os.confstr_names and os.confstr('CS_GNU_LIBC_VERSION') or '')\n\
                               print(uname.sysname, uname.release)";
        let printed = output_of(&self.path, PROGRAM)?;
        let [prefix, libc, kernel] = printed.splitn(3, '\n').collect::<Vec<_>>().try_into().ok()?;
        let libc = Some(libc.to_owned()).filter(|libc| !libc.is_empty());
        Some(InterpreterHost { prefix: prefix.into(), libc, kernel: kernel.to_owned() })
    }
}
