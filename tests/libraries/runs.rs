//! What the audit calls broken fails to start, and what it passes starts: under Lambda's emulator, and on a base image.

use serde_json::json;

use crate::Workbench;
use crate::compiled::{Compiler, MODULE_FILE, platform, wheel};
use crate::support::bases;
use crate::support::command::{fail, pybundle, succeed};
use crate::support::docker::docker;
use crate::support::lambda::{invoke, newest_python};
use crate::support::sandbox::Sandbox;

const HANDLER: &str = "import demo\n\ndef handler(event, context):\n    return demo.__name__\n";

fn bench(files: &[(&str, &[u8])]) -> Workbench {
    let bench = Workbench::new(&[(&platform("demo"), wheel("demo", files))]);
    bench.project.write("app.py", HANDLER.as_bytes());
    bench
}

#[test]
fn the_emulator_agrees() {
    let compiler = Compiler::new();
    let python = newest_python();
    let runtime = format!("python{python}");
    let run = |bench: &Workbench| invoke(&python, "app.handler", &json!({}), &[&bench.output()]);

    let help = compiler.help();
    let found = compiler.helped("-Wl,--enable-new-dtags", "$ORIGIN/demo.libs");
    for path in ["demo.libs/libhelp.so", "lib/libhelp.so"] {
        let whole = bench(&[(MODULE_FILE, &found), (path, &help)]);
        succeed(&mut whole.lambda(&runtime));
        assert_eq!(run(&whole).answer(), "demo", "{path}");
    }

    let absent = compiler.lacking("libabsent.so.7");
    let broken = bench(&[(MODULE_FILE, &absent)]);
    fail(&mut broken.lambda(&runtime));
    succeed(broken.lambda(&runtime).args(["--allow-missing", "libabsent"]));
    assert_eq!(run(&broken).error(), "Runtime.ImportModuleError");

    // Where the linker does not look is warned of.
    let misplaced = bench(&[(MODULE_FILE, &found), ("elsewhere/libhelp.so", &help)]);
    succeed(&mut misplaced.lambda(&runtime));
    assert_eq!(run(&misplaced).error(), "Runtime.ImportModuleError");
}

#[test]
fn a_base_image_agrees() {
    let compiler = Compiler::new();
    let base = bases::slim();
    let build = |bench: &Workbench, name: &str| {
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
        command.arg(format!("oci:{}", bench.project.path().join("image").display())).arg("-o");
        command.arg(format!("docker-archive:{}", bench.project.path().join("image.tar").display()));
        command.arg(bench.project.path());
        command
    };
    // In a sandbox and in Docker.
    let run = |bench: &Workbench, name: &str| {
        let sandbox = Sandbox::unpack(&bench.project.path().join("image"));
        docker().load(&bench.project.path().join("image.tar"));
        [sandbox.run(&[]), docker().run(name, &[], &[])].map(|mut command| command.output().unwrap())
    };

    // The base has libz, which no platform promises.
    let whole = bench(&[(MODULE_FILE, &compiler.lacking("libz.so.1"))]);
    succeed(&mut build(&whole, "whole"));
    for output in run(&whole, "whole") {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    let broken = bench(&[(MODULE_FILE, &compiler.lacking("libGL.so.1"))]);
    let message = fail(&mut build(&broken, "broken"));
    for part in [
        "demo.abi3.so of demo 1.0 needs libGL.so.1, which is neither in the artifact nor in the base of service on",
        "apt-get install libgl1",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    succeed(build(&broken, "broken").args(["--allow-missing", "libGL"]));
    for output in run(&broken, "broken") {
        assert!(String::from_utf8_lossy(&output.stderr).contains("libGL.so.1: cannot open shared object file"));
    }

    // What is too new for the profile, or for the base itself.
    let newer = bench(&[(MODULE_FILE, &compiler.versioned("libstdc++.so.6", "GLIBCXX_3.4.99"))]);
    let message = fail(&mut build(&newer, "newer"));
    assert!(
        message.contains("demo.abi3.so of demo 1.0 needs GLIBCXX_3.4.99, but the base of service on "),
        "{message}"
    );
}
