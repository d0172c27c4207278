//! Two projects whose written files are compared completely.

use std::fs;
use std::process::Command;

use crate::project::Project;
use crate::support::command::{pybundle, repository, succeed};

const SERVICE: &str = r#"[project]
name = "shop"
version = "1.0"
requires-python = ">=3.11,<3.13"
dependencies = ["fastapi", "uvicorn"]

[dependency-groups]
dev = [{ include-group = "test" }]
test = ["pytest"]

[tool.pytest.ini_options]
addopts = "-q"

[[tool.uv.index]]
name = "local"
url = "./index"
format = "flat"
default = true

# Targets of `pybundle build`. `pybundle config show` explains each value.
[tool.pybundle.target.web]
kind = "image"
# The newest that requires-python (>=3.11, <3.13) allows.
python = "3.12"
# shop/main.py:3: FastAPI application, served by uvicorn, which is locked.
cmd = ["uvicorn", "shop.main:app", "--host", "0.0.0.0", "--port", "8000"]
expose = [8000]
# Where `pybundle build --push` pushes the image:
# tag = ["registry.example.org/shop:latest"]

[tool.pybundle.target.test]
# The layers of production with the tests on top: what is tested is what is deployed.
extends = "web"
group = ["test"]
include = ["tests", "pyproject.toml"]
cmd = ["python", "-m", "pytest", "-p", "no:cacheprovider", "tests"]
"#;

const WORKFLOW: &str = r#"# Builds every target of [tool.pybundle], like `pybundle build` on a developer's machine.
name: pybundle

on:
  push:
    branches: [main, master]
  pull_request:

permissions:
  contents: read

jobs:
  build:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - uses: pybundle/pybundle/.github/actions/pybundle@v0
"#;

#[test]
fn a_web_service_gets_an_image_and_an_image_with_its_tests() {
    let rest = "[dependency-groups]\ndev = [{ include-group = \"test\" }]\ntest = [\"pytest\"]\n\n\
                [tool.pytest.ini_options]\naddopts = \"-q\"\n\n";
    let project = Project::locked(
        &["fastapi", "uvicorn"],
        &["pytest"],
        rest,
        &[
            ("shop/__init__.py", ""),
            ("shop/main.py", "from fastapi import FastAPI\n\napp = FastAPI()\n"),
            ("tests/test_main.py", "def test(): pass\n"),
        ],
    );
    let said = succeed(&mut project.command(&[]));
    assert_eq!(project.0.read("pyproject.toml"), SERVICE);
    assert_eq!(project.0.read(".github/workflows/pybundle.yml"), WORKFLOW);
    let lines: Vec<&str> = said.lines().skip(1).take_while(|line| !line.is_empty()).collect();
    assert_eq!(
        lines,
        [
            "  python    3.12, the newest that requires-python >=3.11, <3.13 allows",
            "  lock      uv.lock",
            "  app       shop.main:app  (FastAPI, shop/main.py:3)",
            "  tests     tests/  (python -m pytest -p no:cacheprovider tests)",
            "  target    web  (image: FastAPI, served by uvicorn)",
            "  target    test  (image: web with tests/)",
        ]
    );
    assert!(said.ends_with("next:\n    pybundle build --dry-run\n    pybundle build\n"), "{said}");
    assert_eq!(project.planned(&[]), ["test", "web"]);

    // The action is pinned to the same commit as in the workflow of this repository.
    let checkout = WORKFLOW.lines().find(|line| line.contains("actions/checkout")).unwrap().trim();
    assert!(fs::read_to_string(repository().join(".github/workflows/ci.yml")).unwrap().contains(checkout));

    let shown = succeed(pybundle(&["config", "show"]).current_dir(project.0.path()));
    assert!(shown.contains("shop.main:app"), "{shown}");
}

#[test]
fn a_function_is_configured_and_built() {
    let project = Project::new(&[]);
    succeed(Command::new("cp").arg("-r").arg(repository().join("testdata/example/.")).arg(project.0.path()));
    let before = project.0.read("pyproject.toml");
    let report = project.init(&["--no-workflow"]);
    let configured = project.0.read("pyproject.toml");
    assert_eq!(
        configured.strip_prefix(&before).unwrap(),
        r#"
# Targets of `pybundle build`. `pybundle config show` explains each value.
[tool.pybundle.target.function]
kind = "lambda"
# The newest that requires-python (>=3.9) allows. Create the function with the same runtime.
runtime = "python3.14"
# app.py:12: function with the name of a handler. The build fails if it is not in the zip.
handler = "app.handler"
"#
    );
    assert_eq!(report["projects"][0]["found"][0]["name"], "app.handler");
    assert!(report["projects"][0]["notes"][0].as_str().unwrap().contains("uv add --group test pytest"));
    assert!(!project.path(".github").exists());

    succeed(pybundle(&["build", "--offline"]).current_dir(project.0.path()));
    let zip = zip::ZipArchive::new(fs::File::open(project.path("dist/function.zip")).unwrap()).unwrap();
    let files: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert!(
        files.contains(&"app.py".to_owned()) && files.iter().any(|name| name.starts_with("example_tally/")),
        "{files:?}"
    );
}
