//! `--changed-since`: which targets a change affects, in a real repository.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::command::succeed;
use crate::support::wheel;
use crate::test_project::TestProject;
use crate::tiny::Tiny;

const ROOT: &str = "[tool.uv.workspace]\nmembers = [\"services/*\", \"packages/*\"]\n\n[[tool.uv.index]]\nname = \"local\"\n\
    url = \"./index\"\nformat = \"flat\"\ndefault = true\n\n[tool.pybundle]\nruntime = \"python3.12\"\n\
    cmd = \"python app.py\"\n\n[tool.ruff]\nline-length = 100\n";

fn member(name: &str, rest: &str) -> String {
    format!("[project]\nname = \"{name}\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n{rest}")
}

/// Runs git in the directory of a project, with an identity of its own.
fn git(project: &TestProject, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"];
    let mut command = Command::new("git");
    succeed(command.arg("-C").arg(project.0.path()).args(identity).args(arguments))
}

/// Makes a repository of three services: `api` requires `alpha` and the workspace's `core`, and includes a directory that it
/// shares; `web` is an image that requires `beta`; `plain` requires nothing.
fn repository() -> TestProject {
    let project = TestProject::new(&[
        ("pyproject.toml", ROOT),
        (".gitignore", "*.log\ndist/\n"),
        (
            "services/api/pyproject.toml",
            &member(
                "api",
                "dependencies = [\"alpha\", \"core\"]\n\n[tool.uv.sources]\ncore = { workspace = true }\n\n\
                 [tool.pybundle.target.fn]\nkind = \"lambda\"\ninclude = [\"src\", \"../../shared/settings\"]\n",
            ),
        ),
        ("services/api/src/app.py", "import core\n"),
        ("services/api/src/extra.py", ""),
        ("services/api/src/test_app.py", ""),
        ("shared/settings/all.json", "{}"),
        (
            "services/web/pyproject.toml",
            &member(
                "web",
                "dependencies = [\"beta\"]\n\n[tool.pybundle.target.web]\nkind = \"image\"\nbase = \"oci:../../base\"\n\
                 [tool.pybundle.target.test]\nextends = \"web\"\ninclude = [\"tests\"]\n",
            ),
        ),
        ("services/web/app.py", "import beta\n"),
        ("services/web/tests/all.py", ""),
        ("services/plain/pyproject.toml", &member("plain", "\n[tool.pybundle.target.fn]\nkind = \"lambda\"\n")),
        ("services/plain/more.py", ""),
        ("services/plain/app.py", "def handler(event, context): ...\n"),
        (
            "packages/core/pyproject.toml",
            &member("core", "\n[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n"),
        ),
        ("packages/core/core/__init__.py", ""),
        ("docs/index.md", ""),
    ]);
    for (name, version) in [("alpha", "1.0"), ("alpha", "1.1"), ("beta", "2.0")] {
        project.0.write(&format!("index/{name}-{version}-py3-none-any.whl"), &wheel(name, version));
    }
    Tiny::python().write(&project.0.path().join("base"));
    project
        .0
        .write("pyproject.toml", format!("{ROOT}[tool.uv]\nconstraint-dependencies = [\"alpha<1.1\"]\n").as_bytes());
    project.0.uv(&["lock", "--offline"]);
    git(&project, &["init", "--quiet", "--initial-branch=main"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "--quiet", "--message=one"]);
    project
}

