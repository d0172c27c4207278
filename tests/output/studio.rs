//! A directory with copies of the example, artifacts built from it, and a registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::registry::{MemoryRegistry, Profile};
use crate::support::command::{repository, succeed};
use crate::tiny::Tiny;

/// The variables that affect output.
pub const VARIABLES: [&str; 8] =
    ["PYBUNDLE_OUTPUT_FORMAT", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI", "TERM", "COLORTERM", "GITHUB_WORKSPACE"];

/// Three targets, of which `wrong` cannot be built.
const TARGETS: &str = r#"
[tool.pybundle]
frozen = true
group = []

[tool.pybundle.target.api]
kind = "lambda"
handler = "app.handler"

[tool.pybundle.target.web]
kind = "image"
base = "oci:../base"
expose = [8000, "53/udp"]
env = { MODE = "test" }

[tool.pybundle.target.wrong]
extends = "api"
handler = "app.nothing"
"#;

/// A directory to run pybundle in. `project` is a copy of the example, `broken` one with an invalid pyproject.toml, `targets`
/// one with three targets, of which `wrong` cannot be built. `base` is a small base image. `app.zip`, `other.zip`, `image` and
/// `other` are built artifacts, and `damaged.zip` is `app.zip` with one bit changed.
pub struct Studio {
    folder: TempDir,
    pub registry: MemoryRegistry,
}

/// Returns the directory, which is created once.
pub fn studio() -> &'static Studio {
    static STUDIO: LazyLock<Studio> = LazyLock::new(Studio::new);
    &STUDIO
}

impl Studio {
    fn new() -> Self {
        let studio = Self { folder: tempfile::tempdir().unwrap(), registry: MemoryRegistry::start(Profile::Plain) };
        Tiny::python().write(&studio.path("base"));
        for project in ["project", "broken", "targets"] {
            succeed(Command::new("cp").arg("-r").arg(repository().join("testdata/example")).arg(studio.path(project)));
        }
        let pyproject = studio.path("broken/pyproject.toml");
        let text = fs::read_to_string(&pyproject).unwrap();
        fs::write(pyproject, text.replace("version = \"0.1.0\"", "version = 100")).unwrap();
        let pyproject = studio.path("targets/pyproject.toml");
        let text = fs::read_to_string(&pyproject).unwrap();
        fs::write(pyproject, format!("{text}{TARGETS}")).unwrap();
        succeed(&mut studio.pybundle(&["lambda", "project", "--output=app.zip"]));
        succeed(&mut studio.pybundle(&[
            "lambda",
            "project",
            "--output=other.zip",
            "--no-install-package=example-banner",
            "--no-audit",
        ]));
        for (output, platform) in [("image", "linux/amd64,linux/arm64"), ("other", "linux/arm64")] {
            let output = format!("--output=oci:{output}");
            let platform = format!("--platform={platform}");
            succeed(&mut studio.pybundle(&["image", "project", "--base=oci:base", &output, &platform]));
        }
        // A script of which uv has locked that it requires nothing.
        fs::create_dir(studio.path("script")).unwrap();
        let metadata = "# /// script\n# requires-python = \">=3.9\"\n# dependencies = []\n# ///\n";
        fs::write(studio.path("script/app.py"), format!("{metadata}def handler(event, context): ...\n")).unwrap();
        let lock = "version = 1\nrevision = 3\nrequires-python = \">=3.9\"\n";
        fs::write(studio.path("script/app.py.lock"), lock).unwrap();
        let mut bytes = fs::read(studio.path("app.zip")).unwrap();
        let middle = bytes.len() / 3;
        bytes[middle] ^= 1;
        fs::write(studio.path("damaged.zip"), bytes).unwrap();
        studio
    }

    /// Returns a path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns pybundle, to be run in the directory without variables that affect output.
    pub fn pybundle(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pybundle"));
        command.args(arguments);
        self.prepare(&mut command);
        command
    }

    /// Makes a command run in the directory, with its cache.
    pub fn prepare(&self, command: &mut Command) {
        VARIABLES.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.current_dir(self.folder.path()).env("PYBUNDLE_CACHE_DIR", self.path("cache"));
    }
}

/// Returns a path as text.
pub fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The result of a run.
#[derive(Debug)]
pub struct Run {
    pub status: i32,
    pub out: String,
    pub err: String,
}

/// Runs a command.
pub fn run(command: &mut Command) -> Run {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let status = status.code().unwrap_or_else(|| panic!("{command:?} was killed"));
    Run { status, out: String::from_utf8(stdout).unwrap(), err: String::from_utf8(stderr).unwrap() }
}
