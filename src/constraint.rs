//! Constraints on versions as Poetry writes them: `^1.2`, `~1.2`, `1.*`, `>=3.9,<4 || ^5`.
//!
//! Specification: [Poetry, version constraints](https://python-poetry.org/docs/dependency-specification/#version-constraints).
//! What the specifiers mean that they share with PEP 440 is said in
//! [PyPA, version specifiers](https://packaging.python.org/en/latest/specifications/version-specifiers/#version-specifiers).

use std::collections::BTreeSet;
use std::str::FromStr;

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

use crate::marker::contains;

/// The last minor version of Python 3 that a constraint with alternatives is spelled out for.
const LAST_MINOR: u64 = 40;

/// The last patch version of each.
const LAST_PATCH: u64 = 40;

/// A constraint on versions: alternatives, of which one must be satisfied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionConstraint(Vec<VersionSpecifiers>);

/// A text that is no constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a version constraint: {reason}", .constraint.escape_debug())]
pub struct InvalidConstraint {
    /// The text.
    pub constraint: String,
    /// What is wrong.
    pub reason: String,
}

impl VersionConstraint {
    /// Returns the constraint that every version satisfies.
    pub fn any() -> Self {
        Self(vec![VersionSpecifiers::empty()])
    }

    /// Returns whether a version satisfies the constraint; pre-releases count like any other version.
    pub fn allows(&self, version: &Version) -> bool {
        self.0.iter().any(|specifiers| specifiers.iter().all(|specifier| contains(specifier, version)))
    }

    /// Returns the constraint as one on Python, where `3.9` means each patch release of 3.9.
    pub fn on_python(self) -> Self {
        let widened = |specifier: &VersionSpecifier| {
            let is_minor = *specifier.operator() == Operator::Equal && specifier.version().release().len() <= 2;
            let every_patch = is_minor.then(|| specifier.version().release().iter().copied());
            every_patch
                .map_or_else(|| specifier.clone(), |minor| VersionSpecifier::equals_star_version(Version::new(minor)))
        };
        Self(self.0.iter().map(|specifiers| specifiers.iter().map(widened).collect()).collect())
    }

    /// Returns specifiers that the same versions of Python 3 satisfy. Alternatives, which specifiers cannot express, are
    /// spelled out by minor versions: one is in if any of its patch releases is.
    pub fn to_python_specifiers(&self) -> VersionSpecifiers {
        if let [only] = &self.0[..] {
            return only.clone();
        }
        let is_allowed = |minor: &u64| (0..=LAST_PATCH).any(|patch| self.allows(&Version::new([3, *minor, patch])));
        let allowed: BTreeSet<u64> = (0..=LAST_MINOR).filter(is_allowed).collect();
        let (Some(&first), Some(&last)) = (allowed.first(), allowed.last()) else {
            return [VersionSpecifier::less_than_version(Version::new([0]))].into_iter().collect();
        };
        let gaps = (first..last).filter(|minor| !allowed.contains(minor));
        let mut specifiers = vec![VersionSpecifier::greater_than_equal_version(Version::new([3, first]))];
        specifiers.extend(gaps.map(|minor| VersionSpecifier::not_equals_star_version(Version::new([3, minor]))));
        if last < LAST_MINOR {
            specifiers.push(VersionSpecifier::less_than_version(Version::new([3, last + 1])));
        }
        specifiers.into_iter().collect()
    }
}

impl From<VersionSpecifiers> for VersionConstraint {
    fn from(specifiers: VersionSpecifiers) -> Self {
        Self(vec![specifiers])
    }
}

impl FromStr for VersionConstraint {
    type Err = InvalidConstraint;

    fn from_str(text: &str) -> Result<Self, InvalidConstraint> {
        // Both `||` and `|` part alternatives.
        let alternatives = text.replace("||", "|");
        let parsed = alternatives.split('|').map(conjunction).collect::<Result<_, String>>();
        parsed.map(Self).map_err(|reason| InvalidConstraint { constraint: text.to_owned(), reason })
    }
}

/// Parses terms that are parted by commas or by spaces.
fn conjunction(text: &str) -> Result<VersionSpecifiers, String> {
    let is_separator = |character: char| character == ',' || character.is_whitespace();
    let is_operator = |character: char| "<>=!~^".contains(character);
    let mut specifiers = Vec::new();
    let mut rest = text.trim_matches(is_separator);
    if rest.is_empty() {
        return Err("there is no version".to_owned());
    }
    while !rest.is_empty() {
        let (operator, after) = rest.split_at(rest.find(|character| !is_operator(character)).unwrap_or(rest.len()));
        let after = after.trim_start();
        // A `!` within a version ends its epoch.
        let is_end = |(at, character): &(usize, char)| {
            is_separator(*character) || "<>=~^".contains(*character) || after[*at..].starts_with("!=")
        };
        let end = after.char_indices().find(is_end).map_or(after.len(), |(at, _)| at);
        let (version, after) = after.split_at(end);
        specifiers.extend(term(operator, version)?);
        rest = after.trim_start_matches(is_separator);
    }
    Ok(specifiers.into_iter().collect())
}

