//! Records of what functions contain, shared through a directory: a machine without the wheels writes the same zip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::edits::Noise;
use crate::http::{Answer, Server};
use crate::support::artifact::sha256;
use crate::support::command::succeed;
use crate::support::leftovers::leftovers;
use crate::support::wheel_with;

/// A project whose requirements are files of a server, in a directory that the caches of several machines are in, too.
struct Fleet {
    directory: TempDir,
    server: Server,
    wheels: Vec<String>,
}

impl Fleet {
    fn new() -> Self {
        let mut fleet = Self { directory: tempfile::tempdir().unwrap(), server: Server::start(), wheels: Vec::new() };
        // What cannot be compressed, and is worth sharing.
        let noise = Noise(1).bytes(3 << 20);
        let large = [
            ("large/__init__.py", &b"VALUE = 1\n"[..]),
            ("large/noise.bin", &noise),
            ("large/tests/test_large.py", b""),
        ];
        let script: [(&str, &[u8]); 2] = [
            ("small/__init__.py", b"def main():\n    return 2\n"),
            ("small-1.0.dist-info/entry_points.txt", b"[console_scripts]\nsmall = small:main\n"),
        ];
        let pins = [fleet.serve("large", &large), fleet.serve("small", &script)];
        fleet.write("project/requirements.txt", pins.concat());
        fleet.edit(0);
        fleet
    }

    /// Serves a wheel, and returns the line that pins it.
    fn serve(&mut self, name: &str, files: &[(&str, &[u8])]) -> String {
        let wheel = wheel_with(name, "1.0", files);
        let path = format!("/{name}-1.0-py3-none-any.whl");
        self.server.answer(&path, [Answer::file(&wheel)]);
        let line = format!("{name} @ {} --hash=sha256:{}\n", self.server.url(&path), sha256(&wheel));
        self.wheels.push(path);
        line
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    /// Changes the application.
    fn edit(&self, edit: usize) {
        let code =
            format!("import large\nimport small\n\ndef handler(event, context):\n    return {edit} + large.VALUE\n");
        self.write("project/app.py", code);
    }

    /// Returns a command on a machine whose cache has a name.
    fn on(&self, machine: &str, command: &str, arguments: &[&str]) -> Command {
        let mut on = Command::new(env!("CARGO_BIN_EXE_pybundle"));
        on.arg(command).arg("--no-progress").args(arguments).current_dir(self.directory.path());
        on.env("PYBUNDLE_CACHE_DIR", self.path(machine)).env_remove("PYBUNDLE_REMOTE_CACHE");
        on
    }

    /// Builds a function, and returns the report and what was said.
    fn builds(&self, machine: &str, remote: &str, arguments: &[&str]) -> (Value, String) {
        let common = ["project", "--runtime=python3.12", "--handler=app.handler", "--output=out.zip"];
        let mut command = self.on(machine, "lambda", &[&common[..], arguments].concat());
        let output = command.arg("--json").env("PYBUNDLE_REMOTE_CACHE", remote).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let left = leftovers(self.directory.path()).into_iter();
        let left: Vec<_> = left.filter(|path| !path.parent().unwrap().ends_with("shared")).collect();
        assert_eq!(left, [] as [PathBuf; 0]);
        (serde_json::from_slice(&output.stdout).unwrap(), said)
    }

    /// Returns how many wheels the server has sent.
    fn sent(&self) -> usize {
        self.wheels.iter().map(|path| self.server.requests(path).len()).sum()
    }

    /// Returns the files with what zips begin with.
    fn starts(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path("shared")).into_iter().flatten().map(|file| file.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "zip-start")).collect()
    }
}

fn digests(report: &Value) -> Vec<&Value> {
    report["artifacts"].as_array().unwrap().iter().map(|artifact| &artifact["sha256"]).collect()
}

/// The remote cache may be a directory of the project: the application does not contain it, with or without the flag.
#[test]
fn records_in_the_project_are_not_bundled() {
    let fleet = Fleet::new();
    let (first, said) = fleet.builds("warm", "./project/shared", &[]);
    assert_eq!(first["remote_cache"]["written"], true, "{said}");
    for remote_cache in ["./project/shared", "off"] {
        let (next, said) = fleet.builds("warm", remote_cache, &[]);
        assert_eq!(digests(&next), digests(&first), "{said}");
    }
}

#[test]
fn a_machine_without_wheels_writes_the_zip_of_one_that_has_them() {
    let fleet = Fleet::new();
    let variants: [&[&str]; 4] = [
        &[],
        &["--compile-bytecode", "--sbom=cyclonedx", "--provenance"],
        &["--slim", "--strip"],
        &["--layer=layer.zip"],
    ];
    for (at, arguments) in variants.into_iter().enumerate() {
        fleet.edit(0);
        let (first, said) = fleet.builds("warm", "./shared", arguments);
        assert_eq!(first["remote_cache"]["written"], true, "{arguments:?}: {said}");
        assert_eq!(fleet.starts().len(), at + 1, "{arguments:?}");
        for edit in 1..3 {
            fleet.edit(edit);
            let (expected, _) = fleet.builds("warm", "off", arguments);
            let before = fleet.sent();
            for output in ["out.zip", "layer.zip"] {
                let _ = fs::remove_file(fleet.path(output));
            }
            let (cold, said) = fleet.builds(&format!("cold-{at}"), "read=./shared", arguments);
            assert_eq!(digests(&cold), digests(&expected), "{arguments:?}: {said}");
            for (output, digest) in ["out.zip", "layer.zip"].iter().zip(digests(&expected)) {
                assert_eq!(sha256(&fs::read(fleet.path(output)).unwrap()), digest.as_str().unwrap());
            }
            let used = &cold["remote_cache"];
            assert_eq!(
                (&used["read"], &used["known"], &used["fetched"], fleet.sent()),
                (&json!("exact"), &json!(2), &json!(0), before),
                "{arguments:?}: {said}"
            );
            assert!(!said.contains("warning"), "{said}");
        }
    }
    // What was compiled elsewhere is in the zip.
    fleet.builds("cold-1", "read=./shared", &["--compile-bytecode"]);
    assert!(crate::support::artifact::paths_of_zip(&fleet.path("out.zip")).iter().any(|path| path.ends_with(".pyc")));
}

