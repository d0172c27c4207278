//! `pybundle run`: functions run under AWS's runtime client on this machine.

mod errors;
mod function;
mod interruption;
mod profile;
#[path = "../support/mod.rs"]
mod support;
mod watch;

use std::path::Path;
use std::process::{Command, Output};

use support::command::{pybundle, repository};
use support::lambda::newest_python;
use support::uv::Project;

/// Lambda's environment, an error of every kind, and an answer.
const APPLICATION: &str = r#"
import os
import subprocess
import sys
import time


def handler(event, context):
    action = event.get("action")
    print("called with", action)
    if action == "raise":
        raise ValueError("no such törn")
    if action == "exit":
        sys.exit(3)
    if action == "abort":
        os.abort()
    if action == "sleep":
        subprocess.Popen(["sleep", "4711"])
        print("sleeping", flush=True)
        time.sleep(60)
    if action == "daemon":
        subprocess.Popen(["sleep", "6"], start_new_session=True)
    if action == "memory":
        block = b"x" * (300 << 20)
        time.sleep(10)
        return len(block)
    if action == "large":
        return "x" * (7 << 20)
    if action == "set":
        return {1, 2}
    if action == "environment":
        return dict(os.environ)
    return {
        "z": event,
        "a": [os.getcwd(), __file__],
        "name": context.function_name,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "left": context.get_remaining_time_in_millis(),
        "user": os.getuid(),
    }
"#;

/// Returns a project without dependencies.
fn project() -> Project {
    let pyproject = "[project]\nname = \"shop\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = []\n\n\
                     [tool.pybundle.target.api]\nkind = \"lambda\"\nhandler = \"app.handler\"\ntimeout = 20\nmemory = 512\n";
    let lock = "version = 1\nrevision = 3\nrequires-python = \">=3.9\"\n\n[[package]]\nname = \"shop\"\nversion = \"1.0\"\n\
                source = { virtual = \".\" }\n";
    Project::new(&[("pyproject.toml", pyproject), ("uv.lock", lock), ("app.py", APPLICATION)])
}

/// Returns the command that runs a project's function on the newest Python of this machine.
fn run(project: &Path, arguments: &[&str]) -> Command {
    let python = newest_python();
    let mut command = pybundle(&["run", "--runtime", &python]);
    command.args(arguments).current_dir(project);
    command
}

/// Returns the status, the standard output and the standard error of a command.
fn ran(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Returns the example of the repository, whose dependencies are in a directory.
fn example() -> std::path::PathBuf {
    repository().join("testdata/example")
}
