//! Versions of packages, and their order.
//!
//! Specification: [deb-version(7)](https://manpages.debian.org/deb-version.7).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A string that is not a version of a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid package version: {reason}", .text.escape_debug())]
pub struct InvalidDebianVersion {
    /// The string.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The version of a package: `[epoch:]upstream-version[-debian-revision]`. Versions are equal if neither is later, whatever
/// their text: `1.0` and `0:1.00`.
#[derive(Debug, Clone)]
pub struct DebianVersion(Arc<str>);

impl DebianVersion {
    /// Returns the version as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the version without its epoch, as it is in most file names.
    pub fn without_epoch(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(_, rest)| rest)
    }

    /// Returns the epoch, the upstream version and the revision.
    fn parts(&self) -> (u32, &str, &str) {
        let (epoch, rest) = self.0.split_once(':').unwrap_or(("0", &self.0));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        (epoch.parse().unwrap_or(0), upstream, revision)
    }
}

impl FromStr for DebianVersion {
    type Err = InvalidDebianVersion;

    fn from_str(text: &str) -> Result<Self, InvalidDebianVersion> {
        let invalid = |reason| Err(InvalidDebianVersion { text: text.to_owned(), reason });
        let rest = match text.split_once(':') {
            // dpkg stores epochs as `int`.
            Some((epoch, rest)) => match epoch.parse::<i32>() {
                Ok(0..) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => rest,
                _ => return invalid("its epoch is not a number"),
            },
            None => text,
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        if upstream.is_empty() || revision.is_empty() {
            return invalid("a part of it is empty");
        }
        if !rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+.~:_".contains(&byte)) {
            return invalid("it contains a character other than ASCII letters, digits and `.+-~:`");
        }
        Ok(Self(text.into()))
    }
}

impl Ord for DebianVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let (epoch, upstream, revision) = self.parts();
        let (other_epoch, other_upstream, other_revision) = other.parts();
        epoch
            .cmp(&other_epoch)
            .then_with(|| compare(upstream.as_bytes(), other_upstream.as_bytes()))
            .then_with(|| compare(revision.as_bytes(), other_revision.as_bytes()))
    }
}

impl PartialOrd for DebianVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DebianVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for DebianVersion {}

/// Compares two upstream versions or revisions: alternately what is not a number, and numbers.
fn compare(mut one: &[u8], mut other: &[u8]) -> Ordering {
    while !one.is_empty() || !other.is_empty() {
        let (text, rest) = one.split_at(leading(one, |byte| !byte.is_ascii_digit()));
        let (other_text, other_rest) = other.split_at(leading(other, |byte| !byte.is_ascii_digit()));
        for at in 0..text.len().max(other_text.len()) {
            let order = rank(text.get(at)).cmp(&rank(other_text.get(at)));
            if order.is_ne() {
                return order;
            }
        }
        let (number, rest) = rest.split_at(leading(rest, |byte| byte.is_ascii_digit()));
        let (other_number, other_rest) = other_rest.split_at(leading(other_rest, |byte| byte.is_ascii_digit()));
        let (number, other_number) = (without_zeros(number), without_zeros(other_number));
        let order = number.len().cmp(&other_number.len()).then_with(|| number.cmp(other_number));
        if order.is_ne() {
            return order;
        }
        (one, other) = (rest, other_rest);
    }
    Ordering::Equal
}

/// Returns the rank of a character that is not a digit: `~` sorts before the end, letters before everything else.
fn rank(byte: Option<&u8>) -> i32 {
    match byte {
        None => 0,
        Some(b'~') => -1,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    }
}

fn leading(bytes: &[u8], belongs: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().position(|byte| !belongs(byte)).unwrap_or(bytes.len())
}

fn without_zeros(number: &[u8]) -> &[u8] {
    &number[leading(number, |byte| *byte == b'0')..]
}

impl fmt::Display for DebianVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl serde::Serialize for DebianVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for DebianVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> DebianVersion {
        text.parse().unwrap()
    }

    #[test]
    fn versions_have_dpkgs_order() {
        for (earlier, later) in [
            ("1.0~rc1", "1.0"),
            ("1.0~~", "1.0~~a"),
            ("1.0~~a", "1.0~"),
            ("1.0", "1.0a"),
            ("1.0a", "1.0+b"),
            ("1.9", "1.10"),
            ("1.0-1", "1.0-1+b1"),
            ("1.0-1~bpo12+1", "1.0-1"),
            ("2.0", "1:1.0"),
            ("1.2.3-1", "1.2.3-1+deb12u1"),
            ("99999999999999999999", "100000000000000000000"),
            ("15.19-0+deb12u1", "15.20-0+deb12u1"),
            ("1.0-1-1", "1.0-1-2"),
            ("1.0", "1.0-0.1"),
        ] {
            assert!(version(earlier) < version(later), "{earlier} < {later}");
            assert!(version(later) > version(earlier), "{later} > {earlier}");
        }
        for (one, other) in [("1.0", "0:1.0"), ("1.0", "1.00"), ("1.0", "1.0-0"), ("1.01-1", "1.1-01")] {
            assert_eq!(version(one), version(other), "{one} = {other}");
        }
    }

    #[test]
    fn what_dpkg_refuses_is_an_error() {
        for text in ["", ":1", "a:1", "-1:1", "+1:1", "1:", "1-", "-1", "1 2", "1/2", "99999999999:1", "\u{e9}"] {
            assert!(text.parse::<DebianVersion>().is_err(), "{text}");
        }
        assert_eq!(version("2:1.0-1").without_epoch(), "1.0-1");
    }
}
