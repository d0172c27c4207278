//! A function that is ready to run on this machine.

use std::collections::BTreeMap;
use std::env::consts;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::edits::WatchedPaths;
use super::sandbox::{self, Sandbox};
use super::{InvokeError, client, variables};
use crate::archive::mirror::TreeMirror;
use crate::audit::handler::Handler;
use crate::interpreter::{InterpreterHost, PythonInterpreter};
use crate::lambda::configuration::FunctionMemory;
use crate::lambda::{LAYER_ROOT, TASK_ROOT};
use crate::pipeline::session::Session;
use crate::pipeline::{self, BuildError, FunctionDirectories, ProjectCache, UnpackedFunction};
use crate::platform::{Architecture, PythonVersion};
use crate::report::{Phase, Reporter};
use crate::settings::{LambdaSettings, ProfileChoice, RunSettings};
use crate::temporary::TemporaryDirectory;
use crate::tree::TreePath;

/// The region of a function that has none.
pub(super) const REGION: &str = "us-east-1";

/// The account of functions on this machine, which AWS's documentation uses in examples.
const ACCOUNT: &str = "123456789012";

/// How a function is invoked on this machine.
#[derive(Default, Clone)]
pub(crate) struct InvocationSettings {
    /// Variables of its environment. They may be secrets, so that they are never shown.
    pub(crate) variables: Vec<(String, String)>,
}

/// Where the files of a function are on this machine.
#[derive(Debug, Clone)]
pub(super) struct RuntimeDirectories {
    pub(super) function: PathBuf,
    pub(super) layer: PathBuf,
    pub(super) client: PathBuf,
}

/// What a process of a function runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum FunctionProgram {
    /// The client, for a runtime API.
    Client(SocketAddr),
    /// The client, which prints the times of all imports.
    Profile(SocketAddr),
    /// What forks processes that run the client.
    Fork,
}

/// What an edit changed of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FunctionUpdate {
    Nothing,
    /// Files of the application.
    Files,
    /// Files of the application, some of which are new: the names of their modules or packages.
    NewModules(Vec<String>),
    /// Files of dependencies.
    Dependencies,
    /// Perhaps the settings of the function.
    Configuration,
}

/// The files that may contain settings of the function, wherever they are.
const CONFIGURATION: [&str; 2] = ["pyproject.toml", ".python-version"];

/// A function, its runtime client and its interpreter.
pub(crate) struct LocalFunction {
    settings: LambdaSettings,
    invocation: InvocationSettings,
    pub(crate) unpacked: UnpackedFunction,
    /// What the last build warned of.
    pub(crate) warnings: Vec<String>,
    handler: String,
    trees: FunctionDirectories,
    /// The files of the project, without symbolic links, that are files of the function as they are.
    sources: BTreeMap<PathBuf, Vec<TreePath>>,
    /// Whether bytecode of the application is unpacked.
    with_bytecode: bool,
    /// Whether the files are those of an earlier state of the project, since it cannot be built as it is now.
    is_outdated: bool,
    python: PythonInterpreter,
    host: InterpreterHost,
    /// Where the function sees its files.
    directories: RuntimeDirectories,
    /// The sandbox, or why there is none.
    sandbox: Result<Sandbox, String>,
    search_path: Option<OsString>,
    /// Whether the function is to use the SDK of the runtime, but has the locked one.
    has_locked_sdk: bool,
    _temporary: TemporaryDirectory,
}

