//! Scripts with inline metadata (PEP 723): as PROJECT, and as targets of a project.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::support::artifact::paths_of_zip;
use crate::support::command::succeed;
use crate::test_project::TestProject;
use crate::tiny::Tiny;

/// The script of the tests, which needs no index: it depends on wheels beside it.
const METADATA: &str = "# /// script\n# requires-python = \">=3.12\"\n# dependencies = [\"alpha\", \"beta; sys_platform == 'win32'\"]\n#\n\
    # [[tool.uv.index]]\n# url = \"index\"\n# format = \"flat\"\n# default = true\n#\n# [tool.pybundle]\n# runtime = \"python3.12\"\n# ///\n";

const HANDLER: &str = "def handler(event, context): ...\n";

/// Creates a directory with a script in `jobs`, and files beside it of which it imports some.
fn scripts(pyproject: &str) -> TestProject {
    let script = format!("{METADATA}import alpha\nimport helpers\n\n{HANDLER}");
    let project = TestProject::new(&[
        ("jobs/nightly.py", script.as_str()),
        ("jobs/helpers.py", "def load():\n    import package.inner, space.part\n"),
        ("jobs/package/__init__.py", "from . import inner\n"),
        ("jobs/package/inner.py", "from later import x\n"),
        ("jobs/package/query.sql", ""),
        ("jobs/package/tests/test_inner.py", "import unrelated\n"),
        ("jobs/space/part.py", ""),
        ("jobs/later.py", "x = 1\n"),
        ("jobs/unrelated.py", ""),
        ("jobs/alpha/readme.txt", ""),
        ("jobs/data.json", "{}"),
    ]);
    if !pyproject.is_empty() {
        project.0.write("pyproject.toml", pyproject.as_bytes());
    }
    for name in ["alpha", "beta"] {
        project.0.write(&format!("jobs/index/{name}-1.0-py3-none-any.whl"), &crate::support::wheel(name, "1.0"));
    }
    project
}

fn lock(project: &TestProject) {
    project.0.uv(&["lock", "--offline", "--script", "jobs/nightly.py"]);
}

const BUNDLED: [&str; 7] = [
    "helpers.py",
    "later.py",
    "nightly.py",
    "package/__init__.py",
    "package/inner.py",
    "package/query.sql",
    "space/part.py",
];

fn application(project: &TestProject, zip: &str) -> Vec<String> {
    let paths = paths_of_zip(&project.0.path().join(zip));
    paths.into_iter().filter(|path| !path.starts_with("alpha")).collect()
}

#[test]
fn a_script_is_bundled_with_what_it_imports() {
    let project = scripts("");
    let (_, error) = project.ends(1, &["lambda", "jobs/nightly.py"]);
    let command = "uv lock --script HERE/jobs/nightly.py";
    assert!(error.starts_with("error: lock file HERE/jobs/nightly.py.lock does not exist\n"), "{error}");
    assert!(error.contains(&format!("hint: create one with `{command}`")), "{error}");
    // What the hint says.
    let path = project.0.path().canonicalize().unwrap().join("jobs/nightly.py");
    project.0.uv(&["lock", "--offline", "--script", path.to_str().unwrap()]);

    let report = project.json(&["lambda", "jobs/nightly.py", "--offline"]);
    assert_eq!(report["project"], "nightly");
    assert_eq!(report["handler"], "nightly.handler");
    assert_eq!(report["target"]["runtime"], "python3.12");
    let taken = json!(["nightly.py", "helpers.py", "later.py", "package/", "space/"]);
    let mut found: Vec<String> = serde_json::from_value(report["application"]["taken"].clone()).unwrap();
    found[1..].sort();
    assert_eq!(json!(found), taken);
    assert_eq!(application(&project, "jobs/dist/nightly.zip"), BUNDLED);
    project.run(&["verify", "jobs/dist/nightly.zip", "jobs/nightly.py", "--offline"]);
    assert!(project.run(&["why", "alpha", "jobs/nightly.py"]).contains("nightly"));
    let (_, error) = project.ends(1, &["why", "beta", "jobs/nightly.py"]);
    assert!(error.contains("nightly requires it only if `sys_platform == \"win32\"`"), "{error}");

    // From its own directory, and with other files.
    let mut command = project.command(&["lambda", "nightly.py", "--include", "data.json", "--exclude", "later.py"]);
    succeed(command.arg("--allow-missing=later").current_dir(project.0.path().join("jobs")));
    let mut expected: Vec<&str> = BUNDLED.into_iter().filter(|path| *path != "later.py").collect();
    expected.insert(0, "data.json");
    assert_eq!(application(&project, "jobs/dist/nightly.zip"), expected);

    project.0.write("jobs/nightly.py", METADATA.replace("[\"alpha\",", "[\"alpha>1\",").as_bytes());
    let (_, error) = project.ends(1, &["lambda", "jobs/nightly.py", "--offline"]);
    assert!(error.contains("the lock does not match the script: `alpha` changed to `alpha>1`"), "{error}");
    assert!(error.contains("hint: run `uv lock --script HERE/jobs/nightly.py`"), "{error}");
}

