//! Selection from requirements files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pep440_rs::Version;

use super::entry::{RequirementEntry, VersionOrReference};
use super::error::{RequirementLine, RequirementsError};
use super::reference::DirectReference;
use super::{HashPolicy, RequirementsTxt};
use crate::digest::{Algorithm, Digest};
use crate::lock::path::join;
use crate::lock::{
    AcceptedFiles, Dependent, DistributionSource, IndexQuery, LockError, LockedRequirement, PinnedDistribution,
    QueriedIndexes, Selection, SelectionRequest,
};
use crate::name::{DistributionName, ExtraName};
use crate::platform::{MarkerEnvironment, TargetPlatform};

/// The lines about one distribution that apply to a target.
#[derive(Default)]
struct ApplicableLines<'a> {
    /// The requirements; at least one.
    entries: Vec<&'a RequirementEntry>,
    constraints: Vec<&'a RequirementEntry>,
}

enum Pin<'a> {
    Version(Version),
    Reference(&'a DirectReference),
}

impl RequirementsTxt {
    /// Selects the distributions for a target.
    ///
    /// # Errors
    ///
    /// Returns [`LockError`] if a distribution is not pinned for the target, if lines contradict each other, or if groups, extras
    /// or workspace members are requested, which requirements files do not have.
    pub fn select(&self, request: &SelectionRequest, target: &TargetPlatform) -> Result<Selection, LockError> {
        self.check_request(request)?;
        let lines = self.applicable_lines(target);
        let mut distributions = Vec::new();
        let (mut unpinned, mut without_hash) = (Vec::new(), Vec::new());
        for (name, lines) in &lines {
            let is_root = lines.entries.iter().any(|entry| self.is_root(entry));
            let is_excluded = request.no_install_packages.contains(*name)
                || is_root && (request.no_install_project || request.no_install_workspace);
            if is_excluded {
                continue;
            }
            let Some(pin) = self.pin(name, lines)? else {
                unpinned.extend(&lines.entries);
                continue;
            };
            let digests = lines.digests()?;
            if self.lacks_hash(&pin, &digests) {
                without_hash.extend(&lines.entries);
            }
            let required_by = if is_root { vec![Dependent::Root] } else { lines.dependents(&self.project) };
            distributions.extend(pin.into_pinned(name, digests, required_by));
        }
        if !unpinned.is_empty() {
            let (path, requirements) = (self.path.clone(), in_order(unpinned));
            return Err(RequirementsError::Unpinned { path, python: target.python, requirements }.into());
        }
        if !without_hash.is_empty() {
            let (path, requirements) = (self.path.clone(), in_order(without_hash));
            let is_requested = self.hashes == HashPolicy::Required;
            return Err(RequirementsError::MissingHash { path, requirements, is_requested }.into());
        }
        Ok(Selection { distributions })
    }

    /// Returns the requested extras of each distribution on a target.
    pub fn extras(&self, target: &TargetPlatform) -> BTreeMap<DistributionName, BTreeSet<ExtraName>> {
        let lines_by_name = self.applicable_lines(target).into_iter();
        let extras = lines_by_name.map(|(name, lines)| {
            let extras = lines.entries.into_iter().flat_map(|entry| entry.extras.clone());
            (name.clone(), extras.collect())
        });
        extras.collect()
    }

    /// See [`Lock::locked_requirements`](crate::lock::Lock::locked_requirements).
    pub(crate) fn locked_requirements(
        &self,
        environment: &MarkerEnvironment,
    ) -> impl Iterator<Item = LockedRequirement> {
        self.entries.iter().flat_map(move |entry| {
            let dependents = entry.dependents(&self.project).into_iter();
            dependents.map(move |by| LockedRequirement::new(&entry.name, by, entry.marker.as_ref(), environment))
        })
    }

