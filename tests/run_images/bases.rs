//! Bases in registries: found by tag or by digest, and kept for when there is no network.

use std::path::Path;

use serde_json::Value;

use crate::projects::{publish, push, script};
use crate::registries::DockerRegistry;
use crate::support::bases::{every_slim, slim};
use crate::support::command::{fail, pybundle, succeed};
use crate::support::uv::Project;

/// A project, and a cache that holds nothing yet.
struct Build {
    project: Project,
    cache: tempfile::TempDir,
}

impl Build {
    fn new() -> Self {
        Self { project: script(), cache: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = pybundle(&["image", self.project.path().to_str().unwrap(), "--cmd", "python script.py"]);
        command.args(arguments).env("PYBUNDLE_CACHE_DIR", self.cache.path());
        command
    }

    fn image(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&succeed(self.command(arguments).arg("--json"))).unwrap()
    }

    /// Returns the size of the cache in bytes.
    fn cached(&self) -> u64 {
        size(self.cache.path())
    }
}

fn size(path: &Path) -> u64 {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    match metadata.is_dir() {
        true => std::fs::read_dir(path).unwrap().map(|entry| size(&entry.unwrap().path())).sum(),
        false => metadata.len(),
    }
}

#[test]
fn a_base_is_found_by_its_tag_and_kept() {
    let registry = DockerRegistry::anonymous();
    let base = publish(&slim(), &registry, "library/python:3-slim");
    let build = Build::new();
    let output = format!("oci:{}", build.project.path().join("out").display());
    let common = ["--base", &base, "--output", &output];

    // To a registry that has it, no layer of the base passes through here.
    let to = format!("{}/team/script:1", registry.host());
    let pushed = build.image(&["--base", &base, "--tag", &to, "--push"]);
    let layers = pushed["platforms"][0]["base_layers"].as_u64().unwrap();
    assert_eq!(pushed["pushed"]["tags"][0]["mounted"], layers);
    assert!(build.cached() < 200_000, "{} bytes", build.cached());
    // So they are not here when they are needed.
    let message = fail(&mut build.command(&[&common[..], &["--offline"]].concat()));
    assert!(message.contains("is not in the cache") && message.contains("--offline"), "{message}");
    assert!(!build.project.path().join("out").exists());

    let online = build.image(&common);
    assert_eq!(online["digest"], pushed["digest"]);
    assert!(build.cached() > 1_000_000, "{} bytes", build.cached());
    let summary = succeed(&mut build.command(&common));
    let digest = online["base"]["digest"].as_str().unwrap();
    assert!(summary.contains(&format!("{base}@{digest}, not pinned")), "{summary}");

    // Another base gets the tag, which nobody notices who does not ask.
    let [older, ..] = &every_slim()[..] else { unreachable!("there is at least one") };
    push(&older.argument(), &[&base]);
    let offline = build.image(&[&common[..], &["--offline"]].concat());
    assert_eq!((&offline["digest"], &offline["base"]["pinned"]), (&online["digest"], &Value::Bool(false)));
    let pinned = format!("{base}@{digest}");
    let by_digest = build.image(&["--base", &pinned, "--output", &output]);
    assert_eq!(
        (&by_digest["base"]["digest"], &by_digest["base"]["pinned"]),
        (&online["base"]["digest"], &Value::Bool(true))
    );
    assert_eq!(by_digest["python"], slim().python);
    if older.python != slim().python {
        assert_eq!(build.image(&common)["python"], older.python);
    }
}

#[test]
fn a_base_that_is_not_there_is_told() {
    let registry = DockerRegistry::anonymous();
    let build = Build::new();
    let base = format!("{}/library/python:3-slim", registry.host());
    for (arguments, expected) in [
        (&["--base", &base][..], format!("there is no image {base}")),
        (&["--base", &base, "--offline"], format!("the base {base} is not in the cache")),
        (&["--base", "127.0.0.1:1/python:3"], "the connection to 127.0.0.1:1 failed".to_owned()),
    ] {
        let message = fail(&mut build.command(arguments));
        assert!(message.contains(&expected), "{message}");
    }
    let slim = publish(&slim(), &registry, "library/python:3-slim");
    let message = fail(&mut build.command(&["--base", &slim, "--python", "3.9"]));
    assert!(message.contains("3.9") && message.contains("3.12"), "{message}");
}
