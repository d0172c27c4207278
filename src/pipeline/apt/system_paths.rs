//! The paths of a base while packages are laid over it.

use std::collections::{BTreeMap, BTreeSet};

use crate::image::FileSystem;
use crate::image::filesystem::resolve_links;
use crate::tree::FileAccess;

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathKind {
    Directory,
    File,
    Link,
}

/// A base's directories, links and files, and those of the packages so far. All paths are relative to the root.
#[derive(Debug, Clone)]
pub(super) struct SystemPaths<'a> {
    base: &'a FileSystem,
    links: BTreeMap<String, String>,
    files: BTreeSet<String>,
    directories: BTreeMap<String, FileAccess>,
}

impl<'a> SystemPaths<'a> {
    pub(super) fn new(base: &'a FileSystem) -> Self {
        Self { base, links: BTreeMap::new(), files: BTreeSet::new(), directories: BTreeMap::new() }
    }

    /// Resolves the links above a path, and with `is_followed` also the path itself if it is a link. Returns `None` for a
    /// loop of links.
    ///
    /// A layer must not have a directory where the base has a link: unpacking it would replace the link, and with `bin` or
    /// `lib` all that is behind it.
    pub(super) fn resolve(&self, path: &str, is_followed: bool) -> Option<String> {
        resolve_links(path, is_followed, |path| self.link(path))
    }

    /// Returns the target of a link.
    pub(super) fn link(&self, path: &str) -> Option<&str> {
        let is_replaced = self.files.contains(path);
        self.links.get(path).map(String::as_str).or_else(|| self.base.link(path).filter(|_| !is_replaced))
    }

    /// Returns what is at a path whose parents are resolved.
    pub(super) fn kind(&self, path: &str) -> Option<PathKind> {
        if self.link(path).is_some() {
            Some(PathKind::Link)
        } else if self.directories.contains_key(path) || self.base.is_directory(path) {
            Some(PathKind::Directory)
        } else if self.files.contains(path) || self.base.contains(path) {
            Some(PathKind::File)
        } else {
            None
        }
    }

    /// Returns whether a path leads to a file, a link or a directory that exists.
    pub(super) fn leads_somewhere(&self, path: &str) -> bool {
        self.resolve(path, true).is_some_and(|path| self.kind(&path).is_some())
    }

    /// Returns the access of a directory, of the base or of a package.
    pub(super) fn directory_access(&self, path: &str) -> FileAccess {
        let known = self.directories.get(path).copied();
        known.or_else(|| self.base.special_directory(path)).unwrap_or(FileAccess::DIRECTORY)
    }

    /// Returns whether a path of the base is replaced by nothing.
    pub(super) fn is_removable(&self, path: &str) -> bool {
        !self.files.contains(path) && !self.links.contains_key(path)
    }

    pub(super) fn add_directory(&mut self, path: &str, access: FileAccess) {
        self.directories.entry(path.to_owned()).or_insert(access);
    }

    /// Changes the access of a directory of a package.
    pub(super) fn set_directory(&mut self, path: &str, access: FileAccess) {
        self.directories.insert(path.to_owned(), access);
    }

    pub(super) fn add_file(&mut self, path: &str) {
        self.links.remove(path);
        self.files.insert(path.to_owned());
    }

    pub(super) fn add_link(&mut self, path: &str, target: &str) {
        self.files.remove(path);
        self.links.insert(path.to_owned(), target.to_owned());
    }

    /// Returns the names of the links of a directory with their targets, those of packages and those of the base.
    pub(super) fn links_in(&self, directory: &str) -> BTreeMap<String, String> {
        let prefix = format!("{directory}/");
        let base = self.base.links_in(&prefix).map(|(name, target)| (name.to_owned(), target.to_owned()));
        let mut links: BTreeMap<String, String> =
            base.filter(|(name, _)| !self.files.contains(&format!("{prefix}{name}"))).collect();
        let added =
            self.links.range(prefix.clone()..).map_while(|(path, target)| Some((path.strip_prefix(&prefix)?, target)));
        let added = added.filter(|(name, _)| !name.contains('/'));
        links.extend(added.map(|(name, target)| (name.to_owned(), target.clone())));
        links
    }
}
