//! Where a zip may be written: into a file, a pipe, a device or standard output, and over nothing but an earlier zip.

use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{fail, pybundle, repository, succeed};

/// A copy of the example with a cache of its own.
struct Example(TempDir);

impl Example {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        succeed(Command::new("cp").arg("-r").arg(repository().join("testdata/example/.")).arg(directory.path()));
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pybundle"));
        command.current_dir(self.0.path()).env("PYBUNDLE_CACHE_DIR", self.path("cache")).args(arguments);
        command
    }

    /// Builds a function with these arguments.
    fn lambda(&self, arguments: &[&str]) -> Output {
        self.command(&["lambda", "--no-progress"]).args(arguments).output().unwrap()
    }

    /// Builds a function, which must fail with this exit status before a wheel is fetched, and returns the message.
    fn refused(&self, status: i32, arguments: &[&str]) -> String {
        let run = self.lambda(arguments);
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(run.stdout.is_empty() && said.starts_with("error: "), "{said}");
        assert!(!self.path("cache/v1/wheels").exists(), "{arguments:?}: a wheel was fetched");
        said
    }

    /// Returns the bytes of the zip.
    fn zip(&self) -> Vec<u8> {
        succeed(&mut self.command(&["lambda", "--output", "expected.zip"]));
        self.read("expected.zip")
    }
}

#[test]
fn a_dash_is_standard_output_and_the_summary_goes_to_standard_error() {
    let example = Example::new();
    let zip = example.zip();
    for name in ["-", "/dev/stdout", "/dev/fd/1"] {
        let run = example.lambda(&["-o", name]);
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.success(), "{said}");
        assert!(run.stdout == zip, "{name}");
        assert!(said.contains("3 distributions") && said.starts_with(name), "{said}");
    }
    let quiet = example.lambda(&["--quiet", "-o", "-"]);
    assert!(quiet.stdout == zip && quiet.stderr.is_empty());
    assert!(!example.path("-").exists());
    // A file of that name can still be written.
    assert!(example.lambda(&["-o", "./-"]).status.success());
    assert!(example.read("-") == zip);
}

#[test]
fn a_redirected_standard_output_is_neither_replaced_nor_truncated() {
    let example = Example::new();
    let zip = example.zip();
    let path = example.path("redirected");
    for (name, earlier) in [("-", &b""[..]), ("/dev/stdout", b""), ("-", b"earlier "), ("/dev/stdout", b"earlier ")] {
        fs::write(&path, earlier).unwrap();
        let output = File::options().append(true).open(&path).unwrap();
        let status = example.command(&["lambda", "-o", name]).stdout(output).stderr(Stdio::null()).status();
        assert!(status.unwrap().success());
        assert!(fs::read(&path).unwrap() == [earlier, &zip].concat(), "{name}");
    }
}

#[test]
fn json_and_documents_have_no_place_beside_standard_output() {
    let example = Example::new();
    let said = example.refused(2, &["--json", "-o", "-"]);
    assert!(said.contains("cannot print --json on standard output"), "{said}");
    assert!(said.contains("hint: write the artifact to a file, or omit --json\n"), "{said}");
    for document in ["--sbom=cyclonedx", "--provenance"] {
        let said = example.refused(1, &[document, "-o", "-"]);
        assert!(said.contains("cannot write an SBOM or provenance beside -: it is not a file"), "{said}");
        assert!(said.contains("hint: write to a file, or omit --sbom and --provenance\n"), "{said}");
    }
    let said = example.refused(1, &["-o", "-", "--layer", "/dev/stdout"]);
    assert!(said.contains("is given as an output twice"), "{said}");
    // A plan prints no artifact.
    let plan = succeed(&mut example.command(&["lambda", "--dry-run", "--json", "-o", "-"]));
    assert_eq!(serde_json::from_str::<Value>(&plan).unwrap()["outputs"], serde_json::json!(["-"]));
}

