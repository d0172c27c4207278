//! Resolves the destinations of included files against the base's file system: its symbolic links, and the owners of
//! its directories.

use std::cell::OnceCell;

use crate::debian::DebianRelease;
use crate::image::{Base, FileSystem};
use crate::pipeline::BuildError;
use crate::pipeline::image::base::Bases;
use crate::pipeline::image::layers::ApplicationFiles;
use crate::tree::{FileAccess, InvalidPath, TreeEntry, TreePath};

/// The directory for executables of one's own. No base image has symbolic links or directories with special owners
/// there, so that its layers need not be searched.
const PROGRAMS: &str = "usr/local/bin";

/// The base's file system, which is searched when it is first needed.
pub(super) struct BaseFiles<'a> {
    bases: &'a Bases<'a>,
    base: &'a Base,
    files: OnceCell<FileSystem>,
}

impl<'a> BaseFiles<'a> {
    pub(super) fn new(bases: &'a Bases<'a>, base: &'a Base) -> Self {
        Self { bases, base, files: OnceCell::new() }
    }

    /// Returns the file system; layers may have to be downloaded.
    ///
    /// # Errors
    /// A layer cannot be downloaded or read.
    pub(super) fn files(&self) -> Result<&FileSystem, BuildError> {
        match self.files.get() {
            Some(files) => Ok(files),
            None => {
                let files = self.bases.file_system(self.base)?;
                Ok(self.files.get_or_init(|| files))
            }
        }
    }

    /// Returns the file system if nothing has to be downloaded for it.
    pub(super) fn known_files(&self) -> Option<&FileSystem> {
        if self.files.get().is_none() {
            let known = self.bases.known_file_system(self.base)?;
            return Some(self.files.get_or_init(|| known));
        }
        self.files.get()
    }

    /// Returns the release of Debian that the base is; `None` if it is none, or not known.
    pub(super) fn known_release(&self) -> Option<DebianRelease> {
        self.bases.known_release(self.base)
    }

    /// Returns the file system, or `None` if it cannot be downloaded or is too large.
    ///
    /// # Errors
    /// A layer cannot be downloaded or read.
    pub(super) fn if_available(&self) -> Result<Option<&FileSystem>, BuildError> {
        match self.files() {
            Ok(files) => Ok(Some(files)),
            Err(BuildError::OfflineBase(_) | BuildError::LargeBase(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Resolves the destinations of files and directories through the base's symbolic links, and adds the parent
    /// directories whose owner or mode a layer would change otherwise.
    ///
    /// # Errors
    /// A file would replace a directory, or the base cannot be searched.
    pub(super) fn put(
        &self,
        files: &[(TreePath, TreeEntry)],
        directories: &[(TreePath, FileAccess)],
    ) -> Result<ApplicationFiles, BuildError> {
        let mut own = ApplicationFiles { files: files.to_vec(), directories: Vec::new() };
        if directories.is_empty() && files.iter().all(|(path, _)| is_in_usual_directory(path)) {
            return Ok(own);
        }
        let base_files = self.files()?;
        for (path, _) in &mut own.files {
            let destination = resolved(base_files, path, false)?;
            if base_files.is_directory(destination.as_str())
                || base_files.resolve(destination.as_str(), true).is_some_and(|target| base_files.is_directory(&target))
            {
                return Err(BuildError::ReplacedDirectory { include: destination });
            }
            *path = destination;
        }
        let mut stated = Vec::with_capacity(directories.len());
        for (path, access) in directories {
            stated.push((resolved(base_files, path, true)?, *access));
        }
        let above = own.files.iter().map(|(path, _)| path).chain(stated.iter().map(|(path, _)| path));
        for parent in above.flat_map(TreePath::parents) {
            if let Some(access) = base_files.special_directory(parent) {
                own.directories.push((TreePath::new(parent)?, access));
            }
        }
        // What the user states about a directory comes last and wins.
        own.directories.extend(stated);
        Ok(own)
    }
}

fn is_in_usual_directory(path: &TreePath) -> bool {
    path.as_str().rsplit_once('/').is_some_and(|(parent, _)| parent == PROGRAMS)
}

/// Resolves the symbolic links of a path; the last component is resolved only if `is_followed`.
fn resolved(files: &FileSystem, path: &TreePath, is_followed: bool) -> Result<TreePath, InvalidPath> {
    match files.resolve(path.as_str(), is_followed) {
        Some(resolved) => TreePath::new(&resolved),
        None => Ok(path.clone()),
    }
}
