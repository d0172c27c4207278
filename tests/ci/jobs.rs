//! The actions and the reusable workflow, run on projects with the binary under test.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::check::{CheckRun, interpreters, search_path};
use crate::registries::{DockerRegistry, PASSWORD, USER};
use crate::runner::{Runner, StepResult, read_yaml};
use crate::support::command::{cache, repository, succeed};
use crate::support::uv::Project;
use crate::support::wheel_with;

const ACTION: &str = ".github/actions/pybundle";
const WORKFLOW: &str = ".github/workflows/python.yml";

/// The configuration of two targets.
pub const TARGETS: &str = "
[tool.pybundle.target.api]
kind = \"lambda\"
runtime = \"python3.12\"
handler = \"shop.handler\"

[tool.pybundle.target.web]
kind = \"image\"
base = \"scratch\"
";

/// Creates a git repository with a project and these targets.
pub fn repository_with(targets: &str) -> Project {
    let pyproject = "[project]\nname = \"shop\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n".to_owned() + targets;
    let project = Project::new(&[
        ("pyproject.toml", &pyproject),
        (".python-version", &interpreters().pop().unwrap().0),
        (".gitignore", "/dist\n/.venv\n"),
        ("shop.py", "def handler(event: object, context: object) -> object:\n    return event\n"),
        (
            "tests/test_shop.py",
            "from shop import handler\n\n\ndef test_handler() -> None:\n    assert handler(1, None) == 1\n",
        ),
    ]);
    project.uv(&["lock", "--quiet"]);
    for arguments in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "--message", "Start a shop"]] {
        let name = ["-c", "user.name=test", "-c", "user.email=test@example.org"];
        succeed(Command::new("git").args(name).args(arguments).current_dir(project.path()));
    }
    project
}

/// Returns a runner on which pybundle uses the cache of the tests.
fn runner(project: &Project) -> Runner {
    Runner::new(project.path()).set("PYBUNDLE_CACHE_DIR", cache().join("pybundle").display())
}

/// Runs the action on a checkout, with the binary under test.
fn bundle(runner: &mut Runner, inputs: Value) -> StepResult {
    bundle_with(env!("CARGO_BIN_EXE_pybundle"), runner, inputs)
}

/// Runs the action on a checkout, with a program in place of pybundle.
fn bundle_with(program: &str, runner: &mut Runner, mut inputs: Value) -> StepResult {
    inputs["program"] = program.into();
    runner.check_out("1");
    runner.action(ACTION, &inputs)
}

/// Returns the workflow commands in a log that the runner obeys: those that nothing stops.
fn obeyed(log: &str) -> Vec<&str> {
    let (mut obeyed, mut token) = (Vec::new(), None);
    for line in log.lines().map(str::trim_start) {
        match token {
            Some(stopped) if line == format!("::{stopped}::") => token = None,
            Some(_) => {}
            None => {
                token = line.strip_prefix("::stop-commands::");
                obeyed.extend((line.starts_with("::") && token.is_none()).then_some(line));
            }
        }
    }
    obeyed
}

/// Parses the output `targets` of the action.
fn targets(outcome: &StepResult) -> Value {
    serde_json::from_str(outcome.outputs["targets"].as_str().unwrap()).unwrap()
}

/// Creates a directory for `--find-links` with a wheel that installs the binary under test.
pub fn links() -> tempfile::TempDir {
    let version = env!("CARGO_PKG_VERSION");
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_pybundle"));
    let path = format!("pybundle-{version}.data/scripts/pybundle");
    let wheel = wheel_with("pybundle", version, &[(&path, script.as_bytes())]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(format!("pybundle-{version}-py3-none-any.whl")), wheel).unwrap();
    folder
}

#[test]
fn the_workflow_checks_and_bundles() {
    let project = repository_with(TARGETS);
    let inputs = json!({"types": true, "targets": "api web"});
    let mut checking = runner(&project);
    assert!(checking.job(WORKFLOW, "check", &inputs, &json!({})).success, "{}", checking.log);
    for step in ["lock", "lint", "format", "types", "tests"] {
        assert!(checking.log.contains(&format!("::group::{step}\n")), "{}", checking.log);
    }

    // uv installs pybundle from a directory.
    let (links, tools) = (links(), tempfile::tempdir().unwrap());
    let mut bundling = runner(&project).set("UV_FIND_LINKS", links.path().display());
    bundling =
        bundling.set("UV_TOOL_DIR", tools.path().display()).set("UV_TOOL_BIN_DIR", tools.path().join("bin").display());
    let outcome = bundling.job(WORKFLOW, "bundle", &inputs, &json!({}));
    assert!(outcome.success, "{}", bundling.log);
    let targets = targets(&outcome);
    assert_eq!(targets["api"]["status"], "built");
    assert_eq!(targets["web"]["digest"].as_str().unwrap().len(), "sha256:".len() + 64);
    assert_eq!(bundling.uploads, ["api.zip", "web.tar"]);
    assert_eq!(bundling.caches, ["pybundle-Linux-hash", "pybundle-sizes-main-17-1"]);
    assert!(bundling.summary.starts_with("### pybundle: 2 of 2 targets\n"), "{}", bundling.summary);
    // Set only if there is exactly one target.
    assert_eq!(outcome.outputs["digest"], "");
}

