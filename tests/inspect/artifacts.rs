//! The artifacts that all tests share.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{LazyLock, OnceLock};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::bases;
use crate::support::command::{pybundle, succeed};
use crate::support::uv::Project;
use crate::tiny::Tiny;

/// An application on numpy, with a wheel that has scripts (jmespath) and one that has data files (jupyterlab-widgets).
const SCIENCE: &str = r#"
[project]
name = "science"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["numpy==2.1.3", "jmespath==1.0.1", "jupyterlab-widgets==3.0.13", "tzdata==2025.2"]
"#;

/// A small one, for what is done to it many times.
const SMALL: &str = r#"
[project]
name = "small"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["jmespath==1.0.1", "idna==3.10"]
"#;

/// Projects, and a directory with what was built of them.
pub struct Artifacts {
    directory: TempDir,
    pub science: Project,
    pub small: Project,
}

/// Returns the artifacts; those that are asked for are made once.
pub fn artifacts() -> &'static Artifacts {
    static ARTIFACTS: LazyLock<Artifacts> = LazyLock::new(|| {
        let project = |pyproject| {
            let project = Project::locked(pyproject);
            project.write("app.py", b"import jmespath\n\n\ndef handler(event, context):\n    return 1\n");
            project.write("bin/run.sh", b"#!/bin/sh\nexec python -m app\n");
            project
        };
        Artifacts { directory: tempfile::tempdir().unwrap(), science: project(SCIENCE), small: project(SMALL) }
    });
    &ARTIFACTS
}

macro_rules! made_once {
    ($($(#[$doc:meta])* $name:ident: $make:expr;)*) => {
        impl Artifacts {
            $($(#[$doc])* pub fn $name(&self) -> String {
                static MADE: OnceLock<String> = OnceLock::new();
                MADE.get_or_init(|| { let make: fn(&Self) -> String = $make; make(self) }).clone()
            })*
        }
    };
}

made_once! {
    /// The function with numpy.
    zip: |it| it.build_lambda(&it.science, "science.zip", &[]);
    /// A small function.
    small_zip: |it| it.build_lambda(&it.small, "small.zip", &[]);
    /// A small function whose dependencies are in a layer, which lies at `small-layer.zip` beside it.
    function: |it| {
        let layer = it.path("small-layer.zip");
        it.build_lambda(&it.small, "small-function.zip", &["--layer", layer.to_str().unwrap()])
    };
    /// The image with numpy, on a real base.
    image: |it| {
        let base = bases::slim();
        let output = format!("oci:{}", it.path("science").display());
        let (base, python) = (format!("--base={}", base.argument()), format!("--python={}", base.python));
        let arguments = ["image", &base, &python, "--cmd=python -m app", "--output", &output];
        succeed(pybundle(&arguments).current_dir(it.science.path()));
        output
    };
    /// A small image.
    small_image: |it| it.build_image(&it.small, "oci:", "small", &[]);
    /// The same in zstd.
    zstd: |it| it.build_image(&it.small, "oci:", "small-zstd", &["--compression=zstd"]);
    /// The same as Docker's archive.
    docker_archive: |it| it.build_image(&it.small, "docker-archive:", "small.docker.tar", &[]);
    /// The same as an archive.
    oci_archive: |it| it.build_image(&it.small, "oci-archive:", "small.tar", &[]);
    /// Images for two platforms.
    index: |it| it.build_image(&it.small, "oci:", "index", &["--platform=linux/amd64,linux/arm64"]);
}

impl Artifacts {
    /// Returns a path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the arguments that small images are built with: their base has one layer with one file.
    pub fn image_arguments(&self) -> Vec<String> {
        static BASE: OnceLock<String> = OnceLock::new();
        let base = BASE.get_or_init(|| Tiny::python().write(&self.path("base")));
        vec![format!("--base={base}"), "--python=3.12".to_owned(), "--cmd=python -m app".to_owned()]
    }

    fn build_lambda(&self, project: &Project, name: &str, arguments: &[&str]) -> String {
        let output = self.path(name).display().to_string();
        let common = ["lambda", "--runtime=python3.12", "--include=app.py", "--include=bin", "--output", &output];
        succeed(pybundle(&[&common[..], arguments].concat()).current_dir(project.path()));
        output
    }

    fn build_image(&self, project: &Project, form: &str, name: &str, arguments: &[&str]) -> String {
        let output = format!("{form}{}", self.path(name).display());
        let mut command = pybundle(&["image", "--output", &output]);
        succeed(command.args(self.image_arguments()).args(arguments).current_dir(project.path()));
        output
    }
}

/// Runs a command with `--json`, which must succeed, and returns the document.
pub fn json(command: &mut Command) -> Value {
    serde_json::from_str(&succeed(command.arg("--json"))).unwrap()
}

/// Returns what `pybundle inspect` reports.
pub fn inspected(artifact: &str, arguments: &[&str]) -> Value {
    json(pybundle(&["inspect", artifact]).args(arguments))
}

/// Returns what `pybundle verify` reports, and whether the artifact passed.
pub fn verified(artifact: &str, arguments: &[&str]) -> (bool, Value, String) {
    let output = pybundle(&["verify", artifact, "--json"]).args(arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{artifact}: {error}\n{said}"));
    let passed = report["passed"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(if passed { 0 } else { 1 }), "{said}");
    (passed, report, said)
}

/// Returns every finding of a report, as `CHECK: PLACE: MESSAGE`.
pub fn findings(report: &Value) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap();
    let of = |check: &Value| {
        let name = check["name"].as_str().unwrap().to_owned();
        let findings = check["findings"].as_array().unwrap().clone();
        findings.into_iter().map(move |finding| {
            let place = finding["place"].as_str().unwrap_or_default();
            format!("{name}: {place}: {}", finding["message"].as_str().unwrap())
        })
    };
    checks.iter().flat_map(of).collect()
}
