//! Bases in registries: found by tag or by digest, and cached for offline use.

use std::path::Path;

use serde_json::Value;

use crate::projects::{publish, push, script};
use crate::registries::DockerRegistry;
use crate::skopeo::skopeo;
use crate::support::bases::{every_slim, slim};
use crate::support::command::{fail, pybundle, succeed};
use crate::support::docker::docker;
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
    assert!(message.contains("is not cached") && message.contains("--offline"), "{message}");
    assert!(!build.project.path().join("out").exists());

    let online = build.image(&common);
    assert_eq!(online["digest"], pushed["digest"]);
    assert!(build.cached() > 1_000_000, "{} bytes", build.cached());
    let summary = succeed(&mut build.command(&common));
    let digest = online["base"]["digest"].as_str().unwrap();
    assert!(summary.contains(&format!("{base}, currently {digest}; ")), "{summary}");

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

/// Of Docker's archives the layers are uncompressed, and compressed here.
#[test]
fn a_base_in_an_archive_gives_an_image_that_runs() {
    let build = Build::new();
    let directory = tempfile::tempdir().unwrap();
    let layout = slim().argument();
    let [archive, saved, output] =
        [("oci-archive", "archive"), ("docker-archive", "saved"), ("docker-archive", "image")]
            .map(|(form, name)| format!("{form}:{}", directory.path().join(name).display()));
    skopeo(&["copy", "--quiet", "--preserve-digests", &layout, &format!("{archive}:latest")]);
    skopeo(&["copy", "--quiet", &layout, &format!("{saved}:slim:latest")]);
    let image = |base: &str| build.image(&["--base", base, "--output", &output, "--tag", "script:1"]);
    assert_eq!(image(&archive)["digest"], image(&layout)["digest"]);
    let first = image(&saved);
    let again = image(&saved);
    assert_eq!(first["digest"], again["digest"]);
    assert_eq!(docker().load(&directory.path().join("image")), ["script:1"]);
    assert_eq!(succeed(&mut docker().run("script:1", &["--read-only"], &[])), "ran\n");

    // What Docker saves is a base as well, and can be pushed.
    let file = directory.path().join("again").display().to_string();
    succeed(&mut docker().command(&["save", "--output", &file, "script:1"]));
    let base = format!("docker-archive:{file}");
    let upon = build.image(&["--base", &base, "--output", &output, "--tag", "script:2"]);
    assert!(upon["platforms"][0]["base_layers"].as_u64() > first["platforms"][0]["base_layers"].as_u64());
    docker().load(&directory.path().join("image"));
    assert_eq!(succeed(&mut docker().run("script:2", &[], &[])), "ran\n");
    let registry = DockerRegistry::anonymous();
    let pushed = push(&base, &[&format!("{}/team/script:1", registry.host())]);
    let reference = pushed["tags"][0]["reference"].as_str().unwrap();
    docker().pull(reference);
    assert_eq!(succeed(&mut docker().run(reference, &[], &[])), "ran\n");
}

/// Without a tag beside it, a digest could never be brought up to date.
#[test]
fn a_base_is_pinned_with_the_tag_that_is_meant() {
    let registry = DockerRegistry::anonymous();
    let base = publish(&slim(), &registry, "library/python");
    let build = Build::new();
    let text = format!("{}\n[tool.pybundle]\nbase = \"{base}\"\n", build.project.read("pyproject.toml"));
    build.project.write("pyproject.toml", text.as_bytes());
    let first = build.image(&["--pin"])["pinned"].as_str().unwrap().to_owned();
    assert!(first.starts_with(&format!("{base}:latest@sha256:")), "{first}");
    assert_eq!(build.project.read("pyproject.toml"), text.replace(&base, &first));
    assert_eq!(build.image(&["--pin"])["pinned"], first.as_str());
}

#[test]
fn what_cannot_be_pinned_is_left_alone() {
    let build = Build::new();
    let message = fail(&mut build.command(&["--pin"]));
    assert!(message.contains("[tool.pybundle]"), "{message}");
    let project = build.project.read("pyproject.toml");
    let digest = format!("127.0.0.1:1/python@sha256:{}", "0".repeat(64));
    for base in [slim().argument().as_str(), "scratch", &digest, "127.0.0.1:1/python:3"] {
        let text = format!("{project}\n[tool.pybundle]\nbase = \"{base}\"\n");
        build.project.write("pyproject.toml", text.as_bytes());
        let message = fail(&mut build.command(&["--pin"]));
        assert!(message.contains(base), "{message}");
        assert_eq!(build.project.read("pyproject.toml"), text);
    }
}
