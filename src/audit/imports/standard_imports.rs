//! What the modules of the standard library import when they are imported.

use std::collections::HashMap;

use crate::platform::PythonVersion;

/// A line for each module: its dotted name and its imports. scripts/standard-imports writes it and explains the format.
const TABLE: &str = include_str!("standard_imports.txt");

/// An import that a module of the standard library executes whenever it is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StandardImport {
    /// The dotted name.
    pub(super) module: &'static str,
    /// Whether the importing module fails if another module of that name is imported instead.
    pub(super) is_needed: bool,
}

/// The imports of the standard library of one version of Python.
pub(super) struct StandardImports {
    python: PythonVersion,
    /// The imports of each module, as in the table.
    rows: HashMap<&'static str, &'static str>,
}

impl StandardImports {
    pub(super) fn new(python: PythonVersion) -> Self {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        Self { python, rows: lines.filter_map(|line| line.split_once(' ')).collect() }
    }

    /// Returns whether it has a module that imports something.
    pub(super) fn has(&self, module: &str) -> bool {
        self.rows.contains_key(module)
    }

    /// Returns the imports of a module, in alphabetical order; empty for an extension module.
    pub(super) fn of(&self, module: &str) -> impl Iterator<Item = StandardImport> {
        let row = self.rows.get(module).copied().unwrap_or_default();
        row.split_ascii_whitespace().filter_map(|word| self.import(word))
    }

    /// Parses an import; `None` if this version does not have it.
    fn import(&self, word: &'static str) -> Option<StandardImport> {
        let (name, minors) = word.split_once('@').unwrap_or((word, ""));
        let mut ranges = minors.split(',').filter(|range| !range.is_empty()).peekable();
        let applies = ranges.peek().is_none()
            || ranges.any(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let [first, last] = [first, last].map(|minor| minor.parse::<u8>().unwrap_or_default());
                (first..=last).contains(&self.python.minor)
            });
        let module = name.trim_end_matches('!');
        applies.then_some(StandardImport { module, is_needed: module.len() < name.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_imports_of_each_version() {
        for (module, import, is_needed, first, last) in [
            ("http.cookiejar", "calendar", true, 9, 15),
            ("http.cookiejar", "threading", false, 9, 15),
            ("calendar", "enum", true, 12, 15),
            ("email.utils", "socket", false, 9, 12),
            ("gzip", "_compression", true, 9, 13),
        ] {
            for minor in PythonVersion::MINORS {
                let imports = StandardImports::new(PythonVersion::new(minor));
                let found = imports.of(module).find(|found| found.module == import);
                let expected = (first..=last).contains(&minor).then_some(is_needed);
                assert_eq!(found.map(|found| found.is_needed), expected, "{module} {import} 3.{minor}");
            }
        }
        assert_eq!(StandardImports::new(PythonVersion::new(12)).of("_absent").next(), None);
    }
}
