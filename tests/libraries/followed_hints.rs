//! Hints about compiled files: each is followed, and then the function is built.

use std::fs;
use std::process::Command;

use crate::WheelProject;
use crate::compiled::{Compiler, MODULE_FILE, for_machine, other_machine, platform_wheel, wheel};
use crate::support::command::{fail, pybundle, succeed};
use crate::support::lambda::{architecture, newest_python};
use crate::support::uv::Project;

/// A compiled file of the application.
const OWN: &str = "native/fast.so";

/// Returns a project whose application has a compiled file of its own.
fn with_own_file(bytes: &[u8]) -> WheelProject {
    let project = WheelProject::new(&[("demo-1.0-py3-none-any.whl", wheel("demo", &[("demo.py", b"")]))]);
    project.files.write(OWN, bytes);
    project
}

/// Returns a project that requires the wheel `demo` for this machine with a module.
fn with_module(bytes: &[u8]) -> WheelProject {
    WheelProject::new(&[(&platform_wheel("demo"), wheel("demo", &[(MODULE_FILE, bytes)]))])
}

/// Asserts that a build fails with a hint.
#[track_caller]
fn assert_hint(project: &WheelProject, runtime: &str, hint: &str) {
    let said = fail(&mut project.lambda(runtime));
    assert!(said.lines().any(|line| line == format!("hint: {hint}")), "{hint}: {said}");
}

#[test]
fn a_file_of_the_application_is_compiled_again_as_the_target_needs_it() {
    let compiler = Compiler::new();
    let newer = with_own_file(&compiler.versioned("libc.so.6", "GLIBC_2.28"));
    let hint = "choose a newer runtime with --runtime, or compile it on a system as old as the target";
    assert_hint(&newer, "python3.11", hint);
    succeed(&mut newer.lambda("python3.13"));
    // What the linker writes on such a system.
    succeed(&mut with_own_file(&compiler.versioned("libc.so.6", "GLIBC_2.26")).lambda("python3.11"));

    let module = compiler.module();
    let half = &module[..module.len() / 2];
    let (number, _) = other_machine();
    let target = if architecture() == "arm64" { "aarch64" } else { "x86_64" };
    for (bytes, hint) in [
        (&*compiler.lacking("libc.musl-x86_64.so.1"), "compile native/fast.so on a system with glibc"),
        (half, "build native/fast.so again: it may have been truncated"),
        (&*for_machine(&module, number), &*format!("compile native/fast.so for {target}")),
    ] {
        let project = with_own_file(bytes);
        assert_hint(&project, "python3.13", hint);
        project.files.write(OWN, &module);
        succeed(&mut project.lambda("python3.13"));
    }
}

#[test]
fn another_wheel_is_locked_instead_of_one_that_does_not_load() {
    let module = Compiler::new().module();
    let (number, _) = other_machine();
    let target = if architecture() == "arm64" { "aarch64" } else { "x86_64" };
    let machine = format!("lock a wheel of demo for {target}, or build it on such a machine");
    let truncated = "lock another version of demo, or build its wheel again: demo.abi3.so may have been truncated";
    for (bytes, hint) in [(&*for_machine(&module, number), &*machine), (&module[..module.len() / 2], truncated)] {
        assert_hint(&with_module(bytes), "python3.13", hint);
    }
    succeed(&mut with_module(&module).lambda("python3.13"));
}

