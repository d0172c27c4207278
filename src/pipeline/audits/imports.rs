//! Runs the audit of imports over an artifact.

use std::collections::BTreeSet;

use super::remedies::Remedies;
use super::{Audited, unused};
use crate::audit::AuditFinding;
use crate::audit::command::{StartFinding, StartProblem};
use crate::audit::imports::{ImportAudit, ImportFinding, MissingModule, OwnModule, UnreachedModules, modules_of};
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::report::AuditReport;

/// The top-level modules that a Lambda runtime provides besides the SDK: awslambdaric with its requirements (from its
/// metadata), and the modules that the service starts it with.
const OF_RUNTIME: [&str; 5] = ["awslambdaric", "bootstrap", "runtime_client", "simplejson", "snapshot_restore_py"];

/// What the audit of imports finds.
pub(super) struct ImportResults<'a> {
    /// The problems with the application's imports and syntax, and with what the command names.
    pub findings: Vec<AuditFinding>,
    /// The application's modules.
    pub modules: Vec<OwnModule<'a>>,
    /// The distributions that the application imports.
    pub used: BTreeSet<DistributionName>,
    /// The extension modules that cannot be loaded, but that nothing certainly imports.
    pub unloaded: BTreeSet<String>,
}

/// Audits the application's imports, and the modules that the command names. Adds the distributions that nothing imports to
/// the report, and the problems of modules that are not reached.
///
/// # Errors
/// The base cannot be read.
pub(super) fn audit<'a>(
    audited: &Audited<'a>,
    mut starts: Vec<StartFinding>,
    broken_extensions: &BTreeSet<String>,
    report: &mut AuditReport,
) -> Result<ImportResults<'a>, BuildError> {
    let plan = audited.plan;
    let projects = plan.project_names();
    let root = plan.selected.iter().find(|selected| selected.is_root()).map(|root| BTreeSet::from([&root.name]));
    let audit = ImportAudit {
        roots: audited.roots,
        // In images, site-packages comes after the standard library (site.py); Lambda puts the function and layers first.
        after_standard_library: (!audited.runs_on_lambda())
            .then_some(&*audited.deployment.schemes.dependencies.site_packages),
        python: plan.target.python,
        is_own: &|origin| origin.is_own(&projects),
        is_root: &|origin| root.as_ref().is_none_or(|root| origin.is_own(root)),
        provided: &provided_modules(audited.provided),
        allowed: &audited.settings.audit.allow_missing,
        started: audited.started,
        command: audited.command,
        broken_extensions,
    };
    let mut audit = audit.run();
    let mut remedies = Remedies::new(audited);
    for finding in &mut audit.findings {
        if let ImportFinding::MissingModule(missing) = finding
            && missing.hidden.is_none()
        {
            missing.is_certain &= !audited.has_unknown_layers;
            if missing.importer.is_some() && is_excluded(audited, missing) {
                missing.is_certain = false;
            }
            remedies.add(missing);
        }
    }
    starts.append(&mut audit.starts);
    let allowed = &audited.settings.audit.allow_missing;
    starts.retain(|start| start.missing().is_none_or(|name| !allowed.contains(name)));
    let mut findings: Vec<AuditFinding> = Vec::new();
    for mut start in starts {
        match &mut start.problem {
            StartProblem::MissingModule(missing) => match in_base(audited, &missing.module)? {
                Some(true) => continue,
                is_known => {
                    start.is_error &= is_known.is_some();
                    if missing.remedies.is_empty() {
                        remedies.add(missing);
                    }
                }
            },
            StartProblem::MissingExecutable { name, package, hints } if hints.is_empty() => {
                *hints = remedies.of_executable(name, package.is_some());
            }
            _ => {}
        }
        findings.push(start.into());
    }
    // A layer contains what functions import.
    if !audit.modules.is_empty() && audited.settings.has_application {
        report.unused = unused::unused(audited, &audit.used, &projects);
    }
    report.unreached = audit.unreached.iter().map(ToString::to_string).collect();
    findings.extend(audit.findings.into_iter().map(AuditFinding::from));
    if let Some(first) = report.unreached.first() {
        let modules: BTreeSet<&str> = audit.unreached.iter().flat_map(ImportFinding::paths).collect();
        let unreached = UnreachedModules {
            modules: modules.len(),
            findings: report.unreached.len(),
            first: first.clone(),
            entry: audit.entry,
        };
        findings.push(unreached.into());
    }
    Ok(ImportResults { findings, modules: audit.modules, used: audit.used, unloaded: audit.unloaded })
}

/// Returns whether the user excludes a distribution that may provide a module: then something else may be meant to provide it.
fn is_excluded(audited: &Audited, missing: &MissingModule) -> bool {
    let excluded = &audited.settings.request.no_install_packages;
    let mut providers = missing.providers.names().iter().filter_map(|name| name.parse().ok());
    providers.any(|name: DistributionName| excluded.contains(&name))
}

/// Returns whether the base has a module in a directory that Python searches; `None` if that is not known.
fn in_base(audited: &Audited, module: &str) -> Result<Option<bool>, BuildError> {
    let below = module.replace('.', "/");
    let mut is_known = true;
    for root in audited.roots {
        let stem = format!("{}/{below}", root.site_packages);
        for path in [format!("{stem}.py"), stem] {
            match (audited.deployment.base_has)(path.trim_start_matches('/'))? {
                Some(true) => return Ok(Some(true)),
                Some(false) => {}
                None => is_known = false,
            }
        }
    }
    Ok(is_known.then_some(false))
}

/// Returns the top-level modules that the runtime provides.
fn provided_modules(distributions: &[DistributionName]) -> BTreeSet<String> {
    let of_runtime = OF_RUNTIME.iter().filter(|_| !distributions.is_empty()).map(|module| (*module).to_owned());
    distributions.iter().flat_map(modules_of).chain(of_runtime).collect()
}
