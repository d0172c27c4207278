//! `--load` puts images into Docker and podman.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::podman::Podman;
use crate::support::bases;
use crate::support::command::{fail, succeed};
use crate::support::docker::docker;
use crate::workshop::Workshop;

/// Returns a command of the workshop that finds this engine first on its `PATH`.
pub fn with_engine(mut command: Command, directory: &Path, engine: &Command) -> Command {
    let words: Vec<_> = [engine.get_program()].into_iter().chain(engine.get_args()).collect();
    let words = words.iter().map(|word| format!("'{}'", word.to_str().unwrap())).collect::<Vec<_>>().join(" ");
    let variables =
        engine.get_envs().filter_map(|(name, value)| Some((name.to_str().unwrap(), value?.to_str().unwrap())));
    // It must not find itself.
    let path = std::env::var("PATH").unwrap();
    let variables = variables.chain([("PATH", path.as_str())]);
    let variables: String = variables.map(|(name, value)| format!("export {name}='{value}'\n")).collect();
    let name = if words.contains("podman") { "podman" } else { "docker" };
    let script = directory.join(name);
    fs::write(&script, format!("#!/bin/sh\n{variables}exec {words} \"$@\"\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    command.env("PATH", format!("{}:{path}", directory.display()));
    command
}

/// Returns a command that loads an image on the slim base.
fn load(workshop: &Workshop, arguments: &[&str]) -> Command {
    workshop.without_base(&[&["--base", &bases::slim().argument(), "--load"], arguments].concat())
}

#[test]
fn an_image_is_loaded_into_docker_and_runs() {
    let workshop = Workshop::new();
    let tools = tempfile::tempdir().unwrap();
    let command = load(&workshop, &["--tag=loaded:1", "--cmd=python -c 'import example_banner; print(6 * 7)'"]);
    let page = succeed(&mut with_engine(command, tools.path(), &docker().command(&[])));
    assert!(page.contains("  loaded    loaded:1 into docker\n"), "{page}");
    assert_eq!(succeed(&mut docker().run("loaded:1", &[], &[])), "42\n");
    // There is no file unless it is asked for.
    assert!(!workshop.path("project/dist").exists());

    // Of an index, Docker gets the image for its own architecture, and the file has both.
    let arguments = ["--base", &bases::multi().argument(), "--platform=linux/amd64,linux/arm64", "--output=oci:out"];
    let command = workshop.without_base(&[&arguments[..], &["--load=docker", "--tag=loaded:2", "--json"]].concat());
    let report: Value =
        serde_json::from_str(&succeed(&mut with_engine(command, tools.path(), &docker().command(&[])))).unwrap();
    assert_eq!(report["loaded"], json!({ "engine": "docker", "images": ["loaded:2"] }));
    assert_eq!(report["outputs"], json!(["oci:out"]));
    assert_eq!(format!("linux/{}", docker().inspect("loaded:2")["Architecture"].as_str().unwrap()), bases::platform());

    // Without a tag, its ID is what it is called.
    let page = succeed(&mut with_engine(load(&workshop, &["--cmd=python"]), tools.path(), &docker().command(&[])));
    let line = page.lines().find_map(|line| line.strip_prefix("  loaded    ")).unwrap();
    assert_eq!(docker().inspect(line.strip_suffix(" into docker").unwrap())["RepoTags"], json!([]));
}

#[test]
fn an_image_is_loaded_into_podman() {
    let workshop = Workshop::new();
    let (podman, tools) = (Podman::new(), tempfile::tempdir().unwrap());
    let command = workshop.command(&["--load=podman", "--tag=loaded:1", "--tag=ghcr.io/me/loaded:2"]);
    let page = succeed(&mut with_engine(command, tools.path(), &podman.podman(&[])));
    let names = "docker.io/library/loaded:1, ghcr.io/me/loaded:2";
    assert!(page.contains(&format!("  loaded    {names} into podman\n")), "{page}");
    succeed(&mut podman.podman(&["image", "inspect", "ghcr.io/me/loaded:2"]));
}

#[test]
fn engines_that_are_missing_or_fail_are_errors() {
    let workshop = Workshop::new();
    let (tools, empty) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (flag, missing) in [("--load", "neither docker nor podman is"), ("--load=podman", "podman is not")] {
        let said = workshop.fail(workshop.command(&[flag]).env("PATH", empty.path()));
        let hint = "hint: write an archive for it with --output oci-archive:FILE\n";
        assert_eq!(said, format!("error: cannot load the image: {missing} on PATH\n{hint}"));
    }
    // Before anything is built.
    let mut no_daemon = docker().command(&[]);
    no_daemon.env("DOCKER_HOST", format!("unix://{}/none.sock", tools.path().display()));
    let said = workshop.fail(&mut with_engine(workshop.command(&["--load"]), tools.path(), &no_daemon));
    assert!(
        said.starts_with("error: `docker version` failed (exit status: 1): Cannot connect to the Docker"),
        "{said}"
    );
    assert!(said.ends_with("hint: start Docker, or load the image into podman with --load=podman\n"), "{said}");

    // An engine that stops reading.
    let full = tools.path().join("full");
    fs::write(
        &full,
        "#!/bin/sh\n[ \"$1\" = load ] || { echo amd64; exit; }\nhead -c 100 >/dev/null\necho disk full >&2\nexit 3\n",
    )
    .unwrap();
    fs::set_permissions(&full, fs::Permissions::from_mode(0o755)).unwrap();
    let large = load(&workshop, &["--tag=large:1"]);
    let said = fail(&mut with_engine(large, tools.path(), &Command::new(&full)));
    assert!(said.contains("error: `docker load` failed (exit status: 3): disk full\n"), "{said}");

    let none = "#!/bin/sh\necho riscv64\n";
    fs::write(&full, none).unwrap();
    let both = workshop.command(&["--load", "--platform=linux/amd64,linux/arm64"]);
    let said = workshop.fail(&mut with_engine(both, tools.path(), &Command::new(&full)));
    let expected = "docker runs containers for linux/riscv64, but the image is not built for that";
    assert!(said.contains(expected) && said.contains("hint: choose one platform with --platform\n"), "{said}");
}

#[test]
fn layers_that_docker_cannot_decompress_are_named() {
    let workshop = Workshop::new();
    let tools = tempfile::tempdir().unwrap();
    let docker = docker();
    // Docker decompresses no layer that another test has already loaded.
    workshop.write("zstd.py", "");
    let command = load(&workshop, &["--compression=zstd", "--tag=zstd:1", "--label=is=zstd"]);
    let output = with_engine(command, tools.path(), &docker.command(&[])).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_old = succeed(&mut docker.command(&["version", "--format={{.Server.Version}}"])).starts_with("20.");
    assert_eq!(output.status.success(), !is_old, "{said}");
    if is_old {
        let hint = "hint: omit --compression: Docker before version 23 does not decompress zstd\n";
        assert!(said.contains("error: `docker load` failed") && said.ends_with(hint), "{said}");
    }
}