impl LocalFunction {
    /// Assembles a function, and unpacks it and its client into a temporary directory. `with_bytecode` says whether bytecode
    /// of the application is unpacked, which does not follow edits.
    ///
    /// # Errors
    /// The function cannot be built, cannot run on this machine, or has no handler.
    pub(crate) fn prepare(
        mut settings: LambdaSettings,
        invocation: InvocationSettings,
        with_bytecode: bool,
        projects: &ProjectCache,
        reporter: &dyn Reporter,
    ) -> Result<Self, InvokeError> {
        check_machine(settings.architecture)?;
        // Lambda's SDK is not on this machine.
        let has_locked_sdk = std::mem::take(&mut settings.exclude_runtime);
        let temporary = TemporaryDirectory::new().map_err(BuildError::Temporary)?;
        // Links would be other paths than those that the interpreter reports.
        let directory = temporary.path().canonicalize().map_err(BuildError::Temporary)?;
        let mut trees = FunctionDirectories {
            function: TreeMirror::new(directory.join("task"))?,
            layer: TreeMirror::new(directory.join("opt"))?,
        };
        let unpacked = pipeline::unpack(&settings, projects, with_bytecode, &mut trees, reporter)?;
        let handler = unpacked.handler.as_ref().ok_or(InvokeError::NoHandler)?.to_string();
        let version = unpacked.profile.python;
        let environment = &settings.common.environment;
        let session = Session::open(&settings.common.cache)?;
        let python = environment.interpreters.find(version, &session.cache).map_err(BuildError::from)?;
        let Some(python) = python else {
            let other = other_version(&settings, version, &session, projects);
            return Err(InvokeError::NoPython { version, other });
        };
        let host = python.host().ok_or_else(|| InvokeError::Python(python.path.clone()))?;
        let profile = match &settings.common.profile {
            ProfileChoice::File(path) => ProfileChoice::File(path.clone()),
            _ => ProfileChoice::BuiltIn(unpacked.profile.name.clone()),
        };
        let client = client::unpack(&settings, profile, &directory, reporter)?;
        let paths = [&trees.function, &trees.layer].map(|tree| tree.path().to_owned());
        let [function, layer] = paths;
        let here = RuntimeDirectories { function, layer, client };
        let search_path = environment.search_path().map(OsString::from);
        let sandbox = Sandbox::find(search_path.as_deref(), version, &host, &here);
        let directories = if sandbox.is_ok() {
            let [function, layer, client] = [TASK_ROOT, LAYER_ROOT, sandbox::RUNTIME].map(PathBuf::from);
            RuntimeDirectories { function, layer, client }
        } else {
            here
        };
        Ok(Self {
            settings,
            invocation,
            sources: sources(&unpacked),
            unpacked,
            warnings: Vec::new(),
            handler,
            trees,
            with_bytecode,
            is_outdated: false,
            python,
            host,
            directories,
            sandbox,
            search_path,
            has_locked_sdk,
            _temporary: temporary,
        })
    }

