//! File modes in a function, and files that a zip cannot contain.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use crate::support::command::{fail, pybundle, repository, succeed};

/// Returns the example, with what it includes.
fn example(include: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    succeed(Command::new("cp").arg("-r").arg(repository().join("testdata/example/.")).arg(folder.path()));
    let path = folder.path().join("pyproject.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n[tool.pybundle]\ninclude = [\"app.py\", {include}]\n")).unwrap();
    fs::write(folder.path().join("run.sh"), "#!/bin/sh\n").unwrap();
    folder
}

fn build(folder: &Path) -> Command {
    let mut command = pybundle(&["lambda", "--output", "out.zip"]);
    command.current_dir(folder);
    command
}

#[test]
fn a_zip_has_the_configured_modes() {
    let folder = example(
        r#"{ path = "run.sh", mode = "0755" }, { path = "shop", to = "conf", mode = "0444" }, { path = "shop" }"#,
    );
    succeed(&mut build(folder.path()));
    let path = folder.path().join("out.zip");
    let mut archive = zip::ZipArchive::new(File::open(&path).unwrap()).unwrap();
    let mut mode = |name: &str| archive.by_name(name).unwrap().unix_mode().unwrap();
    assert_eq!((mode("app.py"), mode("run.sh")), (0o100_644, 0o100_755));
    assert_eq!((mode("conf/__init__.py"), mode("shop/__init__.py")), (0o100_444, 0o100_644));
    succeed(&mut pybundle(&["verify", path.to_str().unwrap()]));
}

#[test]
fn files_that_a_zip_cannot_contain_are_refused() {
    for (include, expected) in [
        (r#""run.sh:/usr/local/bin/""#, "run.sh at `/usr/local/bin/`: a zip is extracted into a single directory"),
        (r#"{ path = "run.sh", owner = "1000" }"#, "run.sh to 1000:1000: a zip stores no owners"),
        (r#"{ path = "run.sh", mode = "0700" }"#, "run.sh has the mode 0700, with which the function cannot"),
    ] {
        let folder = example(include);
        let said = fail(&mut build(folder.path()));
        assert!(said.contains(expected) && said.contains("hint: "), "{include}: {said}");
        assert!(!folder.path().join("out.zip").exists());
    }
}
