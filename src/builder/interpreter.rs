//! The Python interpreter that a project is built with.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::BuildTool;
use crate::platform::PythonVersion;

/// Prints an interpreter's version, and the ABI and platform of its extension modules.
const IDENTIFY: &str = "import platform, sys, sysconfig; print(*sys.version_info[:2], sep='.'); \
                        print(platform.python_version(), sysconfig.get_config_var('SOABI'), sysconfig.get_platform())";

/// An installed interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInterpreter {
    pub(crate) path: PathBuf,
    /// The minor version.
    pub version: PythonVersion,
    /// The full version, and the ABI and the platform that it compiles for: part of the cache key of built wheels.
    pub(crate) identity: String,
}

impl BuildInterpreter {
    /// Finds the interpreter that uv selects for a version. If none is installed, falls back to a newer one or else any,
    /// since a pure wheel fits the target whatever built it. Downloads nothing.
    pub(super) fn by_uv(uv: &Path, version: PythonVersion) -> Option<Self> {
        let requests = [Some(version.to_string()), Some(format!(">={version}")), None];
        requests.into_iter().find_map(|request| {
            let mut command = Command::new(uv);
            command.args(["python", "find", "--no-project", "--no-python-downloads"]).args(request);
            let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
            let path = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
            Self::query(Path::new(path.trim()))
        })
    }

    /// Finds an interpreter on a search path that has `build` or pip: `pythonX.Y` of the version, or else `python3`.
    /// Returns it with the tool and the tool's version.
    pub(super) fn with_tool(search_path: Option<&OsStr>, version: PythonVersion) -> Option<(BuildTool, String, Self)> {
        [format!("python{version}"), "python3".to_owned()].iter().find_map(|name| {
            let interpreters = on_path(search_path, name);
            Self::with_module(&interpreters, "build", BuildTool::Build)
                .or_else(|| Self::with_module(&interpreters, "pip", BuildTool::Pip))
        })
    }

    /// Returns the first interpreter that has a module, with the tool that it makes and the module's version.
    fn with_module(
        interpreters: &[PathBuf],
        module: &str,
        tool: fn(PathBuf) -> BuildTool,
    ) -> Option<(BuildTool, String, Self)> {
        interpreters.iter().find_map(|python| {
            let version = version_of(python, &["-m", module, "--version"])?;
            Some((tool(python.clone()), version, Self::query(python)?))
        })
    }

    /// Runs an interpreter to learn its version and identity.
    fn query(path: &Path) -> Option<Self> {
        let mut command = Command::new(path);
        command.args(["-I", "-c", IDENTIFY]).stdin(Stdio::null()).stderr(Stdio::null());
        let output = command.output().ok().filter(|output| output.status.success())?;
        let text = String::from_utf8(output.stdout).ok()?;
        let (version, identity) = text.trim_end().split_once('\n')?;
        Some(Self { path: path.to_owned(), version: version.parse().ok()?, identity: identity.to_owned() })
    }
}

/// Returns the files of a name on a search path, the value of `PATH`.
pub(super) fn on_path(search_path: Option<&OsStr>, name: &str) -> Vec<PathBuf> {
    let candidates = std::env::split_paths(search_path.unwrap_or_default()).map(|directory| directory.join(name));
    candidates.filter(|path| path.is_absolute() && path.is_file()).collect()
}

/// Runs a command that prints its version, and returns the first two words: the name and the version.
pub(super) fn version_of(program: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    // build and pip also print their location.
    Some(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}
