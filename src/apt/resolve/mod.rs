//! Which packages a request installs over a base, as `apt-get install --no-install-recommends` does it: greedily, one
//! dependency after another, without going back.
//!
//! What is installed and what was chosen comes first, then the first alternative that exists. Where packages conflict, apt
//! would remove some or choose again; that is an error here.

mod conflicts;
mod error;
mod order;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::packages::{OfferId, PackageIndex};
use super::request::PackageRequest;
use crate::debian::{
    DebianDependency, DebianVersion, DpkgStatus, MultiArch, PackageName, PackageRelation, PackageStanza,
};

pub use error::ResolveError;

/// What is installed for a request.
#[derive(Debug)]
pub struct ResolvedClosure {
    /// The packages in the order of configuration.
    pub packages: Vec<ResolvedPackage>,
    /// Requested packages that the base has in this version or a later one.
    pub installed: Vec<(PackageName, DebianVersion)>,
    /// Requested names that only another package provides, with the package that was chosen.
    pub provided: Vec<(PackageName, PackageName)>,
}

/// A package that is installed.
#[derive(Debug)]
pub struct ResolvedPackage {
    /// The package in the index.
    pub offer: OfferId,
    /// Its description.
    pub stanza: PackageStanza,
    /// Whether it is requested itself.
    pub requested: bool,
    /// The packages of the closure that it needs, sorted.
    pub depends: Vec<PackageName>,
    /// The version in the base that it replaces.
    pub replaces: Option<DebianVersion>,
}

/// Resolves requests.
#[derive(Debug)]
pub struct AptResolver<'a> {
    index: &'a PackageIndex,
    status: &'a DpkgStatus,
    /// Versions that are preferred to later ones, from an earlier lock.
    locked: BTreeMap<PackageName, DebianVersion>,
    planned: BTreeMap<PackageName, PlannedPackage>,
    /// The installed and planned packages that provide a name.
    providing: HashMap<PackageName, Vec<PackageName>>,
    /// The names of planned packages in the order in which they were chosen.
    chosen: Vec<PackageName>,
}

#[derive(Debug)]
struct PlannedPackage {
    offer: OfferId,
    stanza: PackageStanza,
    requested: bool,
}

impl<'a> AptResolver<'a> {
    /// Resolves over a base. `locked` versions are preferred while archives have them.
    pub fn new(index: &'a PackageIndex, status: &'a DpkgStatus, locked: BTreeMap<PackageName, DebianVersion>) -> Self {
        let mut resolver =
            Self { index, status, locked, planned: BTreeMap::new(), providing: HashMap::new(), chosen: Vec::new() };
        status.packages().for_each(|present| resolver.note_provided(present));
        resolver
    }

    /// Returns the packages for a request.
    ///
    /// # Errors
    /// A package is unknown or not available in that version, a dependency cannot be satisfied, or packages conflict.
    pub fn resolve(mut self, requests: &[PackageRequest]) -> Result<ResolvedClosure, ResolveError> {
        let (mut installed, mut provided) = (Vec::new(), Vec::new());
        let mut targets = Vec::new();
        for request in requests {
            let offer = self.requested_offer(request)?;
            let name = match offer {
                Some(offer) => self.index.name(offer).clone(),
                None => request.name.clone(),
            };
            if name != request.name {
                provided.push((request.name.clone(), name.clone()));
            }
            match (offer, self.status.get(&name)) {
                (Some(offer), Some(present)) if *self.index.version(offer) <= present.version => {
                    if request.version.is_some() && *self.index.version(offer) != present.version {
                        return Err(ResolveError::Downgrade {
                            request: request.clone(),
                            installed: present.version.clone(),
                        });
                    }
                    installed.push((name, present.version.clone()));
                }
                (Some(offer), _) => targets.push((offer, request)),
                (None, present) => {
                    let version = present.map(|present| present.version.clone());
                    installed.extend(version.map(|version| (name, version)));
                }
            }
        }
        // All requested packages are chosen before their dependencies, which they may satisfy.
        for (offer, _) in &targets {
            self.plan(*offer, true)?;
        }
        for (offer, _) in targets {
            let name = self.index.name(offer).clone();
            self.satisfy_all(&name)?;
        }
        self.repair()?;
        let packages = order::in_configuration_order(self.status, &self.chosen, self.planned);
        Ok(ResolvedClosure { packages, installed, provided })
    }

