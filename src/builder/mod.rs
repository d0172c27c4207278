//! Builds projects into wheels through their own build back end.
//!
//! Specification: [PEP 517](https://peps.python.org/pep-0517/), by way of uv, `build` or pip, which isolate the build.
//!
//! A project is built where it lies, since its back end may look outside of its folder: for a version in git, a readme
//! of the workspace, or a neighbour. uv_build, hatchling, flit and poetry-core write nothing there. setuptools would
//! write `build` and `*.egg-info`, and would take up what an earlier build left in them; it is told to use a temporary
//! folder instead (`DIST_EXTRA_CONFIG`, which setuptools heeds from 65.6 on). The umask need not be fixed: of a wheel's
//! modes only the executable bit counts.
//!
//! uv's settings are those of the project that is bundled, also for what is unpacked elsewhere ([`WheelBuilder::settings`]):
//! uv reads `[tool.uv]` of the workspace around `--project`, with its indexes and `build-constraint-dependencies`, and
//! the user's and the system's `uv.toml`. Addresses of indexes are handed on in variables, not in arguments, which
//! every user of the machine can read and messages show.

mod error;
mod interpreter;

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use url::Url;

use crate::platform::PythonVersion;
use crate::redact;

pub use error::WheelBuildError;
pub use interpreter::BuildInterpreter;

/// The default of [`WheelBuilder::source_date_epoch`]: 1980-01-01, the first day that a zip can state.
pub const SOURCE_DATE_EPOCH: u64 = 315_532_800;

/// How many of the last lines of a failed build are shown.
const SHOWN_LINES: usize = 50;

/// What builds projects.
#[derive(Debug, Clone)]
pub struct WheelBuilder {
    /// The program.
    pub tool: BuildTool,
    /// The program's name and version.
    pub version: String,
    /// The interpreter that runs the back end: of the version that was asked for, if there is one.
    pub python: BuildInterpreter,
    /// The folder of the project whose settings of uv apply; if there is none, each project's own do.
    pub settings: Option<PathBuf>,
    /// Where back ends come from.
    pub indexes: BuildIndexes,
    /// The time that back ends stamp into what they write, in seconds since 1970.
    pub source_date_epoch: u64,
    /// Whether the back end must come from uv's cache, as nothing may be downloaded.
    pub offline: bool,
}

/// A program that runs a project's build back end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildTool {
    /// `uv build`.
    Uv(PathBuf),
    /// `python3 -m build`, by the interpreter's path.
    Build(PathBuf),
    /// `python3 -m pip wheel`, by the interpreter's path.
    Pip(PathBuf),
}

/// Where build requirements come from, besides what the tool's own settings say. Printing them shows no credentials.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BuildIndexes {
    /// The default index, in place of PyPI.
    pub default: Option<Url>,
    /// Further indexes, those with priority first.
    pub others: Vec<Url>,
    /// Folders and pages with links to files.
    pub find_links: Vec<Url>,
}

impl fmt::Debug for BuildIndexes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redacted = |urls: &[Url]| urls.iter().map(redact::url).collect::<Vec<_>>();
        formatter
            .debug_struct("BuildIndexes")
            .field("default", &self.default.as_ref().map(redact::url))
            .field("others", &redacted(&self.others))
            .field("find_links", &redacted(&self.find_links))
            .finish()
    }
}

impl BuildIndexes {
    /// Returns the variables by which a tool takes them.
    fn variables(&self, tool: &BuildTool) -> Vec<(&'static str, String)> {
        let ([default, others, find_links], separator) = match tool {
            BuildTool::Uv(_) => (["UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"], ","),
            // build runs pip.
            BuildTool::Build(_) | BuildTool::Pip(_) => {
                (["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"], " ")
            }
        };
        // Where a comma separates, one in an address is escaped.
        let escaped = |url: &Url| url.as_str().replace(',', "%2C");
        let joined = |urls: &[Url], separator: &str| urls.iter().map(escaped).collect::<Vec<_>>().join(separator);
        let mut variables: Vec<_> = self.default.iter().map(|url| (default, url.to_string())).collect();
        variables.extend((!self.others.is_empty()).then(|| (others, joined(&self.others, " "))));
        variables.extend((!self.find_links.is_empty()).then(|| (find_links, joined(&self.find_links, separator))));
        variables
    }
}

/// Finds uv on a search path, the value of `PATH`; returns the program, and its name and version.
pub fn find_uv(search_path: Option<&OsStr>) -> Option<(PathBuf, String)> {
    let found = interpreter::on_path(search_path, "uv");
    found.into_iter().find_map(|uv| interpreter::version_of(&uv, &["--version"]).map(|version| (uv, version)))
}

