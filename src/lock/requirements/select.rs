//! Which version of each distribution is pinned for a target.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pep440_rs::Version;

use super::entry::{Accepts, Entry};
use super::error::{RequirementsError, Stated};
use super::reference::Reference;
use super::{Hashes, Requirements};
use crate::digest::{Algorithm, Digest};
use crate::lock::path::join;
use crate::lock::{AskedIndexes, Dependent, IndexQuery, LockError, Pinned, Request, Selection, Source, Wanted};
use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName};
use crate::platform::TargetPlatform;

/// What is said of one distribution for one target.
struct Sayings<'a> {
    /// The lines that require it; at least one.
    entries: Vec<&'a Entry>,
    /// The constraints on it.
    constraints: Vec<&'a Entry>,
}

/// What a distribution is pinned to.
enum Pin<'a> {
    Version(Version),
    Reference(&'a Reference),
}

impl Requirements {
    /// Selects the distributions for a target.
    ///
    /// # Errors
    ///
    /// [`LockError`], if a distribution is not pinned for the target, or if lines contradict each other; and if what is
    /// asked for is something that files of requirements do not have: groups, extras, and members of a workspace.
    pub fn select(&self, request: &Request, target: &TargetPlatform) -> Result<Selection, LockError> {
        self.check(request)?;
        let sayings = self.sayings(target);
        let mut distributions = Vec::new();
        let (mut unpinned, mut without_hash) = (Vec::new(), Vec::new());
        for (name, sayings) in &sayings {
            let is_root = sayings.entries.iter().any(|entry| self.is_root(entry));
            let is_left_out = request.no_install_packages.contains(*name)
                || is_root && (request.no_install_project || request.no_install_workspace);
            if is_left_out {
                continue;
            }
            let Some(pin) = self.pin(name, sayings)? else {
                unpinned.extend(sayings.entries.iter().map(|entry| (self.position(entry), entry.stated.clone())));
                continue;
            };
            let digests = sayings.digests()?;
            if self.lacks_hash(&pin, &digests) {
                without_hash.extend(sayings.entries.iter().map(|entry| (self.position(entry), entry.stated.clone())));
            }
            let required_by = if is_root { vec![Dependent::Root] } else { sayings.dependents(&self.project) };
            distributions.extend(pin.into_pinned(name, digests, required_by));
        }
        if !unpinned.is_empty() {
            let (path, requirements) = (self.path.clone(), in_order(unpinned));
            return Err(RequirementsError::Unpinned { path, python: target.python, requirements }.into());
        }
        if !without_hash.is_empty() {
            let (path, requirements) = (self.path.clone(), in_order(without_hash));
            let is_asked_for = self.hashes == Hashes::Required;
            return Err(RequirementsError::NoHash { path, requirements, is_asked_for }.into());
        }
        Ok(Selection { distributions })
    }

    /// Returns the extras that are asked for on a target, by the distributions whose they are.
    pub fn extras(&self, target: &TargetPlatform) -> BTreeMap<DistributionName, BTreeSet<ExtraName>> {
        let extras = |entries: Vec<&Entry>| entries.into_iter().flat_map(|entry| entry.extras.clone()).collect();
        self.sayings(target).into_iter().map(|(name, sayings)| (name.clone(), extras(sayings.entries))).collect()
    }

