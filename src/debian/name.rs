//! Names of binary packages.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A string that is not a name of a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a valid package name: names consist of ASCII letters, digits, `+`, `-`, `.` and `_`, and start with a letter or \
     digit",
    .0.escape_debug()
)]
pub struct InvalidPackageName(pub String);

/// The name of a binary package, for instance `libstdc++6`.
///
/// dpkg accepts more than [Debian Policy 5.6.1](https://www.debian.org/doc/debian-policy/ch-controlfields.html#source), which
/// other archives make use of: capital letters and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(Arc<str>);

impl PackageName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PackageName {
    type Err = InvalidPackageName;

    fn from_str(text: &str) -> Result<Self, InvalidPackageName> {
        let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if starts_well && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte)) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPackageName(text.to_owned()))
        }
    }
}

impl std::borrow::Borrow<str> for PackageName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl serde::Serialize for PackageName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for PackageName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dpkgs() {
        for name in ["tini", "libstdc++6", "libgdk-pixbuf-2.0-0", "0ad", "r-cran-Rcpp", "a_b"] {
            assert_eq!(name.parse::<PackageName>().unwrap().as_str(), name);
        }
        for name in ["", "-a", "+a", "a b", "libc6:amd64", "a/b", "a=1", "\u{e9}t\u{e9}", "../a", "a\n"] {
            assert_eq!(name.parse::<PackageName>(), Err(InvalidPackageName(name.to_owned())));
        }
    }
}
