//! poetry.lock, versions 1.0 to 2.1 of the format, and any later version 2.
//!
//! The format has no specification; Poetry's
//! [documentation](https://python-poetry.org/docs/basic-usage/#committing-your-poetrylock-file-to-version-control)
//! describes its purpose, and its meaning is what Poetry does with it: `document` is the text, `requirement` what one
//! distribution needs of another, `declared` what pyproject.toml declares, `select` what is asked for, `walk` the way
//! through the requirements, `files` where the distributions come from, and `freshness` the comparison with
//! pyproject.toml.
//!
//! A lock names the files of its distributions, with their hashes, but not where they are: an index has to be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pep440_rs::Version;

use super::error::{Inconsistency, LockError};
use super::path::join;
use super::{LocalProject, syntax};
use crate::name::{DistributionName, ExtraName};
use crate::redact;
use declared::Project;
use document::{Document, Metadata, Package, Preamble, PreambleMetadata};

mod declared;
mod document;
mod files;
mod freshness;
mod json;
mod requirement;
mod select;
mod walk;

/// The first version of the format that is not read any more.
const END: [u64; 1] = [3];

/// The first version of the format.
const START: [u64; 1] = [1];

/// The first version of the format that says which groups need a distribution, and where.
const WITH_GROUPS: [u64; 2] = [2, 1];

/// The name of a project's file.
const PYPROJECT: &str = "pyproject.toml";

/// A distribution's place in the lock.
type PackageIndex = usize;

/// The header of a distribution's table.
const TABLE: &str = "[[package]]";

/// A parsed poetry.lock, with what its project declares.
#[derive(Debug)]
pub struct PoetryLock {
    path: PathBuf,
    folder: PathBuf,
    version: Version,
    /// The version of Poetry that wrote the lock, if the lock says so.
    written_by: Option<Version>,
    metadata: Metadata,
    extras: BTreeSet<ExtraName>,
    packages: Vec<Package>,
    by_name: BTreeMap<DistributionName, Vec<PackageIndex>>,
    project: Project,
}

impl PoetryLock {
    /// Parses the text of a lock. `path` is where it lies: its folder is what its paths are relative to.
    ///
    /// # Errors
    ///
    /// [`LockError::Syntax`] with the line, [`LockError::UnsupportedLockVersion`], [`LockError::Inconsistent`], and
    /// [`LockError::InvalidProject`] if pyproject.toml declares what cannot be read.
    pub fn parse(text: &str, path: &Path, project: &LocalProject) -> Result<Self, LockError> {
        let syntax = |error| redacted(syntax::error(text, path, TABLE, &error));
        // Another version of the format may have other types: the version comes first.
        let Preamble { metadata: PreambleMetadata { lock_version } } = toml::from_str(text).map_err(syntax)?;
        let unsupported = |version| LockError::UnsupportedLockVersion { path: path.to_owned(), version };
        let version = lock_version.as_deref().and_then(|version| version.parse::<Version>().ok());
        let version = version.filter(|version| (Version::new(START)..Version::new(END)).contains(version));
        let version = version.ok_or_else(|| unsupported(lock_version))?;
        let document: Document = toml::from_str(text).map_err(syntax)?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let project = Project::new(&project.table).map_err(|reason| LockError::InvalidProject {
            path: join(&folder, &project.path.to_string_lossy()).join(PYPROJECT),
            reason: redact::text(&reason),
        })?;
        let mut by_name = BTreeMap::<DistributionName, Vec<PackageIndex>>::new();
        for (index, package) in document.packages.iter().enumerate() {
            by_name.entry(package.name.clone()).or_default().push(index);
        }
        let lock = Self {
            path: path.to_owned(),
            folder,
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

    /// Returns whether the lock says of each distribution which groups need it.
    fn has_groups(&self) -> bool {
        self.version >= Version::new(WITH_GROUPS)
    }

    /// Returns the places of the distributions with a name.
    fn named(&self, name: &DistributionName) -> &[PackageIndex] {
        self.by_name.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Refuses a lock whose parts contradict each other.
    fn check(&self) -> Result<(), LockError> {
        for (index, package) in self.packages.iter().enumerate() {
            let others = self.named(&package.name).iter().filter(|&&other| other < index);
            let mut others = others.filter_map(|&other| self.packages.get(other));
            let fault = if others.any(|other| other.version == package.version && other.source == package.source) {
                Inconsistency::Duplicate
            } else if self.has_groups() && package.groups.is_none() {
                Inconsistency::NoGroups
            } else {
                continue;
            };
            return Err(LockError::Inconsistent { path: self.path.clone(), package: package.to_string(), fault });
        }
        Ok(())
    }
}

/// Returns the version of Poetry that the first line names: `# This file is … by Poetry 1.8.5 and should not be …`.
fn written_by(text: &str) -> Option<Version> {
    let line = text.lines().next()?.strip_prefix('#')?;
    line.split_once("Poetry ")?.1.split_whitespace().next()?.parse().ok()
}

/// Takes credentials out of what the parser says of a value.
fn redacted(error: LockError) -> LockError {
    match error {
        LockError::Syntax { path, line, package, reason } => {
            LockError::Syntax { path, line, package, reason: redact::text(&reason) }
        }
        other => other,
    }
}
