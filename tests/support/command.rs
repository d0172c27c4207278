//! The command under test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Returns the root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the directory that the tests use as a cache between runs.
pub fn cache() -> PathBuf {
    repository().join("target/test-cache")
}

/// Returns the path of an executable in the tests' virtual environment.
pub fn tool(name: &str) -> PathBuf {
    let path = repository().join("target/test-tools/venv/bin").join(name);
    assert!(path.exists(), "{} is missing: run scripts/setup-tests", path.display());
    path
}

/// Returns the path of a tool that has a virtual environment of its own.
pub fn lock_tool(name: &str) -> PathBuf {
    let path = repository().join("target/test-tools").join(name).join("bin").join(name);
    assert!(path.exists(), "{} is missing: run scripts/setup-tests", path.display());
    path
}

/// Returns the command `pybundle` with the cache that the tests share.
pub fn pybundle(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pybundle"));
    command.args(arguments).env("PYBUNDLE_CACHE_DIR", cache().join("pybundle")).env("NO_COLOR", "1");
    command
}

/// Runs a command that must succeed, and returns its standard output.
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?} failed, {}\n{}", output.status, text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that must fail with exit status 1, and returns its standard error.
pub fn fail(command: &mut Command) -> String {
    let output = run(command);
    assert_eq!(output.status.code(), Some(1), "{command:?} should have failed\n{}", text(&output.stderr));
    text(&output.stderr)
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
