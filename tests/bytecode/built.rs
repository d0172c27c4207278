//! When and by which interpreter bytecode is compiled, and which files of wheels it replaces.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::support::artifact::{leaves_of_zip, sha256};
use super::support::command::{fail, pybundle, repository, succeed};
use super::support::wheel_with;
use super::{Python, pythons};

/// A copy of the example with its own cache, and an interpreter that logs when it is started.
struct LoggedBuild {
    folder: TempDir,
    python: Python,
}

/// Logs that it was started, and executes the interpreter.
const PROGRAM: &str = r#"
#include <stdio.h>
#include <unistd.h>
int main(int count, char **words) {
    FILE *log = fopen(LOG, "a");
    fputs("started\n", log);
    fclose(log);
    words[0] = PYTHON;
    return execv(PYTHON, words);
}
"#;

impl LoggedBuild {
    fn new() -> Self {
        let workshop = Self { folder: tempfile::tempdir().unwrap(), python: pythons().pop().unwrap() };
        let example = repository().join("testdata/example");
        succeed(Command::new("cp").arg("-r").arg(example).arg(workshop.path("project")));
        for folder in ["bin", "none"] {
            fs::create_dir(workshop.path(folder)).unwrap();
        }
        workshop
    }

    /// Compiles the interpreter.
    fn with_interpreter(self) -> Self {
        let define = |name: &str, path: &Path| format!("-D{name}=\"{}\"", path.display());
        let mut command = Command::new("cc");
        command.args([define("LOG", &self.path("log")), define("PYTHON", &self.python.interpreter.path)]);
        command.args(["-x", "c", "-", "-o"]).arg(self.path("bin").join(format!("python{}", self.version())));
        let mut compiler = command.stdin(Stdio::piped()).spawn().unwrap();
        compiler.stdin.take().unwrap().write_all(PROGRAM.as_bytes()).unwrap();
        assert!(compiler.wait().unwrap().success());
        self
    }

    fn version(&self) -> String {
        self.python.interpreter.version.to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns a command that finds no other interpreter.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pybundle(arguments);
        command.env("PATH", self.path("bin")).env("PYBUNDLE_CACHE_DIR", self.path("cache"));
        for name in ["UV_PYTHON_INSTALL_DIR", "PYENV_ROOT"] {
            command.env(name, self.path("none"));
        }
        command
    }

    /// Returns `pybundle lambda` of the project.
    fn lambda(&self, arguments: &[&str]) -> Command {
        let runtime = format!("python{}", self.version());
        let mut command = self.command(&["lambda", "--runtime", &runtime]);
        command.arg(self.path("project")).args(arguments).arg("-o").arg(self.path("function.zip"));
        command
    }

    /// Builds with bytecode; returns the digest of the zip, and how often the interpreter was started.
    fn build(&self) -> (String, usize) {
        let _ = fs::remove_file(self.path("log"));
        succeed(self.lambda(&["--compile-bytecode"]).env("RAYON_NUM_THREADS", "1"));
        let started = fs::read_to_string(self.path("log")).unwrap_or_default().lines().count();
        (sha256(&fs::read(self.path("function.zip")).unwrap()), started)
    }
}

#[test]
fn a_build_with_a_complete_cache_starts_no_interpreter() {
    let workshop = LoggedBuild::new().with_interpreter();
    let (digest, started) = workshop.build();
    assert_eq!(started, 2, "asked, and then put to work");
    assert_eq!(workshop.build(), (digest.clone(), 0));
    // Only the application is compiled again.
    fs::write(workshop.path("project/extra.py"), "x = 1\n").unwrap();
    let (other, started) = workshop.build();
    assert!(other != digest && started == 1, "{started}");
    fs::remove_file(workshop.path("project/extra.py")).unwrap();
    assert_eq!(workshop.build(), (digest.clone(), 0));
    // An interpreter that changed is queried again.
    fs::remove_file(workshop.path("bin").join(format!("python{}", workshop.version()))).unwrap();
    let workshop = workshop.with_interpreter();
    assert_eq!(workshop.build(), (digest.clone(), 1));
    // With any number of processes, and an empty cache.
    for threads in ["1", "4"] {
        fs::remove_dir_all(workshop.path("cache")).unwrap();
        succeed(workshop.lambda(&["--compile-bytecode"]).env("RAYON_NUM_THREADS", threads));
        assert_eq!(sha256(&fs::read(workshop.path("function.zip")).unwrap()), digest);
    }
}

