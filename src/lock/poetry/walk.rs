//! The walk from requirements through what the locked distributions need.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::document::{Package, Source};
use super::requirement::{Requirement, Terms};
use super::select::active;
use super::{PackageIndex, PoetryLock};
use crate::lock::Dependent;
use crate::lock::error::{Inconsistency, LockError};
use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName};
use crate::platform::MarkerEnvironment;

/// How often the walk is repeated until the versions are those that its requirements choose.
const MAX_ROUNDS: usize = 64;

/// Distributions that older versions of Poetry never lock, although others require them.
const UNLOCKED: [&str; 4] = ["setuptools", "distribute", "pip", "wheel"];

/// A requirement of the project.
pub struct Start<'a> {
    /// What it is.
    pub requirement: &'a Requirement,
    /// Who asks.
    pub by: Dependent,
    /// The extras that its marker sees.
    pub extras: ActiveExtras,
}

/// The distributions that a walk has reached, with who asks for each.
pub type Dependents = BTreeMap<PackageIndex, BTreeSet<Dependent>>;

/// What is required of each distribution, by name.
type Required<'a> = BTreeMap<&'a DistributionName, Vec<&'a Terms>>;

/// Walks for one target.
pub struct Walk<'a> {
    lock: &'a PoetryLock,
    environment: &'a MarkerEnvironment,
}

/// One round of a walk.
#[derive(Default)]
struct Round<'a> {
    dependents: Dependents,
    required: Required<'a>,
    missing: Option<(Dependent, &'a DistributionName)>,
    queue: VecDeque<(PackageIndex, Option<&'a ExtraName>)>,
}

impl<'a> Walk<'a> {
    /// Makes one.
    pub fn new(lock: &'a PoetryLock, environment: &'a MarkerEnvironment) -> Self {
        Self { lock, environment }
    }

    /// Returns who asks for each of the distributions that are selected.
    pub fn among(&self, starts: &[Start<'a>], selected: &BTreeSet<PackageIndex>) -> Dependents {
        let is_selected = |index: &PackageIndex| selected.contains(index);
        self.round(starts, |name, _| self.lock.named(name).iter().copied().find(is_selected)).dependents
    }

    /// Chooses versions, and returns who asks for each distribution that is reached. Of each, the highest version is
    /// chosen that all requirements accept which the walk meets; that is repeated until the choice makes no difference.
    ///
    /// # Errors
    ///
    /// [`LockError::Inconsistent`] if a distribution is not in the lock, [`LockError::UnsettledVersions`] if there is no
    /// such choice.
    pub fn resolve(&self, starts: &[Start<'a>]) -> Result<Dependents, LockError> {
        let mut required = Required::new();
        let mut last: Option<Dependents> = None;
        for _ in 0..MAX_ROUNDS {
            let round = self.round(starts, |name, terms| {
                let all = required.get(name).map(Vec::as_slice).unwrap_or_default();
                self.choose(name, all).or_else(|| self.choose(name, &[terms]))
            });
            if last.as_ref() == Some(&round.dependents) {
                return match round.missing {
                    None => Ok(round.dependents),
                    Some((by, name)) => Err(LockError::Inconsistent {
                        path: self.lock.path.clone(),
                        package: by.to_string(),
                        fault: Inconsistency::UnknownDependency(name.to_string()),
                    }),
                };
            }
            required = round.required;
            last = Some(round.dependents);
        }
        Err(LockError::UnsettledVersions { path: self.lock.path.clone() })
    }

    /// Returns the highest version of a distribution that is for the target's Python and that is accepted by all.
    fn choose(&self, name: &DistributionName, terms: &[&Terms]) -> Option<PackageIndex> {
        let python = &self.environment.python_full_version;
        let candidates =
            self.lock.named(name).iter().filter_map(|&index| Some((index, self.lock.packages.get(index)?)));
        candidates
            .filter(|(_, package)| package.python_versions.allows(python))
            .filter(|(_, package)| {
                let is_direct = package.source.as_ref().is_some_and(Source::is_direct);
                terms.iter().all(|terms| terms.accept(&package.version, is_direct))
            })
            .max_by_key(|(_, package)| &package.version)
            .map(|(index, _)| index)
    }

    /// Walks once, breadth first.
    fn round(
        &self,
        starts: &[Start<'a>],
        choose: impl Fn(&DistributionName, &Terms) -> Option<PackageIndex>,
    ) -> Round<'a> {
        let mut round = Round::default();
        let follow = |round: &mut Round<'a>, name: &'a DistributionName, terms: &'a Terms, by: Dependent| {
            round.required.entry(name).or_default().push(terms);
            let Some(index) = choose(name, terms) else {
                if !UNLOCKED.contains(&name.as_str()) && round.missing.is_none() {
                    round.missing = Some((by, name));
                }
                return;
            };
            round.dependents.entry(index).or_default().insert(by);
            round.queue.push_back((index, None));
            round.queue.extend(terms.extras.iter().map(|extra| (index, Some(extra))));
        };
        for Start { requirement, by, extras } in starts {
            if requirement.terms.hold(self.environment, extras) {
                follow(&mut round, &requirement.name, &requirement.terms, by.clone());
            }
        }
        let mut seen = BTreeSet::new();
        while let Some((index, extra)) = round.queue.pop_front() {
            let Some(package) = self.lock.packages.get(index).filter(|_| seen.insert((index, extra))) else { continue };
            for (name, terms) in self.required_by(package, extra) {
                follow(&mut round, name, terms, Dependent::Distribution(package.name.clone(), extra.cloned()));
            }
            // An extra may ask for others of its own distribution.
            let members = extra.and_then(|extra| package.extras.get(extra)).into_iter().flatten();
            let own = members.filter(|member| member.name == package.name).flat_map(|member| &member.extras);
            round.queue.extend(own.map(|extra| (index, Some(extra))));
        }
        round
    }

    /// Returns what a distribution requires on the target, or what one of its extras requires beside that.
    fn required_by(
        &self,
        package: &'a Package,
        extra: Option<&'a ExtraName>,
    ) -> impl Iterator<Item = (&'a DistributionName, &'a Terms)> {
        let members = extra.and_then(|extra| package.extras.get(extra));
        let (without, with) = (ActiveExtras::default(), active(extra));
        let all = package.dependencies.iter().flat_map(|(name, terms)| terms.0.iter().map(move |terms| (name, terms)));
        all.filter(move |(name, terms)| {
            let is_required = !terms.optional && terms.hold(self.environment, &without);
            match extra {
                None => is_required,
                Some(_) => {
                    let is_member = members.into_iter().flatten().any(|member| member.name == **name);
                    !is_required && is_member && terms.hold(self.environment, &with)
                }
            }
        })
    }
}