/// Returns the messages of a build that succeeds.
fn said_by(build: &mut Command) -> String {
    let output = build.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn the_runpath_of_a_file_of_the_application_is_set_as_its_warning_says() {
    let compiler = Compiler::new();
    let module = compiler.helped("-Wl,--enable-new-dtags", "/nowhere");
    let project = with_own_file(&module);
    project.files.write("libs/libhelp.so", &compiler.help());
    let said = said_by(&mut project.lambda("python3.13"));
    let remedy = ", where the dynamic linker does not look: set its RUNPATH to the path from `$ORIGIN` to `libs`\n";
    assert!(said.contains(remedy), "{said}");
    project.files.write(OWN, &compiler.patched(&module, &["--set-rpath", "$ORIGIN/../libs"]));
    let said = said_by(&mut project.lambda("python3.13"));
    assert!(!said.contains("warning: native/fast.so"), "{said}");
}

/// A linker lists a library without a SONAME by the path that it was given.
#[test]
fn a_path_in_place_of_a_name_is_replaced_as_its_warning_says() {
    let compiler = Compiler::new();
    let module = compiler.helped("-Wl,--enable-new-dtags", "$ORIGIN/../libs");
    let by_path = compiler.patched(&module, &["--replace-needed", "libhelp.so", "build/libhelp.so"]);
    let project = with_own_file(&by_path);
    project.files.write("libs/libhelp.so", &compiler.help());
    let said = said_by(&mut project.lambda("python3.13"));
    assert!(said.contains("needs build/libhelp.so, which is at libs/libhelp.so (the application)"), "{said}");
    let remedy = format!("`patchelf --replace-needed build/libhelp.so libhelp.so {OWN}` makes it a name\n");
    assert!(said.contains(&remedy) && !said.contains("RUNPATH"), "{said}");
    let named = compiler.patched(&by_path, &["--replace-needed", "build/libhelp.so", "libhelp.so"]);
    project.files.write(OWN, &named);
    let said = said_by(&mut project.lambda("python3.13"));
    assert!(!said.contains("warning: native/fast.so"), "{said}");
}

/// A build back end without dependencies, which only packs what is compiled.
const BACKEND: &str = r#"
import pathlib, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    info, tag = "demo-1.0.dist-info", "cp39-abi3-linux_MACHINE"
    name = f"demo-1.0-{tag}.whl"
    with zipfile.ZipFile(pathlib.Path(directory, name), "w") as wheel:
        wheel.write("demo.abi3.so")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        files = ["demo.abi3.so", f"{info}/METADATA", f"{info}/WHEEL", f"{info}/RECORD"]
        wheel.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in files))
    return name
"#;

#[test]
fn what_this_machine_compiles_for_itself_is_built_elsewhere() {
    let compiler = Compiler::new();
    let machine = if architecture() == "arm64" { "aarch64" } else { "x86_64" };
    let project = Project::new(&[
        ("app/app.py", "import demo\n"),
        ("demo-1.0/PKG-INFO", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"),
        (
            "demo-1.0/pyproject.toml",
            "[project]\nname = \"demo\"\nversion = \"1.0\"\n\
             [build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n",
        ),
        ("demo-1.0/backend.py", &BACKEND.replace("MACHINE", machine)),
    ]);
    project.write("demo-1.0/demo.abi3.so", &compiler.versioned("libc.so.6", "GLIBC_2.99"));
    succeed(Command::new("tar").args(["-czf", "demo-1.0.tar.gz", "demo-1.0"]).current_dir(project.path()));
    let runtime = format!("python{}", newest_python());
    let lambda = |requirement: &str| {
        project.write("app/requirements.txt", requirement.as_bytes());
        let mut command = pybundle(&["lambda", "app", "--runtime", &runtime, "--arch", architecture()]);
        command.args(["--no-index", "--find-links=wheels", "--output=function.zip"]).current_dir(project.path());
        command.env("PYBUNDLE_CACHE_DIR", project.path().join("cache"));
        command
    };
    let at = |name: &str| format!("demo @ file://{}\n", project.path().join(name).display());
    fs::create_dir(project.path().join("wheels")).unwrap();
    let said = fail(&mut lambda(&at("demo-1.0.tar.gz")));
    let hint = "hint: it is compiled against this machine's C library: build its wheel for the target elsewhere and lock \
                that, or lock a version that has one\n";
    assert!(said.ends_with(hint), "{said}");
    let module = compiler.module();
    project.write(&platform_wheel("demo"), &wheel("demo", &[(MODULE_FILE, &module)]));
    succeed(&mut lambda(&at(&platform_wheel("demo"))));
    let newer = platform_wheel("demo").replace("-1.0-", "-1.1-");
    project.write(&format!("wheels/{newer}"), &crate::support::wheel_with("demo", "1.1", &[(MODULE_FILE, &module)]));
    succeed(&mut lambda("demo==1.1\n"));
}
