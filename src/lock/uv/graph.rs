//! The graph of the locked distributions, and the checks of the lock's consistency.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use pep440_rs::Version;

use super::document::{self, UvMetadata, UvSdist, UvSource, UvWheel, UvWheelLocation, UvWheels};
use crate::lock::error::{Inconsistency, LockError};
use crate::marker::Marker;
use crate::name::{DistributionName, ExtraName, GroupName};

#[derive(Debug)]
pub(super) struct DependencyGraph {
    packages: Vec<UvPackage>,
    /// Sorted by name, then as in the lock.
    by_name: Vec<UvPackageIndex>,
}

/// The index of a distribution of one [`DependencyGraph`]. It is always valid: only the graph creates it, and never shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct UvPackageIndex(usize);

/// A locked distribution.
#[derive(Debug)]
pub(super) struct UvPackage {
    pub(super) name: DistributionName,
    /// Missing if a directory's version is dynamic.
    pub(super) version: Option<Version>,
    pub(super) source: UvSource,
    /// The forks in which it was chosen, if several distributions have its name.
    pub(super) resolution_markers: Vec<Marker>,
    pub(super) dependencies: Vec<DependencyEdge>,
    pub(super) extras: BTreeMap<ExtraName, Vec<DependencyEdge>>,
    pub(super) groups: BTreeMap<GroupName, Vec<DependencyEdge>>,
    pub(super) sdist: Option<Box<UvSdist>>,
    pub(super) wheels: UvWheels,
    pub(super) metadata: Option<Box<UvMetadata>>,
}

#[derive(Debug, Clone)]
pub(super) struct DependencyEdge {
    pub(super) to: UvPackageIndex,
    /// Only extras with dependencies.
    pub(super) extras: BTreeSet<ExtraName>,
    pub(super) marker: Option<Box<Marker>>,
}

impl fmt::Display for UvPackage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(formatter, &self.name, self.version.as_ref())
    }
}

impl DependencyGraph {
    /// Resolves the edges of a document.
    ///
    /// # Errors
    ///
    /// Returns [`LockError::Inconsistent`] for inconsistencies that uv refuses as well.
    pub(super) fn new(path: &Path, packages: Vec<document::UvPackageTable>) -> Result<Self, LockError> {
        for package in &packages {
            package.check().map_err(|inconsistency| inconsistent(path, package, inconsistency))?;
        }
        let mut by_name: Vec<UvPackageIndex> = (0..packages.len()).map(UvPackageIndex).collect();
        by_name.sort_by_key(|index| &packages[index.0].name);
        let resolver = EdgeResolver::new(&packages, &by_name)
            .map_err(|duplicate| inconsistent(path, duplicate, Inconsistency::DuplicatePackage))?;
        let mut edges = Vec::with_capacity(packages.len());
        for package in &packages {
            edges.push(resolver.edges(package).map_err(|inconsistency| inconsistent(path, package, inconsistency))?);
        }
        let packages = packages.into_iter().zip(edges).map(|(package, edges)| package.with(edges)).collect();
        Ok(Self { packages, by_name })
    }

    pub(super) fn package(&self, UvPackageIndex(index): UvPackageIndex) -> &UvPackage {
        &self.packages[index]
    }

    /// Returns the distributions with a name.
    pub(super) fn named(&self, name: &DistributionName) -> &[UvPackageIndex] {
        named(&self.by_name, name, |index| &self.package(index).name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (UvPackageIndex, &UvPackage)> {
        self.packages.iter().enumerate().map(|(index, package)| (UvPackageIndex(index), package))
    }
}

/// Returns the distributions with a name, of those that are sorted by `name_of`.
fn named<'i, 'n>(
    by_name: &'i [UvPackageIndex],
    name: &DistributionName,
    name_of: impl Fn(UvPackageIndex) -> &'n DistributionName,
) -> &'i [UvPackageIndex] {
    let (_, from) = by_name.split_at(by_name.partition_point(|index| name_of(*index) < name));
    let (same, _) = from.split_at(from.partition_point(|index| name_of(*index) == name));
    same
}

/// The edges of one distribution, its extras and its groups.
struct PackageEdges {
    dependencies: Vec<DependencyEdge>,
    extras: BTreeMap<ExtraName, Vec<DependencyEdge>>,
    groups: BTreeMap<GroupName, Vec<DependencyEdge>>,
}

struct EdgeResolver<'a> {
    packages: &'a [document::UvPackageTable],
    by_name: &'a [UvPackageIndex],
    /// For names of several distributions: those that each combination of version and source matches.
    ambiguous: HashMap<DependencyKey<'a>, DependencyMatches>,
}

