//! pylock.toml, version 1.
//!
//! Specification: [PyPA, pylock.toml](https://packaging.python.org/en/latest/specifications/pylock-toml/), which was
//! [PEP 751](https://peps.python.org/pep-0751/). `document` has the keys, `package` an entry whose keys are checked against each
//! other, `file` its files, and `select` implements the specification's section on installation.
//!
//! Where the specification leaves a choice, uv is followed: names need not be normalized, and if a file has both a `path` and a
//! `url`, the path takes precedence.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pep440_rs::{Version, VersionSpecifiers};

use super::error::LockError;
use super::path::join;
use super::toml_syntax::{self, DocumentParts, Parsed};
use crate::marker::Marker;
use crate::name::{ExtraName, GroupName};
use document::{PylockDocument, PylockVersion};
use package::PylockPackage;

mod document;
mod error;
mod file;
mod package;
mod select;

const TABLE: &str = "[[packages]]";

/// A parsed pylock.toml whose entries are valid.
#[derive(Debug)]
pub struct Pylock {
    path: PathBuf,
    directory: PathBuf,
    requires_python: VersionSpecifiers,
    environments: Vec<Parsed<Marker>>,
    extras: BTreeSet<ExtraName>,
    groups: BTreeSet<GroupName>,
    default_groups: BTreeSet<GroupName>,
    /// The tool that wrote the lock.
    created_by: String,
    packages: Vec<PylockPackage>,
}

impl Pylock {
    /// Parses a lock. Its paths are relative to the directory of `path`.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, LockError> {
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        let (document, packages) = match Self::parse_in_parts(text, &directory) {
            Some(parsed) => parsed,
            None => Self::parse_as_whole(text, path, &directory)?,
        };
        Ok(Self {
            path: path.to_owned(),
            requires_python: document.requires_python.map(|range| range.value).unwrap_or_default(),
            environments: document.environments,
            extras: document.extras,
            groups: document.dependency_groups,
            default_groups: document.default_groups,
            created_by: document.created_by,
            packages,
            directory: join(&directory, "."),
        })
    }

    /// Returns `None` if the file must be parsed as a whole.
    fn parse_in_parts(text: &str, directory: &Path) -> Option<(PylockDocument, Vec<PylockPackage>)> {
        let parts = DocumentParts::split(text, "packages")?;
        // The key is required.
        let rest = format!("packages = []\n{}", parts.rest()?);
        let document: PylockDocument = toml::from_str(&rest).ok()?;
        if !is_supported(&document.lock_version.value) {
            return None;
        }
        let packages = parts.tables(|table| PylockPackage::new(table, directory).ok())?;
        Some((document, packages))
    }

    fn parse_as_whole(
        text: &str,
        path: &Path,
        directory: &Path,
    ) -> Result<(PylockDocument, Vec<PylockPackage>), LockError> {
        let mut document: PylockDocument = toml::from_str(text).map_err(|error| match toml::from_str(text) {
            Ok(PylockVersion { lock_version }) if !is_supported(&lock_version.value) => {
                LockError::UnsupportedVersion { path: path.to_owned(), version: major(&lock_version.value) }
            }
            _ => toml_syntax::error(text, path, TABLE, &error),
        })?;
        let version = &document.lock_version.value;
        if !is_supported(version) {
            return Err(LockError::UnsupportedVersion { path: path.to_owned(), version: major(version) });
        }
        let packages = std::mem::take(&mut document.packages).into_iter().map(|table| {
            let (start, table) = (table.span().start, table.into_inner());
            let name = table.name.clone();
            PylockPackage::new(table, directory).map_err(|error| LockError::Syntax {
                path: path.to_owned(),
                line: text.get(..start).map(toml_syntax::line_after),
                package: Some(name.to_string()),
                reason: error.to_string(),
            })
        });
        let packages = packages.collect::<Result<_, _>>()?;
        Ok((document, packages))
    }
}

/// Returns whether a version of the format is supported. Later minor versions only add keys that may be ignored.
fn is_supported(version: &Version) -> bool {
    version.release().first() == Some(&1)
}

/// Returns the major version of the format, for messages.
fn major(version: &Version) -> u32 {
    version.release().first().and_then(|&major| major.try_into().ok()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::lock::Lock;
    use crate::lock::linear_time::assert_linear_time;

    fn chain(length: usize) -> String {
        let mut text = "lock-version = \"1.0\"\ncreated-by = \"test\"\n\n".to_owned();
        for number in 0..length {
            let dependency = format!("dependencies = [{{ name = \"p{}\" }}]", number + 1);
            write!(text, "[[packages]]\nname = \"p{number}\"\nversion = \"1\"\n{dependency}\n").unwrap();
            write!(text, "vcs = {{ type = \"git\", url = \"https://a/b\", commit-id = \"{number:040}\" }}\n\n")
                .unwrap();
        }
        text
    }

    #[test]
    fn chains_are_read_in_linear_time() {
        assert_linear_time(chain, |text| Lock::parse_pylock(text, Path::new("pylock.toml")).unwrap());
    }
}
