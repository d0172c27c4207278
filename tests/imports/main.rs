//! The audit of imports, compared with what the target's own Python imports.

#[path = "../support/mod.rs"]
mod support;

mod applications;
mod data_file_hints;
mod data_files;
mod defects;
mod functions;
mod library_needs;
mod locks;
mod reach;
mod roots;
mod search_path;
mod shadows;
mod startup;
mod suffixes;
mod syntax;
mod undeclared;
mod unused;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::command::{pybundle, repository};

/// The paths and contents of the files of a wheel.
type Files = &'static [(&'static str, &'static [u8])];

/// Returns the interpreter of a version, for instance `3.12`.
fn interpreter(minor: &str) -> PathBuf {
    let lines = std::fs::read_to_string(repository().join("target/test-tools/interpreters")).unwrap_or_default();
    let found = lines.lines().find_map(|line| line.strip_prefix(minor)?.strip_prefix(' '));
    let folder = found.unwrap_or_else(|| panic!("Python {minor} is missing: run scripts/setup-tests"));
    Path::new(folder).join(format!("bin/python{minor}"))
}

/// Imports modules from a directory, and returns the type and message of the exception that is raised.
fn exception(minor: &str, folder: &Path, modules: &str) -> Option<String> {
    let script = format!(
        "import sys; sys.path.insert(0, '.')\ntry:\n    import {modules}\nexcept BaseException as error:\n    print(type(error).__name__, error)\n"
    );
    let output = Command::new(interpreter(minor)).args(["-I", "-c", &script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned()).filter(|said| !said.is_empty())
}

fn unpack(path: &Path, folder: &Path) {
    zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap().extract(folder).unwrap();
}

/// Returns the command that builds a project for a version of Python.
fn lambda(project: &Path, minor: &str, more: &[&str]) -> Command {
    let runtime = format!("python{minor}");
    let mut command = pybundle(&["lambda", "--runtime", &runtime, "--arch", "x86_64", "--no-progress"]);
    command.arg(project).args(more);
    command
}
