//! The values of options and where they are set, and which of several sources takes precedence.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use toml::{Table, Value};

use super::{TargetKind, TargetOptions, schema};
use crate::deploy::NamedLayer;
use crate::settings::IndexVariables;

/// Where a value is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValueSource {
    /// A key in a pyproject.toml.
    File {
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The keys that lead to the table.
        table: Vec<String>,
    },
    Variable(&'static str),
    Flag,
}

impl fmt::Display for ValueSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, table } => write!(formatter, "{}:{line} [{}]", path.display(), table.join(".")),
            Self::Variable(name) => write!(formatter, "environment variable {name}"),
            Self::Flag => formatter.write_str("the command line"),
        }
    }
}

/// A value with its sources: several where a target adds to what it extends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourcedValue {
    pub(crate) value: Value,
    /// The one that takes precedence last.
    pub(crate) sources: Vec<ValueSource>,
}

/// Keys that cannot be used together: the one that is set with higher precedence removes the other.
const CONFLICTS: &[(&str, &str)] = &[
    ("locked", "frozen"),
    ("extra", "all-extras"),
    ("only-group", "group"),
    ("only-group", "extra"),
    ("only-group", "all-extras"),
    ("no-build", "no-binary"),
    ("resolve", "no-deps"),
    ("runtime", "profile"),
];

/// Keys whose values a target adds to those of what it extends: the contents of the artifact and its metadata.
const ADDED: &[&str] = &[
    "exclude",
    "extra",
    "group",
    "no-install-package",
    "allow-missing",
    "accept-invalid",
    "add-user",
    "apt",
    "apt-allow-unconfigured",
    "env",
    "label",
    "annotation",
    "expose",
];

/// Keys that a target does not inherit from what it extends: where the artifact goes, and `include`, because its files are
/// added on top of the files of the extended target.
const NOT_INHERITED: &[&str] = &["tag", "output", "layer", "push", "include", "function", "layer-name"];

/// Keys whose flags apply to the target that is built, and not to those that it extends.
const TARGET_ONLY: &[&str] = &[
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

/// Flags that are no keys: a file of the project must not decide where the user's logins go unencrypted.
pub(super) const FLAGS_ONLY: &[&str] = &["insecure-registry"];

/// Keys of which an empty array is a value: no entrypoint, no command.
const EMPTY_IS_A_VALUE: &[&str] = &["entrypoint", "cmd"];

/// Values by key.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct OptionValues(pub(crate) BTreeMap<String, SourcedValue>);

/// Returns two keys of one table that cannot be used together.
pub(super) fn conflict(keys: &BTreeMap<String, SourcedValue>) -> Option<(&'static str, &'static str)> {
    CONFLICTS.iter().copied().find(|(one, other)| is_on(keys.get(*one)) && is_on(keys.get(*other)))
}

fn is_on(value: Option<&SourcedValue>) -> bool {
    value.is_some_and(|value| value.value != Value::Boolean(false))
}

impl OptionValues {
    /// Returns the values of flags. A switch that is off and an empty list are not set.
    ///
    /// # Errors
    /// A path is not UTF-8.
    pub(crate) fn of_flags(flags: &impl TargetOptions) -> Result<Self, toml::ser::Error> {
        let mut table = Table::try_from(flags)?;
        table.retain(|key, value| match value {
            Value::Boolean(on) => *on,
            Value::Array(values) => !values.is_empty() || EMPTY_IS_A_VALUE.contains(&key),
            Value::Table(values) => !values.is_empty(),
            _ => true,
        });
        if flags.common().contents.no_compile_bytecode {
            table.insert("compile-bytecode".to_owned(), Value::Boolean(false));
        }
        let values =
            table.into_iter().map(|(key, value)| (key, SourcedValue { value, sources: vec![ValueSource::Flag] }));
        Ok(Self(values.collect()))
    }

    /// Returns a key whose value is another one, wherever it is set.
    pub(super) fn differs_from(&self, other: &Self) -> Option<String> {
        let mut keys = self.0.keys().chain(other.0.keys());
        keys.find(|key| self.value(key) != other.value(key)).cloned()
    }

    /// Returns the script that is built.
    pub(super) fn script(&self) -> Option<PathBuf> {
        self.value("script")?.as_str().map(PathBuf::from)
    }

    /// Returns the names of the layers of a function.
    pub(super) fn layers(&self) -> Vec<String> {
        let names = self.value("layers").and_then(Value::as_array).into_iter().flatten();
        let named = names.filter_map(|name| name.as_str()?.parse().ok());
        let targets = named.filter_map(|layer| match layer {
            NamedLayer::Target(name) => Some(name),
            NamedLayer::Version(_) => None,
        });
        targets.collect()
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key).map(|value| &value.value)
    }

    /// Returns the values that also apply to what a target extends.
    pub(super) fn of_extended(&self) -> Self {
        let mut values = self.0.clone();
        values.retain(|key, _| !TARGET_ONLY.contains(&key.as_str()) && !NOT_INHERITED.contains(&key.as_str()));
        Self(values)
    }

    /// Returns the values that also apply to the layers of a function: its zips and its selection are its own.
    pub(super) fn of_layers(&self) -> Self {
        let mut values = self.of_extended();
        values.0.retain(|key, _| schema::knows(TargetKind::Layer, key));
        values
    }

    /// Returns the values as options.
    ///
    /// # Errors
    /// A value is invalid.
    pub(super) fn options<O: TargetOptions>(&self) -> Result<O, toml::de::Error> {
        let table: Table = self.0.iter().map(|(key, value)| (key.clone(), value.value.clone())).collect();
        O::deserialize(Value::Table(table))
    }

    /// Replaces values, and removes those that conflict with the new ones.
    pub(super) fn replace(&mut self, values: Self) {
        for (one, other) in CONFLICTS {
            for (set, removed) in [(one, other), (other, one)] {
                if values.0.contains_key(*set) {
                    self.0.remove(*removed);
                }
            }
        }
        self.0.extend(values.0);
    }

    /// Applies the values of a target to those of what it extends.
    pub(super) fn extend(&mut self, mut values: Self) {
        NOT_INHERITED.iter().for_each(|key| drop(self.0.remove(*key)));
        for (key, new) in values.0.iter_mut().filter(|(key, _)| ADDED.contains(&key.as_str())) {
            let Some(old) = self.0.get(key) else { continue };
            new.value = match (&old.value, &new.value) {
                (Value::Array(old), Value::Array(new)) => {
                    let added = new.iter().filter(|value| !old.contains(value));
                    Value::Array(old.iter().chain(added).cloned().collect())
                }
                (Value::Table(old), Value::Table(new)) => {
                    let both = old.iter().chain(new);
                    Value::Table(both.map(|(key, value)| (key.clone(), value.clone())).collect())
                }
                _ => continue,
            };
            new.sources = old.sources.iter().chain(&new.sources).cloned().collect();
        }
        self.replace(values);
    }

    /// Removes the keys that environment variables set, which take precedence over files.
    pub(super) fn remove_overridden(&mut self, environment: &IndexVariables) {
        for (key, variables) in IndexVariables::KEYS {
            if variables.iter().any(|variable| environment.get(variable).is_some()) {
                self.0.remove(key);
            }
        }
    }
}

