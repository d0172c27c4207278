//! The audits of what was built, before anything of it is written: what they find would fail in production.

mod imports;
mod libraries;
mod remedies;
mod unused;

use super::BuildError;
use super::plan::Plan;
use super::wheels::Obtained;
use crate::audit::handler::Root;
use crate::audit::{Failures, Finding};
use crate::cache::Cache;
use crate::name::DistributionName;
use crate::report::{AuditReport, Reporter};
use crate::settings::Settings;

/// What is audited.
pub struct Audited<'a> {
    /// The plan.
    pub plan: &'a Plan<'a>,
    /// What the user wants.
    pub settings: &'a Settings,
    /// The wheels.
    pub wheels: &'a Obtained,
    /// The trees that are deployed together, in the order of Python's search path.
    pub roots: &'a [Root<'a>],
    /// The modules that are started; empty if that is not known.
    pub started: &'a [String],
    /// The distributions that the runtime brings.
    pub brought: &'a [DistributionName],
    /// Where what is found of a wheel is kept.
    pub cache: &'a Cache,
}

impl Audited<'_> {
    /// Returns whether the artifact is a Lambda function, where nobody runs scripts.
    fn runs_on_lambda(&self) -> bool {
        !self.brought.is_empty()
    }
}

/// Runs every audit, warns of what may fail, and reports the rest.
///
/// # Errors
/// Something would fail: all of it is in one error. Or a file cannot be read.
pub fn audit(audited: &Audited, reporter: &dyn Reporter) -> Result<AuditReport, BuildError> {
    let mut report = AuditReport::default();
    let mut findings: Vec<Finding> = libraries::audit(audited)?.into_iter().map(Finding::from).collect();
    findings.extend(imports::audit(audited, &mut report).into_iter().map(Finding::from));
    let (errors, warnings): (Vec<Finding>, Vec<Finding>) = findings.into_iter().partition(Finding::is_error);
    warnings.iter().for_each(|finding| reporter.warn(&finding.to_string()));
    if errors.is_empty() { Ok(report) } else { Err(Failures(errors).into()) }
}