    /// Returns the lines that apply to a target, by the name of the distribution.
    fn applicable_lines(&self, target: &TargetPlatform) -> BTreeMap<&DistributionName, ApplicableLines<'_>> {
        let environment = target.marker_environment();
        let mut lines_by_name: BTreeMap<&DistributionName, ApplicableLines> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.applies(&environment)) {
            lines_by_name.entry(&entry.name).or_default().entries.push(entry);
        }
        for constraint in self.constraints.iter().filter(|entry| entry.applies(&environment)) {
            if let Some(lines) = lines_by_name.get_mut(&constraint.name) {
                lines.constraints.push(constraint);
            }
        }
        lines_by_name
    }

    /// Returns what the lines pin a distribution to, or `None` if they do not pin it.
    fn pin<'a>(&self, name: &DistributionName, lines: &ApplicableLines<'a>) -> Result<Option<Pin<'a>>, LockError> {
        let mut references = lines.all().filter_map(|entry| match &entry.constraint {
            VersionOrReference::Reference(reference) => Some((entry, &**reference)),
            VersionOrReference::Versions(_) => None,
        });
        if let Some((first, reference)) = references.next() {
            if let Some((second, _)) = references.find(|(_, other)| *other != reference) {
                return Err(self.contradiction(name, lines, first, second));
            }
            let version = reference.version(name);
            let mut refusing = lines.all().filter(|entry| version.as_ref().is_some_and(|it| !entry.accepts(it)));
            return match (refusing.next(), reference) {
                (Some(second), _) => Err(self.contradiction(name, lines, first, second)),
                (None, DirectReference::Branch) => Ok(None),
                (None, reference) => Ok(Some(Pin::Reference(reference))),
            };
        }
        let exact: Vec<(&RequirementEntry, Version)> =
            lines.all().flat_map(|entry| entry.pinned_versions().map(move |version| (entry, version))).collect();
        if let Some((_, version)) = exact.iter().find(|(_, version)| lines.all().all(|entry| entry.accepts(version))) {
            return Ok(Some(Pin::Version(version.clone())));
        }
        let Some((first, version)) = exact.first() else { return Ok(None) };
        let second = lines.all().find(|entry| !entry.accepts(version)).unwrap_or(first);
        Err(self.contradiction(name, lines, first, second))
    }

    /// Returns the error that two lines do not accept the same version.
    fn contradiction(
        &self,
        name: &DistributionName,
        lines: &ApplicableLines,
        first: &RequirementEntry,
        second: &RequirementEntry,
    ) -> LockError {
        match (first.pin_text(name), second.pin_text(name)) {
            (Some(first_pin), Some(second_pin))
                if lines.require(first) && lines.require(second) && first_pin != second_pin =>
            {
                LockError::ConflictingVersions {
                    path: self.path.clone(),
                    first: first_pin,
                    first_for: vec![first.line.location.to_string()],
                    second: second_pin,
                    second_for: vec![second.line.location.to_string()],
                }
            }
            _ => {
                RequirementsError::ContradictingLines { first: first.line.clone(), second: second.line.clone() }.into()
            }
        }
    }

    /// Returns whether a pin must have a secure hash, but has none.
    fn lacks_hash(&self, pin: &Pin, digests: &BTreeSet<Digest>) -> bool {
        let is_file = !matches!(pin, Pin::Reference(reference) if !reference.is_file());
        match self.hashes {
            HashPolicy::Absent => false,
            HashPolicy::Present => is_file && digests.is_empty(),
            HashPolicy::Required => digests.iter().all(|digest| digest.algorithm() == Algorithm::Md5),
        }
    }

    /// Refuses requests for groups, extras and workspace members.
    fn check_request(&self, request: &SelectionRequest) -> Result<(), LockError> {
        let path = self.path.clone();
        if let Some(group) = request.groups.iter().chain(&request.only_groups).next() {
            let group = group.to_string();
            return Err(LockError::UnknownGroup { path, projects: Vec::new(), group, known: Vec::new() });
        }
        if let Some(extra) = request.extras.iter().next() {
            let extra = extra.to_string();
            return Err(LockError::UnknownExtra { path, projects: Vec::new(), extra, known: Vec::new() });
        }
        let roots: BTreeSet<&DistributionName> =
            self.entries.iter().filter(|entry| self.is_root(entry)).map(|entry| &entry.name).collect();
        match &request.package {
            Some(name) if !roots.contains(name) => {
                let members = roots.into_iter().map(ToString::to_string).collect();
                Err(LockError::UnknownMember { path, name: name.clone(), members })
            }
            _ => Ok(()),
        }
    }

    /// Returns whether a line requires the project itself.
    fn is_root(&self, entry: &RequirementEntry) -> bool {
        match &entry.constraint {
            VersionOrReference::Reference(reference) => {
                matches!(&**reference, DirectReference::Directory(directory) if join(directory, "") == self.project)
            }
            VersionOrReference::Versions(_) => false,
        }
    }
}