/// Returns the environment variables that are set, each with its key.
pub(super) fn variables<'a>(
    is_set: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = (&'static str, &'static str)> + 'a {
    let all = IndexVariables::KEYS.into_iter().flat_map(|(key, names)| names.iter().map(move |name| (key, *name)));
    all.filter(move |(_, variable)| is_set(variable))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{Args, Command};

    use super::*;
    use crate::options::{ImageOptions, LambdaOptions};

    const KINDS: [TargetKind; 3] = TargetKind::ALL;

    fn is_key(key: &str) -> bool {
        KINDS.iter().any(|kind| schema::knows(*kind, key))
    }

    #[test]
    fn tables_name_keys_that_exist() {
        let variables = IndexVariables::KEYS.iter().map(|(key, _)| key);
        let single = [ADDED, NOT_INHERITED, TARGET_ONLY, EMPTY_IS_A_VALUE].into_iter().flatten().chain(variables);
        let unknown: Vec<_> = single.filter(|key| !is_key(key)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        for (one, other) in CONFLICTS {
            let together = KINDS.iter().any(|kind| schema::knows(*kind, one) && schema::knows(*kind, other));
            assert!(together, "no kind has both `{one}` and `{other}`");
        }
    }

    #[test]
    fn keys_that_add_up_are_lists_or_tables() {
        let schema = schema::schema();
        for key in ADDED.iter().chain(EMPTY_IS_A_VALUE) {
            let types = schema["properties"][*key]["type"].to_string();
            assert!(types.contains("array") || types.contains("object"), "{key}: {types}");
        }
    }

    #[test]
    fn keys_conflict_as_their_flags_do() {
        let commands =
            [LambdaOptions::augment_args(Command::new("lambda")), ImageOptions::augment_args(Command::new("image"))];
        let mut flags = BTreeSet::new();
        for command in &commands {
            for argument in command.get_arguments() {
                for other in command.get_arg_conflicts_with(argument) {
                    let mut pair = [argument, other].map(|argument| argument.get_long().unwrap_or_default());
                    pair.sort_unstable();
                    flags.insert(pair);
                }
            }
        }
        let keys = CONFLICTS.iter().map(|(one, other)| {
            let mut pair = [*one, *other];
            pair.sort_unstable();
            pair
        });
        assert_eq!(flags, keys.collect(), "the flags (left) and the keys (right) differ");
    }
}
