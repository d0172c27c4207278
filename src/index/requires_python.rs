//! The versions of Python that a file is for.
//!
//! Specification: [PyPA, core metadata, Requires-Python](https://packaging.python.org/en/latest/specifications/core-metadata/#requires-python).
//! Indexes did not always check what they were given, so the commonest mistakes are understood, as uv and pip do.

use pep440_rs::VersionSpecifiers;

/// Reads a `Requires-Python`; none if it cannot be understood.
pub(crate) fn parse(text: &str) -> Option<VersionSpecifiers> {
    text.parse().ok().or_else(|| repaired(text).parse().ok())
}

/// Takes out stray quotes and empty parts, and the stars of orders: `>=3.6.*` means `>=3.6`.
fn repaired(text: &str) -> String {
    let text = text.replace(['\'', '"'], "");
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let parts = parts.map(|part| match part.strip_suffix(".*") {
        Some(order) if part.starts_with(['<', '>']) => order,
        _ => part,
    });
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_mistakes_are_understood() {
        for (text, meaning) in [
            (">=3.6", ">=3.6"),
            (">=3.6,", ">=3.6"),
            (">=3.6.*", ">=3.6"),
            ("'>=2.7,!=3.0.*'", ">=2.7,!=3.0.*"),
            (">= 2.7 , , <4", ">=2.7,<4"),
        ] {
            assert_eq!(parse(text), Some(meaning.parse().unwrap()), "{text}");
        }
        for text in ["three", ">=", "=>3.6"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("").map(|specifiers| specifiers.len()), Some(0));
    }
}
