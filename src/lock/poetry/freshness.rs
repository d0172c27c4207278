//! Whether a lock is still the lock of its project: `--locked`.
//!
//! A lock has a SHA-256 of what of pyproject.toml was locked, written as JSON. The parts that count, and what stands for
//! those that are missing, have grown with Poetry; each form is still the one that Poetry computes.

use std::path::Path;

use pep440_rs::Version;
use toml::{Table, Value};

use super::json::{self, Unserializable};
use super::{PYPROJECT, PoetryLock};
use crate::digest::Sha256;
use crate::lock::error::LockError;
use crate::lock::path::join;
use crate::lock::{Freshness, LocalProject};

/// The keys of `[project]` that count.
const PROJECT_KEYS: [&str; 3] = ["requires-python", "dependencies", "optional-dependencies"];

/// The keys of `tool.poetry` that count even if they are missing, unless there is something else that counts.
const LEGACY_KEYS: [&str; 4] = ["dependencies", "source", "extras", "dev-dependencies"];

/// The key of `tool.poetry` that counts only if it is there.
const GROUP_KEY: &str = "group";

/// The table of PEP 735.
const DEPENDENCY_GROUPS: &str = "dependency-groups";

/// The first version of Poetry for which [`DEPENDENCY_GROUPS`] counts.
const WITH_DEPENDENCY_GROUPS: [u64; 2] = [2, 3];

impl PoetryLock {
    /// Compares the lock with the project that it is of.
    ///
    /// # Errors
    ///
    /// [`LockError::Outdated`], if the lock is not the lock of the project any more.
    pub fn check_locked(&self, workspace: &[LocalProject]) -> Result<Freshness, LockError> {
        let own = join(Path::new(""), "");
        let Some(project) = workspace.iter().find(|project| join(&project.path, "") == own) else {
            return Ok(Freshness::Undecided(vec![format!("there is no {PYPROJECT} beside the lock")]));
        };
        let outdated = |difference: &str| {
            Err(LockError::Outdated {
                path: self.path.clone(),
                project: format!("the project `{}`", self.name()),
                differences: vec![difference.to_owned()],
            })
        };
        let Some(locked) = &self.metadata.content_hash else {
            return outdated("the lock has no content-hash");
        };
        let is_older = self.written_by.as_ref().is_some_and(|version| *version < Version::new(WITH_DEPENDENCY_GROUPS));
        let forms: &[bool] = if is_older { &[true, false] } else { &[true] };
        for &with_dependency_groups in forms {
            match content_hash(&project.table, with_dependency_groups) {
                Ok(hash) if hash == *locked => return Ok(Freshness::Current),
                Ok(_) => {}
                Err(Unserializable) => {
                    let reason = format!("a requirement of {PYPROJECT} has a date, which Poetry has no hash of");
                    return Ok(Freshness::Undecided(vec![reason]));
                }
            }
        }
        outdated("what is required has changed since the lock was written")
    }
}

/// Returns the hash of what of a pyproject.toml is locked.
fn content_hash(pyproject: &Table, with_dependency_groups: bool) -> Result<String, Unserializable> {
    let nothing = Table::new();
    let table = |table: Option<&Value>| table.and_then(Value::as_table).cloned().unwrap_or_default();
    let project = pyproject.get("project").and_then(Value::as_table).unwrap_or(&nothing);
    let poetry =
        pyproject.get("tool").and_then(|tool| tool.get("poetry")).and_then(Value::as_table).unwrap_or(&nothing);
    let groups = table(pyproject.get(DEPENDENCY_GROUPS).filter(|_| with_dependency_groups));
    let locked_project: Table =
        PROJECT_KEYS.into_iter().filter_map(|key| Some((key.to_owned(), project.get(key)?.clone()))).collect();
    let is_legacy = locked_project.is_empty() && groups.is_empty();
    let legacy = LEGACY_KEYS.into_iter().map(|key| (key, poetry.get(key)));
    let members = legacy.chain([(GROUP_KEY, poetry.get(GROUP_KEY))]);
    let members = members.filter(|(key, value)| value.is_some() || (is_legacy && *key != GROUP_KEY));
    let mut json = String::new();
    if is_legacy {
        json::write_object(members, &mut json)?;
    } else {
        let poetry: Table = members.filter_map(|(key, value)| Some((key.to_owned(), value?.clone()))).collect();
        let tool = Value::Table([("poetry".to_owned(), Value::Table(poetry))].into_iter().collect());
        let (project, groups) = (Value::Table(locked_project), Value::Table(groups));
        let is_filled = |value: &Value| value.as_table().is_some_and(|table| !table.is_empty());
        let members =
            [("project", &project), (DEPENDENCY_GROUPS, &groups)].into_iter().filter(|(_, table)| is_filled(table));
        json::write_object(members.chain([("tool", &tool)]).map(|(key, value)| (key, Some(value))), &mut json)?;
    }
    Ok(Sha256::of(json.as_bytes()).hex())
}
