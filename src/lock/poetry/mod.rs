//! poetry.lock, versions 1.0 to 2.1 of the format, and any later version 2.
//!
//! The format has no specification; Poetry's
//! [documentation](https://python-poetry.org/docs/basic-usage/#committing-your-poetrylock-file-to-version-control)
//! describes its purpose, and Poetry's behavior is the reference. `document` has the lock's keys, `requirement` the
//! dependencies, `pyproject` the project's declarations, `select` the selection, `resolver` the traversal of dependencies,
//! `files` the sources of the distributions, and `freshness` the comparison with pyproject.toml.
//!
//! A lock lists the names and hashes of its distributions' files, but not their URLs, which are looked up on an index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pep440_rs::Version;
use serde::de::DeserializeOwned;

use super::error::{Inconsistency, LockError};
use super::path::join;
use super::{LocalProject, toml_syntax};
use crate::name::{DistributionName, ExtraName};
use crate::redact;
use document::{PoetryDocument, PoetryLockVersion, PoetryMetadata, PoetryPackage, PoetryVersionMetadata};
use pyproject::PoetryProject;

mod document;
mod files;
mod freshness;
mod pyproject;
mod requirement;
mod resolver;
mod select;

/// The first version of the format that is not supported.
const END: [u64; 1] = [3];

/// The first version of the format that is supported.
const START: [u64; 1] = [1];

/// What errors say of these versions.
const SUPPORTED: &str = "versions 1 and 2 are";

/// The first version of the tool that writes one of them.
const OLDEST_TOOL: &str = "Poetry 1.1";

/// The first version of the format that lists the groups and markers of each distribution.
const WITH_GROUPS: [u64; 2] = [2, 1];

const PYPROJECT: &str = "pyproject.toml";

/// The index of a distribution in [`PoetryLock::packages`].
type PoetryPackageIndex = usize;

const TABLE: &str = "[[package]]";

/// A parsed poetry.lock, with its project.
#[derive(Debug)]
pub struct PoetryLock {
    path: PathBuf,
    directory: PathBuf,
    version: Version,
    /// The version of Poetry that wrote the lock, if the first line states it.
    written_by: Option<Version>,
    metadata: PoetryMetadata,
    extras: BTreeSet<ExtraName>,
    packages: Vec<PoetryPackage>,
    by_name: BTreeMap<DistributionName, Vec<PoetryPackageIndex>>,
    project: PoetryProject,
}

impl PoetryLock {
    /// Parses a lock and its project. Paths in the lock are relative to the directory of `path`.
    pub(super) fn parse(text: &str, path: &Path, project: &LocalProject) -> Result<Self, LockError> {
        let (version, document) = match PoetryDocument::parse_in_parts(text) {
            Some((version, document)) => (supported(version, path)?, document),
            // Other versions of the format may have other types, so the version is checked first.
            None => (supported(from_toml(text, path)?, path)?, from_toml(text, path)?),
        };
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        let project = PoetryProject::new(project).map_err(|reason| LockError::InvalidProject {
            path: join(&directory, &project.path.to_string_lossy()).join(PYPROJECT),
            reason: redact::text(&reason),
        })?;
        let mut by_name = BTreeMap::<DistributionName, Vec<PoetryPackageIndex>>::new();
        for (index, package) in document.packages.iter().enumerate() {
            by_name.entry(package.name.clone()).or_default().push(index);
        }
        let lock = Self {
            path: path.to_owned(),
            directory,
            version,
            written_by: written_by(text),
            metadata: document.metadata,
            extras: document.extras.into_keys().collect(),
            packages: document.packages,
            by_name,
            project,
        };
        lock.check()?;
        Ok(lock)
    }

    /// Returns whether the lock lists the groups of each distribution.
    fn has_groups(&self) -> bool {
        self.version >= Version::new(WITH_GROUPS)
    }

    /// Returns the distributions with a name.
    fn named(&self, name: &DistributionName) -> &[PoetryPackageIndex] {
        self.by_name.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Refuses a lock whose parts contradict each other.
    fn check(&self) -> Result<(), LockError> {
        for (index, package) in self.packages.iter().enumerate() {
            let others = self.named(&package.name).iter().filter(|&&other| other < index);
            let mut others = others.filter_map(|&other| self.packages.get(other));
            let inconsistency =
                if others.any(|other| other.version == package.version && other.source == package.source) {
                    Inconsistency::DuplicatePackage
                } else if self.has_groups() && package.groups.is_none() {
                    Inconsistency::MissingGroups
                } else {
                    continue;
                };
            return Err(LockError::Inconsistent {
                path: self.path.clone(),
                package: package.to_string(),
                inconsistency,
            });
        }
        Ok(())
    }
}

/// Returns the version of Poetry that the first line names: `# This file is … by Poetry 1.8.5 and should not be …`.
fn written_by(text: &str) -> Option<Version> {
    let line = text.lines().next()?.strip_prefix('#')?;
    line.split_once("Poetry ")?.1.split_whitespace().next()?.parse().ok()
}

/// Returns the version of the format.
///
/// # Errors
///
/// Returns [`LockError::UnsupportedLockVersion`] if it is not supported.
fn supported(PoetryLockVersion { metadata }: PoetryLockVersion, path: &Path) -> Result<Version, LockError> {
    let PoetryVersionMetadata { lock_version } = metadata;
    let version = lock_version.as_deref().and_then(|version| version.parse::<Version>().ok());
    let version = version.filter(|version| (Version::new(START)..Version::new(END)).contains(version));
    version.ok_or_else(|| LockError::UnsupportedLockVersion {
        path: path.to_owned(),
        version: lock_version,
        supported: SUPPORTED,
        oldest_tool: OLDEST_TOOL,
    })
}

fn from_toml<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, LockError> {
    toml::from_str(text).map_err(|error| toml_syntax::error(text, path, TABLE, &error))
}
