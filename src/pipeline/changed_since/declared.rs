//! The tables of a pyproject.toml that a target depends on.

use std::collections::BTreeMap;

use toml::Table;

/// Tables of `[tool]` that do not affect a build: they configure linters, type checkers and test runners.
const CHECKERS: [&str; 18] = [
    "bandit",
    "basedpyright",
    "black",
    "codespell",
    "commitizen",
    "coverage",
    "deptry",
    "flake8",
    "isort",
    "mypy",
    "nox",
    "pylint",
    "pyright",
    "pytest",
    "ruff",
    "tox",
    "ty",
    "vulture",
];

/// Keys of `[tool.uv]` that only affect locking: their result is in the lock.
const LOCKED: [&str; 12] = [
    "workspace",
    "dev-dependencies",
    "constraint-dependencies",
    "override-dependencies",
    "exclude-dependencies",
    "default-groups",
    "conflicts",
    "environments",
    "required-environments",
    "resolution",
    "prerelease",
    "fork-strategy",
];

/// Returns the tables that count for a project that is not built into a wheel.
pub(super) fn of_project(table: &Table) -> BTreeMap<String, Table> {
    relevant(table, |tool| matches!(tool, "poetry" | "uv"), &["sources"])
}

/// Returns the tables that count for a project that is built into a wheel: its build backend may read any table but
/// those of checkers.
pub(super) fn of_built(table: &Table) -> BTreeMap<String, Table> {
    relevant(table, |tool| tool != "pybundle" && !CHECKERS.contains(&tool), &[])
}

/// Returns the tables of a workspace's root that count for its members.
pub(super) fn of_root(table: &Table) -> BTreeMap<String, Table> {
    let mut tables = relevant(table, |tool| tool == "uv", &["sources"]);
    tables.retain(|name, _| name.starts_with("tool."));
    tables
}

fn relevant(table: &Table, is_relevant: fn(&str) -> bool, locked: &[&str]) -> BTreeMap<String, Table> {
    let own = ["project", "build-system"].into_iter().filter_map(|name| Some((name.to_owned(), table.get(name)?)));
    let tools = table.get("tool").and_then(toml::Value::as_table).into_iter().flatten();
    let tools = tools.filter(|(tool, _)| is_relevant(tool)).map(|(tool, value)| (format!("tool.{tool}"), value));
    let mut tables: BTreeMap<String, Table> =
        own.chain(tools).filter_map(|(name, value)| Some((name, value.as_table()?.clone()))).collect();
    if let Some(uv) = tables.get_mut("tool.uv") {
        uv.retain(|key, _| !LOCKED.contains(&key) && !locked.contains(&key));
    }
    tables.retain(|_, table| !table.is_empty());
    tables
}
