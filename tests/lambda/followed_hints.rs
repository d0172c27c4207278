//! Hints about locks that are no longer true, and about what they lock: each is followed, and then the function is built.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use crate::private_index::Index;
use crate::support::artifact::sha256;
use crate::support::command::{fail, pybundle, succeed};
use crate::support::lambda::newest_python;
use crate::support::uv::Project;
use crate::support::{wheel, wheel_with};

const WHEEL: &str = "demo-1.0-py3-none-any.whl";

/// A project that imports `demo`, with a cache of its own.
struct Importer {
    project: Project,
    cache: TempDir,
}

impl Importer {
    fn new(files: &[(&str, &str)]) -> Self {
        let application = ("app.py", "import demo\n\ndef handler(event, context):\n    return event\n");
        let project = Project::new(&[&[application], files].concat());
        Self { project, cache: tempfile::tempdir().unwrap() }
    }

    /// Returns the command that builds the function.
    fn lambda(&self, arguments: &[&str]) -> Command {
        let runtime = format!("python{}", newest_python());
        let mut command = pybundle(&["lambda", "--runtime", &runtime, "--handler", "app.handler"]);
        command.args(["--output", "function.zip"]).args(arguments).current_dir(self.project.path());
        command.env("PYBUNDLE_CACHE_DIR", self.cache.path());
        command
    }

    /// Builds, which must fail with a hint that begins in this way, and returns the command that the hint names.
    fn hinted(&self, arguments: &[&str], hint: &str) -> String {
        let said = fail(&mut self.lambda(arguments));
        let line = said.lines().find_map(|line| line.strip_prefix("hint: ").filter(|line| line.starts_with(hint)));
        let line = line.unwrap_or_else(|| panic!("{hint}: {said}"));
        line.split('`').nth(1).unwrap_or_default().to_owned()
    }

    /// Runs a command of a shell in the project's directory.
    fn run(&self, command: &str) {
        succeed(Command::new("sh").args(["-c", command]).current_dir(self.project.path()).env_remove("VIRTUAL_ENV"));
    }
}

/// Returns another wheel of demo 1.0.
fn changed_wheel() -> Vec<u8> {
    wheel_with("demo", "1.0", &[("demo.py", b"changed = True\n")])
}

fn write(directory: &TempDir, name: &str, bytes: &[u8]) {
    fs::write(directory.path().join(name), bytes).unwrap();
}

#[test]
fn a_file_that_changed_or_disappeared_is_locked_again() {
    let wheels = tempfile::tempdir().unwrap();
    write(&wheels, WHEEL, &wheel("demo", "1.0"));
    let index = Index::of(wheels.path());
    let pyproject = format!(
        "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"demo\"]\n\
         [[tool.uv.index]]\nname = \"corp\"\nurl = \"{}\"\ndefault = true\n",
        index.url("")
    );
    let importer = Importer::new(&[("pyproject.toml", &pyproject)]);
    importer.run("uv lock --quiet");

    write(&wheels, WHEEL, &changed_wheel());
    importer.run(&importer.hinted(&[], "if you trust the file that is there now, lock it, for instance with `uv lock"));
    succeed(&mut importer.lambda(&[]));

    fs::remove_file(wheels.path().join(WHEEL)).unwrap();
    write(&wheels, "demo-1.1-py3-none-any.whl", &wheel("demo", "1.1"));
    fs::remove_dir_all(importer.cache.path()).unwrap();
    importer
        .run(&importer.hinted(&[], "if the file was removed from the index, lock another one, for instance with `"));
    succeed(&mut importer.lambda(&[]));
}

/// Without `--upgrade`, `uv pip compile` keeps the digests of its output file.
#[test]
fn digests_that_an_index_no_longer_has_are_locked_again() {
    let wheels = tempfile::tempdir().unwrap();
    write(&wheels, WHEEL, &wheel("demo", "1.0"));
    let index = Index::of(wheels.path());
    let importer = Importer::new(&[("requirements.in", "demo\n")]);
    let url = index.url("");
    let lock = |command: &str| {
        let arguments = "--quiet --refresh --generate-hashes requirements.in --output-file requirements.txt";
        importer.run(&format!("{command} {arguments} --index-url {url}"));
    };
    lock("uv pip compile");
    write(&wheels, WHEEL, &changed_wheel());
    let arguments = ["--index-url", &url];
    let command = importer.hinted(&arguments, "if you trust the index, lock again, for instance with `");
    lock(command.split(" --").next().unwrap());
    assert_eq!(importer.hinted(&arguments, "if you trust the index"), command);
    lock(&command);
    succeed(&mut importer.lambda(&arguments));
}

