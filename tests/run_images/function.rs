//! Lambda functions as images, invoked with the runtime interface emulator of their base.

use serde_json::{Value, json};

use crate::projects::{image, refused};
use crate::support::answer::Request;
use crate::support::bases;
use crate::support::docker::docker;
use crate::support::sandbox::Sandbox;
use crate::support::uv::Project;

fn function() -> Project {
    let project = Project::new(&[
        (
            "pyproject.toml",
            r#"[project]
name = "function"
version = "1"
requires-python = ">=3.9"
dependencies = ["pydantic"]
"#,
        ),
        (
            "app.py",
            r#"import os

import pydantic


class Order(pydantic.BaseModel):
    count: int


def handler(event, context):
    return {"count": Order(**event).count, "folder": os.getcwd(), "name": context.function_name}
"#,
        ),
    ]);
    project.uv(&["lock"]);
    project
}

#[test]
fn a_function_answers_and_one_that_lacks_a_distribution_tells() {
    let project = function();
    let base = bases::lambda().argument();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let [layout, archive, broken] = [("oci", "layout"), ("docker-archive", "archive"), ("docker-archive", "broken")]
        .map(|(form, name)| format!("{form}:{}", path(name).display()));
    let common = ["--profile", "lambda-image", "--base", &base, "--cmd", "app.handler"];
    let outputs = ["-t", "function:1", "-o", &layout, "-o", &archive];
    let report = image(&project, &[&common[..], &outputs].concat());
    // One platform, in a manifest and not in an index; the entrypoint is the base's.
    assert_eq!(report["media_type"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!((&report["start"]["entrypoint"], &report["start"]["command"]), (&Value::Null, &json!(["app.handler"])));

    let request = Request::invocation(r#"{"count": "3"}"#);
    let expected = json!({"count": 3, "folder": "/var/task", "name": "test_function"});
    assert_eq!(Sandbox::unpack_tag(&path("layout"), "1").answer(&[], &request).json(), expected);
    let start = |name| docker().container(name, &["--read-only", "--tmpfs=/tmp", "--user=993"], &[]);
    assert_eq!(docker().load(&path("archive")), ["function:1"]);
    let container = start("function:1");
    assert_eq!(container.answer(&request).json(), expected, "{}", container.log());

    let outputs = ["-t", "function:broken", "-o", &broken, "--no-install-package", "pydantic-core"];
    image(&project, &[&common[..], &outputs].concat());
    assert_eq!(docker().load(&path("broken")), ["function:broken"]);
    let answer = start("function:broken").answer(&request);
    assert!(answer.body.contains("Runtime.ImportModuleError") && answer.body.contains("pydantic_core"), "{answer:?}");
}

#[test]
fn a_handler_that_is_not_there_is_refused() {
    let project = function();
    let base = bases::lambda().argument();
    let output = format!("oci:{}", project.path().join("out").display());
    let common = ["--profile", "lambda-image", "--base", &base, "-o", &output];
    for (arguments, expected) in [
        (&["--cmd", "app.missing"][..], "app.missing"),
        (&["--cmd", "lib.handler"], "lib"),
        (&["--cmd", "app.handler --fast"], "lambda-image requires a handler"),
        (&[], "lambda-image requires a handler"),
    ] {
        let message = refused(&project, &[&common[..], arguments].concat());
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    assert!(!project.path().join("out").exists());
}
