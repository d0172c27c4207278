//! What the imports of a function cost, and what helps.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::command::{repository, succeed};
use crate::support::lambda::{newest_python, tried_pythons};
use crate::support::uv::Project;
use crate::{example, project, ran, run};

/// Returns a module that takes long to compile.
fn large_module() -> String {
    let functions = (0..800).map(|n| {
        format!("def f{n}(a, b=[1, 2, {n}]):\n    if a > {n}:\n        return [c + {n} for c in b]\n    return a + b[0] * {n}\n\n")
    });
    functions.collect()
}

/// Profiles a project, and returns the document.
fn profiled(project: &Project, arguments: &[&str]) -> Value {
    let (status, out, err) = ran(run(project.path(), &["--profile-imports", "--json"]).args(arguments));
    assert_eq!(status, 0, "{err}");
    serde_json::from_str(&out).unwrap()
}

/// Returns the remedies of a kind.
fn remedies<'a>(report: &'a Value, kind: &str) -> Vec<&'a Value> {
    report["remedies"].as_array().unwrap().iter().filter(|remedy| remedy["kind"] == kind).collect()
}

fn initialization(document: &Value) -> f64 {
    document["initialization_seconds"].as_f64().unwrap()
}

#[test]
fn every_module_is_measured_with_its_importer_and_distribution() {
    for python in tried_pythons() {
        let arguments = ["--handler=app.handler", "--runtime", &python, "--profile-imports", "--json"];
        let mut command = crate::support::command::pybundle(&["run"]);
        let report: Value = serde_json::from_str(&succeed(command.args(arguments).current_dir(example()))).unwrap();
        assert_eq!((&report["status"], &report["handler"]), (&json!("initialized"), &json!("app.handler")), "{python}");
        let modules = report["modules"].as_array().unwrap();
        let find = |name: &str| {
            modules.iter().find(|module| module["name"] == name).unwrap_or_else(|| panic!("{name}: {report}"))
        };
        for (name, importer, owner, distribution) in [
            ("app", Value::Null, "application", Value::Null),
            ("shop", json!("app"), "application", Value::Null),
            ("example_banner", json!("app"), "distribution", json!("example-banner 0.3.1")),
            ("example_tally", json!("app"), "distribution", json!("example-tally 2.0.0")),
        ] {
            let module = find(name);
            assert_eq!(
                (&module["imported_by"], &module["distribution"]),
                (&importer, &distribution),
                "{python} {name}"
            );
            assert_eq!(module["owner"], owner, "{python} {name}");
        }
        let time = |name: &str, field: &str| find(name)[field].as_f64().unwrap();
        // What is imported precedes its importer, and counts for it.
        let whole = modules.iter().map(|module| module["self_seconds"].as_f64().unwrap()).sum::<f64>();
        assert!((time("app", "cumulative_seconds") - whole).abs() < 1e-6, "{report}");
        assert!((report["import_seconds"].as_f64().unwrap() - whole).abs() < 1e-6, "{report}");
        assert!(initialization(&report) > whole, "{report}");
        // The largest first.
        assert!(modules.windows(2).all(|pair| pair[0]["self_seconds"].as_f64() >= pair[1]["self_seconds"].as_f64()));
        // The client is not the user's.
        assert!(modules.iter().all(|module| module["name"] != "awslambdaric"), "{report}");
    }
}

#[test]
fn what_helps_is_measured_and_does_what_it_says() {
    let project = project();
    project.write("big.py", large_module().as_bytes());
    project.write("late.py", large_module().as_bytes());
    project.write("used.py", large_module().as_bytes());
    let app = |imports: &str, body: &str| {
        format!(
            "{imports}import used\n\n\ndef client():\n    return used.f1(2)\n\n\nCLIENT = client()\n\n\ndef handler(event, context):\n    {body}"
        )
    };
    let imports = "import json\n\nimport big\nfrom late import (\n    f1,\n    f2,\n)\n";
    project.write("app.py", app(imports, "return [big.f1(2), f1(2), f2(3), json.dumps(1)]\n").as_bytes());
    let statements = |report: &Value| {
        let lazy = remedies(report, "lazy-import").into_iter();
        let mut statements: Vec<_> = lazy.map(|remedy| remedy["statement"].as_str().unwrap().to_owned()).collect();
        statements.sort_unstable();
        statements
    };
    // `used` is needed by a function that is called at the start.
    let expected = ["from late import ( f1, f2, )", "import big"];
    let mut before = profiled(&project, &[]);
    // What takes the processor meanwhile may hide what a start saves.
    for _ in 0..3 {
        if statements(&before) != expected || remedies(&before, "bytecode").is_empty() {
            before = profiled(&project, &[]);
        }
    }
    assert_eq!(statements(&before), expected, "{before}");
    let start = initialization(&before);
    assert!(before["starts"].as_u64().unwrap() >= 3);
    assert_eq!(before["modules"][0]["owner"], "application");
    let lazy = remedies(&before, "lazy-import");
    let big = lazy.iter().find(|remedy| remedy["line"] == 3).unwrap();
    assert_eq!(big["path"], "app.py");
    assert!(initialization(big) < start, "{before}");
    let [bytecode] = remedies(&before, "bytecode")[..] else { panic!("{before}") };
    assert!(initialization(bytecode) < start && bytecode["size"].as_u64().unwrap() > 100_000, "{before}");

    // What was followed is not suggested again.
    let with_bytecode = profiled(&project, &["--compile-bytecode"]);
    assert_eq!(remedies(&with_bytecode, "bytecode"), [&Value::Null; 0]);
    project.write(
        "app.py",
        app(
            "import json\n\n",
            "import big\n    from late import f1, f2\n\n    return [big.f1(2), f1(2), f2(3), json.dumps(1)]\n",
        )
        .as_bytes(),
    );
    let after = profiled(&project, &[]);
    assert_eq!(remedies(&after, "lazy-import"), [&Value::Null; 0]);
    assert!(after["modules"].as_array().unwrap().iter().all(|module| module["name"] != "big"), "{after}");
}

