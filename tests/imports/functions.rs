//! Functions with audit errors fail to start in Lambda, and functions without them start.

use serde_json::json;

use super::lambda;
use super::support::command::{fail, succeed};
use super::support::lambda::invoke;
use super::support::uv::Project;

const GOOD: [&str; 2] = [
    "import json\ntry:\n    import orjson\nexcept ImportError:\n    orjson = None\ndef handler(event, context):\n    return json.loads('1')\n",
    "from awslambdaric import lambda_runtime_client\ndef handler(event, context):\n    return 1\n",
];

const BROKEN: [(&str, &str); 2] = [
    ("import absent\ndef handler(event, context):\n    return 1\n", "absent"),
    ("import telnetlib\nhandler = print\n", "telnetlib"),
];

#[test]
fn functions_start_in_lambda_exactly_if_the_audit_passes() {
    let build = |app: &str, more: &[&str]| {
        let project = Project::new(&[("app.py", app), ("requirements.txt", "")]);
        let mut command = lambda(project.path(), "3.13", &["--handler", "app.handler", "--include", "app.py"]);
        command.arg("-o").arg(project.path().join("function.zip")).args(more);
        (project, command)
    };
    for app in GOOD {
        let (project, mut command) = build(app, &[]);
        succeed(&mut command);
        let answer = invoke("3.13", "app.handler", &json!({}), &[&project.path().join("function.zip")]).answer();
        assert_eq!(answer, json!(1));
    }
    for (app, module) in BROKEN {
        let said = fail(&mut build(app, &[]).1);
        assert!(said.contains(&format!("app.py:1 imports `{module}`")), "{said}");
        let (project, mut command) = build(app, &["--allow-missing", module]);
        succeed(&mut command);
        let invocation = invoke("3.13", "app.handler", &json!({}), &[&project.path().join("function.zip")]);
        assert_eq!(invocation.error(), "Runtime.ImportModuleError");
    }
}

#[test]
fn handlers_that_lambda_cannot_call_are_refused() {
    let build = |app: &str, more: &[&str]| {
        let api = "main = {}\ndef one(event): ...\ndef good(event, context):\n    return 1\n";
        let project = Project::new(&[("app.py", app), ("api.py", api), ("requirements.txt", "")]);
        let mut command = lambda(project.path(), "3.13", more);
        command.arg("-o").arg(project.path().join("function.zip"));
        (project, command)
    };
    for (app, message, kind) in [
        ("def handler(event):\n    return 1\n", "Lambda calls it with two arguments", "TypeError"),
        ("class handler: ...\n", "it is a class in app.py", "TypeError"),
        ("import json as handler\n", "it is a module in app.py", "TypeError"),
        ("handler = 3\n", "it is a number in app.py", "TypeError"),
        ("import api\nhandler = api.main\n", "it is a dictionary in api.py", "TypeError"),
        ("from api import one as handler\n", "Lambda calls it with two arguments", "TypeError"),
    ] {
        let said = fail(&mut build(app, &["--handler", "app.handler"]).1);
        assert!(said.contains(message), "{said}");
        let (project, mut command) = build(app, &[]);
        succeed(&mut command);
        let invocation = invoke("3.13", "app.handler", &json!({}), &[&project.path().join("function.zip")]);
        assert_eq!(invocation.error(), kind, "{app}");
    }
    // What is re-exported runs, and what is not there neither builds nor runs.
    for app in ["from api import good as handler\n", "import api\nhandler = api.good\n"] {
        let (project, mut command) = build(app, &["--handler", "app.handler"]);
        succeed(&mut command);
        let invocation = invoke("3.13", "app.handler", &json!({}), &[&project.path().join("function.zip")]);
        assert_eq!(invocation.answer(), json!(1), "{app}");
    }
    let said = fail(&mut build("from api import absent as handler\n", &["--handler", "app.handler"]).1);
    assert!(said.contains("app.py gets it from api.py, which does not define `absent`"), "{said}");
    // The hint helps.
    let said = fail(&mut build("def handler(event):\n    return 1\n", &["--handler", "app.handler"]).1);
    assert!(said.contains("hint: define it as `def handler(event, context)`\n"), "{said}");
    let (project, mut command) = build("def handler(event, context):\n    return 1\n", &["--handler", "app.handler"]);
    succeed(&mut command);
    let invocation = invoke("3.13", "app.handler", &json!({}), &[&project.path().join("function.zip")]);
    assert_eq!(invocation.answer(), json!(1));
}
