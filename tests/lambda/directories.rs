//! The files of a function or a layer in a directory, for tools that make the zip themselves.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::artifact::{leaves_of_folder, leaves_of_zip};
use crate::support::command::{fail, repository, succeed};

/// A copy of the example.
struct ExampleCopy(TempDir);

impl ExampleCopy {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        succeed(Command::new("cp").arg("-r").arg(repository().join("testdata/example/.")).arg(directory.path()));
        Self(directory)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pybundle"));
        command.current_dir(self.0.path()).env("PYBUNDLE_CACHE_DIR", self.0.path().join(".cache")).args(arguments);
        command
    }

    fn built(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&succeed(&mut self.command(&[arguments, &["--json"]].concat()))).unwrap()
    }
}

/// Returns the latest modification time below a directory, in seconds since 1970.
fn latest(directory: &Path) -> i64 {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let times =
        entries.map(|path| if path.is_dir() { latest(&path) } else { path.symlink_metadata().unwrap().mtime() });
    times.chain([directory.metadata().unwrap().mtime()]).max().unwrap()
}

#[test]
fn a_directory_has_the_files_of_the_zip_and_its_digest() {
    let example = ExampleCopy::new();
    let zips = example.built(&["lambda", "--output=out/f.zip", "--layer=out/l.zip"]);
    let built = example.built(&["lambda", "--output=dir:out/f", "--layer=dir:out/l"]);
    for (index, name) in ["f", "l"].iter().enumerate() {
        let (zip, directory) = (&zips["artifacts"][index], &built["artifacts"][index]);
        assert_eq!((&zip["format"], &directory["format"]), (&json!("zip"), &json!("directory")));
        for key in ["kind", "sha256", "code_sha256", "size", "unzipped_size", "files"] {
            assert_eq!(zip[key], directory[key], "{key}");
        }
        let path = example.0.path().join("out").join(name);
        assert_eq!(directory["path"], json!(format!("out/{name}")));
        assert_eq!(leaves_of_folder(&path), leaves_of_zip(&path.with_extension("zip")));
        assert_eq!(latest(&path), 315_532_800);
    }
    let again = example.built(&["lambda", "--output=dir:out/f", "--layer=dir:out/l"]);
    assert_eq!([&again["artifacts"][0]["unchanged"], &again["artifacts"][1]["unchanged"]], [&json!(true); 2]);
    // As a tool that has made an empty directory for the function calls it.
    fs::create_dir(example.0.path().join("given")).unwrap();
    let said = succeed(&mut example.command(&["lambda", "--output", "dir:given"]));
    assert!(said.starts_with("given  ") && !said.contains("sha256"), "{said}");
    let terraform = succeed(&mut example.command(&["lambda", "--output=dir:given", "--output-format=terraform"]));
    assert_eq!(serde_json::from_str::<Value>(&terraform).unwrap()["directory"], json!("given"));
}

#[test]
fn nothing_of_the_user_is_replaced_by_a_directory() {
    let example = ExampleCopy::new();
    fs::create_dir(example.0.path().join("mine")).unwrap();
    fs::write(example.0.path().join("mine/notes.txt"), "notes").unwrap();
    for name in ["mine", ".", "pyproject.toml"] {
        let said = fail(&mut example.command(&["lambda", "--no-progress", "--output", &format!("dir:{name}")]));
        assert!(said.contains("hint: ") && !example.0.path().join(".cache/v1/wheels").exists(), "{said}");
    }
    let said = fail(&mut example.command(&["lambda", "--output=dir:mine"]));
    assert!(said.contains("mine already exists and is not a directory that pybundle wrote, or an empty one"), "{said}");
    assert!(said.contains("hint: remove it, or choose another path"), "{said}");
    assert_eq!(fs::read_to_string(example.0.path().join("mine/notes.txt")).unwrap(), "notes");
    for document in ["--sbom=cyclonedx", "--provenance"] {
        let said = fail(&mut example.command(&["lambda", "--output=dir:new", document]));
        assert!(said.contains("cannot write an SBOM or provenance beside new: it is not a file"), "{said}");
    }
    assert!(!example.0.path().join("new").exists());
}

/// An earlier output is no input of the next build, wherever it is.
#[test]
fn the_directory_of_a_target_is_not_bundled() {
    let example = ExampleCopy::new();
    let pyproject = example.0.path().join("pyproject.toml");
    let target =
        "\n[tool.pybundle.target.api]\nkind = \"lambda\"\nhandler = \"app.handler\"\noutput = \"dir:function\"\n";
    fs::write(&pyproject, fs::read_to_string(&pyproject).unwrap() + target).unwrap();
    let function = example.0.path().join("function");
    succeed(&mut example.command(&["build"]));
    let first = leaves_of_folder(&function);
    assert!(first.contains_key("app.py") || first.contains_key("app/__init__.py"), "{first:?}");
    let said = succeed(&mut example.command(&["build"]));
    assert!(said.contains("unchanged"), "{said}");
    succeed(&mut example.command(&["build", "--rebuild"]));
    assert_eq!(leaves_of_folder(&function), first);
    // An edit of the output is not the function any more.
    fs::write(function.join("added.py"), "").unwrap();
    let said = fail(&mut example.command(&["build"]));
    assert!(said.contains("already exists and is not a directory that pybundle wrote"), "{said}");
}
