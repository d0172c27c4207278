//! Artifacts with exactly one defect each.

use crate::Workbench;
use crate::compiled::{Compiler, MODULE_FILE, for_machine, of_32_bits, other_machine, platform, wheel};
use crate::support::command::{fail, succeed};

/// The files of the wheel `demo`.
type Files = Vec<(&'static str, Vec<u8>)>;

/// Bundles the wheel `demo` for this machine, and returns the error.
fn refusal(runtime: &str, files: &Files) -> String {
    let bench = bench(&platform("demo"), files);
    let message = fail(&mut bench.lambda(runtime));
    assert!(!bench.output().exists());
    message
}

fn bench(name: &str, files: &Files) -> Workbench {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (*path, &bytes[..])).collect();
    Workbench::new(&[(name, wheel("demo", &files))])
}

/// Bundles what may work all the same, and returns what was warned of.
fn warning(bench: &Workbench, arguments: &[&str]) -> String {
    let output = bench.lambda("python3.13").args(arguments).output().unwrap();
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
fn what_is_linked_to_a_library_that_is_nowhere() {
    let compiler = Compiler::new();
    let lacking = compiler.lacking("libabsent.so.7");
    let files = vec![(MODULE_FILE, lacking.clone())];
    let message = refusal("python3.13", &files);
    let target = format!("python3.13 on {}", crate::support::lambda::architecture());
    let says =
        format!("demo.abi3.so of demo 1.0 needs libabsent.so.7, which is neither in the artifact nor in {target}");
    assert_says(
        &message,
        &[
            &says,
            "hint: add the library to the project and pass `--include libabsent.so.7:lib/libabsent.so.7`",
            "--allow-missing libabsent.so.7",
        ],
    );
    // It may be there all the same, by its name or by that without a version.
    for name in ["libabsent.so.7", "libabsent"] {
        assert_eq!(warning(&bench(&platform("demo"), &files), &["--allow-missing", name]), "");
    }
    let bench = bench(&platform("demo"), &files);
    assert_says(&fail(bench.lambda("python3.13").args(["--allow-missing", "libabs"])), &["libabsent.so.7"]);
    // The application may bring it, where Lambda's linker looks.
    let help = compiler.help();
    bench.project.write("vendor/libabsent.so.7", &help);
    assert_eq!(warning(&bench, &["--include", "vendor/libabsent.so.7:lib/libabsent.so.7", "--exclude", "vendor"]), "");
}

#[test]
fn what_a_library_of_a_module_is_linked_to() {
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
fn what_is_for_another_machine() {
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
fn what_uses_symbols_of_a_newer_library() {
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
    // What the target just has will do.
    for (library, needed) in
        [("libc.so.6", "GLIBC_2.26"), ("libstdc++.so.6", "GLIBCXX_3.4.24"), ("libstdc++.so.6", "CXXABI_1.3.11")]
    {
        let files = vec![(MODULE_FILE, compiler.versioned(library, needed))];
        succeed(&mut bench(&platform("demo"), &files).lambda("python3.11"));
    }
}

#[test]
fn what_is_cut_short() {
    let module = Compiler::new().module();
    let message = refusal("python3.13", &vec![(MODULE_FILE, module[..module.len() / 2].to_vec())]);
    assert_says(&message, &["demo.abi3.so of demo 1.0 cannot be loaded: malformed ELF file: "]);
}

/// Another module may have opened the library before, so it is no error.
#[test]
fn what_lies_where_the_linker_does_not_look() {
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
        let message = warning(&bench(&platform("demo"), &vec![(MODULE_FILE, module), (path, compiler.help())]), &[]);
        let says = format!("demo.abi3.so of demo 1.0 needs libhelp.so, which is at {path} (demo 1.0), where");
        assert_says(&message, &[&says]);
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
        assert_eq!(warning(&bench(&platform("demo"), &files), &[]), "", "{path}");
    }
}

#[test]
fn who_promises_less_or_more() {
    let compiler = Compiler::new();
    let lacking = compiler.lacking("libabsent.so.7");
    // A wheel for any machine does without its compiled files.
    let any = bench("demo-1.0-py3-none-any.whl", &vec![(MODULE_FILE, lacking.clone())]);
    assert_says(&warning(&any, &[]), &["demo.abi3.so of demo 1.0 needs libabsent.so.7, which is neither"]);
    // The application's own files are there to be used.
    let own = bench("demo-1.0-py3-none-any.whl", &vec![("demo.py", Vec::new())]);
    own.project.write("native/fast.so", &lacking);
    assert_says(
        &fail(&mut own.lambda("python3.13")),
        &["native/fast.so of the application needs libabsent.so.7, which is neither"],
    );
    // Drivers are the host's.
    let driver = vec![(MODULE_FILE, compiler.lacking("libcuda.so.1"))];
    assert_says(
        &warning(&bench(&platform("demo"), &driver), &[]),
        &["demo.abi3.so of demo 1.0 needs libcuda.so.1, which is neither"],
    );
    // A library that nothing is linked to may never be opened, where there is something else.
    let plugin = vec![
        (MODULE_FILE, compiler.module()),
        ("demo.plugins/libplugin.so", compiler.patched(&compiler.help(), &["--add-needed", "libabsent.so.7"])),
    ];
    assert_says(
        &warning(&bench(&platform("demo"), &plugin), &[]),
        &["demo.plugins/libplugin.so of demo 1.0 needs libabsent.so.7, which is neither"],
    );
    let message = refusal("python3.13", &plugin[1..].to_vec());
    assert_says(&message, &["demo.plugins/libplugin.so of demo 1.0 needs libabsent.so.7, which is neither"]);
    // What is for Alpine Linux is linked to another C library.
    let musl = refusal("python3.13", &vec![(MODULE_FILE, compiler.lacking("libc.musl-x86_64.so.1"))]);
    assert_says(
        &musl,
        &["needs libc.musl-x86_64.so.1, which is neither", "hint: it is compiled for Alpine Linux (musl)"],
    );
}

#[test]
fn another_distribution_has_opened_it_before_if_it_is_required() {
    let compiler = Compiler::new();
    let module = compiler.helped("-Wl,--enable-new-dtags", "/nowhere");
    let help = compiler.help();
    let library = wheel("helper", &[("helper/libhelp.so", &help)]);
    let metadata = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: Helper>=1\n";
    for (metadata, is_warned) in [(&metadata[..], false), (&metadata[..metadata.len() - 25], true)] {
        let files: [(&str, &[u8]); 2] = [(MODULE_FILE, &module), ("demo-1.0.dist-info/METADATA", metadata)];
        let demo = wheel("demo", &files);
        let bench = Workbench::new(&[(&platform("demo"), demo), (&platform("helper"), library.clone())]);
        let message = warning(&bench, &[]);
        assert_eq!(message.contains("which is at helper/libhelp.so (helper 1.0), where"), is_warned, "{message}");
    }
}
