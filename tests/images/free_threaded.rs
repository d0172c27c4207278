//! Bases with a free-threaded Python: how they are recognized, and which wheels are chosen for them.

use serde_json::Value;

use crate::support::command::{fail, pybundle, succeed};
use crate::support::uv::Project;
use crate::tiny::Tiny;

/// Returns a project that requires cryptography 50.0.2, which has a wheel for each kind of build of 3.14 and 3.15.
fn project() -> Project {
    let project = Project::locked(
        "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.14\"\ndependencies = [\"cryptography==50.0.2\"]\n",
    );
    project.write("app.py", b"");
    project
}

/// Returns the command that plans the image of a project on a base with these executables.
fn plan(project: &Project, executables: &[&str], arguments: &[&str]) -> std::process::Command {
    let layout = project.path().join("base");
    let _ = std::fs::remove_dir_all(&layout);
    let base = Tiny::with_files(executables).architectures(&["amd64"]).write(&layout);
    let mut command = pybundle(&["image", "--dry-run", "--json", "--platform=linux/amd64", "--base", &base]);
    command.args(arguments).arg(project.path());
    command
}

#[test]
fn wheels_for_the_build_of_the_base_are_chosen() {
    let project = project();
    for (executables, arguments, python, tag) in [
        (&["usr/local/bin/python3.14t"][..], &[][..], "3.14t", "cp314-cp314t-"),
        (&["usr/local/bin/python3.14", "usr/local/lib/python3.14t/os.py"], &[], "3.14t", "cp314-cp314t-"),
        (&["usr/local/bin/python3.15t"], &["--python=3.15t"], "3.15t", "cp315-abi3t-"),
        (&["usr/local/bin/python3.15"], &[], "3.15", "cp315-abi3-"),
        (&["usr/local/bin/python3.14", "usr/local/bin/python3.14t"], &[], "3.14", "cp311-abi3-"),
        (&["usr/local/bin/python3.14", "usr/local/bin/python3.14t"], &["--python=3.14t"], "3.14t", "cp314-cp314t-"),
    ] {
        let report: Value = serde_json::from_str(&succeed(&mut plan(&project, executables, arguments))).unwrap();
        let text = report.to_string();
        assert!(text.contains(&format!("\"python\":\"{python}\"")), "{text}");
        assert!(text.contains(&format!("\"tag\":\"{tag}")), "{tag}: {text}");
    }
}

/// The extension modules of these wheels end in `.cpython-313t-x86_64-linux-gnu.so`, which no standard Python looks at.
#[test]
fn modules_of_wheels_for_the_build_are_found() {
    let project = Project::locked(
        "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.13\"\ndependencies = [\"markupsafe==3.0.3\"]\n",
    );
    project.write("app.py", b"import markupsafe._speedups\n");
    let base = Tiny::with_files(&["usr/local/bin/python3.13t", "usr/local/bin/python3.14t", "lib/libc.so.6"]);
    let base = base.architectures(&["amd64"]).write(&project.path().join("base"));
    let build = |python: &str| {
        let mut command = pybundle(&["image", "--platform=linux/amd64", "--no-build", "--cmd=python app.py"]);
        command.args(["--base", &base, "--python", python, "--allow-missing=libc.so.6", "-o"]);
        command.arg(format!("oci:{}", project.path().join("image").display())).arg(project.path());
        command
    };
    for python in ["3.13t", "3.14t"] {
        succeed(&mut build(python));
        let listed =
            succeed(pybundle(&["inspect", "--json"]).arg(format!("oci:{}", project.path().join("image").display())));
        let suffix = format!("_speedups.cpython-{}-x86_64-linux-gnu.so", python.replace('.', ""));
        assert!(listed.contains(&suffix), "{listed}");
    }
}

/// The profile lists versions until 3.15.
#[test]
fn a_later_python_than_the_profile_lists_is_that_of_the_base() {
    let project = Project::locked("[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.14\"\n");
    project.write("app.py", b"");
    project.write(".python-version", b"3.16\n");
    let base = &["usr/local/bin/python3.16"];
    for (arguments, reason) in [(&["--python=3.16"][..], "as requested"), (&[], "from .python-version")] {
        let report: Value = serde_json::from_str(&succeed(&mut plan(&project, base, arguments))).unwrap();
        assert_eq!((&report["python"], &report["reason"]), (&"3.16".into(), &reason.into()));
    }
    let said = fail(&mut plan(&project, &["usr/local/bin/python3.15"], &["--python=3.16"]));
    assert!(said.contains("the base has Python 3.15, but the target is Python 3.16"), "{said}");
}

#[test]
fn a_free_threaded_python_is_refused_where_there_is_none() {
    let project = project();
    let said = fail(pybundle(&["image", "--dry-run", "--python=3.14t"]).arg(project.path()));
    assert!(
        said.contains("`--python` requests `3.14t`, a free-threaded Python, but the profile is for Python 3.9, "),
        "{said}"
    );
    let base = &["usr/local/bin/python3.14t"];
    let said = fail(&mut plan(&project, base, &["--python=3.14t", "--profile=lambda-image", "--cmd=app.handler"]));
    assert!(said.contains("`--python` requests `3.14t`, a free-threaded Python, but Lambda's runtimes are "), "{said}");
    let said = fail(pybundle(&["lambda", "--runtime=python3.14t"]).arg(project.path()));
    assert!(said.contains("`python3.14t` is not a runtime: AWS Lambda has no free-threaded Python"), "{said}");
    assert!(said.contains("hint: did you mean `python3.14`?"), "{said}");
    let said = fail(&mut plan(&project, &["usr/local/bin/python3.14"], &["--python=3.14t"]));
    assert!(said.contains("the base has Python 3.14, but the target is Python 3.14t"), "{said}");
}
