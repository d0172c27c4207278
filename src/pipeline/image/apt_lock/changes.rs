//! What differs between two locks.

use std::collections::{BTreeMap, BTreeSet};

use crate::apt::lock::{AptLock, LockedPackage};
use crate::report::AptChangeReport;

/// The suites that security updates come from end with this.
const SECURITY: &str = "-security";

/// Returns the packages that only one of two locks has, or that they have in different versions, ordered by name.
pub(super) fn between(old: &AptLock, new: &AptLock) -> Vec<AptChangeReport> {
    let (old, new) = (by_name(old), by_name(new));
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
    let mut changes = Vec::new();
    for (name, architecture) in keys {
        let [before, now] = [&old, &new].map(|lock| lock.get(&(name, architecture)).cloned().unwrap_or_default());
        let gone = before.iter().filter(|package| !now.iter().any(|other| other.version == package.version));
        let come = now.iter().filter(|package| !before.iter().any(|other| other.version == package.version));
        let (mut gone, mut come) = (gone.rev(), come.rev());
        loop {
            let (from, to) = (gone.next(), come.next());
            if from.is_none() && to.is_none() {
                break;
            }
            changes.push(AptChangeReport {
                name: name.to_owned(),
                architecture: architecture.to_owned(),
                from: from.map(|package| package.version.to_string()),
                to: to.map(|package| package.version.to_string()),
                security: from.is_some() && to.is_some_and(|package| package.release.ends_with(SECURITY)),
            });
        }
    }
    changes
}

/// Returns the packages of a lock by name and architecture, the earliest version first.
fn by_name(lock: &AptLock) -> BTreeMap<(&str, &str), Vec<&LockedPackage>> {
    let mut packages: BTreeMap<(&str, &str), Vec<&LockedPackage>> = BTreeMap::new();
    for package in &lock.packages {
        packages.entry((package.name.as_str(), package.architecture.as_str())).or_default().push(package);
    }
    packages.values_mut().for_each(|versions| versions.sort_by(|one, other| one.version.cmp(&other.version)));
    packages
}
