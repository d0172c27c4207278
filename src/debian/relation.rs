//! Relations between packages: dependencies with alternatives, conflicts, and what a package provides.
//!
//! Specification: [Debian Policy 7](https://www.debian.org/doc/debian-policy/ch-relationships.html).

use std::fmt;

use super::{DebianVersion, InvalidDebianVersion, InvalidPackageName, PackageName};

/// A text that is not a relation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRelation {
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] InvalidPackageName),
    /// The version is invalid.
    #[error(transparent)]
    Version(#[from] InvalidDebianVersion),
    /// It has another form.
    #[error("`{}` is not a valid relation, for instance `libc6 (>= 2.36)`", .0.escape_debug())]
    Syntax(String),
}

/// How a version must compare with another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionOperator {
    /// `<<`
    Earlier,
    /// `<=`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`
    LaterOrEqual,
    /// `>>`
    Later,
}

impl VersionOperator {
    /// Splits an operator off. dpkg takes `<` for `<=`, and `>` for `>=`.
    fn split(text: &str) -> Option<(Self, &str)> {
        let operators = [
            ("<<", Self::Earlier),
            ("<=", Self::EarlierOrEqual),
            (">>", Self::Later),
            (">=", Self::LaterOrEqual),
            ("<", Self::EarlierOrEqual),
            (">", Self::LaterOrEqual),
            ("=", Self::Equal),
        ];
        operators.into_iter().find_map(|(sign, operator)| Some((operator, text.strip_prefix(sign)?)))
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Earlier => "<<",
            Self::EarlierOrEqual => "<=",
            Self::Equal => "=",
            Self::LaterOrEqual => ">=",
            Self::Later => ">>",
        }
    }
}

/// Another package, or what several provide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRelation {
    /// The name.
    pub name: PackageName,
    /// The architecture after `:`, for instance `any`.
    pub qualifier: Option<String>,
    /// Which versions.
    pub constraint: Option<(VersionOperator, DebianVersion)>,
}

impl PackageRelation {
    /// Parses `NAME[:ARCHITECTURE] [(OPERATOR VERSION)]`.
    ///
    /// # Errors
    /// It has another form. Restrictions to architectures and build profiles are only allowed in source packages.
    pub fn parse(text: &str) -> Result<Self, InvalidRelation> {
        let syntax = || InvalidRelation::Syntax(text.trim().to_owned());
        let text = text.trim();
        let (name, constraint) = match text.split_once('(') {
            Some((name, rest)) => {
                let inside = rest.trim_end().strip_suffix(')').ok_or_else(syntax)?.trim();
                let (operator, version) = VersionOperator::split(inside).ok_or_else(syntax)?;
                (name.trim_end(), Some((operator, version.trim().parse()?)))
            }
            None => (text, None),
        };
        let (name, qualifier) = match name.split_once(':') {
            Some((_, "")) => return Err(syntax()),
            Some((name, qualifier)) => (name, Some(qualifier.to_owned())),
            None => (name, None),
        };
        Ok(Self { name: name.parse()?, qualifier, constraint })
    }

    /// Tells whether the package itself satisfies the relation with this version.
    pub fn accepts(&self, version: &DebianVersion) -> bool {
        let Some((operator, expected)) = &self.constraint else { return true };
        match operator {
            VersionOperator::Earlier => version < expected,
            VersionOperator::EarlierOrEqual => version <= expected,
            VersionOperator::Equal => version == expected,
            VersionOperator::LaterOrEqual => version >= expected,
            VersionOperator::Later => version > expected,
        }
    }

    /// Tells whether a package satisfies the relation that provides this. A relation with a version is only satisfied by
    /// something that is provided with a version.
    pub fn accepts_provided(&self, provided: &PackageRelation) -> bool {
        self.name == provided.name
            && match &provided.constraint {
                Some((_, version)) => self.accepts(version),
                None => self.constraint.is_none(),
            }
    }
}

impl fmt::Display for PackageRelation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.name)?;
        if let Some(qualifier) = &self.qualifier {
            write!(formatter, ":{qualifier}")?;
        }
        match &self.constraint {
            Some((operator, version)) => write!(formatter, " ({} {version})", operator.sign()),
            None => Ok(()),
        }
    }
}

/// A dependency: at least one of the relations must be satisfied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebianDependency(pub Vec<PackageRelation>);

impl DebianDependency {
    /// Parses a field with dependencies, such as Depends.
    ///
    /// # Errors
    /// A relation is invalid.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, InvalidRelation> {
        items(text)
            .map(|item| item.split('|').map(PackageRelation::parse).collect::<Result<_, _>>().map(Self))
            .collect()
    }
}

impl fmt::Display for DebianDependency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alternatives: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&alternatives.join(" | "))
    }
}

/// Parses a field without alternatives, such as Conflicts or Provides.
pub(super) fn parse_relations(text: &str) -> Result<Vec<PackageRelation>, InvalidRelation> {
    items(text).map(PackageRelation::parse).collect()
}

/// Returns the parts between commas. The last one may be empty.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_read_and_written() {
        for (text, expected) in [
            ("libc6", "libc6"),
            (" libc6 (>= 2.36) ", "libc6 (>= 2.36)"),
            ("libc6(>=2.36)", "libc6 (>= 2.36)"),
            ("python3:any (>> 3.11~)", "python3:any (>> 3.11~)"),
            ("a (< 1)", "a (<= 1)"),
            ("a (> 1)", "a (>= 1)"),
        ] {
            assert_eq!(PackageRelation::parse(text).unwrap().to_string(), expected);
        }
        let list = DebianDependency::parse_list("a | b (= 1),\n c:any,").unwrap();
        assert_eq!(list.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a | b (= 1)", "c:any"]);
        for text in ["", "a b", "a (1)", "a (>= )", "a (>= 1", "a:", "a [amd64]", "a <!nocheck>", "|"] {
            assert!(PackageRelation::parse(text).is_err(), "{text}");
        }
        assert!(DebianDependency::parse_list("a | , b").is_err());
    }

    #[test]
    fn versions_are_compared() {
        let version = |text: &str| text.parse::<DebianVersion>().unwrap();
        for (relation, accepted, refused) in [
            ("a (<< 2)", "1", "2"),
            ("a (<= 2)", "2", "3"),
            ("a (= 2)", "2", "2-1"),
            ("a (>= 2)", "2", "1"),
            ("a (>> 2)", "3", "2"),
        ] {
            let relation = PackageRelation::parse(relation).unwrap();
            assert!(relation.accepts(&version(accepted)) && !relation.accepts(&version(refused)), "{relation}");
        }
        for (relation, provided, accepts) in [
            ("a", "a", true),
            ("a", "a (= 1)", true),
            ("a (>= 1)", "a", false),
            ("a (>= 1)", "a (= 1)", true),
            ("a (>= 2)", "a (= 1)", false),
            ("a", "b", false),
        ] {
            let [relation, provided] = [relation, provided].map(|text| PackageRelation::parse(text).unwrap());
            assert_eq!(relation.accepts_provided(&provided), accepts, "{relation} {provided}");
        }
    }
}