#[test]
fn the_distributions_of_the_runtime_are_named() {
    let pyproject = "[project]\nname = \"shop\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n\
                     dependencies = [\"jmespath==1.0.1\"]\n\n[tool.pybundle.target.api]\nkind = \"lambda\"\nhandler = \"app.handler\"\n";
    let project = Project::locked(pyproject);
    project.write("app.py", b"import jmespath\n\nPATH = jmespath.compile('a.b')\n\ndef handler(event, context):\n    return PATH.search(event)\n");
    let report = profiled(&project, &[]);
    let [excluded] = remedies(&report, "exclude-runtime")[..] else { panic!("{report}") };
    assert_eq!(excluded["distributions"], json!(["jmespath 1.0.1"]));
    assert!(excluded["size"].as_u64().unwrap() > 50_000);
    // Locally, the locked one is used instead.
    project.write("pyproject.toml", format!("{pyproject}exclude-runtime = true\n").as_bytes());
    let excluded = profiled(&project, &[]);
    assert_eq!(remedies(&excluded, "exclude-runtime"), [&Value::Null; 0]);
    assert!(excluded["modules"].as_array().unwrap().iter().any(|module| module["distribution"] == "jmespath 1.0.1"));
}

#[test]
fn a_function_that_cannot_be_imported_has_a_profile_so_far() {
    let project = project();
    for (code, error) in [
        ("import wave\nraise RuntimeError('not configured')\n", "RuntimeError: not configured"),
        ("import wave\nimport os\nos._exit(5)\n", "Runtime.ExitError: the runtime exited with exit status 5"),
    ] {
        project.write("inner.py", code.as_bytes());
        project.write(
            "app.py",
            b"print('starting', end='', flush=True)\nimport inner\n\ndef handler(event, context): ...\n",
        );
        let (status, out, err) = ran(&mut run(project.path(), &["--profile-imports"]));
        assert_eq!(status, 1, "{err}");
        assert!(out.contains("\n  wave ") && out.contains("  (Python)"), "{out}");
        assert!(out.starts_with("api  app.handler, python3.") && out.contains(", 1 start\n"), "{out}");
        assert!(err.ends_with(&format!("error: api: {error}\n")) && err.contains("starting"), "{err}");
        assert!(!err.contains("import time:"), "{err}");
        let (status, out, _) = ran(&mut run(project.path(), &["--profile-imports", "--json"]));
        let report: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((status, &report["status"], &report["initialization_seconds"]), (1, &json!("failed"), &Value::Null));
    }
}

#[test]
fn the_tables_fit_a_terminal() {
    let project = project();
    project.write(
        "a_rather_long_package_name/__init__.py",
        b"from . import a_module_with_a_name_that_is_longer_than_a_column\n",
    );
    project.write(
        "a_rather_long_package_name/a_module_with_a_name_that_is_longer_than_a_column.py",
        b"import asyncio, email.mime.multipart, unittest.mock, http.server, xml.dom.minidom, decimal, sqlite3\n",
    );
    project.write("app.py", b"import a_rather_long_package_name\n\n\ndef handler(event, context):\n    return 1\n");
    let mut command = Command::new("python3");
    command.arg(repository().join("tests/support/terminal.py")).args(["out", "80"]).arg(env!("CARGO_BIN_EXE_pybundle"));
    command.args(["run", "--profile-imports", "--runtime", &newest_python()]).current_dir(project.path());
    let printed: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
    let text = printed["out"].as_str().unwrap();
    assert_eq!(printed["status"], 0, "{printed}");
    let plain: Vec<String> =
        text.lines().map(|line| anstream::adapter::strip_str(line.trim_end()).to_string()).collect();
    assert!(plain.iter().all(|line| line.chars().count() <= 80), "{}", plain.join("\n"));
    // The sum of what is not shown follows the modules.
    assert!(plain.iter().any(|line| line.contains(" more; -v shows them)")), "{}", plain.join("\n"));
    // The application's files are as they were.
    assert_eq!(
        fs::read_to_string(project.path().join("app.py")).unwrap().lines().next(),
        Some("import a_rather_long_package_name")
    );
}

#[test]
fn an_event_is_not_sent() {
    let project = project();
    for other in ["--event={}", "--watch"] {
        let (status, _, err) = ran(&mut run(project.path(), &["--profile-imports", other]));
        assert!(status == 2 && err.contains("cannot be used with"), "{err}");
    }
    project.write("app.py", b"def handler(event, context):\n    raise ValueError('called')\n");
    assert_eq!(profiled(&project, &[])["status"], "initialized");
}
