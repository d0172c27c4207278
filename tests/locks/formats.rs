//! Locks of one application in every format, written by the tools of the formats, give the same zip.

use std::path::Path;
use std::process::Command;

use crate::support::artifact::sha256;
use crate::support::command::{cache, lock_tool, pybundle, succeed, tool};
use crate::support::sample::is_tried;
use crate::support::uv::Project;

/// Compiled and pure wheels, extras, and requirements that depend on the platform and on Python.
const DEPENDENCIES: &str = r#"
    "httpx[http2]==0.28.1",
    "pydantic==2.11.7",
    "python-dateutil==2.9.0.post0 ; python_version >= '3.13'",
    "pyyaml==6.0.2 ; platform_machine == 'x86_64'",
    "colorama==0.4.6 ; sys_platform == 'win32'",
"#;

/// The index that Poetry locks from. Poetry reads HTML pages, which mirrors of PyPI provide as well.
const POETRY_SOURCE: &str =
    "[[tool.poetry.source]]\nname = 'simple'\nurl = 'https://pypi.org/simple/'\npriority = 'primary'\n";

/// A lock format: a name, the lock that pybundle finds, and the commands that write it.
type Format = (&'static str, &'static str, &'static [&'static str]);

/// Every format, in some cases written in several ways.
const FORMATS: &[Format] = &[
    ("uv.lock", "uv.lock", &["uv lock"]),
    ("pylock.toml", "pylock.toml", &["uv lock", "uv export --format pylock.toml -o pylock.toml", "rm uv.lock"]),
    (
        "a compiled pylock.toml",
        "pylock.toml",
        &["uv pip compile pyproject.toml --universal --python-version 3.11 -o pylock.toml"],
    ),
    ("poetry.lock", "poetry.lock", &["poetry lock --no-interaction"]),
    ("pdm.lock", "pdm.lock", &["pdm lock --quiet"]),
    (
        "requirements.txt with hashes",
        "requirements.txt",
        &["uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes -o requirements.txt"],
    ),
    (
        "requirements.txt without hashes",
        "requirements.txt",
        &["uv pip compile pyproject.toml --universal --python-version 3.11 --no-annotate -o requirements.txt"],
    ),
    (
        "an exported requirements.txt",
        "requirements.txt",
        &["uv lock", "uv export --no-default-groups -o requirements.txt", "rm uv.lock"],
    ),
];

/// Creates the project with only a lock of one format.
fn locked_project(pyproject: &str, files: &[(&str, &str)], commands: &[&str]) -> Project {
    let project = Project::new(&[&[("pyproject.toml", pyproject)], files].concat());
    for line in commands {
        let mut arguments = line.split(' ');
        let program = arguments.next().unwrap();
        let program = match program {
            "poetry" => tool(program),
            "pdm" => lock_tool(program),
            _ => program.into(),
        };
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(project.path()).env_remove("VIRTUAL_ENV");
        command.env("POETRY_CACHE_DIR", cache().join("poetry")).env("POETRY_KEYRING_ENABLED", "false");
        command.env("POETRY_VIRTUALENVS_CREATE", "false");
        let output = command.output().unwrap_or_else(|error| {
            panic!("{} cannot be started ({error}); scripts/setup-tests installs it", program.display())
        });
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    project
}

/// Returns the digest of the zip for a runtime and an architecture.
fn zip(project: &Path, runtime: &str, architecture: &str) -> String {
    let output = tempfile::tempdir().unwrap();
    let zip = output.path().join("function.zip");
    let mut command = pybundle(&["lambda", "--runtime", runtime, "--arch", architecture, "--handler", "app.handler"]);
    succeed(command.arg("--output").arg(&zip).arg(project));
    sha256(&std::fs::read(zip).unwrap())
}

fn assert_equal_zips(
    formats: impl Iterator<Item = &'static Format>,
    targets: &[(&str, &str)],
    pyproject: &str,
    files: &[(&str, &str)],
) {
    let mut expected = Vec::new();
    for (number, (name, lock, commands)) in formats.enumerate() {
        let project = locked_project(pyproject, files, commands);
        assert!(project.path().join(lock).is_file(), "{name}");
        for (at, (runtime, architecture)) in targets.iter().enumerate() {
            if number == 0 {
                expected.push(zip(project.path(), runtime, architecture));
            } else if is_tried(at + number, targets.len()) {
                assert_eq!(zip(project.path(), runtime, architecture), expected[at], "{name} {runtime} {architecture}");
            }
        }
    }
}

#[test]
fn an_application_that_is_not_a_package() {
    let pyproject = format!(
        "[project]\nname = 'app'\nversion = '1.0'\nrequires-python = '>=3.11'\ndependencies = [{DEPENDENCIES}]\n\
         [tool.poetry]\npackage-mode = false\n{POETRY_SOURCE}"
    );
    let files = [("app.py", "import httpx\n\n\ndef handler(event, context):\n    return event\n")];
    let targets = [("python3.11", "x86_64"), ("python3.13", "arm64"), ("python3.12", "x86_64")];
    assert_equal_zips(FORMATS.iter(), &targets, &pyproject, &files);
}

#[test]
fn an_application_that_is_a_package_with_scripts_and_data() {
    let pyproject = format!(
        "[project]\nname = 'my-app'\nversion = '1.0'\nrequires-python = '>=3.11'\ndependencies = [{DEPENDENCIES}]\n\
         [project.scripts]\nmy-app = 'app:handler'\n\
         [build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n\
         [tool.hatch.build.targets.wheel]\npackages = ['src/app']\n{POETRY_SOURCE}"
    );
    let files = [
        ("src/app/__init__.py", "def handler(event, context):\n    return event\n"),
        ("src/app/data/table.csv", "a,b\n1,2\n"),
    ];
    // The other formats do not treat packages differently from these.
    let formats = FORMATS.iter().filter(|(name, ..)| *name != "pylock.toml" && !name.contains("without"));
    assert_equal_zips(formats, &[("python3.13", "x86_64")], &pyproject, &files);
}
