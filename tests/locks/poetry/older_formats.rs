//! Locks of older versions of Poetry, from `testdata/valid/poetry`.

use std::path::{Path, PathBuf};

use pybundle::lock::{AcceptedFiles, DistributionSource, Freshness, IndexQuery, LocalProject, Lock, QueriedIndexes};

use super::oracle::{Case, agree};
use super::project::Project;
use crate::support::command::repository;
use crate::support::uv::targets;

const PYTHONS: [&str; 3] = ["3.9", "3.10", "3.13"];

fn stored_project(name: &str) -> Project {
    let folder = repository().join("testdata/valid/poetry").join(name);
    let read = |file: &str| std::fs::read(folder.join(file)).unwrap();
    Project::new(&[("pyproject.toml", &read("pyproject.toml")), ("poetry.lock", &read("poetry.lock"))])
}

#[test]
fn version_2_0_by_poetry_1_8() {
    let project = stored_project("2.0");
    let cases = [
        Case::default(),
        Case::default().extra("database"),
        Case::default().extra("cache").group("dev"),
        Case::default().all_extras(),
        Case::default().group("docs"),
        Case::default().only_group("docs"),
    ];
    agree(&project, &cases, &["database", "cache", "db-all"], &PYTHONS);
    assert_eq!(project.check_locked().unwrap(), Freshness::Current);
}

#[test]
fn version_1_1_by_poetry_1_1() {
    let project = stored_project("1.1");
    let cases = [
        Case::default(),
        Case::default().extra("cache").group("dev"),
        Case::default().all_extras(),
        Case::default().only_group("dev"),
    ];
    agree(&project, &cases, &["database", "cache", "db-all"], &PYTHONS);
    assert_eq!(project.check_locked().unwrap(), Freshness::Current);
}

/// Returns the index query for the only distribution of a lock with these lines.
fn query(package: &str, metadata: &str) -> IndexQuery {
    let text = format!(
        "[[package]]\nname = 'foo'\nversion = '1.0'\npython-versions = '*'\n{package}\n\
         [metadata]\nlock-version = '1.0'\npython-versions = '*'\n{metadata}"
    );
    let table = "[tool.poetry]\npackage-mode = false\ndependencies = { foo = '1' }".parse().unwrap();
    let lock = Lock::parse_poetry(
        &text,
        Path::new("poetry.lock"),
        &LocalProject { path: PathBuf::new(), script: false, table, is_package: false },
    )
    .unwrap();
    let mut selection = lock.select(&Case::default().0, Path::new(""), &targets(&["3.12"])[0]).unwrap();
    let pinned = selection.distributions.iter_mut().find(|pinned| pinned.name.as_str() == "foo").unwrap();
    match std::mem::replace(&mut pinned.source, DistributionSource::Virtual(PathBuf::new())) {
        DistributionSource::Index(query) => query,
        other => panic!("{other:?}"),
    }
}

#[test]
fn hashes_are_found_in_every_version_of_the_format() {
    let hash = "ab".repeat(32);
    let file = format!("{{ file = 'foo-1.0.zip', hash = 'sha256:{hash}' }}");
    for (package, metadata) in
        [(format!("files = [{file}]"), String::new()), (String::new(), format!("[metadata.files]\nFoo = [{file}]"))]
    {
        let IndexQuery { accepted, indexes, .. } = query(&package, &metadata);
        assert!(matches!(&accepted, AcceptedFiles::Named(named) if named["foo-1.0.zip"].len() == 1), "{accepted:?}");
        assert_eq!(indexes, QueriedIndexes::Default);
    }
    let accepted = query("", &format!("[metadata.hashes]\nfoo = ['{hash}']")).accepted;
    assert_eq!(accepted, AcceptedFiles::Digests([format!("sha256:{hash}").parse().unwrap()].into()));
    assert_eq!(query("", "").accepted, AcceptedFiles::Any);
}
