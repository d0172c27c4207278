//! Reads `[tool.pybundle]` of one file, and checks its keys and values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::configuration::ConfiguredTarget;
use super::error::counterpart;
use super::precedence::{FLAGS_ONLY, conflict};
use super::value_reason::reason;
use super::{
    ConfigurationError, ImageOptions, LambdaOptions, LayerOptions, OptionValues, SourcedValue, TARGET_NAME, TargetKind,
    TargetOptions, ValueSource, is_target_name, schema,
};
use crate::hints::{did_you_mean, nearest};
use crate::project::document::TomlDocument;
use crate::project::lines::KeyLines;
use crate::project::pyproject::FILENAME;

/// `[tool.pybundle]` of one file.
pub(super) struct ConfigurationFile {
    pub(crate) path: PathBuf,
    /// Relative paths in the file are relative to this directory.
    directory: PathBuf,
    table: Table,
    lines: KeyLines,
    targets: Option<(Value, usize)>,
}

impl ConfigurationFile {
    /// Reads `[tool.pybundle]` of the document of a file, which is named as in a directory.
    pub(crate) fn of(document: &TomlDocument, file: &Path, directory: &Path) -> Result<Self, ConfigurationError> {
        let path = directory.join(file.file_name().unwrap_or_default());
        let configured = document.table.get("tool").and_then(|tool| tool.get("pybundle"));
        let mut file = Self {
            path,
            directory: directory.to_owned(),
            table: Table::new(),
            lines: KeyLines::default(),
            targets: None,
        };
        let Some(configured) = configured else { return Ok(file) };
        let tool = document.lines.table("tool");
        let Value::Table(table) = configured else {
            return Err(file.value_error(tool.line("pybundle"), &["tool"], "pybundle", "expected a table"));
        };
        file.table = table.clone();
        file.lines = tool.table("pybundle");
        file.targets = file.table.remove("target").map(|targets| (targets, file.lines.line("target")));
        Ok(file)
    }

    /// Returns the values for every target of a kind.
    pub(crate) fn shared(&mut self) -> Result<BTreeMap<TargetKind, OptionValues>, ConfigurationError> {
        let table = std::mem::take(&mut self.table);
        let place = ["tool", "pybundle"];
        let mut shared = BTreeMap::from(TargetKind::ALL.map(|kind| (kind, OptionValues::default())));
        for (key, value) in &table {
            self.check_user(&self.lines, &place, key)?;
            let kinds: Vec<TargetKind> = TargetKind::ALL.into_iter().filter(|kind| schema::knows(*kind, key)).collect();
            if kinds.is_empty() {
                let known = TargetKind::ALL.into_iter().flat_map(schema::keys).chain(["target".to_owned()]);
                return Err(self.unknown(&self.lines, &place, key, known, (None, None)));
            }
            let mut error = None;
            let mut is_valid = false;
            for kind in kinds {
                match self.checked(&self.lines, &place, kind, key, value) {
                    Ok(value) => {
                        shared.entry(kind).or_default().0.insert(key.clone(), value);
                        is_valid = true;
                    }
                    Err(found) => error = Some(found),
                }
            }
            // A value that is valid for one kind is meant for that kind.
            if let Some(error) = error.filter(|_| !is_valid) {
                return Err(error);
            }
        }
        shared.values().try_for_each(|values| self.check_conflicts(&self.lines, &place, values))?;
        Ok(shared)
    }

    /// Returns the targets. Their kinds and what they extend are valid.
    pub(crate) fn targets(&mut self) -> Result<BTreeMap<String, ConfiguredTarget>, ConfigurationError> {
        let Some((targets, line)) = self.targets.take() else { return Ok(BTreeMap::new()) };
        let Value::Table(tables) = targets else {
            return Err(self.value_error(line, &["tool", "pybundle"], "target", "expected a table of targets by name"));
        };
        let lines = self.lines.table("target");
        let kinds = self.kinds(&tables, &lines)?;
        let mut targets = BTreeMap::new();
        for (name, table) in &tables {
            let place = ["tool", "pybundle", "target", name];
            let own = lines.table(name);
            let kind = kinds[name];
            let mut values = OptionValues::default();
            for (key, value) in table.as_table().into_iter().flatten() {
                if matches!(key.as_str(), "kind" | "extends") {
                    continue;
                }
                self.check_user(&own, &place, key)?;
                if key == "script" && table.get("extends").is_some() {
                    let reason = "a target has the script of the target that it extends";
                    return Err(self.value_error(own.line(key), &place, key, reason));
                }
                if !schema::knows(kind, key) {
                    let other = TargetKind::ALL.into_iter().find(|kind| schema::knows(*kind, key));
                    let known = schema::keys(kind).chain(["kind", "extends"].map(str::to_owned));
                    return Err(self.unknown(&own, &place, key, known, (Some(kind), other)));
                }
                values.0.insert(key.clone(), self.checked(&own, &place, kind, key, value)?);
            }
            self.check_conflicts(&own, &place, &values)?;
            if kind == TargetKind::Layer && table.get("extends").is_some() {
                let reason = "a layer cannot extend a target: set what it contains by `group` or `distributions`";
                return Err(self.value_error(own.line("extends"), &place, "extends", reason));
            }
            let extends = table.get("extends").and_then(Value::as_str).map(str::to_owned);
            targets.insert(name.clone(), ConfiguredTarget { kind, extends, values });
        }
        Ok(targets)
    }

