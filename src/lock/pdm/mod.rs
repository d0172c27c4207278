//! pdm.lock, versions 4.3 to 4.5 of the format.
//!
//! The format has no specification; PDM's
//! [documentation](https://pdm-project.org/en/latest/usage/lockfile/) describes its purpose, and PDM's behavior is the
//! reference. `document` has the lock's keys, `project` the project's declarations, `select` the selection, `traversal` the
//! walk along the dependencies, `files` the sources of the distributions, and `freshness` the comparison with pyproject.toml.
//!
//! A lock lists the names and hashes of its distributions' files, and their URLs only with the strategy `static_urls`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pep440_rs::Version;
use serde::de::DeserializeOwned;

use super::error::{Inconsistency, LockError};
use super::path::join;
use super::sources::LockSource;
use super::{LocalProject, toml_syntax};
use crate::name::DistributionName;
use crate::redact;
use document::{PdmDocument, PdmLockVersion, PdmMetadata, PdmPackage};
use pyproject::PdmProject;

mod document;
mod files;
mod freshness;
mod pyproject;
mod select;
mod traversal;

/// The first version of the format that is supported: earlier ones list the files of all distributions in one table.
const START: [u64; 2] = [4, 3];

/// The first version that is not supported. PDM itself refuses a version with a higher minor number.
const END: [u64; 2] = [4, 6];

/// What errors say of these versions.
const SUPPORTED: &str = "versions 4.3 to 4.5 are";

/// The first version of the tool that writes one of them.
const OLDEST_TOOL: &str = "PDM 2.8";

const PYPROJECT: &str = "pyproject.toml";

const TABLE: &str = "[[package]]";

/// The index of an entry in [`PdmLock::packages`].
type PdmPackageIndex = usize;

/// A parsed pdm.lock, with its project.
#[derive(Debug)]
pub struct PdmLock {
    path: PathBuf,
    directory: PathBuf,
    metadata: PdmMetadata,
    /// A distribution has one entry without extras, and one for each set of extras that something requires.
    packages: Vec<PdmPackage>,
    by_name: BTreeMap<DistributionName, Vec<PdmPackageIndex>>,
    project: PdmProject,
    sources: Vec<LockSource>,
}

impl PdmLock {
    /// Parses a lock and its project. Paths in the lock are relative to the directory of `path`.
    pub(super) fn parse(
        text: &str,
        path: &Path,
        project: &LocalProject,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, LockError> {
        let PdmLockVersion { metadata } = from_toml(text, path)?;
        let version = metadata.lock_version.as_deref().and_then(|version| version.parse::<Version>().ok());
        if !version.is_some_and(|version| (Version::new(START)..Version::new(END)).contains(&version)) {
            return Err(LockError::UnsupportedLockVersion {
                path: path.to_owned(),
                version: metadata.lock_version,
                supported: SUPPORTED,
                oldest_tool: OLDEST_TOOL,
            });
        }
        let document: PdmDocument = from_toml(text, path)?;
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        let pyproject = join(&directory, &project.path.to_string_lossy()).join(PYPROJECT);
        let read = PdmProject::new(project).and_then(|project| Ok((project.sources(variable)?, project)));
        let (sources, project) =
            read.map_err(|reason| LockError::InvalidProject { path: pyproject, reason: redact::text(&reason) })?;
        let mut by_name = BTreeMap::<DistributionName, Vec<PdmPackageIndex>>::new();
        for (index, package) in document.packages.iter().enumerate() {
            by_name.entry(package.name.clone()).or_default().push(index);
        }
        let (path, metadata, packages) = (path.to_owned(), document.metadata, document.packages);
        let lock = Self { path, directory, metadata, packages, by_name, project, sources };
        lock.check()?;
        Ok(lock)
    }

    /// Returns the indexes that the project lists.
    pub(crate) fn sources(&self) -> &[LockSource] {
        &self.sources
    }

    /// Returns the entries of a distribution.
    fn named(&self, name: &DistributionName) -> impl Iterator<Item = (PdmPackageIndex, &PdmPackage)> {
        let indexes = self.by_name.get(name).into_iter().flatten();
        indexes.filter_map(|&index| Some((index, self.packages.get(index)?)))
    }

    /// Refuses a lock with an entry twice.
    fn check(&self) -> Result<(), LockError> {
        for indexes in self.by_name.values() {
            let same_name: Vec<&PdmPackage> = indexes.iter().filter_map(|&index| self.packages.get(index)).collect();
            for (at, package) in same_name.iter().enumerate() {
                if same_name[..at].iter().any(|other| other.is_same(package)) {
                    return Err(self.inconsistent(package, Inconsistency::DuplicatePackage));
                }
            }
        }
        Ok(())
    }

    fn inconsistent(&self, package: &PdmPackage, inconsistency: Inconsistency) -> LockError {
        LockError::Inconsistent { path: self.path.clone(), package: package.to_string(), inconsistency }
    }
}

fn from_toml<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, LockError> {
    toml::from_str(text).map_err(|error| toml_syntax::error(text, path, TABLE, &error))
}
