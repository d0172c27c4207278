//! The files of a function or a layer in a directory, for tools that make the zip themselves.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::artifact::{Leaves, leaves_of_folder, leaves_of_zip};
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
    for (name, error) in [
        (
            "mine",
            "error: cannot replace mine: pybundle did not write mine/notes.txt\nhint: choose a directory that is empty or does not exist\n",
        ),
        (
            "mine/notes.txt",
            "error: mine/notes.txt already exists and is not a directory\nhint: remove it, or choose another path\n",
        ),
        ("mine/notes.txt/below", "error: cannot write mine/notes.txt/below\n  because: Not a directory"),
    ] {
        let said = fail(&mut example.command(&["lambda", "--output", &format!("dir:{name}")]));
        assert!(said.starts_with(error), "{said}");
    }
    for (output, problem) in [
        ("dir:", "the path is missing, expected dir:PATH"),
        (
            "dir:~/function",
            "`~` is not expanded after `dir:`, use dir:$HOME/PATH in a shell, or dir:./~ for a directory with this name",
        ),
    ] {
        let mut command = example.command(&["lambda", "--output", output]);
        let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
        assert!(
            said.contains(&format!("invalid value '{output}' for '--output <FILE|dir:PATH>': {problem}")),
            "{said}"
        );
    }
    assert_eq!(fs::read_to_string(example.0.path().join("mine/notes.txt")).unwrap(), "notes");
    // What is in a directory can be read in a zip.
    for artifact in ["dir:mine", "mine"] {
        for command in [&["inspect", artifact][..], &["verify", artifact], &["diff", artifact, artifact]] {
            let said = fail(&mut example.command(command));
            let hint =
                "if it is the output of --output dir:PATH, build with --output FILE.zip: the zip has the same files";
            assert_eq!(said, format!("error: mine is a directory, but not an OCI layout\nhint: {hint}\n"));
        }
    }
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
    assert!(said.contains("cannot replace function: pybundle did not write function/added.py"), "{said}");
}

/// One that no target has any more, or that was named on the command line, is no input either.
#[test]
fn the_directory_of_an_earlier_build_is_not_bundled() {
    let example = ExampleCopy::new();
    let path = |name: &str| example.0.path().join(name);
    succeed(&mut example.command(&["lambda", "--output=dir:first/function", "--layer=dir:first/layer"]));
    succeed(&mut example.command(&["lambda", "--output=dir:second", "--layer=out/layer.zip"]));
    assert_eq!(leaves_of_folder(&path("second")), leaves_of_folder(&path("first/function")));
    // With a file of the user in it, it is a directory of the project.
    fs::write(path("first/function/added.py"), "").unwrap();
    succeed(&mut example.command(&["lambda", "--output=dir:second", "--layer=out/layer.zip"]));
    assert!(leaves_of_folder(&path("second")).contains_key("first/function/added.py"));
    // A project that was unpacked with these times is still bundled.
    fs::remove_dir_all(path("first")).unwrap();
    let archive = tempfile::tempdir().unwrap();
    let file = archive.path().join("project.tar");
    let mut tar = Command::new("tar");
    tar.args(["--mtime=1980-01-01 00:00:00Z", "-cf"]).arg(&file).args(["-C"]).arg(example.0.path());
    succeed(tar.args(["--exclude=.cache", "--exclude=out", "--exclude=second", "."]));
    let unpacked = archive.path().join("project");
    fs::create_dir(&unpacked).unwrap();
    succeed(Command::new("tar").arg("-xf").arg(&file).arg("-C").arg(&unpacked));
    let first = leaves_of_folder(&path("second"));
    succeed(example.command(&["lambda", "--output=dir:third", "--layer=out/layer.zip"]).current_dir(&unpacked));
    let mut expected = first;
    expected.retain(|name, _| !name.starts_with("first/"));
    let names = |leaves: &Leaves| leaves.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&leaves_of_folder(&unpacked.join("third"))), names(&expected));
}

#[test]
fn no_output_is_in_another_one() {
    let example = ExampleCopy::new();
    let said = fail(&mut example.command(&["lambda", "--output=dir:out", "--layer=out/layer.zip"]));
    let hint = "hint: choose a path outside of out\n";
    assert_eq!(said, format!("error: cannot write out/layer.zip: it is in out, which is an output, too\n{hint}"));
    succeed(&mut example.command(&["lambda", "--output=dir:out", "--layer=layer.zip"]));
    let pyproject = example.0.path().join("pyproject.toml");
    let targets = "\n[tool.pybundle.target.all]\nkind = \"lambda\"\noutput = \"dir:new/all\"\n\
                   [tool.pybundle.target.common]\nkind = \"layer\"\noutput = \"dir:new/all/layer\"\n";
    fs::write(&pyproject, fs::read_to_string(&pyproject).unwrap() + targets).unwrap();
    let said = fail(&mut example.command(&["build"]));
    assert!(
        said.starts_with("error: cannot write new/all/layer: it is in new/all, which is an output, too: see the targets `all` and `common`\n"),
        "{said}"
    );
    assert!(!example.0.path().join("new").exists());
}

/// A volume of a container, for instance.
#[test]
fn a_mount_point_is_not_replaced() {
    let example = ExampleCopy::new();
    fs::create_dir(example.0.path().join("mounted")).unwrap();
    let lambda = |output: &str| {
        let mut command = Command::new("bwrap");
        command.args(["--dev-bind", "/", "/", "--tmpfs"]).arg(example.0.path().join("mounted"));
        command.arg(env!("CARGO_BIN_EXE_pybundle"));
        command.current_dir(example.0.path()).env("PYBUNDLE_CACHE_DIR", example.0.path().join(".cache"));
        command.args(["lambda", "--no-progress", "--output", output]);
        command
    };
    let said = fail(&mut lambda("dir:mounted"));
    let hint = "hint: choose a directory in it, as in dir:mounted/NAME\n";
    assert!(said.contains(&format!("error: cannot replace mounted: it is a mount point\n{hint}")), "{said}");
    succeed(&mut lambda("dir:mounted/function"));
}