#[test]
fn the_handler_is_the_one_that_is_named_like_one() {
    let metadata = "# /// script\n# requires-python = \">=3.12\"\n# ///\n";
    let project = TestProject::new(&[]);
    for (name, code, expected) in [
        ("a.py", "def lambda_handler(event, context): ...\n", Ok("a.lambda_handler")),
        ("b.py", "from mangum import Mangum\nhandler = Mangum(1)\n", Ok("b.handler")),
        (
            "c.py",
            "def handler(event, context): ...\nlambda_handler = handler\n",
            Err(
                "defines both `lambda_handler` and `handler`, and no handler is named\nhint: pass --handler c.lambda_handler or --handler c.handler\n",
            ),
        ),
        (
            "d.py",
            "def main(event, context): ...\n",
            Err(
                "defines neither `lambda_handler` nor `handler`, and no handler is named\nhint: pass --handler d.FUNCTION\n",
            ),
        ),
        (
            "e.v2.py",
            "def handler(event, context): ...\n",
            Err("as a module\nhint: rename it to NAME.py, where NAME has no dot\n"),
        ),
        ("f.py", "def handler(event, context) ...\n", Err("f.py:4:29: ")),
    ] {
        project.0.write(name, format!("{metadata}{code}").as_bytes());
        let arguments = ["lambda", name, "--allow-missing=mangum"];
        match expected {
            Ok(handler) => assert_eq!(project.json(&arguments)["handler"], handler),
            Err(expected) => {
                let (_, error) = project.ends(1, &arguments);
                assert!(error.contains(expected), "{name}: {error}");
                let (_, error) = project.ends(1, &[&arguments[..], &["--dry-run"]].concat());
                assert!(error.contains(expected), "{name}: {error}");
            }
        }
    }
    project.run(&["lambda", "d.py", "--handler", "d.main"]);
    // It may become an image.
    let (_, warning) = project.ends(0, &["plan", "c.py"]);
    assert!(warning.starts_with("warning: HERE/c.py defines both `lambda_handler` and `handler`"), "{warning}");
}

