//! The files of an application that is not a package.
//!
//! By default these are the project's top-level modules and packages, or what is in `src` if that has Python files and
//! is no package itself. Otherwise they are what the user names. Either way, what a [`Rule`] describes is left out.
//! The order of files, their modes and their bytes depend on the project alone.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::collector::Collector;
pub use super::rules::{Excludes, InvalidExclude, Rule};
use crate::tree::{Content, Entry, InvalidPath, TreePath};

/// Files that the user names, as `PATH[:DEST]`.
///
/// `PATH` is a file or a folder, absolute or relative to the project. Without `DEST` it keeps its own name and lies at
/// the artifact's root, as `cp -r PATH .` would put it; `PATH` `.` is the content of the project's folder. `DEST` is
/// the path inside the artifact: of the file, or of what is in the folder; `.` is the root. A `DEST` that ends in `/`
/// is a folder that `PATH` is put into by its own name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Include {
    pub(super) source: PathBuf,
    pub(super) destination: Destination,
}

/// Where in the artifact something goes; an empty path is the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination {
    /// In this folder, by its own name.
    Into(String),
    /// At this path.
    At(String),
}

/// A text that is no `PATH[:DEST]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not of the form PATH[:DEST]: {reason}")]
pub struct InvalidInclude {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Include {
    /// Makes a relative path one of a folder's.
    pub fn rebase(&mut self, folder: &Path) {
        self.source = folder.join(&self.source);
    }
}

impl TryFrom<String> for Include {
    type Error = InvalidInclude;

    fn try_from(text: String) -> Result<Self, InvalidInclude> {
        text.parse()
    }
}

impl From<Include> for String {
    fn from(include: Include) -> Self {
        let path = include.source.to_string_lossy();
        match include.destination {
            Destination::Into(folder) if folder.is_empty() => path.into_owned(),
            Destination::Into(folder) => format!("{path}:{folder}/"),
            Destination::At(place) if place.is_empty() => format!("{path}:."),
            Destination::At(place) => format!("{path}:{place}"),
        }
    }
}

impl FromStr for Include {
    type Err = InvalidInclude;

    fn from_str(text: &str) -> Result<Self, InvalidInclude> {
        let invalid = |reason| InvalidInclude { text: text.to_owned(), reason };
        let (source, destination) = text.rsplit_once(':').map_or((text, None), |(source, dest)| (source, Some(dest)));
        if source.is_empty() {
            return Err(invalid("the path is empty"));
        }
        let destination = match destination {
            None => Destination::Into(String::new()),
            Some("") => return Err(invalid("the destination is empty")),
            Some(path) if path.starts_with('/') => return Err(invalid("the destination is absolute")),
            Some(path) => {
                let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
                if parts.contains(&"..") {
                    return Err(invalid("the destination has the component `..`"));
                }
                if path.ends_with('/') { Destination::Into(parts.join("/")) } else { Destination::At(parts.join("/")) }
            }
        };
        Ok(Self { source: PathBuf::from(source), destination })
    }
}

/// The files of an application.
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// The files, in the order of their paths, without duplicates.
    pub files: Vec<(TreePath, Entry)>,
    /// What was taken, relative to the project where it lies inside: files, and folders with a slash at their end.
    pub taken: Vec<String>,
    /// What was left out, in the order it was met.
    pub left_out: Vec<LeftOut>,
}

impl Application {
    /// Adds what another application has besides; a file of both is there once.
    ///
    /// # Errors
    /// The two have different files for one path.
    pub fn and(mut self, other: Self) -> Result<Self, ApplicationError> {
        let source = |entry: &Entry| match &entry.content {
            Content::File { path, .. } => path.to_path_buf(),
            Content::Archived { .. } | Content::Bytes(_) => PathBuf::new(),
        };
        for (path, entry) in other.files {
            match self.files.binary_search_by(|(taken, _)| taken.cmp(&path)) {
                Ok(at) if source(&self.files[at].1) == source(&entry) => {}
                Ok(at) => {
                    let (first, second) = (source(&self.files[at].1), source(&entry));
                    return Err(ApplicationError::Conflict { path, first, second });
                }
                Err(at) => self.files.insert(at, (path, entry)),
            }
        }
        let new: Vec<String> = other.taken.into_iter().filter(|taken| !self.taken.contains(taken)).collect();
        self.taken.extend(new);
        self.left_out.extend(other.left_out);
        Ok(self)
    }
}

