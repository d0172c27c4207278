//! Source distributions, repositories and directories, made and locked by real tools, and built into wheels.
#![cfg(unix)]

#[path = "../support/command.rs"]
#[allow(dead_code, reason = "the cache that tests share is not used here: most of these tests are about what it holds")]
mod command;
#[path = "../support/http.rs"]
mod http;

mod archives;
mod builder;
mod distributions;
mod environment;
mod folders;
mod hostile;
mod project;
mod pythons;
mod repositories;
mod reproducible;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use command::{repository, succeed};
use tempfile::TempDir;

/// A project with its own cache, and an interpreter of the target's version.
struct Place {
    folder: TempDir,
    /// The target's Python version, for instance `3.13`.
    python: String,
    /// The directory of the interpreter's executables.
    programs: PathBuf,
}

impl Place {
    fn new() -> Self {
        let (python, prefix) = interpreter();
        Self { folder: tempfile::tempdir().unwrap(), python, programs: prefix.join("bin") }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file and its parent directories.
    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes an executable script into a new directory, which is returned.
    fn program(&self, name: &str, script: &str) -> PathBuf {
        self.write(&format!("programs/{name}"), format!("#!/bin/sh\n{script}"));
        let path = self.path(&format!("programs/{name}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        self.path("programs")
    }

    /// Returns a search path with these directories before the interpreter's and the environment's.
    fn search_path(&self, folders: &[&Path]) -> OsString {
        let rest = std::env::var_os("PATH").unwrap();
        let folders = folders.iter().map(|folder| folder.to_path_buf()).chain([self.programs.clone()]);
        std::env::join_paths(folders.chain(std::env::split_paths(&rest))).unwrap()
    }

    /// Writes a pyproject.toml in `app` with these dependencies and tables, and locks it with uv.
    fn lock(&self, dependencies: &[&str], rest: &str) {
        let header = "[project]\nname = \"app\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n";
        self.write("app/pyproject.toml", format!("{header}dependencies = {dependencies:?}\n{rest}\n"));
        self.write("app/app.py", "def handler(event, context):\n    return event\n");
        let mut uv = Command::new("uv");
        uv.args(["lock", "--quiet", "--no-python-downloads", "--python"]).arg(&self.python);
        // Submodules are on this machine, too.
        uv.env("GIT_ALLOW_PROTOCOL", "file");
        succeed(uv.current_dir(self.path("app")).env("PATH", self.search_path(&[])).env_remove("VIRTUAL_ENV"));
    }

    /// Returns `pybundle lambda` for this machine's architecture and the given glibc.
    fn bundle(&self, glibc: &str, arguments: &[&str]) -> Command {
        self.bundle_for(&self.python, machine().0, glibc, arguments)
    }

    /// Returns `pybundle lambda` for the given target.
    fn bundle_for(&self, python: &str, architecture: &str, glibc: &str, arguments: &[&str]) -> Command {
        let profile = fs::read_to_string(repository().join(format!("profiles/python{python}.toml"))).unwrap();
        let line = profile.lines().find(|line| line.starts_with("glibc = ")).unwrap();
        self.write("profile.toml", profile.replace(line, &format!("glibc = \"{glibc}\"")));
        let mut command = Command::new(env!("CARGO_BIN_EXE_pybundle"));
        command.args(["lambda", "--no-progress", "--arch", architecture, "--output"]).arg(self.path("out.zip"));
        command.arg("--profile").arg(self.path("profile.toml")).args(arguments).current_dir(self.path("app"));
        command.env("PYBUNDLE_CACHE_DIR", self.path("cache")).env("NO_COLOR", "1").env("PATH", self.search_path(&[]));
        command
    }

    /// Returns `pybundle build` for all targets at a time.
    fn build_targets(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pybundle"));
        command.args(["build", "--no-progress", "--jobs=4"]).current_dir(self.path("app"));
        command.env("PYBUNDLE_CACHE_DIR", self.path("cache")).env("NO_COLOR", "1").env("PATH", self.search_path(&[]));
        command
    }

    /// Returns the paths in the last zip.
    fn bundled(&self) -> Vec<String> {
        let archive = zip::ZipArchive::new(fs::File::open(self.path("out.zip")).unwrap()).unwrap();
        archive.file_names().map(|name| name.unwrap().into_owned()).collect()
    }

    /// Returns a search path with a uv that prints its version and finds interpreters, but fails to build.
    fn without_builds(&self) -> OsString {
        let uv = which("uv");
        let script = format!("[ \"$1\" = build ] && exit 3\nexec '{}' \"$@\"\n", uv.display());
        let folder = self.program("uv", &script);
        self.search_path(&[&folder])
    }
}

/// Returns the configuration of four targets.
fn targets(place: &Place) -> String {
    let runtime = format!("runtime = \"python{}\"\n", place.python);
    let target = |name| format!("[tool.pybundle.target.{name}]\nkind = \"lambda\"\n{runtime}");
    ["one", "two", "three", "four"].map(target).concat()
}

/// Returns the version and prefix of an interpreter that has headers.
fn interpreter() -> (String, PathBuf) {
    let path = repository().join("target/test-tools/interpreters");
    let listed = fs::read_to_string(&path).unwrap_or_else(|error| panic!("run scripts/setup-tests: {error}"));
    let known = listed.lines().rev().filter_map(|line| line.split_once(' '));
    let has_headers = |(version, prefix): &(&str, &str)| {
        Path::new(prefix).join(format!("include/python{version}/Python.h")).is_file()
    };
    let found = known.into_iter().find(has_headers);
    let (version, prefix) =
        found.expect("no Python has its headers: apt-get install python3-dev (scripts/setup-tests)");
    (version.to_owned(), prefix.into())
}

/// Returns AWS's names of this machine's architecture and of the other one.
fn machine() -> (&'static str, &'static str) {
    if cfg!(target_arch = "x86_64") { ("x86_64", "arm64") } else { ("arm64", "x86_64") }
}

/// Returns the path of a command.
fn which(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: run scripts/setup-tests"))
}

/// Runs git with an author.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let settings = ["user.name=n", "user.email=e@example.org", "commit.gpgsign=false", "init.defaultBranch=main"];
    let mut command = Command::new("git");
    settings.iter().for_each(|setting| {
        command.args(["-c", setting]);
    });
    succeed(command.arg("-C").arg(folder).args(arguments)).trim().to_owned()
}
