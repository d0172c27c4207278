//! Builds local projects into wheels through their own build back end.
//!
//! Specification: [PEP 517](https://peps.python.org/pep-0517/), by way of uv, `build` or pip.
//!
//! A project is built where it lies, since its back end may look outside of its folder: for a version in git, a readme
//! of the workspace, or a neighbour. uv_build, hatchling, flit and poetry-core write nothing there. setuptools would
//! write `build` and `*.egg-info`, and would take up what an earlier build left in them; it is told to use a temporary
//! folder instead (`DIST_EXTRA_CONFIG`, which setuptools heeds from 65.6 on). The umask need not be fixed: of a wheel's
//! modes only the executable bit counts.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::redact;

/// The default of [`Builder::source_date_epoch`]: 1980-01-01, the first day that a zip can state.
pub const SOURCE_DATE_EPOCH: u64 = 315_532_800;

/// How many of the last lines of a failed build are shown.
const SHOWN_LINES: usize = 50;

/// What builds projects.
#[derive(Debug, Clone)]
pub struct Builder {
    /// The program.
    pub tool: Tool,
    /// The time that back ends stamp into what they write, in seconds since 1970.
    pub source_date_epoch: u64,
    /// Whether the back end must come from uv's cache, as nothing may be downloaded.
    pub offline: bool,
}

/// A program that runs a project's build back end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tool {
    /// `uv build`.
    Uv(PathBuf),
    /// `python3 -m build`, by the interpreter's path.
    Build(PathBuf),
    /// `python3 -m pip wheel`, by the interpreter's path.
    Pip(PathBuf),
}

/// Why a project could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No program that builds projects is on the search path.
    #[error("nothing that builds projects was found on PATH: neither uv, nor a python3 with build or pip")]
    NoTool,
    /// A file or folder cannot be read or written.
    #[error("cannot read or write {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The program could not be started.
    #[error("cannot run {}", .0.display())]
    Run(PathBuf, #[source] io::Error),
    /// The build failed.
    #[error("{} could not be built: `{command}` ended with {status}\n{output}", project.display())]
    Failed {
        /// The project's folder.
        project: PathBuf,
        /// The command.
        command: String,
        /// How it ended, for instance `exit status: 1`.
        status: String,
        /// The last lines that it printed.
        output: String,
    },
    /// The build came out right, but not with one wheel.
    #[error("the build of {} gave {count} wheels in place of one", project.display())]
    NotOneWheel {
        /// The project's folder.
        project: PathBuf,
        /// The number of wheels.
        count: usize,
    },
}

impl BuildError {
    /// Returns what the user may do about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoTool => vec!["install uv: https://docs.astral.sh/uv/getting-started/installation/".to_owned()],
            Self::Failed { command, .. } if command.contains("--offline") => {
                vec![
                    "a back end that was never downloaded cannot be used offline: build once without --offline"
                        .to_owned(),
                ]
            }
            Self::Failed { .. } => vec![
                "if the project is no package, remove `[build-system]` or set `tool.uv.package = false`".to_owned(),
            ],
            Self::File(..) | Self::Run(..) | Self::NotOneWheel { .. } => Vec::new(),
        }
    }
}

impl Builder {
    /// Finds the program on a search path, the value of `PATH`: uv, else `build`, else pip.
    ///
    /// # Errors
    /// None of them is there and runs.
    pub fn find(search_path: Option<&OsStr>, offline: bool) -> Result<Self, BuildError> {
        let runs = |program: &Path, arguments: &[&str]| {
            let quiet = Command::new(program)
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            quiet.is_ok_and(|status| status.success())
        };
        let on_path = |name: &str| {
            let candidates = std::env::split_paths(search_path.unwrap_or_default()).map(|folder| folder.join(name));
            candidates.filter(|path| path.is_absolute() && path.is_file()).collect::<Vec<_>>()
        };
        let uv = || on_path("uv").into_iter().find(|uv| runs(uv, &["--version"])).map(Tool::Uv);
        let build = || {
            on_path("python3").into_iter().find(|python| runs(python, &["-m", "build", "--version"])).map(Tool::Build)
        };
        let pip =
            || on_path("python3").into_iter().find(|python| runs(python, &["-m", "pip", "--version"])).map(Tool::Pip);
        let tool = uv().or_else(build).or_else(pip).ok_or(BuildError::NoTool)?;
        Ok(Self { tool, source_date_epoch: SOURCE_DATE_EPOCH, offline })
    }

