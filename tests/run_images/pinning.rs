//! `pybundle image --pin`: the digest of a base goes to where the base is named.

use std::process::Command;

use serde_json::Value;

use crate::projects::{publish, push, script};
use crate::registries::DockerRegistry;
use crate::support::bases::{multi, slim};
use crate::support::command::{fail, pybundle, repository, succeed};
use crate::support::uv::Project;

fn pin(project: &Project, arguments: &[&str]) -> Command {
    let mut command = pybundle(&["image", project.path().to_str().unwrap(), "--pin"]);
    command.args(arguments);
    command
}

/// Pins, and returns the base as it is named then.
fn pinned(project: &Project, arguments: &[&str]) -> String {
    let report: Value = serde_json::from_str(&succeed(pin(project, arguments).arg("--json"))).unwrap();
    report["pinned"].as_str().unwrap().to_owned()
}

/// Adds a table of pybundle's to pyproject.toml.
fn configure(project: &Project, table: &str) -> String {
    let text = format!("{}\n[tool.pybundle]\n{table}\n", project.read("pyproject.toml"));
    project.write("pyproject.toml", text.as_bytes());
    text
}

#[test]
fn a_base_in_pyproject_toml_is_pinned_and_pinned_again() {
    let registry = DockerRegistry::anonymous();
    let base = publish(&slim(), &registry, "library/python:3-slim");
    let project = script();
    let before = configure(&project, &format!("# Debian, so far.\nbase='{base}'   # pinned by hand?"));

    let first = pinned(&project, &[]);
    assert!(first.starts_with(&format!("{base}@sha256:")), "{first}");
    // Nothing else changes in the file, and nothing is built.
    assert_eq!(project.read("pyproject.toml"), before.replace(&format!("'{base}'"), &format!("\"{first}\"")));
    assert!(!project.path().join("dist").exists());
    assert_eq!(pinned(&project, &[]), first);
    let output = project.path().join("out").display().to_string();
    let build = pybundle(&["image", project.path().to_str().unwrap(), "--json", "-o", &format!("oci:{output}")]);
    let report: Value = serde_json::from_str(&succeed(&mut { build })).unwrap();
    assert_eq!(
        (&report["base"]["name"], &report["base"]["pinned"]),
        (&Value::from(first.as_str()), &Value::Bool(true))
    );

    push(&multi().argument(), &[&base]);
    let second = pinned(&project, &[]);
    assert!(second.starts_with(&format!("{base}@sha256:")) && second != first, "{second}");
    assert_eq!(project.read("pyproject.toml"), before.replace(&format!("'{base}'"), &format!("\"{second}\"")));
}

/// Without a tag beside it, a digest could never be brought up to date.
#[test]
fn the_tag_that_is_meant_is_written_out() {
    let registry = DockerRegistry::anonymous();
    let base = publish(&slim(), &registry, "library/python");
    let project = script();
    configure(&project, &format!("base = \"{base}\""));
    let first = pinned(&project, &[]);
    assert!(first.starts_with(&format!("{base}:latest@sha256:")), "{first}");
    assert_eq!(pinned(&project, &[]), first);
}

#[test]
fn a_base_in_a_profile_is_pinned() {
    let registry = DockerRegistry::anonymous();
    let base = publish(&slim(), &registry, "library/python:3-slim");
    let project = script();
    let own = std::fs::read_to_string(repository().join("profiles/service.toml")).unwrap();
    let profile = own.replace("docker.io/library/python:{python}-slim", &base);
    assert_ne!(profile, own);
    project.write("service.toml", profile.as_bytes());
    let file = project.path().join("service.toml").display().to_string();

    let first = pinned(&project, &["--profile", &file]);
    assert_eq!(project.read("service.toml"), profile.replace(&base, &first));
    let summary = succeed(&mut pin(&project, &["--profile", &file]));
    assert!(summary.contains(&first) && summary.contains(&file), "{summary}");
}

#[test]
fn what_cannot_be_pinned_is_left_alone() {
    let project = script();
    let message = fail(&mut pin(&project, &[]));
    assert!(message.contains("[tool.pybundle]"), "{message}");
    let own = std::fs::read_to_string(repository().join("profiles/service.toml")).unwrap();
    project.write("service.toml", own.as_bytes());
    let file = project.path().join("service.toml").display().to_string();
    let message = fail(&mut pin(&project, &["--profile", &file]));
    assert!(message.contains("`docker.io/library/python:{python}-slim` names no image by its tag"), "{message}");
    assert_eq!(project.read("service.toml"), own);

    let local = slim().argument();
    let digest = format!("127.0.0.1:1/python@sha256:{}", "0".repeat(64));
    for base in [local.as_str(), "scratch", &digest, "127.0.0.1:1/python:3"] {
        let project = script();
        let before = configure(&project, &format!("base = \"{base}\""));
        let message = fail(&mut pin(&project, &[]));
        assert!(message.contains(base), "{message}");
        assert_eq!(project.read("pyproject.toml"), before);
    }
}
