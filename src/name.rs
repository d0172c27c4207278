//! Normalized names of distributions, extras and dependency groups.
//!
//! Specification: [PyPA, names and normalization](https://packaging.python.org/en/latest/specifications/name-normalization/).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An invalid name of a distribution, an extra or a dependency group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a valid name: names consist of ASCII letters, digits, `-`, `_` and `.`, and start and end with a letter or digit"
)]
pub struct InvalidName(pub String);

/// Normalizes a name: lower case, with each run of `-`, `_` and `.` written as one `-`.
fn normalize(name: &str) -> Result<Arc<str>, InvalidName> {
    let bytes = name.as_bytes();
    let starts_and_ends_alphanumeric =
        [bytes.first(), bytes.last()].iter().all(|byte| byte.is_some_and(u8::is_ascii_alphanumeric));
    if !starts_and_ends_alphanumeric
        || !bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    {
        return Err(InvalidName(name.to_owned()));
    }
    let mut normalized = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '-' | '_' | '.') {
            if !normalized.ends_with('-') {
                normalized.push('-');
            }
        } else {
            normalized.push(character.to_ascii_lowercase());
        }
    }
    Ok(normalized.into())
}

macro_rules! normalized_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the normalized form, for instance `foo-bar` for `Foo__Bar`.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the form that file names use, for instance `foo_bar` for `Foo-Bar`.
            pub fn escaped(&self) -> String {
                self.0.replace('-', "_")
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(name: &str) -> Result<Self, InvalidName> {
                normalize(name).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                name.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

normalized_name! {
    /// The normalized name of a distribution.
    DistributionName
}
impl DistributionName {
    /// Tells whether a name, before it is normalized, may contain a character.
    pub(crate) fn may_contain(character: char) -> bool {
        character.is_ascii_alphanumeric() || "-_.".contains(character)
    }

    /// Returns the name that a requirement begins with, whatever follows it.
    pub(crate) fn of_requirement(requirement: &str) -> Option<Self> {
        requirement.split(|character| !Self::may_contain(character)).next()?.parse().ok()
    }
}

normalized_name! {
    /// The normalized name of an extra (`project.optional-dependencies`).
    ExtraName
}
normalized_name! {
    /// The normalized name of a dependency group (PEP 735).
    GroupName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalized() {
        for (given, normalized) in [
            ("Foo", "foo"),
            ("foo__bar", "foo-bar"),
            ("foo.-_bar", "foo-bar"),
            ("zope.interface", "zope-interface"),
            ("a", "a"),
        ] {
            assert_eq!(given.parse::<DistributionName>().unwrap().as_str(), normalized);
        }
    }

    #[test]
    fn invalid_names_are_refused() {
        for given in ["", "-foo", "foo-", "fo o", "foo/bar", "f\u{f6}o", ".."] {
            assert_eq!(given.parse::<DistributionName>(), Err(InvalidName(given.to_owned())));
        }
    }
}