    /// Returns what the lines say that apply to a target, by name.
    fn sayings(&self, target: &TargetPlatform) -> BTreeMap<&DistributionName, Sayings<'_>> {
        let environment = target.marker_environment();
        let applies = |entry: &&Entry| match &entry.marker {
            Some(marker) => marker.evaluate(&environment, &ActiveExtras::default()),
            None => true,
        };
        let mut sayings: BTreeMap<&DistributionName, Sayings> = BTreeMap::new();
        for entry in self.entries.iter().filter(applies) {
            let new = || Sayings { entries: Vec::new(), constraints: Vec::new() };
            sayings.entry(&entry.name).or_insert_with(new).entries.push(entry);
        }
        for constraint in self.constraints.iter().filter(applies) {
            if let Some(sayings) = sayings.get_mut(&constraint.name) {
                sayings.constraints.push(constraint);
            }
        }
        sayings
    }

    /// Returns what the lines pin a distribution to: nothing if none of them does.
    fn pin<'a>(&self, name: &DistributionName, sayings: &Sayings<'a>) -> Result<Option<Pin<'a>>, LockError> {
        let mut references = sayings.all().filter_map(|entry| match &entry.accepts {
            Accepts::Reference(reference) => Some((entry, &**reference)),
            Accepts::Versions(_) => None,
        });
        if let Some((first, reference)) = references.next() {
            if let Some((second, _)) = references.find(|(_, other)| *other != reference) {
                return Err(self.disagreement(name, sayings, first, second));
            }
            let version = reference.version(name);
            let mut refusing = sayings.all().filter(|entry| version.as_ref().is_some_and(|it| !entry.accepts(it)));
            return match (refusing.next(), reference) {
                (Some(second), _) => Err(self.disagreement(name, sayings, first, second)),
                (None, Reference::Branch) => Ok(None),
                (None, reference) => Ok(Some(Pin::Reference(reference))),
            };
        }
        let exact: Vec<(&Entry, Version)> =
            sayings.all().flat_map(|entry| entry.exact().map(move |version| (entry, version))).collect();
        let is_accepted = |version: &Version| sayings.all().all(|entry| entry.accepts(version));
        if let Some((_, version)) = exact.iter().find(|(_, version)| is_accepted(version)) {
            return Ok(Some(Pin::Version(version.clone())));
        }
        let Some((first, version)) = exact.first() else { return Ok(None) };
        let second = sayings.all().find(|entry| !entry.accepts(version)).unwrap_or(first);
        Err(self.disagreement(name, sayings, first, second))
    }

    /// Says that two lines do not accept the same.
    fn disagreement(&self, name: &DistributionName, sayings: &Sayings, first: &Entry, second: &Entry) -> LockError {
        let is_required = |entry: &Entry| sayings.entries.iter().any(|other| std::ptr::eq(*other, entry));
        let pinned = |entry: &Entry| match &entry.accepts {
            Accepts::Versions(_) => entry.exact().next().map(|version| format!("{name} {version}")),
            Accepts::Reference(_) => Some(entry.stated.text.clone()),
        };
        match (pinned(first), pinned(second)) {
            (Some(first_pin), Some(second_pin))
                if is_required(first) && is_required(second) && first_pin != second_pin =>
            {
                LockError::TwoVersions {
                    path: self.path.clone(),
                    first: first_pin,
                    first_for: vec![first.stated.place.to_string()],
                    second: second_pin,
                    second_for: vec![second.stated.place.to_string()],
                }
            }
            _ => RequirementsError::Contradiction { first: first.stated.clone(), second: second.stated.clone() }.into(),
        }
    }

    /// Returns whether a pin must have a hash, and has none that can be relied on.
    fn lacks_hash(&self, pin: &Pin, digests: &BTreeSet<Digest>) -> bool {
        let is_file = !matches!(pin, Pin::Reference(reference) if !reference.is_file());
        match self.hashes {
            Hashes::Absent => false,
            Hashes::Present => is_file && digests.is_empty(),
            Hashes::Required => digests.iter().all(|digest| digest.algorithm() == Algorithm::Md5),
        }
    }

    /// Refuses what files of requirements do not have.
    fn check(&self, request: &Request) -> Result<(), LockError> {
        let path = || self.path.clone();
        if let Some(group) = request.groups.iter().chain(&request.only_groups).next() {
            let group = group.to_string();
            return Err(LockError::UnknownGroup { path: path(), projects: Vec::new(), group, known: Vec::new() });
        }
        if let Some(extra) = request.extras.iter().next() {
            let extra = extra.to_string();
            return Err(LockError::UnknownExtra { path: path(), projects: Vec::new(), extra, known: Vec::new() });
        }
        let roots: BTreeSet<&DistributionName> =
            self.entries.iter().filter(|entry| self.is_root(entry)).map(|entry| &entry.name).collect();
        match &request.package {
            Some(name) if !roots.contains(name) => {
                let members = roots.into_iter().map(ToString::to_string).collect();
                Err(LockError::UnknownMember { path: path(), name: name.clone(), members })
            }
            _ => Ok(()),
        }
    }

    /// Returns whether a line requires the project itself.
    fn is_root(&self, entry: &Entry) -> bool {
        match &entry.accepts {
            Accepts::Reference(reference) => {
                matches!(&**reference, Reference::Folder(folder) if join(folder, "") == self.project)
            }
            Accepts::Versions(_) => false,
        }
    }

    /// Returns where an entry is among all of them.
    fn position(&self, entry: &Entry) -> usize {
        self.entries.iter().position(|other| std::ptr::eq(other, entry)).unwrap_or(usize::MAX)
    }
}

impl<'a> Sayings<'a> {
    fn all(&self) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().chain(&self.constraints).copied()
    }

    /// Returns the digests that every line with digests accepts.
    fn digests(&self) -> Result<BTreeSet<Digest>, RequirementsError> {
        let mut common: Option<(&Entry, BTreeSet<Digest>)> = None;
        for entry in self.all().filter(|entry| !entry.digests.is_empty()) {
            common = Some(match common {
                None => (entry, entry.digests.clone()),
                Some((first, digests)) => {
                    let both: BTreeSet<Digest> = digests.intersection(&entry.digests).cloned().collect();
                    if both.is_empty() {
                        let (first, second) = (first.stated.clone(), entry.stated.clone());
                        return Err(RequirementsError::DifferentHashes { first, second });
                    }
                    (first, both)
                }
            });
        }
        Ok(common.map(|(_, digests)| digests).unwrap_or_default())
    }

    /// Returns who asks for the distribution: what the comments say, or else the files, by their paths in the project.
    fn dependents(&self, project: &Path) -> Vec<Dependent> {
        let of_entry = |entry: &&Entry| {
            let path = &entry.stated.place.path;
            match entry.via.is_empty() {
                true => [Dependent::File(path.strip_prefix(project).unwrap_or(path).to_owned())].into(),
                false => entry.via.clone(),
            }
        };
        let dependents: BTreeSet<Dependent> = self.entries.iter().flat_map(of_entry).collect();
        dependents.into_iter().collect()
    }
}

impl Pin<'_> {
    fn into_pinned(
        self,
        name: &DistributionName,
        digests: BTreeSet<Digest>,
        required_by: Vec<Dependent>,
    ) -> Option<Pinned> {
        let name = name.clone();
        match self {
            Self::Version(version) => {
                let wanted = if digests.is_empty() { Wanted::Any } else { Wanted::Digests(digests) };
                let source = Source::Index(IndexQuery { version: version.clone(), wanted, indexes: AskedIndexes::All });
                Some(Pinned { name, version: Some(version), required_by, source })
            }
            Self::Reference(reference) => {
                let source = reference.source(digests.into_iter().collect())?;
                let version = reference.version(&name);
                Some(Pinned { name, version, required_by, source })
            }
        }
    }
}

/// Returns requirements in the order of their positions.
fn in_order(mut stated: Vec<(usize, Stated)>) -> Vec<Stated> {
    stated.sort_by_key(|(position, _)| *position);
    stated.into_iter().map(|(_, stated)| stated).collect()
}
