//! The command line: exit statuses, output streams, and no file after a failure.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::command::repository;
use serde_json::Value;

/// Runs pybundle with its own cache, outside of any project.
fn pybundle(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pybundle"));
    command.current_dir(folder).env("PYBUNDLE_CACHE_DIR", folder.join("cache")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Copies the example, so that a test can break it.
fn example(folder: &Path) {
    let copied = Command::new("cp").arg("-r").arg(repository().join("testdata/example/.")).arg(folder).status();
    assert!(copied.unwrap().success());
}

/// Asserts that a build fails with status 1 and the expected messages, and that there is no zip.
fn assert_fails(folder: &Path, arguments: &[&str], expected: &[&str]) {
    let output = folder.join("made/out.zip");
    let mut all = vec!["lambda", "--output", output.to_str().unwrap()];
    all.extend(arguments);
    let run = pybundle(folder, &all);
    let message = text(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{arguments:?}: {message}");
    for part in expected {
        assert!(message.contains(part), "{arguments:?}: `{part}` is not in: {message}");
    }
    assert!(message.lines().any(|line| line.starts_with("error: ")) && !message.contains("panicked"), "{message}");
    assert_eq!(text(&run.stdout), "");
    let left = fs::read_dir(output.parent().unwrap()).map_or(0, Iterator::count);
    assert_eq!(left, 0, "{arguments:?} left a file behind");
}

#[test]
fn json_is_one_document_that_matches_the_file() {
    let folder = tempfile::tempdir().unwrap();
    example(folder.path());
    let run = pybundle(folder.path(), &["lambda", "--json", "--handler", "app.handler", "--layer", "layer.zip"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["format"], 1);
    assert_eq!(report["project"], "example");
    let artifacts = report["artifacts"].as_array().unwrap();
    assert_eq!(artifacts.iter().map(|artifact| &artifact["kind"]).collect::<Vec<_>>(), ["function", "layer"]);
    for artifact in artifacts {
        let bytes = fs::read(folder.path().join(artifact["path"].as_str().unwrap())).unwrap();
        assert_eq!(artifact["size"], bytes.len());
        assert_eq!(artifact["sha256"], pybundle::digest::Sha256::of(&bytes).hex());
    }
    let names: Vec<_> =
        report["distributions"].as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["example-banner", "example-greeting", "example-tally"]);
    assert!(folder.path().join("dist/example.zip").is_file());
}

#[test]
fn a_plan_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    example(folder.path());
    for arguments in [&["plan", "--json"][..], &["lambda", "--dry-run", "--json"]] {
        let run = pybundle(folder.path(), arguments);
        assert!(run.status.success(), "{}", text(&run.stderr));
        let plan: Value = serde_json::from_slice(&run.stdout).unwrap();
        let tally = &plan["distributions"][2];
        assert_eq!(tally["tag"], "cp39-abi3-manylinux_2_34_x86_64");
        assert_eq!(tally["required_by"], serde_json::json!(["example"]));
    }
    assert!(!folder.path().join("cache").exists() && !folder.path().join("dist").exists());
}

#[test]
fn the_older_runtimes_get_wheels_for_their_own_glibc() {
    let folder = tempfile::tempdir().unwrap();
    example(folder.path());
    for (runtime, tag) in
        [("python3.11", "cp39-abi3-manylinux_2_17_aarch64"), ("python3.12", "cp39-abi3-manylinux_2_34_aarch64")]
    {
        let run = pybundle(folder.path(), &["plan", "--json", "--runtime", runtime, "--arch", "arm64"]);
        let plan: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(plan["distributions"][2]["tag"], tag, "{runtime}");
    }
}

#[test]
fn a_failed_build_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    example(folder.path());
    let at = |arguments: &[&str], expected: &[&str]| assert_fails(folder.path(), arguments, expected);
    at(&["--handler", "app.handlr"], &["app.py does not define `handlr`", "hint: did you mean `app.handler`?"]);
    at(&["--handler", "ap.handler"], &["no module `ap`", "did you mean `app.handler`"]);
    at(&["--runtime", "python3.8"], &["runtime `python3.8` does not exist", "the runtimes are python3.9, "]);
    at(&["--extra", "nope"], &["nope"]);
    at(&["--group", "nope"], &["nope"]);
    at(&["--lock", "nowhere.lock"], &["lock file nowhere.lock does not exist", "omit --lock"]);
    at(&["--lock", "pyproject.toml"], &["pyproject.toml is not a supported lock file"]);
    at(&["--include", "nowhere"], &["no such file or directory"]);
    at(&["nowhere"], &["nowhere"]);
}

#[test]
fn a_damaged_wheel_a_wrong_digest_and_a_stale_lock_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    example(folder.path());
    let wheel = folder.path().join("index/example_banner-0.3.1-py3-none-any.whl");
    let good = fs::read(&wheel).unwrap();
    let mut damaged = good.clone();
    damaged[good.len() / 2] ^= 1;
    fs::write(&wheel, damaged).unwrap();
    assert_fails(folder.path(), &[], &["example_banner-0.3.1-py3-none-any.whl", "CRC-32"]);
    fs::remove_file(&wheel).unwrap();
    assert_fails(folder.path(), &[], &["example_banner-0.3.1-py3-none-any.whl"]);
    fs::write(&wheel, good).unwrap();

    let pyproject = folder.path().join("pyproject.toml");
    let text = fs::read_to_string(&pyproject).unwrap();
    fs::write(&pyproject, text.replace("example-tally>=2", "example-tally>=1")).unwrap();
    assert_fails(folder.path(), &[], &["the lock does not match", "example-tally", "uv lock", "--frozen"]);
    assert!(pybundle(folder.path(), &["lambda", "--frozen"]).status.success());
}

