//! A function that is ready to run on this machine.

use std::env::consts;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use super::sandbox::{self, Sandbox};
use super::{InvokeError, client, variables};
use crate::archive::mirror::TreeMirror;
use crate::interpreter::{InterpreterHost, PythonInterpreter};
use crate::lambda::configuration::{FunctionMemory, FunctionTimeout};
use crate::lambda::{LAYER_ROOT, TASK_ROOT};
use crate::pipeline::session::Session;
use crate::pipeline::{self, BuildError, FunctionDirectories, ProjectCache, UnpackedFunction};
use crate::platform::{Architecture, PythonVersion};
use crate::report::Reporter;
use crate::settings::{LambdaSettings, ProfileChoice};
use crate::temporary::TemporaryDirectory;

/// The region of a function that has none.
const REGION: &str = "us-east-1";

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

/// A function, its runtime client and its interpreter.
pub(crate) struct LocalFunction {
    settings: LambdaSettings,
    invocation: InvocationSettings,
    pub(crate) unpacked: UnpackedFunction,
    handler: String,
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
    /// Assembles a function, and unpacks it and its client into a temporary directory.
    ///
    /// # Errors
    /// The function cannot be built, cannot run on this machine, or has no handler.
    pub(crate) fn prepare(
        mut settings: LambdaSettings,
        invocation: InvocationSettings,
        projects: &ProjectCache,
        reporter: &dyn Reporter,
    ) -> Result<Self, InvokeError> {
        check_machine(settings.architecture)?;
        // Lambda's SDK is not on this machine.
        let has_locked_sdk = std::mem::take(&mut settings.exclude_runtime);
        let temporary = TemporaryDirectory::new().map_err(BuildError::Temporary)?;
        // Links would be other paths than those that the interpreter reports.
        let directory = temporary.path().canonicalize().map_err(BuildError::Temporary)?;
        let mut unpacked_into = FunctionDirectories {
            function: TreeMirror::new(directory.join("task"))?,
            layer: TreeMirror::new(directory.join("opt"))?,
        };
        let unpacked = pipeline::unpack(&settings, projects, &mut unpacked_into, reporter)?;
        let handler = unpacked.handler.as_ref().ok_or(InvokeError::NoHandler)?.to_string();
        let version = unpacked.profile.python;
        let environment = &settings.common.environment;
        let session = Session::open(&settings.common.cache)?;
        let python = environment.interpreters.find(version, &session.cache).map_err(BuildError::from)?;
        let python = python.ok_or(InvokeError::NoPython(version))?;
        let host = python.host().ok_or_else(|| InvokeError::Python(python.path.clone()))?;
        let profile = match &settings.common.profile {
            ProfileChoice::File(path) => ProfileChoice::File(path.clone()),
            _ => ProfileChoice::BuiltIn(unpacked.profile.name.clone()),
        };
        let client = client::unpack(&settings, profile, &directory, reporter)?;
        let paths = [&unpacked_into.function, &unpacked_into.layer].map(|tree| tree.path().to_owned());
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
            unpacked,
            handler,
            python,
            host,
            directories,
            sandbox,
            search_path,
            has_locked_sdk,
            _temporary: temporary,
        })
    }

    /// Returns the command that starts the client with the function.
    pub(super) fn command(&self, api: SocketAddr) -> Command {
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
        command.args(["-m", "awslambdaric", &self.handler]);
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
        format!("arn:aws:lambda:{}:{ACCOUNT}:function:{}", self.region(), self.name())
    }

    pub(crate) fn timeout(&self) -> FunctionTimeout {
        self.settings.run.timeout.unwrap_or(FunctionTimeout::DEFAULT)
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