impl<'a> ApplicableLines<'a> {
    /// Returns whether an entry is a requirement, not a constraint.
    fn require(&self, entry: &RequirementEntry) -> bool {
        self.entries.iter().any(|other| std::ptr::eq(*other, entry))
    }

    fn all(&self) -> impl Iterator<Item = &'a RequirementEntry> {
        self.entries.iter().chain(&self.constraints).copied()
    }

    /// Returns the digests that all lines with digests have in common.
    fn digests(&self) -> Result<BTreeSet<Digest>, RequirementsError> {
        let mut common: Option<(&RequirementEntry, BTreeSet<Digest>)> = None;
        for entry in self.all().filter(|entry| !entry.digests.is_empty()) {
            common = Some(match common {
                None => (entry, entry.digests.clone()),
                Some((first, digests)) => {
                    let both: BTreeSet<Digest> = digests.intersection(&entry.digests).cloned().collect();
                    if both.is_empty() {
                        let (first, second) = (first.line.clone(), entry.line.clone());
                        return Err(RequirementsError::ConflictingHashes { first, second });
                    }
                    (first, both)
                }
            });
        }
        Ok(common.map(|(_, digests)| digests).unwrap_or_default())
    }

    fn dependents(&self, project: &Path) -> Vec<Dependent> {
        let dependents: BTreeSet<Dependent> = self.entries.iter().flat_map(|entry| entry.dependents(project)).collect();
        dependents.into_iter().collect()
    }
}

impl RequirementEntry {
    /// Returns the dependents that comments name, or else the file, by its path in the project.
    fn dependents(&self, project: &Path) -> BTreeSet<Dependent> {
        if !self.via.is_empty() {
            return self.via.clone();
        }
        let path = &self.line.location.path;
        BTreeSet::from([Dependent::File(path.strip_prefix(project).unwrap_or(path).to_owned())])
    }
}

impl Pin<'_> {
    fn into_pinned(
        self,
        name: &DistributionName,
        digests: BTreeSet<Digest>,
        required_by: Vec<Dependent>,
    ) -> Option<PinnedDistribution> {
        let name = name.clone();
        match self {
            Self::Version(version) => {
                let accepted = if digests.is_empty() { AcceptedFiles::Any } else { AcceptedFiles::Digests(digests) };
                let source = DistributionSource::Index(IndexQuery {
                    version: version.clone(),
                    accepted,
                    indexes: QueriedIndexes::All,
                });
                Some(PinnedDistribution { name, version: Some(version), required_by, source })
            }
            Self::Reference(reference) => {
                let source = reference.source(digests.into_iter().collect())?;
                let version = reference.version(&name);
                Some(PinnedDistribution { name, version, required_by, source })
            }
        }
    }
}

/// Returns the lines of entries in the order in which they were read: all entries are in one vector, so their addresses tell
/// it.
fn in_order(mut entries: Vec<&RequirementEntry>) -> Vec<RequirementLine> {
    entries.sort_by_key(|entry| std::ptr::from_ref(*entry));
    entries.into_iter().map(|entry| entry.line.clone()).collect()
}
