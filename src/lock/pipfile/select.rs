//! Selection from a Pipfile.lock.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Operator, Version, VersionSpecifiers};

use super::document::{PipfileCategory, PipfileEntry};
use super::{DEV_PACKAGES, DEVELOP, PipfileLock};
use crate::lock::error::{Inconsistency, LockError};
use crate::lock::path::join;
use crate::lock::reference_context::ReferenceContext;
use crate::lock::{
    AcceptedFiles, Dependent, DistributionSource, ExtrasAndGroups, IndexQuery, LockedRequirement, PinnedDistribution,
    QueriedIndexes, Selection, SelectionRequest, requires_python,
};
use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::{MarkerEnvironment, TargetPlatform};

/// The names of the group of `[dev-packages]` besides its own: the lock's, and the usual one.
const DEV_ALIASES: [&str; 2] = [DEVELOP, "dev"];

impl PipfileLock {
    /// Selects the distributions for a target.
    ///
    /// # Errors
    /// The lock is for another version of Python, does not pin what is selected, or does not contain what is requested.
    pub(crate) fn select(&self, request: &SelectionRequest, target: &TargetPlatform) -> Result<Selection, LockError> {
        let environment = self.environment(target)?;
        self.check_request(request)?;
        let mut distributions: BTreeMap<&DistributionName, PinnedDistribution> = BTreeMap::new();
        for category in self.requested(request)? {
            for (name, entry) in category.applicable(&environment) {
                if request.no_install_packages.contains(name) {
                    continue;
                }
                let pinned = self.pin(name, entry)?;
                let is_root = pinned.required_by.contains(&Dependent::Root);
                if is_root && (request.no_install_project || request.no_install_workspace) {
                    continue;
                }
                match distributions.get(name) {
                    Some(other) if other.version != pinned.version => {
                        return Err(LockError::ConflictingVersions {
                            path: self.path.clone(),
                            first: other.to_string(),
                            first_for: vec!["one category".to_owned()],
                            second: pinned.to_string(),
                            second_for: vec!["another".to_owned()],
                        });
                    }
                    Some(_) => {}
                    None => drop(distributions.insert(name, pinned)),
                }
            }
        }
        Ok(Selection { distributions: distributions.into_values().collect() })
    }

    /// See [`Lock::locked_requirements`](crate::lock::Lock::locked_requirements).
    pub(crate) fn locked_requirements(
        &self,
        environment: &MarkerEnvironment,
    ) -> impl Iterator<Item = LockedRequirement> {
        let lock = Dependent::File(self.path.file_name().map(Into::into).unwrap_or_default());
        let entries = std::iter::once(&self.default).chain(self.groups.values()).flat_map(|category| &category.0);
        entries.map(move |(name, entry)| {
            LockedRequirement::new(name, lock.clone(), entry.markers.as_ref().map(|marker| &marker.value), environment)
        })
    }

    /// Returns the extras of each distribution on a target. The lock lists what they require.
    pub(crate) fn extras(&self, target: &TargetPlatform) -> BTreeMap<DistributionName, BTreeSet<ExtraName>> {
        let environment = target.marker_environment();
        let mut extras = BTreeMap::<DistributionName, BTreeSet<ExtraName>>::new();
        for category in self.groups.values().chain([&self.default]) {
            for (name, entry) in category.applicable(&environment) {
                extras.entry(name.clone()).or_default().extend(entry.extras.iter().cloned());
            }
        }
        extras
    }

    /// Returns the categories as groups.
    pub(crate) fn extras_and_groups(&self) -> ExtrasAndGroups {
        ExtrasAndGroups { extras: BTreeSet::new(), groups: self.groups.keys().cloned().collect() }
    }

    fn environment(&self, target: &TargetPlatform) -> Result<MarkerEnvironment, LockError> {
        match &self.requires_python {
            Some(requires_python) => requires_python::environment(&self.path, requires_python, target),
            None => Ok(target.marker_environment()),
        }
    }

    /// Refuses requests for extras and workspace members, which the format does not have.
    fn check_request(&self, request: &SelectionRequest) -> Result<(), LockError> {
        let path = self.path.clone();
        if let Some(extra) = request.extras.iter().next() {
            let extra = extra.to_string();
            return Err(LockError::UnknownExtra { path, projects: Vec::new(), extra, known: Vec::new() });
        }
        Ok(())
    }

