//! The traversal of the dependencies of locked distributions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::document::{PoetryPackage, PoetrySource};
use super::requirement::{DependencySpec, PoetryRequirement};
use super::select::active;
use super::{PoetryLock, PoetryPackageIndex};
use crate::lock::Dependent;
use crate::lock::error::{Inconsistency, LockError};
use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName};
use crate::platform::MarkerEnvironment;

/// How often the traversal is repeated until the chosen versions do not change any more.
const MOST_ROUNDS: usize = 64;

/// Distributions that older versions of Poetry never lock, even if others require them.
const UNLOCKED: [&str; 4] = ["setuptools", "distribute", "pip", "wheel"];

pub(super) struct RootRequirement<'a> {
    pub(super) requirement: &'a PoetryRequirement,
    pub(super) required_by: Dependent,
    /// The extras that are active in the requirement's marker.
    pub(super) extras: ActiveExtras,
}

/// What requires each of the reached distributions.
pub(super) type Dependents = BTreeMap<PoetryPackageIndex, BTreeSet<Dependent>>;

/// The requirements that are met during a traversal, by the name of the distribution.
type SpecsByName<'a> = BTreeMap<&'a DistributionName, Vec<&'a DependencySpec>>;

/// Resolves requirements for one target, with only the locked distributions.
pub(super) struct PoetryResolver<'a> {
    lock: &'a PoetryLock,
    environment: &'a MarkerEnvironment,
}

#[derive(Default)]
struct Traversal<'a> {
    dependents: Dependents,
    required: SpecsByName<'a>,
    missing: Option<(Dependent, &'a DistributionName)>,
    queue: VecDeque<(PoetryPackageIndex, Option<&'a ExtraName>)>,
}

impl<'a> PoetryResolver<'a> {
    pub(super) fn new(lock: &'a PoetryLock, environment: &'a MarkerEnvironment) -> Self {
        Self { lock, environment }
    }

    /// Returns what requires each of the selected distributions.
    pub(super) fn dependents_of_selected(
        &self,
        roots: &[RootRequirement<'a>],
        selected: &BTreeSet<PoetryPackageIndex>,
    ) -> Dependents {
        let traversal = self
            .traverse(roots, |name, _| self.lock.named(name).iter().copied().find(|index| selected.contains(index)));
        traversal.dependents
    }

    /// Chooses a version of each distribution that is reached, and returns what requires it. The highest version is chosen that
    /// all requirements accept; since the requirements depend on the versions, the traversal is repeated until the versions
    /// do not change any more.
    ///
    /// # Errors
    ///
    /// Returns [`LockError::Inconsistent`] if a distribution is not in the lock, and [`LockError::UnresolvedVersions`] if the
    /// versions keep changing.
    pub(super) fn resolve(&self, roots: &[RootRequirement<'a>]) -> Result<Dependents, LockError> {
        let mut required = SpecsByName::new();
        let mut last: Option<Dependents> = None;
        for _ in 0..MOST_ROUNDS {
            let traversal = self.traverse(roots, |name, spec| {
                let all = required.get(name).map(Vec::as_slice).unwrap_or_default();
                self.choose(name, all).or_else(|| self.choose(name, &[spec]))
            });
            if last.as_ref() == Some(&traversal.dependents) {
                return match traversal.missing {
                    None => Ok(traversal.dependents),
                    Some((by, name)) => Err(LockError::Inconsistent {
                        path: self.lock.path.clone(),
                        package: by.to_string(),
                        inconsistency: Inconsistency::UnknownDependency(name.to_string()),
                    }),
                };
            }
            required = traversal.required;
            last = Some(traversal.dependents);
        }
        Err(LockError::UnresolvedVersions { path: self.lock.path.clone() })
    }

    /// Returns the highest version of a distribution that supports the target's Python and that all requirements accept.
    fn choose(&self, name: &DistributionName, specs: &[&DependencySpec]) -> Option<PoetryPackageIndex> {
        let python = &self.environment.python_full_version;
        let candidates =
            self.lock.named(name).iter().filter_map(|&index| Some((index, self.lock.packages.get(index)?)));
        candidates
            .filter(|(_, package)| package.python_versions.allows(python))
            .filter(|(_, package)| {
                let is_direct = package.source.as_ref().is_some_and(PoetrySource::is_direct);
                specs.iter().all(|spec| spec.accepts(&package.version, is_direct))
            })
            .max_by_key(|(_, package)| &package.version)
            .map(|(index, _)| index)
    }

    /// Traverses the dependencies once, breadth first.
    fn traverse(
        &self,
        roots: &[RootRequirement<'a>],
        choose: impl Fn(&DistributionName, &DependencySpec) -> Option<PoetryPackageIndex>,
    ) -> Traversal<'a> {
        let mut traversal = Traversal::default();
        for RootRequirement { requirement, required_by, extras } in roots {
            if requirement.spec.applies(self.environment, extras) {
                let chosen = choose(&requirement.name, &requirement.spec);
                traversal.follow(&requirement.name, &requirement.spec, required_by.clone(), chosen);
            }
        }
        let mut seen = BTreeSet::new();
        while let Some((index, extra)) = traversal.queue.pop_front() {
            let Some(package) = self.lock.packages.get(index).filter(|_| seen.insert((index, extra))) else { continue };
            for (name, spec) in self.dependencies(package, extra) {
                let required_by = Dependent::Distribution(package.name.clone(), extra.cloned());
                traversal.follow(name, spec, required_by, choose(name, spec));
            }
            // An extra may require other extras of its own distribution.
            let members = extra.and_then(|extra| package.extras.get(extra)).into_iter().flatten();
            let own = members.filter(|member| member.name == package.name).flat_map(|member| &member.extras);
            traversal.queue.extend(own.map(|extra| (index, Some(extra))));
        }
        traversal
    }

    /// Returns the dependencies of a distribution on the target, or the further ones of one of its extras.
    fn dependencies(
        &self,
        package: &'a PoetryPackage,
        extra: Option<&'a ExtraName>,
    ) -> impl Iterator<Item = (&'a DistributionName, &'a DependencySpec)> {
        let members = extra.and_then(|extra| package.extras.get(extra));
        let (without, with) = (ActiveExtras::default(), active(extra));
        let all = package.dependencies.iter().flat_map(|(name, specs)| specs.0.iter().map(move |spec| (name, spec)));
        all.filter(move |(name, spec)| {
            let is_required = !spec.optional && spec.applies(self.environment, &without);
            match extra {
                None => is_required,
                Some(_) => {
                    let is_member = members.into_iter().flatten().any(|member| member.name == **name);
                    !is_required && is_member && spec.applies(self.environment, &with)
                }
            }
        })
    }
}

impl<'a> Traversal<'a> {
    /// Records a requirement, and queues the distribution that was chosen for it.
    fn follow(
        &mut self,
        name: &'a DistributionName,
        spec: &'a DependencySpec,
        required_by: Dependent,
        chosen: Option<PoetryPackageIndex>,
    ) {
        self.required.entry(name).or_default().push(spec);
        let Some(index) = chosen else {
            if !UNLOCKED.contains(&name.as_str()) && self.missing.is_none() {
                self.missing = Some((required_by, name));
            }
            return;
        };
        self.dependents.entry(index).or_default().insert(required_by);
        self.queue.push_back((index, None));
        self.queue.extend(spec.extras.iter().map(|extra| (index, Some(extra))));
    }
}
