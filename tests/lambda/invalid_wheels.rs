//! Wheels that break the specification, and that pip installs: refused, unless `--accept-invalid` names them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::forge::{Entry, FILENAME, Forge, record_row};
use crate::support::artifact::{Leaf, comparable, differences, leaves_of_folder, leaves_of_zip, sha256};
use crate::support::command::{fail, pybundle, succeed, tool};
use crate::wheels;

const RECORD: &str = "demo-1.0.dist-info/RECORD";

/// Returns a wheel with a symbolic link whose target is `target`.
fn with_link(target: &[u8]) -> Forge {
    let mut forge = Forge::demo();
    forge.entries[0] = Entry { mode: 0o120_777, ..Entry::new("demo/a.py", target) };
    forge.set_record(|record| {
        let row = record.lines().next().unwrap();
        record.replace(&format!("{row}\n"), &record_row("demo/a.py", target))
    });
    forge
}

/// Returns a wheel whose RECORD is changed.
fn with_record(change: impl Fn(&str) -> String) -> Forge {
    let mut forge = Forge::demo();
    forge.set_record(|record| {
        let changed = change(record);
        assert_ne!(changed, record);
        changed
    });
    forge
}

/// Returns wheels that pip installs, each with the violation.
fn invalid() -> Vec<(Forge, String)> {
    let row = record_row("demo/b.py", b"b = 1\n");
    let digest = row.split(',').nth(1).unwrap().to_owned();
    let link = "`demo/a.py`: it is a symbolic link; only files and directories are allowed".to_owned();
    vec![
        (with_link(b""), link.clone()),
        (with_link(b"../../../etc/passwd"), link),
        (
            with_record(|record| record.replace(&row, &row.replace(",6\n", ",16\n"))),
            "`demo/b.py`: it has 6 bytes, but RECORD lists 16".to_owned(),
        ),
        (
            with_record(|record| record.replace(&row, &record_row("demo/b.py", b"b = 2\n"))),
            "`demo/b.py`: its sha256 digest differs from the one in RECORD".to_owned(),
        ),
        (with_record(|record| record.replace(&row, "")), "`demo/b.py`: it is not listed in RECORD".to_owned()),
        (
            with_record(|record| format!("demo/c.py,,\n{record}")),
            "`demo/c.py`: RECORD lists it, but it is missing from the wheel".to_owned(),
        ),
        (with_record(|record| format!("{record}{row}")), format!("`{RECORD}`: line 6: `demo/b.py` is listed twice")),
        (
            with_record(|record| record.replace(&digest, "md5=1B2M2Y8AsgTpgAmY7PhCfg")),
            format!("`{RECORD}`: line 2: the digest algorithm is `md5`, expected sha256, sha384, sha512 or blake2b"),
        ),
        (
            with_record(|record| record.replace(",6\n", ",six\n")),
            format!("`{RECORD}`: line 2: `six` is not a valid size"),
        ),
    ]
}

/// Returns the command that bundles a project; its wheels are in `wheels`.
fn bundle(project: &Path, arguments: &[&str]) -> Command {
    let mut command = pybundle(&["lambda", "--runtime=python3.12", "--no-index", "--find-links"]);
    command.arg(project.join("wheels")).arg("-o").arg(project.join("f.zip")).args(arguments).arg(project);
    command.env("PYBUNDLE_CACHE_DIR", project.join("cache"));
    command
}

#[test]
fn what_pip_installs_can_be_accepted_and_is_reported() {
    for (forge, violation) in invalid() {
        let project = tempfile::tempdir().unwrap();
        let wheel = project.path().join("wheels").join(FILENAME);
        fs::create_dir(project.path().join("wheels")).unwrap();
        fs::write(&wheel, forge.bytes()).unwrap();
        fs::write(project.path().join("requirements.txt"), "demo==1.0\n").unwrap();
        fs::write(project.path().join("app.py"), "").unwrap();
        let refused = format!(
            "error: {FILENAME}: {violation}\nhint: pass --accept-invalid demo to install the wheel as pip does, despite this\n"
        );
        // The second time, the wheel is in the cache.
        for _ in 0..2 {
            let message = fail(&mut bundle(project.path(), &[]));
            assert!(message.contains(&refused), "{message}");
            let message = fail(&mut bundle(project.path(), &["--accept-invalid=other"]));
            assert!(message.contains(&refused), "{message}");
        }

        let accepted = ["--accept-invalid", "demo", "--json"];
        let report: Value = serde_json::from_str(&succeed(&mut bundle(project.path(), &accepted))).unwrap();
        assert_eq!(report["distributions"][0]["violations"], serde_json::json!([violation]));
        let expected = format!("{FILENAME} is installed as pip does, although it is invalid: {violation}");
        assert_eq!(report["warnings"], serde_json::json!([expected]));

        let installed = project.path().join("installed");
        let mut pip = Command::new(tool("pip"));
        pip.args(["install", "--quiet", "--no-deps", "--no-compile", "--target"]).arg(&installed).arg(&wheel);
        succeed(&mut pip);
        let mut ours = leaves_of_zip(&project.path().join("f.zip"));
        ours.remove("app.py");
        let differing = differences(&comparable(ours), &comparable(leaves_of_folder(&installed)));
        assert!(differing.is_empty(), "{violation}: {differing:?}");
    }
}

