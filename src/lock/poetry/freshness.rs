//! Whether a lock is up to date with its project (`--locked`).
//!
//! A lock's `content-hash` is the SHA-256 of the relevant parts of pyproject.toml as JSON. Which parts are relevant has changed
//! between versions of Poetry.

use std::path::Path;

use pep440_rs::Version;
use toml::{Table, Value};

use super::{PYPROJECT, PoetryLock};
use crate::digest::Sha256;
use crate::lock::error::LockError;
use crate::lock::path::join;
use crate::lock::python_json::{SPACED, Unserializable};
use crate::lock::{Freshness, LocalProject};

/// The keys of `[project]` that are hashed.
const PROJECT_KEYS: [&str; 3] = ["requires-python", "dependencies", "optional-dependencies"];

/// The keys of `tool.poetry` that are hashed. In projects without standard metadata, missing ones are hashed as null.
const LEGACY_KEYS: [&str; 4] = ["dependencies", "source", "extras", "dev-dependencies"];

/// The key of `tool.poetry` that is hashed only if it is present.
const GROUP_KEY: &str = "group";

const DEPENDENCY_GROUPS: &str = "dependency-groups";

/// The first version of Poetry that hashes [`DEPENDENCY_GROUPS`].
const WITH_DEPENDENCY_GROUPS: [u64; 2] = [2, 3];

impl PoetryLock {
    /// Compares the lock with its project; see [`Lock::check_locked`](crate::lock::Lock::check_locked).
    pub(crate) fn check_locked(&self, workspace: &[LocalProject]) -> Result<Freshness, LockError> {
        let own = join(Path::new(""), "");
        let Some(project) = workspace.iter().find(|project| join(&project.path, "") == own) else {
            return Ok(Freshness::Unknown(vec![format!("no {PYPROJECT} next to the lock")]));
        };
        let Some(locked) = &self.metadata.content_hash else {
            return Err(self.outdated("the lock has no content-hash"));
        };
        let is_older = self.written_by.as_ref().is_some_and(|version| *version < Version::new(WITH_DEPENDENCY_GROUPS));
        let variants: &[bool] = if is_older { &[true, false] } else { &[true] };
        for &with_dependency_groups in variants {
            match content_hash(&project.table, with_dependency_groups) {
                Ok(hash) if hash == *locked => return Ok(Freshness::Current),
                Ok(_) => {}
                Err(Unserializable) => {
                    let reason = format!("a requirement in {PYPROJECT} contains a date, which Poetry cannot hash");
                    return Ok(Freshness::Unknown(vec![reason]));
                }
            }
        }
        Err(self.outdated("its dependencies have changed"))
    }

    fn outdated(&self, difference: &str) -> LockError {
        LockError::Outdated {
            path: self.path.clone(),
            project: format!("the project `{}`", self.name()),
            differences: vec![difference.to_owned()],
        }
    }
}

/// Returns the content hash of a pyproject.toml.
fn content_hash(pyproject: &Table, with_dependency_groups: bool) -> Result<String, Unserializable> {
    let empty = Table::new();
    let project = pyproject.get("project").and_then(Value::as_table).unwrap_or(&empty);
    let poetry = pyproject.get("tool").and_then(|tool| tool.get("poetry")).and_then(Value::as_table).unwrap_or(&empty);
    let groups = pyproject.get(DEPENDENCY_GROUPS).filter(|_| with_dependency_groups).and_then(Value::as_table);
    let groups = groups.cloned().unwrap_or_default();
    let locked_project: Table =
        PROJECT_KEYS.into_iter().filter_map(|key| Some((key.to_owned(), project.get(key)?.clone()))).collect();
    let is_legacy = locked_project.is_empty() && groups.is_empty();
    let legacy = LEGACY_KEYS.into_iter().map(|key| (key, poetry.get(key)));
    let members = legacy.chain([(GROUP_KEY, poetry.get(GROUP_KEY))]);
    let members = members.filter(|(key, value)| value.is_some() || (is_legacy && *key != GROUP_KEY));
    let mut json = String::new();
    if is_legacy {
        SPACED.write_object(members, &mut json)?;
    } else {
        let poetry: Table = members.filter_map(|(key, value)| Some((key.to_owned(), value?.clone()))).collect();
        let tool = Value::Table([("poetry".to_owned(), Value::Table(poetry))].into_iter().collect());
        let tables = [("project", locked_project), (DEPENDENCY_GROUPS, groups)];
        let tables = tables.into_iter().filter(|(_, table)| !table.is_empty());
        let members: Vec<_> = tables.map(|(key, table)| (key, Value::Table(table))).chain([("tool", tool)]).collect();
        SPACED.write_object(members.iter().map(|(key, value)| (*key, Some(value))), &mut json)?;
    }
    Ok(Sha256::of(json.as_bytes()).hex())
}