impl WheelBuilder {
    /// Finds the program on a search path, the value of `PATH`: uv, else `build`, else pip; and the interpreter of a
    /// version, or else another.
    ///
    /// # Errors
    /// None of them is there and runs, or there is no interpreter.
    pub fn find(search_path: Option<&OsStr>, python: PythonVersion) -> Result<Self, WheelBuildError> {
        let (tool, version, python) = match find_uv(search_path) {
            Some((uv, version)) => {
                let python = BuildInterpreter::by_uv(&uv, python).ok_or(WheelBuildError::NoInterpreter)?;
                (BuildTool::Uv(uv), version, python)
            }
            None => BuildInterpreter::with_tool(search_path, python).ok_or(WheelBuildError::NoTool)?,
        };
        let (settings, indexes) = (None, BuildIndexes::default());
        Ok(Self { tool, version, python, settings, indexes, source_date_epoch: SOURCE_DATE_EPOCH, offline: false })
    }

    /// Returns all that a wheel depends on besides its source, as far as it can be told: the program, the interpreter,
    /// what that compiles for, and the time that is stamped.
    pub fn environment(&self) -> String {
        format!("{}\n{}\n{}\n", self.version, self.python.identity, self.source_date_epoch)
    }

    /// Builds the project in a folder into a wheel, which is moved into `output`. Nothing checks that it fits a target.
    ///
    /// # Errors
    /// The build fails or gives no wheel, or a file cannot be written.
    pub fn build_wheel(&self, project: &Path, output: &Path) -> Result<PathBuf, WheelBuildError> {
        self.build_wheel_of(&project.display().to_string(), project, output)
    }

    /// Builds as [`WheelBuilder::build_wheel`] does; errors call the project by `name`, since its folder is a temporary one.
    ///
    /// # Errors
    /// As there.
    pub fn build_wheel_of(&self, name: &str, project: &Path, output: &Path) -> Result<PathBuf, WheelBuildError> {
        let file_error = |path: &Path| {
            let path = path.to_owned();
            move |error| WheelBuildError::File(path, error)
        };
        let project = fs::canonicalize(project).map_err(file_error(project))?;
        let scratch = tempfile::Builder::new().prefix(".build-").tempdir_in(output).map_err(file_error(output))?;
        let wheels = scratch.path().join("wheels");
        let mut command = self.command(&project, &wheels);
        self.set_environment(&mut command, scratch.path()).map_err(file_error(scratch.path()))?;
        let program = PathBuf::from(command.get_program());
        let result = command.output().map_err(|error| WheelBuildError::Run(program, error))?;
        if !result.status.success() {
            return Err(failure(name, &command, &result));
        }
        let built: Vec<PathBuf> = match fs::read_dir(&wheels) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_wheel(path)).collect(),
            Err(_) => Vec::new(),
        };
        let [wheel] = &built[..] else {
            return Err(WheelBuildError::NotOneWheel { project: name.to_owned(), count: built.len() });
        };
        let moved = output.join(wheel.file_name().unwrap_or_default());
        fs::rename(wheel, &moved).map_err(file_error(&moved))?;
        Ok(moved)
    }

    fn command(&self, project: &Path, wheels: &Path) -> Command {
        let (program, arguments, output): (_, &[&str], _) = match &self.tool {
            BuildTool::Uv(uv) => (uv, &["build", "--wheel", "--no-progress", "--no-python-downloads"], "--out-dir"),
            BuildTool::Build(python) => (python, &["-m", "build", "--wheel"], "--outdir"),
            BuildTool::Pip(python) => (python, &["-m", "pip", "wheel", "--no-deps", "--no-cache-dir"], "--wheel-dir"),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        match &self.tool {
            BuildTool::Uv(_) => {
                command.arg("--python").arg(&self.python.path);
                if let Some(settings) = &self.settings {
                    command.arg("--project").arg(settings);
                }
                if self.offline {
                    command.arg("--offline");
                }
            }
            BuildTool::Build(_) | BuildTool::Pip(_) if self.offline => {
                command.env("PIP_NO_INDEX", "1");
            }
            BuildTool::Build(_) | BuildTool::Pip(_) => {}
        }
        command.arg(output).arg(wheels).arg(project).current_dir(project);
        command
    }

    /// Fixes what a back end may read from its environment. The rest is inherited: proxies, compilers, and indexes that
    /// are not given here.
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
            .envs(self.indexes.variables(&self.tool))
            .stdin(Stdio::null());
        Ok(())
    }
}

fn is_wheel(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "whl")
}

fn failure(project: &str, command: &Command, result: &Output) -> WheelBuildError {
    let printed = if result.stderr.is_empty() { &result.stdout } else { &result.stderr };
    let printed = redact::text(&String::from_utf8_lossy(printed));
    let lines: Vec<&str> = printed.trim_end().lines().collect();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    WheelBuildError::Failed {
        project: project.to_owned(),
        command: words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" "),
        status: result.status.to_string(),
        output: lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n"),
    }
}