/// A job without stated permissions has those of the job that calls the workflow.
#[test]
fn the_workflow_checks_with_read_permission_and_bundles_with_that_of_its_caller() {
    let workflow = read_yaml(&repository().join(WORKFLOW));
    assert_eq!(workflow["permissions"], Value::Null);
    assert_eq!(workflow["jobs"]["check"]["permissions"], json!({"contents": "read"}));
    assert_eq!(workflow["jobs"]["bundle"]["permissions"], Value::Null);
    // So the examples of a caller state them.
    let text = std::fs::read_to_string(repository().join(WORKFLOW)).unwrap();
    assert!(text.contains("\n#     permissions:\n#       contents: read # and `packages: write` to push to ghcr.io"));
    let documents = std::fs::read_to_string(repository().join("docs/ci-and-caching.md")).unwrap();
    assert!(documents.contains("    permissions: { contents: read }\n    uses: OWNER/pybundle/"), "{documents}");
}

#[test]
fn the_script_bundles() {
    let project = repository_with(TARGETS);
    let program = Path::new(env!("CARGO_BIN_EXE_pybundle")).parent().unwrap();
    let path = format!("{}:{}", program.display(), search_path().to_str().unwrap());
    let settings = [("PATH", path.as_str()), ("CHECK_TESTS", "false")];
    CheckRun::new(&project, &["--bundle"], &settings).assert(0, &["check: bundle passed", "2 targets: 2 built"]);
    assert!(project.path().join("dist/api.zip").is_file());
    let bare = repository_with("");
    CheckRun::new(&bare, &["--bundle"], &settings)
        .assert(0, &["pyproject.toml has no [tool.pybundle]: nothing to build"]);
}

#[test]
fn the_outputs_of_a_single_target_are_set() {
    let project = repository_with(TARGETS);
    let mut runner = runner(&project);
    let outcome = bundle(&mut runner, json!({"targets": "api", "cache": "false"}));
    assert!(outcome.success, "{}", runner.log);
    let zip = PathBuf::from(outcome.outputs["zip"].as_str().unwrap());
    let bytes = std::fs::read(&zip).unwrap();
    assert_eq!(zip, runner.workspace().join("dist/api.zip"));
    assert_eq!(outcome.outputs["sha256"], crate::support::artifact::sha256(&bytes));
    assert_eq!(outcome.outputs["size"], bytes.len().to_string());
    let document: Value = serde_json::from_slice(&std::fs::read(text(&outcome, "json")).unwrap()).unwrap();
    assert_eq!(document["targets"][0]["lambda"]["artifacts"][0]["size"], bytes.len());
    assert!(runner.caches.is_empty());
    let row = format!("| api | lambda | built | {} B | `{}` |", bytes.len(), text(&outcome, "sha256"));
    assert!(runner.summary.contains(&row), "{}", runner.summary);
}

/// The summary says how a size differs from that of the previous build, which the cache keeps.
#[test]
fn the_summary_shows_what_grew() {
    let project = repository_with(TARGETS);
    // What a cache restores is where another job left it.
    let temporary = tempfile::tempdir().unwrap();
    let size = || {
        let mut runner = runner(&project).set("RUNNER_TEMP", temporary.path().display());
        let outcome = bundle(&mut runner, json!({"targets": "api web"}));
        assert!(outcome.success, "{}", runner.log);
        let row = runner.summary.lines().find(|line| line.starts_with("| api |")).unwrap();
        row.split('|').nth(4).unwrap().trim().to_owned()
    };
    let write = |text: &str| {
        project.write("shop.py", text.as_bytes());
        let commit = [
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@example.org",
            "commit",
            "--quiet",
            "--all",
            "--message",
            "Edit",
        ];
        succeed(Command::new("git").args(commit).current_dir(project.path()));
    };
    let first = size();
    assert!(first.ends_with(" B"), "{first}");
    assert_eq!(size(), format!("{first} (unchanged)"));
    let text = project.read("shop.py");
    write(&format!("{text}# {}\n", "0123456789abcdef".repeat(8)));
    let grown = size();
    assert!(grown.contains(" B (+") && grown.ends_with(" %)"), "{grown}");
    write(&text);
    let shrunk = size();
    assert!(shrunk.starts_with(&format!("{first} (−")), "{shrunk}");
}

