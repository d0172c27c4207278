//! The files of an application that is not a package.
//!
//! By default these are the project's top-level modules and packages, or what is in `src` if that has Python files and
//! is no package itself. Otherwise they are what the user names. Either way, what a [`ExclusionRule`] describes is left out.
//! The order of files, their modes and their bytes depend on the project alone.

use std::io;
use std::path::{Path, PathBuf};

use super::collector::Collector;
use super::include::DestinationRoot;
pub use super::include::{Include, InvalidInclude};
pub use super::rules::{Excludes, ExclusionRule, InvalidExclude};
use crate::hints::Hints;
use crate::tree::{FileAccess, FileContent, InvalidPath, TreeEntry, TreePath};

/// The files of an application.
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// The files, in the order of their paths, without duplicates.
    pub files: Vec<(TreePath, TreeEntry)>,
    /// The folders of which is said whose they are, below the same place as the files; the empty path is that place.
    pub folders: Vec<(String, FileAccess)>,
    /// The files that have a place of their own in an image, by their paths from the root of its file system.
    pub placed_files: Vec<(TreePath, TreeEntry)>,
    /// The folders of which is said whose they are, by their paths from the root of the file system.
    pub placed_folders: Vec<(TreePath, FileAccess)>,
    /// What was taken, relative to the project where it lies inside: files, and folders with a slash at their end.
    pub taken: Vec<String>,
    /// What was left out, in the order it was met.
    pub left_out: Vec<ExcludedPath>,
}

impl Application {
    /// Returns all files, wherever they go.
    pub fn all_files(&self) -> impl Iterator<Item = &TreeEntry> {
        self.files.iter().chain(&self.placed_files).map(|(_, entry)| entry)
    }

    /// Tells whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.all_files().next().is_none() && self.folders.is_empty() && self.placed_folders.is_empty()
    }

    /// Adds what another application has besides; a file of both is there once.
    ///
    /// # Errors
    /// The two have different files for one path.
    pub fn and(mut self, other: Self) -> Result<Self, ApplicationError> {
        let source = |entry: &TreeEntry| match &entry.content {
            FileContent::File { path, .. } => path.to_path_buf(),
            FileContent::Archived { .. } | FileContent::Bytes(_) => PathBuf::new(),
        };
        for (files, others) in [(&mut self.files, other.files), (&mut self.placed_files, other.placed_files)] {
            for (path, entry) in others {
                match files.binary_search_by(|(taken, _)| taken.cmp(&path)) {
                    Ok(at) if source(&files[at].1) == source(&entry) => {}
                    Ok(at) => {
                        let (first, second) = (source(&files[at].1), source(&entry));
                        return Err(ApplicationError::Conflict { path, first, second });
                    }
                    Err(at) => files.insert(at, (path, entry)),
                }
            }
        }
        // What is said last holds.
        self.folders.extend(other.folders);
        self.placed_folders.extend(other.placed_folders);
        let new: Vec<String> = other.taken.into_iter().filter(|taken| !self.taken.contains(taken)).collect();
        self.taken.extend(new);
        self.left_out.extend(other.left_out);
        Ok(self)
    }
}

/// A file or folder that is no part of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcludedPath {
    /// Its path, relative to the project where it lies inside.
    pub path: String,
    /// Why.
    pub rule: ExclusionRule,
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
    /// Something is to be outside of what an artifact can hold.
    #[error("{} cannot be put at `{to}`: a zip is unpacked into one folder, and nothing of it lies elsewhere", path.display())]
    Outside {
        /// What was named.
        path: PathBuf,
        /// Where it is to be.
        to: String,
    },
    /// Something is to be somebody's in an artifact that keeps no owners.
    #[error("{} cannot be {owner}'s: a zip keeps no owners", path.display())]
    Owned {
        /// What was named.
        path: PathBuf,
        /// Whose it is to be.
        owner: String,
    },
    /// A file is to have a mode with which nobody could use it.
    #[error("{} is to have the mode {mode}, with which the function cannot read it: it runs as a user that Lambda chooses", path.display())]
    Unreadable {
        /// What was named.
        path: PathBuf,
        /// The mode.
        mode: String,
    },
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

impl Hints for ApplicationError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Read(..) | Self::Missing(_) => return Vec::new(),
            Self::NothingIncluded(_) => {
                "hidden files, caches, virtual environments, tests and what .gitignore names are left out, \
                 unless a file is named itself"
            }
            Self::NothingFound(_) => {
                "name the application's files with --include PATH, or add a [build-system] table if it is a package"
            }
            Self::Outside { .. } => {
                "leave out the slash at the beginning of its place: in a function it is below /var/task"
            }
            Self::Owned { .. } => {
                "leave out `owner`: the function reads what its mode lets everybody read, and writes in /tmp only"
            }
            Self::Unreadable { .. } => "give it the mode 0644, or 0755 if it is a program",
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

/// Refuses what a zip of Lambda's cannot hold.
///
/// # Errors
/// Something is to have a place outside of the zip, or an owner, or is unreadable.
pub fn check_for_zip(includes: &[Include]) -> Result<(), ApplicationError> {
    for include in includes {
        let path = include.source.clone();
        if let (DestinationRoot::Root, Some(to)) = (include.destination.start, include.destination.text()) {
            return Err(ApplicationError::Outside { path, to });
        }
        if let Some(owner) = include.owner {
            return Err(ApplicationError::Owned { path, owner: owner.to_string() });
        }
    }
    check_for_lambda(includes)
}

/// Refuses what a function cannot read: nobody else ever would, as the user that Lambda runs it as owns nothing.
///
/// # Errors
/// A mode does not let everybody read.
pub fn check_for_lambda(includes: &[Include]) -> Result<(), ApplicationError> {
    let unreadable = |include: &&Include| include.mode.is_some_and(|mode| !mode.is_readable_by_all());
    match includes.iter().find(unreadable) {
        Some(Include { source, mode: Some(mode), .. }) => {
            Err(ApplicationError::Unreadable { path: source.clone(), mode: mode.to_string() })
        }
        _ => Ok(()),
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
