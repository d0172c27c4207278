//! The report of code that starts by itself.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::support::command::{fail, repository, succeed};
use super::support::lambda::newest_python;
use super::support::uv::Project;
use super::support::wheel_with;
use super::{Files, lambda};

#[test]
fn code_that_starts_by_itself_is_listed_and_shadowing_is_a_warning() {
    let project = Project::new(&[("src/app.py", "import hook, replaced\n")]);
    let wheels: [(&str, Files); 2] = [
        (
            "hook",
            &[
                ("hook.py", b""),
                ("__pycache__/hook.cpython-312.pyc", b""),
                ("__pycache__/hook.cpython-311.pyc", b""),
                ("hook-nspkg.pth", b"import hook\n"),
                ("hook-paths.pth", b"hook\n"),
                ("sitecustomize.py", b""),
            ],
        ),
        ("replaced", &[("replaced.py", b""), ("random.py", b""), ("typing_extensions.py", b"")]),
    ];
    let mut requirements = String::new();
    for (name, files) in wheels {
        let path = format!("wheels/{name}-1.0-py3-none-any.whl");
        project.write(&path, &wheel_with(name, "1.0", files));
        requirements.push_str(&format!("./{path}\n"));
    }
    project.write("requirements.txt", requirements.as_bytes());
    let flags = ["--include", "src:.", "--no-compile-bytecode"];
    let report: Value = serde_json::from_str(&succeed(lambda(project.path(), "3.12", &flags).arg("--json"))).unwrap();
    let expected = json!([
        { "path": "hook-nspkg.pth", "distribution": "hook 1.0", "kind": "pth" },
        { "path": "random.py", "distribution": "replaced 1.0", "kind": "shadow" },
        { "path": "sitecustomize.py", "distribution": "hook 1.0", "kind": "customization" },
        { "path": "__pycache__/hook.cpython-312.pyc", "distribution": "hook 1.0", "kind": "bytecode" },
    ]);
    assert_eq!(report["audit"]["implicit_code"], expected);
    let warning = "random.py of replaced 1.0 replaces the module `random` of the standard library";
    assert_eq!(report["audit"]["warnings"], json!([warning]));

    let page = succeed(&mut lambda(project.path(), "3.12", &flags));
    let line = "implicit  4 files may run without being imported by name: hook-nspkg.pth of hook 1.0, random.py of replaced 1.0, \
                sitecustomize.py of hook 1.0, __pycache__/hook.cpython-312.pyc of hook 1.0\n";
    assert!(page.contains(line), "{page}");
}

/// The files of a distribution that starts by itself, in every way that there is. Each writes its name.
const STARTED: Files = &[
    ("said.py", b"import sys\ndef say(name): sys.stderr.write('ran ' + name + '\\n')\ndef start(): say('start')\n"),
    ("lines.pth", b"import said; said.say('lines')\n"),
    ("blank.pth", b"  import said; said.say('blank')\n"),
    ("both.pth", b"import said; said.say('both')\n"),
    ("both.start", b"said:start\n"),
    ("disabled.pth", b"import said; said.say('disabled')\n"),
    ("disabled.start", b"# nothing\n"),
    (".hidden.pth", b"import said; said.say('hidden')\n"),
    (".hidden.start", b"said:start\n"),
    ("broken.start", b"said:absent\nsaid.absent:start\nsaid\njson:loads\n"),
];

