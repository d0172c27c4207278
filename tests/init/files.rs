//! Existing files are left unchanged, and new ones are written completely.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::project::{Project, names};
use crate::support::command::{fail, pybundle, succeed, tool};

const APP: (&str, &str) = ("app.py", "def lambda_handler(event, context): pass\n");
const WORKFLOW: &str = ".github/workflows/pybundle.yml";

#[test]
fn a_second_run_changes_nothing() {
    let project = Project::new(&[APP]);
    let shown = succeed(&mut project.command(&["--dry-run"]));
    assert!(shown.contains("would write ") && shown.contains("    handler = \"app.lambda_handler\"\n"), "{shown}");
    assert_eq!(project.files().len(), 1);

    let report = project.init(&[]);
    assert_eq!(project.0.read("pyproject.toml"), report["files"][0]["text"].as_str().unwrap());
    assert_eq!(project.0.read(WORKFLOW), report["files"][1]["text"].as_str().unwrap());
    let umask_mode = fs::metadata(project.path("app.py")).unwrap().permissions().mode();
    assert_eq!(fs::metadata(project.path(WORKFLOW)).unwrap().permissions().mode(), umask_mode);

    let said = project.refused(&[]);
    assert!(said.contains("nothing to write: ") && said.contains("are already set up"), "{said}");
    project.refused(&["--kind=both", "--name=other", "--dry-run"]);
}

#[test]
fn existing_configuration_and_workflows_are_kept() {
    // Only the workflow is written.
    let configured = "[tool.pybundle.target.mine]\nkind = \"lambda\"\n";
    let project = Project::new(&[APP, ("pyproject.toml", configured)]);
    let report = project.init(&[]);
    assert_eq!(project.0.read("pyproject.toml"), configured);
    assert_eq!(report["kept"].as_array().unwrap().len(), 1);
    assert!(project.path(WORKFLOW).exists());

    // Only the configuration is written.
    let project = Project::new(&[APP, (WORKFLOW, "mine")]);
    let said = succeed(&mut project.command(&[]));
    assert!(said.contains("kept ") && said.contains("pybundle.yml unchanged\n"), "{said}");
    assert_eq!(project.0.read(WORKFLOW), "mine");
    assert_eq!(project.target("function")["handler"].as_str(), Some("app.lambda_handler"));
    project.refused(&[]);
}

/// `pybundle build` without targets says that `pybundle init` writes some.
#[test]
fn targets_are_added_to_what_applies_to_all_of_them() {
    let configured = "[tool.pybundle]\nruntime = \"python3.12\"\nslim = [\"tests\"]\n";
    let project = Project::new(&[APP, ("pyproject.toml", configured)]);
    let said = fail(pybundle(&["build"]).current_dir(project.path(".")));
    assert!(said.contains("hint: add a table [tool.pybundle.target.NAME], or run `pybundle init`"), "{said}");
    project.init(&["--no-workflow"]);
    assert!(project.0.read("pyproject.toml").starts_with(configured));
    // What the user has set is not overridden.
    let target = project.target("function");
    assert_eq!(target.keys().collect::<Vec<_>>(), ["handler", "kind"], "{target}");
    assert!(!project.0.read("pyproject.toml").contains("The newest"));
    let said = succeed(pybundle(&["build", "--dry-run"]).current_dir(project.path(".")));
    assert!(said.contains(" for python3.12 on x86_64"), "{said}");
    project.refused(&["--no-workflow"]);

    // The base of all images has a Python of its own.
    let configured = "[tool.pybundle]\nbase = \"oci:base\"\n";
    let project = Project::new(&[("app.py", "print()\n"), ("pyproject.toml", configured)]);
    project.init(&["--kind=image"]);
    assert!(!project.target("app").contains_key("python"));

    // Members of a workspace have the keys of its root.
    let member = "[project]\nname = \"one\"\nversion = \"1\"\n";
    let root = "[tool.uv.workspace]\nmembers = [\"one\"]\n[tool.pybundle]\nruntime = \"python3.12\"\n";
    let project = Project::new(&[("one/app.py", APP.1), ("one/pyproject.toml", member), ("pyproject.toml", root)]);
    project.init(&[]);
    let written = project.0.read("one/pyproject.toml");
    assert!(written.contains("handler = \"app.lambda_handler\"\n") && !written.contains("runtime"), "{written}");
}

