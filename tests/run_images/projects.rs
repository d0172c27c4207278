//! The projects that images are made of, and how they are made.

use serde_json::Value;

use crate::registries::DockerRegistry;
use crate::support::bases::Base;
use crate::support::command::{fail, pybundle, succeed};
use crate::support::uv::Project;

/// What the tool prints: what it finds around itself, and what compiled distributions compute.
const TOOL: &str = r#"import json
import os
import sys

import numpy
import pydantic


class Point(pydantic.BaseModel):
    x: int


def main():
    facts = {
        "arguments": sys.argv[1:],
        "compiled": [int(numpy.arange(4).dot(numpy.arange(4))), Point(x="3").x],
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "prefix": sys.prefix,
        "python": "%d.%d" % sys.version_info[:2],
        "user": [os.getuid(), os.getgid()],
    }
    print(json.dumps(facts))
"#;

/// Returns a packaged project with compiled distributions, whose only console script is `report-tool`.
pub fn tool() -> Project {
    let project = Project::new(&[
        (
            "pyproject.toml",
            r#"[project]
name = "report-tool"
version = "1.2.0"
requires-python = ">=3.9"
dependencies = ["numpy", "pydantic"]

[project.scripts]
report-tool = "report_tool:main"

[build-system]
requires = ["uv_build>=0.7,<1"]
build-backend = "uv_build"
"#,
        ),
        ("src/report_tool/__init__.py", TOOL),
        ("src/report_tool/__main__.py", "from . import main\n\nmain()\n"),
    ]);
    project.uv(&["lock"]);
    project
}

/// Returns a web application that is no package; its server is uvicorn.
pub fn shop() -> Project {
    let project = Project::new(&[
        (
            "pyproject.toml",
            r#"[project]
name = "shop"
version = "1"
requires-python = ">=3.9"
dependencies = ["fastapi", "uvicorn"]
"#,
        ),
        (
            "main.py",
            r#"from fastapi import FastAPI

app = FastAPI()


@app.get("/items/{item}")
def read(item: int):
    return {"item": item}
"#,
        ),
    ]);
    project.uv(&["lock"]);
    project
}

/// Returns an application that depends on nothing, so that an empty cache is no loss.
pub fn script() -> Project {
    let project = Project::new(&[
        ("pyproject.toml", "[project]\nname = \"script\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n"),
        ("script.py", "print('ran')\n"),
    ]);
    project.uv(&["lock"]);
    project
}

/// Builds an image with these arguments, and returns what is reported of it: standard output has nothing else.
pub fn image(project: &Project, arguments: &[&str]) -> Value {
    let mut command = pybundle(&["image", project.path().to_str().unwrap(), "--no-compile-bytecode", "--json"]);
    serde_json::from_str(&succeed(command.args(arguments))).unwrap()
}

/// Fails to build an image, and returns what is said about it.
pub fn refused(project: &Project, arguments: &[&str]) -> String {
    fail(pybundle(&["image", project.path().to_str().unwrap()]).args(arguments))
}

/// Pushes an artifact, and returns what is reported of it.
pub fn push(artifact: &str, references: &[&str]) -> Value {
    serde_json::from_str(&succeed(pybundle(&["push", "--json", artifact]).args(references))).unwrap()
}

/// Pushes a base under a name, which is returned, as people find bases in registries.
pub fn publish(base: &Base, registry: &DockerRegistry, name: &str) -> String {
    let reference = format!("{}/{name}", registry.host());
    push(&base.argument(), &[&reference]);
    reference
}

/// Returns how many blobs a push uploaded to a reference, mounted for it, and found there.
pub fn counts(report: &Value, reference: &str) -> [u64; 3] {
    let tags = report["tags"].as_array().unwrap();
    let tag = tags.iter().find(|tag| tag["tag"] == reference).unwrap_or_else(|| panic!("no {reference} in {report}"));
    ["uploaded", "mounted", "existing"].map(|key| tag[key].as_u64().unwrap())
}
