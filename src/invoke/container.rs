//! Images run by a container engine.
//!
//! A container is removed whatever happens to this process: a shell waits for the end of its standard input, a pipe that only
//! this process has open, and removes the container then.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::function::{REGION, function_arn};
use super::process::{FunctionProcess, ProcessEvent};
use super::{EndedInvocation, InvokeError, RunningInvocation, attend, runtime_api, write};
use crate::engine::{ContainerEngine, EngineError, EngineKind};
use crate::lambda::configuration::FunctionMemory;
use crate::settings::RunSettings;

/// The user of Lambda's functions.
const USER: &str = "993:990";

/// Lambda's numbers of open files and of processes
/// ([AWS, Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)).
const LIMITS: [&str; 2] = ["nofile=1024:1024", "nproc=1024:1024"];

/// How often the engine is asked for the process of a container until it has one.
const ASKED: Duration = Duration::from_millis(500);

/// How long the command of an engine may take to end after the container was removed.
const LAST_LINES: Duration = Duration::from_secs(5);

/// How long a container may take to start before its ports are not waited for.
const STARTED: Duration = Duration::from_secs(10);

/// Removes a container, `$1`, of the engine with the command `$0` when standard input ends.
const REMOVE: &str = r#"cat >/dev/null; exec "$0" rm --force "$1""#;

/// The same after the container had ten seconds to stop.
const STOP: &str = r#"cat >/dev/null; "$0" stop -t 10 "$1"; exec "$0" rm --force "$1""#;

/// The shells that remove containers.
static GUARDS: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// An image in an engine.
pub(crate) struct LocalImage {
    pub(crate) engine: ContainerEngine,
    /// A name or an ID.
    pub(crate) image: String,
    /// What the function is called, or the target.
    pub(crate) name: String,
    /// `None` for the default.
    pub(crate) region: Option<String>,
    pub(crate) limits: RunSettings,
    /// With their values, which may be secrets.
    pub(crate) variables: Vec<(String, String)>,
}