#[test]
fn the_content_of_pyproject_toml_stays_byte_for_byte() {
    let windows = "# é\r\n[project]\r\nname='x'\r\nversion = \"1\"   # odd\r\n\r\n\r\n[tool.b]\r\na.c = 1";
    let project = Project::new(&[APP, ("real.toml", windows)]);
    let path = project.path("pyproject.toml");
    std::os::unix::fs::symlink("real.toml", &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    project.init(&["--no-workflow"]);
    let text = project.0.read("real.toml");
    let added = text.strip_prefix(windows).unwrap();
    assert!(added.starts_with("\r\n\r\n# Targets ") && !added.replace("\r\n", "").contains('\n'), "{added:?}");
    assert!(path.is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(project.target("function")["kind"].as_str(), Some("lambda"));

    // An inline table cannot be extended.
    let project = Project::new(&[APP, ("pyproject.toml", "tool = { b = 1 }\n")]);
    let said = project.refused(&[]);
    assert!(
        said.contains("cannot add `[tool.pybundle]` to ")
            && said.contains("hint: write the tables of `tool` as `[tool.NAME]`"),
        "{said}"
    );
    // Invalid TOML.
    project.0.write("pyproject.toml", b"[project");
    project.refused(&[]);
}

#[test]
fn other_files_are_written_before_one_that_cannot_be() {
    let project = Project::new(&[APP, (".github", "a file")]);
    let said = fail(&mut project.command(&[]));
    assert!(said.contains("cannot write ") && said.contains("pybundle.yml"), "{said}");
    assert_eq!(project.target("function")["handler"].as_str(), Some("app.lambda_handler"));
    let names: Vec<_> = project.files().into_iter().map(|(path, _)| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, [".github", "app.py", "pyproject.toml"]);
}

#[test]
fn jobs_for_gitlab_are_printed() {
    let project = Project::new(&[APP, (".gitlab-ci.yml", "stages: []\n")]);
    let said = succeed(&mut project.command(&[]));
    assert!(
        said.contains("add to .gitlab-ci.yml:\n\n    pybundle:\n") && said.contains("- uvx pybundle build\n"),
        "{said}"
    );
    assert_eq!(project.0.read(".gitlab-ci.yml"), "stages: []\n");
    assert!(!project.path(".github").exists());

    let project =
        Project::new(&[APP, (".git/config", "[remote \"origin\"]\n\turl = git@gitlab.example.org:a/b.git\n")]);
    fs::create_dir_all(project.path(".git/objects")).unwrap();
    fs::create_dir_all(project.path(".git/refs")).unwrap();
    project.0.write(".git/HEAD", b"ref: refs/heads/main\n");
    assert!(project.init(&["--dry-run"])["gitlab"].as_str().unwrap().starts_with("pybundle:\n"));
}

#[test]
fn invalid_arguments_are_refused() {
    let project = Project::new(&[APP]);
    for arguments in [["--name=a b"], ["--name=.a"], ["--handler=app"], ["--kind=zip"]] {
        assert_eq!(project.command(&arguments).output().unwrap().status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(project.files().len(), 1);
    let empty = Project::new(&[]);
    assert!(empty.refused(&[]).contains("found nothing to deploy in "));
    assert!(empty.refused(&["missing"]).contains("cannot read "));
}

/// A repository with several projects is set up one by one, and its workflow builds them all and can run.
#[test]
fn a_second_project_is_added_to_the_workflow() {
    let project =
        Project::new(&[("one/app.py", APP.1), ("two/deep/app.py", APP.1), (".git/HEAD", "ref: refs/heads/main\n")]);
    let init = |directory: &str| {
        let mut command = pybundle(&["init"]);
        succeed(command.arg(project.path(directory)))
    };
    init("one");
    let first = project.0.read(WORKFLOW);
    let said = init("two/deep");
    assert!(said.contains("added to ") && said.contains(WORKFLOW), "{said}");
    let both = project.0.read(WORKFLOW);
    assert!(both.starts_with(&first) && both[first.len()..].starts_with("  two-deep:\n"), "{both}");
    for directory in ["one", "two/deep"] {
        assert_eq!(both.matches(&format!("          project: {directory}\n")).count(), 1, "{both}");
    }
    // GitHub's own grammar of workflows.
    succeed(
        std::process::Command::new(tool("actionlint")).args(["-shellcheck=", "-pyflakes="]).arg(project.path(WORKFLOW)),
    );
    let said = fail(pybundle(&["init"]).arg(project.path("two/deep")));
    assert!(said.contains("already set up"), "{said}");
    assert_eq!(project.0.read(WORKFLOW), both);
}

/// The root of a workspace may be a project itself.
#[test]
fn the_members_of_a_root_with_a_project_are_listed() {
    let project = Project::new(&[
        APP,
        (
            "pyproject.toml",
            "[project]\nname = \"shop\"\nversion = \"1\"\n\n[tool.uv.workspace]\nmembers = [\"services/*\"]\n",
        ),
        ("services/mail/pyproject.toml", "[project]\nname = \"mail\"\nversion = \"1\"\n"),
        ("services/mail/app.py", APP.1),
        ("services/library/pyproject.toml", "[project]\nname = \"library\"\nversion = \"1\"\n"),
        ("services/library/names.py", "NAMES = []\n"),
    ]);
    let report = project.init(&[]);
    assert_eq!(names(&report["projects"]), ["shop", "mail"]);
    assert!(project.0.read(WORKFLOW).contains("          workspace: true\n"));
    // What is requested is for the project itself.
    let project = Project::new(&[
        APP,
        (
            "pyproject.toml",
            "[project]\nname = \"shop\"\nversion = \"1\"\n\n[tool.uv.workspace]\nmembers = [\"services/*\"]\n",
        ),
        ("services/mail/pyproject.toml", "[project]\nname = \"mail\"\nversion = \"1\"\n"),
        ("services/mail/app.py", APP.1),
    ]);
    let report = project.init(&["--handler=app.lambda_handler"]);
    assert_eq!(names(&report["projects"]), ["shop"]);
}
