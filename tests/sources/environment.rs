//! The environment of build back ends and of git: they run code of others, and get no credentials that they do not need.

use std::fs;

use super::command::succeed;
use super::{Place, which};

/// A back end without requirements, which writes the names of its variables to a file.
const BACKEND: &str = r#"
import os, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with open(os.environ["NAMES_OF_BACKEND"], "w") as names:
        names.write("\n".join(os.environ))
    name = "app-1.0-py3-none-any.whl"
    files = {
        "app.py": "def handler(event, context):\n    return event\n",
        "app-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: app\nVersion: 1.0\n",
        "app-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files["app-1.0.dist-info/RECORD"] = "".join(f"{file},,\n" for file in [*files, "app-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
    return name
"#;

/// The variables with credentials: only uv needs some of them, and passes them on to the back end that it runs.
const CREDENTIALS: [(&str, bool); 8] = [
    ("DOCKER_AUTH_CONFIG", false),
    ("PYBUNDLE_REGISTRY_HOST_TLD_USERNAME", false),
    ("PYBUNDLE_REGISTRY_HOST_TLD_PASSWORD", false),
    ("POETRY_HTTP_BASIC_PRIVATE_PASSWORD", false),
    ("UV_PUBLISH_TOKEN", false),
    ("UV_INDEX_PRIVATE_USERNAME", true),
    ("UV_INDEX_PRIVATE_PASSWORD", true),
    ("UV_FIND_LINKS", true),
];

#[test]
fn credentials_are_not_inherited() {
    let place = Place::new();
    place.lock(&[], "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]");
    place.write("app/backend.py", BACKEND);
    // Git is asked about projects in a repository only.
    crate::git(&place.path("app"), &["init", "--quiet"]);
    let real = which("git");
    let git = place.program("git", &format!("env >>\"$NAMES_OF_GIT\"\nexec '{}' \"$@\"\n", real.display()));
    let mut command = place.bundle("2.34", &["--provenance"]);
    command.env("PATH", place.search_path(&[&git]));
    command.env("NAMES_OF_BACKEND", place.path("backend")).env("NAMES_OF_GIT", place.path("git"));
    let links = place.path("links");
    fs::create_dir(&links).unwrap();
    command.envs(CREDENTIALS.map(|(name, _)| (name, links.as_os_str())));
    succeed(&mut command);
    let backend = fs::read_to_string(place.path("backend")).unwrap();
    let git = fs::read_to_string(place.path("git")).unwrap();
    assert!(backend.lines().any(|name| name == "PATH") && git.lines().any(|line| line.starts_with("PATH=")));
    for (name, is_for_uv) in CREDENTIALS {
        assert_eq!(backend.lines().any(|known| known == name), is_for_uv, "{name}");
        assert!(!git.contains(name), "{name}");
    }
}

/// A file of the project could send it to an index.
#[test]
fn requirements_files_cannot_refer_to_logins_of_registries() {
    for variable in ["PYBUNDLE_REGISTRY_HOST_TLD_PASSWORD", "DOCKER_AUTH_CONFIG"] {
        let place = Place::new();
        place.write(
            "app/requirements.txt",
            format!("six @ http://127.0.0.1:1/${{{variable}}}/six-1.0-py3-none-any.whl\n"),
        );
        place.write("app/app.py", "def handler(event, context):\n    return event\n");
        let mut command = place.bundle("2.34", &["--no-deps"]);
        let output = command.env(variable, "hunter2").output().unwrap();
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && printed.contains(variable), "{printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
