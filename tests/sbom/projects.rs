//! Real projects, locked by uv and built once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::support::command::{cache, pybundle, repository, succeed};
use crate::support::uv::Project;

/// A workspace with every kind of dependency: wheels from PyPI with all kinds of licence fields, extras, a group, a source
/// distribution, a wheel at a URL, a commit, and a member with the text of its licence.
const PYPROJECT: &str = r#"[project]
name = "shop-service"
version = "1.4.0"
description = "Sells things"
requires-python = ">=3.9"
license = "LicenseRef-Shop"
authors = [{ name = "Ann Ode", email = "ann@example.org" }]
dependencies = [
    "requests[socks]<3", "python-dateutil==2.9.0.post0", "typing-extensions==4.15.0", "certifi<2027", "pyyaml==6.0.3",
    "packaging==26.3", "docutils<0.23", "docopt==0.6.2", "pysocks==1.7.1", "idna", "shop-lib", "shop-rules",
]

[project.optional-dependencies]
web = ["httpx[http2]"]
unused = ["flask"]

[project.urls]
Homepage = "https://example.org/shop"

[dependency-groups]
ops = ["jmespath"]

[tool.uv.sources]
shop-lib = { workspace = true }
shop-rules = { git = "REPOSITORY" }
idna = { url = "https://files.pythonhosted.org/packages/76/c6/c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/idna-3.10-py3-none-any.whl" }

[tool.uv.workspace]
members = ["lib"]

[build-system]
requires = ["uv_build>=0.7,<1"]
build-backend = "uv_build"
"#;

const LIB: &str = r#"[project]
name = "shop-lib"
version = "0.1.0"
license = { text = "Nobody may sell\nwhat this sells." }
dependencies = ["attrs"]

[build-system]
requires = ["uv_build>=0.7,<1"]
build-backend = "uv_build"
"#;

const RULES: &str = r#"[project]
name = "shop-rules"
version = "0.3.0"
license = "MIT OR Apache-2.0"

[build-system]
requires = ["uv_build>=0.7,<1"]
build-backend = "uv_build"
"#;

/// The artifacts of the projects, built once for all tests.
pub struct Built {
    /// The directory of the zips and their documents.
    folder: tempfile::TempDir,
    /// The workspace.
    pub service: Project,
    /// The commit of `shop-rules`.
    pub commit: String,
    /// The Python version that the artifacts are for.
    pub python: String,
    _rules: Project,
}

/// The projects, built with SBOMs in both formats and provenance statements.
pub static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let rules = Project::new(&[("pyproject.toml", RULES), ("src/shop_rules/__init__.py", "")]);
    git(rules.path(), &["init", "--quiet"]);
    git(rules.path(), &["add", "."]);
    git(rules.path(), &["commit", "--quiet", "--message", "one"]);
    let commit = git(rules.path(), &["rev-parse", "HEAD"]);
    let (python, prefix) = interpreter();
    let service = Project::new(&[
        ("pyproject.toml", &PYPROJECT.replace("REPOSITORY", &format!("file://{}", rules.path().display()))),
        ("src/shop_service/__init__.py", "def handler(event, context):\n    return event\n"),
        ("lib/pyproject.toml", LIB),
        ("lib/src/shop_lib/__init__.py", ""),
    ]);
    service.uv(&["lock", "--python", prefix.join(format!("bin/python{python}")).to_str().unwrap()]);
    let built = Built { folder: tempfile::tempdir().unwrap(), service, commit, python, _rules: rules };
    built.build("service", built.service.path(), "cyclonedx", &["--extra=web", "--group=ops"]);
    built.build("service", built.service.path(), "spdx", &["--extra=web", "--group=ops"]);

    // The same from a requirements file, which has no dependency graph.
    let arguments = ["export", "--frozen", "--no-dev", "--extra=web", "--no-emit-local", "--no-annotate", "--quiet"];
    let (requirements, _) = built.service.uv(&arguments);
    let pinned: Vec<&str> = requirements.lines().filter(|line| !line.contains("git+")).collect();
    let listed = Project::new(&[("requirements.txt", &pinned.join("\n")), ("app.py", "")]);
    built.build("listed", listed.path(), "cyclonedx", &["--no-deps"]);

    // And from pylock.toml.
    built.service.uv(&["export", "--frozen", "--no-dev", "--format=pylock.toml", "--quiet", "-o", "pylock.toml"]);
    built.build("pylock", built.service.path(), "spdx", &["--lock=pylock.toml", "--frozen"]);
    std::fs::remove_file(built.service.path().join("pylock.toml")).unwrap();
    built
});

impl Built {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns `pybundle lambda` for a project, with an interpreter that can build.
    pub fn command(&self, project: &Path, output: &Path) -> Command {
        let mut command = pybundle(&["lambda", "--runtime", &format!("python{}", self.python), "--no-progress"]);
        command.arg("--output").arg(output).arg(project).env("PATH", search_path()).env("GIT_ALLOW_PROTOCOL", "file");
        command
    }

    fn build(&self, name: &str, project: &Path, form: &str, arguments: &[&str]) {
        let mut command = self.command(project, &self.path(&format!("{name}.zip")));
        // The path of a lock is relative to its project.
        command.args(arguments).args(["--sbom", form, "--provenance"]).current_dir(project);
        succeed(&mut command);
    }

    /// Returns a zip and its documents as a case for the checker. `asked` are the requirements of the project beyond its
    /// metadata: a list, or a string for everything that nothing else requires.
    pub fn case(&self, name: &str, project: &str, extras: &Value, asked: Value) -> Value {
        let at = |end: &str| self.path(&format!("{name}.zip{end}"));
        let mut case = json!({
            "zip": at(""), "python": self.python, "extras": extras, "project": project, "asked": asked,
        });
        let ends = [("cyclonedx", ".cdx.json"), ("spdx", ".spdx.json"), ("provenance", ".provenance.json")];
        for (form, end) in ends.into_iter().filter(|(_, end)| at(end).exists()) {
            case[form] = json!(at(end));
        }
        case
    }
}

/// Returns the version and prefix of an interpreter.
fn interpreter() -> (String, PathBuf) {
    let path = repository().join("target/test-tools/interpreters");
    let listed = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("run scripts/setup-tests: {error}"));
    let (version, prefix) = listed.lines().last().and_then(|line| line.split_once(' ')).unwrap();
    (version.to_owned(), prefix.into())
}

/// Returns a search path with that interpreter first.
pub fn search_path() -> std::ffi::OsString {
    let rest = std::env::var_os("PATH").unwrap();
    let folders = [interpreter().1.join("bin"), cache().join("none")];
    std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&rest))).unwrap()
}

/// Runs git with an author and a fixed time.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let settings = ["user.name=n", "user.email=e@example.org", "commit.gpgsign=false", "init.defaultBranch=main"];
    let mut command = Command::new("git");
    settings.iter().for_each(|setting| {
        command.args(["-c", setting]);
    });
    let time = "2024-01-01T00:00:00Z";
    command.env("GIT_AUTHOR_DATE", time).env("GIT_COMMITTER_DATE", time);
    succeed(command.arg("-C").arg(folder).args(arguments)).trim().to_owned()
}
