//! The commands of `pybundle apt`, over a base with the package database of a slim image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::base_image;
use crate::support::bases;
use crate::support::command::{fail, pybundle, repository, succeed};

/// A project of which an image requests packages.
struct Project {
    directory: TempDir,
}

const OS_RELEASE: &str = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";

/// A package of the base: the C library, and one that an upgrade replaces.
fn status(architecture: &str) -> String {
    let package = |name: &str, version: &str, fields: &str| {
        format!(
            "Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: {architecture}\n{fields}\n"
        )
    };
    package("libc6", "2.36-9+deb12u10", "Multi-Arch: same\n")
        + &package("zlib1g", "1:1.1.0-1", "Multi-Arch: same\nDepends: libc6 (>= 2.14)\n")
        + &package("libssl3", "3.0.0-1", "Depends: libc6\n")
}

impl Project {
    fn new(configuration: &str) -> Self {
        let project = Self { directory: tempfile::tempdir().unwrap() };
        let example = repository().join("testdata/example");
        for name in ["pyproject.toml", "uv.lock"] {
            fs::copy(example.join(name), project.path().join(name)).unwrap();
        }
        let pyproject = fs::read_to_string(project.path().join("pyproject.toml")).unwrap();
        let (head, _) = pyproject.split_once("[tool.pybundle").unwrap_or((&pyproject, ""));
        let [amd64, arm64] = ["amd64", "arm64"].map(status);
        let files = |status| [("etc/os-release", OS_RELEASE), ("var/lib/dpkg/status", status)];
        let base = project.path().join("base");
        base_image::write(&base, &[("amd64", &files(&amd64)), ("arm64", &files(&arm64))]);
        fs::write(project.path().join("pyproject.toml"), format!("{head}{configuration}")).unwrap();
        project
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn lock(&self) -> PathBuf {
        self.path().join("apt.lock")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pybundle(&[&["apt"], arguments].concat());
        command.current_dir(self.path());
        command
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&succeed(&mut self.command(&[arguments, &["--json"]].concat()))).unwrap()
    }
}

const CONFIGURATION: &str = "[tool.pybundle]\nbase = \"oci:base\"\n\n[tool.pybundle.target.web]\nkind = \"image\"\ncmd = [\"python\"]\napt = [\"tini\", \"libxml2\"]\nplatform = [\"amd64\", \"arm64\"]\n";

#[test]
fn what_is_requested_is_locked_for_each_platform() {
    let project = Project::new(CONFIGURATION);
    let report = project.json(&["lock"]);
    assert_eq!(report["written"], true);
    let architectures: Vec<_> =
        report["closures"].as_array().unwrap().iter().map(|closure| &closure["architecture"]).collect();
    assert_eq!(architectures, ["amd64", "arm64"]);
    let first = fs::read_to_string(project.lock()).unwrap();
    for expected in
        ["requested = [\"libxml2\", \"tini\"]", "name = \"libicu72\"", "architecture = \"arm64\"", "signed-by = [\""]
    {
        assert!(first.contains(expected), "{expected}\n{first}");
    }
    // What the base has is not locked, and what it has in too old a version is replaced.
    assert!(!first.contains("name = \"libc6\""), "{first}");
    assert!(
        first.lines().any(|line| line.contains("name = \"zlib1g\"") && line.contains("replaces = \"1:1.1.0-1\"")),
        "{first}"
    );

    // Nothing changes without --upgrade, and no network is needed.
    let again = project.json(&["lock", "--offline"]);
    assert_eq!((&again["written"], &again["closures"][0]["kept"]), (&Value::from(false), &Value::from(true)));
    assert_eq!(fs::read_to_string(project.lock()).unwrap(), first);
    // The lock is the same from any machine's state.
    fs::remove_file(project.lock()).unwrap();
    project.json(&["lock"]);
    assert_eq!(fs::read_to_string(project.lock()).unwrap(), first);

    let list = project.json(&["list"]);
    let names: Vec<_> =
        list["packages"].as_array().unwrap().iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"tini") && names.contains(&"libicu72"), "{names:?}");
    assert_eq!(project.json(&["why", "libicu72"])["paths"], serde_json::json!([["libxml2", "libicu72"]]));
    let text = succeed(&mut project.command(&["why", "libicu72"]));
    assert_eq!(text.trim(), "libxml2 → libicu72");
    let error = fail(&mut project.command(&["why", "libicu7"]));
    assert!(error.contains("apt.lock has no package `libicu7`\nhint: did you mean `libicu72`?"), "{error}");
    let error = fail(&mut project.command(&["why", "firefox"]));
    assert!(error.contains("hint: list what is locked with `pybundle apt list`"), "{error}");
}

