//! A table of pyproject.toml as text, with comments.

use std::collections::BTreeSet;

use toml_edit::Value;

/// A table below `[tool.pybundle.target]`.
#[derive(Debug, Clone)]
pub(crate) struct TargetTable {
    text: String,
    /// The comments on the next key.
    comments: String,
    /// The keys that `[tool.pybundle]` sets for every target. They are omitted with their comments: the target would
    /// override what the user wrote.
    shared: BTreeSet<String>,
}

impl TargetTable {
    pub(super) fn new(name: &str) -> Self {
        let key = if name.contains('.') { Value::from(name).to_string() } else { name.to_owned() };
        Self { text: format!("[tool.pybundle.target.{key}]\n"), comments: String::new(), shared: BTreeSet::new() }
    }

    pub(super) fn without(self, shared: &BTreeSet<String>) -> Self {
        Self { shared: shared.clone(), ..self }
    }

    pub(super) fn comment(&mut self, text: &str) {
        self.comments.push_str(&format!("# {text}\n"));
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.value(key, value);
    }

    pub(super) fn switch(&mut self, key: &str) {
        self.value(key, true);
    }

    pub(super) fn strings(&mut self, key: &str, strings: &[String]) {
        self.value(key, strings.iter().map(String::as_str).collect::<Value>());
    }

    pub(super) fn number(&mut self, key: &str, number: u16) {
        self.value(key, i64::from(number));
    }

    pub(super) fn numbers(&mut self, key: &str, numbers: &[u16]) {
        self.value(key, numbers.iter().map(|number| i64::from(*number)).collect::<Value>());
    }

    pub(super) fn pairs(&mut self, key: &str, pairs: &[(&str, &str)]) {
        let table: toml_edit::InlineTable = pairs.iter().copied().collect();
        self.value(key, table);
    }

    fn value(&mut self, key: &str, value: impl Into<Value>) {
        let comments = std::mem::take(&mut self.comments);
        if !self.shared.contains(key) {
            self.text.push_str(&format!("{comments}{key} = {}\n", value.into()));
        }
    }

    pub(super) fn to_text(&self) -> String {
        format!("{}{}", self.text, self.comments)
    }
}
