//! The outputs of an image, and the report.

use std::fs;

use serde_json::Value;

use crate::built;
use crate::support::command::{pybundle, succeed};
use crate::workshop::{Workshop, listing};

#[test]
fn an_archive_in_dist_is_the_default() {
    let workshop = Workshop::new();
    let printed = succeed(&mut workshop.command(&["--tag=example.org/team/app:1.0", "--entrypoint=python app.py"]));
    assert!(workshop.path("project/dist/example.tar").is_file());
    let image = workshop.build(&["--entrypoint=python app.py"]);
    assert!(printed.starts_with(&image.digest), "{printed}");
    for part in [
        "image of example for Python 3.12",
        "service, Python 3.12 (the newest that requires-python >=3.9 allows)",
        "app.py, shop/",
        "python app.py, as user 65532:65532",
        "oci-archive:project/dist/example.tar",
    ] {
        assert!(printed.contains(part), "{part} is not in: {printed}");
    }
    let verbose = succeed(&mut workshop.command(&["--verbose"]));
    assert!(image.holds().iter().all(|holds| verbose.contains(holds)), "{verbose}");
    assert!(verbose.contains("command   none: set --entrypoint or --cmd\n"), "{verbose}");
}

#[test]
fn json_is_one_document_that_matches_what_was_written() {
    let workshop = Workshop::new();
    let tag = "--tag=example.org/team/app:1.0";
    let report = workshop.report(&["--output=oci:out", "--output=oci-archive:out.tar", tag, "--expose=80"]);
    let image = built::image(&workshop.path("out"));
    assert_eq!(report["format"], 1);
    assert_eq!(report["project"], "example");
    assert_eq!(report["digest"], image.digest.as_str());
    assert_eq!(report["outputs"], serde_json::json!(["oci:out", "oci-archive:out.tar"]));
    assert_eq!(report["pushed"], Value::Null);
    assert_eq!(report["base"]["name"], "oci:base");
    assert_eq!(report["base"]["pinned"], true);
    assert_eq!(report["start"]["ports"], serde_json::json!(["80/tcp"]));
    assert_eq!(report["start"]["entrypoint"], serde_json::json!([]));
    let platform = &report["platforms"][0];
    assert_eq!(platform["digest"], image.digest.as_str());
    assert_eq!(platform["base_digest"], image.manifest["annotations"]["org.opencontainers.image.base.digest"]);
    let sizes = image.manifest["layers"].as_array().unwrap().iter().map(|layer| layer["size"].as_u64().unwrap());
    assert_eq!(platform["size"], sizes.sum::<u64>());
    let layers = platform["layers"].as_array().unwrap();
    assert_eq!(layers.len(), image.own().len());
    for (reported, layer) in layers.iter().zip(image.own()) {
        assert_eq!(reported["digest"], layer.digest.as_str());
        assert_eq!(reported["diff_id"], layer.diff_id.as_str());
        assert_eq!(reported["holds"], layer.holds.as_str());
    }
    let names = platform["distributions"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["example-banner", "example-greeting", "example-tally"]);
    // The names of the image are in the layout.
    let index: Value = serde_json::from_slice(&fs::read(workshop.path("out/index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"], "1.0");
}

#[test]
fn quiet_prints_nothing() {
    let workshop = Workshop::new();
    let run = workshop.command(&["--quiet"]).output().unwrap();
    assert!(run.status.success() && run.stdout.is_empty() && run.stderr.is_empty());
}

#[test]
fn a_dry_run_writes_nothing() {
    let workshop = Workshop::new();
    let before = listing(&workshop.path(""));
    let both = ["--dry-run", "--platform=linux/amd64,linux/arm64", "--output=oci:out", "--output=docker-archive:a"];
    let said = workshop.fail(&mut workshop.command(&both));
    assert!(said.contains("a Docker archive contains the image for one platform"), "{said}");
    let printed = succeed(&mut workshop.command(&both[..3]));
    for part in [
        "example for service with Python 3.12 on x86_64",
        "example for service with Python 3.12 on arm64",
        "base: oci:base\n",
        "example-tally",
        "application: app.py, shop/",
    ] {
        assert!(printed.contains(part), "{part} is not in: {printed}");
    }
    assert_eq!(printed.matches("would write oci:out").count(), 1, "{printed}");
    let report = succeed(workshop.command(&both[..3]).arg("--json"));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["format"], &report["python"]), (&1.into(), &"3.12".into()));
    assert_eq!(report["outputs"], serde_json::json!(["oci:out"]));
    assert_eq!(report["platforms"][1]["target"]["architecture"], "arm64");
    assert_eq!(listing(&workshop.path("")), before);
    assert!(!workshop.path("cache").exists());
}

