//! Errors: each has a message that says what and where, and a hint, and nothing is written. Errors of a single feature are
//! with the tests of that feature.

use std::fs;

use crate::projects;
use crate::support::wheel_with;
use crate::tiny::Tiny;
use crate::workshop::Workshop;

#[test]
fn the_project_and_its_lock_must_be_valid() {
    let workshop = Workshop::new();
    for (arguments, expected) in [
        (
            &["--lock=nowhere.lock"][..],
            &[
                "lock file nowhere.lock does not exist",
                "hint: omit --lock (or its key in [tool.pybundle]) to use the project's own, or pass the path of a uv.lock, ",
            ][..],
        ),
        (&["--lock=project/pyproject.toml"], &["is not a supported lock file"]),
        (&["--include=nowhere"], &["no such file or directory"]),
        (&["--extra=nope"], &["nope"]),
        (&["--package=nope"], &["nope"]),
    ] {
        let said = workshop.fail(&mut workshop.command(arguments));
        assert!(expected.iter().all(|part| said.contains(part)), "{arguments:?}: {said}");
    }
    let pyproject = fs::read_to_string(workshop.path("project/pyproject.toml")).unwrap();
    workshop.write("pyproject.toml", pyproject.replace("example-tally>=2", "example-tally>=1"));
    let said = workshop.fail(&mut workshop.command(&[]));
    assert!(said.contains("the lock does not match") && said.contains("--frozen"), "{said}");
    workshop.build(&["--frozen"]);
}

#[test]
fn a_base_that_is_not_cached_is_an_error_offline() {
    let workshop = Workshop::new();
    let said = workshop.fail(&mut workshop.without_base(&["--offline"]));
    assert!(said.contains("base image python:3.15-slim is not cached"), "{said}");
    assert!(said.contains("hint: run once without --offline"), "{said}");
    let digest = "0".repeat(64);
    let base = format!("--base=example.org/a@sha256:{digest}");
    let said = workshop.fail(&mut workshop.without_base(&["--offline", &base]));
    assert!(said.contains("example.org/a@sha256:000"), "{said}");
}

#[test]
fn an_empty_project_is_an_error() {
    let workshop = Workshop::empty();
    workshop.write("pyproject.toml", "[project]\nname = \"demo\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n");
    projects::lock(&workshop);
    let said = workshop.fail(&mut workshop.command(&["--no-install-project"]));
    assert!(said.contains("nothing to bundle") && said.contains("hint: "), "{said}");
}

#[test]
fn two_distributions_with_one_path_are_an_error() {
    let workshop = Workshop::empty();
    projects::write(&workshop, &[("alpha", "1.0", 10), ("beta", "1.0", 10)]);
    for name in ["alpha", "beta"] {
        let wheel = wheel_with(name, "1.0", &[("shared/data.bin", name.as_bytes())]);
        workshop.write(&format!("index/{name}-1.0-py3-none-any.whl"), wheel);
    }
    fs::remove_file(workshop.path("project/uv.lock")).unwrap();
    projects::lock(&workshop);
    for budget in ["1", "24"] {
        let said = workshop.fail(&mut workshop.command(&["--max-layers", budget]));
        assert!(said.contains("alpha") && said.contains("beta") && said.contains("shared/data.bin"), "{said}");
        assert!(
            said.contains("hint: omit one with `--no-install-package alpha` or `--no-install-package beta`"),
            "{said}"
        );
    }
}

#[test]
fn nothing_replaces_the_interpreter() {
    let workshop = Workshop::empty();
    projects::write(&workshop, &[("alpha", "1.0", 10)]);
    for path in ["pyvenv.cfg", "bin/python3"] {
        let file = format!("alpha-1.0.data/data/{path}");
        workshop.write("index/alpha-1.0-py3-none-any.whl", wheel_with("alpha", "1.0", &[(&file, b"mine")]));
        fs::remove_file(workshop.path("project/uv.lock")).unwrap();
        projects::lock(&workshop);
        for budget in ["1", "24"] {
            let said = workshop.fail(&mut workshop.command(&["--max-layers", budget]));
            assert!(said.contains("alpha") && said.contains(path), "{said}");
        }
    }
}

