//! `pybundle` with requirements files, projects that have no lock, and locks of tools whose formats are not supported.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::artifact::sha256;
use crate::support::command::{fail, pybundle, succeed};
use crate::support::uv::Project;

fn plan(project: &Path, arguments: &[&str]) -> Command {
    let mut command = pybundle(&["plan", "--runtime=python3.12", "--no-progress"]);
    command.args(arguments).arg(project);
    command
}

/// Returns the names of the planned distributions, with who requires them.
fn planned(project: &Path, arguments: &[&str]) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&succeed(plan(project, arguments).arg("--json"))).unwrap();
    let distributions = report["distributions"].as_array().unwrap().iter();
    distributions
        .map(|distribution| {
            let required_by = distribution["required_by"].as_array().unwrap().iter().map(|by| by.as_str().unwrap());
            (distribution["name"].as_str().unwrap().to_owned(), required_by.collect::<Vec<_>>().join(", "))
        })
        .collect()
}

fn names(project: &Path, arguments: &[&str]) -> Vec<String> {
    planned(project, arguments).into_iter().map(|(name, _)| name).collect()
}

fn stderr(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn several_files_are_merged() {
    let project = Project::new(&[
        ("app.py", ""),
        ("base.txt", "six==1.17.0\n"),
        ("deploy/prod.txt", "-c ../base.txt\nidna==3.10\n"),
        ("other.txt", "six==1.16.0\n"),
    ]);
    let at = |name: &str| project.path().join(name).to_str().unwrap().to_owned();
    let (base, prod, other) = (at("base.txt"), at("deploy/prod.txt"), at("other.txt"));
    let expected =
        [("idna", "deploy/prod.txt"), ("six", "base.txt")].map(|(name, by)| (name.to_owned(), by.to_owned()));
    assert_eq!(planned(project.path(), &["--lock", &base, "--lock", &prod]), expected);
    project.write("pyproject.toml", b"[tool.pybundle]\nlock = ['base.txt', 'deploy/prod.txt']\n");
    assert_eq!(planned(project.path(), &[]), expected);
    let message = fail(&mut plan(project.path(), &["--lock", &base, "--lock", &other]));
    assert!(message.contains("two versions are selected: six 1.17.0 (for "), "{message}");
    let message = fail(&mut plan(project.path(), &["--lock", &base, "--lock", "uv.lock"]));
    assert!(message.contains("uv.lock: only requirements files can be merged with another lock"), "{message}");
}

#[test]
fn variables_that_are_not_set_are_named() {
    let project = Project::new(&[
        ("app.py", ""),
        ("requirements.txt", "--extra-index-url https://${PB_USER}:${PB_TOKEN}@127.0.0.1:9/simple\nsix==1.17.0\n"),
    ]);
    let file = project.path().join("requirements.txt");
    let said = stderr(plan(project.path(), &["--offline"]).env("PB_USER", "ann"));
    let warning = format!("warning: {}:1: the environment variable PB_TOKEN is not set\n", file.display());
    assert!(said.contains(&warning) && !said.contains("PB_USER"), "{said}");
    for (line, reason) in [
        ("--index-url ${PB_INDEX}", "`${PB_INDEX}` is not a valid URL: relative URL without a base"),
        ("-r ${PB_FILES}/all.txt", "`${PB_FILES}/all.txt` refers to an environment variable that is not set"),
        ("${PB_WHEEL}", "`${PB_WHEEL}`"),
    ] {
        project.write("requirements.txt", line.as_bytes());
        let message = fail(&mut plan(project.path(), &[]));
        let name = &line[line.find("${").unwrap() + 2..line.find('}').unwrap()];
        assert!(
            message.contains(reason) && message.contains(&format!("hint: set the environment variable {name}\n")),
            "{message}"
        );
    }
}

/// A hash says which file is meant. With the default strategy, later indexes are not asked.
#[test]
fn a_file_that_differs_between_indexes_is_warned_of_unless_it_has_a_hash() {
    let project = Project::new(&[("app.py", "")]);
    let name = "demo-1.0-py3-none-any.whl";
    let mut hashes = Vec::new();
    for index in ["one", "two"] {
        let wheel = crate::support::wheel_with("demo", "1.0", &[("demo.py", index.as_bytes())]);
        let hash = sha256(&wheel);
        project.write(&format!("{index}/demo/{name}"), &wheel);
        let page = format!("<a href='{name}#sha256={hash}'>{name}</a>");
        project.write(&format!("{index}/demo/index.html"), page.as_bytes());
        hashes.push(hash);
    }
    let [one, two] = ["one", "two"].map(|index| format!("file://{}/{index}", project.path().display()));
    let said = |strategy: &str, requirement: &str| {
        project.write("requirements.txt", requirement.as_bytes());
        stderr(&mut plan(
            project.path(),
            &["--index-url", &two, "--extra-index-url", &one, "--index-strategy", strategy],
        ))
    };
    let warning =
        format!("warning: {name} is taken from {one}, but {two} has another file of this name: pin its hash\n");
    for strategy in ["unsafe-first-match", "unsafe-best-match"] {
        assert_eq!(said(strategy, "demo==1.0\n"), warning);
        assert_eq!(said(strategy, &format!("demo==1.0 --hash=sha256:{}\n", hashes[1])), "");
    }
    assert_eq!(said("first-index", "demo==1.0\n"), "");
}

/// Each hint is followed.
#[test]
fn a_project_without_a_lock_is_locked_or_resolved() {
    let setup_py = "from setuptools import setup\nsetup(name='demo', version='1', py_modules=['demo'], install_requires=['six'], \
                    extras_require={'fast': ['idna']})\n";
    let setup_cfg = "[metadata]\nname = demo\nversion = 1\n[options]\npy_modules = demo\ninstall_requires =\n  six\n\
                     [options.extras_require]\nfast = idna\n";
    let backend = "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n";
    let pyproject = "[project]\nname = 'demo'\nversion = '1'\nrequires-python = '>=3.9'\ndependencies = ['six']\n\
                     optional-dependencies = { fast = ['idna'] }\n";
    for (files, source) in [
        (&[("setup.py", setup_py)][..], "setup.py"),
        (&[("setup.cfg", setup_cfg), ("pyproject.toml", backend)], "setup.cfg"),
        (&[("pyproject.toml", pyproject)], "pyproject.toml"),
        (&[("requirements.in", "six\n")], "requirements.in"),
    ] {
        let project = Project::new(&[files, &[("demo.py", "import six\n")]].concat());
        let zip = project.path().join("f.zip");
        let bundle = |arguments: &[&str]| {
            let mut command = pybundle(&["lambda", "--runtime=python3.12", "--no-audit", "-o"]);
            command.arg(&zip).args(arguments).arg(project.path());
            command
        };
        let message = fail(&mut bundle(&[]));
        let command = match source {
            "pyproject.toml" => "uv lock".to_owned(),
            _ => format!("uv pip compile --universal --generate-hashes -o requirements.txt {source}"),
        };
        assert!(message.contains(&format!("with `{command}`, or ")), "{source}: {message}");
        let mut expected = vec!["demo", "six"];
        if matches!(source, "pyproject.toml" | "requirements.in") {
            expected.retain(|name| *name != "demo");
        }
        assert_eq!(names(project.path(), &["--resolve"]), expected, "{source}");
        let lock = project.path().join(if source == "pyproject.toml" { "uv.lock" } else { "requirements.txt" });
        assert!(!lock.exists(), "{source}: a plan writes nothing");
        if source != "requirements.in" {
            expected.push("idna");
            expected.sort_unstable();
            assert_eq!(names(project.path(), &["--resolve", "--extra", "fast"]), expected, "{source}");
        }
        // A build writes what the command of the hint writes, and no build changes it.
        let said = stderr(&mut bundle(&["--resolve"]));
        assert!(said.contains(&format!("/{}: commit it", lock.file_name().unwrap().display())), "{source}: {said}");
        let text = || std::fs::read_to_string(&lock).unwrap();
        let written = text();
        std::fs::remove_file(&lock).unwrap();
        let mut words = command.split(' ');
        let mut uv = Command::new(words.next().unwrap());
        uv.args(words).current_dir(project.path());
        if source != "pyproject.toml" {
            uv.args(["--python-version", "3.12"]);
        }
        succeed(&mut uv);
        assert_eq!(text(), written, "{source}");
        succeed(&mut bundle(&[]));
        std::fs::write(&lock, format!("{}\n# mine\n", std::fs::read_to_string(&lock).unwrap())).unwrap();
        succeed(&mut bundle(&["--resolve"]));
        assert!(text().ends_with("# mine\n"), "{source}");
    }
}

/// pip clones `-e git+URL`, and uv 0.13.8 refuses it.
#[test]
fn editable_repositories_are_resolved_to_their_commits() {
    let member = "[project]\nname = 'tracked'\nversion = '1'\nrequires-python = '>=3.9'\ndependencies = ['six']\n\
                  [build-system]\nrequires = ['uv_build']\nbuild-backend = 'uv_build'\n";
    let project = Project::new(&[
        ("app.py", ""),
        ("git/pyproject.toml", member),
        ("git/src/tracked/__init__.py", ""),
        ("more.txt", "idna==3.10\n"),
    ]);
    let repository = project.path().join("git");
    let git = |arguments: &[&str]| {
        let user = ["-c", "user.name=T", "-c", "user.email=t@example.org"];
        succeed(Command::new("git").args(user).args(arguments).current_dir(&repository))
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=one"]);
    git(&["tag", "v1"]);
    let commit = git(&["rev-parse", "HEAD"]);
    let text = format!("-r more.txt\n-e git+file://{}@v1#egg=tracked\n", repository.display());
    project.write("requirements.txt", text.as_bytes());
    let report: Value = serde_json::from_str(&succeed(plan(project.path(), &["--resolve"]).arg("--json"))).unwrap();
    let distributions = report["distributions"].as_array().unwrap();
    let of = |name: &str| distributions.iter().find(|distribution| distribution["name"] == name).unwrap();
    assert_eq!(of("tracked")["source"], format!("file://{}@{}", repository.display(), commit.trim()));
    assert_eq!(of("tracked")["required_by"], serde_json::json!(["requirements.txt"]));
    assert_eq!((distributions.len(), &of("six")["required_by"][0]), (3, &Value::from("tracked")));
}

#[test]
fn locks_of_other_tools_are_named() {
    let pdm = "# This file is @generated by PDM.\n[metadata]\nlock_version = '4.5.1'\n";
    let pipenv = "{\n    \"_meta\": {\n        \"pipfile-spec\": 6\n    },\n    \"default\": {}\n}\n";
    // As pex 2.105.2 writes it without --indent.
    let pex = "{\"allow_builds\": true, \"locked_resolves\": [], \"pex_version\": \"2.105.2\", \"style\": \"strict\"}";
    let pixi = "version: 6\nenvironments:\n  default:\n";
    let poetry =
        "# This file is automatically @generated by Poetry 2.2.1 and should not be changed by hand.\npackage = []\n";
    for (name, text, tool, hint) in [
        ("locks/prod.lock", pdm, "PDM", "rename it to pdm.lock"),
        ("locks/prod.lock", pipenv, "pipenv", "rename it to Pipfile.lock"),
        ("pixi.lock", pixi, "pixi", "lock the project's distributions from PyPI, for example with `uv lock`"),
        ("locks/prod.lock", poetry, "Poetry", "rename it to poetry.lock"),
        ("pex.lock", pex, "pex", "export it with `pex3 lock export --format pep-751 -o "),
        ("locks/prod.json", pex, "pex", "export it with `pex3 lock export --format pep-751 -o "),
    ] {
        let pyproject = "[project]\nname = 'a'\nversion = '1'\ndependencies = ['six']\n";
        let project = Project::new(&[("app.py", ""), ("pyproject.toml", pyproject), (name, text)]);
        let path = project.path().join(name);
        let expected = format!("cannot read {}: it is a lock of {tool}\nhint: {hint}", path.display());
        let message = fail(&mut plan(project.path(), &["--lock", path.to_str().unwrap()]));
        assert!(message.contains(&expected), "{message}");
        if !name.contains('/') {
            let message = fail(&mut plan(project.path(), &[]));
            assert!(message.contains(&format!("{name}: it is a lock of {tool}\nhint: {hint}")), "{message}");
        }
    }
}

#[test]
fn a_setup_cfg_alone_is_no_project_of_uv() {
    let setup_cfg = "[metadata]\nname = demo\nversion = 1\n[options]\npy_modules = demo\n";
    let project = Project::new(&[("setup.cfg", setup_cfg), ("demo.py", "")]);
    let hint = "hint: add a setup.py that calls `setuptools.setup()`: uv and pip do not build a project with a setup.cfg alone\n";
    let bundle = || pybundle(&["lambda", "--runtime=python3.12", "-o", "f.zip"]);
    let said = fail(bundle().current_dir(project.path()));
    assert!(said.contains(hint) && said.matches("hint: ").count() == 1, "{said}");
    let said = fail(bundle().arg("--resolve").current_dir(project.path()));
    assert!(said.contains(hint) && said.matches("hint: ").count() == 1, "{said}");
    project.write("setup.py", b"import setuptools\nsetuptools.setup()\n");
    succeed(bundle().current_dir(project.path()));
}

/// Whose lock another tool has written, or who uses conda, has no use for the advice to run `uv lock`.
#[test]
fn a_project_without_a_lock_is_told_how_its_own_tool_makes_one() {
    let poetry = "[tool.poetry]\nname = 'a'\nversion = '1'\n[tool.poetry.dependencies]\npython = '^3.11'\nsix = '*'\n";
    let pdm = "[project]\nname = 'a'\nversion = '1'\ndependencies = ['six']\n[tool.pdm]\ndistribution = false\n";
    for (files, problem, hint) in [
        (
            &[("pixi.lock", "version: 6\n"), ("pixi.toml", "[workspace]\n")][..],
            "pixi.lock: it is a lock of pixi\n",
            "lock the project's distributions from PyPI, for example with `uv lock`: conda packages cannot be bundled\n",
        ),
        (
            &[("Pipfile", "[packages]\nsix = '*'\n")],
            "Pipfile.lock does not exist\n",
            "create one with `pipenv lock`, or ",
        ),
        (&[("pyproject.toml", pdm)], "pdm.lock does not exist\n", "create one with `pdm lock`, or "),
        (&[("pyproject.toml", poetry)], "poetry.lock does not exist\n", "create one with `poetry lock`, or "),
        (
            &[("pixi.toml", "[workspace]\n[pypi-dependencies]\nsix = '*'\n")],
            "requirements.txt does not exist\n",
            "list the distributions from PyPI that pixi.toml names in requirements.in, and lock them with `uv pip compile ",
        ),
        (
            &[("pyproject.toml", "[project]\nname = 'a'\nversion = '1'\n[tool.pixi.pypi-dependencies]\nsix = '*'\n")],
            "requirements.txt does not exist\n",
            "list the distributions from PyPI that pyproject.toml names in requirements.in, and lock them with `uv pip compile ",
        ),
    ] {
        let project = Project::new(&[("app.py", "import six\n")]);
        files.iter().for_each(|(path, text)| project.write(path, text.as_bytes()));
        let message = fail(&mut plan(project.path(), &[]));
        assert!(message.contains(&format!("{problem}hint: {hint}")), "{message}");
        // The hint is followed.
        if let Some(command) = message.split('`').nth(1).filter(|command| command.starts_with("uv pip compile")) {
            project.write("requirements.in", b"six\n");
            let words: Vec<&str> = command.split(' ').skip(1).collect();
            project.uv(&words);
            succeed(&mut plan(project.path(), &[]));
        }
    }
}

/// The resolution that a build writes is made from the indexes of the flags, for every Python of the project.
#[test]
fn what_is_resolved_is_locked_for_all_targets() {
    let setup = "from setuptools import setup\nsetup(name='demo', version='1', py_modules=['demo'], python_requires='>=3.9', \
                 install_requires=['alpha', 'old; python_version < \"3.10\"'])\n";
    let project = Project::new(&[("setup.py", setup), ("demo.py", "")]);
    for name in ["alpha", "old"] {
        project.write(&format!("wheels/{name}-1.0-py3-none-any.whl"), &crate::support::wheel(name, "1.0"));
    }
    let links = project.path().join("wheels");
    let zip = project.path().join("f.zip");
    let build = |arguments: &[&str]| {
        let mut command = pybundle(&["lambda", "--no-audit", "--find-links"]);
        command.arg(&links).arg("-o").arg(&zip).args(arguments).arg(project.path());
        command
    };
    // No index has it.
    let message = fail(&mut build(&["--resolve", "--runtime=python3.12", "--no-index", "--exclude-newer=2000-01-01"]));
    assert!(
        message.starts_with("error: uv cannot resolve ") && !project.path().join("requirements.txt").exists(),
        "{message}"
    );
    succeed(&mut build(&["--resolve", "--runtime=python3.12"]));
    let written = project.read("requirements.txt");
    assert!(written.contains("\nold==1.0 ; python_full_version < '3.10' "), "{written}");
    succeed(&mut build(&["--runtime=python3.9"]));
}

/// A script is locked beside itself.
#[test]
fn a_script_without_a_lock_is_locked() {
    let project = Project::new(&[(
        "app.py",
        "# /// script\n# requires-python = \">=3.12\"\n# dependencies = [\"six\"]\n# ///\nimport six\ndef handler(event, context): ...\n",
    )]);
    let script = project.path().join("app.py");
    let zip = project.path().join("f.zip");
    assert!(succeed(pybundle(&["plan", "--resolve"]).arg(&script)).contains("six"));
    assert!(!project.path().join("app.py.lock").exists());
    succeed(pybundle(&["lambda", "--resolve", "-o"]).arg(&zip).arg(&script));
    project.uv(&["lock", "--check", "--script", "app.py"]);
    succeed(pybundle(&["lambda", "-o"]).arg(&zip).arg(&script));
}

/// Neither is read when the function runs: not what the lock is made from, nor what that includes.
#[test]
fn what_a_requirements_in_includes_is_not_bundled() {
    let project = Project::new(&[
        ("requirements.in", "-r base/all.in\n"),
        ("base/all.in", "demo\n-c limits.in\n"),
        ("base/limits.in", "demo<2\n"),
        ("base/other.in", ""),
        ("app.py", "def handler(event, context): ...\n"),
    ]);
    project.write("wheels/demo-1.0-py3-none-any.whl", &crate::support::wheel("demo", "1.0"));
    let wheels = project.path().join("wheels");
    let arguments =
        ["--runtime=python3.12", "--handler=app.handler", "--no-index", "--no-audit", "--exclude=wheels", "--json"];
    let taken = |command: &[&str]| {
        let mut command = pybundle(&[command, &arguments].concat());
        command.arg("--find-links").arg(&wheels).arg("-o").arg(project.path().join("f.zip")).arg(project.path());
        let report: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
        let mut taken = report["application"]["taken"].as_array().unwrap().clone();
        taken.sort_by_key(Value::to_string);
        taken
    };
    let mut plan = pybundle(&["plan", "--resolve", "--no-index", "--runtime=python3.12", "--find-links"]);
    let page = succeed(plan.arg(&wheels).arg(project.path()));
    assert!(page.contains("base/all.in (read by a tool only)"), "{page}");
    // With the lock that is written, and with that later.
    for command in [&["lambda", "--resolve"][..], &["lambda"]] {
        assert_eq!(taken(command), ["app.py", "base/"]);
        let zip = std::fs::File::open(project.path().join("f.zip")).unwrap();
        let zip = zip::ZipArchive::new(zip).unwrap();
        let paths: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
        let own: Vec<&String> = paths.iter().filter(|path| path.starts_with("base/")).collect();
        assert_eq!(own, ["base/other.in"]);
    }
}

/// The statement names what was read, each with its digest; the parameters are the files that were named.
#[test]
fn the_provenance_statement_names_what_a_lock_includes() {
    let project = Project::new(&[
        ("deploy/prod.txt", "-r base/all.txt\n-c ../limits.txt\n"),
        ("deploy/base/all.txt", "# Nothing.\n"),
        ("limits.txt", "six==1.17.0\n"),
        ("app.py", "def handler(event, context): ...\n"),
    ]);
    let zip = project.path().join("f.zip");
    let mut command = pybundle(&["lambda", "--runtime=python3.12", "--handler=app.handler", "--provenance", "-o"]);
    command.arg(&zip).arg("--lock").arg(project.path().join("deploy/prod.txt")).arg(project.path());
    succeed(&mut command);
    let statement = std::fs::read(project.path().join("f.zip.provenance.json")).unwrap();
    let statement: Value = serde_json::from_slice(&statement).unwrap();
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["lock"]["name"], "prod.txt");
    let inputs = definition["resolvedDependencies"].as_array().unwrap();
    let names: Vec<&str> = inputs.iter().map(|input| input["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["prod.txt", "base/all.txt", "limits.txt"]);
    assert_eq!(inputs[2]["digest"]["sha256"], sha256(project.read("limits.txt").as_bytes()));
}
