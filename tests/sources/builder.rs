//! Local projects built with each of the common back ends.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use pybundle::builder::{BuildIndexes, BuildTool, WheelBuildError, WheelBuilder};
use pybundle::cache::Cache;
use pybundle::hints::Hints;
use pybundle::interpreter::InterpreterLocations;
use pybundle::platform::PythonVersion;
use tempfile::TempDir;

/// The paths and texts of a project's files.
type Project = &'static [(&'static str, &'static str)];

const MODULE: (&str, &str) = ("src/demo/__init__.py", "def handler(event, context):\n    return event\n");

/// A pyproject.toml for a back end.
macro_rules! pyproject {
    ($requires:literal, $back_end:literal) => {
        (
            "pyproject.toml",
            concat!(
                "[project]\nname = \"demo\"\nversion = \"1.0\"\ndescription = \"A demonstration\"\n",
                "requires-python = \">=3.9\"\nscripts = { demo = \"demo:handler\" }\n",
                "[build-system]\nrequires = [\"",
                $requires,
                "\"]\nbuild-backend = \"",
                $back_end,
                "\"\n",
            ),
        )
    };
}

const HATCHLING: Project = &[MODULE, pyproject!("hatchling", "hatchling.build")];
const UV: Project = &[MODULE, pyproject!("uv_build", "uv_build")];
const FLIT: Project = &[MODULE, pyproject!("flit_core", "flit_core.buildapi")];
const POETRY: Project = &[MODULE, pyproject!("poetry-core>=2", "poetry.core.masonry.api")];
/// With package data by MANIFEST.in, and the leftovers of an earlier build.
const SETUPTOOLS: Project = &[
    MODULE,
    pyproject!("setuptools", "setuptools.build_meta"),
    ("MANIFEST.in", "include src/demo/data.json\n"),
    ("src/demo/data.json", "{}\n"),
    ("build/lib/demo/stale.py", "stale = True\n"),
    ("src/demo.egg-info/SOURCES.txt", "src/demo/stale.py\n"),
];
/// A source distribution whose package data is in its list of files alone, as setuptools-scm makes them.
const SETUPTOOLS_SDIST: Project = &[
    MODULE,
    pyproject!("setuptools", "setuptools.build_meta"),
    ("PKG-INFO", "Metadata-Version: 2.4\nName: demo\nVersion: 1.0\n"),
    ("src/demo/data.json", "{}\n"),
    ("src/demo/unlisted.json", "{}\n"),
    ("src/demo.egg-info/SOURCES.txt", "src/demo/data.json\nsrc/demo/removed.json\n"),
];
const SETUP_PY: Project = &[
    ("demo.py", "def handler(event, context):\n    return event\n"),
    (
        "setup.py",
        "from setuptools import setup\nsetup(name='demo', version='1.0', py_modules=['demo'], scripts=['tool.sh'])\n",
    ),
    ("tool.sh", "#!/bin/sh\n"),
];

/// The files of the projects below, with each back end.
const PACKAGE: Project = &[MODULE, ("src/demo/data/prices.json", "{}\n")];

/// A pyproject.toml with a console script, an extra, and further tables.
macro_rules! declaring {
    ($($rest:literal),+) => {
        (
            "pyproject.toml",
            concat!(
                "[project]\nname = \"demo\"\nversion = \"1.0\"\ndescription = \"A demonstration\"\n",
                "scripts = { demo = \"demo:handler\" }\noptional-dependencies = { fast = [\"idna>=3.0\"] }\n",
                $($rest),+
            ),
        )
    };
}

