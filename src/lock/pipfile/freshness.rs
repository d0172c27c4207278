//! Whether a lock is up to date with its Pipfile (`--locked`).
//!
//! `_meta.hash` is the SHA-256 of the Pipfile's sources, Python and categories as JSON.

use toml::{Table, Value};

use super::document::DEFAULT;
use super::{DEV_PACKAGES, DEVELOP, PipfileLock};
use crate::lock::python_json::{COMPACT, Unserializable};
use crate::lock::{Freshness, LockError, PYPI};
use crate::name::DistributionName;

/// The tables of a Pipfile that are no categories, and the keys of the two categories whose tables have another name.
const NO_CATEGORIES: [&str; 8] =
    ["source", "packages", DEV_PACKAGES, "requires", "scripts", "pipfile", "pipenv", DEFAULT];

impl PipfileLock {
    /// Compares the lock with its Pipfile.
    pub(crate) fn check_locked(&self) -> Result<Freshness, LockError> {
        let Some(pipfile) = &self.pipfile else {
            return Ok(Freshness::Unknown(vec!["there is no Pipfile next to the lock".to_owned()]));
        };
        let Some(locked) = &self.hash else { return Err(self.outdated("the lock has no hash")) };
        // pipenv 2026.10 hashes normalized names, and 2023.12 the names as they are written. Each calls the locks of the other
        // outdated.
        for name in [normalized, str::to_owned] {
            match content(pipfile, name) {
                Ok(hash) if hash == *locked => return Ok(Freshness::Current),
                Ok(_) => {}
                Err(Unserializable) => {
                    let reason = "the Pipfile contains a date, which pipenv cannot hash";
                    return Ok(Freshness::Unknown(vec![reason.to_owned()]));
                }
            }
        }
        Err(self.outdated("its requirements, sources or Python have changed"))
    }

    fn outdated(&self, difference: &str) -> LockError {
        LockError::Outdated {
            path: self.path.clone(),
            project: "the Pipfile".to_owned(),
            differences: vec![difference.to_owned()],
        }
    }
}

/// Returns the hash of a Pipfile, with the names of its requirements as `name` returns them.
fn content(pipfile: &Table, name: fn(&str) -> String) -> Result<String, Unserializable> {
    let requires = pipfile.get("requires").cloned().unwrap_or_else(|| Value::Table(Table::new()));
    let sources = pipfile.get("source").cloned().unwrap_or_else(default_sources);
    let meta = Table::from_iter([("sources".to_owned(), sources), ("requires".to_owned(), requires)]);
    let mut hashed = Table::new();
    for key in pipfile.keys().filter(|key| !NO_CATEGORIES.contains(&key.as_str()) && *key != DEVELOP) {
        hashed.insert(key.clone(), category(pipfile, key, name));
    }
    hashed.insert("_meta".to_owned(), Value::Table(meta));
    hashed.insert(DEFAULT.to_owned(), category(pipfile, "packages", name));
    hashed.insert(DEVELOP.to_owned(), category(pipfile, DEV_PACKAGES, name));
    COMPACT.sha256(&hashed)
}

/// Returns the requirements of a category.
fn category(pipfile: &Table, key: &str, name: fn(&str) -> String) -> Value {
    let requirements = pipfile.get(key).and_then(Value::as_table).into_iter().flatten();
    Value::Table(requirements.map(|(key, value)| (name(key), value.clone())).collect())
}

/// Returns the sources that pipenv assumes for a Pipfile without any.
fn default_sources() -> Value {
    let source = [
        ("name".to_owned(), Value::String("pypi".to_owned())),
        ("url".to_owned(), Value::String(PYPI.to_owned())),
        ("verify_ssl".to_owned(), Value::Boolean(true)),
    ];
    Value::Array(vec![Value::Table(Table::from_iter(source))])
}

fn normalized(name: &str) -> String {
    name.parse::<DistributionName>().map_or_else(|_| name.to_owned(), |name| name.to_string())
}
