//! `project.requires-python` in pyproject.toml.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers, VersionSpecifiersParseError};

use crate::constraint::VersionConstraint;

/// `project.requires-python`. Poetry 2 also accepts its own version constraints there, such as `^3.12` and `3.12.*`. A version
/// alone would be a mistake: to Poetry, `3.12` is 3.12.0.
pub(super) struct RequiresPython(pub(super) VersionSpecifiers);

impl FromStr for RequiresPython {
    type Err = VersionSpecifiersParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let specifiers = text.parse().or_else(|error| match text.parse::<VersionConstraint>() {
            Ok(constraint) if text.parse::<Version>().is_err() => Ok(constraint.on_python().to_python_specifiers()),
            _ => Err(error),
        })?;
        Ok(Self(specifiers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_of_poetry_are_accepted() {
        for (text, expected) in [
            (">=3.9,!=3.10.*", Some(">=3.9, !=3.10.*")),
            ("^3.12", Some(">=3.12, <4")),
            ("3.12.*", Some("==3.12.*")),
            ("~3.12", Some(">=3.12, <3.13")),
            (">=3.11 <3.13", Some(">=3.11, <3.13")),
            ("3.12", None),
            ("three", None),
        ] {
            let found = text.parse().ok().map(|RequiresPython(specifiers)| specifiers.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
