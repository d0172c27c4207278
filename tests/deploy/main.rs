//! `pybundle deploy`, against a strict emulation of Lambda's API, and against moto.
#![cfg(unix)]

mod bucket;
mod buckets;
mod cloud;
mod credentials;
mod faults;
mod function_layers;
mod functions;
mod images;
mod lambda;
mod layer_versions;
mod layers;
#[path = "../support/moto.rs"]
#[allow(dead_code, reason = "repositories are listed elsewhere")]
mod moto;
mod on_moto;
mod refusals;
#[path = "../support/registry.rs"]
#[allow(dead_code, reason = "one that lets everybody in is enough here")]
mod registry;
mod rollbacks;
mod signature;
mod signatures;
#[path = "../support/mod.rs"]
mod support;
#[path = "../targets/test_project.rs"]
#[allow(dead_code, reason = "targets are tested elsewhere")]
mod test_project;
#[path = "../images/tiny.rs"]
#[allow(dead_code, reason = "one base is enough here")]
mod tiny;
#[allow(dead_code, reason = "each server of tests needs another part")]
#[path = "../support/wire.rs"]
mod wire;

use std::process::{Command, Output};

use serde_json::Value;

use cloud::{ACCESS_KEY, Cloud, REGION, SECRET_KEY, SESSION_TOKEN, URL_SIGNATURE};
use test_project::TestProject;

/// A target that is deployed to the alias `live` of the function `shop`.
const TARGET: &str = "\n[tool.pybundle.target.api]\nkind = \"lambda\"\nruntime = \"python3.12\"\n\
    handler = \"app.handler\"\nfunction = \"shop\"\nalias = \"live\"\n";

/// What a command ended with.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Returns the document that `--json` printed.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// Returns what is reported of the first target.
    pub(crate) fn target(&self) -> Value {
        self.document()["targets"][0].clone()
    }
}

/// Runs a command without the variables of this machine, and asserts that it shows no secret.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    for secret in [SECRET_KEY, SESSION_TOKEN, URL_SIGNATURE] {
        assert!(!out.contains(secret) && !err.contains(secret), "{out}{err}");
    }
    Ended { status: status.code(), out, err }
}

/// Returns the command, to be run in a project against an endpoint of AWS, with credentials of the environment.
pub(crate) fn command(project: &TestProject, endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("HOME", project.0.path().join("home")).env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", REGION);
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    command.env("AWS_SESSION_TOKEN", SESSION_TOKEN);
    command
}

/// Runs `pybundle --json` against the emulation.
pub(crate) fn run(project: &TestProject, cloud: &Cloud, arguments: &[&str]) -> Ended {
    ended(command(project, &cloud.url(), arguments).arg("--json"))
}

/// Returns the example with a target, and the code of its function as Lambda states it.
pub(crate) fn example() -> TestProject {
    TestProject::example(TARGET)
}

/// Changes a line of the application.
pub(crate) fn edit(project: &TestProject, line: &str) {
    let module = project.0.read("app.py");
    project.0.write("app.py", format!("{module}\n{line}\n").as_bytes());
}
