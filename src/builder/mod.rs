//! Builds projects into wheels with their own build backend.
//!
//! Specification: [PEP 517](https://peps.python.org/pep-0517/), by way of uv, `build` or pip, which isolate the build.
//!
//! A project is built in place, since its backend may read files outside of its directory: git tags for a dynamic
//! version, the workspace's readme, a neighbouring package. uv_build, hatchling, flit and poetry-core write nothing
//! there. setuptools would write `build` and `*.egg-info`, and bundle files that an earlier build left in them; it is
//! redirected to a temporary directory (`DIST_EXTRA_CONFIG`, supported since setuptools 65.6), which has the `*.egg-info` of a
//! source distribution (see `egg_info`). The umask does not matter: only the executable bit of a wheel's modes is used. Compilers
//! do not record where they run (see `compilers`).
//!
//! uv's settings are those of the bundled project, even for projects that are unpacked elsewhere
//! ([`WheelBuilder::settings`]): uv reads `[tool.uv]` of the workspace at `--project`, with its indexes and
//! `build-constraint-dependencies`, and the user's and the system's `uv.toml`. Index URLs are passed in environment
//! variables, since arguments are visible to every user of the machine and appear in messages.

mod compilers;
mod egg_info;
mod error;
mod tool;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use url::Url;

use crate::archive::EPOCH;
use crate::cache::Cache;
use crate::interpreter::{InterpreterLocations, PythonInterpreter};
use crate::platform::PythonVersion;
use crate::redact;

pub use error::WheelBuildError;
pub(crate) use error::{add_setup_py, has_only_setup_cfg};
pub use tool::BuildTool;
pub(crate) use tool::find_uv;

/// The default of [`WheelBuilder::source_date_epoch`]: 1980-01-01, the earliest date in a zip.
pub(crate) const SOURCE_DATE_EPOCH: u64 = EPOCH;

/// The number of lines of a failed build's output that are shown.
const SHOWN_LINES: usize = 50;

/// Builds wheels with a build tool and an interpreter.
#[derive(Debug, Clone)]
pub struct WheelBuilder {
    /// The build tool.
    pub tool: BuildTool,
    /// The name and version of the tool.
    pub version: String,
    /// The interpreter that runs the backend, of the requested version if that is installed.
    pub python: PythonInterpreter,
    /// The value of `PATH`, where the compilers are.
    pub search_path: Option<OsString>,
    /// The directory of the project whose uv settings apply. By default, each built project's own settings do.
    pub settings: Option<PathBuf>,
    /// Where build requirements are downloaded from.
    pub indexes: BuildIndexes,
    /// The timestamp for the files in wheels, in seconds since 1970.
    pub source_date_epoch: u64,
    /// Whether build requirements must be in uv's cache.
    pub offline: bool,
}

/// The indexes for build requirements, in addition to those in the tool's own settings. `Debug` redacts credentials.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BuildIndexes {
    /// The default index.
    pub default: Option<Url>,
    /// Additional indexes in order of priority.
    pub others: Vec<Url>,
    /// Directories and pages with links to files.
    pub find_links: Vec<Url>,
    /// The variables by which the user configures uv's indexes: pybundle's own environment does not have them any more.
    pub of_uv: Vec<(String, String)>,
}

impl fmt::Debug for BuildIndexes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BuildIndexes")
            .field("default", &self.default.as_ref().map(redact::url))
            .field("others", &self.others.iter().map(redact::url).collect::<Vec<_>>())
            .field("find_links", &self.find_links.iter().map(redact::url).collect::<Vec<_>>())
            .finish()
    }
}

impl BuildIndexes {
    /// Returns the environment variables that configure a tool.
    fn variables(&self, tool: &BuildTool) -> Vec<(String, String)> {
        let ([default, others, find_links], separator) = match tool {
            BuildTool::Uv(_) => (["UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"], ","),
            // build installs build requirements with pip.
            BuildTool::Build(_) | BuildTool::Pip(_) => {
                (["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"], " ")
            }
        };
        let mut variables = if let BuildTool::Uv(_) = tool { self.of_uv.clone() } else { Vec::new() };
        variables.extend(self.default.iter().map(|url| (default.to_owned(), url.to_string())));
        for (name, urls, separator) in [(others, &self.others, " "), (find_links, &self.find_links, separator)] {
            variables.extend((!urls.is_empty()).then(|| (name.to_owned(), join_urls(urls, separator))));
        }
        variables
    }
}

