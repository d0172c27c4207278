//! Whether the wheels of a plan support the target's Python, as their `Requires-Python` says.
//!
//! Specification: [PyPA, core metadata, Requires-Python](https://packaging.python.org/en/latest/specifications/core-metadata/#requires-python).
//! A lock does not guarantee it: uv considers only the lower bounds of dependencies when it locks
//! ([resolution](https://docs.astral.sh/uv/concepts/resolution/)), requirements files and flat indexes state nothing, and
//! what is built from source is known only after the build.

use pep440_rs::VersionSpecifiers;
use rayon::prelude::*;

use crate::index::requires_python;
use crate::pipeline::BuildError;
use crate::pipeline::error::incompatible::IncompatiblePython;
use crate::platform::{PythonVersion, TargetPlatform};
use crate::wheel::{self, Wheel};

/// Checks that every wheel supports the target's Python. An invalid specifier is ignored, as by pip.
///
/// # Errors
/// [`BuildError::IncompatiblePython`], for the first wheel that does not, or a wheel cannot be read.
pub(super) fn check<'a>(wheels: impl Iterator<Item = &'a Wheel>, target: &TargetPlatform) -> Result<(), BuildError> {
    let wheels: Vec<&Wheel> = wheels.collect();
    let results: Vec<_> = wheels.par_iter().map(|wheel| check_wheel(wheel, target)).collect();
    results.into_iter().collect()
}

fn check_wheel(wheel: &Wheel, target: &TargetPlatform) -> Result<(), BuildError> {
    let metadata = wheel.metadata().map_err(BuildError::reading(&wheel.archive))?;
    match unsupported(&metadata, target.python) {
        None => Ok(()),
        Some(requires_python) => Err(BuildError::from(Box::new(IncompatiblePython {
            wheel: wheel.filename.to_string(),
            requires_python,
            target: target.to_string(),
            python: target.python,
        }))),
    }
}

/// Returns the versions that a METADATA says it supports, unless a version of Python is one of them.
fn unsupported(metadata: &[u8], python: PythonVersion) -> Option<VersionSpecifiers> {
    let requires_python = requires_python::parse(&wheel::requires_python(metadata)?)?;
    (!python.is_allowed_by(&requires_python)).then_some(requires_python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_specifier_is_compared() {
        let python = PythonVersion { major: 3, minor: 12 };
        for (header, unsupported_versions) in [
            ("Requires-Python: >=3.9", None),
            ("Requires-Python: >=3.12.4", None),
            ("Requires-Python: >=3.13", Some(">=3.13")),
            ("Requires-Python: >=3.8,<3.12", Some(">=3.8, <3.12")),
            ("Requires-Python: !=3.12.*", Some("!=3.12.*")),
            // What pip and uv repair, and what nobody understands.
            ("Requires-Python: >=3.13.*", Some(">=3.13")),
            ("Requires-Python: three", None),
            ("Requires-Python: ", None),
            ("Summary: none is stated", None),
        ] {
            let metadata = format!("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n{header}\n");
            let found = unsupported(metadata.as_bytes(), python).map(|versions| versions.to_string());
            assert_eq!(found.as_deref(), unsupported_versions, "{header}");
        }
    }
}
