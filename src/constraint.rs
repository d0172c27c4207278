//! Poetry's version constraints: `^1.2`, `~1.2`, `1.*`, `>=3.9,<4 || ^5`.
//!
//! Specification: [Poetry, version constraints](https://python-poetry.org/docs/dependency-specification/#version-constraints).
//! Those that are also specifiers of PEP 440 have the meaning of
//! [PyPA, version specifiers](https://packaging.python.org/en/latest/specifications/version-specifiers/#version-specifiers).

use std::collections::BTreeSet;
use std::str::FromStr;

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

use crate::marker::contains;

/// The last minor version of Python 3 to which a constraint with alternatives is expanded.
const LAST_MINOR: u64 = 40;

/// The last patch version to which it is expanded.
const LAST_PATCH: u64 = 40;

/// A constraint on versions: alternatives, one of which must be satisfied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionConstraint(Vec<VersionSpecifiers>);

/// An invalid version constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid version constraint: {reason}", .constraint.escape_debug())]
pub struct InvalidConstraint {
    /// The text.
    pub constraint: String,
    /// What is wrong.
    pub reason: String,
}

impl VersionConstraint {
    /// Returns the constraint that every version satisfies.
    pub(crate) fn any() -> Self {
        Self(vec![VersionSpecifiers::empty()])
    }

    /// Returns whether a version satisfies the constraint; pre-releases count like any other version.
    pub fn allows(&self, version: &Version) -> bool {
        self.0.iter().any(|specifiers| specifiers.iter().all(|specifier| contains(specifier, version)))
    }

    /// Returns the constraint as one on Python versions, where `3.9` means every patch release of 3.9.
    pub(crate) fn on_python(self) -> Self {
        Self(self.0.iter().map(|specifiers| specifiers.iter().map(with_patch_releases).collect()).collect())
    }

    /// Returns specifiers that the same versions of Python 3 satisfy. Specifiers cannot express alternatives, so these are
    /// expanded to minor versions, each of which is included if any of its patch releases is allowed.
    pub(crate) fn to_python_specifiers(&self) -> VersionSpecifiers {
        if let [only] = &self.0[..] {
            return only.clone();
        }
        let allowed: BTreeSet<u64> = (0..=LAST_MINOR)
            .filter(|minor| (0..=LAST_PATCH).any(|patch| self.allows(&Version::new([3, *minor, patch]))))
            .collect();
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
        // Both `||` and `|` separate alternatives.
        let alternatives = text.replace("||", "|");
        let parsed = alternatives.split('|').map(parse_conjunction).collect::<Result<_, String>>();
        parsed.map(Self).map_err(|reason| InvalidConstraint { constraint: text.to_owned(), reason })
    }
}

/// Widens `3.9` to every patch release of 3.9.
fn with_patch_releases(specifier: &VersionSpecifier) -> VersionSpecifier {
    let release = specifier.version().release();
    if *specifier.operator() == Operator::Equal && release.len() <= 2 {
        VersionSpecifier::equals_star_version(Version::new(release.iter().copied()))
    } else {
        specifier.clone()
    }
}

fn is_separator(character: char) -> bool {
    character == ',' || character.is_whitespace()
}

/// Parses terms that are separated by commas or spaces.
fn parse_conjunction(text: &str) -> Result<VersionSpecifiers, String> {
    let mut specifiers = Vec::new();
    let mut rest = text.trim_matches(is_separator);
    if rest.is_empty() {
        return Err("missing version".to_owned());
    }
    while !rest.is_empty() {
        let (operator, after) =
            rest.split_at(rest.find(|character| !"<>=!~^".contains(character)).unwrap_or(rest.len()));
        let after = after.trim_start();
        let mut characters = after.char_indices();
        let end = characters.find(|(at, character)| {
            // A `!` without `=` belongs to a version, whose epoch it ends.
            is_separator(*character) || "<>=~^".contains(*character) || after[*at..].starts_with("!=")
        });
        let end = end.map_or(after.len(), |(at, _)| at);
        let (version, after) = after.split_at(end);
        specifiers.extend(parse_term(operator, version)?);
        rest = after.trim_start_matches(is_separator);
    }
    Ok(specifiers.into_iter().collect())
}

/// Parses a term, and returns the specifiers that it stands for, all of which a version must satisfy.
fn parse_term(operator: &str, text: &str) -> Result<Vec<VersionSpecifier>, String> {
    if matches!(text, "*" | "x" | "X") {
        return Ok(Vec::new());
    }
    let (text, is_wildcard) = match text.strip_suffix(".*") {
        Some(prefix) => (prefix.trim_end_matches(".*"), true),
        None => (text, false),
    };
    let version: Version = text.parse().map_err(|_| format!("`{}` is not a valid version", text.escape_debug()))?;
    let release = version.release();
    let operator = match (operator, is_wildcard) {
        // The first number that is not zero must not change.
        ("^", _) => {
            let significant = release.iter().position(|number| *number > 0).unwrap_or(release.len().saturating_sub(1));
            return Ok(range_to(&version, next_release(release, significant)));
        }
        ("~", _) => return Ok(range_to(&version, next_release(release, usize::from(release.len() > 1)))),
        ("~=", _) if release.len() < 2 => return Ok(range_to(&version, next_release(release, 0))),
        ("~=", _) => Operator::TildeEqual,
        ("" | "=" | "==", true) => Operator::EqualStar,
        ("!=" | "<>", true) => Operator::NotEqualStar,
        ("" | "=" | "==", false) => Operator::Equal,
        ("!=" | "<>", false) => Operator::NotEqual,
        ("<", _) => Operator::LessThan,
        ("<=", _) => Operator::LessThanEqual,
        (">", _) => Operator::GreaterThan,
        (">=", _) => Operator::GreaterThanEqual,
        _ => return Err(format!("`{operator}` is not a valid operator")),
    };
    // A wildcard matches a prefix of release numbers.
    if is_wildcard && (version.any_prerelease() || version.is_post() || version.is_local()) {
        return Err("a wildcard can only follow a release number".to_owned());
    }
    let specifier = VersionSpecifier::from_version(operator, version).map_err(|error| error.to_string())?;
    Ok(vec![specifier])
}

/// Returns the specifiers of the versions from one version up to a release, which is excluded.
fn range_to(version: &Version, end: Vec<u64>) -> Vec<VersionSpecifier> {
    let end = Version::new(end).with_epoch(version.epoch());
    let start = VersionSpecifier::greater_than_equal_version(version.clone());
    vec![start, VersionSpecifier::less_than_version(end)]
}

/// Returns the first release with a higher number at `position`.
fn next_release(release: &[u64], position: usize) -> Vec<u64> {
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
    fn constraints_are_parsed_into_specifiers() {
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
    fn invalid_constraints_are_refused() {
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