    /// Returns the requested categories.
    fn requested(&self, request: &SelectionRequest) -> Result<Vec<&PipfileCategory>, LockError> {
        let mut categories: Vec<&PipfileCategory> = Vec::new();
        if request.only_groups.is_empty() {
            categories.push(&self.default);
        }
        for group in request.groups.union(&request.only_groups) {
            categories.push(self.group(group).ok_or_else(|| LockError::UnknownGroup {
                path: self.path.clone(),
                projects: Vec::new(),
                group: group.to_string(),
                known: self.groups.keys().map(ToString::to_string).collect(),
            })?);
        }
        Ok(categories)
    }

    fn group(&self, name: &GroupName) -> Option<&PipfileCategory> {
        let is_dev = DEV_ALIASES.contains(&name.as_str());
        self.groups.get(name).or_else(|| self.groups.get(&DEV_PACKAGES.parse().ok()?).filter(|_| is_dev))
    }

    /// Returns what an entry pins.
    fn pin(&self, name: &DistributionName, entry: &PipfileEntry) -> Result<PinnedDistribution, LockError> {
        let context = self.context(name);
        context.check_vcs([("hg", &entry.hg), ("svn", &entry.svn), ("bzr", &entry.bzr)])?;
        let (direct, subdirectory) = (entry.file.as_ref().or(entry.path.as_ref()), &entry.subdirectory);
        let (version, source) = match (direct, &entry.git) {
            (Some(location), _) => {
                let digests = entry.hashes.iter().map(|digest| digest.0.clone());
                context.direct(name, location, subdirectory.as_ref(), digests)?
            }
            (None, Some(url)) => {
                let url = url.strip_prefix("git+").unwrap_or(url);
                let git = context.git(url, entry.r#ref.as_deref(), subdirectory.clone())?;
                (entry.exact_version(), DistributionSource::Git(git))
            }
            (None, None) => {
                let version = entry
                    .exact_version()
                    .ok_or_else(|| LockError::Unpinned { path: self.path.clone(), name: name.clone() })?;
                let accepted = match &entry.hashes {
                    hashes if hashes.is_empty() => AcceptedFiles::Any,
                    hashes => AcceptedFiles::Digests(hashes.iter().map(|digest| digest.0.clone()).collect()),
                };
                let indexes = self.indexes(name, entry)?;
                (Some(version.clone()), DistributionSource::Index(IndexQuery { version, accepted, indexes }))
            }
        };
        let is_root = matches!(&source, DistributionSource::Directory(path) if *path == join(&self.directory, ""));
        let file = self.path.file_name().map(Into::into).unwrap_or_default();
        let required_by = vec![if is_root { Dependent::Root } else { Dependent::File(file) }];
        Ok(PinnedDistribution { name: name.clone(), version, required_by, source })
    }

    /// Returns the indexes that an entry is looked up on.
    fn indexes(&self, name: &DistributionName, entry: &PipfileEntry) -> Result<QueriedIndexes, LockError> {
        let Some(index) = &entry.index else {
            // Digests tell the files apart, whatever index has them.
            let further = self.sources.iter().filter(|source| !source.is_pypi());
            let further = further.map(|source| source.url.clone()).collect();
            return Ok(if entry.hashes.is_empty() { QueriedIndexes::All } else { QueriedIndexes::Every(further) });
        };
        match self.sources.iter().find(|source| source.name.as_ref() == Some(index)) {
            Some(source) if source.is_pypi() => Ok(QueriedIndexes::Default),
            Some(source) => Ok(QueriedIndexes::Only(source.url.clone())),
            None => Err(self.context(name).inconsistent(Inconsistency::UnknownIndex(index.escape_debug().to_string()))),
        }
    }

    fn context(&self, name: &DistributionName) -> ReferenceContext<'_> {
        ReferenceContext { path: &self.path, directory: &self.directory, package: name.to_string() }
    }
}

impl PipfileCategory {
    /// Returns the entries that apply in an environment.
    fn applicable(&self, environment: &MarkerEnvironment) -> impl Iterator<Item = (&DistributionName, &PipfileEntry)> {
        let none = ActiveExtras::default();
        self.0.iter().filter(move |(_, entry)| {
            entry.markers.as_ref().is_none_or(|marker| marker.value.evaluate(environment, &none))
        })
    }
}

impl PipfileEntry {
    /// Returns the version that is pinned; `None` for `*`, which pipenv 2026.10 writes for what it does not install on its own
    /// platform.
    fn exact_version(&self) -> Option<Version> {
        let specifiers: VersionSpecifiers = self.version.as_ref()?.parse().ok()?;
        let [only] = &specifiers[..] else { return None };
        let is_exact = matches!(only.operator(), Operator::Equal | Operator::ExactEqual);
        is_exact.then(|| only.version().clone())
    }
}
