//! On which lines of a file the keys of a table are.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The keys of a table with their lines, from 1, and those of the tables in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeyLines {
    keys: BTreeMap<String, (usize, KeyLines)>,
}

impl KeyLines {
    /// Finds the lines of the keys in a table that was parsed from `text`.
    pub(super) fn of(table: &DeTable, text: &str) -> Self {
        let newlines: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        Self::below(table, &newlines)
    }

    fn below(table: &DeTable, newlines: &[usize]) -> Self {
        let mut keys = BTreeMap::new();
        for (key, value) in table {
            let line = newlines.partition_point(|newline| *newline < key.span().start) + 1;
            let inner = match Spanned::get_ref(value) {
                DeValue::Table(table) => Self::below(table, newlines),
                _ => Self::default(),
            };
            keys.insert(key.get_ref().to_string(), (line, inner));
        }
        Self { keys }
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
        let text = "a = 1\n[tool.x]\nb = 2\n\nc = { d = 3 }\n[tool]\ny.z = 4\n";
        let lines = KeyLines::of(DeTable::parse(text).unwrap().get_ref(), text);
        assert_eq!(lines.line("a"), 1);
        let tool = lines.table("tool");
        assert_eq!((tool.table("x").line("b"), tool.table("x").line("c")), (3, 5));
        assert_eq!(tool.table("x").table("c").line("d"), 5);
        assert_eq!(tool.table("y").line("z"), 7);
    }
}
