//! The audit of imports over what was built.

use std::collections::BTreeSet;

use super::Audited;
use crate::audit::imports::{ImportFinding, Imports};
use crate::build::BuildError;
use crate::report::AuditReport;
use crate::tree::Origin;

/// Returns what is wrong with the application's imports and syntax; adds the distributions that nothing imports to the
/// report.
pub fn audit(audited: &Audited, _: &mut AuditReport) -> Result<Vec<ImportFinding>, BuildError> {
    let plan = audited.plan;
    let own: BTreeSet<_> = plan.projects().map(|(selected, _)| &selected.name).collect();
    let is_own = |origin: &Origin| match origin {
        Origin::Application => true,
        Origin::Distribution(distribution) => own.contains(&distribution.name),
    };
    let brought = BTreeSet::new();
    let imports = Imports {
        roots: audited.roots,
        python: plan.target.python,
        is_own: &is_own,
        brought: &brought,
        allowed: &audited.settings.allow_missing,
        started: audited.started,
    };
    Ok(imports.audit().findings)
}