#[test]
fn a_script_is_a_target() {
    let configuration = "[tool.pybundle]\nslim = true\n\n[tool.pybundle.target.nightly]\nkind = \"lambda\"\n\
        script = \"jobs/nightly.py\"\n\n[tool.pybundle.target.data]\nextends = \"nightly\"\ninclude = [\"jobs/data.json\"]\n\n\
        [tool.pybundle.target.image]\nkind = \"image\"\nscript = \"jobs/nightly.py\"\nbase = \"oci:base\"\n\n\
        [tool.pybundle.target.layer]\nkind = \"layer\"\nscript = \"jobs/nightly.py\"\n";
    let project = scripts(configuration);
    lock(&project);
    Tiny::python().write(&project.0.path().join("base"));
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"];
        succeed(Command::new("git").arg("-C").arg(project.0.path()).args(identity).args(arguments))
    };
    project.0.write(".gitignore", b"dist/\n");
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=one"]);

    project.run(&["build", "--offline"]);
    assert_eq!(application(&project, "dist/nightly.zip"), BUNDLED);
    assert!(application(&project, "dist/data.zip").contains(&"data.json".to_owned()));
    // A layer has the dependencies of the script, but not the script, and thus no handler.
    let layer = application(&project, "dist/layer.zip");
    assert!(
        layer.iter().any(|path| path.ends_with("/alpha.py")) && !layer.iter().any(|path| path.contains("nightly")),
        "{layer:?}"
    );
    let image = project.json(&["image", "image", "--offline", "-o", "oci:dist/image"]);
    assert_eq!(image["start"]["command"], json!(["python", "nightly.py"]), "{image}");
    // The script's own table lies between the target's and the project's.
    let in_force = project.in_force(&["--target", "nightly"], &[]);
    assert!(
        in_force.iter().any(|value| value.contains("runtime = \"python3.12\" (jobs/nightly.py:11 [tool.pybundle])")),
        "{in_force:?}"
    );
    // A build that starts right after a change is repeated.
    std::thread::sleep(std::time::Duration::from_millis(100));
    project.run(&["build", "--offline"]);
    let built = project.json(&["build", "--offline"]);
    let statuses: Vec<_> = built["targets"].as_array().unwrap().iter().map(|target| target["status"].clone()).collect();
    assert_eq!(statuses, ["unchanged"; 4], "{built}");

    let changed = || {
        let listed = project.json(&["build", "--list", "--changed-since", "HEAD"]);
        let nightly = listed["targets"].as_array().unwrap().iter().find(|target| target["name"] == "nightly").cloned();
        nightly.unwrap()["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(changed(), "unchanged since HEAD");
    for (path, text, reason) in [
        ("jobs/unrelated.py", "x = 2\n", "unchanged since HEAD"),
        ("jobs/data.json", "[]", "unchanged since HEAD"),
        ("jobs/package/query.sql", "select 1", "jobs/package/query.sql changed"),
        ("jobs/later.py", "x = 2\n", "jobs/later.py changed"),
        ("jobs/nightly.py", METADATA, "jobs/nightly.py changed"),
    ] {
        project.0.write(path, text.as_bytes());
        assert_eq!(changed(), reason);
        git(&["checkout", "--quiet", "."]);
    }
    fs::remove_file(project.0.path().join("jobs/later.py")).unwrap();
    assert_eq!(changed(), "jobs/later.py is gone");
}

/// As under `uv run`, which takes the dependencies of the project that it is in, if there is one.
#[test]
fn a_script_outside_of_a_project_needs_no_metadata() {
    let project = TestProject::new(&[
        ("jobs/plain.py", "import helpers\n\ndef handler(event, context): ...\n"),
        ("jobs/helpers.py", ""),
        ("jobs/unrelated.py", ""),
        ("jobs/web.py", "import httpx\n\ndef handler(event, context): ...\n"),
    ]);
    for flags in [&[][..], &["--resolve"], &["--frozen"]] {
        let report = project.json(&[&["lambda", "jobs/plain.py", "--offline"], flags].concat());
        assert_eq!(report["project"], "plain");
        assert_eq!(report["handler"], "plain.handler");
        assert_eq!(application(&project, "jobs/dist/plain.zip"), ["helpers.py", "plain.py"]);
    }
    project.run(&["verify", "jobs/dist/plain.zip", "jobs/plain.py", "--offline"]);
    Tiny::python().write(&project.0.path().join("base"));
    let image = project.json(&["image", "jobs/plain.py", "--offline", "--base", "oci:base", "-o", "oci:image"]);
    assert_eq!(image["start"]["command"], json!(["python", "plain.py"]), "{image}");

    let (_, error) = project.ends(1, &["lambda", "jobs/web.py", "--offline"]);
    assert!(error.starts_with("error: web.py:1 imports `httpx`, which is neither"), "{error}");
    assert!(error.contains("add it with `uv add --script HERE/jobs/web.py httpx`"), "{error}");
    // What is beside the project's files may be one of them.
    for mark in ["pyproject.toml", "jobs/requirements.txt", "jobs/setup.py"] {
        project.0.write(mark, b"");
        let (_, error) = project.ends(1, &["lambda", "jobs/plain.py", "--offline"]);
        assert!(error.starts_with("error: HERE/jobs/plain.py has no inline script metadata\n"), "{mark}: {error}");
        fs::remove_file(project.0.path().join(mark)).unwrap();
    }
}

#[test]
fn a_script_is_refused_in_true_words() {
    let block = |lines: &str| format!("# /// script\n{lines}# ///\n");
    let project = TestProject::new(&[
        ("plain.py", "import six\n"),
        ("open.py", "# /// script\n# dependencies = []\nimport six\n"),
        ("two.py", &format!("{0}\n{0}", block("# dependencies = []\n"))),
        ("syntax.py", &block("# dependencies = [\n")),
        ("value.py", &block("# dependencies = \"six\"\n")),
        ("python.py", &block("# requires-python = \"three\"\n")),
        ("key.py", &block("# [tool.pybundle]\n# handlr = \"a.b\"\n")),
        ("other.py", &block("# [tool.pybundle]\n# script = \"plain.py\"\n")),
        ("notes.txt", "six\n"),
        ("fine.py", &block("# dependencies = []\n")),
        (
            "pyproject.toml",
            "[tool.pybundle.target.a]\nkind = \"lambda\"\nscript = \"fine.py\"\n[tool.pybundle.target.b]\nextends = \"a\"\nscript = \"plain.py\"\n",
        ),
    ]);
    project.0.write("binary.py", b"# /// script\n# ///\n\xff");
    fs::File::create(project.0.path().join("huge.py")).unwrap().set_len(64 << 20).unwrap();
    let expect = |arguments: &[&str], expected: &str| {
        let (_, error) = project.ends(1, arguments);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    };
    expect(
        &["build"],
        "pyproject.toml:6: `script` in [tool.pybundle.target.b]: a target has the script of the target that it extends",
    );
    project.0.write("pyproject.toml", b"");
    for (script, expected) in [
        (
            "plain.py",
            "HERE/plain.py has no inline script metadata\nhint: declare what it requires, for instance with `uv add --script HERE/plain.py requests`",
        ),
        (
            "open.py",
            "HERE/open.py:1: the block `# /// script` is not closed with `# ///`\nhint: write `#` at the start of each line",
        ),
        (
            "two.py",
            "HERE/two.py:5: a second block `# /// script`; the first is in line 1\nhint: merge the two blocks\n",
        ),
        ("syntax.py", "HERE/syntax.py:2:"),
        ("value.py", "HERE/value.py:2:18: invalid type"),
        ("python.py", "HERE/python.py:2:21: `three` is not valid"),
        ("key.py", "key.py:3: unknown key `handlr` in [tool.pybundle]\nhint: did you mean `handler`?"),
        ("other.py", "other.py:3: `script` in [tool.pybundle]: a script cannot name another one"),
        ("binary.py", "cannot read HERE/binary.py"),
        ("huge.py", "cannot read HERE/huge.py"),
        ("./notes.txt", "./notes.txt is neither the directory of a project nor a script\nhint: name the directory"),
        (
            "./missing.py",
            "cannot read ./missing.py\n  because: No such file or directory (os error 2)\nhint: name a directory or a script that exists\n",
        ),
    ] {
        expect(&["lambda", script], expected);
        expect(&["image", script], expected);
    }
    expect(
        &["init", "fine.py"],
        "cannot configure fine.py: a script needs no more than its metadata\nhint: run `pybundle lambda fine.py` or `pybundle image fine.py`\n",
    );
    expect(&["lambda", "fine.py", "--handler", "fine.x", "--group", "dev"], "dev");
}
