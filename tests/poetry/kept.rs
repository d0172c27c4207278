//! Locks that older versions of Poetry made, from `testdata/valid/poetry`.

use pybundle::lock::Freshness;

use crate::oracle::{Case, agree};
use crate::project::Project;
use crate::support::command::repository;

const PYTHONS: [&str; 3] = ["3.9", "3.10", "3.13"];

fn kept(name: &str) -> Project {
    let folder = repository().join("testdata/valid/poetry").join(name);
    let read = |file: &str| std::fs::read(folder.join(file)).unwrap();
    Project::new(&[("pyproject.toml", &read("pyproject.toml")), ("poetry.lock", &read("poetry.lock"))])
}

#[test]
fn version_2_0_by_poetry_1_8() {
    let project = kept("2.0");
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
    let project = kept("1.1");
    let cases = [
        Case::default(),
        Case::default().extra("cache").group("dev"),
        Case::default().all_extras(),
        Case::default().only_group("dev"),
    ];
    agree(&project, &cases, &["database", "cache", "db-all"], &PYTHONS);
    assert_eq!(project.check_locked().unwrap(), Freshness::Current);
}
