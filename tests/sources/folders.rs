//! Path dependencies.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::command::{fail, repository, succeed};
use crate::{Place, git, machine};

const DEMO: &str = "[project]\nname = \"demo\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n[build-system]\n\
     requires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n";

/// A build backend that leaves a marker.
const BACK_END: &str = r#"
import pathlib, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    pathlib.Path(__file__).with_name("marker").touch()
    name = "app-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        wheel.writestr("app-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: app\nVersion: 1.0\n")
        wheel.writestr("app-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("app-1.0.dist-info/RECORD", "")
    return name

build_editable = build_wheel
"#;

#[test]
fn uncommitted_changes_are_warned_of() {
    let place = Place::new();
    place.write("demo/pyproject.toml", DEMO);
    place.write("demo/src/demo/__init__.py", "");
    place.lock(&["demo"], "[tool.uv.sources]\ndemo = { path = \"../demo\" }\n");
    let warnings = |place: &Place| {
        let report = succeed(&mut place.bundle("2.17", &["--json"]));
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        report["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(warnings(&place).is_empty(), "no repository");
    git(&place.path("demo"), &["init", "--quiet"]);
    git(&place.path("demo"), &["add", "."]);
    git(&place.path("demo"), &["commit", "--quiet", "--message", "one"]);
    assert!(warnings(&place).is_empty(), "no changes");

    place.write("demo/src/demo/__init__.py", "changed = True\n");
    let found = warnings(&place);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("demo is built from ") && found[0].ends_with("/demo, which has uncommitted changes"));
    // A change since the last build counts, whether it is committed or not.
    let archive = fs::read(place.path("out.zip")).unwrap();
    place.write("demo/src/demo/__init__.py", "changed = 'again'\n");
    warnings(&place);
    assert!(fs::read(place.path("out.zip")).unwrap() != archive);
}

/// A back end that notes each build of a project in a file outside of it.
pub fn counting(place: &Place, project: &str) -> String {
    format!(
        r#"
import pathlib, time, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    with open({log:?}, "a") as log:
        log.write("built\n")
    time.sleep(0.3)
    name = "{project}-1.0-py3-none-any.whl"
    files = {{path.name: path.read_text() for path in sorted(pathlib.Path(__file__).parent.glob("*.py"))}}
    files["{project}-1.0.dist-info/METADATA"] = "Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n"
    files["{project}-1.0.dist-info/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files["{project}-1.0.dist-info/RECORD"] = "".join(f"{{file}},,\n" for file in [*files, "{project}-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(zipfile.ZipInfo(file), text)
    return name
"#,
        log = place.path("builds")
    )
}

pub const OWN_BACK_END: &str = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]";

#[test]
fn an_unchanged_directory_is_not_built_again() {
    let place = Place::new();
    // Something for the layer.
    place.lock(&["idna"], OWN_BACK_END);
    place.write("app/backend.py", counting(&place, "app"));
    place.write("app/.venv/pyvenv.cfg", "");
    let builds = |change: &dyn Fn(&mut Command)| {
        let mut command = place.bundle("2.17", &[]);
        change(&mut command);
        succeed(&mut command);
        let built = fs::read_to_string(place.path("builds")).unwrap().lines().count();
        (built, fs::read(place.path("out.zip")).unwrap())
    };
    let unchanged = &|_: &mut Command| {};
    let (count, first) = builds(unchanged);
    assert_eq!(count, 1);
    assert_eq!(builds(unchanged), (1, first.clone()));
    // What tools leave behind is no source, and neither is what this very run writes.
    place.write("app/.venv/lib/python3/site-packages/other.py", "");
    place.write("app/__pycache__/app.cpython-312.pyc", "");
    place.write("app/dist/other.zip", "");
    for _ in 0..2 {
        let inside = builds(&|command| {
            command.arg("--layer").arg(place.path("app/layer.zip"));
        });
        assert_eq!(inside.0, 1);
    }
    fs::remove_file(place.path("app/layer.zip")).unwrap();

    let source = fs::read_to_string(place.path("app/app.py")).unwrap();
    place.write("app/app.py", format!("{source}changed = True\n"));
    let (count, changed) = builds(unchanged);
    assert!(count == 2 && changed != first);
    // The first wheel is still there.
    place.write("app/app.py", source);
    assert_eq!(builds(unchanged), (2, first));
    // A file that git would ignore may be a part of the wheel as well.
    place.write("app/.gitignore", "generated.py\n");
    place.write("app/generated.py", "one = 1\n");
    assert_eq!(builds(unchanged).0, 3);
    place.write("app/generated.py", "one = 2\n");
    assert_eq!(builds(unchanged).0, 4);
    // A back end of the project's own may read any variable, but not that of a terminal.
    let with = |name: &'static str| {
        move |command: &mut Command| {
            command.env(name, "other");
        }
    };
    assert_eq!(builds(&with("APP_BUILD")).0, 5);
    assert_eq!(builds(&with("TERM_SESSION_ID")).0, 5);
}

/// A fresh clone has other times.
#[test]
fn a_copy_of_a_directory_is_not_built_again() {
    let place = Place::new();
    place.lock(&[], OWN_BACK_END);
    place.write("app/backend.py", counting(&place, "app"));
    // One that is not read each time.
    let mut model = vec![0; 9 << 20];
    fs::write(place.path("app/model.bin"), &model).unwrap();
    let builds = || {
        succeed(&mut place.bundle("2.17", &[]));
        fs::read_to_string(place.path("builds")).unwrap().lines().count()
    };
    let copy = || {
        succeed(Command::new("cp").arg("-r").arg(place.path("app")).arg(place.path("copy")));
        fs::remove_dir_all(place.path("app")).unwrap();
        fs::rename(place.path("copy"), place.path("app")).unwrap();
    };
    assert_eq!(builds(), 1);
    copy();
    assert_eq!(builds(), 1);
    // Long enough that its digest is kept.
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!((builds(), builds()), (1, 1));
    model[5 << 20] = 1;
    fs::write(place.path("app/model.bin"), &model).unwrap();
    assert_eq!((builds(), builds()), (2, 2));
}

#[test]
fn a_version_of_git_follows_its_commits_and_tags() {
    let place = Place::new();
    place.lock(&[], OWN_BACK_END);
    place.write("app/backend.py", counting(&place, "app"));
    place.write("notes/README.md", "one\n");
    let builds = || {
        succeed(&mut place.bundle("2.17", &[]));
        fs::read_to_string(place.path("builds")).unwrap().lines().count()
    };
    assert_eq!(builds(), 1);
    git(&place.path(""), &["init", "--quiet"]);
    place.write(".gitignore", "/*\n!/app\n!/notes\n");
    git(&place.path(""), &["add", "app", "notes"]);
    git(&place.path(""), &["commit", "--quiet", "--message", "one"]);
    assert_eq!((builds(), builds()), (2, 2), "a repository");
    git(&place.path(""), &["tag", "v1.0"]);
    assert_eq!((builds(), builds()), (3, 3), "a tag");
    git(&place.path(""), &["commit", "--quiet", "--allow-empty", "--message", "two"]);
    assert_eq!((builds(), builds()), (4, 4), "a commit");
    place.write("notes/README.md", "two\n");
    assert_eq!((builds(), builds()), (5, 5), "a change elsewhere, which makes the work tree dirty");
    place.write("notes/README.md", "one\n");
    assert_eq!(builds(), 5, "as it was");
}

/// The common back ends make a wheel out of the project's files alone, so that neither commits nor variables count.
#[test]
fn a_static_project_is_built_when_its_files_change() {
    let place = Place::new();
    place.write("demo/pyproject.toml", DEMO);
    place.write("demo/src/demo/__init__.py", "");
    place.lock(&["demo"], "[tool.uv.sources]\ndemo = { path = \"../demo\" }\n");
    let without_builds = place.without_builds();
    succeed(&mut place.bundle("2.17", &[]));
    let again = || {
        let mut command = place.bundle("2.17", &[]);
        command.env("PATH", &without_builds).env("APP_BUILD", "other").output().unwrap().status.success()
    };
    assert!(again());
    git(&place.path("demo"), &["init", "--quiet"]);
    git(&place.path("demo"), &["add", "."]);
    git(&place.path("demo"), &["commit", "--quiet", "--message", "one"]);
    assert!(again());
    place.write("demo/src/demo/__init__.py", "changed = True\n");
    assert!(!again());
    place.write("demo/src/demo/__init__.py", "");
    assert!(again());
    fs::set_permissions(place.path("demo/src/demo/__init__.py"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(!again());
}

/// hatchling reads the nearest `.gitignore`, and poetry-core asks git.
#[test]
fn a_static_project_is_built_when_other_files_are_ignored() {
    let hatchling = DEMO.replacen("uv_build", "hatchling", 1).replace("uv_build", "hatchling.build");
    let poetry = DEMO.replacen("uv_build", "poetry-core", 1).replace("uv_build", "poetry.core.masonry.api");
    for (project, excludes) in
        [(&hatchling, "libs/.gitignore"), (&poetry, ".gitignore"), (&poetry, ".git/info/exclude")]
    {
        let place = Place::new();
        place.write("libs/demo/pyproject.toml", project);
        place.write("libs/demo/src/demo/__init__.py", "");
        place.write("libs/demo/src/demo/made.json", "{}");
        let git = |arguments: &[&str]| git(place.folder.path(), arguments);
        git(&["init", "--quiet"]);
        place.lock(&["demo"], "[tool.uv.sources]\ndemo = { path = \"../libs/demo\" }\n");
        let without_builds = place.without_builds();
        succeed(&mut place.bundle("2.17", &[]));
        assert!(place.bundled().contains(&"demo/made.json".to_owned()), "{excludes}");
        place.write(excludes, "made.json\n");
        let again = place.bundle("2.17", &[]).env("PATH", &without_builds).output().unwrap();
        assert!(!again.status.success(), "{excludes}");
        succeed(&mut place.bundle("2.17", &[]));
        assert!(!place.bundled().contains(&"demo/made.json".to_owned()), "{excludes}");
        place.write("libs/demo/src/demo/__pycache__/a.cpython-312.pyc", "");
        succeed(place.bundle("2.17", &[]).env("PATH", &without_builds));
    }
}

/// hatch-vcs writes the version into the project, so that its first build changes what the second one starts from.
#[test]
fn a_build_that_writes_into_the_project_is_repeated_once() {
    let place = Place::new();
    place.lock(&[], OWN_BACK_END);
    let writing = "    pathlib.Path(__file__).with_name(\"_version.py\").write_text(\"version = 1\")\n    name = ";
    place.write("app/backend.py", counting(&place, "app").replacen("    name = ", writing, 1));
    let builds = || {
        succeed(&mut place.bundle("2.17", &[]));
        fs::read_to_string(place.path("builds")).unwrap().lines().count()
    };
    assert_eq!((builds(), builds(), builds()), (1, 2, 2));
}

#[test]
fn a_back_end_that_compiles_is_held_to_the_target() {
    let place = Place::new();
    place.write("demo/setup.py", "from setuptools import Extension, setup\nsetup(name='demo', version='1.0', ext_modules=[Extension('demo', ['demo.c'])])\n");
    place.write("demo/demo.c", "int answer = 42;\n");
    place.lock(
        &["demo"],
        "[tool.uv.sources]\ndemo = { path = \"../demo\" }\n[[tool.uv.dependency-metadata]]\nname = \"demo\"\nversion = \"1.0\"\nrequires-dist = []\n",
    );
    succeed(&mut place.bundle("2.17", &[]));
    // A Python version that is not on `PATH`.
    let tools = place.path("tools");
    fs::create_dir(&tools).unwrap();
    symlink(repository().join("target/test-tools/bin/uv"), tools.join("uv")).unwrap();
    let path = format!("{}:/usr/bin:/bin", tools.display());
    let message = fail(place.bundle_for("3.15", machine().0, "2.17", &[]).env("PATH", path));
    for part in [
        "demo is not compatible with",
        "was built for cp3",
        "the target is cp315: no interpreter of Python 3.15 is installed",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn with_no_build_no_back_end_runs_not_even_for_dynamic_metadata() {
    let place = Place::new();
    place.lock(&[], "");
    place.write(
        "app/pyproject.toml",
        "[project]\nname = \"app\"\nrequires-python = \">=3.9\"\ndynamic = [\"version\", \"dependencies\"]\n\
         [build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n",
    );
    place.write("app/backend.py", BACK_END);
    let mut uv = Command::new("uv");
    uv.args(["lock", "--quiet", "--no-python-downloads", "--python", &place.python]).current_dir(place.path("app"));
    succeed(&mut uv);
    let plan = |arguments: &[&str]| {
        let _ = fs::remove_file(place.path("app/marker"));
        let mut plan = Command::new(env!("CARGO_BIN_EXE_pybundle"));
        plan.args(["plan", "--no-build-package", "other"]).args(arguments).current_dir(place.path("app"));
        // uv keeps the metadata of a directory that has not changed.
        plan.env("UV_NO_CACHE", "1");
        let output = plan.env("PYBUNDLE_CACHE_DIR", place.path("cache")).output().unwrap();
        (String::from_utf8(output.stderr).unwrap(), place.path("app/marker").exists())
    };
    let (said, has_run) = plan(&[]);
    assert!(has_run, "uv asks the back end, so that the test can see it: {said}");
    for arguments in [&["--no-build"][..], &["--no-build-package", "app"]] {
        let (said, has_run) = plan(arguments);
        assert!(said.contains("`uv lock --check` would run a build backend, which --no-build forbids"), "{said}");
        assert!(!has_run, "{arguments:?}: {said}");
    }
    fail(&mut place.bundle("2.17", &["--no-build"]));
    assert!(!place.path("app/marker").exists());
}

#[test]
fn targets_share_the_build_of_a_directory() {
    let place = Place::new();
    place.lock(&[], &format!("{OWN_BACK_END}\n{}", crate::targets(&place)));
    place.write("app/backend.py", counting(&place, "app"));
    succeed(&mut place.build_targets());
    assert_eq!(fs::read_to_string(place.path("builds")).unwrap(), "built\n");
}
