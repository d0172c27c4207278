//! Files of requirements, as pip and uv read them.
//!
//! Specification: [pip, requirements file format](https://pip.pypa.io/en/stable/reference/requirements-file-format/).

use std::io;
use std::path::{Path, PathBuf};

use url::Url;

use super::{FormatControl, LockError, Request, Selection};
use crate::name::DistributionName;
use crate::target::Target;

/// What a file of requirements is read with.
pub struct Surroundings<'a> {
    /// Returns the text of a file.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Returns the value of an environment variable: `${NAME}` stands for it.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Returns the name of the project in a folder, for requirements that are a path alone.
    pub name: &'a dyn Fn(&Path) -> Option<DistributionName>,
}

/// Files of requirements, and what they say of indexes.
#[derive(Debug, Default)]
pub struct Requirements {
    /// What the files say of indexes and of files.
    pub options: Options,
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

impl Requirements {
    /// Reads a file with those that it names.
    ///
    /// # Errors
    ///
    /// [`LockError`], if a file cannot be read or is no file of requirements, or if a distribution is not pinned.
    pub fn read(path: &Path, _surroundings: &Surroundings) -> Result<Self, LockError> {
        Err(LockError::UnsupportedVersion { path: path.to_owned(), version: 0 })
    }

    /// Selects the distributions for a target.
    ///
    /// # Errors
    ///
    /// [`LockError`], if the lock is not for the target, or does not have what is asked for.
    pub fn select(&self, _request: &Request, _target: &Target) -> Result<Selection, LockError> {
        Ok(Selection { distributions: Vec::new() })
    }
}
