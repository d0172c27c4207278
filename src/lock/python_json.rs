//! TOML as JSON, byte for byte as Python's `json.dumps(…, sort_keys=True)` writes it, because Poetry, PDM and pipenv hash
//! that text.
//!
//! See Python's documentation of [`json.dumps`](https://docs.python.org/3/library/json.html#json.dumps) and of
//! [floating-point numbers](https://docs.python.org/3/tutorial/floatingpoint.html).

use std::fmt::Write as _;

use toml::{Table, Value};

use crate::digest::Sha256;

/// A date or a time, which `json.dumps` cannot serialize.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unserializable;

/// The lowest decimal exponent of large numbers that Python writes in scientific notation.
const FIRST_LARGE_EXPONENT: i32 = 16;

/// Numbers with a lower decimal exponent are written in scientific notation.
const LAST_SMALL_EXPONENT: i32 = -4;

/// The texts between the items of an array or object, and between a key and its value (`separators` of `json.dumps`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Separators {
    item: &'static str,
    key: &'static str,
}

/// The separators that `json.dumps` uses by default.
pub(super) const SPACED: Separators = Separators { item: ", ", key: ": " };

/// The separators without spaces.
pub(super) const COMPACT: Separators = Separators { item: ",", key: ":" };

impl Separators {
    /// Appends a value, or `null` for `None`.
    pub(super) fn write(self, value: Option<&Value>, json: &mut String) -> Result<(), Unserializable> {
        match value {
            None => json.push_str("null"),
            Some(Value::String(text)) => write_string(text, json),
            Some(Value::Integer(number)) => json.push_str(&number.to_string()),
            Some(Value::Float(number)) => json.push_str(&float(*number)),
            Some(Value::Boolean(value)) => json.push_str(if *value { "true" } else { "false" }),
            Some(Value::Datetime(_)) => return Err(Unserializable),
            Some(Value::Array(values)) => {
                json.push('[');
                for (position, value) in values.iter().enumerate() {
                    json.push_str(if position > 0 { self.item } else { "" });
                    self.write(Some(value), json)?;
                }
                json.push(']');
            }
            Some(Value::Table(table)) => {
                return self.write_object(table.iter().map(|(key, value)| (key.as_str(), Some(value))), json);
            }
        }
        Ok(())
    }

    /// Appends an object, with its keys in the order of their code points.
    pub(super) fn write_object<'a>(
        self,
        members: impl Iterator<Item = (&'a str, Option<&'a Value>)>,
        json: &mut String,
    ) -> Result<(), Unserializable> {
        let mut members: Vec<_> = members.collect();
        members.sort_by_key(|(key, _)| *key);
        json.push('{');
        for (position, (key, value)) in members.into_iter().enumerate() {
            json.push_str(if position > 0 { self.item } else { "" });
            write_string(key, json);
            json.push_str(self.key);
            self.write(value, json)?;
        }
        json.push('}');
        Ok(())
    }

    /// Returns the SHA-256 of a table, in hexadecimal.
    pub(super) fn sha256(self, table: &Table) -> Result<String, Unserializable> {
        let mut json = String::new();
        self.write_object(table.iter().map(|(key, value)| (key.as_str(), Some(value))), &mut json)?;
        Ok(Sha256::of(json.as_bytes()).hex())
    }
}

/// Appends a string. Characters outside ASCII are escaped as UTF-16 code units (`ensure_ascii`).
fn write_string(text: &str, json: &mut String) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            ' '..='~' => json.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(json, "\\u{unit:04x}");
                }
            }
        }
    }
    json.push('"');
}

/// Formats a number like `float.__repr__`: the shortest digits that round-trip, in scientific notation if it is large or small.
fn float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (LAST_SMALL_EXPONENT..FIRST_LARGE_EXPONENT).contains(&exponent) {
        return format!("{number:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_python_writes_them() {
        for (toml, json) in [
            ("\"a\\\"\\\\é😀\\u007F\"", r#""a\"\\\u00e9\ud83d\ude00\u007f""#),
            ("\"\\u0001\\t\\f\"", r#""\u0001\t\f""#),
            ("[1, -2, true]", "[1, -2, true]"),
            ("{ b = 1, a = [], Z = {} }", r#"{"Z": {}, "a": [], "b": 1}"#),
            ("1.0", "1.0"),
            ("0.1", "0.1"),
            ("-0.0", "-0.0"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1e15", "1000000000000000.0"),
            ("123456789012345680.0", "1.2345678901234568e+17"),
            ("1e16", "1e+16"),
            ("1e300", "1e+300"),
            ("inf", "Infinity"),
            ("nan", "NaN"),
        ] {
            let table: toml::Table = format!("v = {toml}").parse().unwrap();
            let mut written = String::new();
            SPACED.write(table.get("v"), &mut written).unwrap();
            assert_eq!(written, json);
        }
        let table: toml::Table = "v = [1979-05-27]".parse().unwrap();
        assert_eq!(SPACED.write(table.get("v"), &mut String::new()), Err(Unserializable));
    }
}