#[test]
fn a_file_that_is_damaged_is_downloaded_again_or_another_version_is_locked() {
    let hint = "download the file again, or lock another version of the wheel if it is damaged in the index, too";
    let whole = wheel("demo", "1.0");
    let importer = Importer::new(&[("requirements.txt", "demo==1.0\n")]);
    let local = ["--no-index", "--find-links=wheels", "--exclude=wheels"];
    importer.project.write(&format!("wheels/{WHEEL}"), &whole[..whole.len() / 2]);
    importer.hinted(&local, hint);
    importer.project.write(&format!("wheels/{WHEEL}"), &whole);
    succeed(&mut importer.lambda(&local));

    let wheels = tempfile::tempdir().unwrap();
    write(&wheels, WHEEL, &whole[..whole.len() / 2]);
    write(&wheels, "demo-1.1-py3-none-any.whl", &wheel("demo", "1.1"));
    let index = Index::of(wheels.path());
    let arguments = ["--index-url", &index.url("")];
    let importer = Importer::new(&[("requirements.txt", "demo==1.0\n")]);
    importer.hinted(&arguments, hint);
    importer.hinted(&arguments, hint);
    importer.project.write("requirements.txt", b"demo==1.1\n");
    succeed(&mut importer.lambda(&arguments));
}

/// A build back end without dependencies.
const BACKEND: &str = r#"
import pathlib, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    info, name = "demo-1.0.dist-info", "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory, name), "w") as wheel:
        wheel.write("demo.py")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        files = ["demo.py", f"{info}/METADATA", f"{info}/WHEEL", f"{info}/RECORD"]
        wheel.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in files))
    return name
"#;

fn git(directory: &Path, arguments: &[&str]) {
    let author = ["-c", "user.name=Ann", "-c", "user.email=ann@host.example"];
    succeed(Command::new("git").args(author).args(arguments).current_dir(directory));
}

/// `uv lock` alone keeps the commit of the lock, even if the repository no longer has it.
#[test]
fn the_commit_of_a_rewritten_branch_is_locked_again() {
    let origin = Project::new(&[
        (
            "pyproject.toml",
            "[project]\nname = \"demo\"\nversion = \"1.0\"\n\
             [build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n",
        ),
        ("backend.py", BACKEND),
        ("demo.py", "first = True\n"),
    ]);
    git(origin.path(), &["init", "--quiet", "--initial-branch=main"]);
    git(origin.path(), &["add", "."]);
    git(origin.path(), &["commit", "--quiet", "--message=First"]);
    let pyproject = format!(
        "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"demo\"]\n\
         [tool.uv.sources]\ndemo = {{ git = \"file://{}\", branch = \"main\" }}\n",
        origin.path().display()
    );
    let importer = Importer::new(&[("pyproject.toml", &pyproject)]);
    importer.run("uv lock --quiet");

    origin.write("demo.py", b"second = True\n");
    git(origin.path(), &["commit", "--quiet", "--all", "--amend", "--message=Rewritten"]);
    git(origin.path(), &["reflog", "expire", "--expire=now", "--all"]);
    git(origin.path(), &["gc", "--quiet", "--prune=now"]);
    let hint = "the branch may have been rewritten: lock its present commit, for instance with `";
    let command = importer.hinted(&[], hint);
    importer.run("uv lock --quiet");
    assert_eq!(importer.hinted(&[], hint), command);
    importer.run(&command.replace("NAME", "demo"));
    succeed(&mut importer.lambda(&[]));
}

#[test]
fn a_repository_that_is_not_gits_is_replaced_by_a_release_or_an_archive() {
    let bytes = wheel("demo", "1.0");
    let importer = Importer::new(&[]);
    importer.project.write(&format!("wheels/{WHEEL}"), &bytes);
    let lock = |source: &str| {
        let package =
            "lock-version = \"1.0\"\ncreated-by = \"hand\"\n[[packages]]\nname = \"demo\"\nversion = \"1.0\"\n";
        importer.project.write("pylock.toml", format!("{package}{source}").as_bytes());
    };
    lock("vcs = { type = \"hg\", url = \"https://host.example/demo\", commit-id = \"0123456789\" }\n");
    let arguments = ["--exclude=wheels"];
    importer.hinted(&arguments, "lock a release or an archive of demo 1.0 instead");
    let file = format!("path = \"wheels/{WHEEL}\", hashes = {{ sha256 = \"{}\" }}", sha256(&bytes));
    for source in [format!("wheels = [{{ {file} }}]\n"), format!("archive = {{ {file} }}\n")] {
        lock(&source);
        succeed(&mut importer.lambda(&arguments));
    }
}

