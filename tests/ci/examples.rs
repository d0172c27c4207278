//! The examples for other CI systems: their commands are run as these systems run them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::check::search_path;
use crate::jobs::{TARGETS, links, repository_with};
use crate::linters::assert_valid;
use crate::registries::{DockerRegistry, PASSWORD, USER};
use crate::runner::read_yaml;
use crate::support::command::{cache, repository, succeed};
use crate::support::uv::Project;

/// Parses an example.
fn example(name: &str) -> Value {
    read_yaml(&repository().join(".github/examples").join(name))
}

/// Returns a shell that runs commands of an example and installs pybundle from a directory.
fn shell(script: &str, project: &Project, home: &Path) -> Command {
    let mut command = Command::new("bash");
    command.args(["-eo", "pipefail", "-c", script]).current_dir(project.path()).env("HOME", home);
    command.env("UV_FIND_LINKS", home).env("UV_CACHE_DIR", home.join("uv"));
    command.env("PATH", search_path()).env_remove("DOCKER_CONFIG").env_remove("UV_PYTHON");
    command.env("PYBUNDLE_CACHE_DIR", cache().join("pybundle"));
    command
}

/// Returns the script of a GitLab job.
fn gitlab(job: &str) -> String {
    let lines = example("gitlab-ci.yml")[job]["script"].as_array().unwrap().clone();
    lines.iter().map(|line| line.as_str().unwrap().to_owned() + "\n").collect()
}

#[test]
fn gitlab_builds_and_pushes_each_target() {
    let (registry, home) = (DockerRegistry::with_password(), links());
    let host = format!("127.0.0.1:{}", registry.port);
    let project = repository_with(&format!("{TARGETS}tag = [\"{host}/shop:1\"]\n"));
    succeed(shell(&gitlab("bundle"), &project, home.path()).env("TARGET", "api"));
    assert!(project.path().join("dist/api.zip").is_file());
    let document: Value = serde_json::from_str(&project.read("build-api.json")).unwrap();
    assert_eq!(document["targets"][0]["status"], "built");

    let mut push = shell(&gitlab("push"), &project, home.path());
    push.env("TARGET", "web").env("CI_REGISTRY", host).env("CI_REGISTRY_USER", USER);
    succeed(push.env("CI_REGISTRY_PASSWORD", PASSWORD));
    assert_eq!(registry.tags("shop"), ["1"]);
}

#[test]
fn buildkite_adds_a_step_for_each_target() {
    let (project, home) = (repository_with(TARGETS), links());
    let steps = example("buildkite.yml")["steps"].clone();
    let command = |label: &str| {
        let step = steps.as_array().unwrap().iter().find(|step| step["label"] == label);
        step.unwrap()["command"].as_str().unwrap().to_owned()
    };
    // The agent would upload the output of the first two commands.
    let targets = command("targets").replace("| buildkite-agent pipeline upload", "");
    assert!(command("targets") != targets);
    let added = succeed(&mut shell(&targets, &project, home.path()));
    project.write("added.json", added.as_bytes());
    assert_valid("vendor.buildkite", &[project.path().join("added.json")]);
    let added: Value = serde_json::from_str(&added).unwrap();
    assert_eq!(added["steps"].as_array().unwrap().len(), 2);
    succeed(&mut shell(added["steps"][0]["command"].as_str().unwrap(), &project, home.path()));
    assert!(project.path().join("dist/api.zip").is_file());
    assert!(!project.path().join("dist/web.tar").exists());
}