#[test]
fn what_is_outdated_is_shown_and_upgraded() {
    let project = Project::new(CONFIGURATION);
    project.json(&["lock"]);
    let current = fs::read_to_string(project.lock()).unwrap();
    assert_eq!(project.json(&["outdated"])["changes"], serde_json::json!([]));

    // As if locked when tini had another build.
    let tini = current.lines().find(|line| line.contains("name = \"tini\", version")).unwrap();
    let version = tini.split('"').nth(3).unwrap();
    let outdated = current.replace(version, "0.19.0-0");
    fs::write(project.lock(), &outdated).unwrap();
    assert_eq!(project.json(&["lock"])["written"], false);
    let changes = project.json(&["outdated"])["changes"].clone();
    assert_eq!(changes[0]["name"], "tini");
    assert_eq!((&changes[0]["from"], &changes[0]["to"]), (&Value::from("0.19.0-0"), &Value::from(version)));
    assert_eq!(fs::read_to_string(project.lock()).unwrap(), outdated);
    let text = succeed(&mut project.command(&["outdated"]));
    assert!(text.contains(&format!("updated tini 0.19.0-0 to {version} on amd64")), "{text}");
    assert_eq!(project.json(&["lock", "--upgrade", "tini"])["written"], true);
    assert_eq!(fs::read_to_string(project.lock()).unwrap(), current);
    fs::write(project.lock(), &outdated).unwrap();
    let error = fail(&mut project.command(&["lock", "--upgrade", "tinii"]));
    assert!(error.contains("apt.lock has no package `tinii`\nhint: did you mean `tini`?"), "{error}");
    assert_eq!(fs::read_to_string(project.lock()).unwrap(), outdated);
    // A misspelled name would allow nothing, either.
    let mut build = pybundle(&["image", "web", "--dry-run", "--apt-allow-unconfigured=tinii"]);
    let error = fail(build.current_dir(project.path()));
    assert!(error.contains("apt.lock has no package `tinii`\nhint: did you mean `tini`?"), "{error}");
    let mut build = pybundle(&["image", "web", "--dry-run", "--apt-allow-unconfigured=tini"]);
    let error = fail(build.current_dir(project.path()));
    assert!(error.contains("the base has no Python"), "{error}");
    assert_eq!(project.json(&["lock", "--upgrade"])["written"], true);
    assert_eq!(fs::read_to_string(project.lock()).unwrap(), current);
}