    /// Builds the project in a folder into a wheel, which is moved into `output`. Nothing checks that it fits a target.
    ///
    /// # Errors
    /// The build fails or gives no wheel, or a file cannot be written.
    pub fn build_wheel(&self, project: &Path, output: &Path) -> Result<PathBuf, BuildError> {
        let file_error = |path: &Path| {
            let path = path.to_owned();
            move |error| BuildError::File(path, error)
        };
        let project = fs::canonicalize(project).map_err(file_error(project))?;
        let scratch = tempfile::Builder::new().prefix(".build-").tempdir_in(output).map_err(file_error(output))?;
        let wheels = scratch.path().join("wheels");
        let mut command = self.command(&project, &wheels);
        self.set_environment(&mut command, scratch.path()).map_err(file_error(scratch.path()))?;
        let program = PathBuf::from(command.get_program());
        let result = command.output().map_err(|error| BuildError::Run(program, error))?;
        if !result.status.success() {
            return Err(failure(project, &command, &result));
        }
        let built: Vec<PathBuf> = match fs::read_dir(&wheels) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_wheel(path)).collect(),
            Err(_) => Vec::new(),
        };
        let [wheel] = &built[..] else { return Err(BuildError::NotOneWheel { project, count: built.len() }) };
        let moved = output.join(wheel.file_name().unwrap_or_default());
        fs::rename(wheel, &moved).map_err(file_error(&moved))?;
        Ok(moved)
    }

    fn command(&self, project: &Path, wheels: &Path) -> Command {
        let (program, arguments, output): (_, &[&str], _) = match &self.tool {
            Tool::Uv(uv) => (uv, &["build", "--wheel", "--no-progress"], "--out-dir"),
            Tool::Build(python) => (python, &["-m", "build", "--wheel"], "--outdir"),
            Tool::Pip(python) => (python, &["-m", "pip", "wheel", "--no-deps", "--no-cache-dir"], "--wheel-dir"),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        if self.offline {
            match &self.tool {
                Tool::Uv(_) => command.arg("--offline"),
                Tool::Build(_) | Tool::Pip(_) => command.env("PIP_NO_INDEX", "1"),
            };
        }
        command.arg(output).arg(wheels).arg(project).current_dir(project);
        command
    }

    /// Fixes what a back end may read from its environment. The rest is inherited: indexes, proxies, compilers.
    fn set_environment(&self, command: &mut Command, scratch: &Path) -> io::Result<()> {
        let settings = scratch.join("setuptools.cfg");
        let folder = scratch.join("setuptools");
        fs::create_dir(&folder)?;
        fs::write(&settings, format!("[build]\nbuild_base = {0}\n[egg_info]\negg_base = {0}\n", folder.display()))?;
        command
            .env("SOURCE_DATE_EPOCH", self.source_date_epoch.to_string())
            .env("DIST_EXTRA_CONFIG", settings)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONHASHSEED", "0")
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .env("NO_COLOR", "1")
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .stdin(Stdio::null());
        Ok(())
    }
}

fn is_wheel(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "whl")
}

fn failure(project: PathBuf, command: &Command, result: &Output) -> BuildError {
    let printed = if result.stderr.is_empty() { &result.stdout } else { &result.stderr };
    let printed = redact::text(&String::from_utf8_lossy(printed));
    let lines: Vec<&str> = printed.trim_end().lines().collect();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    BuildError::Failed {
        project,
        command: words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" "),
        status: result.status.to_string(),
        output: lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n"),
    }
}
