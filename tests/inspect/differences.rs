//! `pybundle diff`: the differences between two artifacts.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use serde_json::{Value, json as value};

use crate::artifacts::{artifacts, json};
use crate::support::command::{fail, pybundle, succeed};
use crate::support::uv::Project;

fn diff(before: &str, after: &str) -> Value {
    json(&mut pybundle(&["diff", before, after]))
}

fn names(rows: &Value, field: &str) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
}

/// Builds the small function anew, after something was done to its project.
fn rebuilt(change: impl FnOnce(&Project)) -> (Project, String) {
    let original = &artifacts().small;
    let project = Project::new(&[
        ("pyproject.toml", &original.read("pyproject.toml")),
        ("uv.lock", &original.read("uv.lock")),
        ("app.py", &original.read("app.py")),
        ("bin/run.sh", &original.read("bin/run.sh")),
    ]);
    change(&project);
    let output = project.path().join("out/small.zip").display().to_string();
    let arguments = ["lambda", "--runtime=python3.12", "--include=app.py", "--include=bin", "--output", &output];
    succeed(pybundle(&arguments).current_dir(project.path()));
    (project, output)
}

#[test]
fn the_same_bytes_are_identical() {
    let artifacts = artifacts();
    let (_project, again) = rebuilt(|_| ());
    for (before, after) in [
        (artifacts.small_zip(), again),
        (artifacts.small_image(), artifacts.oci_archive()),
        (artifacts.small_image(), artifacts.docker_archive()),
    ] {
        assert_eq!(diff(&before, &after)["verdict"], "identical");
        let printed = succeed(&mut pybundle(&["diff", &before, &after, "--exit-code"]));
        assert!(printed.lines().next().unwrap().ends_with("byte-identical"), "{printed}");
    }
}

#[test]
fn one_line_is_one_file() {
    let (_project, edited) =
        rebuilt(|project| project.write("app.py", b"def handler(event, context):\n    return 2\n"));
    let before = artifacts().small_zip();
    let report = diff(&before, &edited);
    assert_eq!(report["verdict"], "different");
    assert_eq!(names(&report["files"], "path"), ["app.py"]);
    assert_eq!((&report["files"][0]["change"], &report["distributions"]), (&value!("content"), &value!([])));
    assert_eq!(report["files"][0]["size_after"], 42);
    // Differing is a failure only if that is asked for.
    succeed(&mut pybundle(&["diff", &before, &edited]));
    let run = pybundle(&["diff", &before, &edited, "--exit-code"]).output().unwrap();
    assert_eq!((run.status.code(), run.stderr.as_slice()), (Some(1), &b""[..]));
    let printed = String::from_utf8(run.stdout).unwrap();
    assert!(printed.contains("files (1)") && printed.contains("~ app.py") && printed.contains("content"), "{printed}");
}

#[test]
fn modes_and_added_and_removed_files_are_told() {
    use std::os::unix::fs::PermissionsExt;
    let (_project, edited) = rebuilt(|project| {
        project.write("bin/other.sh", b"#!/bin/sh\n");
        fs::remove_file(project.path().join("bin/run.sh")).unwrap();
        fs::set_permissions(project.path().join("app.py"), fs::Permissions::from_mode(0o755)).unwrap();
    });
    let report = diff(&artifacts().small_zip(), &edited);
    let changes: Vec<_> =
        report["files"].as_array().unwrap().iter().map(|row| (&row["path"], &row["change"])).collect();
    assert_eq!(value!(changes), value!([["app.py", "mode"], ["bin/other.sh", "added"], ["bin/run.sh", "removed"]]));
    assert_eq!(
        (&report["files"][0]["mode_before"], &report["files"][0]["mode_after"]),
        (&value!("0644"), &value!("0755"))
    );
}