#[test]
fn what_cannot_be_locked_writes_nothing() {
    for (apt, expected) in [
        ("\"tinii\"", "no archive of the base's release has the package `tinii`\nhint: did you mean `tini`?"),
        ("\"tini=1\"", "no archive has version 1 of `tini`: available are "),
        ("\"mail-transport-agent\"", "`mail-transport-agent` is a virtual package that several packages provide: "),
    ] {
        let project = Project::new(&CONFIGURATION.replace("\"tini\", \"libxml2\"", apt));
        let error = fail(&mut project.command(&["lock"]));
        assert!(error.contains(expected), "{error}");
        assert!(!project.lock().exists());
    }
    let project = Project::new(&CONFIGURATION.replace("apt = [\"tini\", \"libxml2\"]\n", ""));
    let error = fail(&mut project.command(&["lock"]));
    assert!(
        error.contains(
            "no image requests system packages\nhint: request some in [tool.pybundle], for instance apt = [\"libpq5\"]"
        ),
        "{error}"
    );
    let error = fail(&mut project.command(&["list"]));
    assert!(error.contains("no image requests system packages"), "{error}");
    // What is requested by flags is locked by the same flags, as the hint says.
    let mut build = pybundle(&["image", "--apt", "tini", "--platform", "linux/arm64", "--no-compile-bytecode"]);
    let error = fail(build.current_dir(project.path()));
    let command = "pybundle apt lock --target web --platform linux/arm64 --apt tini";
    assert!(
        error.contains(&format!(
            "apt.lock does not exist, but the image contains system packages\nhint: run `{command}`, and commit apt.lock"
        )),
        "{error}"
    );
    let arguments: Vec<&str> = command.split(' ').skip(2).collect();
    let locked = project.json(&arguments);
    assert_eq!(locked["closures"][0]["requested"], serde_json::json!(["tini"]), "{locked}");
    assert_eq!(locked["closures"][0]["architecture"], "arm64", "{locked}");
    let error = fail(build.current_dir(project.path()));
    assert!(!error.contains("apt.lock"), "{error}");

    let project = Project::new(CONFIGURATION);
    let alpine = base_image::write(
        &project.path().join("alpine"),
        &[("amd64", &[("etc/os-release", "ID=alpine\nNAME=\"Alpine Linux\"\n"), ("var/lib/dpkg/status", "")])],
    );
    let base = format!("oci:{}", alpine.display());
    let error = fail(&mut project.command(&["lock", "--base", &base, "--platform", "amd64"]));
    assert!(error.contains("the base is Alpine Linux, which has no dpkg: expected Debian or Ubuntu"), "{error}");
    let base = bases::lambda().argument();
    let error = fail(&mut project.command(&["lock", "--base", &base, "--platform", bases::platform()]));
    assert!(error.contains("the base is Amazon Linux, which has no dpkg: expected Debian or Ubuntu"), "{error}");
    assert!(error.contains("hint: include a library of Amazon Linux: --include libpq.so.5:lib/libpq.so.5"), "{error}");
    fs::write(project.lock(), "version = 1\nclosures = []\n").unwrap();
    let error = fail(&mut project.command(&["lock"]));
    assert!(error.contains("(line 2): unknown field `closures`"), "{error}");
    assert!(error.contains("hint: delete it and run `pybundle apt lock`; do not edit it by hand"), "{error}");
    fs::write(project.lock(), "version = 2\n").unwrap();
    let error = fail(&mut project.command(&["lock"]));
    assert!(error.contains("hint: upgrade pybundle, or delete the lock and run `pybundle apt lock`"), "{error}");
}

