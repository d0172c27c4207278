//! Libraries and executables that real distributions look up by name.

use std::fs;
use std::process::Command;

use super::support::bases;
use super::support::command::{pybundle, succeed};
use super::support::uv::Project;

/// Returns a project that requires distributions, whose application has this source.
fn project(distributions: &str, app: &str) -> Project {
    let project = Project::new(&[("app.py", app), ("requirements.in", distributions)]);
    project.uv(&["pip", "compile", "--quiet", "--python-version", "3.12", "requirements.in", "-o", "requirements.txt"]);
    project
}

fn warnings(command: &mut Command) -> Vec<String> {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said.lines().filter_map(|line| line.strip_prefix("warning: ")).map(str::to_owned).collect()
}

fn function(project: &Project, more: &[&str]) -> Command {
    let mut command =
        pybundle(&["lambda", "--runtime=python3.12", "--arch=x86_64", "--no-progress", "--include=app.py"]);
    command.args(more).arg(project.path());
    command
}

fn image(project: &Project, more: &[&str]) -> Command {
    let base = bases::slim();
    let mut command = pybundle(&["image", "--no-progress", "--no-compile-bytecode", "--platform", bases::platform()]);
    command.args(["--base", &base.argument(), "--python", &base.python, "--include=app.py", "--cmd=python app.py"]);
    command.arg("-o").arg(format!("oci:{}", project.path().join("image").display()));
    command.args(more).arg(project.path());
    command
}

/// Returns how a package is suggested: the base is of this machine's system.
fn from_debian(package: &str) -> String {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if system.contains("VERSION_ID=\"12\"") || system.contains("VERSION_ID=\"13\"") {
        format!("add `apt = [\"{package}\"]` to [tool.pybundle], and run `pybundle apt lock`")
    } else {
        format!("Debian's package {package} contains it")
    }
}

#[test]
fn libraries_that_are_opened_by_name_are_warnings() {
    let zbar = project("pyzbar==0.1.9", "import pyzbar\n");
    let opened = "pyzbar 0.1.9 opens the library libzbar, which is neither in the artifact nor in ";
    let said = warnings(&mut function(&zbar, &[]));
    assert_eq!(said, [format!("{opened}python3.12 on x86_64: a layer can provide it")]);
    let said = warnings(&mut image(&zbar, &[]));
    assert!(said.len() == 1 && said[0].starts_with(opened), "{said:?}");
    assert!(said[0].ends_with(&format!(": {}", from_debian("libzbar0"))), "{said:?}");
    // The function has it, or gets it in another way.
    assert_eq!(warnings(&mut function(&zbar, &["--allow-missing=libzbar"])), [""; 0]);
    zbar.write("libzbar.so.0", b"");
    assert_eq!(warnings(&mut function(&zbar, &["--include=libzbar.so.0:lib/libzbar.so.0"])), [""; 0]);
}

#[test]
fn a_distribution_that_contains_the_library_is_named_and_suffices() {
    let psycopg = project("psycopg==3.2.3", "import psycopg\n");
    let said = warnings(&mut function(&psycopg, &[]));
    let expected = "psycopg 3.2.3 opens the library libpq, which is neither in the artifact nor in python3.12 on x86_64: the \
                    distribution psycopg-binary contains it";
    assert_eq!(said, [expected]);
    let whole = project("psycopg[binary]==3.2.3", "import psycopg\n");
    assert_eq!(warnings(&mut function(&whole, &[])), [""; 0]);
}

#[test]
fn executables_count_if_the_application_imports_what_starts_them() {
    let used = project("pydub==0.25.1", "import pydub\n");
    let started = "pydub 0.25.1 starts `ffmpeg`, which is neither in the artifact nor in ";
    let said = warnings(&mut function(&used, &[]));
    assert!(said.iter().any(|said| said.starts_with(started)), "{said:?}");
    let said = warnings(&mut image(&used, &[]));
    assert!(said.iter().any(|said| said.starts_with(started) && said.contains(&from_debian("ffmpeg"))), "{said:?}");
    used.write("ffmpeg", b"#!/bin/sh\n");
    succeed(Command::new("chmod").arg("+x").arg(used.path().join("ffmpeg")));
    let said = warnings(&mut image(&used, &["--include=ffmpeg:/usr/local/bin/ffmpeg"]));
    assert!(!said.iter().any(|said| said.starts_with(started)), "{said:?}");
    let unused = project("pydub==0.25.1", "import json\n");
    let said = warnings(&mut function(&unused, &[]));
    assert!(!said.iter().any(|said| said.starts_with(started)), "{said:?}");
}