/// Parses a term: the specifiers that it stands for, all of which a version must satisfy.
fn term(operator: &str, text: &str) -> Result<Vec<VersionSpecifier>, String> {
    if matches!(text, "*" | "x" | "X") {
        return Ok(Vec::new());
    }
    let (text, is_wildcard) = match text.strip_suffix(".*") {
        Some(prefix) => (prefix.trim_end_matches(".*"), true),
        None => (text, false),
    };
    let version: Version = text.parse().map_err(|_| format!("`{}` is not a version", text.escape_debug()))?;
    let between = |end: Vec<u64>| {
        let end = Version::new(end).with_epoch(version.epoch());
        let start = VersionSpecifier::greater_than_equal_version(version.clone());
        Ok(vec![start, VersionSpecifier::less_than_version(end)])
    };
    let release = version.release();
    let specifier =
        |operator| VersionSpecifier::from_version(operator, version.clone()).map_err(|error| error.to_string());
    let operator = match (operator, is_wildcard) {
        // The first number that is not zero must not change.
        ("^", _) => {
            let significant = release.iter().position(|number| *number > 0).unwrap_or(release.len().saturating_sub(1));
            return between(next(release, significant));
        }
        ("~", _) => return between(next(release, usize::from(release.len() > 1))),
        ("~=", _) if release.len() < 2 => return between(next(release, 0)),
        ("~=", _) => Operator::TildeEqual,
        ("" | "=" | "==", true) => Operator::EqualStar,
        ("!=" | "<>", true) => Operator::NotEqualStar,
        ("" | "=" | "==", false) => Operator::Equal,
        ("!=" | "<>", false) => Operator::NotEqual,
        ("<", _) => Operator::LessThan,
        ("<=", _) => Operator::LessThanEqual,
        (">", _) => Operator::GreaterThan,
        (">=", _) => Operator::GreaterThanEqual,
        _ => return Err(format!("`{operator}` is not an operator")),
    };
    // A wildcard is a prefix of releases.
    if is_wildcard && (version.any_prerelease() || version.is_post() || version.is_local()) {
        return Err("a wildcard follows numbers only".to_owned());
    }
    Ok(vec![specifier(operator)?])
}

/// Returns the first release with a higher number at `position`.
fn next(release: &[u64], position: usize) -> Vec<u64> {
    let mut next: Vec<u64> = release.iter().copied().take(position + 1).collect();
    if let Some(number) = next.last_mut() {
        *number = number.saturating_add(1);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraint(text: &str) -> VersionConstraint {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn constraints_are_specifiers() {
        for (text, specifiers) in [
            ("^1.2.3", ">=1.2.3, <2"),
            ("^0", ">=0, <1"),
            ("^0.0", ">=0.0, <0.1"),
            ("^0.0.3", ">=0.0.3, <0.0.4"),
            ("^0.2.3", ">=0.2.3, <0.3"),
            ("^1.0rc1", ">=1.0rc1, <2"),
            ("^1!2.0", ">=1!2.0, <1!3"),
            ("~1", ">=1, <2"),
            ("~1.2.3", ">=1.2.3, <1.3"),
            ("~=1", ">=1, <2"),
            ("~=1.2.3", "~=1.2.3"),
            ("1.2.*", "==1.2.*"),
            ("!=1.2.*", "!=1.2.*"),
            (">=3.6.*", ">=3.6"),
            ("*", ""),
            ("1.2", "==1.2"),
            ("> 1.0 , <2,", ">1.0, <2"),
            (">=1 <2", ">=1, <2"),
            (">=1<2", ">=1, <2"),
        ] {
            assert_eq!(constraint(text), VersionConstraint(vec![specifiers.parse().unwrap()]), "{text}");
        }
        assert_eq!(constraint("==1.2 | ^2||3.*").0.len(), 3);
    }

    #[test]
    fn texts_that_are_no_constraints_are_refused() {
        for text in ["", "||", "^", ">=", "1.2.x", "1 ||", "=>1", "^^1", "1rc1.*", "foo", "~=1.*.*x", "é"] {
            assert!(text.parse::<VersionConstraint>().is_err(), "{text}");
        }
    }

    #[test]
    fn constraints_on_python_become_specifiers() {
        for (text, specifiers) in [
            ("^3.9", ">=3.9, <4"),
            (">=3.9,<4.0", ">=3.9, <4.0"),
            ("~3.11", ">=3.11, <3.12"),
            ("3.11", "==3.11.*"),
            ("3.11.4", "==3.11.4"),
            ("*", ""),
            ("~3.9 || ~3.11", ">=3.9, !=3.10.*, <3.12"),
            ("~2.7 || >=3.5", ">=3.5"),
            ("~2.7 || <2", "<0"),
        ] {
            let found = constraint(text).on_python().to_python_specifiers();
            assert_eq!(found, specifiers.parse().unwrap(), "{text}");
        }
    }
}
