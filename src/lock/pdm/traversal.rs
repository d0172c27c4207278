//! The walk along the dependencies of locked distributions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::document::PdmPackage;
use super::pyproject::parsed;
use super::{PdmLock, PdmPackageIndex};
use crate::lock::Dependent;
use crate::lock::error::{Inconsistency, LockError};
use crate::marker::{self, ActiveExtras, Requirement, VersionOrUrl};
use crate::name::DistributionName;
use crate::platform::MarkerEnvironment;

/// A requirement, and what requires it.
pub(super) type PdmRequirement = (Requirement, Dependent);

/// The entries that are reached from some requirements on one target.
#[derive(Debug, Default)]
pub(super) struct PdmTraversal {
    /// The dependents of each entry.
    pub(super) dependents: BTreeMap<PdmPackageIndex, BTreeSet<Dependent>>,
    missing: Option<(Dependent, DistributionName)>,
}

impl PdmTraversal {
    /// Walks breadth first, through entries that `is_allowed`.
    pub(super) fn new(
        lock: &PdmLock,
        environment: &MarkerEnvironment,
        roots: Vec<PdmRequirement>,
        is_allowed: impl Fn(PdmPackageIndex) -> bool,
    ) -> Self {
        let mut traversal = Self::default();
        let mut waiting = VecDeque::from(roots);
        let mut own_extras = BTreeSet::new();
        let without_extras = ActiveExtras::default();
        while let Some((requirement, by)) = waiting.pop_front() {
            if !requirement.marker.as_ref().is_none_or(|marker| marker.evaluate(environment, &without_extras)) {
                continue;
            }
            // A group may require extras of its own project.
            if lock.project.name.as_ref() == Some(&requirement.name) {
                for (extra, requirements) in &lock.project.extras {
                    if requirement.extras.contains(extra) && own_extras.insert(extra) {
                        let by = Dependent::Distribution(requirement.name.clone(), Some(extra.clone()));
                        waiting.extend(requirements.iter().map(|requirement| (requirement.clone(), by.clone())));
                    }
                }
                continue;
            }
            let Some((index, package)) = lock.entry(&requirement, &is_allowed) else {
                traversal.missing.get_or_insert((by, requirement.name));
                continue;
            };
            let is_new = !traversal.dependents.contains_key(&index);
            traversal.dependents.entry(index).or_default().insert(by);
            if is_new {
                let by = Dependent::Distribution(package.name.clone(), package.extras.first().cloned());
                waiting.extend(parsed(&package.dependencies).into_iter().map(|it| (it, by.clone())));
            }
        }
        traversal
    }

    /// Refuses a requirement that applies, but is not locked.
    pub(super) fn check_complete(&self, lock: &PdmLock) -> Result<(), LockError> {
        match &self.missing {
            None => Ok(()),
            Some((by, name)) => Err(LockError::Inconsistent {
                path: lock.path.clone(),
                package: by.to_string(),
                inconsistency: Inconsistency::UnknownDependency(name.to_string()),
            }),
        }
    }
}

impl PdmLock {
    /// Returns the entry that a requirement means: that with its extras, or else the one without any.
    fn entry(
        &self,
        requirement: &Requirement,
        is_allowed: impl Fn(PdmPackageIndex) -> bool,
    ) -> Option<(PdmPackageIndex, &PdmPackage)> {
        let mut candidates = self
            .named(&requirement.name)
            .filter(|(index, package)| is_allowed(*index) && package.is_accepted(&requirement.constraint));
        let (mut with_extras, mut without): (Vec<_>, Vec<_>) =
            candidates.by_ref().partition(|(_, package)| !package.extras.is_empty());
        with_extras.retain(|(_, package)| package.extras == requirement.extras);
        without.truncate(1);
        with_extras.into_iter().chain(without).next()
    }
}

impl PdmPackage {
    fn is_accepted(&self, constraint: &VersionOrUrl) -> bool {
        match (constraint, &self.version) {
            (VersionOrUrl::Specifiers(specifiers), Some(version)) => {
                specifiers.iter().all(|specifier| marker::contains(specifier, &version.value))
            }
            // What a direct reference leads to has its own version.
            _ => true,
        }
    }
}
