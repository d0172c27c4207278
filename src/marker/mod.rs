//! Environment markers: parsing and evaluation.
//!
//! Specification: [PyPA, dependency specifiers](https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers),
//! with the additions of [PEP 751](https://peps.python.org/pep-0751/) (`extras`, `dependency_groups`).

use std::collections::BTreeSet;

use crate::target::MarkerEnvironment;

/// A parsed marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    _todo: (),
}

/// The extras and groups that hold while a marker is evaluated. uv encodes conflicts as values of `extra`
/// (`extra-3-foo-bar`, `group-3-foo-bar`, `project-3-foo`), so `extras` holds plain strings.
#[derive(Debug, Clone, Default)]
pub struct ActiveExtras {
    /// Values for which `extra == '…'` (and PEP 751's `'…' in extras`) holds.
    pub extras: BTreeSet<String>,
    /// Values for which PEP 751's `'…' in dependency_groups` holds.
    pub groups: BTreeSet<String>,
}

/// A text that is no marker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{marker}` is not a marker: {reason} at character {position}")]
pub struct InvalidMarker {
    /// The text.
    pub marker: String,
    /// What is wrong.
    pub reason: String,
    /// Where, in characters from the beginning, from 0.
    pub position: usize,
}

impl std::str::FromStr for Marker {
    type Err = InvalidMarker;
    fn from_str(_: &str) -> Result<Self, InvalidMarker> {
        unimplemented!()
    }
}

impl Marker {
    /// Returns whether the marker holds.
    pub fn evaluate(&self, _environment: &MarkerEnvironment, _active: &ActiveExtras) -> bool {
        unimplemented!()
    }
}
