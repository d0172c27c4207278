//! What lock formats in [TOML](https://toml.io/en/v1.0.0) share: values with their text, and the positions of errors.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};

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
