//! Artifacts with exactly one defect each.

use crate::WheelProject;
use crate::compiled::{Compiler, MODULE_FILE, for_machine, of_32_bits, other_machine, platform_wheel, wheel};
use crate::support::command::{fail, succeed};

/// The files of the wheel `demo`.
type Files = Vec<(&'static str, Vec<u8>)>;

/// Builds with a wheel `demo` for this machine, and returns the error.
fn refusal(runtime: &str, files: &Files) -> String {
    let project = project(&platform_wheel("demo"), files);
    let message = fail(&mut project.lambda(runtime));
    assert!(!project.output().exists());
    message
}

fn project(name: &str, files: &Files) -> WheelProject {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (*path, &bytes[..])).collect();
    WheelProject::new(&[(name, wheel("demo", &files))])
}

/// Builds successfully, and returns the warnings.
fn warning(project: &WheelProject, arguments: &[&str]) -> String {
    let output = project.lambda("python3.13").args(arguments).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{message}");
    message.lines().filter(|line| line.starts_with("warning")).collect::<Vec<_>>().join("\n")
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn a_missing_library_is_an_error_unless_it_is_allowed_or_included() {
    let compiler = Compiler::new();
    let lacking = compiler.lacking("libabsent.so.7");
    let files = vec![(MODULE_FILE, lacking.clone())];
    let message = refusal("python3.13", &files);
    let target = format!("python3.13 on {}", crate::support::lambda::architecture());
    let expected =
        format!("demo.abi3.so of demo 1.0 needs libabsent.so.7, which is neither in the artifact nor in {target}");
    assert_says(
        &message,
        &[
            &expected,
            "hint: add the library to the project and pass `--include libabsent.so.7:lib/libabsent.so.7`",
            "--allow-missing libabsent.so.7",
        ],
    );
    // It is allowed by its name with or without the version.
    for name in ["libabsent.so.7", "libabsent"] {
        assert_eq!(warning(&project(&platform_wheel("demo"), &files), &["--allow-missing", name]), "");
    }
    let project = project(&platform_wheel("demo"), &files);
    assert_says(&fail(project.lambda("python3.13").args(["--allow-missing", "libabs"])), &["libabsent.so.7"]);
    // It is found if the application includes it where Lambda's linker looks.
    let help = compiler.help();
    project.files.write("vendor/libabsent.so.7", &help);
    assert_eq!(
        warning(&project, &["--include", "vendor/libabsent.so.7:lib/libabsent.so.7", "--exclude", "vendor"]),
        ""
    );
}

#[test]
fn a_library_that_a_module_loads_must_find_its_own_libraries() {
    let compiler = Compiler::new();
    let help = compiler.patched(&compiler.help(), &["--add-needed", "libabsent.so.7"]);
    let module = compiler.helped("-Wl,--enable-new-dtags", "$ORIGIN/demo.libs");
    let message = refusal("python3.13", &vec![(MODULE_FILE, module), ("demo.libs/libhelp.so", help)]);
    assert_says(
        &message,
        &["demo.libs/libhelp.so of demo 1.0 (loaded by demo.abi3.so) needs libabsent.so.7, which is neither"],
    );
}

#[test]
fn a_module_for_another_machine_is_an_error() {
    let (number, name) = other_machine();
    let module = for_machine(&Compiler::new().module(), number);
    let message = refusal("python3.13", &vec![(MODULE_FILE, module)]);
    assert_says(
        &message,
        &[&format!("demo.abi3.so of demo 1.0 is for {name}, but the target is "), "hint: lock a wheel"],
    );
    let message = refusal("python3.13", &vec![(MODULE_FILE, of_32_bits())]);
    assert_says(&message, &["demo.abi3.so of demo 1.0 is for 32-bit x86, but the target is "]);
}

#[test]
fn symbols_of_a_newer_library_are_an_error() {
    let compiler = Compiler::new();
    for (runtime, library, needed, has) in [
        ("python3.13", "libc.so.6", "GLIBC_2.99", "GLIBC_2.34"),
        ("python3.11", "libc.so.6", "GLIBC_2.28", "GLIBC_2.26"),
        ("python3.13", "libstdc++.so.6", "GLIBCXX_3.4.99", "GLIBCXX_3.4.33"),
        ("python3.11", "libstdc++.so.6", "GLIBCXX_3.4.25", "GLIBCXX_3.4.24"),
        ("python3.13", "libstdc++.so.6", "CXXABI_1.3.16", "CXXABI_1.3.15"),
        ("python3.11", "libstdc++.so.6", "CXXABI_1.3.12", "CXXABI_1.3.11"),
        ("python3.11", "libgcc_s.so.1", "GCC_8.0.0", "GCC_7"),
    ] {
        let files = vec![(MODULE_FILE, compiler.versioned(library, needed))];
        let needed = needed.strip_suffix(".0.0").unwrap_or(needed);
        let message = refusal(runtime, &files);
        assert_says(
            &message,
            &["demo.abi3.so of demo 1.0 needs ", &format!("needs {needed}, but {runtime} on "), &format!(" has {has}")],
        );
        assert_says(
            &message,
            &["hint: choose a newer runtime with --runtime, or lock a version of demo that supports older systems"],
        );
    }
    // The newest versions of the target pass.
    for (library, needed) in
        [("libc.so.6", "GLIBC_2.26"), ("libstdc++.so.6", "GLIBCXX_3.4.24"), ("libstdc++.so.6", "CXXABI_1.3.11")]
    {
        let files = vec![(MODULE_FILE, compiler.versioned(library, needed))];
        succeed(&mut project(&platform_wheel("demo"), &files).lambda("python3.11"));
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn symbols_of_a_newer_library_than_that_of_another_service_are_an_error() {
    let project =
        project(&platform_wheel("demo"), &vec![(MODULE_FILE, Compiler::new().versioned("libc.so.6", "GLIBC_2.99"))]);
    project.files.write("host.json", b"{}");
    let message = fail(&mut project.lambda("azure-python3.12"));
    assert_says(&message, &["needs GLIBC_2.99, but azure-python3.12 on ", " has GLIBC_2.36"]);
    let hint = "hint: choose a newer target with --profile, or lock a version of demo that supports older systems";
    assert_says(&message, &[hint]);
}

#[test]
fn a_truncated_module_is_an_error() {
    let module = Compiler::new().module();
    let message = refusal("python3.13", &vec![(MODULE_FILE, module[..module.len() / 2].to_vec())]);
    assert_says(&message, &["demo.abi3.so of demo 1.0 cannot be loaded: malformed ELF file: "]);
}

/// It is not an error, because another module may have opened the library before.
#[test]
fn a_library_outside_the_search_path_is_a_warning() {
    let compiler = Compiler::new();
    let runpath = |folder| compiler.helped("-Wl,--enable-new-dtags", folder);
    let rpath = |folder| compiler.helped("-Wl,--disable-new-dtags", folder);
    for (module, path) in [
        (runpath("demo.libs"), "demo.libs/libhelp.so"),
        (runpath("$ORIGIN"), "demo.libs/libhelp.so"),
        (runpath("$ORIGIN/../../demo.libs"), "demo.libs/libhelp.so"),
        (rpath("/usr/local/elsewhere"), "demo.libs/libhelp.so"),
        (rpath("$ORIGIN/lib64"), "other/libhelp.so"),
    ] {
        let message =
            warning(&project(&platform_wheel("demo"), &vec![(MODULE_FILE, module), (path, compiler.help())]), &[]);
        let expected = format!("demo.abi3.so of demo 1.0 needs libhelp.so, which is at {path} (demo 1.0), where");
        assert_says(&message, &[&expected]);
    }
    for (module, path) in [
        (runpath("$ORIGIN/demo.libs"), "demo.libs/libhelp.so"),
        (runpath("${ORIGIN}/../task/demo.libs"), "demo.libs/libhelp.so"),
        (rpath("/var/task/demo.libs"), "demo.libs/libhelp.so"),
        (rpath("$ORIGIN/$LIB"), "lib64/libhelp.so"),
        // Lambda's LD_LIBRARY_PATH.
        (runpath("/nowhere"), "lib/libhelp.so"),
    ] {
        let files = vec![(MODULE_FILE, module), (path, compiler.help())];
        assert_eq!(warning(&project(&platform_wheel("demo"), &files), &[]), "", "{path}");
    }
}

#[test]
fn the_owner_of_a_file_decides_whether_it_has_to_load() {
    let compiler = Compiler::new();
    let lacking = compiler.lacking("libabsent.so.7");
    // A wheel that is tagged `any` works without its compiled files.
    let any = project("demo-1.0-py3-none-any.whl", &vec![(MODULE_FILE, lacking.clone())]);
    assert_says(&warning(&any, &[]), &["demo.abi3.so of demo 1.0 needs libabsent.so.7, which is neither"]);
    // The application's own files have to load.
    let own = project("demo-1.0-py3-none-any.whl", &vec![("demo.py", Vec::new())]);
    own.files.write("native/fast.so", &lacking);
    assert_says(
        &fail(&mut own.lambda("python3.13")),
        &["native/fast.so of the application needs libabsent.so.7, which is neither"],
    );
    // Drivers are provided by the host.
    let driver = vec![(MODULE_FILE, compiler.lacking("libcuda.so.1"))];
    assert_says(
        &warning(&project(&platform_wheel("demo"), &driver), &[]),
        &["demo.abi3.so of demo 1.0 needs libcuda.so.1, which is neither"],
    );
    // A library that nothing is linked to may never be opened, unless the distribution has no other file that loads.
    let plugin = vec![
        (MODULE_FILE, compiler.module()),
        ("demo.plugins/libplugin.so", compiler.patched(&compiler.help(), &["--add-needed", "libabsent.so.7"])),
    ];
    assert_says(
        &warning(&project(&platform_wheel("demo"), &plugin), &[]),
        &["demo.plugins/libplugin.so of demo 1.0 needs libabsent.so.7, which is neither"],
    );
    let message = refusal("python3.13", &plugin[1..].to_vec());
    assert_says(&message, &["demo.plugins/libplugin.so of demo 1.0 needs libabsent.so.7, which is neither"]);
    // Files for Alpine Linux are for another C library.
    let musl = refusal("python3.13", &vec![(MODULE_FILE, compiler.lacking("libc.musl-x86_64.so.1"))]);
    assert_says(
        &musl,
        &[
            "demo.abi3.so of demo 1.0 is compiled for musl, but python3.13 on",
            " has glibc 2.34\n",
            "hint: lock a wheel of demo whose tag begins with manylinux\n",
        ],
    );
}

#[test]
fn a_library_of_a_required_distribution_is_found() {
    let compiler = Compiler::new();
    let module = compiler.helped("-Wl,--enable-new-dtags", "/nowhere");
    let help = compiler.help();
    let library = wheel("helper", &[("helper/libhelp.so", &help)]);
    let metadata = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: Helper>=1\n";
    for (metadata, is_warned) in [(&metadata[..], false), (&metadata[..metadata.len() - 25], true)] {
        let files: [(&str, &[u8]); 2] = [(MODULE_FILE, &module), ("demo-1.0.dist-info/METADATA", metadata)];
        let demo = wheel("demo", &files);
        let project =
            WheelProject::new(&[(&platform_wheel("demo"), demo), (&platform_wheel("helper"), library.clone())]);
        let message = warning(&project, &[]);
        assert_eq!(message.contains("which is at helper/libhelp.so (helper 1.0), where"), is_warned, "{message}");
    }
}
