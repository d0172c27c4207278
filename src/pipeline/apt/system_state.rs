//! A base with its packages, while effects are written into it.

use std::collections::BTreeMap;

use crate::image::system::BaseSystem;
use crate::pipeline::apt::SystemLayerError;
use crate::pipeline::apt::closure_files::{ClosureFiles, PlacedContent};
use crate::pipeline::apt::packed::PackedPackage;
use crate::pipeline::apt::system_paths::PathKind;
use crate::tree::{FileAccess, FileContent, FileMode, FileOwner};

/// The largest file of a package that an effect reads, in bytes.
const LARGEST_READ: u64 = 16 << 20;

/// A system, and what was written into it. Paths are relative to the root, or absolute.
pub(super) struct SystemState<'a> {
    pub base: &'a BaseSystem,
    pub packed: &'a [PackedPackage],
    pub files: ClosureFiles<'a>,
    /// What effects have written, with resolved paths.
    pub written: BTreeMap<String, (FileAccess, FileContent)>,
    pub links: BTreeMap<String, String>,
    pub directories: BTreeMap<String, FileAccess>,
    pub capabilities: BTreeMap<String, Vec<u8>>,
}

impl<'a> SystemState<'a> {
    pub(super) fn new(base: &'a BaseSystem, packed: &'a [PackedPackage], files: ClosureFiles<'a>) -> Self {
        Self {
            base,
            packed,
            files,
            written: BTreeMap::new(),
            links: BTreeMap::new(),
            directories: BTreeMap::new(),
            capabilities: BTreeMap::new(),
        }
    }

    /// Returns a path with its links followed.
    pub(super) fn resolve(&self, path: &str) -> String {
        self.files.paths.resolve(path, true).unwrap_or_else(|| path.trim_start_matches('/').to_owned())
    }

    /// Returns whether a path exists, be it a link that leads nowhere.
    pub(super) fn exists(&self, path: &str) -> bool {
        self.files.paths.resolve(path, false).is_some_and(|path| self.files.paths.kind(&path).is_some())
    }

    /// Returns whether a path leads to something that exists.
    pub(super) fn leads_somewhere(&self, path: &str) -> bool {
        self.files.paths.leads_somewhere(path)
    }

    /// Returns the access and the content of a file: one that was written, of a package, or a text of the base.
    pub(super) fn content(&self, path: &str) -> Option<(FileAccess, FileContent)> {
        let path = self.resolve(path);
        if let Some(written) = self.written.get(&path) {
            return Some(written.clone());
        }
        if let Some(entry) = self.files.entries.get(&path) {
            return match &entry.content {
                PlacedContent::File(file) => {
                    let archive = self.packed[entry.package].pack.clone();
                    Some((entry.access, FileContent::Archived { archive, extent: file.extent.clone() }))
                }
                PlacedContent::HardLink(target) => self.content(&target.clone()),
                PlacedContent::Link(_) => None,
            };
        }
        let text = self.base.text(&path)?;
        Some((text.access, FileContent::Bytes(text.bytes.as_slice().into())))
    }

    /// Returns the text of a file; `None` if it does not exist, or is of the base and not known.
    ///
    /// # Errors
    /// The file of a package cannot be read.
    pub(super) fn text(&self, path: &str) -> Result<Option<String>, SystemLayerError> {
        let Some((_, content)) = self.content(path) else { return Ok(None) };
        let bytes =
            content.read(LARGEST_READ).map_err(|source| SystemLayerError::Read { path: path.to_owned(), source })?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Returns the access of a file that is to be replaced.
    pub(super) fn access(&self, path: &str, default: FileAccess) -> FileAccess {
        self.content(path).map_or(default, |(access, _)| access)
    }

    pub(super) fn write(&mut self, path: &str, access: FileAccess, bytes: Vec<u8>) {
        self.write_content(path, access, FileContent::Bytes(bytes.into()));
    }

    pub(super) fn write_content(&mut self, path: &str, access: FileAccess, content: FileContent) {
        let path = self.resolve(path);
        self.files.paths.add_file(&path);
        self.links.remove(&path);
        self.written.insert(path, (access, content));
    }

    /// Makes a link, in place of what is at the path.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        let path = self.files.paths.resolve(path, false).unwrap_or_else(|| path.trim_start_matches('/').to_owned());
        self.files.paths.add_link(&path, target);
        self.links.insert(path, target.to_owned());
    }

    /// Makes a directory, and those above it, unless they exist.
    pub(super) fn directory(&mut self, path: &str, access: FileAccess) {
        let path = self.resolve(path);
        let above: Vec<String> = path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect();
        for (path, access) in above.into_iter().map(|path| (path, FileAccess::DIRECTORY)).chain([(path, access)]) {
            if self.files.paths.kind(&path).is_none() {
                self.files.paths.add_directory(&path, access);
                self.directories.insert(path, access);
            }
        }
    }

    /// Changes the permissions and the owner of a file of a package, or of a directory.
    pub(super) fn set_access(&mut self, path: &str, mode: u32, owner: FileOwner) {
        let path = self.resolve(path);
        let access = FileAccess { mode: FileMode::from(mode), owner };
        if self.files.paths.kind(&path) == Some(PathKind::Directory) {
            self.files.paths.set_directory(&path, access);
            self.directories.insert(path, access);
        } else if let Some(written) = self.written.get_mut(&path) {
            written.0 = access;
        } else if let Some(entry) = self.files.entries.get_mut(&path) {
            entry.access = access;
        }
    }
}
