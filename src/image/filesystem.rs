//! The file system of a base image, as far as files that are added to it depend on it: directories with their access,
//! symbolic links, executables, and the user database.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Bound;

use serde::{Deserialize, Serialize};
use tar::{EntryType, Header};

use crate::tree::{FileAccess, FileOwner};

/// The user database (passwd(5), group(5), shadow(5)).
const ACCOUNT_FILES: [&str; 3] = ["etc/passwd", "etc/group", "etc/shadow"];

/// The largest of these files that is read, in bytes.
pub(super) const LARGEST_ACCOUNT_FILE: u64 = 1 << 20;

/// The most memory that a scan may use, in bytes: no image has so many files.
const MOST_MEMORY: usize = 64 << 20;

/// How many links are followed before they count as a loop, as by Linux (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// A file system by path, relative to the root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileSystem {
    directories: BTreeSet<String>,
    /// The directories that are not [`FileAccess::DIRECTORY`].
    special: BTreeMap<String, FileAccess>,
    /// The targets of symbolic links.
    links: BTreeMap<String, String>,
    /// The files that anyone may execute.
    executables: BTreeSet<String>,
    /// All other files.
    files: BTreeSet<String>,
    /// The files of the user database.
    account_files: BTreeMap<String, (FileAccess, Vec<u8>)>,
    /// Those that are too large to be read.
    #[serde(default)]
    large_account_files: BTreeSet<String>,
}

impl FileSystem {
    /// The version of the cached data. Raise it whenever a field changes, or a scan finds more.
    pub(crate) const FORMAT: u32 = 3;

    /// Resolves the links above a path, and with `is_followed` also the path itself if it is a link. Returns `None` for a
    /// loop of links.
    pub(crate) fn resolve(&self, path: &str, is_followed: bool) -> Option<String> {
        resolve_links(path, is_followed, |path| self.link(path))
    }

    /// Returns whether a resolved path is a directory.
    pub(crate) fn is_directory(&self, path: &str) -> bool {
        path.is_empty() || self.directories.contains(path)
    }

    /// Returns whether a resolved path is a file or a directory.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.is_directory(path) || self.executables.contains(path) || self.files.contains(path)
    }

    /// Returns the access of a directory if it is not [`FileAccess::DIRECTORY`].
    pub(crate) fn special_directory(&self, path: &str) -> Option<FileAccess> {
        self.special.get(path).copied()
    }

    /// Returns whether a path is, or is a link to, an executable file.
    pub(crate) fn has_executable(&self, path: &str) -> bool {
        self.resolve(path, true).is_some_and(|path| self.executables.contains(&path))
    }

    /// Returns the target of a symbolic link.
    pub(crate) fn link(&self, path: &str) -> Option<&str> {
        self.links.get(path).map(String::as_str)
    }

    /// Returns the symbolic links in a directory, whose path ends with a slash, by their names, with their targets.
    pub(crate) fn links_in<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let from = self.links.range::<str, _>((Bound::Included(directory), Bound::Unbounded));
        let links = from.map_while(move |(path, target)| Some((path.strip_prefix(directory)?, target.as_str())));
        links.filter(|(name, _)| !name.contains('/'))
    }

    /// Returns whether a path is a symbolic link.
    pub(crate) fn is_link(&self, path: &str) -> bool {
        self.links.contains_key(path)
    }

    /// Returns whether a file of the user database is too large to be read.
    pub(crate) fn is_large_account_file(&self, path: &str) -> bool {
        self.large_account_files.contains(path)
    }

    /// Returns a file of the user database.
    pub(crate) fn account_file(&self, path: &str) -> Option<(FileAccess, &[u8])> {
        self.account_files.get(path).map(|(access, bytes)| (*access, bytes.as_slice()))
    }
}

/// Collects a file system from the layers of an image, highest first.
#[derive(Debug, Clone, Default)]
pub(super) struct FileSystemScan {
    found: FileSystem,
    /// About how much memory the scan uses, in bytes.
    memory: usize,
    is_aborted: bool,
}

impl FileSystemScan {
    /// Returns the file system, or `None` if it needs too much memory.
    pub(super) fn found(&self) -> Option<&FileSystem> {
        Some(&self.found).filter(|_| !self.is_aborted)
    }

    /// Adds an entry that no whiteout of a higher layer removes. Returns whether it is a file that no higher layer has. If it
    /// [is one of the user database](is_account_file), [`FileSystemScan::add_account_file`] must be called, or
    /// [`FileSystemScan::add_large_account_file`].
    pub(super) fn add(&mut self, path: &str, kind: EntryType, access: FileAccess, target: Option<&str>) -> bool {
        let is_known = self.is_file(path) || self.found.directories.contains(path);
        if self.is_aborted || is_known || path.match_indices('/').any(|(at, _)| self.is_file(&path[..at])) {
            return false;
        }
        self.memory += path.len() + target.map_or(0, str::len) + 4 * size_of::<String>();
        if self.memory > MOST_MEMORY {
            *self = Self { is_aborted: true, ..Self::default() };
            return false;
        }
        let path = path.to_owned();
        if kind.is_dir() {
            if access != FileAccess::DIRECTORY {
                self.found.special.insert(path.clone(), access);
            }
            self.found.directories.insert(path);
        } else if let Some(target) = target.filter(|_| kind.is_symlink()) {
            self.found.links.insert(path, target.to_owned());
        } else if access.mode.is_executable() && (kind.is_file() || kind.is_hard_link()) && !is_account_file(&path) {
            self.found.executables.insert(path);
        } else {
            self.found.files.insert(path);
        }
        kind.is_file()
    }

    pub(super) fn add_account_file(&mut self, path: String, access: FileAccess, bytes: Vec<u8>) {
        self.found.account_files.insert(path, (access, bytes));
    }

    pub(super) fn add_large_account_file(&mut self, path: String) {
        self.found.large_account_files.insert(path);
    }

    fn is_file(&self, path: &str) -> bool {
        self.found.links.contains_key(path) || self.found.executables.contains(path) || self.found.files.contains(path)
    }
}

/// Resolves the links above a path, and with `is_followed` also the path itself, by the targets that `link` returns. Returns
/// `None` for a loop of links.
pub(crate) fn resolve_links<'a>(
    path: &str,
    is_followed: bool,
    link: impl Fn(&str) -> Option<&'a str>,
) -> Option<String> {
    let mut rest: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let (mut resolved, mut followed): (Vec<String>, usize) = (Vec::new(), 0);
    while let Some(name) = rest.pop() {
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                resolved.pop();
                continue;
            }
            _ => resolved.push(name),
        }
        let Some(target) = link(&resolved.join("/")).filter(|_| is_followed || !rest.is_empty()) else {
            continue;
        };
        followed += 1;
        if followed > MOST_LINKS {
            return None;
        }
        resolved.pop();
        if target.starts_with('/') {
            resolved.clear();
        }
        rest.extend(target.split('/').rev().map(str::to_owned));
    }
    Some(resolved.join("/"))
}

/// Returns whether a file belongs to the user database.
pub(super) fn is_account_file(path: &str) -> bool {
    ACCOUNT_FILES.contains(&path)
}

/// Returns the access of an entry. An invalid ID is replaced by root's.
pub(super) fn access(header: &Header) -> FileAccess {
    let owner = FileOwner { uid: id_or_root(header.uid()), gid: id_or_root(header.gid()) };
    FileAccess { mode: header.mode().unwrap_or_default().into(), owner }
}

fn id_or_root(id: io::Result<u64>) -> u32 {
    id.ok().and_then(|id| u32::try_from(id).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
