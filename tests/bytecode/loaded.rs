//! Deployed modules are loaded from their bytecode, and nothing is compiled at run time.

use std::path::{Path, PathBuf};
use std::process::Command;

use rayon::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::bases;
use super::support::command::{pybundle, repository, succeed};
use super::support::lambda::{architecture, invoke};
use super::support::sandbox::Sandbox;
use super::support::uv::Project;
use super::{Python, pythons};

const APP: &str = r#"import traceback

import pydantic
import requests


class Order(pydantic.BaseModel):
    count: int


def handler(event, context):
    try:
        requests.get("nowhere")
    except Exception:
        shown = traceback.format_exc()
    return {"count": Order(**event).count, "cached": [__spec__.cached, requests.__spec__.cached], "traceback": shown}
"#;

fn project() -> Project {
    let project = Project::locked(
        "[project]\nname = \"function\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n\
         dependencies = [\"pydantic>=2\", \"requests\"]\n",
    );
    project.write("app.py", APP.as_bytes());
    project
}

/// Runs code verbosely; returns the files from which the interpreter loads modules below a directory.
fn loaded(python: &mut Command, below: &str) -> Vec<String> {
    let output = python.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let files = said.lines().filter_map(|line| line.strip_prefix("# code object from '")?.strip_suffix('\''));
    files.filter(|file| file.starts_with(below)).map(str::to_owned).collect()
}

fn assert_loaded(files: &[String], cache_tag: &str) {
    assert!(files.len() > 50, "{files:?}");
    for file in files {
        assert!(file.ends_with(&format!(".{cache_tag}.pyc")), "{file} is a source that was compiled");
    }
}

/// Builds a function and checks its bytecode; returns the zip and its directory.
fn assert_function(python: &Python, project: &Path) -> (TempDir, PathBuf) {
    let version = python.interpreter.version.to_string();
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("function.zip");
    let runtime = format!("python{version}");
    let arguments = ["lambda", "--runtime", &runtime, "--arch", architecture(), "--compile-bytecode", "--json"];
    // Patch releases of a minor version produce different bytecode, so the same interpreter compiles and checks it.
    let own = python.interpreter.path.parent().unwrap().to_owned();
    let search_path = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    let search_path = std::env::join_paths([own].into_iter().chain(search_path)).unwrap();
    let mut command = pybundle(&arguments);
    command.arg(project).arg("-o").arg(&zip).env("PATH", search_path).env("UV_PYTHON_INSTALL_DIR", folder.path());
    let report = succeed(&mut command);
    let report: Value = serde_json::from_str(&report).unwrap();
    let tree = folder.path().join("tree");
    succeed(Command::new("unzip").arg("-q").arg(&zip).arg("-d").arg(&tree));
    succeed(Command::new("chmod").args(["-R", "a-w"]).arg(&tree));

    let run = || {
        let mut command = Command::new(&python.interpreter.path);
        command.args(["-I", "-S", "-B"]);
        command
    };
    let check = repository().join("tests/bytecode/check.py");
    let count: u64 = succeed(run().arg(check).arg(&tree)).trim().parse().unwrap();
    assert!(count > 150 && report["bytecode"]["files"] == count, "{count}, {}", report["bytecode"]);
    assert_eq!(report["bytecode"]["version"], version);
    let code = format!("import sys; sys.path.insert(0, {tree:?}); import app; app.handler({{'count': 3}}, None)");
    let files = loaded(run().args(["-v", "-c", &code]), tree.to_str().unwrap());
    assert_loaded(&files, &python.interpreter.cache_tag());

    succeed(Command::new("chmod").args(["-R", "u+w"]).arg(&tree));
    (folder, zip)
}

#[test]
fn functions_are_loaded_from_bytecode_that_equals_what_their_interpreter_compiles() {
    let project = project();
    let zips: Vec<_> = pythons().par_iter().map(|python| assert_function(python, project.path())).collect();
    let (python, zip) = (pythons().pop().unwrap(), &zips.last().unwrap().1);
    let version = python.interpreter.version.to_string();
    let answer = invoke(&version, "app.handler", &json!({"count": "3"}), &[zip]).answer();
    let tag = python.interpreter.cache_tag();
    let cached =
        [format!("/var/task/__pycache__/app.{tag}.pyc"), format!("/var/task/requests/__pycache__/__init__.{tag}.pyc")];
    assert_eq!((&answer["count"], &answer["cached"]), (&json!(3), &json!(cached)));
    // Tracebacks show the lines of the installed sources.
    let traceback = answer["traceback"].as_str().unwrap();
    for line in [
        "File \"/var/task/app.py\", line 13, in handler\n    requests.get(\"nowhere\")",
        "\"/var/task/requests/api.py\"",
    ] {
        assert!(traceback.contains(line), "{traceback}");
    }
}

#[test]
fn images_are_loaded_from_bytecode() {
    let project = project();
    // Other patch releases load it, too: the bases have their own interpreters.
    for base in bases::every_slim() {
        let folder = tempfile::tempdir().unwrap();
        let layout = folder.path().join("layout");
        let arguments = ["image", "--base", &base.argument(), "--cmd", "python app.py", "-t", "app", "--json"];
        let mut command = pybundle(&arguments);
        command.arg(project.path()).arg("-o").arg(format!("oci:{}", layout.display()));
        let report: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
        let bytecode = &report["platforms"][0]["bytecode"];
        assert!(bytecode["python"].as_str().unwrap().starts_with(&base.python), "{bytecode}");
        let sandbox = Sandbox::unpack(&layout);
        let code =
            "import os; assert os.environ['PYTHONDONTWRITEBYTECODE']; import app; app.handler({'count': 3}, None)";
        let files = loaded(&mut sandbox.program(&["python", "-v", "-c", code]), "/app/");
        assert_loaded(&files, &format!("cpython-{}", base.python.replace('.', "")));
    }
}
