//! `pybundle run` of images, by Docker and podman.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::loading::with_engine;
use crate::podman::Podman;
use crate::projects::shop;
use crate::support::bases;
use crate::support::command::{fail, pybundle, succeed};
use crate::support::docker::docker;
use crate::support::uv::Project;

/// How long a container may take to disappear on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns a function for an image, which answers, fails or sleeps.
fn function() -> Project {
    let pyproject = format!(
        "[project]\nname = \"function\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n\n\
         [tool.pybundle.target.api]\nkind = \"image\"\nprofile = \"lambda-image\"\nbase = \"{}\"\ncmd = [\"app.handler\"]\n\n\
         [tool.pybundle.target.common]\nkind = \"layer\"\n",
        bases::lambda().argument()
    );
    let code = r#"import os
import time


def handler(event, context):
    print("called with", event)
    if event.get("fail"):
        raise ValueError("no")
    time.sleep(event.get("sleep", 0))
    return {"name": context.function_name, "folder": os.getcwd(), "user": os.getuid(), "mode": os.environ.get("MODE")}
"#;
    let project = Project::new(&[("pyproject.toml", &pyproject), ("app.py", code)]);
    project.uv(&["lock"]);
    project
}

/// Returns `pybundle run` in a project, with an engine.
fn run(project: &Project, tools: &Path, engine: &Command, arguments: &[&str]) -> Command {
    let mut command = with_engine(pybundle(&["run"]), tools, engine);
    command.args(arguments).current_dir(project.path());
    command
}

