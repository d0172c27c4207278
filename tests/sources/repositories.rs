//! Repositories on this machine, checked out with git.

use std::fs;
use std::path::Path;

use pybundle::cache::Cache;
use pybundle::hints::Hints;
use pybundle::lock::GitSource;
use pybundle::report::Silent;
use pybundle::repository::{Git, RepositoryError};

use crate::command::{fail, succeed};
use crate::{Place, git};

/// A project whose version is derived from the last git tag.
const PYPROJECT: &str = "[project]\nname = \"demo\"\ndynamic = [\"version\"]\n[build-system]\n\
     requires = [\"setuptools>=77\", \"setuptools-scm>=8\"]\nbuild-backend = \"setuptools.build_meta\"\n\
     [tool.setuptools_scm]\nroot = \"../..\"\n";

/// Creates a repository with a project in a subdirectory and a submodule; returns the last commit.
fn make_repository(place: &Place) -> String {
    let (folder, module) = (place.path("origin"), place.path("module"));
    place.write("module/data.txt", "from the submodule\n");
    place.write("origin/packages/demo/pyproject.toml", PYPROJECT);
    place.write("origin/packages/demo/demo.py", "");
    for folder in [&module, &folder] {
        git(folder, &["init", "--quiet"]);
        git(folder, &["add", "."]);
        git(folder, &["commit", "--quiet", "--message", "one"]);
    }
    git(&folder, &["tag", "v1.5"]);
    git(
        &folder,
        &["-c", "protocol.file.allow=always", "submodule", "add", "--quiet", "../module", "packages/demo/module"],
    );
    git(&folder, &["commit", "--quiet", "--message", "two"]);
    git(&folder, &["rev-parse", "HEAD"])
}

fn find_git(offline: bool) -> Git {
    Git::find(std::env::var_os("PATH").as_deref(), false, offline).unwrap()
}

fn at(url: &str, commit: &str) -> GitSource {
    GitSource { url: url.to_owned(), commit: commit.to_owned(), subdirectory: None, lfs: false }
}

fn url(folder: &Path) -> String {
    format!("file://{}", folder.display())
}

#[test]
fn a_subdirectory_of_a_commit_is_built_with_the_version_of_its_tag() {
    let place = Place::new();
    let commit = make_repository(&place);
    let reference = format!("demo @ git+{}@{commit}#subdirectory=packages/demo", url(&place.path("origin")));
    place.lock(&[&reference], "");
    succeed(&mut place.bundle("2.17", &[]));
    let info = place.bundled().into_iter().find(|path| path.ends_with(".dist-info/METADATA")).unwrap();
    assert!(info.starts_with("demo-1.5") || info.starts_with("demo-1.6.dev1"), "{info}");
    let first = fs::read(place.path("out.zip")).unwrap();

    // A cached wheel needs neither the repository nor a back end.
    fs::rename(place.path("origin"), place.path("gone")).unwrap();
    succeed(place.bundle("2.17", &["--offline", "--frozen"]).env("PATH", place.without_builds()));
    assert!(fs::read(place.path("out.zip")).unwrap() == first);
    // The cached clone is enough to build it again.
    fs::remove_dir_all(place.path("cache/v1/built")).unwrap();
    fs::rename(place.path("gone"), place.path("origin")).unwrap();
    succeed(&mut place.bundle("2.17", &["--offline"]));
    assert!(fs::read(place.path("out.zip")).unwrap() == first);
}

#[test]
fn a_commit_is_checked_out_with_its_submodules_and_tags() {
    let place = Place::new();
    let commit = make_repository(&place);
    let cache = Cache::open(&place.path("cache")).unwrap();
    let source = url(&place.path("origin"));
    find_git(false).check_out(&at(&source, &commit), &place.path("out"), &cache, &Silent).unwrap();
    assert_eq!(fs::read_to_string(place.path("out/packages/demo/module/data.txt")).unwrap(), "from the submodule\n");
    assert!(git(&place.path("out"), &["describe", "--tags"]).starts_with("v1.5-1-g"));

    // A commit that is on no branch any more is still cached.
    git(&place.path("origin"), &["reset", "--quiet", "--hard", "HEAD~1"]);
    find_git(true).check_out(&at(&source, &commit), &place.path("again"), &cache, &Silent).unwrap();

    let missing = at(&source, &"0".repeat(40));
    let error = find_git(false).check_out(&missing, &place.path("none"), &cache, &Silent).unwrap_err();
    assert!(matches!(error, RepositoryError::MissingCommit { .. }), "{error}");
    for commit in ["main", "--help", "0123456789abcdef", &"g".repeat(40)] {
        let error = find_git(false).check_out(&at(&source, commit), &place.path("none"), &cache, &Silent).unwrap_err();
        assert!(matches!(error, RepositoryError::InvalidCommit { .. }), "{error}");
    }
    assert!(!place.path("none").exists());
}

#[test]
fn credentials_stay_out_of_messages_and_of_the_clone() {
    let place = Place::new();
    let cache = Cache::open(&place.path("cache")).unwrap();
    let server = crate::http::Server::start();
    server.answer(
        "/demo.git/info/refs?service=git-upload-pack",
        [crate::http::Answer::status(404).for_login("user:hunter2")],
    );
    server.answer("/demo.git/info/refs", [crate::http::Answer::status(404).for_login("user:hunter2")]);
    let source = server.url("/demo.git").replace("http://", "http://user:hunter2@");
    let commit = "0123456789012345678901234567890123456789";
    for offline in [true, false] {
        let error = find_git(offline).check_out(&at(&source, commit), &place.path("out"), &cache, &Silent).unwrap_err();
        let message = format!("{error} {error:?} {:?}", error.hints());
        assert!(message.contains("/demo.git") && !message.contains("hunter2"), "{message}");
    }
    // git sends them when the server asks for them.
    let sent = ["/demo.git/info/refs?service=git-upload-pack", "/demo.git/info/refs"].map(|path| server.requests(path));
    let authorized =
        sent.iter().flatten().any(|request| request.header("authorization") == Some("Basic dXNlcjpodW50ZXIy"));
    assert!(authorized, "{sent:?}");
    let found = std::process::Command::new("grep").args(["-r", "hunter2"]).arg(place.path("cache")).status().unwrap();
    assert_eq!(found.code(), Some(1), "the cache holds the password");
}

#[test]
fn a_missing_git_is_reported() {
    let place = Place::new();
    let commit = make_repository(&place);
    let reference = format!("demo @ git+{}@{commit}#subdirectory=packages/demo", url(&place.path("origin")));
    let metadata = "[[tool.uv.dependency-metadata]]\nname = \"demo\"\nversion = \"1.5\"\nrequires-dist = []\n";
    place.lock(&[&reference], metadata);
    let uv = place.program("uv", &format!("exec '{}' \"$@\"\n", crate::which("uv").display()));
    let path = std::env::join_paths([uv, place.programs.clone()]).unwrap();
    let message = fail(place.bundle("2.17", &["--frozen"]).env("PATH", path));
    assert!(message.contains("git is not installed: it was not found on PATH"), "{message}");
}
