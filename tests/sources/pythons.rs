//! The version of Python that is chosen for a project, if nobody names one.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::command::{fail, succeed};
use crate::{Place, machine};

/// Returns a command in the project's directory.
fn pybundle(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pybundle"));
    command.args(arguments).current_dir(place.path("app")).env("PYBUNDLE_CACHE_DIR", place.path("cache"));
    command.env("NO_COLOR", "1");
    command
}

/// Returns the runtime of the plan for x86-64 and the reason for it.
fn planned(place: &Place, arguments: &[&str]) -> (String, String) {
    let report = succeed(&mut pybundle(place, &[&["plan", "--json", "--arch=x86_64"], arguments].concat()));
    let report: Value = serde_json::from_str(&report).unwrap();
    let text = |name: &str| report["target"][name].as_str().unwrap().to_owned();
    (text("runtime"), text("reason"))
}

/// Returns whether a plan is for Python 3.14. Without that interpreter it is refused as the build is: numpy would be compiled.
fn is_for_python_3_14(place: &Place, arguments: &[&str]) -> bool {
    let output = pybundle(place, &[&["plan", "--json", "--arch=x86_64"], arguments].concat()).output().unwrap();
    let [report, said] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    let runtime = serde_json::from_str::<Value>(&report).map(|report| report["target"]["runtime"] == "python3.14");
    runtime.unwrap_or(false) || said.contains("error: numpy is not compatible with python3.14")
}

/// The last numpy for Python 3.9 has wheels up to 3.12.
#[test]
fn the_newest_python_that_every_distribution_has_a_wheel_for_is_chosen() {
    let place = Place::new();
    place.lock(&["idna", "numpy==1.26.4"], "");
    let passed_over = "the newest that requires-python >=3.9 allows; not python3.14: numpy 1.26.4 has no wheel for it";
    assert_eq!(planned(&place, &[]), ("python3.12".to_owned(), passed_over.to_owned()));
    assert!(is_for_python_3_14(&place, &["--runtime=python3.14"]));
    // Wheels that may not be used do not count.
    assert!(is_for_python_3_14(&place, &["--no-binary-package=numpy"]));
    // A requirements file does not list the wheels.
    place.write("app/requirements.txt", "numpy==1.26.4\nidna==3.10\n");
    assert_eq!(
        planned(&place, &["--lock=requirements.txt", "--no-deps"]),
        ("python3.12".to_owned(), passed_over.to_owned())
    );
    let arguments = ["image", "--base=scratch", "--dry-run", "--json", "--output=oci:out"];
    let image: Value = serde_json::from_str(&succeed(&mut pybundle(&place, &arguments))).unwrap();
    assert_eq!(image["python"], "3.12", "{image}");
    succeed(&mut pybundle(&place, &["init", "--quiet"]));
    let written = fs::read_to_string(place.path("app/pyproject.toml")).unwrap();
    assert!(written.contains("runtime = \"python3.12\"") && written.contains("not python3.14: numpy"), "{written}");
}

/// Nothing tells whether a source distribution is pure, so it does not count.
#[test]
fn distributions_without_wheels_do_not_count() {
    let place = Place::new();
    place.lock(&["uwsgi==2.0.28"], "");
    assert_eq!(planned(&place, &[]).0, "python3.14");
}

#[test]
fn a_range_and_the_files_of_other_tools_count_and_are_named() {
    let place = Place::new();
    place.lock(&["idna", "numpy==1.26.4"], "");
    for (file, text, runtime, reason) in [
        ("runtime.txt", "python-3.9.20\n", "python3.9", "from runtime.txt"),
        (".tool-versions", "python 3.10.4\n", "python3.10", "from .tool-versions"),
        ("mise.toml", "[tools]\npython = \"3.11\"\n", "python3.11", "from mise.toml"),
        ("Pipfile", "[requires]\npython_version = \"3.10\"\n", "python3.10", "from Pipfile"),
        (".python-version", "<3.12\n", "python3.11", "the newest that .python-version <3.12 allows"),
        (".python-version", ">=3.11\n", "python3.12", "the newest that .python-version >=3.11 allows; not python3.14"),
    ] {
        place.write(&format!("app/{file}"), text);
        let found = planned(&place, &[]);
        assert!(found.0 == runtime && found.1.starts_with(reason), "{file}: {found:?}");
        fs::remove_file(place.path(&format!("app/{file}"))).unwrap();
    }
    place.write("app/.tool-versions", "python 3.13+freethreaded\n");
    let said = fail(&mut pybundle(&place, &["plan"]));
    assert!(said.contains("`.tool-versions` requests `3.13+freethreaded`, a free-threaded Python, but"), "{said}");
    let hint = "hint: change `.tool-versions`, or name a runtime, for instance `--runtime python3.14`";
    assert!(said.contains(hint), "{said}");
    assert!(is_for_python_3_14(&place, &["--runtime", "python3.14"]));
}

/// uv reads the file in the working directory, and finds no interpreter if that version is not installed.
#[test]
fn a_pinned_python_that_is_not_installed_does_not_matter_to_a_pure_project() {
    let place = Place::new();
    place.lock(&[], "[build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"");
    fs::remove_file(place.path("app/app.py")).unwrap();
    place.write("app/src/app/__init__.py", "def handler(event, context):\n    return event\n");
    for (version, directory) in [("3.15.9", "app"), ("3.15.9", ""), (">=3.15", "app")] {
        place.write("app/.python-version", format!("{version}\n"));
        place.write("app/src/app/version.py", format!("{version:?}, {directory:?}\n"));
        let arguments = ["--runtime=python3.14", "--handler=app.handler", "--arch", machine().0];
        let mut command = pybundle(&place, &[&["lambda", "-o", "out.zip"], &arguments[..]].concat());
        command.arg(place.path("app")).current_dir(place.path(directory));
        command.env("PATH", place.search_path(&[]));
        succeed(&mut command);
    }
}
