//! Runs the audit of imports over an artifact.

use std::collections::BTreeSet;

use super::remedies::Remedies;
use super::{Audited, unused};
use crate::audit::imports::{ImportAudit, ImportFinding, modules_of};
use crate::name::DistributionName;
use crate::report::AuditReport;
use crate::tree::FileOrigin;

/// The top-level modules that a Lambda runtime provides besides the SDK: awslambdaric with its requirements (from its
/// metadata), and the modules that the service starts it with.
const OF_RUNTIME: [&str; 5] = ["awslambdaric", "bootstrap", "runtime_client", "simplejson", "snapshot_restore_py"];

/// Returns the problems with the application's imports and syntax, and adds the distributions that nothing imports to
/// the report.
pub(super) fn audit(audited: &Audited, report: &mut AuditReport) -> Vec<ImportFinding> {
    let plan = audited.plan;
    let own: BTreeSet<&DistributionName> = plan.projects().map(|(selected, _)| &selected.name).collect();
    let is_own = |origin: &FileOrigin| match origin {
        FileOrigin::Application => true,
        FileOrigin::Distribution(distribution) => own.contains(&distribution.name),
    };
    let root = plan.selected.iter().find(|selected| selected.is_root()).map(|root| &root.name);
    let is_root = |origin: &FileOrigin| match origin {
        FileOrigin::Application => true,
        FileOrigin::Distribution(distribution) => root.is_none_or(|root| distribution.name == *root),
    };
    let audit = ImportAudit {
        roots: audited.roots,
        python: plan.target.python,
        is_own: &is_own,
        is_root: &is_root,
        provided: &brought(audited.brought),
        allowed: &audited.settings.audit.allow_missing,
        started: audited.started,
    };
    let mut audit = audit.run();
    let mut remedies = Remedies::new(audited);
    for finding in &mut audit.findings {
        if let ImportFinding::MissingModule(missing) = finding {
            remedies.add(missing);
        }
    }
    if audit.modules > 0 {
        report.unused = unused::unused(audited, &audit.used, &is_own);
    }
    audit.findings
}

/// Returns the top-level modules that the runtime provides.
fn brought(distributions: &[DistributionName]) -> BTreeSet<String> {
    let of_runtime = OF_RUNTIME.iter().filter(|_| !distributions.is_empty()).map(|module| (*module).to_owned());
    distributions.iter().flat_map(modules_of).chain(of_runtime).collect()
}
