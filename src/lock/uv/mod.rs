//! uv.lock, version 1, with revisions 0 to 5.
//!
//! The format has no specification; uv's [documentation](https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile)
//! describes its purpose, and uv's behavior is the reference.
//! `document` has the lock's keys, `graph` the distributions with their edges, `roots` the requested projects, extras and
//! groups, `select` the traversal, `conflicts` the conflicting extras, `files` the sources, and `freshness` the comparison
//! with pyproject.toml.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pep440_rs::VersionSpecifiers;

use super::error::LockError;
use super::toml_syntax::{self, Parsed};
use crate::marker::Marker;
use conflicts::ConflictItem;
use document::{UvDocument, UvLockVersion, UvManifest};
use graph::DependencyGraph;

mod conflicts;
mod document;
mod files;
mod freshness;
mod graph;
mod roots;
mod select;

/// The supported version of the format.
const VERSION: u32 = 1;

const TABLE: &str = "[[package]]";

/// The first revision whose locks list a project's extras and empty groups.
const REVISION_WITH_EXTRAS: u32 = 1;

/// The first revision whose locks may omit what local projects declared.
const REVISION_WITHOUT_METADATA: u32 = 4;

/// A parsed uv.lock whose parts agree with each other.
#[derive(Debug)]
pub struct UvLock {
    path: PathBuf,
    directory: PathBuf,
    revision: u32,
    requires_python: VersionSpecifiers,
    resolution_markers: Vec<Parsed<Marker>>,
    supported_markers: Vec<Parsed<Marker>>,
    conflicts: Vec<BTreeSet<ConflictItem>>,
    manifest: UvManifest,
    graph: DependencyGraph,
}

impl UvLock {
    /// Parses a lock. Its paths are relative to the directory of `path`.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, LockError> {
        let document = match UvDocument::parse_in_parts(text) {
            Some(document) => document,
            None => toml::from_str(text).map_err(|error| match toml::from_str(text) {
                Ok(UvLockVersion { version }) if version != VERSION => {
                    LockError::UnsupportedVersion { path: path.to_owned(), version }
                }
                _ => toml_syntax::error(text, path, TABLE, &error),
            })?,
        };
        if document.version != VERSION {
            return Err(LockError::UnsupportedVersion { path: path.to_owned(), version: document.version });
        }
        Ok(Self {
            path: path.to_owned(),
            directory: path.parent().map(Path::to_owned).unwrap_or_default(),
            revision: document.revision,
            requires_python: document.requires_python.value,
            resolution_markers: document.resolution_markers,
            supported_markers: document.supported_markers,
            conflicts: document.conflicts,
            manifest: document.manifest,
            graph: DependencyGraph::new(path, document.packages)?,
        })
    }
}

#[cfg(test)]
mod tests;