#[test]
fn an_image_never_contains_an_earlier_output() {
    let workshop = Workshop::new();
    for output in ["oci:project/out", "oci-archive:project/out.tar", "docker-archive:project/docker.tar"] {
        let build = || {
            let report = workshop.report(&["--include=.:.", "--exclude=/index", "--output", output]);
            report["digest"].clone()
        };
        assert_eq!(build(), build(), "{output}");
    }
}

#[test]
fn an_image_never_contains_the_development_environment() {
    let workshop = Workshop::new();
    let arguments = ["--include=.:.", "--exclude=/index"];
    let before = workshop.build(&arguments);
    workshop.write(".venv/pyvenv.cfg", "home = /usr/bin\n");
    workshop.write(".venv/bin/python", "");
    workshop.write("shop/__pycache__/prices.cpython-312.pyc", "");
    workshop.write(".git/config", "");
    workshop.write(".env", "PASSWORD=s3cret\n");
    let after = workshop.build(&arguments);
    assert_eq!(after.tree().keys().collect::<Vec<_>>(), before.tree().keys().collect::<Vec<_>>());
}

#[test]
fn a_pushed_file_must_exist() {
    let workshop = Workshop::new();
    let mut push = pybundle(&["push", "nowhere", "example.org/a:1"]);
    let said = workshop.fail(push.current_dir(workshop.path("")));
    assert!(said.contains("cannot read nowhere"), "{said}");
}

#[test]
fn two_outputs_with_one_path_are_errors() {
    let workshop = Workshop::new();
    for (one, other) in [
        ("oci:out", "oci:out"),
        ("oci:out", "oci-archive:out"),
        ("oci-archive:./out.tar", "docker-archive:out.tar"),
        ("oci-archive:project/../out.tar", "oci-archive:out.tar"),
    ] {
        let said = workshop.fail(&mut workshop.command(&["--output", one, "--output", other]));
        assert!(said.contains("is given as an output twice") && said.contains("hint: give each"), "{said}");
    }
}

#[test]
fn only_a_layout_is_replaced_by_a_layout() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path("folder")).unwrap();
    fs::write(workshop.path("folder/precious"), "x").unwrap();
    fs::write(workshop.path("file"), "x").unwrap();
    for output in ["oci:folder", "oci:project", "oci:file", "oci:file/below", "oci-archive:folder"] {
        // What can be written is not either.
        let said = workshop.fail(&mut workshop.command(&["--output", output, "--output=oci-archive:good.tar"]));
        assert!(said.contains(output.split_once(':').unwrap().1), "{output}: {said}");
    }
    assert_eq!(fs::read_to_string(workshop.path("folder/precious")).unwrap(), "x");
    // An empty directory may be, and where a link leads.
    fs::create_dir(workshop.path("empty")).unwrap();
    std::os::unix::fs::symlink("empty", workshop.path("link")).unwrap();
    for output in ["oci:empty", "oci:link"] {
        succeed(&mut workshop.command(&["--output", output]));
        built::image(&workshop.path("empty"));
    }
    assert!(workshop.path("link").is_symlink());
}

