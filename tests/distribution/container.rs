//! The image of pybundle that pybundle builds, and which builds functions.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::bases;
use crate::support::command::{pybundle, repository, succeed};
use crate::support::docker::docker;
use crate::wheel::wheel;

/// Returns the SHA-256 of the only artifact that a build reports.
fn sha256(printed: &str) -> String {
    let report: Value = serde_json::from_str(printed).unwrap();
    report["artifacts"][0]["sha256"].as_str().unwrap().to_owned()
}

/// Builds the image as a release does, but of the tests' wheel and base.
fn image(folder: &Path) -> Value {
    let lock = folder.join("requirements.txt");
    fs::write(&lock, concat!("pybundle==", env!("CARGO_PKG_VERSION"), "\n")).unwrap();
    let archive = format!("docker-archive:{}", folder.join("image.tar").display());
    let mut command = pybundle(&["image", "--json", "--no-cache", "--target", "image"]);
    command.arg(repository()).arg("--lock").arg(lock).arg("--find-links").arg(&wheel().folder);
    command.args(["--platform", bases::platform(), "--base", &bases::slim().argument()]);
    command.args(["--output", &archive, "--tag", "pybundle:test"]);
    serde_json::from_str(&succeed(&mut command)).unwrap()
}

#[test]
fn the_image_builds_a_function() {
    let folder = tempfile::tempdir().unwrap();
    let report = image(folder.path());
    assert_eq!(report["start"]["entrypoint"], json!(["pybundle"]));
    assert_eq!(docker().load(&folder.path().join("image.tar")), ["pybundle:test"]);
    let run = |options: &[&str], arguments: &[&str]| {
        let own = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL"];
        succeed(&mut docker().run("pybundle:test", &[&own[..], options].concat(), arguments))
    };
    assert_eq!(run(&[], &["--version"]), concat!("pybundle ", env!("CARGO_PKG_VERSION"), "\n"));
    // Not root, and what it runs is not its own.
    assert_eq!(run(&["--entrypoint=id"], &["-u"]), "65532\n");
    assert_eq!(run(&["--entrypoint=sh"], &["-c", "command -v pybundle"]), "/app/.venv/bin/pybundle\n");

    let [work, out] = ["work", "out"].map(|name| folder.path().join(name));
    succeed(Command::new("cp").arg("-r").arg(repository().join("testdata/example")).arg(&work));
    fs::create_dir(&out).unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o777)).unwrap();
    let build = ["lambda", "--json", "--handler", "app.handler", "--output"];
    // Out there, pybundle's own pyproject.toml lies above the example, which is none of its business.
    let zip = folder.path().join("function.zip");
    let outside = sha256(&succeed(pybundle(&build).arg(zip).arg(repository().join("testdata/example"))));
    let mounts = [(&work, "/work:ro"), (&out, "/out")].map(|(path, to)| format!("--volume={}:{to}", path.display()));
    let inside = run(&mounts.each_ref().map(String::as_str), &[&build[..], &["/out/function.zip"]].concat());
    assert_eq!(sha256(&inside), outside);
    assert!(out.join("function.zip").is_file());
}
