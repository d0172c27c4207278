//! A tree as files in a directory of this machine, which follows the tree when it changes.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{ArchiveError, unpacked};
use crate::digest::{HashingWriter, Sha256};
use crate::temporary::create_below;
use crate::tree::{FileContent, FileMode, FileTree, TreeEntry, TreePath};

/// A directory with the files of a tree. Owners are not kept: all files belong to the user.
#[derive(Debug)]
pub(crate) struct TreeMirror {
    directory: PathBuf,
    files: BTreeMap<TreePath, MirroredFile>,
}

/// What was written for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MirroredFile {
    sha256: Sha256,
    mode: FileMode,
}

impl TreeMirror {
    /// Creates a directory without files.
    ///
    /// # Errors
    /// It cannot be created.
    pub(crate) fn new(directory: PathBuf) -> Result<Self, ArchiveError> {
        create_below(&directory, Path::new("")).map_err(ArchiveError::write(&directory))?;
        Ok(Self { directory, files: BTreeMap::new() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }

    /// Makes the directory contain the files of a tree that `is_included` accepts: writes those that differ, and removes
    /// others. Returns the paths of those that did.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(crate) fn follow(
        &mut self,
        tree: &FileTree,
        is_included: impl Fn(&TreePath) -> bool + Sync,
    ) -> Result<Vec<TreePath>, ArchiveError> {
        let wanted: Vec<(&TreePath, &TreeEntry)> = tree.iter().filter(|(path, _)| is_included(path)).collect();
        let parents = wanted.iter().flat_map(|(path, _)| path.parents());
        let mut directories: Vec<&str> = parents.chain(tree.directories().map(|(path, _)| path.as_str())).collect();
        directories.sort_unstable();
        directories.dedup();
        let (directory, before) = (&self.directory, &self.files);
        let gone: Vec<TreePath> =
            before.keys().filter(|path| tree.get(path.as_str()).is_none() || !is_included(path)).cloned().collect();
        for path in &gone {
            let path = directory.join(path.as_str());
            fs::remove_file(&path).map_err(ArchiveError::write(&path))?;
        }
        for parent in directories {
            create_below(directory, Path::new(parent)).map_err(ArchiveError::write(&directory.join(parent)))?;
        }
        let written: Vec<Option<(TreePath, MirroredFile)>> = wanted
            .par_iter()
            .map(|(path, entry)| {
                let written = write(&directory.join(path.as_str()), path, entry, before.get(*path))?;
                Ok(written.map(|file| ((*path).clone(), file)))
            })
            .collect::<Result<_, ArchiveError>>()?;
        for path in &gone {
            self.files.remove(path);
        }
        let mut changed = gone;
        for (path, file) in written.into_iter().flatten() {
            changed.push(path.clone());
            self.files.insert(path, file);
        }
        Ok(changed)
    }

    /// Replaces a file of the tree by the present bytes of a file of the project. Returns whether they differ.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(crate) fn replace(&mut self, path: &TreePath, source: &Path) -> Result<bool, ArchiveError> {
        let Some(known) = self.files.get_mut(path) else { return Ok(false) };
        let bytes = fs::read(source).map_err(ArchiveError::read(source, path))?;
        let sha256 = Sha256::of(&bytes);
        if sha256 == known.sha256 {
            return Ok(false);
        }
        let file = self.directory.join(path.as_str());
        create(&file, known.mode).and_then(|mut file| file.write_all(&bytes)).map_err(ArchiveError::write(&file))?;
        known.sha256 = sha256;
        Ok(true)
    }
}

/// Writes a file, unless it is what was written before.
fn write(
    file: &Path,
    path: &TreePath,
    entry: &TreeEntry,
    before: Option<&MirroredFile>,
) -> Result<Option<MirroredFile>, ArchiveError> {
    let mode = entry.access.mode;
    if before.is_some() {
        let sha256 = match &entry.content {
            FileContent::File { path: source, .. } => {
                Sha256::of_file(source).map_err(ArchiveError::read(source, path))?
            }
            // The digest of what is in a wheel is known.
            content => content.sha256().map_err(|error| ArchiveError::obtain(path)(io::Error::other(error)))?,
        };
        if before == Some(&MirroredFile { sha256, mode }) {
            return Ok(None);
        }
    }
    let mut output = HashingWriter::new(create(file, mode).map_err(ArchiveError::write(file))?);
    unpacked::copy((path, &entry.content), (&mut output, file), |_| ())?;
    let (_, sha256, _) = output.finish();
    Ok(Some(MirroredFile { sha256, mode }))
}

/// Creates a file anew, so that no process that has the earlier one open sees it change.
fn create(path: &Path, mode: FileMode) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = File::options().write(true).create_new(true).open(path)?;
    // The user must be able to replace it.
    file.set_permissions(Permissions::from_mode(mode.permissions() | 0o200))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{FileAccess, FileOrigin};

    fn tree(files: &[(&str, &str)]) -> FileTree {
        let mut tree = FileTree::new();
        for (path, text) in files {
            let content = FileContent::Bytes(text.as_bytes().into());
            let entry = TreeEntry { access: FileAccess::FILE, content, origin: FileOrigin::Application };
            tree.insert(TreePath::new(path).unwrap(), entry).unwrap();
        }
        tree
    }

    #[test]
    fn a_directory_follows_its_tree() {
        let parent = tempfile::tempdir().unwrap();
        let mut unpacked = TreeMirror::new(parent.path().join("task")).unwrap();
        let path = |name: &str| parent.path().join("task").join(name);
        let all = |_: &TreePath| true;
        let names = |paths: Vec<TreePath>| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            names(unpacked.follow(&tree(&[("app.py", "1"), ("lib/a.py", "2"), ("lib/b.py", "3")]), all).unwrap()),
            ["app.py", "lib/a.py", "lib/b.py"]
        );
        assert_eq!(fs::read_to_string(path("lib/b.py")).unwrap(), "3");
        assert_eq!(
            names(unpacked.follow(&tree(&[("app.py", "1"), ("lib/a.py", "2"), ("lib/b.py", "3")]), all).unwrap()),
            [""; 0]
        );
        assert_eq!(
            names(unpacked.follow(&tree(&[("app.py", "4"), ("lib/a.py", "2")]), all).unwrap()),
            ["lib/b.py", "app.py"]
        );
        assert!(fs::read_to_string(path("app.py")).unwrap() == "4" && !path("lib/b.py").exists());
        assert_eq!(
            names(
                unpacked
                    .follow(&tree(&[("app.py", "4"), ("lib/a.py", "2")]), |path| path.as_str() != "app.py")
                    .unwrap()
            ),
            ["app.py"]
        );
        assert!(!path("app.py").exists() && path("lib/a.py").exists());
        let source = parent.path().join("source.py");
        fs::write(&source, "5").unwrap();
        let replaced = TreePath::new("lib/a.py").unwrap();
        assert!(unpacked.replace(&replaced, &source).unwrap() && !unpacked.replace(&replaced, &source).unwrap());
        assert_eq!(fs::read_to_string(path("lib/a.py")).unwrap(), "5");
    }
}
