//! Audits an artifact before it is written: what they find would fail in production.

pub(super) mod budget;
mod data_files;
mod declaration;
mod import_names;
mod imports;
mod inclusion;
mod libraries;
mod omitted;
mod remedies;
mod setuptools;
mod startup;
mod system_needs;
mod unused;

use std::collections::BTreeSet;

use startup::StartupFindings;

use crate::audit::command::StartFinding;
use crate::audit::handler::ImportRoot;
use crate::audit::imports::CommandModules;
use crate::audit::libraries::TargetSystem;
use crate::audit::{AuditFailures, AuditFinding};
use crate::cache::Cache;
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::install::{InstallSchemes, InstalledDistribution};
use crate::pipeline::plan::Plan;
use crate::report::{AuditReport, Phase, Reporter, RunningPhase};
use crate::settings::Settings;
use crate::tree::FileTree;

/// How many warnings are printed: a library may have one for each tool that it integrates with.
const SHOWN: usize = 8;

/// An artifact that is audited.
pub(super) struct Audited<'a> {
    pub plan: &'a Plan<'a>,
    pub settings: &'a Settings,
    pub distributions: &'a [InstalledDistribution<'a>],
    /// The directories that modules are imported from, in the order of Python's search path.
    pub roots: &'a [ImportRoot<'a>],
    /// The modules that are started; empty if they are not known.
    pub started: &'a [String],
    /// The modules that the command of an image names.
    pub command: &'a CommandModules,
    /// The directory of the application's files in the tree; empty for the root.
    pub application: &'a str,
    /// The working directory of the process in the tree; `None` if it is not known.
    pub working_directory: Option<&'a str>,
    /// The distributions that the runtime provides.
    pub provided: &'a [DistributionName],
    /// Whether a function has layers that may contain what is missing.
    pub has_unknown_layers: bool,
    pub deployment: &'a Deployment<'a>,
    pub cache: &'a Cache,
}

impl Audited<'_> {
    /// Tells whether the artifact is a Lambda function, where console scripts do not run.
    fn runs_on_lambda(&self) -> bool {
        !self.provided.is_empty()
    }

    /// Returns the path in the tree of a file of the application.
    fn in_application(&self, path: &str) -> String {
        if self.application.is_empty() { path.to_owned() } else { format!("{}/{path}", self.application) }
    }
}

/// The trees of an artifact as they are deployed, and what the target provides besides.
pub(super) struct Deployment<'a> {
    /// Each tree, and the directory that it is unpacked to, for instance `/var/task`.
    pub trees: &'a [(&'a FileTree, &'a str)],
    pub schemes: InstallSchemes<'a>,
    /// Returns what the target provides, as far as it is known, or has to be looked up for the given libraries.
    pub system: &'a dyn Fn(&BTreeSet<&str>) -> Result<TargetSystem, BuildError>,
    /// Returns whether the base has a file or a directory at a path; `None` if that is not known.
    pub base_has: &'a dyn Fn(&str) -> Result<Option<bool>, BuildError>,
    /// Returns whether an executable is on the target's `PATH`; `None` if that is not known.
    pub has_executable: &'a dyn Fn(&str) -> Result<Option<bool>, BuildError>,
}

/// Runs every audit, warns about what may fail, and reports the rest. `starts` is why the command does not start, apart from
/// modules.
///
/// # Errors
/// Something would fail: one error lists everything. Or a file cannot be read.
pub(super) fn audit(
    audited: &Audited,
    starts: Vec<StartFinding>,
    reporter: &dyn Reporter,
) -> Result<AuditReport, BuildError> {
    let mut report = AuditReport::default();
    if audited.settings.audit.skip {
        return Ok(report);
    }
    let auditing = RunningPhase::start(reporter, Phase::Audit, 0);
    let mut libraries = libraries::audit(audited, &BTreeSet::new())?;
    let broken =
        libraries.iter().filter(|finding| finding.is_error).flat_map(|finding| finding.loaded.clone()).collect();
    let imports = imports::audit(audited, starts, &broken, &mut report)?;
    if !imports.unloaded.is_empty() {
        libraries = libraries::audit(audited, &imports.unloaded)?;
    }
    let mut findings: Vec<AuditFinding> = libraries.into_iter().map(AuditFinding::from).collect();
    findings.extend(imports.findings);
    findings.extend(system_needs::audit(audited, &imports.used)?.into_iter().map(AuditFinding::from));
    findings.extend(data_files::audit(audited, &imports.modules).into_iter().map(AuditFinding::from));
    let StartupFindings { shadowed, unresolved } = startup::audit(audited, &mut report)?;
    findings.extend(unresolved.into_iter().map(AuditFinding::from));
    // One finding for each module: that it stops the runtime says most, and that it replaces another one least.
    findings.retain(|finding| {
        let path = finding.replacing();
        !shadowed.iter().any(|shadowed| shadowed.stops_runtime && Some(&*shadowed.path) == path)
    });
    let new = shadowed
        .into_iter()
        .filter(|shadowed| !findings.iter().any(|finding| finding.replacing() == Some(&shadowed.path)))
        .map(AuditFinding::from)
        .collect::<Vec<_>>();
    findings.extend(new);
    auditing.finish();
    let (errors, warnings): (Vec<AuditFinding>, Vec<AuditFinding>) =
        findings.into_iter().partition(AuditFinding::is_error);
    report.warnings = warnings.iter().map(ToString::to_string).collect();
    let (shown, rest) = report.warnings.split_at(SHOWN.min(report.warnings.len()));
    shown.iter().for_each(|warning| reporter.warn(warning));
    if !rest.is_empty() {
        reporter.warn(&format!("{} more warnings like these: see `audit.warnings` with --json", rest.len()));
    }
    if errors.is_empty() { Ok(report) } else { Err(AuditFailures(errors).into()) }
}
