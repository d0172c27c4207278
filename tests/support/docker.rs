//! A Docker daemon for one test binary.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::answer::{Answer, Request, ask};
use super::command::{repository, succeed};

/// How long the daemon may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

static DAEMON: LazyLock<Result<Docker, String>> = LazyLock::new(Docker::start);

/// A daemon whose images and containers only this test binary sees.
pub struct Docker {
    socket: PathBuf,
    /// Runs the daemon, and stops it when its standard input is closed, at the latest at the end of the test binary.
    _guard: Child,
}

/// Returns the daemon of this test binary, and starts it if necessary.
pub fn docker() -> &'static Docker {
    let reason = "cannot start Docker: run scripts/setup-tests to install it; it needs root or sudo";
    DAEMON.as_ref().unwrap_or_else(|log| panic!("{reason}:\n{log}"))
}

impl Docker {
    /// Starts a daemon. The error is the end of its log.
    fn start() -> Result<Self, String> {
        let state = Path::new(env!("CARGO_TARGET_TMPDIR"));
        std::fs::create_dir_all(state).unwrap();
        let log = state.join(std::env::current_exe().unwrap().with_extension("dockerd.log").file_name().unwrap());
        let state = state.join(format!("docker-{}", std::process::id()));
        // The path of a Unix socket has at most 108 bytes (unix(7)).
        let run = tempfile::Builder::new().prefix("docker-").tempdir().unwrap().keep();
        let script = repository().join("tests/support/dockerd.sh");
        let mut command = as_root(script.to_str().unwrap());
        command.args([&state, &run]).stdin(Stdio::piped());
        let output = File::create(&log).unwrap();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let mut guard = command.spawn().unwrap();
        let socket = run.join("docker.sock");
        let deadline = Instant::now() + START_TIMEOUT;
        while !client(&socket, &["version"]).output().is_ok_and(|output| output.status.success()) {
            if guard.try_wait().unwrap().is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(&log).unwrap();
                let lines: Vec<_> = log.lines().collect();
                return Err(lines[lines.len().saturating_sub(20)..].join("\n"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { socket, _guard: guard })
    }

    /// Returns `docker` with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        client(&self.socket, arguments)
    }

    /// Loads a docker archive, and returns the references of its images, or the ID of an image without one.
    pub fn load(&self, archive: &Path) -> Vec<String> {
        let output = succeed(self.command(&["load", "--quiet", "--input"]).arg(archive));
        let name = |line: &str| line.split_once(": ").map(|(_, name)| name.to_owned());
        output.lines().map(|line| name(line).unwrap_or_else(|| panic!("{line}"))).collect()
    }

    /// Pulls an image. Docker uses plain HTTP for registries on loopback addresses.
    pub fn pull(&self, reference: &str) {
        succeed(&mut self.command(&["pull", "--quiet", reference]));
    }

    /// Returns the output of `docker image inspect` for one image.
    pub fn inspect(&self, image: &str) -> Value {
        let output = succeed(&mut self.command(&["image", "inspect", image]));
        serde_json::from_str::<Value>(&output).unwrap()[0].take()
    }

    /// Returns the command that runs an image without a network. If there are no arguments, those of the image apply.
    /// `options` are those of `docker run`, for instance `--entrypoint`, `--env` and `--read-only`.
    pub fn run(&self, image: &str, options: &[&str], arguments: &[&str]) -> Command {
        let mut command = self.command(&["run", "--rm", "--network=none"]);
        command.args(options).arg(image).args(arguments);
        command
    }

    /// Starts a container in the background, like [`run`](Self::run).
    pub fn container(&'static self, image: &str, options: &[&str], arguments: &[&str]) -> Container {
        let mut command = self.command(&["run", "--detach", "--network=none"]);
        let id = succeed(command.args(options).arg(image).args(arguments)).trim().to_owned();
        Container { docker: self, id }
    }
}

/// A container in the background, which is removed on drop.
pub struct Container {
    docker: &'static Docker,
    id: String,
}

impl Container {
    /// Sends a request to a server in the container.
    pub fn answer(&self, request: &Request) -> Answer {
        ask(self.docker.command(&["exec", &self.id]).args(request.arguments()))
    }

    /// Runs a command in the container, and returns its standard output.
    pub fn execute(&self, arguments: &[&str]) -> String {
        succeed(self.docker.command(&["exec", &self.id]).args(arguments))
    }

    /// Stops the container as orchestrators do, with SIGTERM, and with SIGKILL after 30 seconds. Returns its exit status.
    pub fn stop(&self) -> i32 {
        succeed(&mut self.docker.command(&["stop", "-t", "30", &self.id]));
        succeed(&mut self.docker.command(&["wait", &self.id])).trim().parse().unwrap()
    }

    /// Returns the output of the container.
    pub fn log(&self) -> String {
        let output = self.docker.command(&["logs", &self.id]).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let removed = self.docker.command(&["rm", "--force", &self.id]).output();
        // Do not hide the failure of the test.
        if !std::thread::panicking() {
            assert!(removed.is_ok_and(|output| output.status.success()), "cannot remove the container {}", self.id);
        }
    }
}

/// Returns a Docker client of the daemon at a socket that ignores the user's configuration.
fn client(socket: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments).env("DOCKER_HOST", format!("unix://{}", socket.display()));
    command.env("DOCKER_CONFIG", socket.with_file_name("client")).env_remove("DOCKER_CONTEXT");
    command
}

/// Returns the command that runs a script as root.
fn as_root(script: &str) -> Command {
    let user = Command::new("id").arg("-u").output().unwrap().stdout;
    let mut command = Command::new(if user == b"0\n" { "sh" } else { "sudo" });
    if user != b"0\n" {
        command.args(["-n", "sh"]);
    }
    command.arg(script);
    command
}
