//! Why the value of a key is invalid, in the terms of TOML.

use toml::Value;

use crate::redact;

/// Returns the reason of serde, whose terms are those of Rust, in the terms of TOML, with what was found. Strings are only
/// repeated where one was expected: others may be secrets.
pub(super) fn reason(message: &str, value: &Value) -> String {
    let message = redact::text(message);
    let mistaken = ["invalid type: ", "invalid value: "];
    let reason = if let Some((found, expected)) = mistaken.iter().find_map(|kind| parts(&message, kind, ", expected "))
    {
        format!("expected {}, found {}", number_type(expected), kind_of(found))
    } else if let Some((found, expected)) = parts(&message, "unknown variant ", ", expected ") {
        format!("expected {expected}, found {found}")
    } else if message.starts_with("expected ") {
        match found(&message, value) {
            Some(found) => format!("{message}, found {found}"),
            None => message.clone(),
        }
    } else {
        message.clone()
    };
    reason.replace("a sequence", "an array").replace("expected a map", "expected a table")
}

fn parts<'m>(message: &'m str, prefix: &str, separator: &str) -> Option<(&'m str, &'m str)> {
    message.strip_prefix(prefix)?.split_once(separator)
}

/// Returns what serde calls a type of numbers, or any other.
fn number_type(expected: &str) -> &str {
    match expected.strip_prefix("a nonzero ").unwrap_or(expected) {
        "u8" | "u16" | "u32" | "u64" | "usize" if expected.starts_with("a nonzero ") => "a whole number of at least 1",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        _ => expected,
    }
}

/// Returns what serde calls the unexpected value, for instance ``floating point `3.12` `` or `sequence`.
fn kind_of(unexpected: &str) -> String {
    let number = ["integer ", "floating point "].iter().find_map(|kind| unexpected.strip_prefix(kind));
    match (number, unexpected) {
        (Some(number), _) => format!("the number {}", number.trim_matches('`')),
        (None, "sequence") => "an array".to_owned(),
        (None, "map") => "a table".to_owned(),
        (None, other) if other.starts_with("string ") => "a string".to_owned(),
        (None, other) => other.strip_prefix("boolean ").map_or(other, |boolean| boolean.trim_matches('`')).to_owned(),
    }
}

/// Describes a value of which a part of an array or a table is not meant.
fn found(message: &str, value: &Value) -> Option<String> {
    let is_string_meant = !["expected a table", "expected an array"].iter().any(|start| message.starts_with(start));
    match value {
        Value::String(text) if is_string_meant => Some(format!("`{}`", redact::text(text))),
        Value::String(_) => Some("a string".to_owned()),
        Value::Integer(_) | Value::Float(_) => Some(format!("the number {value}")),
        Value::Boolean(_) | Value::Datetime(_) => Some(value.to_string()),
        Value::Array(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_in_the_terms_of_toml() {
        for (message, value, expected) in [
            (
                "invalid type: floating point `3.12`, expected a string",
                "3.12",
                "expected a string, found the number 3.12",
            ),
            ("invalid type: string \"a\", expected a sequence", "'a'", "expected an array, found a string"),
            (
                "invalid value: integer `0`, expected a nonzero usize",
                "0",
                "expected a whole number of at least 1, found the number 0",
            ),
            ("invalid value: integer `-1`, expected u32", "-1", "expected a whole number, found the number -1"),
            ("invalid type: sequence, expected a map", "[]", "expected a table, found an array"),
            ("invalid type: boolean `true`, expected a string", "[true]", "expected a string, found true"),
            ("unknown variant `lzma`, expected `gzip` or `zstd`", "'lzma'", "expected `gzip` or `zstd`, found `lzma`"),
            (
                "expected linux/amd64 or linux/arm64",
                "'linux/x86'",
                "expected linux/amd64 or linux/arm64, found `linux/x86`",
            ),
            ("expected a string", "3.10", "expected a string, found the number 3.1"),
            ("expected a table of strings", "'TOKEN=hunter2'", "expected a table of strings, found a string"),
            ("expected an array of strings", "[true]", "expected an array of strings"),
            ("`x` is not a rule: expected one of a, b", "'x'", "`x` is not a rule: expected one of a, b"),
        ] {
            let table: toml::Table = format!("key = {value}").parse().unwrap();
            assert_eq!(reason(message, &table["key"]), expected, "{message}");
        }
    }
}
