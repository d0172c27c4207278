//! Architectures of packages.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A string that is not a name of an architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid architecture of Debian, for instance amd64, arm64 or all", .0.escape_debug())]
pub struct InvalidDebianArchitecture(pub String);

/// An architecture by Debian's name, for instance `amd64`, or `all`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DebianArchitecture(Arc<str>);

impl DebianArchitecture {
    /// The architecture of packages that are the same on every one.
    pub const ALL: &str = "all";

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether packages with this architecture are the same on every one.
    pub fn is_all(&self) -> bool {
        &*self.0 == Self::ALL
    }
}

impl FromStr for DebianArchitecture {
    type Err = InvalidDebianArchitecture;

    fn from_str(text: &str) -> Result<Self, InvalidDebianArchitecture> {
        let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if starts_well
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
        {
            Ok(Self(text.into()))
        } else {
            Err(InvalidDebianArchitecture(text.to_owned()))
        }
    }
}

impl fmt::Display for DebianArchitecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl serde::Serialize for DebianArchitecture {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for DebianArchitecture {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_are_debians() {
        for name in ["amd64", "arm64", "all", "kfreebsd-amd64", "x32"] {
            assert_eq!(name.parse::<DebianArchitecture>().unwrap().as_str(), name);
        }
        for name in ["", "-", "AMD64", "amd64 ", "a/b"] {
            assert_eq!(name.parse::<DebianArchitecture>(), Err(InvalidDebianArchitecture(name.to_owned())));
        }
        assert!("all".parse::<DebianArchitecture>().unwrap().is_all());
        assert!(!"amd64".parse::<DebianArchitecture>().unwrap().is_all());
    }
}
