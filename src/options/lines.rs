//! The line numbers of keys in a TOML file, for messages.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// The keys of a table with their lines, from 1, and those of the tables in it.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyLines {
    keys: BTreeMap<String, (usize, KeyLines)>,
}

impl KeyLines {
    /// Finds the keys of a file. One that is not TOML has none.
    pub(crate) fn of(text: &str) -> Self {
        DeTable::parse(text).map(|table| Self::below(table.get_ref(), text)).unwrap_or_default()
    }

    fn below(table: &DeTable, text: &str) -> Self {
        let line = |key: &Spanned<DeString>| {
            let before = text.as_bytes().get(..key.span().start).unwrap_or_default();
            before.iter().filter(|byte| **byte == b'\n').count() + 1
        };
        let entry = |(key, value): (&Spanned<DeString>, &Spanned<DeValue>)| {
            let inner = match value.get_ref() {
                DeValue::Table(table) => Self::below(table, text),
                _ => Self::default(),
            };
            (key.get_ref().to_string(), (line(key), inner))
        };
        Self { keys: table.iter().map(entry).collect() }
    }

    /// Returns the keys of a table in this one.
    pub(crate) fn table(&self, key: &str) -> Self {
        self.keys.get(key).map(|(_, lines)| lines.clone()).unwrap_or_default()
    }

    /// Returns the line of a key; 1 if there is no such key.
    pub(crate) fn line(&self, key: &str) -> usize {
        self.keys.get(key).map_or(1, |(line, _)| *line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_lines_however_they_are_written() {
        let lines = KeyLines::of("a = 1\n[tool.x]\nb = 2\n\nc = { d = 3 }\n[tool]\ny.z = 4\n");
        assert_eq!(lines.line("a"), 1);
        let tool = lines.table("tool");
        assert_eq!((tool.table("x").line("b"), tool.table("x").line("c")), (3, 5));
        assert_eq!(tool.table("x").table("c").line("d"), 5);
        assert_eq!(tool.table("y").line("z"), 7);
    }
}