/// Joins URLs. Commas in them are escaped, since uv separates `UV_FIND_LINKS` by commas.
fn join_urls(urls: &[Url], separator: &str) -> String {
    urls.iter().map(|url| url.as_str().replace(',', "%2C")).collect::<Vec<_>>().join(separator)
}

impl WheelBuilder {
    /// Finds the first of uv, `build` and pip, and an interpreter, preferably of the given version.
    ///
    /// # Errors
    /// No tool or no interpreter is installed.
    pub fn find(
        locations: &InterpreterLocations,
        python: PythonVersion,
        cache: &Cache,
    ) -> Result<Self, WheelBuildError> {
        let (tool, version, python) = tool::find(locations, python, cache)?;
        Ok(Self {
            tool,
            version,
            python,
            search_path: locations.search_path.clone(),
            settings: None,
            indexes: BuildIndexes::default(),
            source_date_epoch: SOURCE_DATE_EPOCH,
            offline: false,
        })
    }

    /// Returns what a wheel depends on besides its source, for the cache key: the tool, the interpreter with its ABI and
    /// platform, and the timestamp.
    pub fn environment(&self) -> String {
        format!("{}\n{}\n{}\n", self.version, self.python.build_identity(), self.source_date_epoch)
    }

    /// Builds the project in a directory into a wheel in `output`. Does not check that the wheel fits a target.
    ///
    /// # Errors
    /// The build fails or does not produce one wheel, or a file cannot be written.
    pub fn build_wheel(&self, project: &Path, output: &Path) -> Result<PathBuf, WheelBuildError> {
        self.build_wheel_of(&project.display().to_string(), project, output)
    }

    /// As [`WheelBuilder::build_wheel`], but errors call the project `name`, since its directory is temporary.
    ///
    /// # Errors
    /// As [`WheelBuilder::build_wheel`].
    pub(crate) fn build_wheel_of(&self, name: &str, project: &Path, output: &Path) -> Result<PathBuf, WheelBuildError> {
        let project = fs::canonicalize(project).map_err(file_error(project))?;
        // Its name is always the same, since compilers record it.
        let scratch = tempfile::Builder::new().prefix(".build").rand_bytes(0).tempdir_in(output);
        let scratch = scratch.map_err(file_error(output))?;
        let wheels = scratch.path().join("wheels");
        let mut command = self.command(&project, &wheels);
        self.set_environment(&mut command, &project, scratch.path()).map_err(file_error(scratch.path()))?;
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

    /// Fixes the environment variables that make builds differ. The others are inherited, among them those of proxies,
    /// compilers and indexes.
    fn set_environment(&self, command: &mut Command, project: &Path, scratch: &Path) -> io::Result<()> {
        let settings = scratch.join("setuptools.cfg");
        let directory = scratch.join("setuptools");
        fs::create_dir(&directory)?;
        egg_info::copy_from_sdist(project, &directory)?;
        fs::write(&settings, format!("[build]\nbuild_base = {0}\n[egg_info]\negg_base = {0}\n", directory.display()))?;
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
        let scripts = scratch.join("compilers");
        if let Some(path) = compilers::mapped(self.search_path.as_deref(), project, scratch, &scripts)? {
            command.env("PATH", path);
        }
        Ok(())
    }
}

/// Returns a function that adds a path to an I/O error.
fn file_error(path: &Path) -> impl FnOnce(io::Error) -> WheelBuildError + use<> {
    let path = path.to_owned();
    move |error| WheelBuildError::File(path, error)
}

fn is_wheel(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "whl")
}

fn failure(project: &str, command: &Command, result: &Output) -> WheelBuildError {
    let printed = if result.stderr.is_empty() { &result.stdout } else { &result.stderr };
    let printed = redact::text(&String::from_utf8_lossy(printed));
    let lines: Vec<&str> = printed.trim_end().lines().collect();
    let arguments = std::iter::once(command.get_program()).chain(command.get_args());
    WheelBuildError::Failed {
        project: project.to_owned(),
        command: arguments.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" "),
        status: result.status.to_string(),
        output: lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n"),
        instead: None,
    }
}
