//! Wheels that break the specification, but that pip and uv install.

use std::collections::BTreeSet;

use crate::name::DistributionName;
use crate::report::Reporter;
use crate::wheel::{Wheel, WheelError};

/// Refuses wheels with violations, and warns of those that are accepted.
pub(super) fn check<'a>(
    wheels: impl Iterator<Item = &'a Wheel>,
    accepted: &BTreeSet<DistributionName>,
    reporter: &dyn Reporter,
) -> Result<(), WheelError> {
    for Wheel { filename, inventory, .. } in wheels {
        if !accepted.contains(&inventory.name) {
            inventory.require_valid(filename)?;
        }
        if let [first, others @ ..] = &inventory.violations[..] {
            let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
            reporter.warn(&format!("{filename} is installed as pip does, although it is invalid: {first}{more}"));
        }
    }
    Ok(())
}
