//! The base images that images are tested on are real: their programs run, and they are what they stand for.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::answer::Request;
use crate::support::bases::{self, Base};
use crate::support::command::succeed;
use crate::support::docker::docker;
use crate::support::sandbox::Sandbox;
use crate::support::schema::assert_valid;
use serde_json::{Value, json};

/// What prints the version of the interpreter, and imports what is compiled and what needs the system's libraries.
const VERSION: &str = "import ctypes, hashlib, lzma, sqlite3, ssl, sys, zoneinfo; assert ssl.create_default_context().get_ca_certs(); print('%d.%d' % sys.version_info[:2])";

/// Adds a file to a copy of a base, by umoci, and returns the copy's layout.
fn with_file(base: &Base, directory: &Path, path: &str, text: &str) -> PathBuf {
    let layout = directory.join("layout");
    succeed(Command::new("cp").arg("-r").arg(&base.layout).arg(&layout));
    let file = directory.join("file");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("umoci");
    succeed(command.args(["insert", "--rootless", "--image"]).arg(&layout).arg(&file).arg(path));
    layout
}

/// Loads the image of a layout into Docker, and returns its name there.
fn load(layout: &Path, name: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("image.tar");
    let source = format!("oci:{}:latest", layout.display());
    let target = format!("docker-archive:{}:{name}:latest", archive.display());
    succeed(Command::new("skopeo").args(["copy", "--quiet", "--insecure-policy", &source, &target]));
    let loaded = docker().load(&archive);
    assert_eq!(loaded, [format!("{name}:latest")]);
    loaded[0].clone()
}

#[test]
fn documents_are_valid() {
    for base in [bases::every_slim(), vec![bases::distroless(), bases::lambda()]].concat() {
        assert_eq!(assert_valid(&base.layout), 4, "{base:?}");
    }
    // The layout, two indexes, three manifests with their configurations.
    assert_eq!(assert_valid(&bases::multi().layout), 9);
}

#[test]
fn slim_runs() {
    for base in bases::every_slim() {
        let sandbox = Sandbox::unpack(&base.layout);
        assert_eq!(succeed(&mut sandbox.run(&["python3", "-c", VERSION])).trim(), base.python);
        assert!(succeed(&mut sandbox.program(&["sh", "-c", "env"])).contains("PYTHON_VERSION=3."));
        let image = load(&base.layout, &format!("slim-{}", base.python));
        assert_eq!(succeed(&mut docker().run(&image, &[], &["python3", "-c", VERSION])).trim(), base.python);
        assert_eq!(docker().inspect(&image)["Config"]["Cmd"], json!(["python3"]));
    }
}

#[test]
fn distroless_runs_and_has_no_shell() {
    let base = bases::distroless();
    let sandbox = Sandbox::unpack(&base.layout);
    assert_eq!(sandbox.user(), (65532, 65532));
    assert_eq!(succeed(&mut sandbox.run(&["-c", VERSION])).trim(), base.python);
    assert_eq!(
        succeed(&mut sandbox.run(&["-c", "import os; print(os.getuid(), os.getcwd())"])),
        "65532 /home/nonroot\n"
    );
    let image = load(&base.layout, "distroless");
    assert_eq!(succeed(&mut docker().run(&image, &[], &["-c", VERSION])).trim(), base.python);
    let shell = docker().run(&image, &["--entrypoint=sh"], &["-c", "true"]).output().unwrap();
    assert_eq!(shell.status.code(), Some(127));
    assert!(!sandbox.program(&["sh", "-c", "true"]).output().unwrap().status.success());
}

#[test]
fn lambda_answers() {
    let base = bases::lambda();
    let directory = tempfile::tempdir().unwrap();
    let handler =
        "import os\n\n\ndef handler(event, context):\n    return [event, os.getcwd(), context.function_name]\n";
    let layout = with_file(&base, directory.path(), "/var/task/app.py", handler);
    let expected = json!([{"x": 1}, "/var/task", "test_function"]);
    let request = Request::invocation(r#"{"x": 1}"#);
    let sandbox = Sandbox::unpack(&layout);
    assert_eq!(sandbox.answer(&["app.handler"], &request).json(), expected);
    let image = load(&layout, "lambda");
    let container = docker().container(&image, &["--read-only", "--tmpfs=/tmp", "--user=993"], &["app.handler"]);
    assert_eq!(container.answer(&request).json(), expected, "{}", container.log());
    assert!(container.log().contains("START RequestId"));
}

#[test]
fn an_index_holds_the_slim_image_and_one_that_cannot_run() {
    let slim = bases::slim();
    let multi = bases::multi();
    assert_eq!(slim.python, multi.python);
    let sandbox = Sandbox::unpack(&multi.layout);
    assert_eq!(succeed(&mut sandbox.run(&["python3", "-c", VERSION])).trim(), multi.python);
    let raw = succeed(Command::new("skopeo").args(["inspect", "--raw", &multi.argument()]));
    let index: Value = serde_json::from_str(&raw).unwrap();
    let platforms = index["manifests"].as_array().unwrap().iter().map(|entry| &entry["platform"]);
    let platforms: Vec<_> = platforms
        .map(|platform| format!("{}/{}", platform["os"].as_str().unwrap(), platform["architecture"].as_str().unwrap()))
        .collect();
    assert_eq!(platforms, [bases::platform(), bases::other_platform(), "unknown/unknown"]);
}
