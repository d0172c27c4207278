//! The interpreter that a project is built with.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::BuildTool;
use crate::platform::PythonVersion;

/// What an interpreter is asked: its version, and what its extension modules are for.
const QUESTION: &str = "import platform, sys, sysconfig; print(*sys.version_info[:2], sep='.'); \
                        print(platform.python_version(), sysconfig.get_config_var('SOABI'), sysconfig.get_platform())";

/// An interpreter that is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInterpreter {
    /// The program.
    pub path: PathBuf,
    /// Its minor version.
    pub version: PythonVersion,
    /// What tells it from others: its full version, and the ABI and the platform of what is compiled for it.
    pub identity: String,
}

impl BuildInterpreter {
    /// Finds the interpreter of a version that uv would take; if there is none, a newer one or else any: what they build
    /// fits the target if it is pure. None is downloaded.
    pub(super) fn by_uv(uv: &Path, version: PythonVersion) -> Option<Self> {
        let requests = [Some(version.to_string()), Some(format!(">={version}")), None];
        requests.into_iter().find_map(|request| {
            let mut command = Command::new(uv);
            command.args(["python", "find", "--no-project", "--no-python-downloads"]).args(request);
            let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
            let path = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
            Self::ask(Path::new(path.trim()))
        })
    }

    /// Finds an interpreter of a version on a search path that has `build` or pip, with what it has and its version; if
    /// there is none, the default interpreter.
    pub(super) fn with_tool(search_path: Option<&OsStr>, version: PythonVersion) -> Option<(BuildTool, String, Self)> {
        [format!("python{version}"), "python3".to_owned()].iter().find_map(|name| {
            let found = on_path(search_path, name);
            let having = |module: &str, tool: fn(PathBuf) -> BuildTool| {
                found.iter().find_map(|python| {
                    let version = version_of(python, &["-m", module, "--version"])?;
                    Some((tool(python.clone()), version, Self::ask(python)?))
                })
            };
            having("build", BuildTool::Build).or_else(|| having("pip", BuildTool::Pip))
        })
    }

    /// Asks a program what it is.
    fn ask(path: &Path) -> Option<Self> {
        let mut command = Command::new(path);
        command.args(["-I", "-c", QUESTION]).stdin(Stdio::null()).stderr(Stdio::null());
        let output = command.output().ok().filter(|output| output.status.success())?;
        let text = String::from_utf8(output.stdout).ok()?;
        let (version, identity) = text.trim_end().split_once('\n')?;
        Some(Self { path: path.to_owned(), version: version.parse().ok()?, identity: identity.to_owned() })
    }
}

/// Returns the programs of a name on a search path, the value of `PATH`.
pub(super) fn on_path(search_path: Option<&OsStr>, name: &str) -> Vec<PathBuf> {
    let candidates = std::env::split_paths(search_path.unwrap_or_default()).map(|folder| folder.join(name));
    candidates.filter(|path| path.is_absolute() && path.is_file()).collect()
}

/// Runs a program that tells its version, and returns its name and version; none if it does not run.
pub(super) fn version_of(program: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    // What follows, of build and pip, is where they are.
    let words = |text: String| text.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    output.status.success().then(|| String::from_utf8(output.stdout).ok().map(words))?
}
