//! Applications with data files, in `testdata/applications`: what is included by default is all that they need. Each is
//! invoked by Lambda's own runtime client.

use serde_json::{Value, json};

use crate::support::artifact::paths_of_zip;
use crate::support::command::{pybundle, repository, succeed};
use crate::support::lambda::{architecture, invoke, newest_python};

/// Builds an application with nothing but its handler, without a warning, and checks what it answers.
fn answers(name: &str, handler: &str, expected: &Value) {
    let directory = tempfile::tempdir().unwrap();
    let zip = directory.path().join("function.zip");
    let python = newest_python();
    let project = repository().join("testdata/applications").join(name);
    let runtime = format!("python{python}");
    let mut command = pybundle(&["lambda", "--runtime", &runtime, "--arch", architecture(), "--handler", handler]);
    let report: Value =
        serde_json::from_str(&succeed(command.arg("--json").arg("--output").arg(&zip).arg(&project))).unwrap();
    assert_eq!(report["warnings"], json!([]), "{name}");
    assert_eq!(invoke(&python, handler, &json!({}), &[&zip]).answer(), *expected, "{name}");
    for path in paths_of_zip(&zip) {
        let top_level = path.split('/').next().unwrap();
        let tools = ["Dockerfile", "Makefile", "README.md", "notebooks", "pyproject.toml", "tests", "uv.lock"];
        assert!(!tools.contains(&top_level), "{name} contains {path}");
    }
}

#[test]
fn templates_are_included() {
    answers("flask-site", "app.handler", &json!(["<p>flask</p>", "p {}"]));
    answers("jinja-mail", "mail.handler.handler", &json!(["Dear jinja", "Bye, jinja"]));
    answers("django-shop", "shop.lambda_handler.handler", &json!("Hello, django"));
}

#[test]
fn configuration_queries_and_models_are_included() {
    answers("plain-config", "handler.handler", &json!(["json", "ini"]));
    answers("sql-store", "main.handler", &json!(["a", "b"]));
    answers("model-server", "predict.handler", &json!("dog"));
    answers("translations", "function.handler", &json!(["hallo", 1]));
}

#[test]
fn migrations_are_included() {
    answers("alembic-migrations", "migrate.handler", &json!(["alembic_version", "user"]));
}

#[test]
fn data_is_found_whether_src_is_the_root_or_a_package() {
    answers("starlette-static", "web.main.handler", &json!("starlette"));
    answers("src-package", "src.api.handler.handler", &json!("src"));
}

#[test]
fn a_poetry_project_without_a_package_is_an_application() {
    answers("poetry-application", "index.handler", &json!("SELECT 1"));
}