#[test]
fn another_version_is_one_change_of_a_distribution() {
    let (_project, other) = rebuilt(|project| {
        let text = project.read("pyproject.toml");
        let text = text.replace("idna==3.10", "idna==3.9").replace("jmespath==1.0.1", "six==1.17.0");
        project.write("pyproject.toml", text.as_bytes());
        project.uv(&["lock"]);
        project.write("app.py", b"import jmespath\n\n\ndef handler(event, context):\n    return 1\n");
    });
    let report = diff(&artifacts().small_zip(), &other);
    let changes: Vec<_> = report["distributions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["name"], &row["before"], &row["after"]))
        .collect();
    assert_eq!(
        value!(changes),
        value!([["idna", "3.10", "3.9"], ["jmespath", "1.0.1", null], ["six", null, "1.17.0"]])
    );
    let printed = succeed(&mut pybundle(&["diff", &artifacts().small_zip(), &other]));
    for line in ["~  idna      3.10 → 3.9", "-  jmespath  1.0.1", "+  six       1.17.0", "of these distributions"] {
        assert!(printed.contains(line), "{printed}");
    }
    // Their files are no news.
    assert!(!printed.contains("idna/core.py"), "{printed}");
}

#[test]
fn configurations_are_compared_by_their_parts() {
    let artifacts = artifacts();
    let output = format!("oci:{}", artifacts.path("other-configuration").display());
    let mut command = pybundle(&["image", "--output", &output, "--env=MODE=test", "--label=team=blue", "--user=1234"]);
    succeed(command.args(artifacts.image_arguments()).current_dir(artifacts.small.path()));
    let report = diff(&artifacts.small_image(), &output);
    assert_eq!(names(&report["properties"], "name"), ["User", "env MODE", "label team"]);
    assert_eq!(
        (&report["properties"][1]["before"], &report["properties"][1]["after"]),
        (&value!(null), &value!("test"))
    );
    assert_eq!((&report["files"], &report["distributions"]), (&value!([]), &value!([])));
    let printed = succeed(&mut pybundle(&["diff", &artifacts.small_image(), &output]));
    assert!(printed.contains("+ env MODE = test") && printed.contains("configuration (3)"), "{printed}");
}

#[test]
fn equal_contents_in_other_bytes_say_why() {
    let artifacts = artifacts();
    // The program that makes zips in the order of the directory, with times, and its own compression.
    let zip = artifacts.small_zip();
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    fs::create_dir(&tree).unwrap();
    succeed(std::process::Command::new("unzip").args(["-q", &zip, "-d"]).arg(&tree));
    let other = directory.path().join("other.zip");
    let mut command = std::process::Command::new("zip");
    succeed(command.args(["-q", "-r", "-D", "-X", "-1"]).arg(&other).arg(".").current_dir(&tree));
    let report = diff(&zip, other.to_str().unwrap());
    assert_eq!(report["verdict"], "equal", "{report:#}");
    let reasons = value!(["the order of the files", "the compression"]);
    assert_eq!(report["reasons"], reasons);

    let copied = directory.path().join("times.zip");
    with_times(zip.as_ref(), &copied);
    assert_eq!(diff(&zip, copied.to_str().unwrap())["reasons"], value!(["the times of the files"]));
    let printed = succeed(&mut pybundle(&["diff", &zip, copied.to_str().unwrap()]));
    assert!(printed.contains("equal contents, different bytes: the times of the files"), "{printed}");

    let report = diff(&artifacts.small_image(), &artifacts.zstd());
    assert_eq!(
        (&report["verdict"], &report["reasons"]),
        (&value!("equal"), &value!(["the compression of the layers"]))
    );
}

/// Copies a zip with another date in every header.
fn with_times(from: &Path, to: &Path) {
    let mut bytes = Vec::new();
    fs::File::open(from).unwrap().read_to_end(&mut bytes).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes.clone())).unwrap();
    for index in 0..archive.len() {
        let central = archive.by_index_raw(index).unwrap().central_header_start() as usize;
        bytes[central + 14..central + 16].copy_from_slice(&0x5a21_u16.to_le_bytes());
    }
    fs::File::create(to).unwrap().write_all(&bytes).unwrap();
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let zip = artifacts().small_zip();
    let said = fail(&mut pybundle(&["diff", &zip, "nowhere.zip"]));
    assert!(said.contains("`nowhere.zip` does not exist"), "{said}");
    // Each command says what it accepts.
    let directory = tempfile::tempdir().unwrap();
    let [text, empty] = ["notes.txt", "empty"].map(|name| directory.path().join(name).to_str().unwrap().to_owned());
    fs::write(&text, "notes").unwrap();
    fs::create_dir(&empty).unwrap();
    let formats = "OCI layout, an OCI archive or a Docker archive\nhint: ";
    for (words, expected) in [
        (&["inspect", text.as_str()][..], format!("{text} is not a zip, an {formats}pass what `pybundle lambda` or")),
        (&["verify", &text], format!("{text} is not a zip, an {formats}")),
        (&["diff", &zip, &text], format!("{text} is not a zip, an {formats}")),
        (&["push", &text, "localhost:1/a:1"], format!("{text} is not an {formats}use oci:DIR, oci-archive:FILE or")),
        (&["push", &empty, "localhost:1/a:1"], format!("{empty} is not an {formats}")),
        (&["push", &zip, "localhost:1/a:1"], format!("cannot push {zip}: it is a zip, not an image\nhint: ")),
        // Without the prefix, it would be none either.
        (
            &["inspect", &format!("oci:{empty}")],
            format!("{empty} is not an OCI layout: it has no `oci-layout`\nhint: use oci:DIR, "),
        ),
    ] {
        let said = fail(&mut pybundle(words));
        assert!(said.starts_with(&format!("error: {expected}")), "{words:?}: {said}");
    }
}
