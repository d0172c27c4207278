//! Sizes as people write and read them.

use std::fmt;
use std::str::FromStr;

/// A size with its unit, such as `60 MiB`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SizeLimit {
    /// In bytes.
    pub(crate) bytes: u64,
    /// As it was written.
    text: String,
}

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a size such as 60 MiB or 1.5 GB")]
pub(crate) struct InvalidSize;

/// The units, in bytes.
const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("b", 1),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

impl FromStr for SizeLimit {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, InvalidSize> {
        let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
        let (number, unit) = (&text[..end], text[end..].trim().to_lowercase());
        let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(InvalidSize)?;
        let number: f64 = number.parse().map_err(|_| InvalidSize)?;
        let bytes = number * factor as f64;
        if !(1.0..=u64::MAX as f64).contains(&bytes) {
            return Err(InvalidSize);
        }
        Ok(Self { bytes: bytes as u64, text: text.to_owned() })
    }
}

impl fmt::Display for SizeLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Returns a size for people: `12.3 MiB`.
pub(crate) fn binary_size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 1023.95 && units.len() > 0 {
        value /= 1024.0;
        unit = units.next();
    }
    format!("{value:.1} {}", unit.unwrap_or(&"TiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit() {
        for (text, bytes) in [
            ("60 MiB", 60 << 20),
            ("60MiB", 60 << 20),
            ("1.5 kib", 1536),
            ("250 MB", 250_000_000),
            ("1234", 1234),
            ("7 B", 7),
            ("2 GiB", 2 << 30),
        ] {
            let size: SizeLimit = text.parse().unwrap();
            assert_eq!((size.bytes, size.to_string().as_str()), (bytes, text));
        }
        for text in ["", "MiB", "-1 MiB", "1 M", "1.2.3 MiB", "0", "0.1 B", "ten MiB", "99999999999999999999 TiB"] {
            assert_eq!(text.parse::<SizeLimit>(), Err(InvalidSize), "{text}");
        }
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (262_144_000, "250.0 MiB"),
            (5 << 40, "5.0 TiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(binary_size(bytes), text);
        }
    }
}
