//! The files of a container as its command sees them: those of the image above those of its base.

use std::collections::BTreeSet;

use crate::audit::command::absolute;
use crate::hints;
use crate::image::FileSystem;
use crate::image::config::DEFAULT_PATH;
use crate::pipeline::BuildError;
use crate::pipeline::image::base_files::BaseFiles;
use crate::tree::{FileAccess, FileOrigin, FileTree, TreeEntry, TreePath};

/// The largest script that is read, in bytes.
const LARGEST_SCRIPT: u64 = 1 << 20;

/// The files of a container.
pub(super) struct ContainerFiles<'a> {
    pub base_files: &'a BaseFiles<'a>,
    /// The files above the base.
    pub tree: &'a FileTree,
    /// The paths in the tree that are links to the base's interpreter.
    links: BTreeSet<TreePath>,
    /// The directories of `PATH`.
    path: Vec<String>,
}

/// How many similar files are suggested.
const SUGGESTIONS: usize = 3;

/// What is at a path.
pub(super) enum ContainerFile<'a> {
    /// A file above the base, with its path relative to the root.
    Own(String, &'a TreeEntry),
    /// A directory above the base, or in both.
    Directory,
    /// A file or a directory of the base.
    OfBase {
        is_executable: bool,
    },
    Missing,
    /// The base's files are not known.
    Unknown,
}

impl<'a> ContainerFiles<'a> {
    /// Combines the files above a base with the base's. `path` is the value of `PATH`.
    pub(super) fn new(
        base_files: &'a BaseFiles<'a>,
        tree: &'a FileTree,
        links: BTreeSet<TreePath>,
        path: Option<String>,
    ) -> Self {
        let path = path.as_deref().unwrap_or(DEFAULT_PATH).split(':').map(str::to_owned).collect();
        Self { base_files, tree, links, path }
    }

    /// Returns what is at an absolute path, as far as it is known without downloading the base.
    pub(super) fn known(&self, path: &str) -> ContainerFile<'a> {
        let files = self.base_files.known_files();
        self.find(path, files)
    }

    /// Returns what is at an absolute path. The base is downloaded if the path is not above it.
    ///
    /// # Errors
    /// The base cannot be read.
    pub(super) fn certain(&self, path: &str) -> Result<ContainerFile<'a>, BuildError> {
        match self.known(path) {
            ContainerFile::Unknown => Ok(self.find(path, self.base_files.if_available()?)),
            found => Ok(found),
        }
    }

    fn find(&self, path: &str, files: Option<&FileSystem>) -> ContainerFile<'a> {
        let resolved = match files {
            Some(files) => files.resolve(path, true),
            None => Some(absolute("/", path).trim_start_matches('/').to_owned()),
        };
        let Some(resolved) = resolved else { return ContainerFile::Missing };
        if let Some(entry) = self.tree.get(&resolved) {
            return ContainerFile::Own(resolved, entry);
        }
        if self.tree.is_directory(&resolved) || resolved.is_empty() {
            return ContainerFile::Directory;
        }
        match files {
            None => ContainerFile::Unknown,
            Some(files) if files.contains(&resolved) => {
                ContainerFile::OfBase { is_executable: files.has_executable(&resolved) }
            }
            Some(_) => ContainerFile::Missing,
        }
    }

    /// Returns the paths at which an executable is searched for.
    pub(super) fn candidates(&self, program: &str, directory: &str) -> Vec<String> {
        if program.contains('/') {
            return vec![absolute(directory, program)];
        }
        self.path.iter().map(|path| absolute(directory, &format!("{path}/{program}"))).collect()
    }

    /// Returns the text of a script of the image, by its name on `PATH` or its path.
    pub(super) fn script(&self, program: &str, directory: &str) -> Option<String> {
        let candidates = self.candidates(program, directory);
        let own = candidates.iter().chain([&absolute(directory, program)]).find_map(|path| match self.known(path) {
            ContainerFile::Own(path, entry) if !self.is_link(&path) => Some(entry),
            _ => None,
        })?;
        String::from_utf8(own.content.read(LARGEST_SCRIPT).ok()?).ok()
    }

    /// Returns the files of the application that were probably meant by a path, as they are named in a working directory: those
    /// with the same name, or else the nearest.
    pub(super) fn similar(&self, path: &str, directory: &str) -> Vec<String> {
        let below = format!("{}/", directory.trim_matches('/'));
        let wanted = path.trim_start_matches('/');
        let name = wanted.rsplit('/').next().unwrap_or(wanted);
        let own = self.tree.iter().filter(|(_, entry)| entry.origin == FileOrigin::Application);
        let own: Vec<&str> =
            own.map(|(path, _)| path.as_str()).filter(|path| !path.contains("/__pycache__/")).collect();
        let same: Vec<&str> = own.iter().copied().filter(|path| path.rsplit('/').next() == Some(name)).collect();
        let similar = if same.is_empty() { hints::nearest(wanted, own).into_iter().collect() } else { same };
        let similar = similar.into_iter().take(SUGGESTIONS);
        similar.map(|path| path.strip_prefix(&below).map_or_else(|| format!("/{path}"), str::to_owned)).collect()
    }

    /// Returns whether a path is a link to the base's interpreter.
    pub(super) fn is_link(&self, path: &str) -> bool {
        self.links.contains(path)
    }

    /// Returns the access of a directory.
    pub(super) fn directory_access(&self, path: &str) -> FileAccess {
        let own = self.tree.directories().any(|(explicit, _)| explicit.as_str() == path);
        let of_base = self.base_files.known_files().and_then(|files| files.special_directory(path));
        match of_base {
            Some(access) if !own => access,
            _ => self.tree.directory_access(path),
        }
    }
}
