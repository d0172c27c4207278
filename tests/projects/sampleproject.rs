//! A project with a setup.py: built into a wheel that is installed and kept.

use std::process::Command;
use std::sync::LazyLock;

use serde_json::json;

use crate::example::Example;
use crate::support::command::{succeed, tool};
use crate::support::docker::docker;

const WHEEL: &str = "dist/sampleproject-0.1-py3-none-any.whl";

static SAMPLE: LazyLock<Example> = LazyLock::new(|| Example::build("sampleproject", &[], &[]));

#[test]
fn the_command_is_what_arguments_replace() {
    LazyLock::force(&SAMPLE);
    let configuration = &docker().inspect("sampleproject")["Config"];
    assert_eq!((&configuration["Entrypoint"], &configuration["Cmd"]), (&json!(["sampleproject"]), &json!(["1", "2"])));
    let run = |options: &[&str], arguments: &[&str]| succeed(&mut docker().run("sampleproject", options, arguments));
    assert_eq!(run(&["--read-only"], &[]), "That makes 3, or III.\n");
    assert_eq!(run(&[], &["45", "46"]), "That makes 91, or XCI.\n");
    assert_eq!(run(&[], &["45", "46", "--language", "la"]), "Summa est XCI.\n");
    assert_eq!(run(&["--entrypoint=sampleproject-languages"], &[]), "de\nen\nla\n");
}

#[test]
fn the_wheel_is_kept_and_can_be_installed() {
    let wheel = zip::ZipArchive::new(std::fs::File::open(SAMPLE.path(WHEEL)).unwrap()).unwrap();
    let files: Vec<_> = wheel.file_names().map(|name| name.unwrap().into_owned()).collect();
    for path in ["sampleproject/data/phrases.json", "sampleproject-0.1.data/scripts/sampleproject-languages"] {
        assert!(files.iter().any(|file| file == path), "{path} in {files:?}");
    }
    assert!(!files.iter().any(|file| file.starts_with("tests/")), "{files:?}");

    let environment = tempfile::tempdir().unwrap();
    let target = environment.path().join("site");
    let mut pip = Command::new(tool("python3"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]).arg(&target);
    succeed(pip.arg(SAMPLE.path(WHEEL)));
    assert!(target.join("bin/sampleproject").is_file() && target.join("bin/sampleproject-languages").is_file());
}

/// setup.py builds in its own folder unless it is told not to.
#[test]
fn nothing_is_left_in_the_project() {
    let mut names: Vec<_> =
        std::fs::read_dir(SAMPLE.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.retain(|name| name == "build" || name.to_string_lossy().ends_with(".egg-info"));
    assert!(names.is_empty(), "{names:?}");
}
