//! The files of an application that is not a package.
//!
//! By default these are all files of the project that do not belong to development; the contents of `src` are put at the
//! root if it contains modules and is not a package itself. Otherwise they are the paths that the user includes. Either way,
//! paths that an [`ExclusionRule`] describes are excluded. The order of files, their modes and their bytes depend on the
//! project alone.

use std::io;
use std::path::{Path, PathBuf};

use super::collector::Collector;
use super::include::DestinationRoot;
pub(crate) use super::include::Include;
pub(crate) use super::rules::{Excludes, ExclusionRule, InvalidExclude, is_module};
use crate::hints::Hints;
use crate::tree::{FileAccess, FileContent, InvalidPath, TreeEntry, TreePath};

#[derive(Debug, Clone, Default)]
pub(crate) struct Application {
    /// Below the application directory, ordered by path, without duplicates.
    pub(crate) files: Vec<(TreePath, TreeEntry)>,
    /// The directories with an owner, below the application directory; the empty path is that directory.
    pub(crate) directories: Vec<(String, FileAccess)>,
    /// The files elsewhere in an image, by their paths from the root of its file system.
    pub(crate) placed_files: Vec<(TreePath, TreeEntry)>,
    /// The directories with an owner elsewhere in an image, by their paths from the root of its file system.
    pub(crate) placed_directories: Vec<(TreePath, FileAccess)>,
    /// The included paths, relative to the project if they are inside it; directories end in a slash.
    pub(crate) taken: Vec<String>,
    /// In the order in which they were found.
    pub(crate) left_out: Vec<ExcludedPath>,
}

impl Application {
    pub(crate) fn all_files(&self) -> impl Iterator<Item = &TreeEntry> {
        self.files.iter().chain(&self.placed_files).map(|(_, entry)| entry)
    }

    /// Returns whether the contents of `src` are at the root by default, where its modules are imported from.
    pub(crate) fn has_source_at_root(&self) -> bool {
        self.taken.iter().any(|taken| taken == "src/")
            && !self.files.iter().any(|(path, _)| path.as_str().starts_with("src/"))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all_files().next().is_none() && self.directories.is_empty() && self.placed_directories.is_empty()
    }

    /// Adds the files of another application, unless this one has the same.
    ///
    /// # Errors
    /// The two have different files for one path.
    pub(crate) fn and(mut self, other: Self) -> Result<Self, ApplicationError> {
        for (files, others) in [(&mut self.files, other.files), (&mut self.placed_files, other.placed_files)] {
            for (path, entry) in others {
                match files.binary_search_by(|(existing, _)| existing.cmp(&path)) {
                    Ok(at) => {
                        let (first, second) = (source(&files[at].1), source(&entry));
                        if first != second {
                            let (first, second) = (first.to_owned(), second.to_owned());
                            return Err(ApplicationError::Conflict { path, first, second });
                        }
                    }
                    Err(at) => files.insert(at, (path, entry)),
                }
            }
        }
        // Of several owners of a directory, the last counts.
        self.directories.extend(other.directories);
        self.placed_directories.extend(other.placed_directories);
        let new: Vec<String> = other.taken.into_iter().filter(|taken| !self.taken.contains(taken)).collect();
        self.taken.extend(new);
        self.left_out.extend(other.left_out);
        Ok(self)
    }
}

/// Returns the file of the project that an entry was collected from.
fn source(entry: &TreeEntry) -> &Path {
    match &entry.content {
        FileContent::File { path, .. } => path,
        FileContent::Archived { .. } | FileContent::Bytes(_) | FileContent::Deferred(_) => Path::new(""),
    }
}

/// A file or directory that is excluded from the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExcludedPath {
    /// Relative to the project if it is inside.
    pub(crate) path: String,
    pub(crate) rule: ExclusionRule,
}

/// Why the application's files could not be collected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplicationError {
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    #[error("cannot include {}: no such file or directory", .0.display())]
    Missing(PathBuf),
    #[error("cannot include {}: all of its files are excluded", .0.display())]
    NothingIncluded(PathBuf),
    #[error("cannot include {}: it contains no files", .0.display())]
    EmptyDirectory(PathBuf),
    #[error("{} has no Python module or package to bundle", .0.display())]
    NothingFound(PathBuf),
    #[error("the symbolic link {} is broken", .0.display())]
    BrokenLink(PathBuf),
    #[error("the symbolic link {} forms a loop", .0.display())]
    LinkLoop(PathBuf),
    #[error("the symbolic link {} points outside the workspace, to {}", link.display(), target.display())]
    LinkOutside {
        link: PathBuf,
        /// The link, relative to the project.
        path: String,
        target: PathBuf,
    },
    #[error("{} is neither a file nor a directory", .0.display())]
    Special(PathBuf),
    #[error("cannot put {} at `{to}`: a zip is extracted into a single directory", path.display())]
    Outside { path: PathBuf, to: String },
    #[error("cannot set the owner of {} to {owner}: a zip stores no owners", path.display())]
    Owned { path: PathBuf, owner: String },
    #[error("{} has the mode {mode}, with which the function cannot read it: Lambda runs it as an unprivileged user", path.display())]
    Unreadable { path: PathBuf, mode: String },
    #[error("the name of {} is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    #[error("cannot bundle {}", .0.display())]
    Path(PathBuf, #[source] InvalidPath),
    #[error("{} and {} cannot both be bundled as `{path}`", first.display(), second.display())]
    Conflict { path: TreePath, first: PathBuf, second: PathBuf },
}

