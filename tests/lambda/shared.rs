//! Distributions that have files with the same paths.

use std::process::Output;

use crate::support::artifact::leaves_of_zip;
use crate::support::command::pybundle;
use crate::support::uv::Project;
use crate::support::wheel_with;

type Files<'a> = &'a [(&'a str, &'a [u8])];

/// Writes two distributions and a requirements file that pins both.
fn project(one: Files, two: Files) -> Project {
    let project = Project::new(&[("requirements.txt", "one==1.0\ntwo==1.0\n"), ("app.py", "x = 1\n")]);
    for (name, files) in [("one", one), ("two", two)] {
        project.write(&format!("wheels/{name}-1.0-py3-none-any.whl"), &wheel_with(name, "1.0", files));
    }
    project
}

fn build(project: &Project, arguments: &[&str]) -> (bool, String) {
    let mut command = pybundle(&["lambda", "--runtime=python3.12", "--no-index", "--find-links=wheels", "--no-deps"]);
    let Output { status, stderr, .. } =
        command.args(arguments).args(["--no-audit", "-o", "out.zip"]).current_dir(project.path()).output().unwrap();
    (status.success(), String::from_utf8(stderr).unwrap())
}

/// Returns the text of a file in the zip.
fn text(project: &Project, path: &str) -> Option<String> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(project.path().join("out.zip")).unwrap()).unwrap();
    let entry = archive.by_name(path).ok()?;
    Some(std::io::read_to_string(entry).unwrap())
}

#[test]
fn of_what_is_no_code_the_first_distribution_wins_with_a_warning() {
    let project = project(
        &[("one/__init__.py", b""), ("tests/__init__.py", b"one = 1\n"), ("tests/test_a.py", b"one = 2\n")],
        &[
            ("two/__init__.py", b""),
            ("tests/__init__.py", b""),
            ("tests/test_a.py", b"two = 2\n"),
            ("tests/test_two.py", b""),
            ("LICENSE", b"two"),
        ],
    );
    let (succeeded, said) = build(&project, &["--compile-bytecode"]);
    assert!(succeeded, "{said}");
    let warning = "one 1.0 and two 1.0 have different files with the same paths, which are no code: \
                   tests/__init__.py and 1 more; those of one are bundled";
    assert!(said.contains(warning), "{said}");
    assert_eq!(text(&project, "tests/test_a.py").as_deref(), Some("one = 2\n"));
    assert!(text(&project, "tests/test_two.py").is_some());
    // The loser no longer claims the file.
    let records = ["one", "two"].map(|name| text(&project, &format!("{name}-1.0.dist-info/RECORD")).unwrap());
    assert!(records[0].contains("\ntests/test_a.py,") && !records[1].contains("tests/test_a.py,"), "{records:?}");
    assert!(!records[1].contains("tests/__pycache__/test_a") && records[1].contains("tests/test_two.py"));
    // `verify` agrees.
    let verified = pybundle(&["verify", "out.zip"]).current_dir(project.path()).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));

    let (succeeded, said) = build(&project, &["--prefer=two"]);
    assert!(succeeded && !said.contains("same paths"), "{said}");
    assert_eq!(text(&project, "tests/test_a.py").as_deref(), Some("two = 2\n"));
}

#[test]
fn code_is_an_error_whose_hints_work() {
    let project = project(&[("shared/__init__.py", b"one = 1\n")], &[("shared/__init__.py", b"two = 2\n")]);
    let (succeeded, said) = build(&project, &[]);
    assert!(!succeeded, "{said}");
    for part in [
        "one 1.0 and two 1.0 both contain `shared/__init__.py`, with different content",
        "hint: use the files of one with `--prefer one` or `--prefer two`",
        "hint: omit one with `--no-install-package one` or `--no-install-package two`, if nothing needs it",
    ] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    for (arguments, expected) in [
        (["--prefer", "one"], "one = 1\n"),
        (["--prefer", "two"], "two = 2\n"),
        (["--no-install-package", "one"], "two = 2\n"),
        (["--no-install-package", "two"], "one = 1\n"),
    ] {
        let (succeeded, said) = build(&project, &arguments);
        assert!(succeeded, "{said}");
        assert_eq!(text(&project, "shared/__init__.py").as_deref(), Some(expected), "{arguments:?}");
    }
    project.write("pyproject.toml", b"[tool.pybundle]\nprefer = [\"two\"]\n");
    assert!(build(&project, &[]).0);
    assert_eq!(text(&project, "shared/__init__.py").as_deref(), Some("two = 2\n"));
    // The application is not a distribution.
    project.write("shared/__init__.py", b"application = 3\n");
    project.write("shared/own.py", b"");
    let (succeeded, said) = build(&project, &["--include", "shared"]);
    assert!(!succeeded && said.contains("exclude it with `--exclude /shared/__init__.py`"), "{said}");
    let (succeeded, said) =
        build(&project, &["--include", "shared", "--include", "app.py", "--exclude", "/shared/__init__.py"]);
    assert!(succeeded, "{said}");
}