/// Asserts that no container of pybundle is left.
fn assert_removed(mut list: impl FnMut() -> Command) {
    let started = Instant::now();
    loop {
        let left = succeed(&mut list());
        if left.trim().is_empty() {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{left}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Reads lines until one contains a text.
fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, text: &str) -> String {
    let mut seen = Vec::new();
    for line in lines {
        let line = line.unwrap();
        if line.contains(text) {
            return line;
        }
        seen.push(line);
    }
    panic!("no `{text}`: {}", seen.join("\n"));
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn docker_runs_images() {
    let tools = tempfile::tempdir().unwrap();
    let engine = docker().command(&[]);
    let list = || docker().command(&["ps", "--all", "--quiet", "--filter", "name=pybundle-"]);
    let project = function();
    let event = ["api", "--event", r#"{"sleep": 0}"#];
    let mut command = run(&project, tools.path(), &engine, &[&event[..], &["--env", "MODE=a b", "--json"]].concat());
    let report: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
    assert_eq!(report["answer"], json!({"name": "api", "folder": "/var/task", "user": 993, "mode": "a b"}), "{report}");
    assert_eq!((&report["function"], &report["handler"]), (&json!("api"), &json!("app.handler")));
    assert!(report["log"].as_str().unwrap().contains("called with {'sleep': 0}"), "{report}");
    assert_removed(list);
    // The error of a function.
    let err = fail(&mut run(&project, tools.path(), &engine, &["api", "--event", r#"{"fail": 1}"#]));
    assert!(err.ends_with("error: api: ValueError: no\n"), "{err}");
    let err = fail(&mut run(&project, tools.path(), &engine, &["api", "--timeout=1", "--event", r#"{"sleep": 50}"#]));
    assert!(err.contains("error: api: Sandbox.Timedout: the task timed out after 1.00 seconds\n"), "{err}");
    assert_removed(list);
    // The container disappears with the process, in whatever way that ends.
    for (name, status) in [("INT", Some(130)), ("KILL", None)] {
        let arguments = ["api", "--timeout=60", "--event", r#"{"sleep": 50}"#];
        let mut child = run(&project, tools.path(), &engine, &arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        wait_for(&mut lines, "called with");
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), status);
        assert_removed(list);
    }
    // A service, until Ctrl-C.
    let project = shop();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let pyproject = format!(
        "{}\n[tool.pybundle.target.web]\nkind = \"image\"\nbase = \"{}\"\nexpose = [\"{port}\"]\n\
         cmd = [\"uvicorn\", \"main:app\", \"--port\", \"{port}\"]\n",
        project.read("pyproject.toml"),
        bases::slim().argument()
    );
    project.write("pyproject.toml", pyproject.as_bytes());
    let mut command = run(&project, tools.path(), &engine, &["--network=host"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    wait_for(&mut lines, "Uvicorn running on");
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.write_all(b"GET /items/7 HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("{\"item\":7}"), "{answer}");
    signal(&child, "INT");
    wait_for(&mut lines, "Application shutdown complete");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(last.iter().all(|line| !line.contains("error")), "{last:?}");
    assert_removed(list);
}

#[test]
fn podman_runs_images() {
    let (podman, tools) = (Podman::new(), tempfile::tempdir().unwrap());
    let project = function();
    let engine = podman.podman(&[]);
    // Docker, whose daemon does not run, is passed over.
    let arguments = ["api", "--event", "{}", "--env", "MODE=b"];
    let mut command = run(&project, tools.path(), &engine, &arguments);
    command.env("DOCKER_HOST", format!("unix://{}/none.sock", tools.path().display()));
    let answer: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
    assert_eq!(answer, json!({"name": "api", "folder": "/var/task", "user": 993, "mode": "b"}));
    assert_removed(|| podman.podman(&["ps", "--all", "--quiet"]));
}

#[test]
fn ports_are_published_on_loopback() {
    let project = shop();
    let pyproject = format!(
        "{}\n[tool.pybundle.target.web]\nkind = \"image\"\nbase = \"{}\"\ncmd = [\"python\", \"-m\", \"main\"]\n",
        project.read("pyproject.toml"),
        bases::slim().argument()
    );
    project.write("pyproject.toml", pyproject.as_bytes());
    // The tests' Docker has no network of its own.
    let tools = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (log, engine) = (tools.path().join("log"), tools.path().join("docker"));
    let script = format!(
        "#!/bin/sh\necho \"$@\" >>{}\ncase \"$1\" in\nversion) echo {};;\nload) cat >/dev/null; echo Loaded image ID: sha256:abc;;\n\
         image) echo '{{\"{port}/tcp\":{{}}}}';;\ninspect) echo 7;;\nport) echo 127.0.0.1:{port};;\nstart) echo served; exit 3;;\nesac\n",
        log.display(),
        bases::platform().trim_start_matches("linux/")
    );
    fs::write(&engine, script).unwrap();
    fs::set_permissions(&engine, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = pybundle(&["run", "web"]);
    command.env("PATH", format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap()));
    let output = command.current_dir(project.path()).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains(&format!("port {port} of the container is http://127.0.0.1:{port}\n")), "{err}");
    assert!(err.ends_with("error: the container exited with exit status: 3\n"), "{err}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "served\n");
    let called = fs::read_to_string(log).unwrap();
    assert!(called.contains(&format!(" --publish 127.0.0.1:{port}:{port} abc\n")), "{called}");
    assert!(called.contains("\nstop -t 10 pybundle-") && called.contains("\nrm --force pybundle-"), "{called}");
}

#[test]
fn what_cannot_be_run_is_an_error() {
    let project = function();
    let empty = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = pybundle(&["run"]);
        command.args(arguments).current_dir(project.path());
        command
    };
    let err = fail(run(&["api"]).env("PATH", empty.path()));
    assert_eq!(
        err,
        "error: cannot run the image: neither docker nor podman is on PATH\nhint: install Docker or podman\n"
    );
    let mut no_daemon = docker().command(&[]);
    no_daemon.env("DOCKER_HOST", format!("unix://{}/none.sock", empty.path().display()));
    let err = fail(with_engine(run(&["api"]), empty.path(), &no_daemon).env("PATH", empty.path()));
    assert!(err.starts_with("error: `docker version` failed") && err.ends_with("\nhint: start Docker\n"), "{err}");
    for flag in ["--watch", "--handler=app.handler", "--profile-imports", "--runtime=3.12"] {
        let name = flag.split('=').next().unwrap();
        let err = fail(&mut run(&["api", flag]));
        assert_eq!(err, format!("error: cannot use {name} with target `api`: it is an image\n"));
    }
    assert_eq!(fail(&mut run(&["common"])), "error: cannot run target `common`: its kind is `layer`\n");
}
