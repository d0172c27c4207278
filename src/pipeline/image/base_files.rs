//! What the file system of a base says of files that are laid over it: where their places are, and whose the folders above
//! them are.

use std::cell::OnceCell;

use crate::image::{Base, FileSystem};
use crate::pipeline::BuildError;
use crate::pipeline::image::base::Bases;
use crate::pipeline::image::layers::ApplicationFiles;
use crate::tree::{FileAccess, TreeEntry, TreePath};

/// The folder that images have for programs of one's own. No base has links or anybody's folders there, so that nothing
/// has to be known of it.
const PROGRAMS: &str = "usr/local/bin";

/// The base below an image, which is looked through when something asks for it.
pub struct BaseFiles<'a> {
    bases: &'a Bases<'a>,
    base: &'a Base,
    files: OnceCell<FileSystem>,
}

impl<'a> BaseFiles<'a> {
    /// Makes the base_files of a base.
    pub fn new(bases: &'a Bases<'a>, base: &'a Base) -> Self {
        Self { bases, base, files: OnceCell::new() }
    }

    /// Returns the file system, for which layers may have to be downloaded.
    ///
    /// # Errors
    /// A layer cannot be downloaded or read.
    pub fn files(&self) -> Result<&FileSystem, BuildError> {
        match self.files.get() {
            Some(files) => Ok(files),
            None => {
                let files = self.bases.file_system(self.base)?;
                Ok(self.files.get_or_init(|| files))
            }
        }
    }

    /// Returns the file system if nothing has to be downloaded for it.
    pub fn known_files(&self) -> Option<&FileSystem> {
        if self.files.get().is_none() {
            let known = self.bases.known_file_system(self.base)?;
            return Some(self.files.get_or_init(|| known));
        }
        self.files.get()
    }

    /// Puts files and folders at their places, which are below links of the base where that has them, and adds the folders
    /// above them that would not be whose they are otherwise.
    ///
    /// # Errors
    /// A file would take the place of a folder, or the base cannot be looked through.
    pub fn put(
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
        // What the user says of a folder comes last, and holds.
        own.folders.extend(stated);
        Ok(own)
    }
}
