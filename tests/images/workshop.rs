//! A directory with a copy of the example, a base and a cache of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::built::{self, Built};
use crate::support::command::{self, repository, succeed};
use crate::tiny::Tiny;

/// A directory to build images in: `project` is a copy of the example, which no git knows, and `base` a small base.
pub struct Workshop {
    directory: TempDir,
}

impl Workshop {
    /// Makes a directory with the example.
    pub fn new() -> Self {
        let workshop = Self::empty();
        let copied = workshop.path("project");
        succeed(Command::new("cp").arg("-r").arg(repository().join("testdata/example")).arg(&copied));
        workshop
    }

    /// Makes a directory with a base and no project.
    pub fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Tiny::python().write(&directory.path().join("base"));
        Self { directory }
    }

    /// Returns a path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of the project, and the directories above it.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path("project").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Returns `pybundle image project --base oci:base`, to be run in the directory, with further arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.without_base(arguments);
        command.arg("--base=oci:base");
        command
    }

    /// Returns `pybundle image project`, to be run in the directory, with further arguments. There is no bytecode unless
    /// they ask for it, so that digests do not depend on which interpreters this machine has, and no line about what takes long,
    /// so that the output does not depend on how fast it is.
    pub fn without_base(&self, arguments: &[&str]) -> Command {
        let mut command = command::pybundle(&["image", "project", "--no-compile-bytecode", "--no-progress"]);
        command.current_dir(self.directory.path()).env("PYBUNDLE_CACHE_DIR", self.path("cache")).args(arguments);
        command
    }

    /// Builds an image, and reads it.
    pub fn build(&self, arguments: &[&str]) -> Built {
        self.run(&mut self.command(arguments))
    }

    /// Builds an image with a command of its own, and reads it.
    pub fn run(&self, command: &mut Command) -> Built {
        let (_place, layout) = self.layout(command);
        built::image(&layout)
    }

    /// Builds an index of images, and reads them.
    pub fn build_index(&self, arguments: &[&str]) -> (String, Vec<(String, Built)>) {
        let (_place, layout) = self.layout(&mut self.command(arguments));
        built::images(&layout)
    }

    /// Builds into a layout in a directory, which goes when that is dropped.
    pub fn layout(&self, command: &mut Command) -> (TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let layout = place.path().join("layout");
        succeed(command.arg(format!("--output=oci:{}", layout.display())));
        (place, layout)
    }

    /// Builds an image, and returns what is reported with `--json`.
    pub fn report(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&succeed(self.command(arguments).arg("--json"))).unwrap()
    }

    /// Builds an image that must fail with exit status 1, and returns what is said. Nothing may be left in the directory.
    pub fn fail(&self, command: &mut Command) -> String {
        let before = listing(self.directory.path());
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.starts_with("error: ") && !said.contains("panicked"), "{said}");
        assert!(output.stdout.is_empty());
        assert_eq!(listing(self.directory.path()), before, "{command:?} left something behind");
        said
    }
}

/// Returns the paths of all files below a directory, but for the cache's.
pub fn listing(directory: &Path) -> Vec<PathBuf> {
    let (mut directories, mut found) = (vec![directory.to_owned()], Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("cache") {
                directories.push(path.clone());
            }
            found.push(path);
        }
    }
    found.retain(|path| !path.ends_with("cache"));
    found.sort();
    found
}
