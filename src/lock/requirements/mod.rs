//! Requirements files, as pip and uv read them.
//!
//! Specification: [pip, requirements file format](https://pip.pypa.io/en/stable/reference/requirements-file-format/).
//! `lines` removes comments and joins continued lines, `statement` tells options from requirements, `reference` parses direct
//! references, `entry` is a parsed requirement, `reader` follows included files, `select` chooses the pinned version of each
//! distribution for a target, `completeness` finds requirements of the pinned distributions that are not pinned, and
//! `compile` is the command that pins.
//!
//! Where pip and uv differ:
//!
//! * As with pip, a line may be continued anywhere and may contain several options, options in constraints files apply, and
//!   once one requirement has a hash, every file must have one.
//! * As with uv, `-e` supports a marker, files that a constraints file includes are constraints, only hashes may follow a
//!   requirement, and a directory or a commit needs no hash without `--require-hashes`.
//! * A file that includes itself is refused as by pip, and two different values of `--index-url` as by uv.
//! * Remote files are refused, unlike by either, because a lock must not change.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use url::Url;

use super::FormatControl;
use crate::name::DistributionName;
use entry::RequirementEntry;

mod compile;
mod completeness;
mod entry;
mod error;
mod lines;
mod reader;
mod reference;
mod select;
mod statement;
#[cfg(test)]
mod tests;

pub use compile::compile_arguments;
pub(crate) use compile::without_editable_repositories;
pub(crate) use completeness::dependencies;
pub use completeness::{Completeness, InstalledMetadata, MismatchedRequirement, MissingRequirement, completeness};
pub use error::{LineLocation, RequirementLine, RequirementsError};
pub(super) use reference::DirectReference;

/// The project, the files and the variables with which a requirements file is read.
pub struct RequirementsEnvironment<'a> {
    /// The project's directory, to which the paths of requirements are relative, as they are to the working directory of pip
    /// and uv. A requirement of this directory itself (`-e .`) is the root. As in uv, `${PROJECT_ROOT}` stands for it.
    pub project: &'a Path,
    /// Returns the text of a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Returns the value of an environment variable, which `${NAME}` stands for.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Returns the name of the project in a directory, for requirements that are only a path.
    pub name: &'a dyn Fn(&Path) -> Option<DistributionName>,
}

/// A requirements file with the files that it includes.
#[derive(Debug)]
pub struct RequirementsTxt {
    /// The options of the files.
    pub options: RequirementsTxtOptions,
    path: PathBuf,
    project: PathBuf,
    /// The requirements, in the order of the files.
    entries: Vec<RequirementEntry>,
    constraints: Vec<RequirementEntry>,
    hashes: HashPolicy,
    /// The references to environment variables that are not set. Like pip and uv, pybundle leaves them as they are.
    unset: Vec<UnsetVariable>,
}

/// A reference to an environment variable that is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnsetVariable {
    location: LineLocation,
    name: String,
}

impl fmt::Display for UnsetVariable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: the environment variable {} is not set", self.location, self.name)
    }
}

/// The options of requirements files that affect where distributions come from.
#[derive(Debug, Clone, Default)]
pub struct RequirementsTxtOptions {
    /// The default index (`--index-url`).
    pub index_url: Option<Url>,
    /// Further indexes, in their order (`--extra-index-url`).
    pub extra_index_urls: Vec<Url>,
    /// Whether indexes are disabled (`--no-index`).
    pub no_index: bool,
    /// Directories and pages with files (`--find-links`).
    pub find_links: Vec<FindLinks>,
    /// Which distributions may be built, or must be (`--only-binary`, `--no-binary`).
    pub formats: FormatControl,
}

/// A location of files other than an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindLinks {
    /// A local directory.
    Directory(PathBuf),
    /// A page of links.
    Page(Url),
}

/// Which requirements must have hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum HashPolicy {
    /// None: no requirement has one.
    Absent,
    /// Some requirements have one; then every file must have one, as with pip.
    Present,
    /// Every requirement must have one (`--require-hashes`), which excludes directories and repositories.
    Required,
}

impl RequirementsTxt {
    /// See [`Lock::lists`](crate::lock::Lock::lists).
    pub(crate) fn lists(&self, name: &DistributionName) -> bool {
        self.entries.iter().any(|entry| entry.name == *name)
    }

    /// Returns the requirements of a project without any.
    pub(crate) fn empty(project: &Path) -> Self {
        Self {
            options: RequirementsTxtOptions::default(),
            path: project.to_owned(),
            project: project.to_owned(),
            entries: Vec::new(),
            constraints: Vec::new(),
            hashes: HashPolicy::Absent,
            unset: Vec::new(),
        }
    }

    /// Returns the references to environment variables that are not set.
    pub(crate) fn unset_variables(&self) -> &[UnsetVariable] {
        &self.unset
    }

    /// Requires a hash of every requirement, as the option `--require-hashes` in a file does.
    #[must_use]
    pub(crate) fn require_hashes(mut self, is_required: bool) -> Self {
        if is_required {
            self.hashes = HashPolicy::Required;
        }
        self
    }
}
