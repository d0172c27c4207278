//! The locked distributions as a graph: edges resolved, and the contradictions that a lock may hold refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use pep440_rs::Version;

use super::document::{self, Metadata, Source, SourceDistribution, Wheel, WheelPlace};
use crate::lock::error::{Inconsistency, LockError};
use crate::marker::Marker;
use crate::name::{DistributionName, ExtraName, GroupName};

/// The locked distributions.
#[derive(Debug)]
pub struct Graph {
    packages: Vec<Package>,
    by_name: BTreeMap<DistributionName, Vec<PackageIndex>>,
}

/// A distribution of one [`Graph`]: only the graph makes them, and it never shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackageIndex(usize);

/// A locked distribution.
#[derive(Debug)]
pub struct Package {
    /// The distribution.
    pub name: DistributionName,
    /// Its version; missing where a folder's is dynamic.
    pub version: Option<Version>,
    /// Where it comes from.
    pub source: Source,
    /// The forks in which it was chosen, where its name is locked more than once.
    pub resolution_markers: Vec<Marker>,
    /// What it needs.
    pub dependencies: Vec<Edge>,
    /// What its extras need beside.
    pub extras: BTreeMap<ExtraName, Vec<Edge>>,
    /// What its dependency groups need.
    pub groups: BTreeMap<GroupName, Vec<Edge>>,
    /// The source distribution.
    pub sdist: Option<SourceDistribution>,
    /// The wheels.
    pub wheels: Vec<Wheel>,
    /// What it declared when it was locked.
    pub metadata: Option<Metadata>,
}

/// What one distribution needs of another.
#[derive(Debug, PartialEq, Eq)]
pub struct Edge {
    /// The distribution that is needed.
    pub to: PackageIndex,
    /// Its extras; only those that need something.
    pub extras: BTreeSet<ExtraName>,
    /// Where it is needed; everywhere if there is none.
    pub marker: Option<Marker>,
}

impl fmt::Display for Package {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(formatter, &self.name, self.version.as_ref())
    }
}

impl Graph {
    /// Resolves the edges of a document.
    ///
    /// # Errors
    ///
    /// [`LockError::Inconsistent`] for each contradiction that uv refuses, too.
    pub fn new(path: &Path, packages: Vec<document::Package>) -> Result<Self, LockError> {
        let mut by_name = BTreeMap::<_, Vec<_>>::new();
        for (index, package) in packages.iter().enumerate() {
            package.check().map_err(|fault| inconsistent(path, package, fault))?;
            let namesakes = by_name.entry(package.name.clone()).or_default();
            if namesakes.iter().any(|&PackageIndex(other)| package.is_same_as(&packages[other])) {
                return Err(inconsistent(path, package, Inconsistency::Duplicate));
            }
            namesakes.push(PackageIndex(index));
        }
        let resolver = Resolver { packages: &packages, by_name: &by_name };
        let edges =
            packages.iter().map(|package| resolver.edges(package).map_err(|fault| inconsistent(path, package, fault)));
        let edges = edges.collect::<Result<Vec<_>, _>>()?;
        let packages = packages.into_iter().zip(edges).map(|(package, edges)| package.with(edges)).collect();
        Ok(Self { packages, by_name })
    }

    /// Returns a distribution.
    pub fn package(&self, PackageIndex(index): PackageIndex) -> &Package {
        &self.packages[index]
    }

    /// Returns every distribution of a name.
    pub fn named(&self, name: &DistributionName) -> &[PackageIndex] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns every distribution.
    pub fn all(&self) -> impl Iterator<Item = (PackageIndex, &Package)> {
        self.packages.iter().enumerate().map(|(index, package)| (PackageIndex(index), package))
    }
}

/// The edges of one distribution: its own, its extras' and its groups'.
struct Edges {
    dependencies: Vec<Edge>,
    extras: BTreeMap<ExtraName, Vec<Edge>>,
    groups: BTreeMap<GroupName, Vec<Edge>>,
}

struct Resolver<'a> {
    packages: &'a [document::Package],
    by_name: &'a BTreeMap<DistributionName, Vec<PackageIndex>>,
}

