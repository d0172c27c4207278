//! Locks that `uv export` and `uv pip compile` write for a project with every kind of source.

use std::process::Command;

use pybundle::lock::{Dependent, Lock, SelectionRequest};

use super::oracle::{Choices, packaging, pybundle, uv};
use crate::support::command::succeed;
use crate::support::uv::{Project, targets};

const PYTHONS: &[&str] = &["3.9", "3.12"];

const PYPROJECT: &str = r#"
    [project]
    name = "shop"
    version = "1.0"
    requires-python = ">=3.9"
    dependencies = [
        "flask==3.0.3",
        "numpy>=1.26,<3 ; python_version >= '3.10'",
        "counter",
        "stored",
        "tracked",
        "six @ https://files.pythonhosted.org/packages/d9/5a/e7c31adbe875f2abbb91bd84cf2dc52d792b5a01506781dbcf25c91daf11/six-1.16.0-py2.py3-none-any.whl",
        "docopt @ https://files.pythonhosted.org/packages/a2/55/8f8cab2afd404cf578136ef2cc5dfb50baa1761b68c9da1fb1e4eed343c9/docopt-0.6.2.tar.gz",
    ]
    [project.optional-dependencies]
    async = ["anyio==4.4.0"]
    [dependency-groups]
    dev = ["iniconfig"]
    [tool.uv.sources]
    counter = { workspace = true }
    stored = { path = "files/stored-1.0-py3-none-any.whl" }
    tracked = { git = "file://REPOSITORY", subdirectory = "sub" }
    [tool.uv.workspace]
    members = ["counter"]
    [build-system]
    requires = ["uv_build"]
    build-backend = "uv_build"
"#;

fn member(name: &str) -> String {
    format!(
        "[project]\nname = \"{name}\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n\
         [build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n"
    )
}

/// Creates the project, with its lock.
fn shop() -> Project {
    let project =
        Project::new(&[("counter/pyproject.toml", &member("counter")), ("git/sub/pyproject.toml", &member("tracked"))]);
    project.write("files/stored-1.0-py3-none-any.whl", &crate::support::wheel("stored", "1.0"));
    let repository = project.path().join("git");
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "."],
        &["-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "--quiet", "--message=one"],
    ] {
        succeed(Command::new("git").args(arguments).current_dir(&repository));
    }
    project.write("pyproject.toml", PYPROJECT.replace("REPOSITORY", &repository.display().to_string()).as_bytes());
    project.uv(&["lock"]);
    project
}

#[test]
fn exports_select_the_same_as_with_uv_and_packaging() {
    let project = shop();
    for arguments in [&[][..], &["--extra=async"], &["--group=dev"], &["--no-emit-project"]] {
        let export = ["export", "--quiet", "--frozen", "--no-default-groups", "--output-file=pylock.toml"];
        project.uv(&[&export[..], arguments].concat());
        for target in targets(PYTHONS) {
            let ours = pybundle(&project, "pylock.toml", &SelectionRequest::default(), &target).unwrap();
            let place = format!("{} on {:?}, {arguments:?}", target.name, target.architecture);
            assert_eq!(Ok(&ours), packaging(&project, "pylock.toml", &[], None, &target).as_ref(), "{place}");
            assert!(ours.keys().eq(&uv(&project, "pylock.toml", &[], &target)), "{place}");
            assert_eq!(ours.contains_key("shop"), !arguments.contains(&"--no-emit-project"), "{place}");
        }
    }
}

#[test]
fn every_kind_of_source_is_read() {
    let project = shop();
    project.uv(&["export", "--quiet", "--frozen", "--no-default-groups", "--output-file=pylock.toml"]);
    let target = targets(&["3.12"]).remove(0);
    let ours: Choices = pybundle(&project, "pylock.toml", &SelectionRequest::default(), &target).unwrap();
    let from = |name: &str| ours[name].1.as_str();
    assert_eq!(from("shop"), "folder .");
    assert_eq!(from("counter"), "folder counter");
    assert_eq!(from("stored"), "file stored-1.0-py3-none-any.whl");
    assert_eq!(from("six"), "file six-1.16.0-py2.py3-none-any.whl");
    assert_eq!(from("docopt"), "file docopt-0.6.2.tar.gz");
    assert!(from("tracked").starts_with("commit "), "{ours:?}");
    let lock = Lock::parse_pylock(&project.read("pylock.toml"), &project.path().join("pylock.toml")).unwrap();
    let select =
        |request: SelectionRequest| lock.select(&request, std::path::Path::new(""), &target).unwrap().distributions;
    let all = select(SelectionRequest::default());
    let roots = all.iter().filter(|pinned| pinned.required_by.contains(&Dependent::Root));
    assert!(roots.map(|pinned| pinned.name.as_str()).eq(["shop"]));
    let missing = |request: SelectionRequest| {
        let left: Vec<_> = select(request).into_iter().map(|pinned| pinned.name).collect();
        let names = all.iter().map(|pinned| &pinned.name).filter(|name| !left.contains(name));
        names.map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(missing(SelectionRequest { no_install_project: true, ..SelectionRequest::default() }), ["shop"]);
    // The repository is not a directory of the lock.
    assert_eq!(
        missing(SelectionRequest { no_install_workspace: true, ..SelectionRequest::default() }),
        ["counter", "shop"]
    );
    let packages = ["six".parse().unwrap()].into();
    assert_eq!(missing(SelectionRequest { no_install_packages: packages, ..SelectionRequest::default() }), ["six"]);
}

#[test]
fn compiled_locks_select_the_same_as_with_uv_and_packaging() {
    let project = Project::new(&[(
        "requirements.in",
        "httpx[http2]==0.27.0\nuvloop==0.21.0 ; sys_platform != 'win32'\npydantic==2.9.2\ntomli ; python_version < '3.11'\n",
    )]);
    project.uv(&[
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--python-version=3.9",
        "requirements.in",
        "-o",
        "pylock.api.toml",
    ]);
    for target in targets(PYTHONS) {
        let ours = pybundle(&project, "pylock.api.toml", &SelectionRequest::default(), &target).unwrap();
        let place = format!("{} on {:?}", target.name, target.architecture);
        assert_eq!(Ok(&ours), packaging(&project, "pylock.api.toml", &[], None, &target).as_ref(), "{place}");
        assert!(ours.keys().eq(&uv(&project, "pylock.api.toml", &[], &target)), "{place}");
    }
}
