//! Runs the audit of code that starts by itself.

use super::Audited;
use crate::audit::startup::{ImplicitCodeKind, ShadowedModule, StartupAudit, UnresolvedEntryPoint};
use crate::pipeline::BuildError;
use crate::pipeline::install::InstalledDistribution;
use crate::platform::PythonVersion;
use crate::report::{AuditReport, ImplicitCodeReport};
use crate::tree::FileOrigin;

/// Problems with code that starts by itself.
pub(super) struct StartupFindings {
    /// The modules that replace those of the standard library.
    pub shadowed: Vec<ShadowedModule>,
    pub unresolved: Vec<UnresolvedEntryPoint>,
}

/// Adds implicit code to the report, and returns the problems with it.
///
/// # Errors
/// A file cannot be read.
pub(super) fn audit(audited: &Audited, report: &mut AuditReport) -> Result<StartupFindings, BuildError> {
    let python = audited.plan.target.python;
    let audit = StartupAudit {
        roots: audited.roots,
        python,
        // In images, site-packages comes after the standard library (site.py); Lambda puts the function and layers first.
        precedes_standard_library: audited.runs_on_lambda(),
    };
    let (mut shadowed, mut unresolved_entry_points) = (Vec::new(), Vec::new());
    for code in audit.run().map_err(BuildError::Temporary)? {
        let distribution = match &code.origin {
            FileOrigin::Distribution(distribution) => Some(distribution.to_string()),
            FileOrigin::System(_) | FileOrigin::Application => None,
        };
        report.implicit_code.push(ImplicitCodeReport {
            path: code.path.clone(),
            distribution,
            kind: code.kind.name().to_owned(),
        });
        let (path, origin) = (code.path, code.origin);
        match code.kind {
            ImplicitCodeKind::Shadow { module, stops_runtime } => {
                shadowed.push(ShadowedModule { path, origin, module, stops_runtime });
            }
            ImplicitCodeKind::StartFile { unresolved } => {
                let named = unresolved.into_iter().map(|(entry_point, reason)| UnresolvedEntryPoint {
                    path: path.clone(),
                    origin: origin.clone(),
                    entry_point,
                    reason,
                });
                unresolved_entry_points.extend(named);
            }
            ImplicitCodeKind::PathFile | ImplicitCodeKind::Customization => {}
        }
    }
    for distribution in audited.distributions.iter().filter(|distribution| !distribution.is_local_project()) {
        add_bytecode(distribution, python, report);
    }
    Ok(StartupFindings { shadowed, unresolved: unresolved_entry_points })
}

/// Adds the bytecode that a wheel contains, which may differ from the source beside it.
fn add_bytecode(distribution: &InstalledDistribution, python: PythonVersion, report: &mut AuditReport) {
    let inventory = &distribution.wheel.inventory;
    let files = inventory.files.iter().enumerate();
    let kept = files.filter(|(position, _)| !distribution.changes.omitted.contains(position));
    report.implicit_code.extend(kept.filter(|(_, file)| is_loaded(&file.path, python)).map(|(_, file)| {
        ImplicitCodeReport {
            path: file.path.clone(),
            distribution: Some(format!("{} {}", distribution.selected.name, inventory.version)),
            kind: "bytecode".to_owned(),
        }
    }));
}

/// Tells whether a version of Python loads a file as bytecode: beside its source it is named after the version.
fn is_loaded(path: &str, python: PythonVersion) -> bool {
    let Some(stem) = path.strip_suffix(".pyc") else { return false };
    let is_cached = stem.split('/').any(|part| part == "__pycache__");
    let tag = format!(".cpython-{}{}", python.major, python.minor);
    !is_cached || stem.ends_with(&tag) || stem.contains(&format!("{tag}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytecode_of_other_versions_is_not_loaded() {
        let python = PythonVersion::new(12);
        for (path, expected) in [
            ("a/__pycache__/b.cpython-312.pyc", true),
            ("a/__pycache__/b.cpython-312.opt-1.pyc", true),
            ("a/__pycache__/b.cpython-31.pyc", false),
            ("a/__pycache__/b.cpython-311.pyc", false),
            ("a/b.pyc", true),
            ("a/b.py", false),
        ] {
            assert_eq!(is_loaded(path, python), expected, "{path}");
        }
    }
}
