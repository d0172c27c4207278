//! What lock formats in [TOML](https://toml.io/en/v1.0.0) share: values with their text, documents that are parsed in parts, and
//! the positions of errors.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use rayon::prelude::*;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};

use super::error::LockError;
use crate::name::DistributionName;
use crate::redact;

/// A parsed string, with its text for messages.
#[derive(Debug, Clone)]
pub(super) struct Parsed<T> {
    pub(super) text: Box<str>,
    pub(super) value: T,
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        let value = text.parse().map_err(D::Error::custom)?;
        Ok(Self { text: text.into(), value })
    }
}

/// How many bytes one thread parses at least: to share a small lock would take longer than to parse it.
const PARSED_AT_ONCE: usize = 32 * 1024;

/// A document that is parsed table by table: the syntax tree of a whole file takes 25 times the memory of its text.
///
/// A document that cannot be parsed in parts is invalid, or not laid out as the tools do it, and must be parsed as a whole. No
/// valid document is read differently than as a whole: a header within a string or an array leaves that open at the end of
/// a part, and a part with any other table is refused.
pub(super) struct DocumentParts<'t> {
    /// What is before the first table.
    head: &'t str,
    tables: Vec<&'t str>,
    /// What is after the last table.
    tail: &'t str,
    key: &'t str,
}

impl<'t> DocumentParts<'t> {
    /// Splits a document before each header of an array of tables, for instance `[[package]]`, and before what follows upon the
    /// last one. Returns `None` if it has no such tables.
    pub(super) fn split(text: &'t str, key: &'t str) -> Option<Self> {
        let header = format!("[[{key}]]\n");
        let is_line =
            |start: &usize| text.get(..*start).is_some_and(|before| before.is_empty() || before.ends_with('\n'));
        let mut starts: Vec<usize> =
            text.match_indices(&header).map(|(start, _)| start).filter(|start| is_line(start)).collect();
        let (first, last) = (*starts.first()?, *starts.last()?);
        let last_and_tail = text.get(last..)?;
        let mut other = last_and_tail.match_indices("\n[").filter(|(at, _)| {
            let header = last_and_tail.get(*at..).unwrap_or_default().trim_start_matches(['\n', '[']);
            !header.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', ']']))
        });
        starts.push(other.next().map_or(text.len(), |(at, _)| last + at + 1));
        let tables = starts.windows(2).map(|part| text.get(part[0]..part[1]));
        let (tables, tail) = (tables.collect::<Option<_>>()?, text.get(*starts.last()?..)?);
        Some(Self { head: text.get(..first)?, tables, tail, key })
    }

    /// Returns the document without the tables; `None` if the document must be parsed as a whole.
    pub(super) fn rest(&self) -> Option<String> {
        let is_document = |part| toml::from_str::<toml::Table>(part).is_ok();
        (is_document(self.head) && is_document(self.tail)).then(|| format!("{}{}", self.head, self.tail))
    }

    /// Parses the tables in parallel. Returns `None` if the document must be parsed as a whole, or if `convert` refuses a table:
    /// then the whole tells where that is.
    pub(super) fn tables<Table: DeserializeOwned, T: Send>(
        &self,
        convert: impl Fn(Table) -> Option<T> + Sync,
    ) -> Option<Vec<T>> {
        let mut tables = Vec::new();
        let bytes = self.tables.iter().map(|table| table.len()).sum::<usize>().max(1);
        let parts = self.tables.par_iter().with_min_len((self.tables.len() * PARSED_AT_ONCE).div_ceil(bytes));
        let parsed = parts.map(|part| {
            let mut part: BTreeMap<String, Vec<Table>> = toml::from_str(part).ok()?;
            // A header with a comment begins another table of this part.
            let [table] = <[Table; 1]>::try_from(part.remove(self.key)?).ok()?;
            convert(table).filter(|_| part.is_empty())
        });
        // Each table is written to its final position: vectors of several threads would be copied, and their memory not reused.
        parsed.collect_into_vec(&mut tables);
        tables.into_iter().collect()
    }
}

