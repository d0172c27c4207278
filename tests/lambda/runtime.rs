//! Functions run under AWS's runtime client and runtime interface emulator, alone and with their layer.

use std::path::{Path, PathBuf};

use crate::support::command::{fail, pybundle, repository, succeed};
use crate::support::lambda::{architecture, invoke, newest_python, pythons, tried_pythons};
use crate::support::uv::Project;
use serde_json::{Value, json};

/// A function as one zip, and as a zip with a layer.
struct Bundle {
    folder: tempfile::TempDir,
    python: String,
    handler: &'static str,
}

impl Bundle {
    /// Builds a project in both ways for this machine's architecture.
    fn new(project: &Path, python: &str, handler: &'static str) -> Self {
        let bundle = Self { folder: tempfile::tempdir().unwrap(), python: python.to_owned(), handler };
        bundle.build(project, "alone.zip", &[]);
        let layer = bundle.path("layer.zip");
        bundle.build(project, "application.zip", &["--layer", layer.to_str().unwrap()]);
        bundle
    }

    fn build(&self, project: &Path, output: &str, more: &[&str]) {
        let runtime = format!("python{}", self.python);
        let arguments = ["lambda", "--runtime", &runtime, "--arch", architecture(), "--handler", self.handler];
        succeed(pybundle(&arguments).arg(project).arg("-o").arg(self.path(output)).args(more));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Invokes both, asserts that they return the same, and returns it.
    fn answer(&self, event: &Value) -> Value {
        let alone = invoke(&self.python, self.handler, event, &[&self.path("alone.zip")]).answer();
        let zips = [self.path("application.zip"), self.path("layer.zip")];
        let layered = invoke(&self.python, self.handler, event, &[&zips[0], &zips[1]]).answer();
        assert_eq!(alone, layered, "Python {}", self.python);
        alone
    }
}

/// Locks a project with these dependencies and the module `app`.
fn project(dependencies: &str, app: &str) -> Project {
    let pyproject = format!(
        "[project]\nname = \"function\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = {dependencies}\n"
    );
    let project = Project::locked(&pyproject);
    project.write("app.py", app.as_bytes());
    project
}

#[test]
fn the_example_runs_on_every_interpreter() {
    let example = repository().join("testdata/example");
    for python in pythons() {
        let bundle = Bundle::new(&example, &python, "app.handler");
        let event = json!({"name": "Ada", "language": "de", "items": ["apple", "coffee"]});
        let minor: u32 = python.split_once('.').unwrap().1.parse().unwrap();
        // Amazon Linux 2 has glibc 2.26, Amazon Linux 2023 has 2.34, so another wheel of example-tally is selected.
        let build = if minor < 12 { "manylinux_2_17" } else { "manylinux_2_34" };
        let expected = json!({"greeting": "* GRÜSS DICH, ADA! *", "total": 1220, "build": build, "python": python});
        assert_eq!(bundle.answer(&event), expected);
    }
}

#[test]
fn the_application_needs_its_layer() {
    let bundle = Bundle::new(&repository().join("testdata/example"), &newest_python(), "app.handler");
    let invocation = invoke(&bundle.python, "app.handler", &json!({}), &[&bundle.path("application.zip")]);
    assert_eq!(invocation.error(), "Runtime.ImportModuleError");
}

#[test]
fn a_handler_that_the_runtime_would_not_find_is_refused() {
    let example = repository().join("testdata/example");
    let bundle = Bundle::new(&example, &newest_python(), "app.handler");
    for (handler, error, named) in [
        ("app.handle", "Runtime.HandlerNotFound", "app.handler"),
        ("apps.handler", "Runtime.ImportModuleError", "app"),
        ("shop.prices.handler", "Runtime.ImportModuleError", "shop.prices"),
    ] {
        let output = bundle.path("refused.zip");
        let message = fail(pybundle(&["lambda", "--handler", handler]).arg(&example).arg("-o").arg(&output));
        assert!(message.contains(named), "{message}");
        assert!(!output.exists());
        let invocation = invoke(&bundle.python, handler, &json!({}), &[&bundle.path("alone.zip")]);
        assert_eq!(invocation.error(), error, "{handler}");
    }
}

#[test]
fn pydantic_and_requests() {
    let app = r#"
import pathlib

import pydantic
import requests


class Order(pydantic.BaseModel):
    item: str
    count: int = pydantic.Field(gt=0)


def handler(event, context):
    order = Order.model_validate(event)
    request = requests.Request("GET", "https://example.com/", params={"item": order.item}).prepare()
    certificates = pathlib.Path(requests.certs.where())
    return {"count": order.count, "url": request.url, "certificates": certificates.is_file()}
"#;
    let project = project(r#"["pydantic>=2", "requests"]"#, app);
    for python in tried_pythons() {
        let answer = Bundle::new(project.path(), &python, "app.handler").answer(&json!({"item": "tea", "count": "3"}));
        assert_eq!(answer, json!({"count": 3, "url": "https://example.com/?item=tea", "certificates": true}));
    }
}

/// cryptography 50.0.2 has a wheel for Python 3.15 whose module has the suffix of the stable ABI of free-threaded builds
/// (PEP 803), which the standard build loads, too; earlier versions get the wheel for 3.11.
#[test]
fn modules_of_the_stable_abi_of_free_threaded_builds_are_loaded() {
    let app = "from cryptography.hazmat.bindings import _rust\n\n\ndef handler(event, context):\n    return _rust.__file__.rpartition(\"/\")[2]\n";
    let project = Project::locked(
        "[project]\nname = \"function\"\nversion = \"1.0\"\nrequires-python = \">=3.14\"\n\
         dependencies = [\"cryptography==50.0.2\"]\n",
    );
    project.write("app.py", app.as_bytes());
    for (python, file) in [("3.14", "_rust.abi3.so"), ("3.15", "_rust.abi3t.so")] {
        let answer = Bundle::new(project.path(), python, "app.handler").answer(&json!({}));
        assert_eq!(answer, file);
    }
}

#[test]
fn fastapi_behind_mangum() {
    let app = r#"
import fastapi
import mangum

api = fastapi.FastAPI()


@api.get("/items/{number}")
async def item(number: int):
    return {"number": number}


handler = mangum.Mangum(api, lifespan="off")
"#;
    let project = project(r#"["fastapi", "mangum"]"#, app);
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/items/42", "rawQueryString": "",
        "headers": {"host": "example.com"}, "isBase64Encoded": false,
        "requestContext": {"http": {"method": "GET", "path": "/items/42", "sourceIp": "192.0.2.1", "protocol": "HTTP/1.1"}},
    });
    let answer = Bundle::new(project.path(), &newest_python(), "app.handler").answer(&event);
    assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &json!(r#"{"number":42}"#)));
}

#[test]
fn numpy_and_pandas() {
    let app = r#"
import numpy
import pandas


def handler(event, context):
    frame = pandas.DataFrame({"x": event["x"]})
    return {"sum": int(frame.x.sum()), "norm": float(numpy.linalg.norm(event["x"]))}
"#;
    // Later versions have no wheel for the glibc of Amazon Linux 2, which runs Python up to 3.11.
    let dependencies = r#"[
        "numpy<2.3; python_version < '3.12'", "numpy; python_version >= '3.12'",
        "pandas<3; python_version < '3.12'", "pandas; python_version >= '3.12'",
    ]"#;
    let project = project(dependencies, app);
    let answer = Bundle::new(project.path(), &newest_python(), "app.handler").answer(&json!({"x": [3, 4]}));
    assert_eq!(answer, json!({"sum": 7, "norm": 5.0}));
}

#[test]
fn scripts_use_the_interpreter_of_the_runtime() {
    let bundle = Bundle::new(&repository().join("testdata/example"), &newest_python(), "app.handler");
    let folder = bundle.path("unzipped");
    succeed(std::process::Command::new("unzip").arg("-q").arg(bundle.path("alone.zip")).arg("-d").arg(&folder));
    let script = std::fs::read_to_string(folder.join("bin/example-greet")).unwrap();
    let interpreter = format!("/var/lang/bin/python{}", bundle.python);
    assert_eq!(script.lines().next(), Some(format!("#!{interpreter}").as_str()));
}

#[test]
fn a_script_runs_with_the_modules_beside_it() {
    let metadata = "# /// script\n# requires-python = \">=3.9\"\n# dependencies = [\"pydantic>=2\"]\n# ///\n";
    let code = "import pydantic\n\nfrom pricing import total\n\n\nclass Order(pydantic.BaseModel):\n    count: int\n\n\n\
                def lambda_handler(event, context):\n    return total(Order(**event).count)\n";
    let project = Project::new(&[
        ("order.py", format!("{metadata}{code}").as_str()),
        ("pricing.py", "def total(count):\n    return 3 * count\n"),
    ]);
    project.uv(&["lock", "--script", "order.py"]);
    let python = newest_python();
    let zip = project.path().join("order.zip");
    let runtime = format!("python{python}");
    let arguments = ["lambda", "--runtime", &runtime, "--arch", architecture()];
    succeed(pybundle(&arguments).arg(project.path().join("order.py")).arg("-o").arg(&zip));
    assert_eq!(invoke(&python, "order.lambda_handler", &json!({"count": "4"}), &[&zip]).answer(), json!(12));
}
