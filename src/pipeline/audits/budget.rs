//! The size that the user allows for an artifact.

use std::collections::BTreeMap;

use crate::pipeline::error::over_budget::OverBudget;
use crate::pipeline::install::InstalledDistribution;
use crate::settings::SizeLimit;

/// How many distributions an error names.
const NAMED: usize = 5;

/// Checks the size of an artifact as it is stored: of the zips of a function together, or of an image's layers for one
/// platform, with those of the base.
///
/// # Errors
/// It is larger than the limit.
pub(crate) fn check(
    limit: Option<&SizeLimit>,
    size: u64,
    distributions: &[InstalledDistribution],
) -> Result<(), OverBudget> {
    let Some(limit) = limit.filter(|limit| size > limit.bytes) else { return Ok(()) };
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    for distribution in distributions {
        let stored: u64 = distribution.files.iter().map(|(_, entry)| entry.content.stored_size()).sum();
        *sizes.entry(distribution.selected.name.to_string()).or_default() += stored;
    }
    let mut largest: Vec<(String, u64)> = sizes.into_iter().collect();
    largest.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    largest.truncate(NAMED);
    Err(OverBudget { size, limit: limit.clone(), largest })
}