/// Says where a mistake is: its line, and the distribution whose table it is in. `table` is the header of such a table, for
/// instance `[[package]]`.
pub(super) fn error(text: &str, path: &Path, table: &str, error: &toml::de::Error) -> LockError {
    let start = error.span().map(|span| span.start);
    let before = start.and_then(|start| text.get(..start));
    // A mistake of a whole table is placed at its header.
    let with_header = start.and_then(|start| text.get(..start + table.len())).or(before);
    let in_table = with_header.and_then(|text| text.rfind(table)).and_then(|start| text.get(start..));
    LockError::Syntax {
        path: path.to_owned(),
        line: before.map(line_after),
        package: in_table.and_then(name).map(str::to_owned),
        reason: redact::text(error.message()),
    }
}

/// Returns the number, from 1, of the line that follows upon a text.
pub(super) fn line_after(before: &str) -> usize {
    before.matches('\n').count() + 1
}

/// Returns the name in a distribution's table. It is looked for in the text, because the file cannot be parsed.
fn name(table: &str) -> Option<&str> {
    let lines = table.lines().skip(1).map(str::trim).take_while(|line| !line.starts_with('['));
    let values = lines.filter_map(|line| line.strip_prefix("name")?.trim_start().strip_prefix('='));
    let mut names = values.filter_map(|value| value.trim_start().strip_prefix(['"', '\''])?.split(['"', '\'']).next());
    names.next().filter(|name| name.parse::<DistributionName>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a document, parsed in parts.
    fn in_parts(text: &str, key: &str) -> Option<toml::Table> {
        let parts = DocumentParts::split(text, key)?;
        let mut document: toml::Table = toml::from_str(&parts.rest()?).ok()?;
        let tables = parts.tables(|table| Some(toml::Value::Table(table)))?;
        document.insert(key.to_owned(), toml::Value::Array(tables)).is_none().then_some(document)
    }

    #[test]
    fn documents_are_parsed_in_parts_as_they_are_as_a_whole() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
        for (path, key) in [
            ("imports/uv.lock", "package"),
            ("valid/pylock/pylock.pip.toml", "packages"),
            ("valid/pylock/pylock.pdm.toml", "packages"),
            ("valid/pylock/pylock.pnpm.toml", "packages"),
            ("valid/poetry/2.0/poetry.lock", "package"),
            ("valid/poetry/1.1/poetry.lock", "package"),
        ] {
            let text = std::fs::read_to_string(root.join(path)).unwrap();
            assert_eq!(in_parts(&text, key).expect(path), toml::from_str(&text).unwrap(), "{path}");
        }
    }

    #[test]
    fn documents_that_parts_would_misread_are_parsed_as_a_whole() {
        let table = "[[package]]\nname = \"a\"\n";
        for text in [
            format!("# lock\n{table}note = \'\'\'\n{table}\'\'\'\n[metadata]\n"),
            format!("# lock\n{table}note = \'\'\'\n[metadata]\n\'\'\'\n[metadata]\n"),
            format!("note = \'\'\'\n{table}[metadata]\n\'\'\'\n"),
            format!("# lock\n{table}[other]\n{table}[metadata]\n"),
            format!("# lock\n{table}[[package]] # next\nname = \"b\"\n[metadata]\n"),
            format!("# lock\n{table}[metadata]\n[[package]] # next\nname = \"b\"\n"),
        ] {
            assert!(toml::from_str::<toml::Table>(&text).is_ok(), "{text}");
            assert!(in_parts(&text, "package").is_none(), "{text}");
        }
    }

    #[test]
    fn names_are_found_in_tables_that_cannot_be_parsed() {
        for (table, expected) in [
            ("[[package]]\nname = \"foo\"\nversion =", Some("foo")),
            ("[[packages]]\n  index = 'x'\n  name='foo' # the name\n", Some("foo")),
            ("[[packages]]\n  [[packages.wheels]]\n  name = 'foo-1.0-py3-none-any.whl'\n", None),
            ("[[packages]]\nname = 1\n", None),
            ("[[packages]]\nname = '\u{1b}[31m'\n", None),
            ("[[packages]]", None),
        ] {
            assert_eq!(name(table), expected, "{table}");
        }
    }
}