/// A project with package data, a console script and an extra, for each back end.
const DECLARING: &[(&str, Project)] = &[
    ("uv_build", &[declaring!("[build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n")]),
    ("hatchling", &[declaring!("[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n")]),
    (
        "flit-core",
        &[declaring!("[build-system]\nrequires = [\"flit_core>=3.11\"]\nbuild-backend = \"flit_core.buildapi\"\n")],
    ),
    ("pdm-backend", &[declaring!("[build-system]\nrequires = [\"pdm-backend\"]\nbuild-backend = \"pdm.backend\"\n")]),
    (
        "poetry-core",
        &[(
            "pyproject.toml",
            "[tool.poetry]\nname = \"demo\"\nversion = \"1.0\"\ndescription = \"\"\nauthors = []\n\
             packages = [{ include = \"demo\", from = \"src\" }]\n\
             [tool.poetry.dependencies]\npython = \">=3.9\"\nidna = { version = \">=3.0\", optional = true }\n\
             [tool.poetry.extras]\nfast = [\"idna\"]\n[tool.poetry.scripts]\ndemo = \"demo:handler\"\n\
             [build-system]\nrequires = [\"poetry-core\"]\nbuild-backend = \"poetry.core.masonry.api\"\n",
        )],
    ),
    (
        "setuptools",
        &[declaring!(
            "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n",
            "[tool.setuptools.package-data]\ndemo = [\"data/*.json\"]\n"
        )],
    ),
    (
        "setup.cfg",
        &[
            ("setup.py", "from setuptools import setup\nsetup()\n"),
            (
                "setup.cfg",
                "[metadata]\nname = demo\nversion = 1.0\n[options]\npackage_dir =\n    =src\npackages = find:\n\
                 [options.packages.find]\nwhere = src\n[options.package_data]\ndemo = data/*.json\n\
                 [options.entry_points]\nconsole_scripts =\n    demo = demo:handler\n\
                 [options.extras_require]\nfast = idna>=3.0\n",
            ),
        ],
    ),
    (
        "setup.py with MANIFEST.in",
        &[
            (
                "setup.py",
                "from setuptools import find_packages, setup\nsetup(name='demo', version='1.0', package_dir={'': 'src'}, \
                 packages=find_packages('src'), include_package_data=True, extras_require={'fast': ['idna>=3.0']}, \
                 entry_points={'console_scripts': ['demo = demo:handler']})\n",
            ),
            ("MANIFEST.in", "recursive-include src/demo/data *.json\n"),
        ],
    ),
];

/// Writes the files of a project with the given mode and age in seconds.
fn write(project: Project, folder: &Path, mode: u32, age: u64) {
    for (path, text) in project {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let time = SystemTime::now() - Duration::from_secs(age);
        fs::File::options().read(true).open(&path).unwrap().set_modified(time).unwrap();
    }
}

/// Returns every path below a directory.
fn listing(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            paths.push(path);
        }
    }
    paths.sort();
    paths
}

/// Returns the text of each file in a wheel.
fn files(wheel: &Path) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(fs::File::open(wheel).unwrap()).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(entry.name().unwrap().into_owned(), text);
    }
    files
}

fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap()
}

/// A Python version that is not installed, so that any interpreter is used.
const UNKNOWN: PythonVersion = PythonVersion::new(99);

/// Finds a builder on a search path alone.
fn find(search_path: Option<OsString>, python: PythonVersion) -> Result<WheelBuilder, WheelBuildError> {
    let folder = tempfile::tempdir().unwrap();
    let locations = InterpreterLocations { search_path, ..InterpreterLocations::default() };
    WheelBuilder::find(&locations, python, &Cache::open(folder.path()).unwrap())
}

fn uv() -> WheelBuilder {
    let builder = find(Some(search_path()), UNKNOWN).unwrap();
    assert!(matches!(builder.tool, BuildTool::Uv(_)), "uv is on the path: {:?}", builder.tool);
    builder
}