#[test]
fn a_release_compares_what_the_remote_cache_says_of_a_zip() {
    let fleet = Fleet::new();
    assert_eq!(fleet.builds("warm", "verify=./shared", &[]).0["remote_cache"]["read"], "missing");
    fleet.builds("warm", "./shared", &[]);
    let (sampled, said) = fleet.builds("sampling", "sample=./shared", &[]);
    let sampled = sampled["remote_cache"]["sampled"].as_str().unwrap_or_else(|| panic!("{said}"));
    assert!(["large 1.0", "small 1.0"].contains(&sampled), "{sampled}");
    let (verified, _) = fleet.builds("cold", "verify=./shared", &[]);
    assert_eq!(
        (&verified["remote_cache"]["read"], &verified["remote_cache"]["known"]),
        (&json!("verified"), &json!(0))
    );
}

#[test]
fn what_is_lost_or_damaged_is_made_again() {
    let fleet = Fleet::new();
    let (first, _) = fleet.builds("warm", "./shared", &[]);
    let [start] = &fleet.starts()[..] else { panic!() };
    let intact = fs::read(start).unwrap();
    let mut damaged = intact.clone();
    damaged[1 << 20] ^= 1;
    for (machine, bytes) in [("damaged", Some(&damaged[..])), ("short", Some(&intact[..1000])), ("lost", None)] {
        match bytes {
            Some(bytes) => fs::write(start, bytes).unwrap(),
            None => fs::remove_file(start).unwrap(),
        }
        let (built, said) = fleet.builds(machine, "read=./shared", &[]);
        assert_eq!(digests(&built), digests(&first), "{machine}: {said}");
        assert!(said.contains("warning: cannot read the remote cache"), "{machine}: {said}");
        assert_eq!(built["remote_cache"]["fetched"], 2, "{machine}");
    }
}

#[test]
fn what_needs_all_bytes_is_fetched_at_once() {
    let fleet = Fleet::new();
    fleet.builds("warm", "./shared", &[]);
    // A directory, and a stream.
    for (machine, output) in [("directory", "dir:out"), ("stream", "-")] {
        let arguments = ["project", "--runtime=python3.12", "--output", output];
        let mut command = fleet.on(machine, "lambda", &arguments);
        let said = command.env("PYBUNDLE_REMOTE_CACHE", "read=./shared").output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        assert_eq!(wheels(&fleet.path(machine)), 2, "{machine}");
    }
    // Few bytes are not worth a record.
    let pins = fs::read_to_string(fleet.path("project/requirements.txt")).unwrap();
    fleet.write("project/requirements.txt", pins.lines().nth(1).unwrap());
    fleet.write("project/app.py", "import small\n\ndef handler(event, context):\n    return 1\n");
    let (few, _) = fleet.builds("few", "./other", &[]);
    assert_eq!(few["remote_cache"]["written"], false);
    assert!(!fleet.path("other").exists());
    // Functions are not in a repository of their own.
    for own in ["auto", "read", "verify"] {
        assert_eq!(fleet.builds("few", own, &[]).0["remote_cache"], Value::Null);
    }
}

/// Returns how many wheels are in a cache.
fn wheels(cache: &Path) -> usize {
    let directories = fs::read_dir(cache.join("v1/wheels")).into_iter().flatten();
    let files = directories.flat_map(|directory| fs::read_dir(directory.unwrap().path()).unwrap());
    files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "whl")).count()
}

#[test]
fn targets_and_their_layers_use_the_remote_cache_too() {
    let fleet = Fleet::new();
    fleet.write(
        "project/pyproject.toml",
        "[project]\nname = \"shop\"\nversion = \"1\"\nrequires-python = \">=3.12\"\ndynamic = [\"dependencies\"]\n\n\
         [tool.pybundle]\nlock = \"requirements.txt\"\nruntime = \"python3.12\"\n\n[tool.pybundle.target.deps]\nkind = \"layer\"\n\n\
         [tool.pybundle.target.api]\nkind = \"lambda\"\nhandler = \"app.handler\"\nlayers = [\"deps\"]\n",
    );
    let first = succeed(&mut fleet.on(
        "warm",
        "build",
        &["--project=project", "--rebuild", "--json", "--remote-cache=./shared"],
    ));
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(fleet.starts().len(), 1, "{first}");
    fleet.edit(1);
    let before = fleet.sent();
    // The function alone: its layer is only checked.
    for targets in [&["api"][..], &["deps"][..]] {
        let machine = format!("cold-{}", targets[0]);
        let mut command = fleet.on(&machine, "build", targets);
        command.args(["--project=project", "--rebuild", "--json"]).env("PYBUNDLE_REMOTE_CACHE", "./shared");
        let built: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
        assert_eq!(fleet.sent(), before, "{built}");
    }
}
