//! The Python version of an image, and the interpreter of its base.

use std::fs;

use crate::tiny::Tiny;
use crate::workshop::Workshop;

/// Returns the version that an image was built for.
fn python(workshop: &Workshop, arguments: &[&str]) -> (String, String) {
    let report = workshop.report(&[&["--output=oci:out"], arguments].concat());
    let text = |name: &str| report[name].as_str().unwrap().to_owned();
    (text("python"), text("reason"))
}

fn require(workshop: &Workshop, requires_python: &str) {
    for file in ["pyproject.toml", "uv.lock"] {
        let text = fs::read_to_string(workshop.path("project").join(file)).unwrap();
        workshop.write(
            file,
            text.replace("requires-python = \">=3.9\"", &format!("requires-python = \"{requires_python}\"")),
        );
    }
}

#[test]
fn the_base_decides_unless_the_project_does() {
    let workshop = Workshop::new();
    let newest = "the newest that requires-python >=3.9 allows".to_owned();
    assert_eq!(python(&workshop, &[]), ("3.12".to_owned(), newest.clone()));
    Tiny::with_files(&["usr/bin/python3.11", "usr/bin/python3.10", "opt/bin/python3.13"]).write(&workshop.path("base"));
    assert_eq!(python(&workshop, &[]), ("3.13".to_owned(), newest));
    assert_eq!(python(&workshop, &["--python=3.10"]), ("3.10".to_owned(), "as requested".to_owned()));
    fs::write(workshop.path("project/.python-version"), "3.11.4\n").unwrap();
    assert_eq!(python(&workshop, &[]), ("3.11".to_owned(), "from .python-version".to_owned()));
    assert_eq!(python(&workshop, &["--python=3.13"]), ("3.13".to_owned(), "as requested".to_owned()));
    fs::remove_file(workshop.path("project/.python-version")).unwrap();
    require(&workshop, ">=3.9,<3.11");
    assert_eq!(python(&workshop, &[]).0, "3.10");
}

#[test]
fn a_mismatch_names_both_versions() {
    let workshop = Workshop::new();
    let said = workshop.fail(&mut workshop.command(&["--python=3.13"]));
    assert!(said.contains("the base has Python 3.12, but the target is Python 3.13"), "{said}");
    assert!(said.contains("hint: choose a base with Python 3.13"), "{said}");

    fs::write(workshop.path("project/.python-version"), "3.11\n").unwrap();
    let said = workshop.fail(&mut workshop.command(&[]));
    assert!(said.contains("`.python-version` requests `3.11`") && said.contains("3.12"), "{said}");
    fs::remove_file(workshop.path("project/.python-version")).unwrap();

    require(&workshop, ">=3.13");
    let said = workshop.fail(&mut workshop.command(&[]));
    assert!(said.contains(">=3.13") && said.contains("3.12") && !said.contains("--runtime"), "{said}");
    assert!(said.contains("hint: choose a base"), "{said}");

    // The same where the configuration tells the version.
    let execution = serde_json::json!({ "Env": ["PATH=/usr/local/bin:/bin", "PYTHON_VERSION=3.12.7"] });
    Tiny::python().execution(execution).write(&workshop.path("base"));
    let said = workshop.fail(&mut workshop.command(&["--python=3.13"]));
    assert!(said.contains("the base has Python 3.12, but the target is Python 3.13"), "{said}");
}

#[test]
fn a_base_without_python_or_with_several_is_an_error() {
    let workshop = Workshop::new();
    Tiny::with_files(&["bin/sh", "usr/bin/python3"]).write(&workshop.path("base"));
    let said = workshop.fail(&mut workshop.command(&[]));
    assert!(said.contains("the base has no Python") && said.contains("hint: choose a base with Python"), "{said}");
    Tiny::with_files(&["opt/a/bin/python3.12", "opt/b/bin/python3.12"]).write(&workshop.path("base"));
    let said = workshop.fail(&mut workshop.command(&[]));
    assert!(said.contains("/opt/a/bin/python3.12, /opt/b/bin/python3.12"), "{said}");
    // The one on PATH is meant, and others do not matter.
    Tiny::with_files(&["opt/a/bin/python3.12", "usr/bin/python3.12"]).write(&workshop.path("base"));
    assert_eq!(workshop.build(&[]).link("app/.venv/bin/python"), "/usr/bin/python3.12");
}

#[test]
fn wheels_are_compatible_with_the_bases_python() {
    let workshop = Workshop::new();
    let compat = |python: &str| {
        Tiny::with_files(&[&format!("usr/bin/python{python}")]).write(&workshop.path("base"));
        let image = workshop.build(&[]);
        let site_packages = format!("app/.venv/lib/python{python}/site-packages/");
        assert!(image.tree().keys().any(|path| path.starts_with(&site_packages)));
        image.holds().join(", ")
    };
    // uv.lock has a distribution for older versions of Python only.
    assert_eq!(compat("3.9").contains("example-compat"), compat("3.10").contains("example-compat"));
    for wrong in ["3", "2.7", "three", "3.12.1"] {
        let run = workshop.command(&["--python", wrong]).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{wrong}");
    }
}