#[test]
fn a_path_that_would_be_a_whiteout_is_refused_in_a_layer_and_kept_in_a_zip() {
    let why = "cannot be in a layer: names that begin with `.wh.` are whiteouts, which remove files of lower layers";
    let workshop = Workshop::empty();
    projects::write(&workshop, &[("alpha", "1.0", 10)]);
    for (path, installed) in [
        ("alpha/.wh.data", "site-packages/alpha/.wh.data"),
        ("alpha/.wh.directory/data", "site-packages/alpha/.wh.directory/data"),
        ("alpha-1.0.data/data/share/.wh..wh..opq", "share/.wh..wh..opq"),
    ] {
        workshop.write("index/alpha-1.0-py3-none-any.whl", wheel_with("alpha", "1.0", &[(path, b"mine")]));
        fs::remove_file(workshop.path("project/uv.lock")).unwrap();
        projects::lock(&workshop);
        let said = workshop.fail(&mut workshop.command(&["--output=oci:out"]));
        assert!(said.contains(&format!("{installed}` of alpha 1.0 {why}")), "{said}");
    }
    let mut function = crate::support::command::pybundle(&["lambda", "project", "--no-audit", "--output=function.zip"]);
    function.current_dir(workshop.path("")).env("PYBUNDLE_CACHE_DIR", workshop.path("cache"));
    crate::support::command::succeed(function.arg("--runtime=python3.14"));

    let workshop = Workshop::new();
    workshop.write("data/.wh.app.py", "");
    let said = workshop.fail(&mut workshop.command(&["--include=data/.wh.app.py", "--output=oci:out"]));
    assert!(said.contains(&format!("app/.wh.app.py` of the application {why}")), "{said}");
    assert!(said.contains("hint: rename it, or do not include it"), "{said}");
}

#[test]
fn there_are_never_more_layers_than_can_be_run() {
    let workshop = Workshop::new();
    for (of_base, own) in [(1, 4), (123, 3), (125, 2), (126, 1)] {
        Tiny::python().layers(of_base).write(&workshop.path("base"));
        let image = workshop.build(&[]);
        assert_eq!(image.layers.len(), of_base + own);
        assert!(image.layers.last().unwrap().holds.ends_with("the application"));
    }
    Tiny::python().layers(127).write(&workshop.path("base"));
    let said = workshop.fail(&mut workshop.command(&[]));
    assert!(
        said.contains("more than the limit of 127") && said.contains("hint: choose a base with fewer layers"),
        "{said}"
    );
}

#[test]
fn a_temporary_directory_that_is_missing_is_named() {
    let workshop = Workshop::new();
    let said = workshop.fail(workshop.command(&[]).env("TMPDIR", workshop.path("nowhere")));
    assert!(said.contains("cannot create a temporary directory") && said.contains("TMPDIR"), "{said}");
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let workshop = Workshop::new();
    for output in ["oci:/proc/image", "oci-archive:/proc/image.tar", "docker-archive:/proc/a/image.tar"] {
        let said = workshop.fail(&mut workshop.command(&["--output", output, "--output=oci:good"]));
        assert!(said.contains("/proc/"), "{output}: {said}");
        assert!(!workshop.path("good").exists());
    }
}

#[test]
fn a_damaged_layer_of_the_base_is_found_before_anything_is_written() {
    let workshop = Workshop::new();
    let image = workshop.build(&[]);
    // Its Python is known, so nobody looks at the layer before it is copied.
    let hexadecimal = image.layers[0].digest.strip_prefix("sha256:").unwrap();
    let blob = workshop.path("base/blobs/sha256").join(hexadecimal);
    let bytes = fs::read(&blob).unwrap();
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    fs::write(&blob, damaged).unwrap();
    for form in ["oci", "oci-archive", "docker-archive"] {
        let said = workshop.fail(&mut workshop.command(&[&format!("--output={form}:out")]));
        assert!(said.contains(hexadecimal), "{form}: {said}");
    }
    fs::write(&blob, &bytes[1..]).unwrap();
    let said = workshop.fail(&mut workshop.command(&["--output=oci:out"]));
    assert!(said.contains(hexadecimal), "{said}");
    fs::write(&blob, bytes).unwrap();
    assert_eq!(workshop.build(&[]), image);
}

#[test]
fn usage_errors_exit_with_2() {
    let workshop = Workshop::new();
    for (arguments, expected) in [
        (&["--push"][..], "--tag"),
        (&["--tag=UPPER/case"], "UPPER/case"),
        (&["--tag="], "--tag"),
        (&["--compression=xz"], "xz"),
        (&["--profile"], "--profile"),
        (&["--no-such-flag"], "--no-such-flag"),
        (&["another"], "another"),
        (&["--quiet", "--verbose"], "--verbose"),
    ] {
        let run = workshop.command(arguments).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected) && !said.contains("panicked"), "{arguments:?}: {said}");
        assert!(run.stdout.is_empty());
    }
}