#[test]
fn an_output_without_a_format_or_with_a_name_is_a_usage_error() {
    let workshop = Workshop::new();
    let digest = format!("oci:out@sha256:{}", "0".repeat(64));
    for wrong in ["out", "out.tar", "docker:out", "oci:", "", "oci:out:1.0", &digest] {
        let run = workshop.command(&["--output", wrong]).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{wrong}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

#[test]
fn an_earlier_output_is_kept_when_a_build_fails() {
    let workshop = Workshop::new();
    let outputs = ["--output=oci:out", "--output=oci-archive:out.tar", "--output=docker-archive:docker.tar"];
    succeed(&mut workshop.command(&outputs));
    let read = || ["out/index.json", "out.tar", "docker.tar"].map(|name| fs::read(workshop.path(name)).unwrap());
    let before = read();
    let image = built::image(&workshop.path("out"));
    let wheel = workshop.path("project/index/example_banner-0.3.1-py3-none-any.whl");
    let bytes = fs::read(&wheel).unwrap();
    fs::write(&wheel, &bytes[..bytes.len() - 1]).unwrap();
    fs::remove_dir_all(workshop.path("cache")).unwrap();
    let said = workshop.fail(&mut workshop.command(&outputs));
    assert!(said.contains("example_banner"), "{said}");
    assert!(read() == before);
    assert_eq!(built::image(&workshop.path("out")), image);
}

#[test]
fn an_archive_on_standard_output_is_the_same() {
    let workshop = Workshop::new();
    for prefix in ["oci-archive", "docker-archive"] {
        succeed(&mut workshop.command(&["--output", &format!("{prefix}:expected")]));
        let run = workshop.command(&["--output", &format!("{prefix}:-")]).output().unwrap();
        assert!(run.stdout == fs::read(workshop.path("expected")).unwrap(), "{prefix}");
        assert!(String::from_utf8(run.stderr).unwrap().contains(&format!("wrote     {prefix}:-\n")));
        fs::remove_file(workshop.path("expected")).unwrap();
    }
    let said = workshop.fail(&mut workshop.command(&["--output=docker-archive:-", "--sbom=spdx"]));
    assert!(said.contains("cannot write an SBOM or provenance beside -"), "{said}");
    let run = workshop.command(&["--output=oci-archive:-", "--json"]).output().unwrap();
    assert_eq!((run.status.code(), run.stdout.len()), (Some(2), 0));
}

#[test]
fn the_base_and_other_inputs_are_no_outputs() {
    let workshop = Workshop::new();
    succeed(&mut workshop.command(&["--output=oci-archive:base.tar", "--output=docker-archive:base-docker.tar"]));
    std::os::unix::fs::symlink("base", workshop.path("link")).unwrap();
    let (tar, mut data) = (workshop.path("project/data.tar"), tar::Builder::new(Vec::new()));
    data.append_dir("data", ".").unwrap();
    fs::write(tar, data.into_inner().unwrap()).unwrap();
    let blob = fs::read_dir(workshop.path("base/blobs/sha256")).unwrap().next().unwrap().unwrap().file_name();
    let blob = format!("oci-archive:base/blobs/sha256/{}", blob.to_str().unwrap());
    for (base, output, input) in [
        ("oci:base", "oci:base", "the base image"),
        ("oci:base", "oci:link", "the base image"),
        ("oci:base", &*blob, "a part of the base image"),
        ("oci-archive:base.tar", "oci-archive:project/../base.tar", "the base image"),
        ("docker-archive:base-docker.tar", "docker-archive:base-docker.tar", "the base image"),
        ("oci:base", "oci-archive:project/uv.lock", "the lock file"),
        ("oci:base", "oci-archive:project/data.tar", "a file of the application"),
    ] {
        let said = workshop.fail(workshop.without_base(&["--output", output]).arg(format!("--base={base}")));
        assert!(said.contains(&format!(": it is {input}\n")), "{output}: {said}");
    }
    // Before a registry is asked, which nobody answers for.
    let absent = "--base=localhost:1/python:3.12";
    for (output, said) in [
        ("oci-archive:project/uv.lock", "cannot write project/uv.lock: it is the lock file"),
        ("docker-archive:project/app.py", "project/app.py already exists and is not a tar archive"),
    ] {
        let found = workshop.fail(workshop.without_base(&["--output", output]).arg(absent));
        assert!(found.contains(said) && !found.contains("localhost:1"), "{output}: {found}");
    }
    for prefix in ["oci-archive", "docker-archive"] {
        workshop.write("README.md", "precious");
        let said = workshop.fail(&mut workshop.command(&["--output", &format!("{prefix}:project/README.md")]));
        assert!(said.contains("project/README.md already exists and is not a tar archive"), "{said}");
    }
    let said = workshop.fail(&mut workshop.command(&["--output=oci:a\u{1b}b"]));
    assert!(said.contains("the path of an output has a control character: `a\\u{1b}b`"), "{said}");
}