#[test]
fn an_artifact_never_contains_the_previous_one() {
    let folder = tempfile::tempdir().unwrap();
    example(folder.path());
    let build = || {
        let run = pybundle(folder.path(), &["lambda", "--json", "--include", ".:.", "--output", "out.zip"]);
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        report["artifacts"][0]["sha256"].clone()
    };
    fs::write(folder.path().join(".gitignore"), "cache/\n").unwrap();
    assert_eq!(build(), build());
}

#[test]
fn an_oversize_zip_is_an_error_unless_allowed() {
    let folder = tempfile::tempdir().unwrap();
    example(folder.path());
    fs::File::create(folder.path().join("shop/huge.bin")).unwrap().set_len(262_144_000).unwrap();
    assert_fails(folder.path(), &[], &["more than Lambda's limit of 262144000", "--allow-oversize"]);
    let run = pybundle(folder.path(), &["lambda", "--allow-oversize"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
}

/// The directory of the outputs instead of a file in it: said before anything is built.
#[test]
fn an_output_that_is_a_directory_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    example(folder.path());
    fs::create_dir(folder.path().join("made")).unwrap();
    for arguments in [&["lambda", "--output", "made"][..], &["lambda", "--output", "made", "--dry-run"]] {
        let run = pybundle(folder.path(), arguments);
        assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
        let expected =
            "error: cannot write made\n  because: it is a directory\nhint: name a file in it, as in made/NAME\n";
        assert_eq!(text(&run.stderr), expected);
    }
}

/// Lambda's handler is then the name of the script, but there is no function to look for.
#[test]
fn a_script_for_the_web_adapter_is_no_function() {
    let folder = tempfile::tempdir().unwrap();
    example(folder.path());
    fs::write(folder.path().join("run.sh"), "#!/bin/sh\nexec python -m shop\n").unwrap();
    let hint = "hint: omit --handler (or its key in [tool.pybundle]), which names a function of Python: a file that the \
                Lambda Web Adapter starts is not checked\n";
    assert_fails(folder.path(), &["--handler", "run.sh"], &["the artifact has no module `run`", hint]);
    let run = pybundle(folder.path(), &["lambda"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert!(text(&run.stdout).contains("run.sh"), "{}", text(&run.stdout));
}

#[test]
fn a_handler_in_a_project_that_a_flag_excludes_names_the_flag() {
    let folder = tempfile::tempdir().unwrap();
    example(folder.path());
    for (file, from, to) in [
        ("pyproject.toml", "[project]", "[build-system]\nrequires = []\n\n[project]"),
        ("uv.lock", "source = { virtual = \".\" }", "source = { editable = \".\" }"),
    ] {
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).unwrap();
    }
    let hint = "hint: omit --no-install-project (or its key in [tool.pybundle]): it excludes the project itself\n";
    assert_fails(folder.path(), &["--frozen", "--no-install-project", "--handler", "app.handler"], &[hint]);
}

/// A name without effect is only noticed if it is similar to another one: targets of several locks may share a key.
#[test]
fn a_misspelled_name_of_a_distribution_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    example(folder.path());
    for (option, name, warning) in [
        ("no-install-package", "example-taly", Some("example-tally")),
        ("prefer", "exmaple-banner", Some("example-banner")),
        ("accept-invalid", "example-greetings", Some("example-greeting")),
        ("no-install-package", "example-tally", None),
        ("no-install-package", "numpy", None),
    ] {
        let run = pybundle(folder.path(), &["lambda", "--no-audit", &format!("--{option}"), name]);
        assert!(run.status.success(), "{}", text(&run.stderr));
        let expected = warning.map_or_else(String::new, |meant| {
            format!("warning: {option} names `{name}`, which is not selected: did you mean `{meant}`?\n")
        });
        assert_eq!(text(&run.stderr), expected);
    }
}

#[test]
fn usage_errors_exit_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&[][..], &["lambd"], &["lambda", "--arch", "sparc"], &["lambda", "--handler", "app"]] {
        let run = pybundle(folder.path(), arguments);
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {}", text(&run.stderr));
    }
}

#[test]
fn a_password_is_not_shown_even_in_an_invalid_url() {
    let folder = tempfile::tempdir().unwrap();
    let run = pybundle(folder.path(), &["plan", "--index-url", "https://user:s3cret@[oops/simple"]);
    assert_eq!(run.status.code(), Some(2));
    let message = text(&run.stderr);
    assert!(message.contains("is not a valid location") && !message.contains("s3cret"), "{message}");
}

#[test]
fn profiles_and_completions_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let shown = pybundle(folder.path(), &["profile", "show", "python3.11"]);
    assert!(text(&shown.stdout).contains("glibc = \"2.26\""));
    fs::write(folder.path().join("mine.toml"), &shown.stdout).unwrap();
    example(folder.path());
    let run = pybundle(folder.path(), &["lambda", "--profile", "mine.toml", "--json"]);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["target"]["reason"], "from mine.toml");
    let completions = pybundle(folder.path(), &["completions", "bash"]);
    assert!(text(&completions.stdout).contains("complete -o nospace"));
}
