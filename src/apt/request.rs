//! What a project requests: `NAME` or `NAME=VERSION`, as `apt-get install` takes it.

use std::fmt;
use std::str::FromStr;

use crate::debian::{DebianVersion, InvalidDebianVersion, InvalidPackageName, PackageName};

/// A string that does not request a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPackageRequest {
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] InvalidPackageName),
    /// The version is invalid.
    #[error(transparent)]
    Version(#[from] InvalidDebianVersion),
}

/// A package that a project requests, with the version if it must be a certain one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackageRequest {
    /// The name.
    pub name: PackageName,
    /// The exact version.
    pub version: Option<DebianVersion>,
}

impl FromStr for PackageRequest {
    type Err = InvalidPackageRequest;

    fn from_str(text: &str) -> Result<Self, InvalidPackageRequest> {
        Ok(match text.split_once('=') {
            Some((name, version)) => Self { name: name.parse()?, version: Some(version.parse()?) },
            None => Self { name: text.parse()?, version: None },
        })
    }
}

impl fmt::Display for PackageRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(formatter, "{}={version}", self.name),
            None => write!(formatter, "{}", self.name),
        }
    }
}

impl serde::Serialize for PackageRequest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for PackageRequest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_those_of_apt_get() {
        for text in ["tini", "tini=0.19.0-1", "libpq5=1:2=3"] {
            assert_eq!(text.parse::<PackageRequest>().map(|request| request.to_string()).ok().as_deref(), {
                (text.matches('=').count() < 2).then_some(text)
            });
        }
        for text in ["", "=1", "tini=", "tini 1", "tini/bookworm", "tini:amd64", "-y"] {
            assert!(text.parse::<PackageRequest>().is_err(), "{text}");
        }
    }
}
