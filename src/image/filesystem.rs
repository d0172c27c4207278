//! The file system of a base image, as far as those have to know it who lay files over it: which directories there are and
//! whose, where links lead, which executables there are, and who the users are.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use tar::Header;

use crate::tree::{FileAccess, FileOwner};

/// The files that name users and groups (passwd(5), group(5), shadow(5)).
const TEXTS: [&str; 3] = ["etc/passwd", "etc/group", "etc/shadow"];

/// The largest of these that is read, in bytes.
pub(super) const LARGEST_TEXT: u64 = 1 << 20;

/// The most that a survey may note, in bytes: no image has so many files.
const MOST_NOTES: usize = 64 << 20;

/// How many links are followed before they count as a loop, as by Linux (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// What there is in a file system. Paths are relative to the root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    directories: BTreeSet<String>,
    /// The directories that are not [`FileAccess::DIRECTORY`].
    special: BTreeMap<String, FileAccess>,
    /// Symbolic links, and where they lead.
    links: BTreeMap<String, String>,
    /// The files that somebody may execute.
    executables: BTreeSet<String>,
    /// The files that name users and groups.
    texts: BTreeMap<String, (FileAccess, Vec<u8>)>,
}

impl FileSystem {
    /// The version of what is kept: it is raised whenever its form changes, or more is found.
    pub const FORMAT: u32 = 1;

    /// Returns where a path leads if the links above it are followed, and itself, if it is one and `is_followed`; none if
    /// they lead in a circle.
    pub fn resolve(&self, path: &str, is_followed: bool) -> Option<String> {
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
            let Some(target) = self.links.get(&resolved.join("/")).filter(|_| is_followed || !rest.is_empty()) else {
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

    /// Tells whether a path, through whose links one has gone, is a directory.
    pub fn is_directory(&self, path: &str) -> bool {
        path.is_empty() || self.directories.contains(path)
    }

    /// Returns whose a directory is, unless it is like any other.
    pub fn special_directory(&self, path: &str) -> Option<FileAccess> {
        self.special.get(path).copied()
    }

    /// Tells whether a path leads to a file that somebody may execute.
    pub fn has_executable(&self, path: &str) -> bool {
        self.resolve(path, true).is_some_and(|path| self.executables.contains(&path))
    }

    /// Tells whether a path is a symbolic link.
    pub fn is_link(&self, path: &str) -> bool {
        self.links.contains_key(path)
    }

    /// Returns a file that names users or groups, and whose it is.
    pub fn text(&self, path: &str) -> Option<(FileAccess, &[u8])> {
        self.texts.get(path).map(|(access, bytes)| (*access, bytes.as_slice()))
    }
}

/// The way to a file system through the layers of an image, from the highest to the lowest.
#[derive(Debug, Clone, Default)]
pub(super) struct FileSystemScan {
    found: FileSystem,
    /// All other files of the layers so far, which hide what is below them.
    others: HashSet<String>,
    noted: usize,
    is_given_up: bool,
}

impl FileSystemScan {
    /// Returns what was found; none if it was too much.
    pub(super) fn found(&self) -> Option<&FileSystem> {
        Some(&self.found).filter(|_| !self.is_given_up)
    }

    /// Notes an entry that no higher layer removes, and returns whether its bytes are wanted, by [`FileSystemScan::keep`].
    pub(super) fn note(&mut self, path: &str, header: &Header, target: Option<&str>) -> bool {
        let is_there = |path: &str| self.is_file(path) || self.found.directories.contains(path);
        if self.is_given_up || is_there(path) || path.match_indices('/').any(|(at, _)| self.is_file(&path[..at])) {
            return false;
        }
        self.noted += path.len() + target.map_or(0, str::len) + 4 * size_of::<String>();
        if self.noted > MOST_NOTES {
            *self = Self { is_given_up: true, ..Self::default() };
            return false;
        }
        let (kind, mode) = (header.entry_type(), header.mode().unwrap_or_default());
        let path = path.to_owned();
        if kind.is_dir() {
            let access = access(header);
            if access != FileAccess::DIRECTORY {
                self.found.special.insert(path.clone(), access);
            }
            self.found.directories.insert(path);
        } else if let Some(target) = target.filter(|_| kind.is_symlink()) {
            self.found.links.insert(path, target.to_owned());
        } else if kind.is_file() && TEXTS.contains(&path.as_str()) {
            self.others.insert(path);
            return true;
        } else if mode & 0o111 != 0 && (kind.is_file() || kind.is_hard_link()) {
            self.found.executables.insert(path);
        } else {
            self.others.insert(path);
        }
        false
    }

    /// Keeps the bytes of a file that were wanted.
    pub(super) fn keep(&mut self, path: String, access: FileAccess, bytes: Vec<u8>) {
        self.found.texts.insert(path, (access, bytes));
    }

    fn is_file(&self, path: &str) -> bool {
        self.found.links.contains_key(path) || self.found.executables.contains(path) || self.others.contains(path)
    }
}

/// Returns whose an entry is; a number that is none is root's.
pub(super) fn access(header: &Header) -> FileAccess {
    let id = |id: std::io::Result<u64>| id.ok().and_then(|id| u32::try_from(id).ok()).unwrap_or_default();
    let owner = FileOwner { uid: id(header.uid()), gid: id(header.gid()) };
    FileAccess { mode: header.mode().unwrap_or_default().into(), owner }
}

#[cfg(test)]
mod tests;
