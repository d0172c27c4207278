//! The recipes of `docs/deploying.md`, run with the tools that they are for: they get pybundle's bytes.
#![cfg(unix)]

#[allow(dead_code, reason = "only some tests use all of it")]
#[path = "../support/moto.rs"]
mod moto;
#[path = "../support/mod.rs"]
mod support;

mod cdk;
mod sam;
mod serverless;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::command::{cache, pybundle, repository, succeed};
use crate::support::uv::Project;

const MAIN: &str = "import idna\n\n\ndef handler(event, context):\n    return idna.__version__\n";

const PYPROJECT: &str = r#"[project]
name = "shop"
version = "1"
requires-python = ">=3.9"
dependencies = ["idna==3.20"]

[tool.pybundle]
runtime = "python3.13"
handler = "main.handler"
exclude = ["app.py", "app.ts"]

[tool.pybundle.target.api]
kind = "lambda"

[tool.pybundle.target.worker]
kind = "lambda"
"#;

/// Returns a project with two functions, locked by uv.
fn shop() -> Project {
    let project = Project::new(&[("pyproject.toml", PYPROJECT), ("main.py", MAIN)]);
    project.uv(&["lock"]);
    project
}

/// Returns the code blocks of a language in a section of the manual.
fn recipes(section: &str, language: &str) -> Vec<String> {
    let manual = fs::read_to_string(repository().join("docs/deploying.md")).unwrap();
    let (_, text) = manual.split_once(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let text = text.split("\n## ").next().unwrap();
    let begin = format!("\n```{language}\n");
    text.split(&begin).skip(1).map(|block| block.split_once("```").unwrap().0.to_owned()).collect()
}

/// Returns a command that finds pybundle and Node.js, has no AWS credentials, and no way to AWS.
fn offline(program: &Path, directory: &Path) -> Command {
    let beside = Path::new(env!("CARGO_BIN_EXE_pybundle")).parent().unwrap();
    let path = env::var_os("PATH").unwrap();
    let directories = [beside.to_owned()].into_iter().chain(env::split_paths(&path));
    let mut command = Command::new(program);
    command.current_dir(directory).env("PATH", env::join_paths(directories).unwrap());
    command.env("PYBUNDLE_CACHE_DIR", cache().join("pybundle")).env("HOME", directory.join(".home"));
    for (name, value) in [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("SAM_CLI_TELEMETRY", "0"),
        ("SLS_TELEMETRY_DISABLED", "1"),
        ("SLS_NOTIFICATIONS_MODE", "off"),
    ] {
        command.env(name, value);
    }
    command
}

/// Returns the path of a file in the tests' tools.
fn installed(path: &str) -> PathBuf {
    let path = repository().join("target/test-tools").join(path);
    assert!(path.exists(), "{} is missing: run scripts/setup-tests", path.display());
    path
}

/// Builds the targets, and returns the artifact of one.
fn built(project: &Project, name: &str) -> Value {
    let report = succeed(pybundle(&["build", "--json"]).current_dir(project.path()));
    let report: Value = serde_json::from_str(&report).unwrap();
    let target = report["targets"].as_array().unwrap().iter().find(|target| target["name"] == name);
    target.unwrap()["lambda"]["artifacts"][0].clone()
}
