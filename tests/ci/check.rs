//! `scripts/check` on small projects, with the real uv, ruff, mypy and pytest.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::support::command::repository;
use crate::support::uv::Project;

/// A finished run of `scripts/check`, with its output on both streams in order.
#[derive(Debug)]
pub struct CheckRun {
    status: i32,
    output: String,
}

impl CheckRun {
    /// Runs the script in a project's directory.
    pub fn new(project: &Project, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new("bash");
        command.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(repository().join("scripts/check")).args(arguments);
        command.current_dir(project.path()).env("PATH", search_path()).env("NO_COLOR", "1");
        for name in ["UV_PYTHON", "VIRTUAL_ENV", "GITHUB_ACTIONS"] {
            command.env_remove(name);
        }
        let output = command.envs(environment.iter().copied()).output().unwrap();
        Self { status: output.status.code().unwrap(), output: String::from_utf8(output.stdout).unwrap() }
    }

    /// Asserts the exit status, and that the output contains these texts.
    pub fn assert(&self, status: i32, printed: &[&str]) -> &Self {
        assert_eq!(self.status, status, "{}", self.output);
        for text in printed {
            assert!(self.output.contains(text), "`{text}` is missing\n{}", self.output);
        }
        self
    }

    /// Asserts that the output contains none of these texts.
    fn assert_omits(&self, omitted: &[&str]) {
        for text in omitted {
            assert!(!self.output.contains(text), "`{text}` is printed\n{}", self.output);
        }
    }
}

/// Returns the minor version (`3.13`) and prefix of each interpreter that scripts/setup-tests found.
pub fn interpreters() -> Vec<(String, PathBuf)> {
    let path = repository().join("target/test-tools/interpreters");
    let listed = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("run scripts/setup-tests: {error}"));
    let interpreters = listed.lines().map(|line| line.split_once(' ').unwrap());
    interpreters.map(|(version, prefix)| (version.to_owned(), prefix.into())).collect()
}

/// Returns a search path with the tests' tools and interpreters before the rest.
pub fn search_path() -> OsString {
    let known = interpreters().into_iter().map(|(_, prefix)| prefix.join("bin"));
    let tools = std::iter::once(repository().join("target/test-tools/bin"));
    let rest = std::env::var_os("PATH").unwrap();
    std::env::join_paths(tools.chain(known).chain(std::env::split_paths(&rest))).unwrap()
}

/// A project that passes every check, pinned to the newest interpreter.
fn valid_project() -> (Project, String) {
    let (version, _) = interpreters().pop().unwrap();
    let project = Project::new(&[
        ("pyproject.toml", "[project]\nname = \"sound\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n"),
        (".python-version", &version),
        ("sound.py", "def double(number: int) -> int:\n    return 2 * number\n"),
        (
            "tests/test_sound.py",
            "from sound import double\n\n\ndef test_double() -> None:\n    assert double(2) == 4\n",
        ),
    ]);
    project.uv(&["lock", "--quiet"]);
    (project, version)
}

#[test]
fn a_valid_project_passes() {
    let (project, version) = valid_project();
    let run = CheckRun::new(&project, &[], &[]);
    let steps = ["lock", "lint", "format", "tests"].map(|step| format!("check: {step} passed in "));
    run.assert(0, &steps.each_ref().map(String::as_str));
    run.assert(0, &[&format!("check: Python {version}."), "1 passed", "check: all passed"]);
}

/// A project with two warnings, and one error for every other step.
fn invalid_project() -> Project {
    let project = Project::new(&[
        ("pyproject.toml", "[project]\nname = \"flawed\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n"),
        (".python-version", &interpreters().pop().unwrap().0),
        ("flawed.py", "import os\nimport sys\n\n\ndef double( number: int) -> int:\n    return str(number)\n"),
        ("tests/test_flawed.py", "from flawed import double\n\n\ndef test_double():\n    assert double(2) == 4\n"),
    ]);
    project.uv(&["lock", "--quiet"]);
    project.write(
        "pyproject.toml",
        b"[project]\nname = \"flawed\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"idna\"]\n",
    );
    project
}

