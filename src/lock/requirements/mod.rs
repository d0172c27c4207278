//! Files of requirements, as pip and uv read them.
//!
//! Specification: [pip, requirements file format](https://pip.pypa.io/en/stable/reference/requirements-file-format/).
//! `lines` takes comments out, `statement` tells options from requirements, `reference` is what stands in the place of a
//! version, `entry` is a requirement with all of that, `read` follows the files, `select` decides which version of each
//! is pinned for a target, `complete` finds what the pinned distributions require and the files do not pin, and `compile`
//! is the command that pins.
//!
//! Where pip and uv do not agree:
//!
//! * As with pip, a line may be continued anywhere and hold several options, options of a file of constraints count, and
//!   once one requirement has a hash, every file must have one.
//! * As with uv, `-e` heeds a marker, what a file of constraints includes is a constraint, nothing but hashes may follow a
//!   requirement, and a folder or a commit needs no hash unless `--require-hashes` is given.
//! * A file that includes itself is refused as by pip, two different values of `--index-url` as by uv, and a file on a
//!   server here alone: a lock that may change is none.

use std::io;
use std::path::{Path, PathBuf};

use url::Url;

use super::FormatControl;
use crate::name::DistributionName;
use entry::Entry;

mod compile;
mod complete;
mod entry;
mod error;
mod lines;
mod read;
mod reference;
mod select;
mod statement;
#[cfg(test)]
mod tests;

pub use compile::compile_arguments;
pub use complete::{Completeness, Installed, Mismatched, Missing, completeness, dependencies};
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
