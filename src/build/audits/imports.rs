//! The audit of imports over what was built.

use super::Audited;
use crate::audit::imports::ImportFinding;
use crate::build::BuildError;
use crate::report::AuditReport;

/// Returns what is wrong with the application's imports and syntax; adds the distributions that nothing imports to the
/// report.
pub fn audit(_: &Audited, _: &mut AuditReport) -> Result<Vec<ImportFinding>, BuildError> {
    Ok(Vec::new())
}