/// Returns the changed targets with the reasons.
fn changed(project: &TestProject, revision: &str) -> Vec<(String, String)> {
    let listed = project.json(&["build", "--workspace", "--list", "--changed-since", revision]);
    let targets = listed["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 4, "{listed}");
    for target in targets.iter().filter(|target| target["changed"] == json!(false)) {
        assert_eq!(target["reason"], format!("unchanged since {revision}"));
    }
    let is_changed = |target: &&Value| target["changed"] == json!(true);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    targets.iter().filter(is_changed).map(|target| (text(&target["name"]), text(&target["reason"]))).collect()
}

#[test]
fn a_change_affects_the_targets_that_depend_on_it() {
    let project = repository();
    let write = |path: &str, text: &str| project.0.write(path, text.as_bytes());
    let replace = |path: &str, old: &str, new: &str| {
        let text = project.0.read(path);
        assert!(text.contains(old), "{path}");
        write(path, &text.replace(old, new));
    };
    let remove = |path: &str| fs::remove_file(project.0.path().join(path)).unwrap();
    type Case<'a> = (&'a str, &'a dyn Fn(), &'a [(&'a str, &'a str)]);
    let web = |reason: &'static str| [("web/test", reason), ("web/web", reason)];
    let cases: &[Case] = &[
        ("nothing", &|| (), &[]),
        ("an unrelated file", &|| write("docs/index.md", "more"), &[]),
        ("a module", &|| write("services/api/src/app.py", "x = 1\n"), &[("api/fn", "services/api/src/app.py changed")]),
        (
            "a shared folder",
            &|| write("shared/settings/all.json", "[]"),
            &[("api/fn", "shared/settings/all.json changed")],
        ),
        (
            "a member that is built",
            &|| write("packages/core/core/__init__.py", "x = 1\n"),
            &[("api/fn", "packages/core/core/__init__.py changed")],
        ),
        ("a lock beside a member that is built", &|| write("packages/core/pylock.toml", ""), &[]),
        (
            "a variant's files",
            &|| write("services/web/tests/all.py", "x = 1\n"),
            &web("services/web/tests/all.py changed"),
        ),
        ("the base", &|| replace("base/index.json", "{\"", "{ \""), &web("base changed")),
        (
            "a file that goes",
            &|| remove("services/api/src/extra.py"),
            &[("api/fn", "services/api/src/extra.py is gone")],
        ),
        ("a test that goes", &|| remove("services/api/src/test_app.py"), &[]),
        ("a new file", &|| write("services/plain/new.py", ""), &[("plain/fn", "services/plain/new.py changed")]),
        ("a new file that git ignores", &|| write("services/plain/new.log", ""), &[]),
        ("a new test", &|| write("services/plain/test_new.py", ""), &[]),
        (
            "the lock",
            &|| {
                replace("pyproject.toml", "alpha<1.1", "alpha>=1");
                project.0.uv(&["lock", "--offline", "--upgrade"]);
            },
            &[("api/fn", "alpha 1.0 → 1.1")],
        ),
        (
            "the bytes of a wheel",
            &|| write("index/beta-2.0-py3-none-any.whl", "another"),
            &web("index/beta-2.0-py3-none-any.whl changed"),
        ),
        ("ruff's settings", &|| replace("pyproject.toml", "= 100", "= 120"), &[]),
        (
            "what is configured for all",
            &|| replace("pyproject.toml", "python3.12", "python3.13"),
            &[("api/fn", "`runtime` in [tool.pybundle] changed"), ("plain/fn", "`runtime` in [tool.pybundle] changed")],
        ),
        (
            "what is configured for one",
            &|| replace("services/web/pyproject.toml", "[\"tests\"]", "[\"tests\"]\nuser = 1000"),
            &[("web/test", "`user` in [tool.pybundle] changed")],
        ),
        (
            "a new target",
            &|| replace("services/plain/pyproject.toml", "target.fn", "target.other"),
            &[("plain/other", "new target")],
        ),
        (
            "what a project declares",
            &|| replace("services/plain/pyproject.toml", "\n[tool", "description = \"Plain\"\n\n[tool"),
            &[("plain/fn", "[project] in services/plain/pyproject.toml changed")],
        ),
        ("the version of Python", &|| write(".python-version", "3.12\n"), &web(".python-version changed")),
        (
            "what git leaves out from now on",
            &|| write("services/plain/.gitignore", "more.py\n"),
            &[("plain/fn", "services/plain/.gitignore changed")],
        ),
    ];
    for (what, edit, expected) in cases {
        edit();
        let found = changed(&project, "HEAD");
        let found: Vec<_> = found.iter().map(|(name, reason)| (name.as_str(), project.shown(reason))).collect();
        let expected: Vec<_> = expected.iter().map(|(name, reason)| (*name, (*reason).to_owned())).collect();
        let expected: Vec<_> =
            expected.into_iter().filter(|(name, _)| *what != "a variant's files" || *name != "web/web").collect();
        assert_eq!(found, expected, "{what}");
        git(&project, &["checkout", "--quiet", "."]);
        git(&project, &["clean", "-fdqx"]);
    }
}