#[test]
fn a_zip_is_not_written_to_a_terminal() {
    let example = Example::new();
    for name in ["-", "/dev/stdout"] {
        let mut command = Command::new("python3");
        command.arg(repository().join("tests/support/terminal.py")).args(["out", "80"]);
        command.arg(env!("CARGO_BIN_EXE_pybundle")).args(["lambda", "-o", name]).current_dir(example.path(""));
        let result: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
        assert_eq!((&result["status"], &result["out"]), (&1.into(), &"".into()));
        let said = result["err"].as_str().unwrap();
        assert!(said.contains("cannot write to standard output: it is a terminal"), "{said}");
        assert!(said.contains("redirect standard output, or write to a file with --output"), "{said}");
    }
}

#[test]
fn a_pipe_and_a_device_are_written_into() {
    let example = Example::new();
    let zip = example.zip();
    succeed(Command::new("mkfifo").arg(example.path("pipe")));
    let reader = std::thread::spawn({
        let pipe = example.path("pipe");
        move || fs::read(pipe).unwrap()
    });
    assert!(example.lambda(&["-o", "pipe"]).status.success());
    assert!(reader.join().unwrap() == zip);
    assert!(fs::symlink_metadata(example.path("pipe")).unwrap().file_type().is_fifo());
    assert!(example.lambda(&["-o", "/dev/null"]).status.success());
    assert!(Path::new("/dev/null").metadata().unwrap().file_type().is_char_device());
}

#[test]
fn a_link_to_a_file_is_replaced_itself() {
    let example = Example::new();
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("settings");
    fs::write(&target, "precious").unwrap();
    fs::create_dir(example.path("dist")).unwrap();
    symlink(&target, example.path("dist/example.zip")).unwrap();
    assert!(example.lambda(&[]).status.success());
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    assert!(!example.path("dist/example.zip").is_symlink());
    assert!(example.read("dist/example.zip") == example.zip());
}

#[test]
fn an_input_of_the_build_is_no_output() {
    let example = Example::new();
    let shown = succeed(&mut example.command(&["profile", "show", "python3.13"]));
    fs::write(example.path("mine.toml"), shown).unwrap();
    fs::write(example.path(".python-version"), "3.13\n").unwrap();
    fs::write(example.path("setup.cfg"), "[metadata]\n").unwrap();
    let wheel = "index/example_banner-0.3.1-py3-none-any.whl";
    symlink(wheel, example.path("link.whl")).unwrap();
    for (output, input) in [
        ("uv.lock", "the lock file"),
        ("./uv.lock", "the lock file"),
        ("pyproject.toml", "a file of the project"),
        (".python-version", "a file of the project"),
        ("setup.cfg", "a file of the project"),
        ("mine.toml", "the profile"),
        (wheel, "a locked distribution"),
        ("shop/../app.py", "a file of the application"),
        // A missing directory would be created first.
        ("new/../app.py", "a file of the application"),
        ("new/inner/../../uv.lock", "the lock file"),
    ] {
        let own = output.trim_start_matches("new/inner/../../").trim_start_matches("new/../");
        let before = example.read(own);
        for flag in ["--output", "--layer"] {
            let said = example.refused(1, &["--profile=mine.toml", flag, output]);
            assert!(said.contains(&format!("error: cannot write {output}: it is {input}\n")), "{said}");
            assert!(said.contains("hint: choose another path for it\n"), "{said}");
        }
        let said = example.refused(1, &["--dry-run", "--profile=mine.toml", "--output", output]);
        assert!(said.contains(input), "{said}");
        assert!(example.read(own) == before && !example.path("new").exists(), "{output} changed");
    }
    let said = example.refused(1, &["--output", "new/../app.zip", "--layer", "app.zip"]);
    assert!(said.contains("error: app.zip is given as an output twice\n"), "{said}");
}

/// A zip of the application is told from an earlier output by its times.
#[test]
fn a_zip_that_the_application_contains_is_no_output() {
    let example = Example::new();
    fs::write(example.path(".gitignore"), "cache/\n").unwrap();
    let code = "import zipfile; zipfile.ZipFile('data.zip', 'w').writestr('a', 'b')";
    succeed(Command::new("python3").args(["-c", code]).current_dir(example.path("")));
    let before = example.read("data.zip");
    let said = example.refused(1, &["--include=.:.", "-o", "data.zip"]);
    assert!(said.contains("cannot write data.zip: it is a file of the application"), "{said}");
    assert!(example.read("data.zip") == before);
    for _ in 0..2 {
        assert!(example.lambda(&["--include=.:.", "-o", "out.zip"]).status.success());
    }
}