/// Returns the first engine of this machine that answers: Docker's command may be installed without its daemon.
///
/// # Errors
/// There is none, or none answers.
pub(crate) fn find_engine(search_path: Option<&OsStr>) -> Result<ContainerEngine, InvokeError> {
    let mut failed = None;
    for kind in [EngineKind::Docker, EngineKind::Podman] {
        let Ok(engine) = ContainerEngine::find(Some(kind), search_path) else { continue };
        match engine.architecture() {
            Ok(_) => return Ok(engine),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(failed.map_or(InvokeError::NoEngine, InvokeError::Engine))
}

/// Removes all containers.
pub(super) fn remove_all() {
    for mut shell in std::mem::take(&mut *GUARDS.lock().unwrap_or_else(PoisonError::into_inner)) {
        drop(shell.stdin.take());
        // If it cannot be waited for, it removes the container all the same.
        let _ = shell.wait();
    }
}

/// A container that is removed when this is dropped.
struct Container<'a> {
    image: &'a LocalImage,
    name: String,
}

impl<'a> Container<'a> {
    /// Creates a container, and does not start it.
    fn create(image: &'a LocalImage, guard: &str, arguments: &[String]) -> Result<Self, InvokeError> {
        let engine = &image.engine;
        let name = format!("pybundle-{}", runtime_api::request_id());
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", guard]).arg(engine.program()).arg(&name).process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = shell.spawn().map_err(|source| InvokeError::Start { program: "/bin/sh".into(), source })?;
        GUARDS.lock().unwrap_or_else(PoisonError::into_inner).push(started);
        // From here on, it is removed.
        let container = Self { image, name };
        let mut create = engine.command(&["create", "--name", &container.name]);
        for (variable, value) in &image.variables {
            if is_of_engine(variable) {
                create.args(["--env", &format!("{variable}={value}")]);
            } else {
                // Other users can see arguments.
                create.args(["--env", variable]).env(variable, value);
            }
        }
        create.args(arguments).arg(&image.image);
        engine.output(&mut create)?;
        Ok(container)
    }

    /// Returns the command that starts it, and prints what it prints.
    fn start(&self) -> Command {
        self.image.engine.command(&["start", "--attach", &self.name])
    }

    /// Asks the engine for a property of the container.
    fn property(&self, template: &str) -> Result<String, EngineError> {
        let arguments = ["inspect", "--type", "container", "--format", template, &self.name];
        let output = self.image.engine.output(&mut self.image.engine.command(&arguments))?;
        Ok(output.trim().to_owned())
    }

    /// Returns its first process, if it runs.
    fn process(&self) -> Option<u32> {
        self.property("{{.State.Pid}}").ok()?.parse().ok().filter(|process| *process > 0)
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        remove_all();
    }
}

/// Tells whether the command of an engine reads a variable itself.
fn is_of_engine(variable: &str) -> bool {
    const NAMES: [&str; 5] = ["HOME", "PATH", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY"];
    const PREFIXES: [&str; 5] = ["DOCKER_", "CONTAINER", "BUILDAH_", "XDG_", "LD_"];
    NAMES.contains(&variable) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

impl LocalImage {
    /// Starts a function with the client that the image contains, sends it one event, and removes the container when it has
    /// answered. What it prints goes to `log`.
    ///
    /// # Errors
    /// It cannot be started, or the log cannot be written.
    pub(crate) fn invoke(&self, event: &[u8], log: &mut dyn std::io::Write) -> Result<EndedInvocation, InvokeError> {
        let (sender, events) = mpsc::channel();
        // Nobody listens any more when the invocation has ended.
        let emit = Arc::new(move |event| drop(sender.send(event)));
        let region = self.region.as_deref().unwrap_or(REGION);
        let mut created = None;
        let command = |api| {
            let container = Container::create(self, REMOVE, &self.function_arguments(api, region))?;
            Ok(created.insert(container).start())
        };
        let process = FunctionProcess::start_command(&function_arn(region, &self.name), command, true, emit)?;
        let (mut process_id, mut asked) = (None, Instant::now());
        let mut measured = || {
            if process_id.is_none() && asked.elapsed() > ASKED {
                process_id = created.as_ref().and_then(Container::process);
                asked = Instant::now();
            }
            process_id
        };
        let ended = attend(&process, &events, RunningInvocation::new(&self.limits, event), &mut measured, log)?;
        // The engine passes on what the function printed last before its command ends.
        remove_all();
        let removed = Instant::now();
        while removed.elapsed() < LAST_LINES {
            match events.recv_timeout(ASKED) {
                Ok(ProcessEvent::Log(line)) => write(log, &line)?,
                Ok(ProcessEvent::Exited(_)) => break,
                _ => {}
            }
        }
        process.end();
        while let Ok(event) = events.recv_timeout(super::LAST_LINES) {
            if let ProcessEvent::Log(line) = event {
                write(log, &line)?;
            }
        }
        Ok(ended)
    }

    /// Returns the arguments of a container like Lambda's, which asks a server of this machine for events.
    fn function_arguments(&self, api: SocketAddr, region: &str) -> Vec<String> {
        let memory = self.limits.memory.unwrap_or(FunctionMemory::DEFAULT);
        let name = &self.name;
        let variables = [
            // The entrypoint of AWS's images starts the emulator if there is no server.
            format!("AWS_LAMBDA_RUNTIME_API={api}"),
            format!("AWS_REGION={region}"),
            format!("AWS_DEFAULT_REGION={region}"),
            format!("AWS_LAMBDA_FUNCTION_NAME={name}"),
            "AWS_LAMBDA_FUNCTION_VERSION=$LATEST".to_owned(),
            format!("AWS_LAMBDA_FUNCTION_MEMORY_SIZE={memory}"),
            format!("AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/{name}"),
            "AWS_LAMBDA_LOG_STREAM_NAME=local".to_owned(),
            "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand".to_owned(),
            "TZ=:UTC".to_owned(),
        ];
        // The network of this machine is the only one in which every engine reaches its loopback interface.
        let options = ["--network", "host", "--read-only", "--tmpfs", "/tmp", "--user", USER].map(str::to_owned);
        let limits = LIMITS.into_iter().flat_map(|limit| ["--ulimit".to_owned(), limit.to_owned()]);
        let variables = variables.into_iter().flat_map(|variable| ["--env".to_owned(), variable]);
        options.into_iter().chain(limits).chain(variables).collect()
    }

    /// Runs the command of the image until it ends, or a signal ends this process. The ports that the image exposes are published
    /// on the loopback interface, unless the container has another network than the default; `show` is called with a text about
    /// each.
    ///
    /// # Errors
    /// It cannot be started, or its command fails.
    pub(crate) fn serve(&self, network: Option<&str>, mut show: impl FnMut(&str)) -> Result<(), InvokeError> {
        let ports = self.exposed_ports()?;
        let mut arguments = Vec::new();
        if let Some(network) = network {
            arguments.extend(["--network".to_owned(), network.to_owned()]);
        } else {
            for port in &ports {
                // The engine chooses another one if something else has it.
                let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
                let own = if is_free { port.to_string() } else { String::new() };
                arguments.extend(["--publish".to_owned(), format!("127.0.0.1:{own}:{port}")]);
            }
        }
        let container = Container::create(self, STOP, &arguments)?;
        let mut command = container.start();
        // Ctrl-C is for pybundle, which gives the container time to stop.
        command.stdin(Stdio::null()).process_group(0);
        let program = self.engine.program().to_owned();
        let mut child = command.spawn().map_err(|source| InvokeError::Start { program, source })?;
        let started = Instant::now();
        while container.process().is_none() && started.elapsed() < STARTED {
            if child.try_wait().is_ok_and(|status| status.is_some()) {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        for port in &ports {
            match network {
                Some(network) => show(&format!("the image exposes port {port}, in the network {network}")),
                None => {
                    let arguments = ["port", &container.name, &format!("{port}/tcp")];
                    let published = self.engine.output(&mut self.engine.command(&arguments)).unwrap_or_default();
                    match published.lines().next().filter(|address| !address.is_empty()) {
                        Some(address) => show(&format!("port {port} of the container is http://{address}")),
                        None => show(&format!("port {port} of the container is not published")),
                    }
                }
            }
        }
        if ports.is_empty() {
            show("no port is published, since the image exposes none");
        }
        let status =
            child.wait().map_err(|source| InvokeError::Start { program: self.engine.program().to_owned(), source })?;
        if status.success() { Ok(()) } else { Err(InvokeError::Container(status)) }
    }

    /// Returns the TCP ports that the image exposes.
    fn exposed_ports(&self) -> Result<Vec<u16>, EngineError> {
        let arguments = ["image", "inspect", "--format", "{{json .Config.ExposedPorts}}", &self.image];
        let output = self.engine.output(&mut self.engine.command(&arguments))?;
        let exposed: Option<std::collections::BTreeMap<String, serde_json::Value>> =
            serde_json::from_str(output.trim()).unwrap_or_default();
        let names = exposed.unwrap_or_default().into_keys();
        Ok(names.filter_map(|name| name.trim_end_matches("/tcp").parse().ok()).collect())
    }
}
