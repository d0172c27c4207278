//! Only what the handler or the command of an image leads to can stop a build.

use std::process::Command;

use serde_json::{Value, json};

use super::lambda;
use super::support::command::{fail, pybundle, succeed};
use super::support::lambda::invoke;
use super::support::uv::Project;

/// A function with scripts that do not run in production.
fn project(more: &[(&str, &str)]) -> Project {
    let files = [
        ("requirements.txt", ""),
        ("app/__init__.py", ""),
        ("app/main.py", "from app import service\ndef handler(event, context):\n    return service.answer()\n"),
        ("app/service.py", "def answer():\n    from app import later\n    return later.ANSWER\n"),
        ("app/later.py", "ANSWER = 1\n"),
        ("scripts/load.py", "import absent\nimport other\n"),
        ("scripts/old.py", "print 'Python 2'\n"),
        ("dev/seed.py", "from app.service import missing\n"),
    ];
    Project::new(&[&files[..], more].concat())
}

fn function(project: &Project, more: &[&str]) -> Command {
    let flags = ["--handler", "app.main.handler", "--include", "app", "--include", "scripts", "--include", "dev"];
    lambda(project.path(), "3.12", &[&flags[..], more].concat())
}

fn warnings(command: &mut Command) -> Vec<String> {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said.lines().filter_map(|line| line.strip_prefix("warning: ")).map(str::to_owned).collect()
}

#[test]
fn modules_that_the_handler_does_not_import_are_one_warning() {
    let project = project(&[]);
    let said = warnings(&mut function(&project, &[]));
    let expected =
        "problems in 3 modules that `app.main` does not import: scripts/old.py:1:7 is not valid Python 3.12: ";
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with(expected) && said[0].ends_with(" (and 3 more, see `audit.unreached` with --json)"),
        "{said:?}"
    );

    let report: Value = serde_json::from_str(&succeed(function(&project, &[]).arg("--json"))).unwrap();
    let unreached = report["audit"]["unreached"].as_array().unwrap();
    assert_eq!(unreached.len(), 4, "{report}");
    assert_eq!(unreached[1], "dev/seed.py:1 imports `missing` from `app.service`, which does not define it");
    assert_eq!(report["audit"]["warnings"], json!([said[0]]));
}

#[test]
fn modules_that_the_handler_leads_to_are_errors_wherever_they_are() {
    let dynamic = "import importlib\ndef run(name):\n    importlib.import_module(f'{__name__}.{name}')\n";
    for changed in [
        &[("app/service.py", "import scripts.old\n")][..],
        &[("app/service.py", "def answer():\n    import scripts.old\n")],
        &[("app/service.py", "import importlib\ndef answer(name):\n    importlib.import_module(f'scripts.{name}')\n")],
        &[("app/service.py", "RUNNER = 'scripts.old'\n")],
        &[("app/service.py", "import scripts\n"), ("scripts/__init__.py", dynamic)],
    ] {
        let said = fail(&mut function(&project(changed), &[]));
        assert!(said.contains("\nerror: scripts/old.py:1:7 is not valid Python 3.12"), "{changed:?}: {said}");
    }
    // An import in a function is a warning, as before, but one of its own.
    let later = project(&[("app/later.py", "import absent\nANSWER = 1\n")]);
    let said = warnings(&mut function(&later, &[]));
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("app/later.py:1 imports `absent`, which is neither in the artifact"), "{said:?}");
}

#[test]
fn without_a_handler_only_scripts_and_examples_do_not_count() {
    let flags = ["--include", "app", "--include", "scripts", "--include", "dev"];
    let said = warnings(&mut lambda(project(&[]).path(), "3.12", &flags));
    assert!(said.len() == 1 && said[0].starts_with("problems in 3 modules that nothing imports: "), "{said:?}");
    let broken = project(&[("app/unused.py", "import nowhere\n")]);
    let said = fail(&mut lambda(broken.path(), "3.12", &flags));
    assert!(said.contains("\nerror: app/unused.py:1 imports `nowhere`"), "{said}");
}

