//! `--dry-run` refuses what the build would refuse, as far as metadata is known without the wheels.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::forge::{FILENAME, Forge};
use crate::http::{Answer, Server};
use crate::support::artifact::sha256;
use crate::support::command::{fail, pybundle, succeed};

fn project(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        fs::create_dir_all(project.path().join(path).parent().unwrap()).unwrap();
        fs::write(project.path().join(path), bytes).unwrap();
    }
    project
}

fn bundle(project: &Path, arguments: &[&str]) -> Command {
    let mut command = pybundle(&["lambda", "--no-audit", "-o"]);
    command.arg(project.join("f.zip")).args(arguments).arg(project);
    command
}

/// Returns the lines of an error.
fn refused(command: &mut Command) -> String {
    let message = fail(command);
    message[message.find("error: ").unwrap()..].to_owned()
}

/// The index serves METADATA beside the wheel (PEP 658).
#[test]
fn metadata_from_the_index_is_enough() {
    for (fields, reason) in [
        ("Requires-Dist: six\n", "does not pin a required distribution: six (required by demo)"),
        ("Requires-Python: >=3.13\n", "requires Python >=3.13"),
    ] {
        let metadata = format!("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n{fields}");
        let wheel = Forge::wheel(&[("demo.py", b""), ("demo-1.0.dist-info/METADATA", metadata.as_bytes())]).bytes();
        let server = Server::start();
        let page =
            format!("<a href='/files/{FILENAME}#sha256={}' data-core-metadata=true>{FILENAME}</a>", sha256(&wheel));
        server.answer("/simple/demo/", [Answer::file(page.as_bytes()).header("Content-Type", "text/html")]);
        server.answer(&format!("/files/{FILENAME}"), [Answer::file(&wheel)]);
        server.answer(&format!("/files/{FILENAME}.metadata"), [Answer::file(metadata.as_bytes())]);
        let project = project(&[("app.py", b""), ("requirements.txt", b"demo==1.0\n")]);
        let index = server.url("/simple");
        let arguments = ["--runtime=python3.12", "--no-cache", "--index-url", &index];
        let dry = refused(&mut bundle(project.path(), &[&arguments[..], &["--dry-run"]].concat()));
        assert!(dry.contains(reason), "{dry}");
        assert_eq!(server.requests(&format!("/files/{FILENAME}")).len(), 0);
        assert_eq!(dry, refused(&mut bundle(project.path(), &arguments)));
    }
}

/// Once a wheel is in the cache, the plan knows as much as the build.
#[test]
fn cached_wheels_are_checked() {
    let metadata = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: >=3.13\n";
    let newer = Forge::wheel(&[("demo.py", b""), ("demo-1.0.dist-info/METADATA", metadata)]);
    let mut invalid = Forge::demo();
    invalid.set_record(|record| record.replace(",6\n", ",7\n"));
    for (forge, reason) in [(newer, "requires Python >=3.13"), (invalid, "it has 6 bytes, but RECORD lists 7")] {
        let bytes = forge.bytes();
        let requirements = format!("demo==1.0 --hash=sha256:{}\n", sha256(&bytes));
        let project = project(&[
            ("app.py", b""),
            ("requirements.txt", requirements.as_bytes()),
            (&format!("wheels/{FILENAME}"), &bytes),
        ]);
        let (wheels, cache) = (project.path().join("wheels"), project.path().join("cache"));
        let run = |arguments: &[&str]| {
            let mut command = bundle(project.path(), &[&["--runtime=python3.12", "--no-index"], arguments].concat());
            command.arg("--find-links").arg(&wheels).env("PYBUNDLE_CACHE_DIR", &cache);
            command
        };
        succeed(&mut run(&["--dry-run"]));
        let built = refused(&mut run(&[]));
        assert!(built.contains(reason), "{built}");
        assert_eq!(refused(&mut run(&["--dry-run"])), built);
    }
}

