//! Whether the wheels of a plan support the target's Python, as their `Requires-Python` says.
//!
//! Specification: [PyPA, core metadata, Requires-Python](https://packaging.python.org/en/latest/specifications/core-metadata/#requires-python).
//! A lock does not guarantee it: requirements files and flat indexes state nothing, and what is built from source is known
//! only after the build. Upper bounds and exclusions are warnings, because uv ignores them when it locks and when it syncs
//! ([resolution](https://docs.astral.sh/uv/concepts/resolution/)): what runs in development is not refused here.

use pep440_rs::{Operator, VersionSpecifier, VersionSpecifiers};

use crate::index::requires_python;
use crate::pipeline::BuildError;
use crate::pipeline::error::incompatible::IncompatiblePython;
use crate::platform::{PythonVersion, TargetPlatform};
use crate::report::Reporter;
use crate::wheel::Wheel;
use crate::wheel::filename::WheelFilename;

/// The `Requires-Python` of a wheel.
pub(super) struct StatedPython<'a> {
    pub(super) wheel: &'a WheelFilename,
    pub(super) requires_python: Option<&'a str>,
}

impl<'a> StatedPython<'a> {
    pub(super) fn of(wheel: &'a Wheel) -> Self {
        Self { wheel: &wheel.filename, requires_python: wheel.inventory.requires_python.as_deref() }
    }
}

/// Checks that every wheel supports the target's Python. An invalid specifier is ignored, as by pip.
///
/// # Errors
/// [`BuildError::IncompatiblePython`], for the first wheel that needs a newer Python or exactly another one.
pub(super) fn check<'a>(
    wheels: impl Iterator<Item = StatedPython<'a>>,
    target: &TargetPlatform,
    reporter: &dyn Reporter,
) -> Result<(), BuildError> {
    for StatedPython { wheel, requires_python } in wheels {
        let Some((requires_python, exclusion)) = requires_python.and_then(|stated| excluded(stated, target.python))
        else {
            continue;
        };
        let error = IncompatiblePython {
            wheel: wheel.to_string(),
            requires_python,
            target: target.to_string(),
            python: target.python,
        };
        match exclusion {
            Exclusion::TooNew => reporter.warn(&error.to_string()),
            Exclusion::Unsupported => return Err(BuildError::from(Box::new(error))),
        }
    }
    Ok(())
}

/// How a `Requires-Python` excludes a version of Python.
#[derive(Debug, PartialEq, Eq)]
enum Exclusion {
    /// By an upper bound or as an exception, which uv ignores.
    TooNew,
    /// By a lower bound, or because it names other versions.
    Unsupported,
}

/// Returns the versions that a `Requires-Python` allows and how it excludes `python`; `None` if it allows it.
fn excluded(requires_python: &str, python: PythonVersion) -> Option<(VersionSpecifiers, Exclusion)> {
    let allowed = requires_python::parse(requires_python)?;
    if python.is_allowed_by(&allowed) {
        return None;
    }
    let without_upper_bounds: VersionSpecifiers =
        allowed.iter().filter(|specifier| !is_ignored_by_uv(specifier)).cloned().collect();
    let exclusion =
        if python.is_allowed_by(&without_upper_bounds) { Exclusion::TooNew } else { Exclusion::Unsupported };
    Some((allowed, exclusion))
}

fn is_ignored_by_uv(specifier: &VersionSpecifier) -> bool {
    matches!(
        specifier.operator(),
        Operator::LessThan | Operator::LessThanEqual | Operator::NotEqual | Operator::NotEqualStar
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_specifier_is_compared() {
        let python = PythonVersion::new(12);
        for (stated, expected) in [
            (">=3.9", None),
            (">=3.12.4", None),
            ("~=3.8", None),
            (">=3.13", Some((">=3.13", Exclusion::Unsupported))),
            (">=3.13,<4", Some((">=3.13, <4", Exclusion::Unsupported))),
            ("==3.11.*", Some(("==3.11.*", Exclusion::Unsupported))),
            (">=3.8,<3.12", Some((">=3.8, <3.12", Exclusion::TooNew))),
            ("!=3.12.*", Some(("!=3.12.*", Exclusion::TooNew))),
            // What pip and uv repair, and what nobody understands.
            (">=3.13.*", Some((">=3.13", Exclusion::Unsupported))),
            ("three", None),
        ] {
            let found = excluded(stated, python);
            let found = found.map(|(allowed, exclusion)| (allowed.to_string(), exclusion));
            let expected = expected.map(|(allowed, exclusion)| (allowed.to_owned(), exclusion));
            assert_eq!(found, expected, "{stated}");
        }
    }
}
