//! Whether a lock is up to date with its project (`--locked`).
//!
//! A lock's `content_hash` is the SHA-256 of the relevant parts of pyproject.toml as JSON. Which parts are relevant has changed
//! between versions of PDM.

use toml::{Table, Value};

use super::{PYPROJECT, PdmLock};
use crate::lock::error::LockError;
use crate::lock::path::join;
use crate::lock::python_json::{SPACED, Unserializable};
use crate::lock::{Freshness, LocalProject};
use crate::name::GroupName;

/// Which parts a version of PDM hashes.
#[derive(Debug, Clone, Copy)]
enum HashedParts {
    /// PDM 2.20 and later: `[dependency-groups]`, too.
    Groups,
    /// PDM 2.18: the whole of `tool.pdm.resolution`.
    Resolution,
    /// PDM 2.15 and earlier.
    Overrides,
}

impl PdmLock {
    /// Compares the lock with its project; see [`Lock::check_locked`](crate::lock::Lock::check_locked).
    pub(crate) fn check_locked(&self, workspace: &[LocalProject]) -> Result<Freshness, LockError> {
        let own = join(std::path::Path::new(""), "");
        let Some(project) = workspace.iter().find(|project| join(&project.path, "") == own) else {
            return Ok(unknown(format!("no {PYPROJECT} next to the lock")));
        };
        if self.project.is_workspace {
            return Ok(unknown("the hash of a PDM workspace is not compared".to_owned()));
        }
        let Some(locked) = &self.metadata.content_hash else {
            return match self.metadata.lock_inputs {
                Some(_) => Ok(unknown("the lock has lock_inputs instead of a hash".to_owned())),
                None => Err(self.outdated("the lock has no content_hash")),
            };
        };
        for parts in [HashedParts::Groups, HashedParts::Resolution, HashedParts::Overrides] {
            match SPACED.sha256(&parts.of(&project.table)) {
                Ok(hash) if locked.strip_prefix("sha256:") == Some(&hash) => return Ok(Freshness::Current),
                Ok(_) => {}
                Err(Unserializable) => {
                    return Ok(unknown(format!("{PYPROJECT} contains a date, which PDM cannot hash")));
                }
            }
        }
        Err(self.outdated("its dependencies, groups, sources or requires-python have changed"))
    }

    fn outdated(&self, difference: &str) -> LockError {
        let name = self.project.name.as_ref().map(|name| format!("the project `{name}`"));
        LockError::Outdated {
            path: self.path.clone(),
            project: name.unwrap_or_else(|| "the project".to_owned()),
            differences: vec![difference.to_owned()],
        }
    }
}

fn unknown(reason: String) -> Freshness {
    Freshness::Unknown(vec![reason])
}

impl HashedParts {
    /// Returns the hashed parts of a pyproject.toml.
    fn of(self, pyproject: &Table) -> Table {
        let empty = Table::new();
        let project = pyproject.get("project").and_then(Value::as_table).unwrap_or(&empty);
        let pdm = pyproject.get("tool").and_then(|tool| tool.get("pdm")).and_then(Value::as_table).unwrap_or(&empty);
        let resolution = pdm.get("resolution").cloned().unwrap_or_else(empty_table);
        let (key, resolution) = match self {
            Self::Groups | Self::Resolution => ("resolution", resolution),
            Self::Overrides => ("overrides", resolution.get("overrides").cloned().unwrap_or_else(empty_table)),
        };
        let development = match self {
            Self::Groups => Value::Table(development_groups(pyproject, pdm)),
            Self::Resolution | Self::Overrides => pdm.get("dev-dependencies").cloned().unwrap_or_else(empty_table),
        };
        let parts = [
            ("sources", pdm.get("source").cloned().unwrap_or_else(empty_array)),
            ("dependencies", project.get("dependencies").cloned().unwrap_or_else(empty_array)),
            ("dev-dependencies", development),
            ("optional-dependencies", project.get("optional-dependencies").cloned().unwrap_or_else(empty_table)),
            (
                "requires-python",
                project.get("requires-python").cloned().unwrap_or_else(|| Value::String(String::new())),
            ),
            (key, resolution),
        ];
        parts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

fn empty_table() -> Value {
    Value::Table(Table::new())
}

fn empty_array() -> Value {
    Value::Array(Vec::new())
}

/// Returns the groups of `[dependency-groups]` by their normalized names, with what `tool.pdm.dev-dependencies` adds.
fn development_groups(pyproject: &Table, pdm: &Table) -> Table {
    let mut groups = Table::new();
    let tables = [pyproject.get("dependency-groups"), pdm.get("dev-dependencies")];
    for (name, entries) in tables.into_iter().flatten().filter_map(Value::as_table).flatten() {
        let name = name.parse::<GroupName>().map_or_else(|_| name.clone(), |name| name.to_string());
        let group = groups.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let (Value::Array(group), Value::Array(entries)) = (group, entries) {
            group.extend(entries.iter().cloned());
        }
    }
    groups
}
