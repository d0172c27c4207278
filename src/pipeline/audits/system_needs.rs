//! Runs the audit of what distributions open and start by name over an artifact.

use std::collections::BTreeSet;

use super::Audited;
use crate::audit::system_needs::{MissingSystemNeed, SystemNeed, SystemNeedKind};
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::tree::Distribution;

/// Returns the libraries and executables that are neither in the artifact nor on the target. A distribution that starts an
/// executable may be there for something else unless the application itself imports it: `used` are those that it imports.
///
/// # Errors
/// The base image cannot be read.
pub(super) fn audit(
    audited: &Audited,
    used: &BTreeSet<DistributionName>,
) -> Result<Vec<MissingSystemNeed>, BuildError> {
    let inventories = audited.distributions.iter().map(|distribution| &distribution.wheel.inventory);
    let installed: BTreeSet<&str> = inventories.clone().map(|inventory| inventory.name.as_str()).collect();
    let mut missing = Vec::new();
    for inventory in inventories {
        for need in SystemNeed::of(&inventory.name) {
            let is_used = need.kind == SystemNeedKind::Library || used.contains(&inventory.name);
            if !is_used || need.is_installed(&installed) || in_artifact(audited, need) {
                continue;
            }
            let library = format!("lib{}.so", need.names[0]);
            let system = (audited.deployment.system)(&BTreeSet::from([library.as_str()]))?;
            let is_provided = match need.kind {
                SystemNeedKind::Library => system
                    .libraries
                    .as_ref()
                    .is_none_or(|libraries| libraries.iter().any(|library| need.is_library(library))),
                SystemNeedKind::Executable => has_executable(audited, need)?,
            };
            let distribution = Distribution { name: inventory.name.clone(), version: inventory.version.clone() };
            let (system, system_kind) = (system.name, system.kind);
            let found = MissingSystemNeed { distribution, need, system, system_kind };
            if !is_provided && !found.is_allowed(&audited.settings.audit.allow_missing) {
                missing.push(found);
            }
        }
    }
    Ok(missing)
}

fn in_artifact(audited: &Audited, need: &SystemNeed) -> bool {
    audited.deployment.trees.iter().flat_map(|(tree, _)| tree.iter()).any(|(path, entry)| {
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        match need.kind {
            SystemNeedKind::Library => need.is_library(name),
            SystemNeedKind::Executable => need.names.contains(&name) && entry.access.mode.is_executable(),
        }
    })
}

/// Returns whether the target has one of the executables, or may have it.
fn has_executable(audited: &Audited, need: &SystemNeed) -> Result<bool, BuildError> {
    for name in &need.names {
        if (audited.deployment.has_executable)(name)? != Some(false) {
            return Ok(true);
        }
    }
    Ok(false)
}