    /// Returns the package for a request; `None` if only the base has it.
    fn requested_offer(&self, request: &PackageRequest) -> Result<Option<OfferId>, ResolveError> {
        let named = self.index.named(&request.name);
        if let Some(version) = &request.version {
            let offer = named.iter().copied().find(|offer| self.index.version(*offer) == version);
            return match (offer, self.status.get(&request.name)) {
                (Some(offer), _) => Ok(Some(offer)),
                (None, Some(present)) if present.version == *version => Ok(None),
                (None, _) if named.is_empty() => Err(self.unknown(&request.name)),
                (None, _) => Err(ResolveError::UnknownVersion {
                    request: request.clone(),
                    available: self.available(&request.name),
                }),
            };
        }
        if let Some(candidate) = self.candidate(&request.name) {
            return Ok(Some(candidate));
        }
        if self.status.get(&request.name).is_some() {
            return Ok(None);
        }
        let relation = PackageRelation { name: request.name.clone(), qualifier: None, constraint: None };
        let mut providers = self.providers(&relation)?;
        providers.dedup_by_key(|offer| self.index.name(*offer).clone());
        match providers[..] {
            [] => Err(self.unknown(&request.name)),
            [only] => Ok(Some(only)),
            _ => Err(ResolveError::Virtual {
                name: request.name.clone(),
                providers: providers.iter().map(|offer| self.index.name(*offer).clone()).collect(),
            }),
        }
    }

    fn unknown(&self, name: &PackageName) -> ResolveError {
        ResolveError::unknown(name, self.index)
    }

    /// Returns the versions that archives have, the latest first.
    fn available(&self, name: &PackageName) -> Vec<DebianVersion> {
        let versions = self.index.named(name).iter().map(|offer| self.index.version(*offer).clone());
        let versions: BTreeSet<DebianVersion> = versions.collect();
        versions.into_iter().rev().collect()
    }

    /// Returns the version of a package that would be installed: the locked one while archives have it, or the latest.
    fn candidate(&self, name: &PackageName) -> Option<OfferId> {
        if let Some(planned) = self.planned.get(name) {
            return Some(planned.offer);
        }
        let locked = self.locked.get(name).and_then(|version| {
            self.index.named(name).iter().copied().find(|offer| self.index.version(*offer) == version)
        });
        let newer_than_base =
            |offer: &OfferId| self.status.get(name).is_none_or(|present| *self.index.version(*offer) > present.version);
        locked.filter(newer_than_base).or_else(|| self.index.latest(name))
    }

    /// Chooses a package, once.
    fn plan(&mut self, offer: OfferId, requested: bool) -> Result<bool, ResolveError> {
        let name = self.index.name(offer).clone();
        if let Some(planned) = self.planned.get_mut(&name) {
            planned.requested |= requested;
            return Ok(false);
        }
        let stanza = self.index.stanza(offer)?;
        self.note_provided(&stanza);
        self.planned.insert(name.clone(), PlannedPackage { offer, stanza, requested });
        self.chosen.push(name);
        Ok(true)
    }

    fn note_provided(&mut self, package: &PackageStanza) {
        for provided in &package.provides {
            self.providing.entry(provided.name.clone()).or_default().push(package.name.clone());
        }
    }

