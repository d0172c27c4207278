//! Values and where they are stated, and which of several statements counts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use toml::{Table, Value};

use super::TargetOptions;

/// Where a value is stated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValueSource {
    /// In a file.
    File {
        /// The pyproject.toml.
        path: PathBuf,
        /// The line of the key, from 1.
        line: usize,
        /// The table that it is in, by its keys.
        table: Vec<String>,
    },
    /// By an environment variable.
    Variable(&'static str),
    /// By a flag.
    Flag,
}

impl fmt::Display for ValueSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, table } => write!(formatter, "{}:{line} [{}]", path.display(), table.join(".")),
            Self::Variable(name) => write!(formatter, "the environment, {name}"),
            Self::Flag => formatter.write_str("the command line"),
        }
    }
}

/// A value, and where it is stated; several places if they add up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourcedValue {
    /// The value in the form of pyproject.toml.
    pub(crate) value: Value,
    /// Where it is stated, the nearest last.
    pub(crate) sources: Vec<ValueSource>,
}

/// Keys of which only the nearest counts, because the one contradicts the other.
const RIVALS: &[(&str, &str)] = &[
    ("locked", "frozen"),
    ("extra", "all-extras"),
    ("only-group", "group"),
    ("only-group", "extra"),
    ("only-group", "all-extras"),
    ("no-build", "no-binary"),
    ("resolve", "no-deps"),
    ("runtime", "profile"),
];

/// Keys whose values add up over what a target extends: what is in the artifact, and what is said of it.
const ADDED: &[&str] = &[
    "exclude",
    "extra",
    "group",
    "no-install-package",
    "allow-missing",
    "add-user",
    "env",
    "label",
    "annotation",
    "expose",
];

/// What a target does not take over from the one that it extends: where its artifact goes, and, because it is added to the
/// other's files and not stated again, what it includes.
const NOT_INHERITED: &[&str] = &["tag", "output", "layer", "push", "include"];

/// What flags say of the target that is built, and not of those that it extends.
const OF_THE_TARGET_ALONE: &[&str] = &[
    "exclude",
    "extra",
    "all-extras",
    "group",
    "only-group",
    "no-default-groups",
    "no-dev",
    "no-install-project",
    "no-install-workspace",
    "no-install-package",
];

/// The environment variables, uv's, that say the same as a key.
const VARIABLES: &[(&str, &[&str])] = &[
    ("index-url", &["UV_DEFAULT_INDEX", "UV_INDEX_URL"]),
    ("extra-index-url", &["UV_INDEX", "UV_EXTRA_INDEX_URL"]),
    ("find-links", &["UV_FIND_LINKS"]),
    ("no-index", &["UV_NO_INDEX"]),
    ("index-strategy", &["UV_INDEX_STRATEGY"]),
    ("exclude-newer", &["UV_EXCLUDE_NEWER"]),
    ("keyring-provider", &["UV_KEYRING_PROVIDER"]),
];

/// Values by their keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct OptionValues(pub(crate) BTreeMap<String, SourcedValue>);

/// Returns two keys of one place that contradict each other.
pub(super) fn contradiction(keys: &BTreeMap<String, SourcedValue>) -> Option<(&'static str, &'static str)> {
    let is_on = |key: &str| keys.get(key).is_some_and(|stated| stated.value != Value::Boolean(false));
    RIVALS.iter().copied().find(|(one, other)| is_on(one) && is_on(other))
}

impl OptionValues {
    /// Returns what flags state: a switch that is off and a list that is empty state nothing.
    ///
    /// # Errors
    /// A path is not UTF-8.
    pub(crate) fn of_flags(flags: &impl TargetOptions) -> Result<Self, toml::ser::Error> {
        let mut table = Table::try_from(flags)?;
        table.retain(|key, value| match value {
            Value::Boolean(on) => *on,
            // No words are a statement, too: there is no entrypoint then.
            Value::Array(values) => !values.is_empty() || matches!(key, "entrypoint" | "cmd"),
            Value::Table(values) => !values.is_empty(),
            _ => true,
        });
        if flags.common().contents.no_compile_bytecode {
            table.insert("compile-bytecode".to_owned(), Value::Boolean(false));
        }
        let stated =
            table.into_iter().map(|(key, value)| (key, SourcedValue { value, sources: vec![ValueSource::Flag] }));
        Ok(Self(stated.collect()))
    }

    /// Returns those that also hold for what a target extends.
    pub(super) fn of_extended(&self) -> Self {
        let is_own = |key: &str| OF_THE_TARGET_ALONE.contains(&key) || NOT_INHERITED.contains(&key);
        let others = self.0.iter().filter(|(key, _)| !is_own(key));
        Self(others.map(|(key, stated)| (key.clone(), stated.clone())).collect())
    }

    /// Returns the options that the values are.
    ///
    /// # Errors
    /// A value is not what its key takes.
    pub(super) fn options<O: TargetOptions>(&self) -> Result<O, toml::de::Error> {
        let table: Table = self.0.iter().map(|(key, stated)| (key.clone(), stated.value.clone())).collect();
        O::deserialize(Value::Table(table))
    }

    /// Takes what is stated nearer in the place of what contradicts it.
    pub(super) fn replace(&mut self, nearer: Self) {
        for (one, other) in RIVALS {
            for (near, far) in [(one, other), (other, one)] {
                if nearer.0.contains_key(*near) {
                    self.0.remove(*far);
                }
            }
        }
        self.0.extend(nearer.0);
    }

    /// Takes what a target states over what it extends.
    pub(super) fn extend(&mut self, mut nearer: Self) {
        NOT_INHERITED.iter().for_each(|key| drop(self.0.remove(*key)));
        for (key, near) in nearer.0.iter_mut().filter(|(key, _)| ADDED.contains(&key.as_str())) {
            let Some(far) = self.0.get(key) else { continue };
            near.value = match (&far.value, &near.value) {
                (Value::Array(far), Value::Array(near)) => {
                    let new = near.iter().filter(|value| !far.contains(value));
                    Value::Array(far.iter().chain(new).cloned().collect())
                }
                (Value::Table(far), Value::Table(near)) => {
                    let both = far.iter().chain(near);
                    Value::Table(both.map(|(key, value)| (key.clone(), value.clone())).collect())
                }
                _ => continue,
            };
            near.sources = far.sources.iter().chain(&near.sources).cloned().collect();
        }
        self.replace(nearer);
    }

    /// Leaves to the environment what it says something of: it is nearer than any file.
    pub(super) fn yield_to(&mut self, is_set: impl Fn(&str) -> bool) {
        for (key, variables) in VARIABLES {
            if variables.iter().any(|variable| is_set(variable)) {
                self.0.remove(*key);
            }
        }
    }
}

/// Returns what environment variables say of keys, for people.
pub(super) fn variables<'a>(
    is_set: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = (&'static str, &'static str)> + 'a {
    let all = VARIABLES.iter().flat_map(|(key, variables)| variables.iter().map(move |variable| (*key, *variable)));
    all.filter(move |(_, variable)| is_set(variable))
}
