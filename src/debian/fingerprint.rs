//! Fingerprints of OpenPGP keys.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A string that is not a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a fingerprint of an OpenPGP key: expected 40 hexadecimal digits", .0.escape_debug())]
pub struct InvalidFingerprint(pub String);

/// The fingerprint of a version 4 key ([RFC 9580, section 5.5.4.2](https://www.rfc-editor.org/rfc/rfc9580#section-5.5.4.2)).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 20]);

/// Parses 40 hexadecimal digits, in groups as gpg prints them or in one.
impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let digits: String = text.chars().filter(|character| *character != ' ').collect();
        let bytes = hex::decode(&digits).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| InvalidFingerprint(text.to_owned()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode_upper(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl serde::Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_have_40_digits() {
        let text = "4CB50190207B4758A3F73A796ED0E7B82643E131";
        let fingerprint: Fingerprint = text.parse().unwrap();
        assert_eq!(fingerprint.to_string(), text);
        assert_eq!("4cb5 0190 207b 4758 a3f7  3a79 6ed0 e7b8 2643 e131".parse(), Ok(fingerprint));
        for wrong in ["", "4CB50190", &text[1..], &text.replace('4', "X")] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(InvalidFingerprint(wrong.to_owned())));
        }
    }
}