    /// Satisfies all dependencies of a planned package, and theirs.
    fn satisfy_all(&mut self, name: &PackageName) -> Result<(), ResolveError> {
        // A stack of what is left to satisfy: dependencies may be nested deeper than threads can call.
        let mut stack = vec![self.open(name)];
        while let Some((dependent, dependencies)) = stack.last_mut() {
            let Some(dependency) = dependencies.pop() else {
                stack.pop();
                continue;
            };
            if self.is_satisfied(&dependency) {
                continue;
            }
            let dependent = dependent.clone();
            let offer = self.choose(&dependency)?;
            let offer = offer.ok_or_else(|| ResolveError::unsatisfied(&dependent, &dependency, self.index))?;
            if self.plan(offer, false)? {
                let chosen = self.index.name(offer).clone();
                stack.push(self.open(&chosen));
            }
        }
        Ok(())
    }

    /// Returns a planned package with its dependencies, the first one last.
    fn open(&self, name: &PackageName) -> (PackageName, Vec<DebianDependency>) {
        let dependencies = self.planned.get(name).into_iter().flat_map(|planned| planned.stanza.dependencies());
        let mut dependencies: Vec<DebianDependency> = dependencies.cloned().collect();
        dependencies.reverse();
        (name.clone(), dependencies)
    }

    /// Returns the package as it will be: planned, or installed in the base.
    fn current(&self, name: &PackageName) -> Option<&PackageStanza> {
        self.planned.get(name).map(|planned| &planned.stanza).or_else(|| self.status.get(name))
    }

    /// Returns the packages, as they will be, that satisfy a relation to their name or to what they provide.
    fn satisfying(&self, relation: &PackageRelation) -> impl Iterator<Item = &PackageStanza> {
        let named = self.current(&relation.name).filter(|package| satisfies(package, relation));
        let names = self.providing.get(&relation.name).into_iter().flatten();
        let providing = names.filter_map(|name| self.current(name)).filter(|package| provides(package, relation));
        named.into_iter().chain(providing)
    }

    fn is_satisfied(&self, dependency: &DebianDependency) -> bool {
        dependency.0.iter().any(|relation| self.satisfying(relation).next().is_some())
    }

    /// Returns the package that satisfies a dependency which nothing satisfies yet.
    fn choose(&self, dependency: &DebianDependency) -> Result<Option<OfferId>, ResolveError> {
        for relation in &dependency.0 {
            let candidate = self.candidate(&relation.name).filter(|_| !self.planned.contains_key(&relation.name));
            if let Some(candidate) = candidate
                && satisfies(&self.index.stanza(candidate)?, relation)
            {
                return Ok(Some(candidate));
            }
            if let Some(provider) = self.providers(relation)?.first() {
                return Ok(Some(*provider));
            }
        }
        Ok(None)
    }

    /// Returns the packages whose candidates provide what a relation names, the best first, as apt sorts them.
    fn providers(&self, relation: &PackageRelation) -> Result<Vec<OfferId>, ResolveError> {
        let mut providers = Vec::new();
        for offer in self.index.providers(&relation.name) {
            let name = self.index.name(*offer);
            if self.candidate(name) != Some(*offer) || self.planned.contains_key(name) {
                continue;
            }
            let stanza = self.index.stanza(*offer)?;
            if provides(&stanza, relation) {
                providers.push((stanza.priority, *offer));
            }
        }
        providers.sort_by_key(|(priority, offer)| (*priority, *offer));
        Ok(providers.into_iter().map(|(_, offer)| offer).collect())
    }
}

/// Tells whether a package itself satisfies a relation to its name.
fn satisfies(package: &PackageStanza, relation: &PackageRelation) -> bool {
    package.name == relation.name
        && relation.accepts(&package.version)
        && match relation.qualifier.as_deref() {
            // Packages that are not `allowed` do not satisfy it, although those of Debian always are.
            Some("any") => package.multi_arch == MultiArch::Allowed || package.multi_arch == MultiArch::Foreign,
            _ => true,
        }
}

/// Tells whether a package provides what a relation names.
fn provides(package: &PackageStanza, relation: &PackageRelation) -> bool {
    package.provides.iter().any(|provided| relation.accepts_provided(provided))
}
