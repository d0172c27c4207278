//! Resolves the destinations of included files against the base's file system: its symbolic links, and the owners of
//! its directories.

use std::cell::OnceCell;

use crate::image::{Base, FileSystem};
use crate::pipeline::BuildError;
use crate::pipeline::image::base::Bases;
use crate::pipeline::image::layers::ApplicationFiles;
use crate::tree::{FileAccess, TreeEntry, TreePath};

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

    /// Resolves the destinations of files and directories through the base's symbolic links, and adds the parent
    /// directories whose owner or mode a layer would change otherwise.
    ///
    /// # Errors
    /// A file would replace a directory, or the base cannot be searched.
    pub(super) fn put(
        &self,
        files: &[(TreePath, TreeEntry)],
        folders: &[(TreePath, FileAccess)],
    ) -> Result<ApplicationFiles, BuildError> {
        let mut own = ApplicationFiles { files: files.to_vec(), folders: Vec::new() };
        let is_plain = |path: &TreePath| path.as_str().rsplit_once('/').is_some_and(|(above, _)| above == PROGRAMS);
        if folders.is_empty() && files.iter().all(|(path, _)| is_plain(path)) {
            return Ok(own);
        }
        let base_files = self.files()?;
        let resolved = |path: &TreePath, is_followed| {
            let place = base_files.resolve(path.as_str(), is_followed);
            place.map_or_else(|| Ok(path.clone()), |place| TreePath::new(&place))
        };
        for (path, _) in &mut own.files {
            let place = resolved(path, false)?;
            if base_files.is_directory(place.as_str())
                || base_files.resolve(place.as_str(), true).is_some_and(|to| base_files.is_directory(&to))
            {
                return Err(BuildError::FolderThere { include: place });
            }
            *path = place;
        }
        let stated: Vec<_> = folders
            .iter()
            .map(|(path, access)| Ok((resolved(path, true)?, *access)))
            .collect::<Result<_, BuildError>>()?;
        let above = own.files.iter().map(|(path, _)| path).chain(stated.iter().map(|(path, _)| path));
        for parent in above.flat_map(TreePath::parents) {
            if let Some(access) = base_files.special_directory(parent) {
                own.folders.push((TreePath::new(parent)?, access));
            }
        }
        // What the user states about a directory comes last and wins.
        own.folders.extend(stated);
        Ok(own)
    }
}