/// What a dependency states; `None` matches any version or source.
#[derive(PartialEq, Eq, Hash)]
struct DependencyKey<'a> {
    name: &'a DistributionName,
    version: Option<Option<&'a Version>>,
    source: Option<&'a UvSource>,
}

struct DependencyMatches {
    first: UvPackageIndex,
    count: usize,
}

impl<'a> EdgeResolver<'a> {
    /// Returns a resolver, or a distribution that has the name, version and source of an earlier one.
    fn new(
        packages: &'a [document::UvPackageTable],
        by_name: &'a [UvPackageIndex],
    ) -> Result<Self, &'a document::UvPackageTable> {
        let mut ambiguous = HashMap::new();
        let by_name_of_each = by_name.chunk_by(|left, right| packages[left.0].name == packages[right.0].name);
        for &index in by_name_of_each.filter(|same_name| same_name.len() > 1).flatten() {
            let package = &packages[index.0];
            let (name, version, source) = (&package.name, package.version(), &package.source);
            for (version, source) in
                [(None, None), (Some(version), None), (None, Some(source)), (Some(version), Some(source))]
            {
                let matches = ambiguous
                    .entry(DependencyKey { name, version, source })
                    .or_insert(DependencyMatches { first: index, count: 0 });
                matches.count += 1;
                if matches.count > 1 && version.is_some() && source.is_some() {
                    return Err(package);
                }
            }
        }
        Ok(Self { packages, by_name, ambiguous })
    }

    fn edges(&self, package: &document::UvPackageTable) -> Result<PackageEdges, Inconsistency> {
        Ok(PackageEdges {
            dependencies: self.resolve_all(&package.dependencies)?,
            extras: self.resolve_each(&package.optional_dependencies)?,
            groups: self.resolve_each(&package.groups)?,
        })
    }

    fn resolve_each<K: Clone + Ord>(
        &self,
        dependencies: &BTreeMap<K, Vec<document::UvDependency>>,
    ) -> Result<BTreeMap<K, Vec<DependencyEdge>>, Inconsistency> {
        dependencies.iter().map(|(key, dependencies)| Ok((key.clone(), self.resolve_all(dependencies)?))).collect()
    }

    fn resolve_all(&self, dependencies: &[document::UvDependency]) -> Result<Vec<DependencyEdge>, Inconsistency> {
        let mut edges = Vec::with_capacity(dependencies.len());
        for dependency in dependencies {
            edges.push(self.resolve(dependency)?);
        }
        let mut seen = HashSet::new();
        for (edge, dependency) in edges.iter().zip(dependencies).filter(|_| edges.len() > 1) {
            // Equal markers are displayed alike.
            if !seen.insert((edge.to, &edge.extras, edge.marker.as_ref().map(ToString::to_string))) {
                return Err(Inconsistency::DuplicateDependency(dependency.to_string()));
            }
        }
        Ok(edges)
    }

    /// Finds the distribution with the name of a dependency, and with its version and source if they are given.
    fn resolve(&self, dependency: &document::UvDependency) -> Result<DependencyEdge, Inconsistency> {
        let (to, matches) = match named(self.by_name, &dependency.name, |index| &self.packages[index.0].name) {
            &[only] => (Some(only), usize::from(dependency.matches(&self.packages[only.0]))),
            _ => {
                let matches = self.ambiguous.get(&dependency.key());
                (matches.map(|matches| matches.first), matches.map_or(0, |matches| matches.count))
            }
        };
        let to = match (to, matches) {
            (Some(to), 1) => to,
            (_, 0) => return Err(Inconsistency::UnknownDependency(dependency.to_string())),
            _ => return Err(Inconsistency::AmbiguousDependency { dependency: dependency.to_string(), matches }),
        };
        // Neither an extra without dependencies nor an unknown extra has a table.
        let known = &self.packages[to.0].optional_dependencies;
        let extras = dependency.extra.iter().filter(|extra| known.contains_key(*extra)).cloned().collect();
        let marker = dependency.marker.as_ref().map(|marker| Box::new(marker.value.clone()));
        Ok(DependencyEdge { to, extras, marker })
    }
}

