//! The order in which dpkg would configure packages: what a package needs comes first.

use std::collections::{BTreeMap, BTreeSet};

use super::{PlannedPackage, ResolvedPackage, provides, satisfies};
use crate::debian::{DpkgStatus, PackageName};

/// Returns the packages so that each comes after those that it needs, except for cycles, in which the package that was
/// chosen first comes last.
pub(super) fn in_configuration_order(
    status: &DpkgStatus,
    chosen: &[PackageName],
    mut planned: BTreeMap<PackageName, PlannedPackage>,
) -> Vec<ResolvedPackage> {
    let needs: BTreeMap<&PackageName, Vec<PackageName>> =
        chosen.iter().map(|name| (name, needed(&planned[name], status, &planned))).collect();
    let mut order: Vec<&PackageName> = Vec::new();
    let mut seen: BTreeSet<&PackageName> = BTreeSet::new();
    for name in chosen {
        let Some((name, _)) = needs.get_key_value(name).filter(|(name, _)| seen.insert(name)) else { continue };
        let mut stack = vec![(*name, needs[*name].iter())];
        while let Some((name, rest)) = stack.last_mut() {
            match rest.next() {
                Some(next) => {
                    if let Some((next, below)) = needs.get_key_value(next)
                        && seen.insert(next)
                    {
                        stack.push((next, below.iter()));
                    }
                }
                None => {
                    order.push(name);
                    stack.pop();
                }
            }
        }
    }
    let order: Vec<PackageName> = order.into_iter().cloned().collect();
    let mut needs: BTreeMap<PackageName, Vec<PackageName>> =
        needs.into_iter().map(|(name, depends)| (name.clone(), depends)).collect();
    let packages = order.into_iter().filter_map(|name| {
        let PlannedPackage { offer, stanza, requested } = planned.remove(&name)?;
        let mut depends = needs.remove(&name).unwrap_or_default();
        depends.sort();
        depends.dedup();
        let replaces = status.get(&name).map(|present| present.version.clone());
        Some(ResolvedPackage { offer, stanza, requested, depends, replaces })
    });
    packages.collect()
}

/// Returns the planned packages that a package needs, in the order of its dependencies.
fn needed(
    package: &PlannedPackage,
    status: &DpkgStatus,
    planned: &BTreeMap<PackageName, PlannedPackage>,
) -> Vec<PackageName> {
    let mut names = Vec::new();
    for dependency in package.stanza.dependencies() {
        let by_name = dependency.0.iter().find_map(|relation| {
            let other = planned.get(&relation.name)?;
            satisfies(&other.stanza, relation).then(|| other.stanza.name.clone())
        });
        let is_present = dependency.0.iter().any(|relation| {
            let remains = |name: &PackageName| !planned.contains_key(name);
            status
                .packages()
                .any(|present| remains(&present.name) && (satisfies(present, relation) || provides(present, relation)))
        });
        let by_provided = || {
            let all = planned.values();
            let mut providers =
                all.filter(|other| dependency.0.iter().any(|relation| provides(&other.stanza, relation)));
            providers.next().map(|other| other.stanza.name.clone())
        };
        match by_name {
            Some(name) => names.push(name),
            None if is_present => {}
            None => names.extend(by_provided()),
        }
    }
    names.retain(|name| *name != package.stanza.name);
    names
}