    /// Makes the files those of the project as it is now, where `edited` are the files that were edited since the last call;
    /// `None` if that is not known. If only files of the application are edited, the function is not built again, and not
    /// audited.
    ///
    /// # Errors
    /// The function cannot be built as it is now.
    pub(super) fn update(&mut self, edited: Option<&[PathBuf]>) -> Result<FunctionUpdate, InvokeError> {
        if let Some(edited) = edited {
            if edited.iter().any(|file| self.configures(file)) {
                return Ok(FunctionUpdate::Configuration);
            }
            if !self.is_outdated
                && !self.writes_to_project()
                && let Some(update) = self.replace(edited)
            {
                return Ok(update);
            }
        }
        self.is_outdated = true;
        // What was read of the project may be another now.
        let projects = ProjectCache::default();
        let warnings = BuildWarnings::default();
        let updated = pipeline::unpack(&self.settings, &projects, self.with_bytecode, &mut self.trees, &warnings)?;
        if updated.profile.name != self.unpacked.profile.name {
            return Ok(FunctionUpdate::Configuration);
        }
        self.is_outdated = false;
        self.warnings = warnings.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut self.unpacked, updated);
        self.sources = sources(&self.unpacked);
        let now = &self.unpacked;
        let is_own = |path: &TreePath| before.own.binary_search(path).is_ok() || now.own.binary_search(path).is_ok();
        if now.is_layer_changed || !now.changed.iter().all(is_own) {
            return Ok(FunctionUpdate::Dependencies);
        }
        let new = now.own.iter().filter(|path| before.own.binary_search(path).is_err());
        let top = |path: &TreePath| path.as_str().split(['/', '.']).next().unwrap_or_default().to_owned();
        let new: Vec<String> = new.map(top).collect();
        Ok(match (now.changed.is_empty(), new.is_empty()) {
            (true, _) => FunctionUpdate::Nothing,
            (false, true) => FunctionUpdate::Files,
            (false, false) => FunctionUpdate::NewModules(new),
        })
    }

    /// Tells whether a file is a file of the function as it is, or may contain its settings.
    pub(super) fn uses(&self, file: &Path) -> bool {
        self.sources.contains_key(file) || self.configures(file)
    }

    /// Tells whether a file may contain settings of the function: a script does.
    fn configures(&self, file: &Path) -> bool {
        let name = file.file_name().and_then(|name| name.to_str());
        let is_script = || {
            let script = &self.settings.common.project;
            script.is_file() && script.canonicalize().is_ok_and(|script| script == file)
        };
        name.is_some_and(|name| CONFIGURATION.contains(&name)) || is_script()
    }

    /// Replaces edited files without building the function again; `None` if that does not suffice.
    fn replace(&mut self, edited: &[PathBuf]) -> Option<FunctionUpdate> {
        let sources: Vec<(&PathBuf, &Vec<TreePath>)> =
            edited.iter().map(|file| self.sources.get_key_value(file)).collect::<Option<_>>()?;
        let mut update = FunctionUpdate::Nothing;
        for (source, paths) in sources {
            for path in paths {
                if self.trees.function.replace(path, source).ok()? {
                    update = FunctionUpdate::Files;
                }
            }
        }
        Some(update)
    }

    /// Returns the same function with bytecode; `None` if it has some already.
    ///
    /// # Errors
    /// It cannot be built.
    pub(super) fn with_bytecode(&self, projects: &ProjectCache) -> Result<Option<Self>, InvokeError> {
        let mut settings = self.settings.clone();
        if settings.common.contents.bytecode.replace(true) == Some(true) {
            return Ok(None);
        }
        // They have just run.
        settings.common.prepare.clear();
        Self::prepare(settings, self.invocation.clone(), true, projects, &BuildWarnings::default()).map(Some)
    }

    /// Returns a module of the application: its path in the function, and its file.
    pub(super) fn own_source(&self, module: &str) -> Option<(TreePath, PathBuf)> {
        let (path, _) = self.unpacked.file_of_module(module)?;
        let is_source = self.unpacked.is_own(path) && path.as_str().ends_with(".py");
        is_source.then(|| (path.clone(), self.trees.function.path().join(path.as_str())))
    }

    /// Returns whether the function is to use what the runtime provides.
    pub(super) fn excludes_runtime(&self) -> bool {
        self.has_locked_sdk
    }

    /// Returns the dotted name of the handler's module.
    pub(super) fn handler_module(&self) -> String {
        self.unpacked.handler.as_ref().map(Handler::module).unwrap_or_default()
    }

    /// Returns whether building the function runs commands that may write files of the project.
    pub(super) fn writes_to_project(&self) -> bool {
        !self.settings.common.prepare.is_empty()
    }

    /// Returns where the files are that decide what the function is.
    pub(crate) fn watched(&self) -> WatchedPaths {
        let common = &self.settings.common;
        let real = |path: &PathBuf| path.canonicalize().ok();
        let profile = match &common.profile {
            ProfileChoice::File(path) => Some(path),
            _ => None,
        };
        let read = self.unpacked.locks.iter().chain([&common.project]).chain(profile);
        let files = self.sources.keys().cloned().chain(read.filter_map(real).filter(|path| path.is_file())).collect();
        let parents = self.sources.keys().filter_map(|source| source.parent()).map(Path::to_owned);
        let mut directories: Vec<PathBuf> = self.unpacked.directories.iter().filter_map(real).chain(parents).collect();
        directories.sort_unstable();
        // Those above come first.
        directories.dedup_by(|below, above| below.starts_with(above));
        WatchedPaths { directories, files }
    }

    /// Returns whether a file, as the function sees it, belongs to the application.
    pub(super) fn is_own(&self, file: &str) -> bool {
        let path = Path::new(file).strip_prefix(&self.directories.function).ok().and_then(Path::to_str);
        path.is_some_and(|path| self.unpacked.own.binary_search_by(|own| own.as_str().cmp(path)).is_ok())
    }

    /// Returns the command that starts a program with the function.
    pub(super) fn command(&self, program: FunctionProgram) -> Command {
        let (mut command, search_path) = match &self.sandbox {
            Ok(sandbox) => {
                let mut command = sandbox.command();
                command.args(["--", &sandbox.python]);
                (command, None)
            }
            Err(_) => {
                let mut command = Command::new(&self.python.path);
                // The distributions that are installed for this interpreter must not hide that the function lacks them. No
                // bytecode is written: Lambda's /var/task is read-only.
                command.args(["-S", "-B"]).current_dir(&self.directories.function);
                (command, self.search_path.as_deref())
            }
        };
        let (module, api) = match program {
            FunctionProgram::Client(api) => ("awslambdaric", Some(api)),
            FunctionProgram::Profile(api) => {
                command.args(["-X", "importtime"]);
                ("pybundle_imports", Some(api))
            }
            FunctionProgram::Fork => ("pybundle_fork", None),
        };
        command.args(["-m", module, &self.handler]);
        // In the environment of bubblewrap, which passes it on, and not among its arguments, which other users can see.
        command.env_clear().envs(variables::of(self, &self.directories, search_path, api));
        command
    }

    pub(super) fn is_sandboxed(&self) -> bool {
        self.sandbox.is_ok()
    }

    pub(crate) fn handler(&self) -> &str {
        &self.handler
    }

    pub(super) fn python_version(&self) -> PythonVersion {
        self.python.version
    }

    /// Returns the name of the function in Lambda, or else that of the target or of the project.
    pub(crate) fn name(&self) -> &str {
        let deployed = self.settings.deploy.function.as_ref().map(|function| function.short());
        deployed.or(self.settings.common.target.as_deref()).unwrap_or(&self.unpacked.name)
    }

    pub(super) fn region(&self) -> &str {
        self.settings.deploy.region.as_deref().unwrap_or(REGION)
    }

    pub(super) fn arn(&self) -> String {
        function_arn(self.region(), self.name())
    }

    pub(super) fn limits(&self) -> &RunSettings {
        &self.settings.run
    }

    /// Returns the memory that the function may use, if that is configured.
    pub(crate) fn memory(&self) -> Option<FunctionMemory> {
        self.settings.run.memory
    }

    pub(super) fn variables(&self) -> &[(String, String)] {
        &self.invocation.variables
    }

    /// Returns how this run differs from one in Lambda, in a few words each.
    pub(crate) fn differences(&self) -> Vec<String> {
        let profile = &self.unpacked.profile;
        let mut differences = vec![
            format!("{} instead of Lambda's kernel", self.host.kernel),
            match &self.host.libc {
                Some(libc) => format!("{libc} instead of glibc {}", profile.glibc),
                None => format!("another C library than glibc {}", profile.glibc),
            },
            format!("Python {} of this machine", self.python.full_version),
        ];
        if self.has_locked_sdk {
            differences.push("the locked AWS SDK instead of the runtime's".to_owned());
        }
        if let Err(why) = &self.sandbox {
            let task = self.directories.function.display();
            differences.push(format!("no sandbox, since {why}: {TASK_ROOT} is {task}"));
        }
        differences
    }
}