    /// Returns the kind of each target: its own, or that of the target it extends.
    fn kinds(&self, tables: &Table, lines: &KeyLines) -> Result<BTreeMap<String, TargetKind>, ConfigurationError> {
        let mut kinds = BTreeMap::new();
        for (name, value) in tables {
            let line = lines.line(name);
            let all = ["tool", "pybundle", "target"];
            if !is_target_name(name) {
                return Err(self.value_error(line, &all, name, TARGET_NAME));
            }
            if !value.is_table() {
                return Err(self.value_error(line, &all, name, "expected a table"));
            }
            let mut seen = vec![name.as_str()];
            let mut declared = None;
            loop {
                let current = seen[seen.len() - 1];
                let place = ["tool", "pybundle", "target", current];
                let own = lines.table(current);
                if let Some(kind) = tables[current].get("kind") {
                    let kind = TargetKind::deserialize(kind.clone()).map_err(|_| {
                        let reason = reason("expected `lambda`, `layer` or `image`", kind);
                        self.value_error(own.line("kind"), &place, "kind", &reason)
                    })?;
                    if *declared.get_or_insert(kind) != kind {
                        let reason =
                            format!("its kind is `{}`, but it extends a target of another kind", kind_name(declared));
                        return Err(self.value_error(lines.line(name), &all, name, &reason));
                    }
                }
                let Some(extends) = tables[current].get("extends") else { break };
                let Some(next) = extends.as_str() else {
                    return Err(self.value_error(
                        own.line("extends"),
                        &place,
                        "extends",
                        "expected the name of a target",
                    ));
                };
                if seen.contains(&next) {
                    let (path, target) = (self.path.clone(), name.clone());
                    return Err(ConfigurationError::Cycle { path, line: own.line("extends"), target });
                }
                if !tables.get(next).is_some_and(Value::is_table) {
                    let near = nearest(next, tables.keys().map(String::as_str))
                        .map(|near| format!("; {}", did_you_mean(near)));
                    let reason = format!("unknown target `{next}`{}", near.unwrap_or_default());
                    return Err(self.value_error(own.line("extends"), &place, "extends", &reason));
                }
                seen.push(next);
            }
            let Some(kind) = declared else {
                return Err(self.value_error(
                    line,
                    &all,
                    name,
                    "missing kind = \"lambda\", kind = \"layer\" or kind = \"image\"",
                ));
            };
            kinds.insert(name.clone(), kind);
        }
        Ok(kinds)
    }

    /// Checks a value, and returns it as the options write it, with paths relative to the file's directory.
    fn checked(
        &self,
        lines: &KeyLines,
        place: &[&str],
        kind: TargetKind,
        key: &str,
        value: &Value,
    ) -> Result<SourcedValue, ConfigurationError> {
        let checked = match kind {
            TargetKind::Lambda => checked::<LambdaOptions>(key, value, &self.directory),
            TargetKind::Layer => checked::<LayerOptions>(key, value, &self.directory),
            TargetKind::Image => checked::<ImageOptions>(key, value, &self.directory),
        };
        let line = lines.line(key);
        if key == "script" && !self.path.ends_with(FILENAME) {
            return Err(self.value_error(line, place, key, "a script cannot name another one"));
        }
        let value = checked.map_err(|reason| self.value_error(line, place, key, &reason))?;
        let table = place.iter().map(|key| (*key).to_owned()).collect();
        Ok(SourcedValue { value, sources: vec![ValueSource::File { path: self.path.clone(), line, table }] })
    }

    fn check_conflicts(
        &self,
        lines: &KeyLines,
        place: &[&str],
        values: &OptionValues,
    ) -> Result<(), ConfigurationError> {
        match conflict(&values.0) {
            None => Ok(()),
            Some((one, other)) => Err(ConfigurationError::Conflict {
                path: self.path.clone(),
                line: lines.line(one),
                table: place.join("."),
                one,
                other,
            }),
        }
    }

    /// Refuses a key whose value only the user may set.
    fn check_user(&self, lines: &KeyLines, place: &[&str], key: &str) -> Result<(), ConfigurationError> {
        if !FLAGS_ONLY.contains(&key) {
            return Ok(());
        }
        let (path, line, table) = (self.path.clone(), lines.line(key), place.join("."));
        Err(ConfigurationError::OnlyUser { path, line, table, key: key.to_owned() })
    }

    fn unknown(
        &self,
        lines: &KeyLines,
        place: &[&str],
        key: &str,
        known: impl Iterator<Item = String>,
        (kind, other): (Option<TargetKind>, Option<TargetKind>),
    ) -> ConfigurationError {
        let known: Vec<String> = known.collect();
        ConfigurationError::UnknownKey {
            path: self.path.clone(),
            line: lines.line(key),
            table: place.join("."),
            key: key.to_owned(),
            nearest: nearest(key, known.iter().map(String::as_str)).map(str::to_owned),
            other,
            has_counterpart: kind
                .is_some_and(|kind| counterpart(key).is_some_and(|counterpart| schema::knows(kind, counterpart))),
        }
    }

    fn value_error(&self, line: usize, place: &[&str], key: &str, reason: &str) -> ConfigurationError {
        let (path, table) = (self.path.clone(), place.join("."));
        ConfigurationError::Value { path, line, table, key: key.to_owned(), reason: reason.to_owned() }
    }
}

fn kind_name(kind: Option<TargetKind>) -> &'static str {
    kind.map_or("", TargetKind::name)
}

/// Reads the value of one key, and returns it as the options write it.
fn checked<O: TargetOptions>(key: &str, value: &Value, directory: &Path) -> Result<Value, String> {
    let one = Value::Table(Table::from_iter([(key.to_owned(), value.clone())]));
    let mut options = O::deserialize(one).map_err(|error| reason(error.message(), value))?;
    options.rebase(directory).map_err(|error| error.to_string())?;
    let table = Table::try_from(&options).map_err(|error| error.to_string())?;
    Ok(table.get(key).unwrap_or(value).clone())
}