/// Returns a builder that runs uv with umask 077.
fn uv_with_umask(folder: &Path) -> WheelBuilder {
    let BuildTool::Uv(uv) = uv().tool else { panic!("it is uv") };
    let script = folder.join("uv");
    fs::write(&script, format!("#!/bin/sh\numask 077\nexec '{}' \"$@\"\n", uv.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    WheelBuilder { tool: BuildTool::Uv(script), ..self::uv() }
}

/// Builds a project twice, from directories with different names, modes and times; checks that nothing was written into
/// the project.
fn build_twice([first, second]: [&WheelBuilder; 2], project: Project) -> (TempDir, [PathBuf; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let build = |builder: &WheelBuilder, name: &str, mode: u32, age: u64| {
        let source = folder.path().join(name);
        let output = folder.path().join(format!("output of {name}"));
        fs::create_dir(&output).unwrap();
        write(project, &source, mode, age);
        let before = listing(&source);
        let wheel = builder.build_wheel(&source, &output).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(listing(&source), before, "the build leaves nothing in the project");
        assert_eq!(listing(&output), std::slice::from_ref(&wheel), "the build leaves nothing but the wheel");
        wheel
    };
    let wheels = [build(first, "one", 0o600, 100_000_000), build(second, "another folder", 0o644, 0)];
    (folder, wheels)
}

#[test]
fn back_ends_build_equal_wheels() {
    let folder = tempfile::tempdir().unwrap();
    for project in [UV, HATCHLING, FLIT, POETRY] {
        let (_built, [one, other]) = build_twice([&uv(), &uv_with_umask(folder.path())], project);
        assert_eq!(one.file_name().unwrap(), "demo-1.0-py3-none-any.whl");
        assert!(files(&one).contains_key("demo/__init__.py"));
        assert!(fs::read(&one).unwrap() == fs::read(&other).unwrap(), "{project:?}");
    }
}

/// setuptools copies the permissions of files into the wheel; everything else is equal.
#[test]
fn setuptools_ignores_earlier_builds() {
    let folder = tempfile::tempdir().unwrap();
    let (_built, [one, other]) = build_twice([&uv(), &uv_with_umask(folder.path())], SETUPTOOLS);
    let wheel = files(&one);
    assert_eq!(wheel, files(&other));
    let modules: Vec<&str> = wheel.keys().map(String::as_str).filter(|path| path.starts_with("demo/")).collect();
    assert_eq!(modules, ["demo/__init__.py", "demo/data.json"]);
}

#[test]
fn setuptools_reads_the_list_of_files_of_a_source_distribution() {
    let (_built, [one, other]) = build_twice([&uv(), &uv()], SETUPTOOLS_SDIST);
    let wheel = files(&one);
    assert_eq!(wheel, files(&other));
    let modules: Vec<&str> = wheel.keys().map(String::as_str).filter(|path| path.starts_with("demo/")).collect();
    assert_eq!(modules, ["demo/__init__.py", "demo/data.json"]);
}

#[test]
fn a_setup_script_is_enough() {
    let (_folder, [one, other]) = build_twice([&uv(), &uv()], SETUP_PY);
    assert_eq!(files(&one), files(&other));
    assert!(files(&one).contains_key("demo.py") && files(&one).contains_key("demo-1.0.data/scripts/tool.sh"));
}

#[test]
fn without_uv_build_or_pip_builds() {
    let folder = tempfile::tempdir().unwrap();
    let (by_build, by_pip) = (folder.path().join("build"), folder.path().join("pip"));
    let run = |arguments: &[&str]| {
        assert!(Command::new("uv").args(arguments).current_dir(folder.path()).status().unwrap().success());
    };
    run(&["venv", "--quiet", "build"]);
    run(&["venv", "--quiet", "--seed", "pip"]);
    run(&["pip", "install", "--quiet", "--python", "build", "build"]);
    for (environment, project) in [(&by_build, HATCHLING), (&by_pip, SETUPTOOLS)] {
        let builder = find(Some(environment.join("bin").into()), UNKNOWN).unwrap();
        let python = environment.join("bin/python3");
        assert_eq!(
            builder.tool,
            if environment == &by_pip { BuildTool::Pip(python) } else { BuildTool::Build(python) }
        );
        let (_built, [one, by_uv]) = build_twice([&builder, &uv()], project);
        assert_eq!(files(&one), files(&by_uv), "uv's wheel is the same");
    }
}

#[test]
fn what_a_project_declares_is_in_its_wheel() {
    let folder = tempfile::tempdir().unwrap();
    let builder = uv();
    for (at, (name, project)) in DECLARING.iter().enumerate() {
        let source = folder.path().join(at.to_string());
        write(project, &source, 0o644, 0);
        write(PACKAGE, &source, 0o644, 0);
        let output = folder.path().join(format!("output-{at}"));
        fs::create_dir(&output).unwrap();
        let wheel = builder.build_wheel(&source, &output).unwrap_or_else(|error| panic!("{name}: {error}"));
        let files = files(&wheel);
        let info = |file: &str| &files[&format!("demo-1.0.dist-info/{file}")];
        assert!(files.contains_key("demo/__init__.py"), "{name}: {:?}", files.keys());
        assert_eq!(files.get("demo/data/prices.json").map(String::as_str), Some("{}\n"), "{name}");
        let scripts: String = info("entry_points.txt").split_whitespace().collect();
        // pdm-backend writes an empty section of GUI scripts.
        assert_eq!(scripts.trim_end_matches("[gui_scripts]"), "[console_scripts]demo=demo:handler", "{name}");
        let metadata = info("METADATA").replace("(>=3.0)", ">=3.0").replace(['"', '\''], "");
        assert!(metadata.contains("\nProvides-Extra: fast\n"), "{name}: {metadata}");
        let is_of_extra = |line: &str| line.starts_with("Requires-Dist: idna") && line.contains("extra == fast");
        assert!(metadata.lines().any(is_of_extra), "{name}: {metadata}");
    }
}

#[test]
fn the_back_end_runs_on_the_targets_python() {
    const TELLING: Project = &[(
        "setup.py",
        "import sys\nfrom setuptools import setup\nsetup(name='demo', version='1.0+py' + '.'.join(map(str, sys.version_info[:2])))\n",
    )];
    let listed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/interpreters"));
    let listed = listed.expect("run scripts/setup-tests");
    // The oldest, which is never selected by default.
    let (version, prefix) = listed.lines().next().unwrap().split_once(' ').unwrap();
    let folders = std::env::split_paths(&search_path()).collect::<Vec<_>>();
    let link = tempfile::tempdir().unwrap();
    let program = Path::new(prefix).join(format!("bin/python{version}"));
    std::os::unix::fs::symlink(program, link.path().join(format!("python{version}"))).unwrap();
    let path = std::env::join_paths([link.path().to_owned()].into_iter().chain(folders)).unwrap();
    // uv must search this path, not that of the test.
    let BuildTool::Uv(uv) = uv().tool else { panic!("it is uv") };
    let script = format!("#!/bin/sh\nPATH='{}' exec '{}' \"$@\"\n", path.display(), uv.display());
    fs::write(link.path().join("uv"), script).unwrap();
    fs::set_permissions(link.path().join("uv"), fs::Permissions::from_mode(0o755)).unwrap();
    let builder = find(Some(path), version.parse().unwrap()).unwrap();
    assert_eq!(builder.python.version.to_string(), version);
    assert!(builder.environment().contains(&format!("\n{version}.")), "{}", builder.environment());
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    write(TELLING, &project, 0o644, 0);
    let wheel = builder.build_wheel(&project, folder.path()).unwrap();
    assert!(wheel.to_str().unwrap().contains(&format!("demo-1.0+py{version}-")), "{wheel:?}");
}

/// As with pyenv's shims on the search path, which run another version unless the user chooses this one.
#[test]
fn an_interpreter_of_pyenv_builds() {
    let folder = tempfile::tempdir().unwrap();
    let (version, prefix) = crate::interpreter();
    let programs = folder.path().join(format!("versions/{version}.1/bin"));
    fs::create_dir_all(&programs).unwrap();
    let program = programs.join(format!("python{version}"));
    std::os::unix::fs::symlink(prefix.join(format!("bin/python{version}")), &program).unwrap();
    let shims = folder.path().join("shims");
    fs::create_dir(&shims).unwrap();
    std::os::unix::fs::symlink(crate::which("uv"), shims.join("uv")).unwrap();
    for name in ["python3", &format!("python{version}")] {
        fs::write(shims.join(name), "#!/bin/sh\necho version not set >&2\nexit 127\n").unwrap();
        fs::set_permissions(shims.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let pyenv = Some(folder.path().to_owned());
    let locations = InterpreterLocations { uv: None, search_path: Some(shims.into()), pyenv };
    let cache = Cache::open(&folder.path().join("cache")).unwrap();
    let builder = WheelBuilder::find(&locations, version.parse().unwrap(), &cache).unwrap();
    assert_eq!(builder.python.path, program);
    let project = folder.path().join("project");
    write(UV, &project, 0o644, 0);
    builder.build_wheel(&project, folder.path()).unwrap();
}

#[test]
fn failures_show_the_last_lines_and_no_secret() {
    const BROKEN: Project = &[(
        "setup.py",
        "import sys, time\nfor n in range(99): print(n, flush=True)\ntime.sleep(1)\nsys.exit('see https://user:hunter2@host/x')\n",
    )];
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    write(BROKEN, &project, 0o644, 0);
    let error = uv().build_wheel(&project, folder.path()).unwrap_err();
    let message = error.to_string();
    assert!(matches!(&error, WheelBuildError::Failed { status, .. } if status.starts_with("exit status")), "{message}");
    assert!(message.contains("see https://****@host/x") && !message.contains("hunter2"), "{message}");
    assert!(message.lines().count() < 60 && message.contains("build --wheel"), "{message}");
    assert_eq!(listing(folder.path()).len(), 2, "only the project is there");
    // Without pyproject.toml, there is nothing to change in it.
    assert_eq!(error.hints(), [""; 0]);
    write(&[("pyproject.toml", "")], &project, 0o644, 0);
    assert!(error.hints()[0].contains("tool.uv.package = false"));
}

/// A private index is passed to the tool only.
#[test]
fn indexes_are_passed_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    let print = "#!/bin/sh\n[ \"$1\" = build ] && { echo \"$UV_DEFAULT_INDEX|$UV_INDEX|$UV_FIND_LINKS\" >\"$0.out\"; exit 3; }\n";
    let program = folder.path().join("uv");
    fs::write(&program, print).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let url = |text: &str| text.parse().unwrap();
    let indexes = BuildIndexes {
        default: Some(url("https://user:hunter2@host/simple")),
        others: vec![url("https://a/simple"), url("https://b/simple")],
        find_links: vec![url("file:///with%20space/a,b")],
        of_uv: vec![("UV_INDEX_A_PASSWORD".to_owned(), "hunter2".to_owned())],
    };
    let builder = WheelBuilder { tool: BuildTool::Uv(program.clone()), indexes, ..uv() };
    let project = folder.path().join("project");
    write(SETUP_PY, &project, 0o644, 0);
    let error = builder.build_wheel(&project, folder.path()).unwrap_err();
    assert!(!format!("{error} {error:?} {builder:?}").contains("hunter2"));
    let told = fs::read_to_string(program.with_extension("out")).unwrap();
    assert_eq!(told, "https://user:hunter2@host/simple|https://a/simple https://b/simple|file:///with%20space/a%2Cb\n");
}

/// The uv settings of the bundled project apply to projects that are unpacked elsewhere.
#[test]
fn the_settings_of_the_bundled_project_apply() {
    const BUNDLED: Project = &[("pyproject.toml", "[tool.uv]\nbuild-constraint-dependencies = [\"hatchling<0\"]\n")];
    let folder = tempfile::tempdir().unwrap();
    let (bundled, project) = (folder.path().join("bundled"), folder.path().join("project"));
    write(BUNDLED, &bundled, 0o644, 0);
    write(HATCHLING, &project, 0o644, 0);
    let builder = WheelBuilder { settings: Some(bundled), ..uv() };
    let error = builder.build_wheel(&project, folder.path()).unwrap_err().to_string();
    assert!(error.contains("hatchling<0"), "{error}");
}

#[test]
fn missing_tools_and_files_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    for path in [None, Some(OsString::new()), Some(folder.path().into())] {
        let error = find(path, UNKNOWN).unwrap_err();
        assert!(matches!(error, WheelBuildError::NoTool) && error.hints()[0].contains("install uv"));
    }
    fs::write(folder.path().join("uv"), "no program").unwrap();
    assert!(matches!(find(Some(folder.path().into()), UNKNOWN), Err(WheelBuildError::NoTool)));
    let missing = uv().build_wheel(&folder.path().join("missing"), folder.path()).unwrap_err();
    assert!(matches!(missing, WheelBuildError::File(..)), "{missing}");

    const NO_BACK_END: Project = &[pyproject!("hatchling==0.0.0", "hatchling.build")];
    let project = folder.path().join("project");
    write(NO_BACK_END, &project, 0o644, 0);
    let offline = WheelBuilder { offline: true, ..uv() };
    let error = offline.build_wheel(&project, folder.path()).unwrap_err();
    assert!(error.hints()[0].contains("offline"), "{error}");
}