#[test]
fn a_failed_step_does_not_stop_the_others() {
    let run = CheckRun::new(&invalid_project(), &["--types", "--max-warnings", "1"], &[]);
    run.assert(1, &["The lockfile at `uv.lock` needs to be updated", "check: 2 warnings, 1 allowed"]);
    run.assert(1, &["1 file would be reformatted", "Incompatible return value type", "assert '2' == 4"]);
    run.assert(1, &["check: failed: lock lint format types tests\n"]);
}

#[test]
fn allowed_warnings_pass_and_disabled_steps_are_skipped() {
    let settings = [("CHECK_MAX_WARNINGS", "2"), ("CHECK_TESTS", "false"), ("GITHUB_ACTIONS", "true")];
    let run = CheckRun::new(&invalid_project(), &[], &settings);
    run.assert(1, &["check: 2 warnings, 2 allowed", "check: lint passed", "check: failed: lock format\n"]);
    run.assert(
        1,
        &["::group::lint\n::warning title=ruff (F401),file=", "::endgroup::\n::error title=format::check: format"],
    );
    run.assert_omits(&["::error title=ruff", "types", "tests"]);
}

#[test]
fn the_projects_own_tools_and_configuration_are_preferred() {
    let (version, _) = interpreters().pop().unwrap();
    let project = Project::new(&[
        (
            "pyproject.toml",
            r#"
            [project]
            name = "own"
            version = "1"
            requires-python = ">=3.9"
            [project.optional-dependencies]
            names = ["idna==3.10"]
            [dependency-groups]
            words = ["colorama==0.4.6"]
            dev = ["pytest==8.3.5"]
            [tool.ruff.lint]
            ignore = ["F401"]
            [tool.pybundle]
            frozen = true
            "#,
        ),
        ("own.py", "import os\n"),
    ]);
    project.uv(&["lock", "--quiet"]);
    let run = CheckRun::new(&project, &["--python", &version, "--extra", "names"], &[("CHECK_GROUPS", "words")]);
    run.assert(1, &[" + idna==3.10\n", " + colorama==0.4.6\n"]);
    run.assert(
        1,
        &[
            "check: lint passed",
            "pytest-8.3.5",
            "pytest found no tests; pass --no-tests if there are none",
            "failed: tests\n",
        ],
    );
}

#[test]
fn a_project_without_a_pinned_python_gets_the_default() {
    let project = |requires: &str| {
        let pyproject = format!("[project]\nname = \"quiet\"\nversion = \"1\"\nrequires-python = \"{requires}\"\n");
        let lock = format!("version = 1\nrequires-python = \"{requires}\"\n");
        Project::new(&[("pyproject.toml", &pyproject), ("uv.lock", &lock)])
    };
    // Without that interpreter, uv names the version in its error.
    CheckRun::new(&project(">=3.9"), &["--no-tests"], &[]).assert(1, &["Python 3.13"]);
    CheckRun::new(&project(">=3.9, <3.13"), &["--no-tests"], &[]).assert_omits(&["Python 3.13"]);
    CheckRun::new(&project(">=3.9"), &["--no-tests", "--python=3.7"], &[]).assert(1, &["3.7"]);
}

#[test]
fn wrong_usage_exits_with_2() {
    let (project, _) = valid_project();
    let assert_wrong = |arguments: &[&str], message: &str| {
        CheckRun::new(&project, arguments, &[]).assert(2, &[message]);
    };
    assert_wrong(&["--typos"], "check: unknown option --typos; see check --help");
    assert_wrong(&["--python"], "--python needs a value");
    assert_wrong(&["--max-warnings=few"], "--max-warnings needs a number, not `few`");
    assert_wrong(&["a", "b"], "cannot check a and b: name one project");
    assert_wrong(&["tests"], "tests has no pyproject.toml");
    CheckRun::new(&project, &[], &[("CHECK_TYPES", "yes")])
        .assert(2, &["CHECK_TYPES must be true or false, not `yes`"]);
    CheckRun::new(&project, &["--help"], &[]).assert(0, &["Usage: check [OPTIONS] [PROJECT]"]);
}