#[test]
fn only_what_changed_is_built() {
    let project = repository();
    git(&project, &["checkout", "--quiet", "-b", "topic"]);
    project.0.write("services/plain/app.py", b"def handler(event, context): return 1\n");
    git(&project, &["commit", "--quiet", "--all", "--message=two"]);
    // What came to the other branch meanwhile is no change of this one.
    git(&project, &["checkout", "--quiet", "main"]);
    project.0.write("services/api/src/app.py", b"x = 1\n");
    git(&project, &["commit", "--quiet", "--all", "--message=three"]);
    git(&project, &["checkout", "--quiet", "topic"]);
    let report = project.json(&["build", "--workspace", "--changed-since=main"]);
    let status = |name: &str| {
        let target = report["targets"].as_array().unwrap().iter().find(|target| target["name"] == name).unwrap();
        (target["status"].as_str().unwrap().to_owned(), target["reason"].clone())
    };
    assert_eq!(status("plain/fn"), ("built".to_owned(), Value::Null));
    for name in ["api/fn", "web/web", "web/test"] {
        assert_eq!(status(name), ("unchanged".to_owned(), "unchanged since main".into()));
    }
    assert!(project.0.path().join("services/plain/dist/fn.zip").is_file());
    assert!(!project.0.path().join("services/web/dist").exists());
    let page = project.run(&["build", "--workspace", "--changed-since=main"]);
    assert!(page.contains("4 targets: 4 unchanged, in "), "{page}");
    let matrix = project.run(&["build", "--workspace", "--list", "--format=github-matrix", "--changed-since=main"]);
    let matrix: Value = serde_json::from_str(&matrix).unwrap();
    assert_eq!(matrix["include"].as_array().unwrap().len(), 1);
    assert_eq!(matrix["include"][0]["name"], "plain/fn");
    // A clone that lacks the commit says what to do.
    let clone = TestProject::new(&[]);
    let from = format!("file://{}", project.0.path().display());
    git(&clone, &["clone", "--quiet", "--depth=1", "--no-single-branch", &from, "."]);
    let (_, said) = clone.ends(1, &["build", "--workspace", "--list", "--changed-since=origin/main"]);
    assert!(
        said.starts_with(
            "error: `origin/main` and HEAD have no common ancestor\nhint: the clone is shallow: fetch its history"
        ),
        "{said}"
    );
    let first = git(&project, &["rev-parse", "HEAD~1"]);
    let (_, said) = clone.ends(1, &["build", "--workspace", "--list", "--changed-since", first.trim()]);
    assert!(said.contains("is not a commit in the repository") && said.contains("fetch-depth: 0"), "{said}");
}

#[test]
fn unknown_revisions_are_errors() {
    let project = TestProject::configured("[tool.pybundle.target.fn]\nkind = \"lambda\"\n");
    let (_, said) = project.ends(1, &["build", "--list", "--changed-since=HEAD"]);
    assert!(said.starts_with("error: . is not in a git repository\nhint: omit --changed-since"), "{said}");
    git(&project, &["init", "--quiet"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "--quiet", "--message=one"]);
    for revision in ["none", "--help", "HEAD:app.py", ""] {
        let (_, said) = project.ends(1, &["build", "--list", &format!("--changed-since={revision}")]);
        assert!(said.starts_with(&format!("error: `{revision}` is not a commit in the repository\nhint: ")), "{said}");
    }
    let mut command = project.command(&["build", "--list", "--changed-since=HEAD"]);
    let output = command.env("PATH", project.0.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: cannot run git") && said.contains("hint: install git"), "{said}");
    // An untracked file may have changed in any way.
    project.0.write(".gitignore", b"generated.json\n");
    project.0.write("generated.json", b"{}");
    let pyproject = project.0.read("pyproject.toml");
    project.0.write("pyproject.toml", format!("{pyproject}include = [\"generated.json\"]\n").as_bytes());
    git(&project, &["add", "."]);
    git(&project, &["commit", "--quiet", "--message=two"]);
    let listed = project.json(&["build", "--list", "--changed-since=HEAD"]);
    assert_eq!(listed["targets"][0]["reason"], "generated.json is not tracked by git");
}

#[test]
fn a_comment_in_what_a_lock_includes_changes_nothing() {
    let project = TestProject::new(&[
        ("pyproject.toml", "[tool.pybundle.target.fn]\nkind = \"lambda\"\nlock = \"prod.txt\"\n"),
        ("app.py", "def handler(event, context): ...\n"),
        ("prod.txt", "--requirement base.txt\n"),
        ("base.txt", ""),
        ("other.txt", ""),
    ]);
    git(&project, &["init", "--quiet"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "--quiet", "--message=one"]);
    let reason = || project.json(&["build", "--list", "--changed-since=HEAD"])["targets"][0]["reason"].clone();
    for (file, expected) in [("base.txt", "unchanged since HEAD"), ("other.txt", "other.txt changed")] {
        project.0.write(file, b"# Nothing.\n");
        assert_eq!(reason(), expected);
    }
    // What is included is no file of the application, and the other way round, although the same is selected.
    git(&project, &["checkout", "--quiet", "."]);
    for (lock, expected) in [
        ("# Nothing.\n", "base.txt is not a part of the lock any more"),
        ("--requirement base.txt\n--constraint other.txt\n", "other.txt is a part of the lock now"),
        ("--requirement base.txt\n# Nothing.\n", "unchanged since HEAD"),
    ] {
        project.0.write("prod.txt", lock.as_bytes());
        assert_eq!(reason(), expected);
    }
}
