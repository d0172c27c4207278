//! Published wheels whose tags promise other systems than their files need.

use std::fs::File;
use std::io::Read;

use crate::support::command::pybundle;
use crate::support::uv::Project;

/// Builds a function for x86_64 with one distribution, which it imports, and returns its project and the findings of the
/// audit. All findings are warnings if and only if it succeeds.
fn build(pin: &str, runtime: &str) -> (Project, bool, Vec<String>) {
    let name = pin.split("==").next().unwrap();
    let project = Project::new(&[("requirements.txt", pin), ("app.py", &format!("import {name}\n"))]);
    let mut command = pybundle(&["lambda", "--runtime", runtime, "--arch=x86_64", "--no-deps", "--no-progress"]);
    let output = command.arg("-o").arg(project.path().join("out.zip")).arg(project.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let findings = said.lines().filter(|line| line.contains(" needs ")).map(str::to_owned).collect();
    (project, output.status.success(), findings)
}

/// rustc 1.99 and later writes such needs: of the versions of glibc, wasmtime's library requires none after 2.17.
#[test]
fn weak_needs_of_a_published_wheel_are_not_required() {
    let (project, is_built, findings) = build("wasmtime==50.0.1", "python3.11");
    assert!(is_built && findings.is_empty(), "{findings:?}");
    let mut zip = zip::ZipArchive::new(File::open(project.path().join("out.zip")).unwrap()).unwrap();
    let mut library = Vec::new();
    zip.by_name("wasmtime/linux-x86_64/_libwasmtime.so").unwrap().read_to_end(&mut library).unwrap();
    // python3.11 has 2.26.
    assert!(library.windows(12).any(|bytes| bytes == b"\0GLIBC_2.28\0"));
}

#[test]
fn published_wheels_need_more_than_their_tags_promise() {
    // Tagged manylinux_2_24 and 2_28, whose policies do not allow that library.
    let (project, is_built, findings) = build("pyodbc==5.5.0", "python3.12");
    let expected = "error: pyodbc.cpython-312-x86_64-linux-gnu.so of pyodbc 5.5.0 needs libodbc.so.2, which is neither in the \
                    artifact nor in python3.12 on x86_64";
    assert!(!is_built && findings == [expected], "{findings:?}");
    assert!(!project.path().join("out.zip").exists());
    // 53.5 MB, tagged manylinux1. Only what starts the executable fails.
    let (_, is_built, findings) = build("playwright==1.65.2", "python3.11");
    let expected = [
        "warning: playwright/driver/node of playwright 1.65.2 needs libatomic.so.1, which is neither in the artifact nor in \
         python3.11 on x86_64",
        "warning: playwright/driver/node of playwright 1.65.2 needs GLIBC_2.28, but python3.11 on x86_64 has GLIBC_2.26",
    ];
    assert!(is_built && findings == expected, "{findings:?}");
}