/// Returns the newest version of Python, other than one that is missing, with which a function can be run.
fn other_version(
    settings: &LambdaSettings,
    missing: PythonVersion,
    session: &Session,
    projects: &ProjectCache,
) -> Option<PythonVersion> {
    if matches!(settings.common.profile, ProfileChoice::File(_)) {
        return None;
    }
    let interpreters = &settings.common.environment.interpreters;
    let versions = PythonVersion::MINORS.rev().map(|minor| PythonVersion { minor, ..missing });
    versions.filter(|version| *version != missing).find(|version| {
        let mut settings = settings.clone();
        settings.common.profile = ProfileChoice::BuiltIn(format!("python{version}"));
        settings.common.prepare.clear();
        interpreters.find(*version, &session.cache).is_ok_and(|found| found.is_some())
            && LocalFunction::prepare(
                settings,
                InvocationSettings::default(),
                true,
                projects,
                &BuildWarnings::default(),
            )
            .is_ok()
    })
}

/// Returns the ARN of a function on this machine.
pub(super) fn function_arn(region: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{name}")
}

/// The warnings of a build whose progress is not shown.
#[derive(Default)]
struct BuildWarnings(Mutex<Vec<String>>);

impl Reporter for BuildWarnings {
    fn start(&self, _: Phase, _: u64) {}

    fn advance(&self, _: Phase, _: u64) {}

    fn finish(&self, _: Phase) {}

    fn warn(&self, message: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message.to_owned());
    }
}

/// Returns the files of the project that are files of a function as they are, without symbolic links.
fn sources(unpacked: &UnpackedFunction) -> BTreeMap<PathBuf, Vec<TreePath>> {
    let mut sources: BTreeMap<PathBuf, Vec<TreePath>> = BTreeMap::new();
    for (path, source) in &unpacked.sources {
        if let Ok(source) = source.canonicalize() {
            sources.entry(source).or_default().push(path.clone());
        }
    }
    sources
}

/// Checks that the files of a function for an architecture can run on this machine.
///
/// # Errors
/// They cannot.
fn check_machine(architecture: Architecture) -> Result<(), InvokeError> {
    let machine = if consts::OS == "linux" { consts::ARCH.parse().ok() } else { None };
    if machine == Some(architecture) {
        return Ok(());
    }
    Err(InvokeError::OtherMachine { function: format!("Linux on {architecture}"), machine })
}
