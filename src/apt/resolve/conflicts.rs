//! What does not fit together: conflicts, and packages of the base whose dependencies an upgrade breaks.

use super::{AptResolver, ResolveError, provides, satisfies};
use crate::debian::{DebianDependency, DpkgStatus, PackageName, PackageRelation, PackageStanza};

impl AptResolver<'_> {
    /// Upgrades packages of the base that no longer fit, as apt does, until everything fits.
    ///
    /// # Errors
    /// Something does not fit that no upgrade of a package of the base changes.
    pub(super) fn repair(&mut self) -> Result<(), ResolveError> {
        while let Some((misfit, error)) = self.misfit() {
            let newer = self.candidate(&misfit).filter(|offer| {
                let present = self.status.get(&misfit);
                !self.planned.contains_key(&misfit)
                    && present.is_some_and(|present| *self.index.version(*offer) > present.version)
            });
            match newer {
                Some(offer) => {
                    self.plan(offer, false)?;
                    self.satisfy_all(&misfit)?;
                }
                None => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns a package of the base, whose upgrade may help, or another one that conflicts, with the error if it does not.
    fn misfit(&self) -> Option<(PackageName, ResolveError)> {
        for planned in self.planned.values().map(|planned| &planned.stanza) {
            for relation in planned.conflicts.iter().chain(&planned.breaks) {
                if let Some(other) = self.excluded(planned, relation).next() {
                    return Some((other.name.clone(), ResolveError::conflict(planned, other, relation)));
                }
            }
        }
        for present in self.status.packages().filter(|present| !self.planned.contains_key(&present.name)) {
            for relation in present.conflicts.iter().chain(&present.breaks) {
                let mut excluded = self.excluded(present, relation);
                if let Some(other) = excluded.find(|other| self.planned.contains_key(&other.name)) {
                    return Some((present.name.clone(), ResolveError::conflict(present, other, relation)));
                }
            }
            // Only what an upgrade takes away matters: what the base lacked before is not our concern.
            let lost = present
                .dependencies()
                .find(|dependency| !self.is_satisfied(dependency) && was_satisfied(self.status, dependency));
            if let Some(lost) = lost {
                return Some((present.name.clone(), ResolveError::broken(present, lost)));
            }
        }
        None
    }

    /// Returns the packages that a relation of a package excludes. What it provides itself is no conflict.
    fn excluded<'s>(
        &'s self,
        owner: &'s PackageStanza,
        relation: &'s PackageRelation,
    ) -> impl Iterator<Item = &'s PackageStanza> {
        self.satisfying(relation).filter(|other| other.name != owner.name)
    }
}

fn was_satisfied(status: &DpkgStatus, dependency: &DebianDependency) -> bool {
    dependency
        .0
        .iter()
        .any(|relation| status.packages().any(|other| satisfies(other, relation) || provides(other, relation)))
}
