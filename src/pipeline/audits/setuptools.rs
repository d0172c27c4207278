//! Modules that are missing although setuptools is in the artifact.

use super::Audited;
use super::declaration::RequirementsDeclaration;

/// Explains why setuptools does not provide a module.
pub(super) fn explain(audited: &Audited, module: &str) -> Option<String> {
    if !audited.plan.installed().any(|selected| selected.name.as_str() == "setuptools") {
        return None;
    }
    match module {
        "distutils" => Some(
            "write `import setuptools` before this import: setuptools provides it, but its .pth file is only read in site-packages"
                .to_owned(),
        ),
        "pkg_resources" => {
            let addition = RequirementsDeclaration::of(audited.plan).addition("setuptools<82", "setuptools<82");
            Some(format!("setuptools has not contained `pkg_resources` since version 82: {addition}"))
        }
        _ => None,
    }
}
