//! Path dependencies.

use std::fs;
use std::process::Command;

use crate::command::{fail, succeed};
use crate::{Place, git, machine};

const DEMO: &str = "[project]\nname = \"demo\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n[build-system]\n\
     requires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n";

/// A build backend that leaves a marker.
const BACK_END: &str = r#"
import pathlib, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    pathlib.Path(__file__).with_name("marker").touch()
    name = "app-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        wheel.writestr("app-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: app\nVersion: 1.0\n")
        wheel.writestr("app-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("app-1.0.dist-info/RECORD", "")
    return name

build_editable = build_wheel
"#;

#[test]
fn uncommitted_changes_are_warned_of() {
    let place = Place::new();
    place.write("demo/pyproject.toml", DEMO);
    place.write("demo/src/demo/__init__.py", "");
    place.lock(&["demo"], "[tool.uv.sources]\ndemo = { path = \"../demo\" }\n");
    let warnings = |place: &Place| {
        let report = succeed(&mut place.bundle("2.17", &["--json"]));
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        report["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(warnings(&place).is_empty(), "no repository");
    git(&place.path("demo"), &["init", "--quiet"]);
    git(&place.path("demo"), &["add", "."]);
    git(&place.path("demo"), &["commit", "--quiet", "--message", "one"]);
    assert!(warnings(&place).is_empty(), "no changes");

    place.write("demo/src/demo/__init__.py", "changed = True\n");
    let found = warnings(&place);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("demo is built from ") && found[0].ends_with("/demo, which has uncommitted changes"));
    // A directory is built each time.
    let archive = fs::read(place.path("out.zip")).unwrap();
    place.write("demo/src/demo/__init__.py", "changed = 'again'\n");
    warnings(&place);
    assert!(fs::read(place.path("out.zip")).unwrap() != archive);
}

#[test]
fn a_back_end_that_compiles_is_held_to_the_target() {
    let place = Place::new();
    place.write("demo/setup.py", "from setuptools import Extension, setup\nsetup(name='demo', version='1.0', ext_modules=[Extension('demo', ['demo.c'])])\n");
    place.write("demo/demo.c", "int answer = 42;\n");
    place.lock(
        &["demo"],
        "[tool.uv.sources]\ndemo = { path = \"../demo\" }\n[[tool.uv.dependency-metadata]]\nname = \"demo\"\nversion = \"1.0\"\nrequires-dist = []\n",
    );
    succeed(&mut place.bundle("2.17", &[]));
    // A Python version that is not released is not installed.
    let message = fail(&mut place.bundle_for("3.15", machine().0, "2.17", &[]));
    for part in [
        "demo is not compatible with",
        "was built for cp3",
        "the target is cp315: no interpreter of Python 3.15 is installed",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn with_no_build_no_back_end_runs_not_even_for_dynamic_metadata() {
    let place = Place::new();
    place.lock(&[], "");
    place.write(
        "app/pyproject.toml",
        "[project]\nname = \"app\"\nrequires-python = \">=3.9\"\ndynamic = [\"version\", \"dependencies\"]\n\
         [build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n",
    );
    place.write("app/backend.py", BACK_END);
    let mut uv = Command::new("uv");
    uv.args(["lock", "--quiet", "--no-python-downloads", "--python", &place.python]).current_dir(place.path("app"));
    succeed(&mut uv);
    let plan = |arguments: &[&str]| {
        let _ = fs::remove_file(place.path("app/marker"));
        let mut plan = Command::new(env!("CARGO_BIN_EXE_pybundle"));
        plan.args(["plan", "--no-build-package", "other"]).args(arguments).current_dir(place.path("app"));
        // uv keeps the metadata of a directory that has not changed.
        plan.env("UV_NO_CACHE", "1");
        let output = plan.env("PYBUNDLE_CACHE_DIR", place.path("cache")).output().unwrap();
        (String::from_utf8(output.stderr).unwrap(), place.path("app/marker").exists())
    };
    let (said, has_run) = plan(&[]);
    assert!(has_run, "uv asks the back end, so that the test can see it: {said}");
    for arguments in [&["--no-build"][..], &["--no-build-package", "app"]] {
        let (said, has_run) = plan(arguments);
        assert!(said.contains("`uv lock --check` would run a build backend, which --no-build forbids"), "{said}");
        assert!(!has_run, "{arguments:?}: {said}");
    }
    fail(&mut place.bundle("2.17", &["--no-build"]));
    assert!(!place.path("app/marker").exists());
}