impl document::UvDependency {
    fn key(&self) -> DependencyKey<'_> {
        DependencyKey {
            name: &self.name,
            version: self.version.as_ref().map(|version| Some(&version.value)),
            source: self.source.as_deref(),
        }
    }

    fn matches(&self, package: &document::UvPackageTable) -> bool {
        self.version.as_ref().is_none_or(|version| package.version() == Some(&version.value))
            && self.source.as_ref().is_none_or(|source| **source == package.source)
    }
}

impl fmt::Display for document::UvDependency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(formatter, &self.name, self.version.as_ref().map(|version| &version.value))
    }
}

impl fmt::Display for document::UvPackageTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(formatter, &self.name, self.version())
    }
}

impl document::UvPackageTable {
    fn version(&self) -> Option<&Version> {
        self.version.as_ref().map(|version| &version.value)
    }

    /// Checks the keys of a distribution against each other.
    fn check(&self) -> Result<(), Inconsistency> {
        match &self.source {
            UvSource::Registry(_) if self.version.is_none() => return Err(Inconsistency::MissingVersion),
            UvSource::Git(url) if !url.contains('#') => return Err(Inconsistency::MissingCommit),
            _ => {}
        }
        self.wheels.wheels.iter().try_for_each(|wheel| self.check_wheel(wheel))
    }

    fn check_wheel(&self, wheel: &UvWheel) -> Result<(), Inconsistency> {
        if wheel.filename.name != self.name {
            return Err(Inconsistency::WheelNameMismatch(wheel.filename.to_string()));
        }
        if let Some(version) = self.version() {
            // An index may list a wheel with a local version under the public version.
            let public = wheel.filename.version.clone().without_local();
            if wheel.filename.version != *version && public != *version {
                return Err(Inconsistency::WheelVersionMismatch(wheel.filename.to_string()));
            }
        }
        match (&self.source, &wheel.location) {
            (UvSource::Url(..) | UvSource::Path(_), _) if wheel.digest.is_none() => {
                Err(Inconsistency::MissingHash(wheel.filename.to_string()))
            }
            (UvSource::Directory(_) | UvSource::Editable(_) | UvSource::Virtual(_), _) => {
                Err(Inconsistency::UnexpectedWheel(wheel.filename.to_string()))
            }
            (UvSource::Registry(index), UvWheelLocation::Path(_)) if has_scheme(index) => {
                Err(Inconsistency::MissingLocation(wheel.filename.to_string(), "URL"))
            }
            (UvSource::Registry(index), UvWheelLocation::Source) => {
                let location = if has_scheme(index) { "URL" } else { "path" };
                Err(Inconsistency::MissingLocation(wheel.filename.to_string(), location))
            }
            _ => Ok(()),
        }
    }

    fn with(self, edges: PackageEdges) -> UvPackage {
        UvPackage {
            name: self.name,
            version: self.version.map(|version| version.value),
            source: self.source,
            resolution_markers: self.resolution_markers.into_iter().map(|marker| marker.value).collect(),
            dependencies: edges.dependencies,
            extras: edges.extras,
            groups: edges.groups,
            sdist: self.sdist,
            wheels: self.wheels,
            metadata: self.metadata,
        }
    }
}

/// Returns whether an index is a URL rather than a path. A scheme of a single letter is a drive on Windows.
pub(super) fn has_scheme(index: &str) -> bool {
    index.split_once(':').is_some_and(|(scheme, _)| {
        scheme.len() > 1
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    })
}

fn write_id(formatter: &mut fmt::Formatter<'_>, name: &DistributionName, version: Option<&Version>) -> fmt::Result {
    match version {
        Some(version) => write!(formatter, "{name} {version}"),
        None => write!(formatter, "{name}"),
    }
}

fn inconsistent(path: &Path, package: &document::UvPackageTable, inconsistency: Inconsistency) -> LockError {
    LockError::Inconsistent { path: path.to_owned(), package: package.to_string(), inconsistency }
}
