//! When `uv lock --check` is asked whether a lock is up to date. A script in place of uv notes how it was called.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use crate::support::command::pybundle;
use crate::support::uv::Project;

const PYPROJECT: &str = "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.9'\ndependencies = ['six']\n";

/// A locked project, and a script that stands for uv and ends with a status.
struct Asked {
    project: Project,
}

impl Asked {
    fn new(pyproject: &str, status: i32) -> Self {
        let project = Project::locked(PYPROJECT);
        project.write("app.py", b"");
        project.write("pyproject.toml", pyproject.as_bytes());
        let script =
            format!("#!/bin/sh\necho \"$@\" >>\"$(dirname \"$0\")/calls\"\ncase $1 in lock) exit {status};; esac\n");
        project.write("bin/uv", script.as_bytes());
        let uv = project.path().join("bin/uv");
        std::fs::set_permissions(uv, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { project }
    }

    fn plan(&self, arguments: &[&str]) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.project.path().join("bin").display());
        let mut command = pybundle(&["plan", "--runtime=python3.12"]);
        command.args(arguments).arg(self.project.path()).env("PATH", path).output().unwrap()
    }

    /// Returns the flags of the calls of `uv lock --check`.
    fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.project.path().join("bin/calls")).unwrap_or_default();
        let checks =
            calls.lines().filter_map(|call| call.strip_prefix("lock --check --no-python-downloads --project "));
        checks.map(|call| call.split(' ').skip(1).collect::<Vec<_>>().join(" ")).collect()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_lock_is_refused_only_if_uv_refuses_it_too() {
    let changed = PYPROJECT.replace("'six'", "'six', 'idna'");
    for (status, is_accepted) in [(0, true), (1, false), (2, false)] {
        let asked = Asked::new(&changed, status);
        let output = asked.plan(&[]);
        assert_eq!(output.status.success(), is_accepted, "{status}: {}", said(&output));
        assert_eq!(said(&output).contains("the lock does not match the project `app`: `idna` was added"), !is_accepted);
        // Nothing is downloaded or built.
        assert_eq!(asked.calls(), ["--offline --no-build"], "{status}");
    }
    let asked = Asked::new(PYPROJECT, 1);
    assert!(asked.plan(&[]).status.success());
    assert_eq!(asked.calls(), Vec::<String>::new(), "the files suffice");
}

#[test]
fn no_build_back_end_is_run_to_refuse_a_lock() {
    let dynamic = PYPROJECT.replace("version = '1'", "dynamic = ['version']").replace("'six'", "'six', 'idna'");
    let asked = Asked::new(&dynamic, 0);
    let output = asked.plan(&[]);
    assert!(!output.status.success() && said(&output).contains("`idna` was added"), "{}", said(&output));
    assert_eq!(asked.calls(), Vec::<String>::new());
}

#[test]
fn no_build_back_end_is_run_offline() {
    let dynamic = "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.9'\ndynamic = ['dependencies']\n";
    let asked = Asked::new(dynamic, 0);
    let output = asked.plan(&["--offline"]);
    let warning = "matches pyproject.toml: `app`: its dependencies are dynamic, and --offline keeps `uv lock --check` from building it";
    assert!(output.status.success() && said(&output).contains(warning), "{}", said(&output));
    assert_eq!(asked.calls(), Vec::<String>::new());
    assert!(asked.plan(&[]).status.success());
    assert_eq!(asked.calls().len(), 1);
}