/// Python 3.15 has `.start` files (PEP 829), which take the place of the import lines of the `.pth` files with the same names. Import
/// lines run twice in a virtual environment of Python 3.14.
#[test]
fn what_starts_by_itself_is_what_each_python_starts() {
    let project =
        Project::new(&[("app.py", "import said\n"), ("requirements.txt", "./started-1.0-py3-none-any.whl\n")]);
    project.write("started-1.0-py3-none-any.whl", &wheel_with("started", "1.0", STARTED));
    for (python, pth, start) in [
        ("3.13", &["both.pth", "disabled.pth", "lines.pth"][..], &[][..]),
        ("3.14", &["both.pth", "disabled.pth", "lines.pth"], &[]),
        ("3.15", &["blank.pth", "lines.pth"], &["both.start", "broken.start"]),
    ] {
        let output = project.path().join("out").display().to_string();
        let flags = ["--no-compile-bytecode", "--json", "-o", &format!("dir:{output}")];
        let report: Value = serde_json::from_str(&succeed(&mut lambda(project.path(), python, &flags))).unwrap();
        let code = report["audit"]["implicit_code"].as_array().unwrap().iter();
        let of_kind = |kind: &str| -> Vec<String> {
            let found = code.clone().filter(|code| code["kind"] == kind);
            found.map(|code| code["path"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(
            (of_kind("pth"), of_kind("start")),
            (
                pth.iter().map(|path| (*path).to_owned()).collect(),
                start.iter().map(|path| (*path).to_owned()).collect()
            ),
            "{python}"
        );

        let said = started_in_environment(&project, python, &output);
        for name in ["lines", "blank", "both", "disabled", "hidden", "start"] {
            let file = if name == "start" { "both.start".to_owned() } else { format!("{name}.pth") };
            let runs = said.lines().filter(|line| *line == format!("ran {name}")).count();
            let expected = if !pth.iter().chain(start).any(|path| *path == file) {
                0
            } else if python == "3.15" {
                1
            } else {
                2
            };
            assert_eq!(runs, expected, "{name} on {python}: {said}");
        }

        let warnings: Vec<&str> =
            report["audit"]["warnings"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        let expected: &[(&str, &str)] = &[
            ("said:absent", "but said.py does not define `absent`"),
            ("said.absent:start", "but there is no module `said.absent`"),
            ("said", "which is not `module:callable`"),
        ];
        let expected = if start.is_empty() { &[] } else { expected };
        let messages: Vec<String> = expected
            .iter()
            .map(|(entry, why)| {
                format!(
                    "broken.start of started 1.0 names `{entry}`, {why}: Python prints a traceback whenever it starts"
                )
            })
            .collect();
        assert_eq!(warnings, messages);
        let failed = said.lines().filter(|line| line.contains("entry point") && line.contains("broken.start")).count();
        // `json.loads` needs an argument, which no audit looks into.
        assert_eq!(failed, expected.len() + usize::from(!expected.is_empty()), "{said}");
    }
}

/// Starts Python in a virtual environment with the files of a directory, and returns what it writes.
fn started_in_environment(project: &Project, python: &str, directory: &str) -> String {
    let environment = project.path().join(format!("env-{python}"));
    project.uv(&[
        "venv",
        "-q",
        "--python",
        super::interpreter(python).to_str().unwrap(),
        environment.to_str().unwrap(),
    ]);
    let site = environment.join(format!("lib/python{python}/site-packages"));
    succeed(Command::new("cp").args(["-r", &format!("{directory}/.")]).arg(&site));
    let output = Command::new(environment.join("bin/python")).args(["-c", ""]).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// What the audit says is what happens under AWS's runtime client.
#[test]
fn an_application_that_replaces_what_the_runtime_needs_is_refused() {
    let python = newest_python();
    let module = ("app.py", "def handler(event, context):\n    return 'started'\n");
    for (name, stops) in
        [("types.py", true), ("json/__init__.py", true), ("statistics.py", false), ("app_types.py", false)]
    {
        let project = Project::new(&[module, (name, "")]);
        project.write("requirements.txt", b"");
        let zip = project.path().join("function.zip");
        let build = ["--handler", "app.handler", "--output", zip.to_str().unwrap()];
        if stops {
            let said = fail(&mut lambda(project.path(), &python, &build));
            let top_level = name.split(['/', '.']).next().unwrap();
            let expected =
                format!("error: {name} replaces the module `{top_level}`, which AWS's runtime client or the");
            assert!(
                said.contains(&expected)
                    && said.contains(&format!("hint: rename the module, for instance to `app_{top_level}`\n")),
                "{said}"
            );
            succeed(lambda(project.path(), &python, &build).arg("--no-audit"));
            // It exits before it can say which error there was.
            assert!(!starts(&python, &zip), "{name}");
        } else {
            succeed(&mut lambda(project.path(), &python, &build));
            assert!(starts(&python, &zip), "{name}");
        }
    }
}

/// The client uses the function's own version of itself and of what it requires.
#[test]
fn an_application_with_the_distributions_of_the_client_starts() {
    let python = newest_python();
    let project = Project::locked(
        "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"simplejson==4.3.0\"]\n",
    );
    let zip = project.path().join("function.zip");
    let build = ["--handler", "app.handler", "--output", zip.to_str().unwrap()];
    let module =
        b"import simplejson\n\ndef handler(event, context):\n    return 'started' if 'task' in simplejson.__file__ else ''\n";
    project.write("app.py", module);
    for adds_client in [false, true] {
        if adds_client {
            project.uv(&["add", "--quiet", "awslambdaric"]);
        }
        let built = lambda(project.path(), &python, &build).output().unwrap();
        assert!(built.status.success() && built.stderr.is_empty(), "{}", String::from_utf8_lossy(&built.stderr));
        assert!(starts(&python, &zip), "with the client itself: {adds_client}");
    }
}

fn starts(python: &str, zip: &Path) -> bool {
    let mut command = Command::new(repository().join("scripts/lambda-run"));
    command.args(["--python", python, "--handler", "app.handler", "--event", "{}"]).arg(zip);
    let document: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
    document["answer"] == "started"
}
