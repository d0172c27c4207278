//! The tests of a project, and what they run with.

use std::path::Path;

use super::entry_points::DjangoProject;
use super::locked::{DetectedLock, required_name};
use crate::project::pyproject::Pyproject;

/// Names of groups and extras that tests run with, the likeliest first.
const NAMES: [&str; 5] = ["test", "tests", "testing", "dev", "development"];

/// Names of directories that tests are in.
const DIRECTORIES: [&str; 2] = ["tests", "test"];

/// The tests of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestSuite {
    /// The directory that they are in.
    pub(crate) directory: String,
    /// What has to be there besides, relative to the project: what pytest is configured by.
    pub(crate) configuration: Vec<String>,
    /// What they run with.
    pub(crate) needs: TestDependencies,
    /// The command that runs them.
    pub(crate) command: Vec<String>,
}

/// What tests need that production does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TestDependencies {
    /// A dependency group.
    Group(String),
    /// An extra of the project.
    Extra(String),
    /// Nothing.
    Nothing,
}

/// Tests that nothing is there to run with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingTestRunner {
    /// The directory that they are in.
    pub(crate) directory: String,
}

impl TestSuite {
    /// Looks for tests; none if there is no directory of them.
    pub(crate) fn find(
        directory: &Path,
        pyproject: &Pyproject,
        locked: &DetectedLock,
        django: Option<&DjangoProject>,
    ) -> Option<Result<Self, MissingTestRunner>> {
        let tests = DIRECTORIES.into_iter().find(|name| has_module(&directory.join(name)))?.to_owned();
        let needs = if locked.contains("pytest") { Some(TestDependencies::Nothing) } else { needs(pyproject) };
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Some(match (needs, django.and_then(|django| django.manage.as_deref())) {
            (Some(needs), _) => Ok(Self {
                // The directory cannot be written to by the user that the image runs as.
                command: words(&["python", "-m", "pytest", "-p", "no:cacheprovider", &tests]),
                configuration: configuration(directory, pyproject),
                directory: tests,
                needs,
            }),
            (None, Some(manage)) => Ok(Self {
                command: words(&["python", manage, "test"]),
                configuration: Vec::new(),
                directory: tests,
                needs: TestDependencies::Nothing,
            }),
            (None, None) => Err(MissingTestRunner { directory: tests }),
        })
    }
}

/// Returns whether a directory has a module, in itself or in a directory in it.
fn has_module(directory: &Path) -> bool {
    let entries = |directory: &Path| std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_module = |path: &Path| path.extension().is_some_and(|extension| extension == "py");
    entries(directory).any(|entry| {
        let path = entry.path();
        is_module(&path) || path.is_dir() && entries(&path).any(|entry| is_module(&entry.path()))
    })
}

/// Returns the files that configure pytest: they lie beside the tests, not in them.
fn configuration(directory: &Path, pyproject: &Pyproject) -> Vec<String> {
    let is_in_pyproject = pyproject.table.get("tool").is_some_and(|tool| tool.get("pytest").is_some());
    let candidates = [("pytest.ini", true), ("pyproject.toml", is_in_pyproject), ("conftest.py", true)];
    let there = candidates.into_iter().filter(|(name, counts)| *counts && directory.join(name).is_file());
    there.map(|(name, _)| name.to_owned()).collect()
}

/// Returns the group or the extra that has pytest.
fn needs(pyproject: &Pyproject) -> Option<TestDependencies> {
    let table = &pyproject.table;
    let tool = |name: &str| table.get("tool").and_then(|tool| tool.get(name));
    let groups = table.get("dependency-groups").and_then(toml::Value::as_table);
    let poetry = tool("poetry").and_then(|poetry| poetry.get("group")).and_then(toml::Value::as_table);
    let extras = table.get("project").and_then(|project| project.get("optional-dependencies"));
    let in_group = |name: &str| groups.is_some_and(|groups| has_pytest(groups, name, &mut Vec::new()));
    let in_poetry = |name: &str| {
        let dependencies = poetry.and_then(|groups| groups.get(name)?.get("dependencies")?.as_table());
        dependencies.is_some_and(|dependencies| dependencies.contains_key("pytest"))
    };
    let names = |table: Option<&toml::Table>| -> Vec<String> {
        table.into_iter().flat_map(toml::Table::keys).cloned().collect()
    };
    let all = [names(groups), names(poetry)].concat();
    let usual = NAMES.iter().map(|&name| name.to_owned()).filter(|name| all.contains(name));
    let group = usual.chain(all.iter().cloned()).find(|name| in_group(name) || in_poetry(name));
    let is_older_dev = lists_pytest(tool("uv").and_then(|uv| uv.get("dev-dependencies")))
        || tool("poetry")
            .and_then(|poetry| poetry.get("dev-dependencies"))
            .is_some_and(|dependencies| dependencies.get("pytest").is_some());
    let extra = || {
        let extras = extras.and_then(toml::Value::as_table)?;
        let usual = NAMES.iter().map(|&name| name.to_owned()).filter(|name| extras.contains_key(name));
        usual.chain(extras.keys().cloned()).find(|name| lists_pytest(extras.get(name)))
    };
    group
        .or_else(|| is_older_dev.then(|| "dev".to_owned()))
        .map(TestDependencies::Group)
        .or_else(|| extra().map(TestDependencies::Extra))
}

/// Returns whether a dependency group has pytest, itself or by a group that it includes.
fn has_pytest<'a>(groups: &'a toml::Table, name: &'a str, seen: &mut Vec<&'a str>) -> bool {
    if seen.contains(&name) {
        return false;
    }
    seen.push(name);
    let included = |item: &'a toml::Value| item.get("include-group").and_then(toml::Value::as_str);
    let Some(items) = groups.get(name).and_then(toml::Value::as_array) else { return false };
    lists_pytest(groups.get(name))
        || items.iter().filter_map(included).any(|included| has_pytest(groups, included, seen))
}

fn lists_pytest(requirements: Option<&toml::Value>) -> bool {
    let requirements = requirements.and_then(toml::Value::as_array).into_iter().flatten();
    let mut names = requirements.filter_map(toml::Value::as_str).filter_map(required_name);
    names.any(|name| name.as_str() == "pytest")
}
