//! The report of code that starts by itself.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::support::command::{fail, repository, succeed};
use super::support::lambda::newest_python;
use super::support::uv::Project;
use super::support::wheel_with;
use super::{Files, lambda};

#[test]
fn code_that_starts_by_itself_is_listed_and_shadowing_is_a_warning() {
    let project = Project::new(&[("src/app.py", "import hook, replaced\n")]);
    let wheels: [(&str, Files); 2] = [
        (
            "hook",
            &[
                ("hook.py", b""),
                ("__pycache__/hook.cpython-312.pyc", b""),
                ("__pycache__/hook.cpython-311.pyc", b""),
                ("hook-nspkg.pth", b"import hook\n"),
                ("hook-paths.pth", b"hook\n"),
                ("sitecustomize.py", b""),
            ],
        ),
        ("replaced", &[("replaced.py", b""), ("random.py", b""), ("typing_extensions.py", b"")]),
    ];
    let mut requirements = String::new();
    for (name, files) in wheels {
        let path = format!("wheels/{name}-1.0-py3-none-any.whl");
        project.write(&path, &wheel_with(name, "1.0", files));
        requirements.push_str(&format!("./{path}\n"));
    }
    project.write("requirements.txt", requirements.as_bytes());
    let flags = ["--include", "src:.", "--no-compile-bytecode"];
    let report: Value = serde_json::from_str(&succeed(lambda(project.path(), "3.12", &flags).arg("--json"))).unwrap();
    let expected = json!([
        { "path": "hook-nspkg.pth", "distribution": "hook 1.0", "kind": "pth" },
        { "path": "random.py", "distribution": "replaced 1.0", "kind": "shadow" },
        { "path": "sitecustomize.py", "distribution": "hook 1.0", "kind": "customization" },
        { "path": "__pycache__/hook.cpython-312.pyc", "distribution": "hook 1.0", "kind": "bytecode" },
    ]);
    assert_eq!(report["audit"]["implicit_code"], expected);
    let warning = "random.py of replaced 1.0 replaces the module `random` of the standard library";
    assert_eq!(report["audit"]["warnings"], json!([warning]));

    let page = succeed(&mut lambda(project.path(), "3.12", &flags));
    let line = "implicit  4 files may run without being imported by name: hook-nspkg.pth of hook 1.0, random.py of replaced 1.0, \
                sitecustomize.py of hook 1.0, __pycache__/hook.cpython-312.pyc of hook 1.0\n";
    assert!(page.contains(line), "{page}");
}

/// What the audit says is what happens under AWS's runtime client.
#[test]
fn an_application_that_replaces_what_the_runtime_needs_is_refused() {
    let python = newest_python();
    let module = ("app.py", "def handler(event, context):\n    return 'started'\n");
    for (name, stops) in
        [("types.py", true), ("json/__init__.py", true), ("statistics.py", false), ("app_types.py", false)]
    {
        let project = Project::new(&[module, (name, "")]);
        project.write("requirements.txt", b"");
        let zip = project.path().join("function.zip");
        let build = ["--handler", "app.handler", "--output", zip.to_str().unwrap()];
        if stops {
            let said = fail(&mut lambda(project.path(), &python, &build));
            let top_level = name.split(['/', '.']).next().unwrap();
            let expected =
                format!("error: {name} replaces the module `{top_level}`, which AWS's runtime client or the");
            assert!(
                said.contains(&expected)
                    && said.contains(&format!("hint: rename the module, for instance to `app_{top_level}`\n")),
                "{said}"
            );
            succeed(lambda(project.path(), &python, &build).arg("--no-audit"));
            // It exits before it can say which error there was.
            assert!(!starts(&python, &zip), "{name}");
        } else {
            succeed(&mut lambda(project.path(), &python, &build));
            assert!(starts(&python, &zip), "{name}");
        }
    }
}

fn starts(python: &str, zip: &Path) -> bool {
    let mut command = Command::new(repository().join("scripts/lambda-run"));
    command.args(["--python", python, "--handler", "app.handler", "--event", "{}"]).arg(zip);
    let document: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
    document["answer"] == "started"
}
