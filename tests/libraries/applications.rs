//! Applications with real distributions that pass the audit, and one that is known to miss a library.

use crate::support::bases;
use crate::support::command::{fail, pybundle};
use crate::support::sample::is_tried;
use crate::support::uv::Project;

/// An application: its version of Python, its architecture and its requirements.
type Application = (&'static str, &'static str, &'static [&'static str]);

/// Up to Python 3.11 the runtimes are based on Amazon Linux 2, which has older libraries; the others on Amazon Linux 2023.
const APPLICATIONS: [Application; 21] = [
    ("3.9", "x86_64", &["uvloop==0.23.0"]),
    ("3.9", "arm64", &["sqlalchemy==2.0.58"]),
    ("3.10", "x86_64", &["pydantic==2.11.7"]),
    ("3.10", "arm64", &["orjson==3.13.0", "msgpack==1.2.4", "rpds-py==0.30.0"]),
    ("3.11", "x86_64", &["aiohttp==3.14.5", "httptools==0.9.0"]),
    ("3.11", "arm64", &["psycopg[binary]==3.2.10"]),
    ("3.11", "x86_64", &["cryptography==50.0.2", "bcrypt==5.0.0"]),
    ("3.12", "x86_64", &["numpy==2.5.5", "pandas==3.1.1"]),
    ("3.12", "arm64", &["numpy==2.5.5", "pandas==3.1.1"]),
    ("3.12", "x86_64", &["lxml==6.1.3"]),
    ("3.12", "x86_64", &["cryptography==50.0.2"]),
    ("3.12", "arm64", &["cryptography==50.0.2"]),
    ("3.12", "arm64", &["uvloop==0.23.0", "httptools==0.9.0"]),
    ("3.13", "x86_64", &["uvloop==0.23.0"]),
    ("3.13", "x86_64", &["greenlet==3.5.6", "markupsafe==3.0.3"]),
    ("3.13", "x86_64", &["pillow==13.0.0"]),
    ("3.13", "x86_64", &["grpcio==1.85.1"]),
    ("3.13", "arm64", &["regex==2026.11.15", "psutil==7.2.2", "pyyaml==6.0.3"]),
    ("3.13", "x86_64", &["tokenizers==0.23.3"]),
    ("3.13", "x86_64", &["soundfile==0.14.0", "cffi==2.1.1"]),
    ("3.13", "x86_64", &["shapely==2.2.0", "numpy==2.5.5"]),
];

/// Locks all applications in one project, each as a group.
fn project() -> Project {
    let groups = APPLICATIONS.iter().enumerate().map(|(position, (python, _, requirements))| {
        let marker = format!("python_version == '{python}'");
        let requirements: Vec<String> = requirements.iter().map(|one| format!("{one}; {marker}")).collect();
        format!("app{position} = {requirements:?}\n")
    });
    let project = Project::locked(&format!(
        "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n[dependency-groups]\n{}\
         [tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\n",
        groups.collect::<String>()
    ));
    project.write("app.py", b"def handler(event, context):\n    return event\n");
    project
}

/// Builds a group for a runtime, and returns whether that succeeded, and the messages.
fn build(project: &Project, group: &str, python: &str, architecture: &str) -> (bool, String) {
    let runtime = format!("python{python}");
    let mut command = pybundle(&["lambda", "--runtime", &runtime, "--arch", architecture, "--only-group", group, "-q"]);
    let output = command.arg("-o").arg(project.path().join("out.zip")).arg(project.path()).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn real_distributions_pass_the_audit() {
    let project = project();
    let tried = APPLICATIONS.iter().enumerate().filter(|(position, _)| is_tried(*position, 2));
    for (position, (python, architecture, requirements)) in tried {
        let (is_built, message) = build(&project, &format!("app{position}"), python, architecture);
        let of_libraries = message.lines().filter(|line| line.contains(".so")).collect::<Vec<_>>();
        assert!(is_built && of_libraries.is_empty(), "{requirements:?} for {python} on {architecture}: {message}");
    }
    // Two of them as an image, where libz.so.1 and others are in the base.
    for group in ["app7", "app9"] {
        let base = bases::slim();
        let mut command = pybundle(&["image", "--platform", bases::platform(), "--base", &base.argument(), "-q"]);
        command.args(["--python", &base.python, "--only-group", group, "-o"]);
        command.arg(format!("oci:{}", project.path().join("image").display()));
        let output = command.arg(project.path()).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && !message.contains(".so"), "{group}: {message}");
        std::fs::remove_dir_all(project.path().join("image")).unwrap();
    }
}

/// opencv-python is linked to libraries for windows, which servers do not have.
#[test]
fn opencv_python_misses_libgl_on_lambda() {
    let project = Project::locked(
        "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n\
         dependencies = [\"opencv-python==4.11.0.86\"]\n",
    );
    project.write("app.py", b"import cv2\n");
    let mut command = pybundle(&["lambda", "--runtime", "python3.12", "--arch", "arm64", "-o", "out.zip"]);
    let message = fail(command.current_dir(project.path()));
    for part in [
        "cv2/cv2.abi3.so",
        " needs libGL.so.1, which is neither in the artifact nor in python3.12 on arm64",
        " of opencv-python 4.11.0.86",
        "hint: replace opencv-python with opencv-python-headless",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert!(!project.path().join("out.zip").exists());
}
