//! pylock.toml, version 1.
//!
//! Specification: [PyPA, pylock.toml](https://packaging.python.org/en/latest/specifications/pylock-toml/), which was
//! [PEP 751](https://peps.python.org/pep-0751/). `document` is the text, `package` an entry whose keys agree with each other,
//! `file` one of its files, `fault` what can be wrong with either, and `select` the specification's section on installation.
//!
//! Where the specification leaves a choice, the answer is uv's: names need not be written in their normalized form, and of a
//! `path` and a `url` for one file the path counts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pep440_rs::{Version, VersionSpecifiers};
use toml::Spanned;

use super::error::LockError;
use super::path::join;
use super::syntax::{self, Parsed};
use crate::marker::Marker;
use crate::name::{ExtraName, GroupName};
use document::{Document, PackageTable, Preamble};
use package::Package;

mod document;
mod fault;
mod file;
mod package;
mod select;

/// The header of a distribution's table.
const TABLE: &str = "[[packages]]";

/// A parsed pylock.toml whose entries agree with themselves.
#[derive(Debug)]
pub struct Pylock {
    path: PathBuf,
    folder: PathBuf,
    requires_python: VersionSpecifiers,
    environments: Vec<Parsed<Marker>>,
    extras: BTreeSet<ExtraName>,
    groups: BTreeSet<GroupName>,
    default_groups: BTreeSet<GroupName>,
    packages: Vec<Package>,
}

impl Pylock {
    /// Parses the text of a lock. `path` is where it lies: its folder is what its paths are relative to.
    ///
    /// # Errors
    ///
    /// [`LockError::Syntax`] with the line and the distribution, and [`LockError::UnsupportedVersion`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, LockError> {
        let document: Document = toml::from_str(text).map_err(|error| match toml::from_str(text) {
            Ok(Preamble { lock_version }) if !is_supported(&lock_version.value) => {
                LockError::UnsupportedVersion { path: path.to_owned(), version: major(&lock_version.value) }
            }
            _ => syntax::error(text, path, TABLE, &error),
        })?;
        let version = document.lock_version.value;
        if !is_supported(&version) {
            return Err(LockError::UnsupportedVersion { path: path.to_owned(), version: major(&version) });
        }
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let package = |table: Spanned<PackageTable>| {
            let (start, table) = (table.span().start, table.into_inner());
            let name = table.name.clone();
            Package::new(table, &folder).map_err(|fault| LockError::Syntax {
                path: path.to_owned(),
                line: text.get(..start).map(syntax::line_after),
                package: Some(name.to_string()),
                reason: fault.to_string(),
            })
        };
        Ok(Self {
            path: path.to_owned(),
            requires_python: document.requires_python.map(|range| range.value).unwrap_or_default(),
            environments: document.environments,
            extras: document.extras,
            groups: document.dependency_groups,
            default_groups: document.default_groups,
            packages: document.packages.into_iter().map(package).collect::<Result<_, _>>()?,
            folder: join(&folder, "."),
        })
    }
}

/// Returns whether a version of the format can be read: later minor versions only add what may be passed over.
fn is_supported(version: &Version) -> bool {
    version.release().first() == Some(&1)
}

/// Returns the number by which messages name a version of the format.
fn major(version: &Version) -> u32 {
    version.release().first().and_then(|&major| major.try_into().ok()).unwrap_or(u32::MAX)
}