/// backports.tarfile, which jaraco.context needs before Python 3.12, and backports-datetime-fromisoformat.
#[test]
fn spellings_of_a_namespace_are_one_file() {
    let project = Project::locked(
        "[project]\nname = \"app\"\nversion = \"1.0\"\nrequires-python = \">=3.10\"\n\
         dependencies = [\"jaraco.context==6.0.1\", \"backports-datetime-fromisoformat==2.0.3\"]\n",
    );
    project
        .write("app.py", b"from backports import tarfile\nfrom backports.datetime_fromisoformat import MonkeyPatch\n");
    let output = pybundle(&["lambda", "--runtime=python3.10", "-o", "out.zip"]).current_dir(project.path()).output();
    let said = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(!said.contains("error") && !said.contains("warning"), "{said}");
    let files = leaves_of_zip(&project.path().join("out.zip"));
    assert!(files.contains_key("backports/tarfile/__init__.py"), "{:?}", files.keys());
    assert!(text(&project, "backports/__init__.py").unwrap().contains("extend_path"));
}

#[test]
fn files_of_dependencies_are_excluded_by_patterns() {
    let files: Files = &[("one/__init__.py", b""), ("one/tests/test_a.py", b""), ("one/data.bin", b"123")];
    let project = project(files, &[("two/__init__.py", b"")]);
    project.write(
        "pyproject.toml",
        b"[tool.pybundle]\nexclude-dependency-files = [\"**/tests/**\", \"one/*.bin\", \"**/nothing/**\"]\n",
    );
    let (succeeded, said) = build(&project, &[]);
    assert!(succeeded, "{said}");
    assert!(
        said.contains("warning: the pattern `**/nothing/**` of exclude-dependency-files matches no file"),
        "{said}"
    );
    assert_eq!(said.matches("matches no file").count(), 1, "{said}");
    let files = leaves_of_zip(&project.path().join("out.zip"));
    let of_one: Vec<&str> = files.keys().map(String::as_str).filter(|path| path.starts_with("one/")).collect();
    assert_eq!(of_one, ["one/__init__.py"]);
    assert!(!text(&project, "one-1.0.dist-info/RECORD").unwrap().contains("data.bin"));
    let (succeeded, said) = build(&project, &["--exclude-dependency-files=a["]);
    assert!(!succeeded && said.contains("a["), "{said}");
}

/// pip and uv let the last one installed win.
#[test]
fn a_console_script_of_two_distributions_is_an_error_whose_hints_work() {
    let project = project(
        &[
            ("one.py", b""),
            ("one-1.0.dist-info/entry_points.txt", b"[console_scripts]\nrun = one:main\nonly = one:main\n"),
        ],
        &[("two.py", b""), ("two-1.0.dist-info/entry_points.txt", b"[console_scripts]\nrun = two:main\n")],
    );
    let (succeeded, said) = build(&project, &[]);
    assert!(
        !succeeded && said.contains("one 1.0 and two 1.0 both contain `bin/run`, with different content"),
        "{said}"
    );
    assert!(said.contains("hint: use the files of one with `--prefer one` or `--prefer two`\n"), "{said}");
    for (preferred, other) in [("one", "two"), ("two", "one")] {
        let (succeeded, said) = build(&project, &["--prefer", preferred]);
        assert!(succeeded, "{said}");
        assert!(text(&project, "bin/run").unwrap().contains(&format!("from {preferred} import main")), "{preferred}");
        assert!(text(&project, "bin/only").is_some());
        // The loser no longer claims the script.
        let records = [preferred, other].map(|name| text(&project, &format!("{name}-1.0.dist-info/RECORD")).unwrap());
        assert!(records[0].contains("bin/run,") && !records[1].contains("bin/run,"), "{records:?}");
        let verified = pybundle(&["verify", "out.zip"]).current_dir(project.path()).output().unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
    let (succeeded, said) = build(&project, &["--no-install-package", "two"]);
    assert!(succeeded, "{said}");
}
