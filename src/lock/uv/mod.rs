//! uv.lock, version 1, with revisions 0 to 5.
//!
//! The format has no specification; uv's [documentation](https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile)
//! describes its purpose, and its meaning is what uv does with it:
//! `document` is the text, `graph` the distributions with their edges, `roots` where a selection starts,
//! `select` the walk, `conflicts` the extras that exclude each other, `files` where they are, and
//! `locked` the comparison with pyproject.toml.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pep440_rs::VersionSpecifiers;

use super::error::LockError;
use crate::marker::Marker;
use conflicts::Item;
use document::{Document, Manifest, Parsed, Preamble};
use graph::Graph;

mod conflicts;
mod document;
mod files;
mod graph;
mod locked;
mod roots;
mod select;

/// The version of the format that is read.
const VERSION: u32 = 1;

/// The header of a distribution's table.
const TABLE: &str = "[[package]]";

/// The first revision whose locks state a project's extras and its empty groups.
const REVISION_OF_EXTRAS: u32 = 1;

/// The first revision whose locks may leave out what local projects declared.
const REVISION_WITHOUT_METADATA: u32 = 4;

/// A parsed uv.lock whose parts agree with each other.
#[derive(Debug)]
pub struct UvLock {
    path: PathBuf,
    folder: PathBuf,
    revision: u32,
    requires_python: VersionSpecifiers,
    resolution_markers: Vec<Parsed<Marker>>,
    supported_markers: Vec<Parsed<Marker>>,
    conflicts: Vec<BTreeSet<Item>>,
    manifest: Manifest,
    graph: Graph,
}

impl UvLock {
    /// Parses the text of a lock. `path` is where it lies: its folder is what its paths are relative to.
    ///
    /// # Errors
    ///
    /// [`LockError::Syntax`] with the line, [`LockError::UnsupportedVersion`], and [`LockError::Inconsistent`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, LockError> {
        let unsupported = |version| LockError::UnsupportedVersion { path: path.to_owned(), version };
        let document: Document = toml::from_str(text).map_err(|error| match toml::from_str(text) {
            Ok(Preamble { version }) if version != VERSION => unsupported(version),
            _ => syntax_error(text, path, &error),
        })?;
        if document.version != VERSION {
            return Err(unsupported(document.version));
        }
        Ok(Self {
            path: path.to_owned(),
            folder: path.parent().map(Path::to_owned).unwrap_or_default(),
            revision: document.revision,
            requires_python: document.requires_python.value,
            resolution_markers: document.resolution_markers,
            supported_markers: document.supported_markers,
            conflicts: document.conflicts,
            manifest: document.manifest,
            graph: Graph::new(path, document.packages)?,
        })
    }
}

/// Says where a mistake is: its line, and the distribution whose table it is in.
pub(super) fn syntax_error(text: &str, path: &Path, error: &toml::de::Error) -> LockError {
    let start = error.span().map(|span| span.start);
    let before = start.and_then(|start| text.get(..start));
    // A mistake of a whole table is placed at its header.
    let with_header = start.and_then(|start| text.get(..start + TABLE.len())).or(before);
    let in_table = with_header.and_then(|text| text.rfind(TABLE)).and_then(|start| text.get(start..));
    let name = in_table.and_then(|table| {
        let lines = table.lines().skip(1).take_while(|line| !line.starts_with("[["));
        lines.filter_map(|line| line.strip_prefix("name = \"")).find_map(|rest| rest.strip_suffix('"'))
    });
    LockError::Syntax {
        path: path.to_owned(),
        line: before.map(|before| before.matches('\n').count() + 1),
        package: name.map(str::to_owned),
        reason: error.message().to_owned(),
    }
}