#[test]
fn a_failing_target_is_reported_and_the_others_are_built() {
    let broken =
        "\n[tool.pybundle.target.old]\nkind = \"lambda\"\nruntime = \"python3.12\"\nhandler = \"lost.handler\"\n";
    let project = repository_with(&format!("{TARGETS}{broken}"));
    let mut runner = runner(&project);
    let outcome = bundle(&mut runner, json!({}));
    assert!(!outcome.success, "{}", runner.log);
    assert!(runner.log.contains("::error title=pybundle%3A old::"), "{}", runner.log);
    assert!(runner.summary.starts_with("### pybundle: 2 of 3 targets\n"), "{}", runner.summary);
    assert!(runner.summary.contains("| old | lambda | :x: failed |"), "{}", runner.summary);
    assert!(runner.summary.contains("\n#### old\n\n```text\n"), "{}", runner.summary);
    let targets = targets(&outcome);
    assert_eq!(targets["old"]["status"], "failed");
    assert!(Path::new(targets["api"]["zip"].as_str().unwrap()).is_file());
}

#[test]
fn images_are_pushed_with_the_given_login() {
    let registry = DockerRegistry::with_password();
    let host = format!("127.0.0.1:{}", registry.port);
    let project = repository_with(&format!("{TARGETS}tag = [\"{host}/shop:1\"]\n"));
    let login = json!({"targets": "web", "push": "true", "registry": host, "username": USER, "password": PASSWORD});
    let mut pushing = runner(&project);
    let outcome = bundle(&mut pushing, login);
    assert!(outcome.success, "{}", pushing.log);
    let reference = format!("{host}/shop:1@{}", text(&outcome, "digest"));
    assert_eq!(targets(&outcome)["web"]["references"], json!([reference]));
    assert!(pushing.summary.contains(text(&outcome, "digest")), "{}", pushing.summary);
    assert!(!pushing.log.contains(PASSWORD), "{}", pushing.log);

    let mut anonymous = runner(&project).set("DOCKER_CONFIG", "/nowhere");
    assert!(!bundle(&mut anonymous, json!({"targets": "web", "push": "true"})).success, "{}", anonymous.log);
    assert!(anonymous.log.contains("::error title=pybundle%3A web::"), "{}", anonymous.log);
}

#[test]
fn an_invalid_configuration_is_reported() {
    let project = repository_with("\n[tool.pybundle.target.api]\nkind = \"lamda\"\n");
    let mut runner = runner(&project);
    assert!(!bundle(&mut runner, json!({})).success, "{}", runner.log);
    let message =
        "pyproject.toml:7: `kind` in [tool.pybundle.target.api]: expected `lambda`, `layer` or `image`, found `lamda`";
    let annotation = "::error title=pybundle,file=pyproject.toml,line=7::pyproject.toml:7: `kind` in ";
    assert!(runner.log.contains(annotation), "{}", runner.log);
    assert_eq!(runner.summary, format!("### pybundle failed\n\n```text\n{message}\n```\n\n"));
}

#[test]
fn nothing_that_pybundle_prints_is_obeyed() {
    let project = repository_with(TARGETS);
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("pybundle");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" != build ] || echo ' ::notice::forged' >&2\nexec '{}' \"$@\"\n",
        env!("CARGO_BIN_EXE_pybundle")
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut runner = runner(&project);
    let arguments = json!({"targets": "api", "arguments": "'--exclude=a\n::notice::forged'"});
    let outcome = bundle_with(program.to_str().unwrap(), &mut runner, arguments);
    assert!(outcome.success && runner.log.contains("::notice::forged"), "{}", runner.log);
    assert_eq!(obeyed(&runner.log), Vec::<&str>::new());
}

#[test]
fn a_line_break_in_a_path_is_no_output() {
    let project = repository_with(TARGETS);
    for (key, at) in [("kind", "zip"), ("lambda", "files")] {
        let path = "/tmp/a.zip\ndigest=forged";
        let artifacts = json!([{"kind": "function", "path": path, "sha256": "", "code_sha256": "", "size": 1}]);
        let mut targets = json!([{"name": "api", "kind": "lambda", "project": ".", "status": "built",
            "lambda": {"artifacts": artifacts}}]);
        if key == "lambda" {
            let second = json!({"name": "b", "kind": "lambda", "project": ".", "status": "built", "lambda": {"artifacts": artifacts}});
            targets.as_array_mut().unwrap().push(second);
        }
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("pybundle");
        let document = json!({"targets": targets}).to_string();
        std::fs::write(&program, format!("#!/bin/sh\nprintf '%s' '{document}'\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut runner = runner(&project);
        let outcome = bundle_with(program.to_str().unwrap(), &mut runner, json!({"cache": "false"}));
        assert!(!outcome.success && outcome.outputs["digest"] == "", "{:?}", outcome.outputs);
        assert!(
            runner.log.contains(&format!("error: the output `{at}` would contain a control character")),
            "{}",
            runner.log
        );
    }
}

/// Returns an output of the action.
fn text<'a>(outcome: &'a StepResult, name: &str) -> &'a str {
    outcome.outputs[name].as_str().unwrap()
}