/// A file or folder that is no part of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path, relative to the project where it lies inside.
    pub path: String,
    /// Why.
    pub rule: Rule,
}

/// Why the application's files could not be collected.
#[derive(Debug, thiserror::Error)]
pub enum ApplicationError {
    /// A file or folder cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// What the user named does not exist.
    #[error("there is no file or folder {} to include", .0.display())]
    Missing(PathBuf),
    /// All of what the user named is left out.
    #[error("nothing is left of {} to include", .0.display())]
    NothingIncluded(PathBuf),
    /// The project has no top-level module or package.
    #[error("{} has no Python module or package to bundle", .0.display())]
    NothingFound(PathBuf),
    /// A symbolic link leads nowhere.
    #[error("the symbolic link {} leads nowhere", .0.display())]
    BrokenLink(PathBuf),
    /// A symbolic link leads to a folder that it lies in, or to itself.
    #[error("the symbolic link {} leads back to itself", .0.display())]
    LinkLoop(PathBuf),
    /// A symbolic link leads out of what may be bundled.
    #[error("the symbolic link {} leads out of the workspace, to {}", link.display(), target.display())]
    LinkOutside {
        /// The link.
        link: PathBuf,
        /// Where it leads to.
        target: PathBuf,
    },
    /// A path is neither a file nor a folder but, for instance, a socket.
    #[error("{} is neither a file nor a folder", .0.display())]
    Special(PathBuf),
    /// The name of a file or folder is not UTF-8.
    #[error("the name of {} is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// The path of a file cannot stand in an artifact.
    #[error("cannot bundle {}", .0.display())]
    Path(PathBuf, #[source] InvalidPath),
    /// Two files want one path in the artifact, or one the folder of the other.
    #[error("{} and {} cannot both be bundled as `{path}`", first.display(), second.display())]
    Conflict {
        /// The path in the artifact.
        path: TreePath,
        /// One of the files.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

impl ApplicationError {
    /// Returns what the user may do about it.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Read(..) | Self::Missing(_) => return Vec::new(),
            Self::NothingIncluded(_) => {
                "hidden files, caches, virtual environments, tests and what .gitignore names are left out, \
                 unless a file is named itself"
            }
            Self::NothingFound(_) => {
                "name the application's files with --include PATH, or add a [build-system] table if it is a package"
            }
            Self::BrokenLink(_) | Self::LinkLoop(_) | Self::Special(_) | Self::NotUtf8(_) | Self::Path(..) => {
                "leave it out with --exclude, or remove it"
            }
            Self::LinkOutside { .. } => {
                "name what it leads to with --include PATH:DEST, and leave the link out with --exclude"
            }
            Self::Conflict { .. } => {
                "give one of them another place with --include PATH:DEST, or leave it out with --exclude"
            }
        };
        vec![hint.to_owned()]
    }
}

/// Collects the application's files from the project in a folder. Symbolic links are followed, as long as they lead
/// to something in the workspace or in what the user named.
///
/// A path that the user names is taken although a rule would leave it out; below it the rules hold, but for the one on
/// tests if the path is a test's. `excludes` win over everything.
///
/// # Errors
/// Something cannot be read or bundled, what the user named is missing, or nothing is found.
pub fn collect(
    project: &Path,
    workspace: &Path,
    includes: &[Include],
    excludes: &Excludes,
) -> Result<Application, ApplicationError> {
    let mut collector = Collector::new(project, workspace, excludes)?;
    if includes.is_empty() {
        collector.take_default()?;
    } else {
        for include in includes {
            collector.take_include(include)?;
        }
    }
    collector.finish()
}

/// Returns whether a file is one that [`collect`] takes, or would be if it were there; `path` is absolute, without symbolic
/// links. What cannot be told counts as taken.
///
/// # Errors
/// The project cannot be read.
pub fn takes(
    project: &Path,
    workspace: &Path,
    includes: &[Include],
    excludes: &Excludes,
    path: &Path,
) -> Result<bool, ApplicationError> {
    Collector::new(project, workspace, excludes)?.would_take(includes, path)
}

#[cfg(test)]
mod tests;