#[test]
fn a_new_member_is_locked_or_another_one_selected() {
    let project = "[project]\nname = \"NAME\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n";
    let workspace = Project::new(&[]);
    let add_member = |name: &str| {
        workspace.write(&format!("{name}/pyproject.toml"), project.replace("NAME", name).as_bytes());
        workspace.write(&format!("{name}/app.py"), b"");
    };
    let set_members = |members: &str| {
        let root = format!("{}[tool.uv.workspace]\nmembers = [{members}]\n", project.replace("NAME", "root"));
        workspace.write("pyproject.toml", root.as_bytes());
    };
    add_member("first");
    add_member("second");
    set_members("\"first\", \"second\"");
    workspace.uv(&["lock", "--quiet"]);
    add_member("third");
    set_members("\"first\", \"second\", \"third\"");
    let lambda = |arguments: &[&str]| {
        let mut command = pybundle(&[&["lambda", "third", "--output", "function.zip", "--frozen"], arguments].concat());
        command.current_dir(workspace.path());
        command
    };
    let said = fail(&mut lambda(&[]));
    let hint = "hint: run `uv lock` to lock the project, or select one of the members with --package: `first`, `root` and \
                `second`\n";
    assert!(said.ends_with(hint), "{said}");
    succeed(&mut lambda(&["--package=first"]));
    workspace.uv(&["lock", "--quiet"]);
    succeed(&mut lambda(&[]));
}

/// Installing uv puts it on `PATH`.
#[test]
fn requirements_are_resolved_once_uv_is_installed() {
    let importer = Importer::new(&[("requirements.txt", "demo\n")]);
    importer.project.write(&format!("wheels/{WHEEL}"), &wheel("demo", "1.0"));
    let resolve = || importer.lambda(&["--resolve", "--no-index", "--find-links=wheels", "--exclude=wheels"]);
    let without = tempfile::tempdir().unwrap();
    let said = fail(resolve().env("PATH", without.path()));
    assert!(said.ends_with("\nhint: install uv: https://docs.astral.sh/uv/getting-started/installation/\n"), "{said}");
    succeed(&mut resolve());
}

#[test]
fn a_runtime_that_is_not_available_yet_is_named() {
    let importer = Importer::new(&[
        ("pyproject.toml", "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.15\"\n"),
        ("app.py", "def handler(event, context):\n    return event\n"),
        ("requirements.txt", ""),
    ]);
    let build = |arguments: &[&str]| {
        let mut command = pybundle(&["lambda", "--lock=requirements.txt", "--output=function.zip"]);
        command.args(arguments).current_dir(importer.project.path());
        command
    };
    let said = fail(&mut build(&[]));
    let flags = said.split("\nhint: use `").nth(1).unwrap_or_else(|| panic!("{said}"));
    let flags = flags.strip_suffix("`, a Lambda runtime that is not generally available yet\n");
    succeed(&mut build(&flags.unwrap_or_else(|| panic!("{said}")).split(' ').collect::<Vec<_>>()));
}

/// Builds while a file of at least so many lines is replaced without a pause by one of another size, and returns what the first
/// build says that fails.
fn built_while_written(importer: &Importer, file: &str, lines: usize, arguments: &[&str]) -> String {
    let (path, draft) = (importer.project.path().join(file), importer.cache.path().join("draft"));
    let is_written = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for more in (0..100).cycle().take_while(|_| is_written.load(Ordering::Relaxed)) {
                fs::write(&draft, "price = 1\n".repeat(lines + more)).unwrap();
                fs::rename(&draft, &path).unwrap();
            }
        });
        let failed = (0..50).find_map(|_| {
            let output = importer.lambda(arguments).output().unwrap();
            (!output.status.success()).then(|| String::from_utf8(output.stderr).unwrap())
        });
        is_written.store(false, Ordering::Relaxed);
        failed.expect("no build reads the file while it is written")
    })
}

#[test]
fn a_project_that_something_writes_to_is_built_again_when_nothing_does() {
    let handler = "def handler(event, context):\n    return event\n";
    for (file, lines, arguments, hint) in [
        // Large enough to be read once more when it is written.
        ("data.txt", 60_000, &[][..], "run pybundle again while no other process writes to the project"),
        (
            "prices.py",
            1,
            &["--compile-bytecode"],
            "run pybundle again while nothing else writes to the project or the cache",
        ),
    ] {
        let importer = Importer::new(&[("app.py", handler), ("requirements.txt", "")]);
        let said = built_while_written(&importer, file, lines, arguments);
        assert!(said.ends_with(&format!("\nhint: {hint}\n")), "{file}: {said}");
        succeed(&mut importer.lambda(arguments));
    }
}