/// All wheels of markupsafe are compiled, so its source distribution is as well.
#[test]
fn sources_that_cannot_be_built_for_the_target_are_refused() {
    let project = project(&[("app.py", b""), ("requirements.txt", b"markupsafe==3.0.2\n")]);
    let architecture = if std::env::consts::ARCH == "x86_64" { "arm64" } else { "x86_64" };
    let run = |arguments: &[&str]| {
        let common = ["--runtime=python3.12", "--arch", architecture, "--no-binary-package=markupsafe"];
        refused(&mut bundle(project.path(), &[&common[..], arguments].concat()))
    };
    let dry = run(&["--dry-run"]);
    assert!(dry.contains("markupsafe-3.0.2.tar.gz"), "{dry}");
    assert_eq!(dry, run(&[]));
}

#[test]
fn requirements_of_a_local_project_are_checked() {
    let pyproject: &[u8] = b"[project]\nname = 'local'\nversion = '1'\ndependencies = ['six']\n\
        [project.optional-dependencies]\nmore = ['attrs ; python_version >= \"3\"']\n\
        [build-system]\nrequires = ['uv_build']\nbuild-backend = 'uv_build'\n";
    for (requirements, reason) in [
        (&b"-e .\n"[..], "does not pin a required distribution: six (required by local)"),
        (b"-e .[more]\nsix==1.17.0\n", "does not pin a required distribution: attrs"),
    ] {
        let project = project(&[
            ("src/local/__init__.py", b""),
            ("pyproject.toml", pyproject),
            ("requirements.txt", requirements),
        ]);
        let arguments = ["--runtime=python3.12"];
        let dry = refused(&mut bundle(project.path(), &["--runtime=python3.12", "--dry-run"]));
        assert!(dry.contains(reason), "{dry}");
        assert_eq!(dry, refused(&mut bundle(project.path(), &arguments)));
        succeed(&mut bundle(project.path(), &["--runtime=python3.12", "--dry-run", "--no-deps"]));
    }
}

#[test]
fn a_missing_handler_is_refused() {
    let project = project(&[
        ("app/__init__.py", b""),
        ("app/main.py", b"def handler(event, context): ...\n"),
        ("requirements.txt", b""),
    ]);
    for (handler, reason) in [
        ("app.main.missing", "app/main.py does not define `missing` at its top level"),
        ("app.absent.handler", "the artifact has no module `app.absent`"),
        ("absent.handler", "the artifact has no module `absent`"),
    ] {
        let arguments = ["--runtime=python3.12", "--handler", handler];
        let dry = refused(&mut bundle(project.path(), &[&arguments[..], &["--dry-run"]].concat()));
        assert!(dry.contains(reason), "{dry}");
        assert_eq!(dry, refused(&mut bundle(project.path(), &arguments)));
    }
    // The hint does not repeat what was said, and helps.
    fs::write(project.path().join("app/main.py"), "def other(event, context): ...\n").unwrap();
    let said =
        refused(&mut bundle(project.path(), &["--runtime=python3.12", "--handler=app.main.missing", "--dry-run"]));
    assert!(
        said.ends_with(
            "hint: define `def missing(event, context)` in app/main.py, or name a function with --handler\n"
        ),
        "{said}"
    );
    fs::write(project.path().join("app/main.py"), "def missing(event, context): ...\n").unwrap();
    for more in [&[][..], &["--dry-run"]] {
        succeed(bundle(project.path(), &["--runtime=python3.12", "--handler=app.main.missing"]).args(more));
    }
    // A distribution may have the module: only the build tells.
    fs::write(project.path().join("requirements.txt"), "six==1.17.0\n").unwrap();
    succeed(&mut bundle(project.path(), &["--runtime=python3.12", "--handler=six.moves", "--dry-run"]));
    let said =
        fail(&mut bundle(project.path(), &["--runtime=python3.12", "--handler=app.absent.handler", "--dry-run"]));
    assert!(said.contains("the artifact has no module `app.absent`"), "{said}");
}
