//! Environment markers, and requirements, which may have one.
//!
//! Specification: [PyPA, dependency specifiers](https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers),
//! with the additions of [PEP 751](https://peps.python.org/pep-0751/) (`extras`, `dependency_groups`). Where the
//! specification leaves a choice, PyPA's library `packaging` 26 is followed.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::hints::Hints;
use crate::platform::MarkerEnvironment;

mod cursor;
mod evaluate;
mod parse;
pub mod requirement;
mod specifier;
#[cfg(test)]
mod tests;

use cursor::{Cursor, DependencySyntaxError};
use parse::MarkerExpression;

pub use requirement::{InvalidRequirement, Requirement, VersionOrUrl};
pub use specifier::contains;

/// A parsed marker, for instance `python_version < "3.11" and extra == "async"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker(MarkerExpression);

/// The active extras and groups during the evaluation of a marker. They are normalized names, but `extras` contains plain
/// strings, because uv encodes conflicts as values of `extra` (`extra-3-foo-bar`, `group-3-foo-bar`, `project-3-foo`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveExtras {
    /// Values for which `extra == '…'` (and PEP 751's `'…' in extras`) holds.
    pub extras: BTreeSet<String>,
    /// Values for which PEP 751's `'…' in dependency_groups` holds.
    pub groups: BTreeSet<String>,
}

/// An invalid marker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid marker: {reason}, at character {position}", cursor::printable(.marker))]
pub struct InvalidMarker {
    /// The text.
    pub marker: String,
    /// What is wrong.
    pub reason: String,
    /// The position of the error, in characters from 0.
    pub position: usize,
    hint: Option<String>,
}

impl Hints for InvalidMarker {
    fn hints(&self) -> Vec<String> {
        self.hint.iter().cloned().collect()
    }
}

impl FromStr for Marker {
    type Err = InvalidMarker;

    fn from_str(text: &str) -> Result<Self, InvalidMarker> {
        let mut cursor = Cursor::new(text);
        let expression = MarkerExpression::parse(&mut cursor).and_then(|expression| {
            cursor.expect_end("`and`, `or` or the end")?;
            Ok(expression)
        });
        expression.map(Self).map_err(|DependencySyntaxError { offset, reason, hint }| InvalidMarker {
            marker: text.to_owned(),
            reason,
            position: cursor::characters_before(text, offset),
            hint,
        })
    }
}

impl Marker {
    /// Returns whether the marker holds.
    ///
    /// A comparison that the specification leaves undefined, such as `os_name ~= "1.0"`, does not hold.
    pub fn evaluate(&self, environment: &MarkerEnvironment, active: &ActiveExtras) -> bool {
        self.0.evaluate(environment, active)
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
