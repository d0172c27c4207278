//! Versions that satisfy a version specifier.
//!
//! Specification: [PyPA, version specifiers](https://packaging.python.org/en/latest/specifications/version-specifiers/#version-specifiers).

use pep440_rs::{Operator, Version, VersionSpecifier};

/// Returns whether `version` satisfies `specifier`; pre-releases count like any other version.
///
/// [`VersionSpecifier::contains`] of `pep440_rs` differs from the specification in three rules.
pub fn contains(specifier: &VersionSpecifier, version: &Version) -> bool {
    let bound = specifier.version();
    match specifier.operator() {
        // Version matching: the version is padded with zeros, so that 3.12 does not match `3.12.1.*`.
        Operator::EqualStar | Operator::NotEqualStar => {
            let missing = bound.release().len().saturating_sub(version.release().len());
            let padded = version.release().iter().copied().chain(std::iter::repeat_n(0, missing));
            specifier.contains(&version.clone().with_release(padded))
        }
        // Exclusive ordered comparison: `<V` allows no pre-release of V, unless V itself is one.
        Operator::LessThan if bound.any_prerelease() => version.clone().without_local() < *bound,
        Operator::LessThan => *version < bound.clone().with_dev(Some(0)),
        // `>V` allows no post-release of V, unless V itself is one, and no local version of V.
        Operator::GreaterThan => {
            let public = version.clone().without_local();
            let released = public.clone().with_post(None).with_dev(None);
            public > *bound && (bound.is_post() || !public.is_post() || released != *bound)
        }
        _ => specifier.contains(version),
    }
}