#[test]
fn only_a_zip_is_replaced_and_the_hint_helps() {
    let example = Example::new();
    for (output, arguments) in [
        ("README.md", &["-o", "README.md"][..]),
        ("Makefile", &["--layer", "Makefile"]),
        ("out.zip.cdx.json", &["--sbom=cyclonedx", "-o", "out.zip"]),
    ] {
        fs::write(example.path(output), "precious").unwrap();
        let said = example.refused(1, arguments);
        let kind = if output.ends_with("json") { "a JSON document" } else { "a zip archive" };
        assert!(said.contains(&format!("error: {output} already exists and is not {kind}\n")), "{said}");
        assert!(said.contains("hint: remove it, or choose another path\n"), "{said}");
        assert_eq!(example.read(output), b"precious");
    }
    fs::remove_file(example.path("README.md")).unwrap();
    assert!(example.lambda(&["-o", "README.md"]).status.success());
    fs::write(example.path("empty"), "").unwrap();
    assert!(example.lambda(&["-o", "empty"]).status.success());
}

#[test]
fn a_path_with_a_control_character_is_refused() {
    let example = Example::new();
    let message = "error: the path of an output has a control character: `a\\nb.zip`\n";
    for flag in ["--output", "--layer"] {
        let said = example.refused(1, &[flag, "a\nb.zip"]);
        assert!(said.contains(message), "{said}");
    }
    let text = fs::read_to_string(example.path("pyproject.toml")).unwrap();
    let configured = format!("{text}\n[tool.pybundle.target.api]\nkind = \"lambda\"\noutput = \"a\\nb.zip\"\n");
    fs::write(example.path("pyproject.toml"), configured).unwrap();
    for arguments in [&["lambda", "--target=api"][..], &["build"]] {
        let run = example.command(arguments).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(1), "{said}");
        assert!(said.contains("has a control character: `a\\nb.zip`"), "{said}");
    }
    // The default path has the name of the project's directory if nothing else names it.
    let directory = example.path("line\nbreak");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("app.py"), "").unwrap();
    fs::write(directory.join("requirements.txt"), "").unwrap();
    let said = example.refused(1, &["line\nbreak"]);
    assert!(said.contains("has a control character: `line\\nbreak/dist/"), "{said}");
}

#[test]
fn targets_write_to_standard_output_too() {
    let example = Example::new();
    let zip = example.zip();
    let text = fs::read_to_string(example.path("pyproject.toml")).unwrap();
    let target = |name: &str| format!("[tool.pybundle.target.{name}]\nkind = \"lambda\"\noutput = \"-\"\n");
    fs::write(example.path("pyproject.toml"), format!("{text}\n{}", target("api"))).unwrap();
    let run = example.command(&["build"]).output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(run.stdout == zip, "{said}");
    assert!(said.contains("1 target: 1 built"), "{said}");
    assert_eq!(example.command(&["build", "--json"]).output().unwrap().status.code(), Some(2));
    fs::write(example.path("pyproject.toml"), format!("{text}\n{}{}", target("api"), target("worker"))).unwrap();
    let run = example.command(&["build"]).output().unwrap();
    assert!(String::from_utf8(run.stderr).unwrap().contains("- is given as an output twice"));
}

/// Lambda refuses such a layer ("Uploaded file must be a non-empty zip"), and a template would name a missing file.
#[test]
fn a_layer_without_dependencies_is_refused_and_the_hint_helps() {
    let project = tempfile::tempdir().unwrap();
    fs::write(project.path().join("app.py"), "").unwrap();
    fs::write(project.path().join("requirements.txt"), "").unwrap();
    let flags = ["lambda", "--no-progress", "-o", "function.zip"];
    for more in [&[][..], &["--dry-run"]] {
        let layer = [&flags[..], &["--layer", "layer.zip"], more].concat();
        let said = fail(pybundle(&layer).current_dir(project.path()));
        let expected = "error: cannot write the layer layer.zip: the function has no dependencies\nhint: omit --layer, and \
                        remove the layer from the function's configuration\n";
        assert_eq!(said, expected);
    }
    assert!(!project.path().join("function.zip").exists() && !project.path().join("layer.zip").exists());
    succeed(pybundle(&flags).current_dir(project.path()));
}