impl Resolver<'_> {
    fn edges(&self, package: &document::Package) -> Result<Edges, Inconsistency> {
        Ok(Edges {
            dependencies: self.resolve_all(&package.dependencies)?,
            extras: self.resolve_each(&package.optional_dependencies)?,
            groups: self.resolve_each(&package.groups)?,
        })
    }

    fn resolve_each<K: Clone + Ord>(
        &self,
        dependencies: &BTreeMap<K, Vec<document::Dependency>>,
    ) -> Result<BTreeMap<K, Vec<Edge>>, Inconsistency> {
        dependencies.iter().map(|(key, dependencies)| Ok((key.clone(), self.resolve_all(dependencies)?))).collect()
    }

    fn resolve_all(&self, dependencies: &[document::Dependency]) -> Result<Vec<Edge>, Inconsistency> {
        let mut edges = Vec::with_capacity(dependencies.len());
        for dependency in dependencies {
            let edge = self.resolve(dependency)?;
            if edges.contains(&edge) {
                return Err(Inconsistency::DuplicateDependency(dependency.to_string()));
            }
            edges.push(edge);
        }
        Ok(edges)
    }

    /// Finds the one distribution that has the name of an edge, and its version and source where it states them.
    fn resolve(&self, dependency: &document::Dependency) -> Result<Edge, Inconsistency> {
        let namesakes = self.by_name.get(&dependency.name).map_or(&[][..], Vec::as_slice);
        let matches: Vec<_> =
            namesakes.iter().filter(|&&PackageIndex(index)| dependency.matches(&self.packages[index])).collect();
        let &to = match matches[..] {
            [only] => only,
            [] => return Err(Inconsistency::UnknownDependency(dependency.to_string())),
            [..] => {
                let dependency = dependency.to_string();
                return Err(Inconsistency::AmbiguousDependency { dependency, matches: matches.len() });
            }
        };
        // An extra that needs nothing has no table, and one that does not exist neither.
        let known = &self.packages[to.0].optional_dependencies;
        let extras = dependency.extra.iter().filter(|extra| known.contains_key(*extra)).cloned().collect();
        Ok(Edge { to, extras, marker: dependency.marker.as_ref().map(|marker| marker.value.clone()) })
    }
}

impl document::Dependency {
    fn matches(&self, package: &document::Package) -> bool {
        self.version.as_ref().is_none_or(|version| package.version() == Some(&version.value))
            && self.source.as_ref().is_none_or(|source| *source == package.source)
    }
}

impl fmt::Display for document::Dependency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(formatter, &self.name, self.version.as_ref().map(|version| &version.value))
    }
}

impl fmt::Display for document::Package {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(formatter, &self.name, self.version())
    }
}

impl document::Package {
    fn version(&self) -> Option<&Version> {
        self.version.as_ref().map(|version| &version.value)
    }

    fn is_same_as(&self, other: &Self) -> bool {
        self.version() == other.version() && self.source == other.source
    }

    /// Checks what the tables of one distribution say of each other.
    fn check(&self) -> Result<(), Inconsistency> {
        match &self.source {
            Source::Registry(_) if self.version.is_none() => return Err(Inconsistency::NoVersion),
            Source::Git(url) if !url.contains('#') => return Err(Inconsistency::NoCommit),
            _ => {}
        }
        self.wheels.iter().try_for_each(|wheel| self.check_wheel(wheel))
    }

    fn check_wheel(&self, wheel: &Wheel) -> Result<(), Inconsistency> {
        let filename = || wheel.filename.to_string();
        if wheel.filename.name != self.name {
            return Err(Inconsistency::WheelOfAnother(filename()));
        }
        if let Some(version) = self.version() {
            // An index may offer a wheel with a local version under the public one.
            let public = wheel.filename.version.clone().without_local();
            if wheel.filename.version != *version && public != *version {
                return Err(Inconsistency::WheelOfAnotherVersion(filename()));
            }
        }
        match (&self.source, &wheel.place) {
            (Source::Url(..) | Source::Path(_), _) if wheel.digest.is_none() => {
                Err(Inconsistency::NoDigest(filename()))
            }
            (Source::Directory(_) | Source::Editable(_) | Source::Virtual(_), _) => {
                Err(Inconsistency::WheelOfFolder(filename()))
            }
            (Source::Registry(index), WheelPlace::Path(_)) if has_scheme(index) => {
                Err(Inconsistency::NoPlace(filename(), "URL"))
            }
            (Source::Registry(index), WheelPlace::Source) => {
                let place = if has_scheme(index) { "URL" } else { "path" };
                Err(Inconsistency::NoPlace(filename(), place))
            }
            _ => Ok(()),
        }
    }

    fn with(self, edges: Edges) -> Package {
        Package {
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

/// Returns whether the text of an index is a URL; otherwise it is a path. A single letter is a drive of Windows.
pub fn has_scheme(index: &str) -> bool {
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

fn inconsistent(path: &Path, package: &document::Package, fault: Inconsistency) -> LockError {
    LockError::Inconsistent { path: path.to_owned(), package: package.to_string(), fault }
}
