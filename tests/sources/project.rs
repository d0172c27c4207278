//! `pyproject.toml`, good and bad, from `testdata/{valid,invalid}/pyproject`.

use std::fs;
use std::path::{Path, PathBuf};

use pybundle::project::ProjectError;
use pybundle::project::pyproject::PyprojectToml;
use pybundle::project::workspace::Workspace;

/// Returns the files in a directory of `testdata`, ordered by name.
fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// Reads a file as the `pyproject.toml` of a project without a workspace.
fn discover(case: &Path) -> Result<Workspace, ProjectError> {
    let project = tempfile::tempdir().unwrap();
    fs::copy(case, project.path().join("pyproject.toml")).unwrap();
    Workspace::discover(project.path(), &[])
}

#[test]
fn every_invalid_file_is_refused_with_its_reason() {
    let cases = cases("invalid/pyproject");
    assert!(cases.len() >= 40);
    for case in cases {
        // The first line contains a part of the message.
        let text = String::from_utf8_lossy(&fs::read(&case).unwrap()).into_owned();
        let expected = text.lines().next().and_then(|line| line.strip_prefix("# error: ")).unwrap();
        let error = discover(&case).expect_err(&case.display().to_string());
        let message = error.to_string();
        assert!(message.contains(expected), "{}: {message}", case.display());
        assert!(message.contains("pyproject.toml"), "{}: {message}", case.display());
        assert_eq!(message.lines().count(), 1, "{}: {message}", case.display());
        assert!(!message.contains("hunter2"), "{}: {message}", case.display());
    }
}

#[test]
fn every_valid_file_is_read() {
    let mut seen = Vec::new();
    for case in cases("valid/pyproject") {
        let workspace = discover(&case).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        let pyproject = &workspace.current().pyproject;
        let name = pyproject.name.as_ref().map_or("", |name| name.as_str()).to_owned();
        let version = pyproject.version.as_ref().map(ToString::to_string).unwrap_or_default();
        seen.push((case.file_stem().unwrap().to_str().unwrap().to_owned(), name, version, pyproject.is_package()));
    }
    let expected = [
        ("application", "application", "0.1.0", false),
        ("dynamic-version", "dynamic", "", true),
        ("package", "my-package", "1.2.3rc1", true),
        ("tools-only", "", "", false),
        ("virtual-root", "", "", false),
    ];
    assert_eq!(
        seen,
        expected.map(|(case, name, version, is_package)| (case.into(), name.into(), version.into(), is_package))
    );
}

#[test]
fn a_package_is_read_in_full() {
    let project = tempfile::tempdir().unwrap();
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/valid/pyproject/package.toml");
    fs::copy(case, project.path().join("pyproject.toml")).unwrap();
    let pyproject = PyprojectToml::read(project.path()).unwrap();
    assert_eq!(pyproject.directory(), project.path());
    assert_eq!(pyproject.requires_python.as_ref().unwrap().to_string(), ">=3.9, <4");
    assert_eq!(pyproject.scripts.get("run").map(String::as_str), Some("my_package:main"));
    assert_eq!(pyproject.table()["tool"]["ruff"]["line-length"].as_integer(), Some(120));
    let [index] = &pyproject.indexes()[..] else { panic!("there is one index") };
    assert_eq!((index.name.as_deref(), index.url.as_str()), (Some("internal"), "https://example.com/simple"));
    assert!(index.explicit && !index.default);
}
