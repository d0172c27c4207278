//! The tools that run build backends, and finding one.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::WheelBuildError;
use crate::cache::Cache;
use crate::interpreter::{self, InterpreterLocations, PythonInterpreter};
use crate::platform::PythonVersion;

/// A tool that runs a project's build backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildTool {
    /// `uv build`.
    Uv(PathBuf),
    /// `python3 -m build`, by the interpreter's path.
    Build(PathBuf),
    /// `python3 -m pip wheel`, by the interpreter's path.
    Pip(PathBuf),
}

/// A tool, its name and version, and the interpreter that it builds with.
pub(super) type FoundTool = (BuildTool, String, PythonInterpreter);

/// Finds the first of uv, `build` and pip, and an interpreter, preferably of the given version.
///
/// # Errors
/// No tool or no interpreter is installed.
pub(super) fn find(
    locations: &InterpreterLocations,
    python: PythonVersion,
    cache: &Cache,
) -> Result<FoundTool, WheelBuildError> {
    if let Some((uv, version)) = find_uv(locations.search_path.as_deref()) {
        let found = locations.find_for_builds(python, cache)?.ok_or(WheelBuildError::NoInterpreter(python))?;
        return Ok((BuildTool::Uv(uv), version, found));
    }
    for path in locations.executables(python).into_iter().chain(locations.unversioned()) {
        if let Some((tool, version)) = module(&path)
            && let Some(found) = interpreter::identified(&path, cache)?
        {
            return Ok((tool, version, found));
        }
    }
    Err(WheelBuildError::NoTool)
}

/// Finds uv on a search path, the value of `PATH`; returns its path, and its name and version.
pub(crate) fn find_uv(search_path: Option<&OsStr>) -> Option<(PathBuf, String)> {
    let found = interpreter::on_path(search_path, "uv");
    found.into_iter().find_map(|uv| version_of(&uv, &["--version"]).map(|version| (uv, version)))
}

/// Returns the tool that an interpreter has as a module, and the tool's version.
fn module(python: &Path) -> Option<(BuildTool, String)> {
    let tools = [("build", BuildTool::Build(python.to_owned())), ("pip", BuildTool::Pip(python.to_owned()))];
    tools.into_iter().find_map(|(module, tool)| Some((tool, version_of(python, &["-m", module, "--version"])?)))
}

/// Runs a command that prints its version, and returns the first two words: the name and the version.
fn version_of(program: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    // build and pip also print their location.
    Some(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}