/// Published wheels of 36 kB, 13.6 MB and 47.3 MB, each with its violations.
const PUBLISHED: [(&str, &[&str]); 3] = [
    // Its digests are hexadecimal, as uv_build wrote them before 0.8.13.
    ("bidict==0.24.0", &[]),
    ("decord==0.6.0", &["`decord-0.6.0.dist-info/top_level.txt`: it has 7 bytes, but RECORD lists 17"]),
    // The entries of its links are empty, so pip makes empty files of them: it takes 7 s for all of this wheel.
    (
        "nodejs-bin==18.4.0a4",
        &[
            "`nodejs/bin/corepack`: it is a symbolic link; only files and directories are allowed",
            "`nodejs/bin/npm`: it is a symbolic link; only files and directories are allowed",
            "`nodejs/bin/npx`: it is a symbolic link; only files and directories are allowed",
        ],
    ),
];

#[test]
fn published_wheels_are_installed_as_by_pip() {
    for (pin, violations) in PUBLISHED {
        let wheel = wheels::download(pin);
        let project = tempfile::tempdir().unwrap();
        fs::write(project.path().join("requirements.txt"), pin).unwrap();
        fs::write(project.path().join("app.py"), "").unwrap();
        let build = |arguments: &[&str]| {
            let mut command = pybundle(&["lambda", "--runtime=python3.12", "--arch=x86_64", "--no-index", "--no-deps"]);
            command.arg("--find-links").arg(wheel.parent().unwrap()).arg("-o").arg(project.path().join("f.zip"));
            command.args(["--no-audit", "--cache-dir"]).arg(project.path().join("cache"));
            command.args(arguments).arg(project.path());
            command
        };
        let name = pin.split("==").next().unwrap();
        if let Some(first) = violations.first() {
            let said = fail(&mut build(&[]));
            let hint = format!("{first}\nhint: pass --accept-invalid {name} to install the wheel as pip does");
            assert!(said.contains(&hint), "{said}");
        }
        let report: Value = serde_json::from_str(&succeed(&mut build(&["--accept-invalid", name, "--json"]))).unwrap();
        let found = report["distributions"][0]["violations"].as_array().into_iter().flatten();
        assert!(found.eq(violations.iter()), "{}", report["distributions"]);

        let mut ours = leaves_of_zip(&project.path().join("f.zip"));
        ours.remove("app.py");
        for violation in violations.iter().filter(|violation| violation.contains("symbolic link")) {
            let path = violation.split('`').nth(1).unwrap();
            assert_eq!(ours[path], Leaf { sha256: sha256(b""), executable: false }, "{path}");
        }
        if name != "nodejs-bin" {
            let installed = project.path().join("installed");
            let mut pip = Command::new(tool("pip"));
            pip.args(["install", "--quiet", "--no-deps", "--no-compile", "--platform=manylinux2014_x86_64"]);
            succeed(pip.args(["--only-binary=:all:", "--target"]).arg(&installed).arg(&wheel));
            let differing = differences(&comparable(ours), &comparable(leaves_of_folder(&installed)));
            assert!(differing.is_empty(), "{pin}: {differing:?}");
        }
    }
}

/// What readers of zips understand differently, and what leaves the target directory, is not accepted.
#[test]
fn protections_stay() {
    let mut doubled = Forge::demo();
    doubled.entries.insert(1, Entry::new("demo/a.py", b"other"));
    let outside = Forge::wheel(&[("../a.py", b"")]);
    let mut encrypted = Forge::demo();
    encrypted.entries[0].both(|header| header.flags |= 1);
    let mut zstandard = Forge::demo();
    zstandard.entries[0].both(|header| header.method = 93);
    let trailing = Forge { suffix: b"x".to_vec(), ..Forge::demo() };
    for (forge, reason) in [
        (doubled, "two entries have this name"),
        (outside, "its name is invalid"),
        (encrypted, "it is encrypted"),
        (
            zstandard,
            "`demo/a.py`: it is compressed with Zstandard (method 93); only stored and deflated entries are supported",
        ),
        (trailing, "follow the end of the archive"),
    ] {
        let project = tempfile::tempdir().unwrap();
        fs::create_dir(project.path().join("wheels")).unwrap();
        fs::write(project.path().join("wheels").join(FILENAME), forge.bytes()).unwrap();
        fs::write(project.path().join("requirements.txt"), "demo==1.0\n").unwrap();
        fs::write(project.path().join("app.py"), "").unwrap();
        let message = fail(&mut bundle(project.path(), &["--accept-invalid=demo"]));
        assert!(message.contains(reason) && !message.contains("pass --accept-invalid"), "{message}");
    }
}