#[test]
fn a_second_interpreter_is_warned_of() {
    let project = Project::new(&CONFIGURATION.replace("\"libxml2\"", "\"python3-six\""));
    let output = project.command(&["lock"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("python3-six is for Debian's Python, which it adds beside that of the base"), "{text}");
}

#[test]
fn the_package_of_a_file_is_found() {
    let project = Project::new("");
    let found = project.json(&["search-file", "libGL.so.1"]);
    assert_eq!(
        found["packages"],
        serde_json::json!([
            { "release": "Debian 12", "package": "libgl1" }, { "release": "Debian 13", "package": "libgl1" }
        ])
    );
    assert_eq!(project.json(&["search-file", "/usr/bin/ffmpeg"])["packages"][0]["package"], "ffmpeg");
    let error = fail(&mut project.command(&["search-file", "libnonsense.so.9"]));
    assert!(error.contains("neither Debian 12 nor Debian 13 has a package with `libnonsense.so.9`"), "{error}");
}

#[test]
fn an_archive_of_the_configuration_is_used_with_its_key() {
    let archive = crate::archives::TestArchive::new(&crate::archives::package("acme-tool", "1", "Depends: libc6\n"));
    let keyring = archive.gpg.keyring("acme.asc", &["archive"]);
    let uri = archive.server.url("/debian");
    let table =
        format!("\n[[tool.pybundle.apt-source]]\nuris = [\"{uri}\"]\nsuites = [\"stable\"]\ncomponents = [\"main\"]\n");
    let configuration = CONFIGURATION.replace("\"tini\", \"libxml2\"", "\"acme-tool\"").replace(", \"arm64\"]", "]");

    let project = Project::new(&(configuration.clone() + &table + "signed-by = \"acme.asc\"\n"));
    let error = fail(&mut project.command(&["lock"]));
    assert!(error.contains("cannot read the keyring ") && error.contains("acme.asc"), "{error}");
    assert!(error.contains("hint: set `signed-by` of the source to a file with the archive's public key"), "{error}");
    fs::copy(&keyring, project.path().join("acme.asc")).unwrap();
    project.json(&["lock"]);
    let lock = fs::read_to_string(project.lock()).unwrap();
    assert!(lock.contains(&format!("\"{uri} stable main\"]")), "{lock}");
    assert!(lock.contains(&archive.gpg.fingerprint("archive")), "{lock}");
    assert!(lock.contains("pool/acme-tool_1_amd64.deb"), "{lock}");

    // By a key that neither Debian nor the configuration has.
    let project = Project::new(&(configuration + &table));
    let error = fail(&mut project.command(&["lock"]));
    assert!(error.contains("has no good signature by a trusted key"), "{error}");
    assert!(!project.lock().exists());
}

/// Images without dpkg have a file for each package in status.d, which scanners read.
#[test]
fn a_base_without_dpkg_keeps_the_form_of_its_database() {
    let base = bases::distroless();
    let configuration = CONFIGURATION
        .replace("oci:base", &base.argument())
        .replace("\"libxml2\"", "\"libpq5\"")
        .replace("[\"amd64\", \"arm64\"]", &format!("[\"{}\"]", bases::platform()));
    let project = Project::new("");
    let alone = "[project]\nname = \"example\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = []\n";
    let locked = "version = 1\nrequires-python = \">=3.9\"\n[[package]]\nname = \"example\"\nversion = \"1\"\n\
                  source = { virtual = \".\" }\n";
    for (name, text) in [("pyproject.toml", &*format!("{alone}{configuration}")), ("uv.lock", locked), ("app.py", "")] {
        fs::write(project.path().join(name), text).unwrap();
    }
    project.json(&["lock"]);
    let locked = fs::read_to_string(project.lock()).unwrap();
    assert!(!locked.contains("name = \"libc6\"") && locked.contains("name = \"libldap"), "{locked}");
    let image = format!("oci:{}", project.path().join("image").display());
    let mut build = pybundle(&["image", "--no-compile-bytecode", "-o", &image]);
    succeed(build.current_dir(project.path()));
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&succeed(&mut pybundle(arguments))).unwrap() };
    let difference = json(&["diff", "--json", &base.argument(), &image]);
    let paths: Vec<&str> =
        difference["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    for name in ["tini", "libpq5"] {
        let added = difference["packages"].as_array().unwrap().iter().any(|package| package["name"] == name);
        assert!(added, "{difference}");
        for path in [format!("var/lib/dpkg/status.d/{name}"), format!("var/lib/dpkg/status.d/{name}.md5sums")] {
            assert!(paths.contains(&path.as_str()), "{path}: {paths:?}");
        }
    }
    assert!(
        !paths.contains(&"var/lib/dpkg/status") && !paths.iter().any(|path| path.contains("dpkg/info")),
        "{paths:?}"
    );
    let inspected = json(&["inspect", "--json", &image]);
    let names: Vec<&str> =
        inspected["packages"].as_array().unwrap().iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert!(["netbase", "tini"].iter().all(|name| names.contains(name)), "of the base, and above it: {names:?}");

    // The lock is for this request, this base and these sources.
    let refused = |arguments: &[&str], expected: &str| {
        let mut build = pybundle(&[&["image", "-o", &image], arguments].concat());
        let error = fail(build.current_dir(project.path()));
        assert!(error.contains(&format!("apt.lock is not up to date: {expected}")), "{error}");
        error
    };
    let requested = "`curl` is requested and not locked, `libpq5` is locked and not requested";
    let error = refused(&["--apt", "curl", "--apt", "tini"], requested);
    assert!(
        error.contains("hint: run `pybundle apt lock --target web --apt curl --apt tini`, and commit apt.lock"),
        "{error}"
    );
    let base = bases::slim().argument();
    let error = refused(&["--base", &base], "sha256:");
    assert!(
        error.contains(&format!("hint: run `pybundle apt lock --target web --base {base}`, and commit apt.lock")),
        "{error}"
    );
    let source = "[[tool.pybundle.apt-source]]\nuris = \"http://example.org/debian\"\nsuites = \"stable\"\ncomponents = \"main\"\n";
    let mut build = pybundle(&["image", "-o", &image, "--base", &bases::lambda().argument()]);
    let error = fail(build.current_dir(project.path()));
    assert!(error.contains("the base is Amazon Linux, which has no dpkg: expected Debian or Ubuntu"), "{error}");
    let changed = format!("{alone}{configuration}\n{source}");
    fs::write(project.path().join("pyproject.toml"), changed).unwrap();
    refused(&[], "`http://example.org/debian stable main` is a source of packages now");
}
