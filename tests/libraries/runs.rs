//! Artifacts with audit errors fail to start, and artifacts without them start, in Lambda's emulator and on a base image.

use serde_json::json;

use crate::WheelProject;
use crate::compiled::{Compiler, MODULE_FILE, platform_wheel, wheel};
use crate::support::bases;
use crate::support::command::{fail, pybundle, succeed};
use crate::support::docker::docker;
use crate::support::lambda::{invoke, newest_python};
use crate::support::sandbox::Sandbox;

const HANDLER: &str = "import demo\n\ndef handler(event, context):\n    return demo.__name__\n";

fn project(files: &[(&str, &[u8])]) -> WheelProject {
    let project = WheelProject::new(&[(&platform_wheel("demo"), wheel("demo", files))]);
    project.files.write("app.py", HANDLER.as_bytes());
    project
}

#[test]
fn functions_start_in_the_emulator_exactly_if_the_audit_passes() {
    let compiler = Compiler::new();
    let python = newest_python();
    let runtime = format!("python{python}");
    let run = |project: &WheelProject| invoke(&python, "app.handler", &json!({}), &[&project.output()]);

    let help = compiler.help();
    let found = compiler.helped("-Wl,--enable-new-dtags", "$ORIGIN/demo.libs");
    for path in ["demo.libs/libhelp.so", "lib/libhelp.so"] {
        let whole = project(&[(MODULE_FILE, &found), (path, &help)]);
        succeed(&mut whole.lambda(&runtime));
        assert_eq!(run(&whole).answer(), "demo", "{path}");
    }

    let absent = compiler.lacking("libabsent.so.7");
    let broken = project(&[(MODULE_FILE, &absent)]);
    fail(&mut broken.lambda(&runtime));
    succeed(broken.lambda(&runtime).args(["--allow-missing", "libabsent"]));
    assert_eq!(run(&broken).error(), "Runtime.ImportModuleError");

    // A library outside the search path is a warning, and here it fails.
    let misplaced = project(&[(MODULE_FILE, &found), ("elsewhere/libhelp.so", &help)]);
    succeed(&mut misplaced.lambda(&runtime));
    assert_eq!(run(&misplaced).error(), "Runtime.ImportModuleError");
}

#[test]
fn images_start_exactly_if_the_audit_passes() {
    let compiler = Compiler::new();
    let base = bases::slim();
    let build = |project: &WheelProject, name: &str| {
        let mut command = pybundle(&["image", "--platform", bases::platform(), "--base", &base.argument()]);
        command.args([
            "--python",
            &base.python,
            "--exclude",
            "*.whl",
            "--entrypoint",
            "python -c 'import demo'",
            "-t",
            name,
            "-o",
        ]);
        command.arg(format!("oci:{}", project.files.path().join("image").display())).arg("-o");
        command.arg(format!("docker-archive:{}", project.files.path().join("image.tar").display()));
        command.arg(project.files.path());
        command
    };
    // Runs the image in a sandbox and in Docker.
    let run = |project: &WheelProject, name: &str| {
        let sandbox = Sandbox::unpack(&project.files.path().join("image"));
        docker().load(&project.files.path().join("image.tar"));
        [sandbox.run(&[]), docker().run(name, &[], &[])].map(|mut command| command.output().unwrap())
    };

    // The base has libz, which is no library of manylinux.
    let whole = project(&[(MODULE_FILE, &compiler.lacking("libz.so.1"))]);
    succeed(&mut build(&whole, "whole"));
    for output in run(&whole, "whole") {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    let broken = project(&[(MODULE_FILE, &compiler.lacking("libGL.so.1"))]);
    let message = fail(&mut build(&broken, "broken"));
    for part in [
        "demo.abi3.so of demo 1.0 needs libGL.so.1, which is neither in the artifact nor in the base of service on",
        // The hint depends on whether the base is a release that the table of packages has.
        "libgl1",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    succeed(build(&broken, "broken").args(["--allow-missing", "libGL"]));
    for output in run(&broken, "broken") {
        assert!(String::from_utf8_lossy(&output.stderr).contains("libGL.so.1: cannot open shared object file"));
    }

    // Symbols that are too new for the base.
    let newer = project(&[(MODULE_FILE, &compiler.versioned("libstdc++.so.6", "GLIBCXX_3.4.99"))]);
    let message = fail(&mut build(&newer, "newer"));
    assert!(
        message.contains("demo.abi3.so of demo 1.0 needs GLIBCXX_3.4.99, but the base of service on "),
        "{message}"
    );
}
