//! `scripts/check` on small projects, with uv, ruff, mypy and pytest as they are.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::support::command::repository;
use crate::support::uv::Project;

/// What a run said on both streams, in the order in which it was said, and its exit status.
#[derive(Debug)]
pub struct Run {
    status: i32,
    text: String,
}

impl Run {
    /// Runs the script in a project's folder.
    pub fn new(project: &Project, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new("bash");
        command.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(repository().join("scripts/check")).args(arguments);
        command.current_dir(project.path()).env("PATH", search_path()).env("NO_COLOR", "1");
        for name in ["UV_PYTHON", "VIRTUAL_ENV", "GITHUB_ACTIONS"] {
            command.env_remove(name);
        }
        let output = command.envs(environment.iter().copied()).output().unwrap();
        Self { status: output.status.code().unwrap(), text: String::from_utf8(output.stdout).unwrap() }
    }

    /// Asserts the exit status, and that what was said contains these.
    pub fn is(&self, status: i32, said: &[&str]) -> &Self {
        assert_eq!(self.status, status, "{}", self.text);
        for words in said {
            assert!(self.text.contains(words), "`{words}` is missing\n{}", self.text);
        }
        self
    }

    /// Asserts that what was said contains none of these.
    fn says_nothing_of(&self, unsaid: &[&str]) {
        for words in unsaid {
            assert!(!self.text.contains(words), "`{words}` is said\n{}", self.text);
        }
    }
}

/// Returns the interpreters that there are, as `3.13` and the prefix.
pub fn interpreters() -> Vec<(String, PathBuf)> {
    let path = repository().join("target/test-tools/interpreters");
    let listed = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("run scripts/setup-tests: {error}"));
    let known = listed.lines().map(|line| line.split_once(' ').unwrap());
    known.map(|(version, prefix)| (version.to_owned(), prefix.into())).collect()
}

/// Returns a search path with those interpreters before others.
pub fn search_path() -> OsString {
    let known = interpreters().into_iter().map(|(_, prefix)| prefix.join("bin"));
    let tools = std::iter::once(repository().join("target/test-tools/bin"));
    let rest = std::env::var_os("PATH").unwrap();
    std::env::join_paths(tools.chain(known).chain(std::env::split_paths(&rest))).unwrap()
}

/// A project in order, pinned to an interpreter that there is.
fn sound() -> (Project, String) {
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
fn a_project_in_order_passes() {
    let (project, version) = sound();
    let run = Run::new(&project, &[], &[]);
    let steps = ["lock", "lint", "format", "tests"].map(|step| format!("check: {step} passed in "));
    run.is(0, &steps.each_ref().map(String::as_str));
    run.is(0, &[&format!("check: Python {version}."), "1 passed", "check: all passed"]);
}

/// Everything is wrong with it, each in one way, but for two warnings.
fn flawed() -> Project {
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
fn no_failure_hides_another() {
    let run = Run::new(&flawed(), &["--types", "--max-warnings", "1"], &[]);
    run.is(1, &["The lockfile at `uv.lock` needs to be updated", "check: 2 warnings, 1 allowed"]);
    run.is(1, &["1 file would be reformatted", "Incompatible return value type", "assert '2' == 4"]);
    run.is(1, &["check: failed: lock lint format types tests\n"]);
}

#[test]
fn what_is_allowed_passes_and_what_is_not_asked_for_is_not_run() {
    let settings = [("CHECK_MAX_WARNINGS", "2"), ("CHECK_TESTS", "false"), ("GITHUB_ACTIONS", "true")];
    let run = Run::new(&flawed(), &[], &settings);
    run.is(1, &["check: 2 warnings, 2 allowed", "check: lint passed", "check: failed: lock format\n"]);
    run.is(
        1,
        &["::group::lint\n::warning title=ruff (F401),file=", "::endgroup::\n::error title=format::check: format"],
    );
    run.says_nothing_of(&["::error title=ruff", "types", "tests"]);
}

#[test]
fn what_the_project_locks_and_configures_comes_before_the_common() {
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
    let run = Run::new(&project, &["--python", &version, "--extra", "names"], &[("CHECK_GROUPS", "words")]);
    run.is(1, &[" + idna==3.10\n", " + colorama==0.4.6\n"]);
    run.is(
        1,
        &["check: lint passed", "pytest-8.3.5", "pytest found no tests; pass --no-tests if there are none", "failed: tests\n"],
    );
}

#[test]
fn a_project_that_says_nothing_gets_the_common_python() {
    let project = |requires: &str| {
        let pyproject = format!("[project]\nname = \"quiet\"\nversion = \"1\"\nrequires-python = \"{requires}\"\n");
        let lock = format!("version = 1\nrequires-python = \"{requires}\"\n");
        Project::new(&[("pyproject.toml", &pyproject), ("uv.lock", &lock)])
    };
    // Said by uv, too, where there is none.
    Run::new(&project(">=3.9"), &["--no-tests"], &[]).is(1, &["Python 3.13"]);
    Run::new(&project(">=3.9, <3.13"), &["--no-tests"], &[]).says_nothing_of(&["Python 3.13"]);
    Run::new(&project(">=3.9"), &["--no-tests", "--python=3.7"], &[]).is(1, &["3.7"]);
}

#[test]
fn wrong_usage_is_told_apart() {
    let (project, _) = sound();
    let wrong = |arguments: &[&str], said: &str| {
        Run::new(&project, arguments, &[]).is(2, &[said]);
    };
    wrong(&["--typos"], "check: unknown option --typos; see check --help");
    wrong(&["--python"], "--python needs a value");
    wrong(&["--max-warnings=few"], "--max-warnings needs a number, not `few`");
    wrong(&["a", "b"], "cannot check a and b: name one project");
    wrong(&["tests"], "tests has no pyproject.toml");
    Run::new(&project, &[], &[("CHECK_TYPES", "yes")]).is(2, &["CHECK_TYPES must be true or false, not `yes`"]);
    Run::new(&project, &["--help"], &[]).is(0, &["Usage: check [OPTIONS] [PROJECT]"]);
}
