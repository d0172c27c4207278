//! Distributions that are named, with all that they require.

use std::collections::BTreeSet;
use std::path::Path;

use crate::lock::{Dependent, Lock, PinnedDistribution};
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::error::layer::LayerError;

/// Removes the distributions that are neither named nor required by those that are, unless none is named.
///
/// # Errors
/// One of them is not selected, or the lock does not tell what requires what.
pub(super) fn retain(
    distributions: &mut Vec<PinnedDistribution>,
    named: &BTreeSet<DistributionName>,
    lock: &Lock,
    path: Option<&Path>,
) -> Result<(), BuildError> {
    if named.is_empty() {
        return Ok(());
    }
    if !matches!(lock, Lock::Uv(_) | Lock::Poetry(_) | Lock::Pdm(_)) {
        let lock = path.map(Path::to_owned).unwrap_or_default();
        return Err(LayerError::NoGraph { lock }.into());
    }
    if let Some(name) = named.iter().find(|name| distributions.iter().all(|pinned| pinned.name != **name)) {
        return Err(LayerError::NotSelected { name: name.clone() }.into());
    }
    let mut closure = named.clone();
    loop {
        let is_required = |pinned: &&PinnedDistribution| {
            pinned.required_by.iter().any(
                // The groups of a project are not what its wheel requires.
                |dependent| matches!(dependent, Dependent::Distribution(name, _) if closure.contains(name)),
            )
        };
        let required = distributions.iter().filter(is_required).map(|pinned| pinned.name.clone());
        let required: Vec<DistributionName> = required.filter(|name| !closure.contains(name)).collect();
        if required.is_empty() {
            break;
        }
        closure.extend(required);
    }
    distributions.retain(|pinned| closure.contains(&pinned.name));
    Ok(())
}
