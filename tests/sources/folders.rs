//! Path dependencies.

use std::fs;

use crate::command::{fail, succeed};
use crate::{Place, git, machine};

const DEMO: &str = "[project]\nname = \"demo\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n[build-system]\n\
     requires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n";

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