#[test]
fn the_error_without_an_interpreter_says_how_to_install_one() {
    let workshop = LoggedBuild::new();
    let version = workshop.version();
    let message = fail(&mut workshop.lambda(&["--compile-bytecode"]));
    let expected = format!(
        "error: --compile-bytecode needs CPython {version}, which is not installed\n\
         hint: install it, for example with `uv python install {version}`; pybundle does not download interpreters\n"
    );
    assert_eq!(message, expected);
    assert!(!workshop.path("function.zip").exists());
    // By default, Lambda functions have no bytecode, and images have it where possible.
    let report: Value = serde_json::from_str(&succeed(&mut workshop.lambda(&["--json"]))).unwrap();
    assert_eq!(report["bytecode"], Value::Null);
    let image = |arguments: &[&str]| {
        let layout = workshop.path("layout");
        let mut command = workshop.command(&["image", "--base=scratch", "--cmd=python app.py", "--python", &version]);
        command.arg(workshop.path("project")).args(arguments).arg("-o").arg(format!("oci:{}", layout.display()));
        let said = succeed(&mut command);
        fs::remove_dir_all(layout).unwrap();
        said
    };
    let said = image(&[]);
    assert!(said.contains(&format!("  bytecode  none: CPython {version} is not installed\n")), "{said}");
    assert!(!image(&["--no-compile-bytecode"]).contains("bytecode"));
    let report: Value = serde_json::from_str(&image(&["--json"])).unwrap();
    let bytecode = &report["platforms"][0]["bytecode"];
    assert_eq!((&bytecode["python"], &bytecode["files"]), (&Value::Null, &0.into()));
    // With an interpreter, the flag is the default for images.
    let workshop = workshop.with_interpreter();
    let said = succeed(workshop.lambda(&["--compile-bytecode", "--no-compile-bytecode"]).arg("--json"));
    assert!(said.contains("\"bytecode\": null") && !workshop.path("log").exists());
}

#[test]
fn bytecode_replaces_only_bytecode_of_the_wheel() {
    let workshop = LoggedBuild::new().with_interpreter();
    let tag = workshop.python.interpreter.cache_tag();
    let own = |name: &str| format!("demo/__pycache__/{name}.{tag}.pyc");
    let (of_module, of_broken, of_gone) = (own("module"), own("broken"), own("gone"));
    let wheel = wheel_with(
        "demo",
        "1.0",
        &[
            ("demo/__init__.py", b""),
            ("demo/module.py", b"x = 1\n"),
            ("demo/broken.py", b"print 'x'\n"),
            ("demo/not-a-name.py", b"x = 1\n"),
            ("demo/data.txt", b"x = 1\n"),
            (&of_module, b"old"),
            (&of_broken, b"old"),
            (&of_gone, b"old"),
            ("demo/__pycache__/odd.py", b"x = 1\n"),
            ("demo-1.0.data/scripts/tool.py", b"#!python\nx = 1\n"),
            ("demo-1.0.data/data/share/module.py", b"x = 1\n"),
        ],
    );
    let project = workshop.path("project");
    fs::remove_dir_all(&project).unwrap();
    fs::create_dir_all(project.join("wheels")).unwrap();
    fs::write(project.join("wheels/demo-1.0-py3-none-any.whl"), wheel).unwrap();
    fs::write(project.join("requirements.txt"), "demo==1.0\n").unwrap();
    fs::write(project.join("app.py"), "import demo\n").unwrap();
    let wheels = project.join("wheels");
    succeed(&mut workshop.lambda(&[
        "--compile-bytecode",
        "--no-index",
        "--include=app.py",
        &format!("--find-links={}", wheels.display()),
    ]));

    let leaves = leaves_of_zip(&workshop.path("function.zip"));
    let compiled: Vec<&str> = leaves.keys().filter(|path| path.ends_with(".pyc")).map(String::as_str).collect();
    let names = ["__init__", "broken", "gone", "module", "not-a-name"];
    let expected: Vec<String> = std::iter::once(format!("__pycache__/app.{tag}.pyc")).chain(names.map(own)).collect();
    assert_eq!(compiled, expected);
    let old = sha256(b"old");
    for (path, is_old) in [(&of_module, false), (&of_broken, true), (&of_gone, true)] {
        assert_eq!(leaves[path].sha256 == old, is_old, "{path}");
    }
    let record =
        succeed(Command::new("unzip").arg("-p").arg(workshop.path("function.zip")).arg("demo-1.0.dist-info/RECORD"));
    assert!(record.contains(&format!("\n{of_module},,\n")), "{record}");
    assert_eq!(record.matches(&of_module).count(), 1);
}
