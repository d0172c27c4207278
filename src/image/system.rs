//! What packages of the operating system depend on when they are added to a base: its file system, its package database
//! and configuration, and its shared libraries.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::filesystem::FileSystem;
use crate::tree::FileAccess;

mod shared_library;

pub(crate) use shared_library::SharedLibrary;

/// The files whose content is needed, besides those in [`DIRECTORIES`].
const FILES: [&str; 17] = [
    "etc/ca-certificates.conf",
    "etc/debian_version",
    "etc/group",
    "etc/gshadow",
    "etc/ld.so.conf",
    "etc/nsswitch.conf",
    "etc/os-release",
    "etc/passwd",
    "etc/shadow",
    "etc/ssl/certs/ca-certificates.crt",
    "etc/subgid",
    "etc/subuid",
    "usr/lib/os-release",
    "var/lib/dpkg/arch",
    "var/lib/dpkg/diversions",
    "var/lib/dpkg/statoverride",
    "var/lib/dpkg/status",
];

/// The directories of whose files the content is needed.
const DIRECTORIES: [&str; 11] = [
    "etc/apt/",
    "etc/dpkg/",
    "etc/ld.so.conf.d/",
    "usr/lib/sysusers.d/",
    "usr/local/share/ca-certificates/",
    "usr/share/ca-certificates/",
    "usr/share/keyrings/",
    "var/lib/dpkg/alternatives/",
    "var/lib/dpkg/info/",
    "var/lib/dpkg/status.d/",
    "var/lib/dpkg/triggers/",
];

/// The largest of these files, in bytes: dpkg's status of 3,000 packages has 3 MB.
const LARGEST_TEXT: u64 = 16 << 20;

/// The largest shared library that is read, in bytes.
const LARGEST_LIBRARY: u64 = 512 << 20;

/// The most memory that these files may need together, in bytes.
const MOST_MEMORY: usize = 64 << 20;

/// A file and its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SystemText {
    pub(crate) access: FileAccess,
    pub(crate) bytes: Vec<u8>,
}

/// The operating system of a base image. All paths are relative to the root and resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BaseSystem {
    files: FileSystem,
    texts: BTreeMap<String, SystemText>,
    libraries: BTreeMap<String, SharedLibrary>,
}

impl BaseSystem {
    /// The version of the cached data. Raise it whenever a field changes, or a search finds more.
    pub(crate) const FORMAT: u32 = FileSystem::FORMAT << 8 | 1;

    /// Returns the directories, links and files.
    pub(crate) fn files(&self) -> &FileSystem {
        &self.files
    }

    /// Returns a file of the package database or of its configuration; links are followed.
    pub(crate) fn text(&self, path: &str) -> Option<&SystemText> {
        self.texts.get(&self.files.resolve(path, true)?)
    }

    /// Returns all of these files in a directory and below it, sorted by path.
    pub(crate) fn texts_below(&self, directory: &str) -> impl Iterator<Item = (&str, &SystemText)> {
        let start = format!("{}/", self.files.resolve(directory, true).unwrap_or_else(|| directory.to_owned()));
        let range = self.texts.range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded));
        range
            .map(|(path, text)| (path.as_str(), text))
            .take_while(move |(path, _)| path.starts_with(&start))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Returns dpkg's database: the paragraphs of the installed packages. Images that are built without dpkg, such as
    /// distroless ones, have a file for each; it is `None` if there is no package at all, which a base that is not of Debian's
    /// kind shows.
    pub(crate) fn package_database(&self) -> Option<Cow<'_, [u8]>> {
        if let Some(status) = self.text("var/lib/dpkg/status") {
            return Some(Cow::Borrowed(&status.bytes));
        }
        let files = self.texts_below("var/lib/dpkg/status.d").filter(|(path, _)| !path.ends_with(".md5sums"));
        let paragraphs: Vec<&[u8]> = files.map(|(_, text)| text.bytes.trim_ascii()).collect();
        (!paragraphs.is_empty()).then(|| Cow::Owned(paragraphs.join(&b"\n\n"[..])))
    }

    /// Returns the shared libraries by their paths, wherever they are. Links to them are in [`Self::files`].
    pub(crate) fn libraries(&self) -> impl Iterator<Item = (&str, &SharedLibrary)> {
        self.libraries.iter().map(|(path, library)| (path.as_str(), library))
    }

    /// Returns the shared library at a resolved path.
    pub(crate) fn library(&self, path: &str) -> Option<&SharedLibrary> {
        self.libraries.get(path)
    }
}

/// Collects the system from the layers of an image.
#[derive(Debug, Clone, Default)]
pub(super) struct SystemScan {
    texts: BTreeMap<String, SystemText>,
    libraries: BTreeMap<String, SharedLibrary>,
    /// About how much memory the scan uses, in bytes.
    memory: usize,
}

impl SystemScan {
    /// Returns whether the content of a file is needed.
    pub(super) fn wants(&self, path: &str, size: u64) -> bool {
        is_text(path) && size <= LARGEST_TEXT || is_library(path) && size <= LARGEST_LIBRARY
    }

    /// Adds a file that no higher layer has.
    pub(super) fn add(&mut self, path: &str, access: FileAccess, bytes: &[u8]) {
        self.memory += path.len() + size_of::<SystemText>();
        if self.memory > MOST_MEMORY {
            return;
        }
        if is_text(path) {
            self.memory += bytes.len();
            self.texts.insert(path.to_owned(), SystemText { access, bytes: bytes.to_owned() });
        } else if let Some(library) = SharedLibrary::read(bytes) {
            self.libraries.insert(path.to_owned(), library);
        }
    }

    /// Returns the system, or `None` if it needs too much memory.
    pub(super) fn found(self, files: FileSystem) -> Option<BaseSystem> {
        (self.memory <= MOST_MEMORY).then_some(BaseSystem { files, texts: self.texts, libraries: self.libraries })
    }
}

fn is_text(path: &str) -> bool {
    FILES.contains(&path) || DIRECTORIES.iter().any(|directory| path.starts_with(directory))
}

fn is_library(path: &str) -> bool {
    super::search::is_library(path.rsplit('/').next().unwrap_or(path))
}

#[cfg(test)]
mod tests;
