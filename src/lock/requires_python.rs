//! The check of a lock's `requires-python`, and the environment in which its markers are evaluated.

use std::path::Path;

use pep440_rs::{Version, VersionSpecifiers};

use super::error::LockError;
use crate::platform::{LambdaProfile, MarkerEnvironment, TargetPlatform};

/// The highest patch version of Python to try.
const HIGHEST_PATCH: u64 = 99;

/// Returns the marker environment of a target, after refusing a target whose Python the lock does not allow.
pub(super) fn environment(
    path: &Path,
    requires_python: &VersionSpecifiers,
    target: &TargetPlatform,
) -> Result<MarkerEnvironment, LockError> {
    environment_if(path, target, |version| requires_python.contains(version), || requires_python.clone())
}

/// As [`environment`], for a lock that allows versions in its own way, which `specifiers` describes.
pub(super) fn environment_if(
    path: &Path,
    target: &TargetPlatform,
    allows: impl Fn(&Version) -> bool,
    specifiers: impl FnOnce() -> VersionSpecifiers,
) -> Result<MarkerEnvironment, LockError> {
    let environment = target.marker_environment();
    if allows(&environment.python_full_version) {
        return Ok(environment);
    }
    // A range may begin or end within a minor version, and the runtime's patch version is not known.
    let mut patches = (0..=HIGHEST_PATCH).map(|patch| target.python.patch_release(patch));
    let version = patches.find(allows).ok_or_else(|| {
        let requires_python = specifiers();
        LockError::IncompatiblePython {
            path: path.to_owned(),
            target: target.name.clone(),
            python: target.python,
            requires_python: requires_python.to_string(),
            pythons: flags_of_allowed(&requires_python, target),
        }
    })?;
    Ok(MarkerEnvironment::new(&version, target.architecture))
}

/// Returns the flags that select a version of Python that is allowed.
fn flags_of_allowed(requires_python: &VersionSpecifiers, target: &TargetPlatform) -> Vec<String> {
    let allowed = LambdaProfile::all().filter(|profile| profile.python.is_allowed_by(requires_python));
    allowed.map(|profile| target.python_flag(profile.python)).collect()
}
