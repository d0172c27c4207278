//! Detects the tests of a project and how to run them.

use std::path::{Path, PathBuf};

use super::entry_points::DjangoProject;
use super::locked::{DetectedLock, required_name};
use crate::project::pyproject::PyprojectToml;

/// Names of groups and extras that usually contain the test runner, the likeliest first.
const GROUP_NAMES: [&str; 5] = ["test", "tests", "testing", "dev", "development"];

const TEST_DIRECTORIES: [&str; 2] = ["tests", "test"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestSuite {
    pub(crate) directory: String,
    /// The files that configure pytest, relative to the project.
    pub(super) configuration: Vec<String>,
    pub(super) dependencies: TestDependencies,
    pub(crate) command: Vec<String>,
}

/// What tests need in addition to the dependencies of production.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TestDependencies {
    Group(String),
    Extra(String),
    None,
}

/// Tests without a test runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingTestRunner {
    pub(super) directory: String,
}

impl TestSuite {
    /// Finds the tests of a project; `None` if it has no directory of tests.
    pub(super) fn find(
        directory: &Path,
        pyproject: &PyprojectToml,
        lock: &DetectedLock,
        django: Option<&DjangoProject>,
    ) -> Option<Result<Self, MissingTestRunner>> {
        let tests = TEST_DIRECTORIES.into_iter().find(|name| has_module(&directory.join(name)))?.to_owned();
        let dependencies =
            if lock.contains("pytest") { Some(TestDependencies::None) } else { pytest_dependencies(pyproject) };
        Some(match (dependencies, django.and_then(|django| django.manage.as_deref())) {
            (Some(dependencies), _) => Ok(Self {
                // pytest's cache would be written to a directory that the image's user cannot write to.
                command: ["python", "-m", "pytest", "-p", "no:cacheprovider", &tests].map(str::to_owned).to_vec(),
                configuration: pytest_configuration(directory, pyproject),
                directory: tests,
                dependencies,
            }),
            (None, Some(manage)) => Ok(Self {
                command: ["python", manage, "test"].map(str::to_owned).to_vec(),
                configuration: Vec::new(),
                directory: tests,
                dependencies: TestDependencies::None,
            }),
            (None, None) => Err(MissingTestRunner { directory: tests }),
        })
    }
}

/// Returns whether there is a module in a directory or in one of its subdirectories.
fn has_module(directory: &Path) -> bool {
    entries(directory).any(|path| is_module(&path) || path.is_dir() && entries(&path).any(|path| is_module(&path)))
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

/// Returns the files outside the directory of tests that configure pytest.
fn pytest_configuration(directory: &Path, pyproject: &PyprojectToml) -> Vec<String> {
    let is_in_pyproject = pyproject.table().get("tool").is_some_and(|tool| tool.get("pytest").is_some());
    let candidates = [("pytest.ini", true), ("pyproject.toml", is_in_pyproject), ("conftest.py", true)];
    let existing = candidates.into_iter().filter(|(name, counts)| *counts && directory.join(name).is_file());
    existing.map(|(name, _)| name.to_owned()).collect()
}

/// Returns the group or the extra that contains pytest.
fn pytest_dependencies(pyproject: &PyprojectToml) -> Option<TestDependencies> {
    pytest_group(pyproject.table())
        .map(TestDependencies::Group)
        .or_else(|| pytest_extra(pyproject.table()).map(TestDependencies::Extra))
}

/// Returns the dependency group (PEP 735, or Poetry's) that contains pytest. uv and Poetry both call the group of their
/// older `dev-dependencies` keys `dev`.
fn pytest_group(table: &toml::Table) -> Option<String> {
    let uv = table.get("tool").and_then(|tool| tool.get("uv"));
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
    let groups = table.get("dependency-groups").and_then(toml::Value::as_table);
    let poetry_groups = poetry.and_then(|poetry| poetry.get("group")).and_then(toml::Value::as_table);
    let all: Vec<&String> = [groups, poetry_groups].into_iter().flatten().flat_map(toml::Table::keys).collect();
    let usual = GROUP_NAMES.into_iter().filter_map(|name| all.iter().copied().find(|known| *known == name));
    let group = usual.chain(all.iter().copied()).find(|name| {
        groups.is_some_and(|groups| has_pytest(groups, name, &mut Vec::new()))
            || poetry_groups.is_some_and(|groups| poetry_group_has_pytest(groups, name))
    });
    let is_in_dev_dependencies = lists_pytest(uv.and_then(|uv| uv.get("dev-dependencies")))
        || poetry.is_some_and(|poetry| table_has_pytest(poetry.get("dev-dependencies")));
    group.cloned().or_else(|| is_in_dev_dependencies.then(|| "dev".to_owned()))
}

fn poetry_group_has_pytest(groups: &toml::Table, name: &str) -> bool {
    table_has_pytest(groups.get(name).and_then(|group| group.get("dependencies")))
}

fn table_has_pytest(dependencies: Option<&toml::Value>) -> bool {
    dependencies.is_some_and(|dependencies| dependencies.get("pytest").is_some())
}

fn pytest_extra(table: &toml::Table) -> Option<String> {
    let extras = table.get("project")?.get("optional-dependencies")?.as_table()?;
    let usual = GROUP_NAMES.into_iter().filter(|name| extras.contains_key(*name));
    let mut names = usual.chain(extras.keys().map(String::as_str));
    names.find(|name| lists_pytest(extras.get(*name))).map(str::to_owned)
}

/// Returns whether a dependency group contains pytest, directly or through a group that it includes.
fn has_pytest<'a>(groups: &'a toml::Table, name: &'a str, seen: &mut Vec<&'a str>) -> bool {
    if seen.contains(&name) {
        return false;
    }
    seen.push(name);
    let Some(items) = groups.get(name).and_then(toml::Value::as_array) else { return false };
    let mut included = items.iter().filter_map(|item| item.get("include-group").and_then(toml::Value::as_str));
    lists_pytest(groups.get(name)) || included.any(|included| has_pytest(groups, included, seen))
}

fn lists_pytest(requirements: Option<&toml::Value>) -> bool {
    let requirements = requirements.and_then(toml::Value::as_array).into_iter().flatten();
    let mut names = requirements.filter_map(toml::Value::as_str).filter_map(required_name);
    names.any(|name| name.as_str() == "pytest")
}