impl Hints for ApplicationError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Read(..) | Self::Missing(_) => return Vec::new(),
            Self::NothingIncluded(_) => {
                "hidden files, caches, virtual environments, tests, artifacts and files that git ignores are excluded, \
                 unless a file is named itself"
            }
            Self::EmptyDirectory(_) => {
                "omit it: only an image can contain an empty directory, one with an `owner` in pyproject.toml"
            }
            Self::NothingFound(_) => {
                "add the application's files with --include PATH, or add a [build-system] table if it is a package"
            }
            Self::Outside { .. } => "remove the leading slash: files of a function are below /var/task",
            Self::Owned { .. } => "remove `owner`: a function reads files by their mode, and writes to /tmp only",
            Self::Unreadable { .. } => "set the mode to 0644, or 0755 if it is executable",
            Self::BrokenLink(_) | Self::LinkLoop(_) | Self::Special(_) | Self::NotUtf8(_) | Self::Path(..) => {
                "exclude it with --exclude, or remove it"
            }
            Self::LinkOutside { path, target, .. } => {
                let target = target.display();
                return vec![format!(
                    "exclude it with --exclude /{path}, or include its target in its place with --include . \
                     --include {target}:{path} --exclude /{path}"
                )];
            }
            Self::Conflict { .. } => "move one of them with --include PATH:DEST, or exclude it with --exclude",
        };
        vec![hint.to_owned()]
    }
}

/// Checks that a zip can contain what is included.
///
/// # Errors
/// A destination is outside the zip, a file has an owner, or the function cannot read it.
pub(crate) fn check_for_zip(includes: &[Include]) -> Result<(), ApplicationError> {
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

/// Checks that a function can read what is included: Lambda runs it as a user that owns none of the files.
///
/// # Errors
/// A mode does not allow all users to read.
pub(crate) fn check_for_lambda(includes: &[Include]) -> Result<(), ApplicationError> {
    for include in includes {
        if let Some(mode) = include.mode.filter(|mode| !mode.is_readable_by_all()) {
            return Err(ApplicationError::Unreadable { path: include.source.clone(), mode: mode.to_string() });
        }
    }
    Ok(())
}

/// Where the files of an application come from, and which of them it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApplicationSource<'a> {
    /// The project's directory.
    pub(crate) project: &'a Path,
    /// The workspace root.
    pub(crate) workspace: &'a Path,
    /// The script that is the application, which everything that is included is added to.
    pub(crate) script: Option<&'a Path>,
    /// What the user includes; empty for the default.
    pub(crate) includes: &'a [Include],
    /// Patterns that have precedence over everything else.
    pub(crate) excludes: &'a Excludes,
    /// The locks and what they include, which are no part of the application by default.
    pub(crate) locks: &'a [PathBuf],
    /// The profile that the user names, which is no part of the application by default either.
    pub(crate) profile: Option<&'a Path>,
    /// The handler, or the arguments of the image's command: if they name `src`, it is kept as a package.
    pub(crate) started: &'a [String],
}

impl ApplicationSource<'_> {
    /// Collects the application's files. Symbolic links are followed if their targets are in the git repository or the
    /// workspace, or in an included directory.
    ///
    /// A path that the user includes is collected even if a rule excludes it; the rules apply below it, except for the one
    /// for tests if the path is a test itself.
    ///
    /// # Errors
    /// A file cannot be read or bundled, an included path does not exist, or there are no files.
    pub(crate) fn collect(self) -> Result<Application, ApplicationError> {
        let mut collector = Collector::new(self)?;
        match self.script {
            Some(script) => collector.take_script(script)?,
            None if self.includes.is_empty() => collector.take_default()?,
            None => {}
        }
        for include in self.includes {
            collector.take_include(include)?;
        }
        collector.finish()
    }

    /// Returns whether [`collect`](Self::collect) includes a file, which need not exist; `path` is absolute and has no
    /// symbolic links. In doubt it does.
    ///
    /// # Errors
    /// The project cannot be read.
    pub(crate) fn takes(self, path: &Path) -> Result<bool, ApplicationError> {
        Collector::new(self)?.would_take(path)
    }
}

#[cfg(test)]
mod tests;