#[test]
fn the_command_of_an_image_says_what_is_reached() {
    let files = [
        ("requirements.txt", ""),
        ("web.py", "app = application = print\n"),
        ("worker.py", "import absent\n"),
        ("settings.py", "import nowhere\n"),
    ];
    let project = Project::new(&files);
    for (command, reached) in [
        (&["--cmd=python -m web"][..], None),
        (&["--cmd=gunicorn web:app"], None),
        (&["--cmd=gunicorn -c gunicorn.conf.py -b 0.0.0.0:80 web:app"], None),
        (&["--cmd=python web.py"], None),
        (&["--cmd=sh -c 'exec uvicorn web:app --port 80'"], None),
        (&["--cmd=python -m worker"], Some("app/worker.py:1 imports `absent`")),
        (&["--cmd=python /app/worker.py"], Some("app/worker.py:1 imports `absent`")),
        (&["--cmd=celery -A worker worker"], Some("app/worker.py:1 imports `absent`")),
        (&["--cmd=flask --app worker run"], Some("app/worker.py:1 imports `absent`")),
        (&["--cmd=sh -c 'python worker.py && python web.py'"], Some("app/worker.py:1 imports `absent`")),
        (&["--cmd=gunicorn web:app", "--env=APP_MODULE=settings"], Some("app/settings.py:1 imports `nowhere`")),
        // What the command starts is not known, so it may be any module.
        (&["--cmd=./start"], Some("the artifact has 2 problems")),
        (&["--cmd=./start", "--env=APP_MODULE=web"], Some("the artifact has 2 problems")),
    ] {
        let mut image =
            pybundle(&["image", "--no-progress", "--python=3.12", "--platform=linux/amd64", "--base=scratch"]);
        image.args(["--no-compile-bytecode", "--include=web.py", "--include=worker.py", "--include=settings.py"]);
        image.args(["--allow-missing", "/app/gunicorn.conf.py"]);
        image
            .arg("-o")
            .arg(format!("oci:{}", project.path().join("image").display()))
            .arg(project.path())
            .args(command);
        match reached {
            None => {
                let said = warnings(&mut image);
                let one = said
                    .iter()
                    .filter(|warning| warning.starts_with("problems in 2 modules that `web` does not import: "))
                    .count();
                assert_eq!(one, 1, "{command:?}: {said:?}");
            }
            Some(expected) => {
                let said = fail(&mut image);
                assert!(said.contains(&format!("error: {expected}")), "{command:?}: {said}");
            }
        }
    }
}

/// A lazy import (PEP 810) fails when its name is used first.
#[test]
fn a_lazy_import_is_an_error_if_its_name_is_used_at_the_start() {
    let handler = "def handler(event, context):\n    return absent.answer()\n";
    let function = |source: &str| {
        let project = Project::new(&[("requirements.txt", ""), ("app.py", &format!("{source}{handler}"))]);
        let zip = project.path().join("function.zip");
        let flags = ["--handler", "app.handler", "-o", zip.to_str().unwrap()];
        let output = lambda(project.path(), "3.15", &flags).output().unwrap();
        succeed(lambda(project.path(), "3.15", &flags).arg("--no-audit"));
        let error = invoke("3.15", "app.handler", &json!({}), &[&zip]).error();
        (output.status.success(), String::from_utf8(output.stderr).unwrap(), error)
    };
    let said = "app.py:1 imports `absent`, which is neither in the artifact nor in Python 3.15";
    let (succeeds, lazy, error) = function("lazy import absent\n");
    assert_eq!(error, "ModuleNotFoundError");
    assert!(succeeds && lazy.contains(&format!("warning: {said}")), "{lazy}");
    let (succeeds, used, error) = function("lazy import absent\nVERSION = absent.version\n");
    assert_eq!(error, "Runtime.ImportModuleError");
    assert!(!succeeds && used.contains(&format!("error: {said}")), "{used}");
}
