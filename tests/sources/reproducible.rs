//! Builds of one source in different places, which give the same bytes.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use crate::Place;
use crate::command::succeed;

/// Returns the bytes of a file in a zip.
fn content(zip: &Path, name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(fs::File::open(zip).unwrap()).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Returns a command that builds with this umask.
fn with_umask(command: &Command, umask: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask \"$0\"; exec \"$@\"", umask]).arg(command.get_program()).args(command.get_args());
    shell.current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell
}

/// markupsafe compiles with `-g` where the interpreter was: the path of the sources, that of temporary object files and
/// that of the build's environment would be in its debug sections.
#[test]
fn an_extension_module_has_the_same_bytes_wherever_it_is_compiled() {
    let bundled = ["022", "077"].map(|umask| {
        let place = Place::new();
        place.lock(&["markupsafe==2.1.2"], "");
        let temporary = place.path(&format!("temporary files of {umask}"));
        fs::create_dir(&temporary).unwrap();
        let mut command = place.bundle("2.40", &["--no-binary-package=markupsafe", "--no-audit"]);
        command.env("TMPDIR", &temporary).env("UV_CACHE_DIR", place.path("uv"));
        succeed(&mut with_umask(&command, umask));
        // uv's locks are its own.
        let left = fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(left.filter(|name| !name.starts_with("uv-")).collect::<Vec<_>>(), Vec::<String>::new());
        let compiled = place.bundled().into_iter().find(|name| name.ends_with(".so")).unwrap();
        let module = content(&place.path("out.zip"), &compiled);
        let root = place.folder.path().to_str().unwrap().to_owned();
        assert!(!module.windows(root.len()).any(|bytes| bytes == root.as_bytes()), "it contains its path");
        fs::read(place.path("out.zip")).unwrap()
    });
    assert!(bundled[0] == bundled[1]);
}

/// As contourpy's build does, for its reports.
#[test]
fn a_build_that_records_where_it_ran_is_named() {
    const BACK_END: &str = r#"
import pathlib, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "app-1.0-py3-none-any.whl"
    files = {
        "app/__init__.py": "def handler(event, context):\n    return event\n",
        "app/config.py": f"build_dir = {str(pathlib.Path.cwd())!r}\n",
        "app-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: app\nVersion: 1.0\n",
        "app-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files["app-1.0.dist-info/RECORD"] = "".join(f"{file},,\n" for file in [*files, "app-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
    return name
"#;
    let place = Place::new();
    place.lock(&[], "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]");
    place.write("app/backend.py", BACK_END);
    let report = succeed(&mut place.bundle("2.17", &["--json"]));
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("the build of ")
            && warning.ends_with("/app records where it ran in app/config.py: it is not reproducible"),
        "{warning}"
    );
}

/// Another version of a back end builds the same wheel, unless the files differ.
#[test]
fn the_version_of_the_back_end_is_not_in_the_artifact() {
    const BACK_END: &str = r##"
import os, pathlib, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "app-1.0-py3-none-any.whl"
    files = {
        "app.py": "def handler(event, context):\n    return event\n",
        "app-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: app\nVersion: 1.0\n",
        "app-1.0.dist-info/WHEEL": f"Wheel-Version: 1.0\nGenerator: backend {os.environ['RELEASE']}\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "app-1.0.data/scripts/run": "#!python\nprint('running')\n",
    }
    files["app-1.0.dist-info/RECORD"] = "".join(f"{file},,\n" for file in [*files, "app-1.0.dist-info/RECORD"])
    compression = zipfile.ZIP_STORED if os.environ["RELEASE"] == "1.0" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w", compression) as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
    return name
"##;
    let place = Place::new();
    place.lock(&[], "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]");
    place.write("app/backend.py", BACK_END);
    let [one, other] = ["1.0", "2.0"].map(|release| {
        let kept = place.path(&format!("wheels-{release}"));
        let mut command = place.bundle("2.17", &["--wheel-dir", kept.to_str().unwrap()]);
        succeed(command.env("RELEASE", release));
        let wheel = fs::read(kept.join("app-1.0-py3-none-any.whl")).unwrap();
        (wheel, fs::read(place.path("out.zip")).unwrap())
    });
    assert!(one == other);
    let text = content(&place.path("wheels-1.0/app-1.0-py3-none-any.whl"), "app-1.0.dist-info/WHEEL");
    assert!(String::from_utf8(text).unwrap().contains("\nGenerator: backend\n"));
    // What was written again is still a wheel to uv.
    let environment = place.path("environment");
    succeed(Command::new("uv").args(["venv", "--quiet", "--no-python-downloads"]).arg(&environment));
    let wheel = place.path("wheels-1.0/app-1.0-py3-none-any.whl");
    succeed(Command::new("uv").args(["pip", "install", "--quiet", "--python"]).arg(&environment).arg(wheel));
    assert_eq!(succeed(&mut Command::new(environment.join("bin/run"))), "running\n");
}
