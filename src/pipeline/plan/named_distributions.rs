//! The distributions that a layer names, with all that they require.

use std::collections::{BTreeMap, BTreeSet};
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
    if !lock.has_graph() {
        let lock = path.map(Path::to_owned).unwrap_or_default();
        return Err(LayerError::NoGraph { lock }.into());
    }
    if let Some(name) = named.iter().find(|name| distributions.iter().all(|pinned| pinned.name != **name)) {
        return Err(LayerError::NotSelected { name: name.clone() }.into());
    }
    let mut required: BTreeMap<&DistributionName, Vec<&DistributionName>> = BTreeMap::new();
    for pinned in distributions.iter() {
        for dependent in &pinned.required_by {
            // The groups of a project are not what its wheel requires.
            if let Dependent::Distribution(name, _) = dependent {
                required.entry(name).or_default().push(&pinned.name);
            }
        }
    }
    let mut closure = named.clone();
    let mut queue: Vec<&DistributionName> = named.iter().collect();
    while let Some(name) = queue.pop() {
        for &name in required.get(name).into_iter().flatten() {
            if closure.insert(name.clone()) {
                queue.push(name);
            }
        }
    }
    distributions.retain(|pinned| closure.contains(&pinned.name));
    Ok(())
}
