//! Files of requirements, as pip and uv read them.
//!
//! Specification: [pip, requirements file format](https://pip.pypa.io/en/stable/reference/requirements-file-format/).
//! `lines` takes comments out, `statement` tells options from requirements, `reference` is what stands in the place of a
//! version, `read` follows the files, `select` decides which version of each is pinned for a target, and `complete` finds
//! what the pinned distributions require and the files do not pin.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use pep440_rs::VersionSpecifiers;
use url::Url;

use super::{Dependent, FormatControl};
use crate::digest::Digest;
use crate::marker::Marker;
use crate::name::{DistributionName, ExtraName};
use reference::Reference;

mod compile;
mod complete;
mod error;
mod lines;
mod read;
mod reference;
mod select;
mod statement;
#[cfg(test)]
mod tests;

pub use compile::compile_arguments;
pub use complete::{Completeness, Installed, Mismatched, Missing, completeness};
pub use error::{Place, RequirementsError, Stated};

/// What a file of requirements is read with.
pub struct Surroundings<'a> {
    /// The project's folder: what the paths of requirements are relative to, as pip's and uv's are to the folder that they
    /// run in. A requirement of this folder itself (`-e .`) is the root. `${PROJECT_ROOT}` stands for it, as it does for uv.
    pub project: &'a Path,
    /// Returns the text of a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Returns the value of an environment variable: `${NAME}` stands for it.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Returns the name of the project in a folder, for requirements that are a path alone.
    pub name: &'a dyn Fn(&Path) -> Option<DistributionName>,
}

/// Files of requirements, and what they say of indexes.
#[derive(Debug)]
pub struct Requirements {
    /// What the files say of indexes and of files.
    pub options: Options,
    path: PathBuf,
    project: PathBuf,
    /// What is required, in the order of the files.
    entries: Vec<Entry>,
    /// What is accepted of what is required.
    constraints: Vec<Entry>,
    hashes: Hashes,
}

/// What files of requirements say of indexes and of files.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The index in the place of the default one.
    pub index_url: Option<Url>,
    /// Further indexes, in their order.
    pub extra_index_urls: Vec<Url>,
    /// Whether no index is asked.
    pub no_index: bool,
    /// Folders and pages with files.
    pub find_links: Vec<FindLinks>,
    /// Which forms of distributions may be used.
    pub formats: FormatControl,
}

/// Where files lie that belong to no index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindLinks {
    /// A folder.
    Folder(PathBuf),
    /// A page of links.
    Page(Url),
}

/// A requirement or a constraint.
#[derive(Debug)]
struct Entry {
    stated: Stated,
    name: DistributionName,
    extras: BTreeSet<ExtraName>,
    accepts: Accepts,
    marker: Option<Marker>,
    /// The digests of which the file must have one; empty if none is given.
    digests: BTreeSet<Digest>,
    /// Who asks for it, as comments say.
    via: BTreeSet<Dependent>,
}

/// What a requirement accepts.
#[derive(Debug)]
enum Accepts {
    /// The versions that satisfy all specifiers; every version, if there is none.
    Versions(VersionSpecifiers),
    /// What a direct reference leads to.
    Reference(Reference),
}

/// Which requirements must have hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hashes {
    /// None has one.
    Absent,
    /// Some have: then every file must have one, as pip has it.
    Present,
    /// Every requirement must have one (`--require-hashes`), so that there is neither a folder nor a repository.
    Required,
}

impl Requirements {
    /// Returns the requirements of a project that has none.
    pub fn none(project: &Path) -> Self {
        Self {
            options: Options::default(),
            path: project.to_owned(),
            project: project.to_owned(),
            entries: Vec::new(),
            constraints: Vec::new(),
            hashes: Hashes::Absent,
        }
    }

    /// Requires a hash of every requirement, as the option `--require-hashes` in a file does.
    #[must_use]
    pub fn require_hashes(mut self, is_required: bool) -> Self {
        if is_required {
            self.hashes = Hashes::Required;
        }
        self
    }
}
