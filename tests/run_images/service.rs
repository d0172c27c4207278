//! Services: a packaged tool and a web application, on bases with and without a shell.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::projects::{image, shop, tool};
use crate::support::answer::Request;
use crate::support::bases;
use crate::support::command::{fail, succeed};
use crate::support::docker::docker;
use crate::support::sandbox::Sandbox;
use crate::support::schema::assert_valid;

/// Returns the outputs of both forms that are run: a layout, and an archive for Docker.
fn outputs(directory: &Path) -> [String; 2] {
    ["oci:", "docker-archive:"].map(|form| format!("{form}{}", directory.join(form.trim_end_matches(':')).display()))
}

/// Asserts what the tool found around itself.
fn assert_at_home(printed: &str, python: &str, arguments: Value) {
    let facts: Value = serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert_eq!(facts["compiled"], json!([14, 3]));
    assert_eq!(facts["user"], json!([65532, 65532]));
    assert_eq!((&facts["python"], &facts["arguments"]), (&json!(python), &arguments));
    assert_eq!((&facts["folder"], &facts["prefix"]), (&json!("/app"), &json!("/app/.venv")));
    let environment = &facts["environment"];
    assert!(environment["PATH"].as_str().unwrap().starts_with("/app/.venv/bin:/"), "{environment}");
    for (name, value) in [
        ("GREETING", "good day"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONPATH", "/app"),
        ("PYTHONUNBUFFERED", "1"),
        ("VIRTUAL_ENV", "/app/.venv"),
    ] {
        assert_eq!(environment[name], value, "{name} in {environment}");
    }
}

#[test]
fn a_packaged_tool_runs_on_each_slim_base() {
    let project = tool();
    for base in bases::every_slim() {
        let directory = tempfile::tempdir().unwrap();
        let [layout, archive] = outputs(directory.path());
        let python = &base.python;
        let name = format!("tool:{python}");
        let common = ["--base", &base.argument(), "--env", "GREETING=good day"];
        let report = image(&project, &[&common[..], &["-o", &layout, "-o", &archive, "-t", &name]].concat());
        assert_eq!(report["start"]["entrypoint"], json!(["/app/.venv/bin/report-tool"]));
        // The layout and its index, the manifest and the configuration.
        assert_eq!(assert_valid(&directory.path().join("oci")), 4);

        let loaded = docker().load(&directory.path().join("docker-archive"));
        assert_eq!(loaded, [name.as_str()]);
        let run = |options: &[&str], arguments: &[&str]| docker().run(&name, options, arguments);
        assert_at_home(&succeed(&mut run(&["--read-only"], &[])), python, json!([]));
        assert_at_home(&succeed(&mut run(&[], &["--fast", "a b"])), python, json!(["--fast", "a b"]));
        assert_at_home(&succeed(&mut run(&["--entrypoint=python"], &["-m", "report_tool"])), python, json!([]));
        let code = "import importlib.metadata as m; print(m.version('report-tool'), m.version('numpy') != '')";
        assert_eq!(succeed(&mut run(&["--entrypoint=python3"], &["-c", code])), "1.2.0 True\n");
        // What was installed is root's.
        fail(&mut run(&["--entrypoint=touch"], &["/app/.venv/bin/report-tool"]));

        if base.python == bases::slim().python {
            let sandbox = Sandbox::unpack_tag(&directory.path().join("oci"), python);
            assert_eq!(sandbox.user(), (65532, 65532));
            assert_at_home(&succeed(&mut sandbox.run(&[])), python, json!([]));
            let program = ["python", "-m", "report_tool", "x"];
            assert_at_home(&succeed(&mut sandbox.program(&program)), python, json!(["x"]));
        }
    }
}

#[test]
fn a_packaged_tool_runs_where_there_is_no_shell() {
    let base = bases::distroless();
    let directory = tempfile::tempdir().unwrap();
    let [layout, archive] = outputs(directory.path());
    let arguments = ["--profile", "distroless", "--base", &base.argument(), "--env", "GREETING=good day"];
    image(&tool(), &[&arguments[..], &["-o", &layout, "-o", &archive, "-t", "distroless-tool"]].concat());

    assert_eq!(docker().load(&directory.path().join("docker-archive")), ["distroless-tool:latest"]);
    let run = |options: &[&str], arguments: &[&str]| docker().run("distroless-tool", options, arguments);
    assert_at_home(&succeed(&mut run(&["--read-only"], &["x"])), &base.python, json!(["x"]));
    assert_at_home(&succeed(&mut run(&["--entrypoint=python"], &["-m", "report_tool"])), &base.python, json!([]));
    assert_eq!(run(&["--entrypoint=sh"], &["-c", "true"]).output().unwrap().status.code(), Some(127));

    let sandbox = Sandbox::unpack_tag(&directory.path().join("oci"), "latest");
    assert_at_home(&succeed(&mut sandbox.run(&[])), &base.python, json!([]));
    assert!(!sandbox.program(&["sh", "-c", "true"]).output().unwrap().status.success());
}

#[test]
fn a_web_application_answers_and_stops() {
    let directory = tempfile::tempdir().unwrap();
    let [_, archive] = outputs(directory.path());
    let start = ["--cmd", "uvicorn main:app --port 8000", "--expose", "8000", "--label", "team=shop"];
    let base = bases::slim().argument();
    image(&shop(), &[&start[..], &["--base", &base, "-o", &archive, "-t", "shop:1"]].concat());
    let request = Request::get("http://127.0.0.1:8000/items/7");
    let refused = Request::get("http://127.0.0.1:8000/items/seven");

    assert_eq!(docker().load(&directory.path().join("docker-archive")), ["shop:1"]);
    let inspected = &docker().inspect("shop:1")["Config"];
    assert_eq!(inspected["ExposedPorts"], json!({"8000/tcp": {}}));
    assert_eq!((&inspected["User"], &inspected["WorkingDir"]), (&json!("65532:65532"), &json!("/app")));
    assert_eq!(inspected["Labels"]["team"], "shop");
    assert_eq!(inspected["Labels"]["org.opencontainers.image.version"], "1");
    let container = docker().container("shop:1", &["--read-only", "--cap-drop=ALL"], &[]);
    assert_eq!(container.answer(&request).json(), json!({"item": 7}), "{}", container.log());
    assert_eq!(container.answer(&refused).status, 422);
    let stopping = Instant::now();
    assert_eq!(container.stop(), 0, "{}", container.log());
    assert!(stopping.elapsed() < Duration::from_secs(10), "{}", container.log());
    assert!(container.log().contains("Application shutdown complete"), "{}", container.log());
}
