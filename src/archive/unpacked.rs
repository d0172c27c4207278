//! Writes a tree as the files of a directory. Its content, modes and times depend on the tree alone.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;

use super::directory::OutputDirectory;
use super::output::PersistedFile;
use super::{ArchiveError, EPOCH};
use crate::report::{Phase, Reporter};
use crate::tree::{FileContent, FileMode, FileTree, TreeEntry, TreePath};

/// How much of a file is copied or compared at a time, in bytes.
const PORTION: usize = 256 << 10;

/// A complete directory, which is at a temporary path unless there is an equal one already.
#[derive(Debug)]
pub(crate) struct UnpackedTree {
    /// `None` if the directory at the path has these files.
    written: Option<OutputDirectory>,
    /// The path as the user stated it.
    path: PathBuf,
    destination: PathBuf,
}

/// Refuses to replace a directory that has something which pybundle has not written. One that is missing or empty is replaced.
///
/// # Errors
/// It has a file whose time is not the one that all files of an output have, or is no directory, or cannot be read.
pub(crate) fn check_replaceable(path: &Path) -> Result<(), ArchiveError> {
    replaced_files(path).map(|_| ())
}

/// Returns how many files and directories are replaced.
///
/// # Errors
/// As [`check_replaceable`].
fn replaced_files(path: &Path) -> Result<usize, ArchiveError> {
    if path.metadata().is_ok_and(|metadata| !metadata.is_dir()) {
        return Err(ArchiveError::NotReplaceable { path: path.to_owned(), format: "a directory" });
    }
    written_files(path).map_err(|error| match error {
        Unlisted::Read(source) => ArchiveError::Write { path: path.to_owned(), source },
        Unlisted::Foreign(file) => ArchiveError::ForeignFile { directory: path.to_owned(), file },
    })
}

/// Returns whether a directory is an earlier output, within a directory that is none: in a tree that was unpacked with the
/// time of outputs, the directories of an application are as old as everything around them.
pub(crate) fn is_output(directory: &Path) -> bool {
    let has_time = |path: &Path| path.metadata().is_ok_and(|metadata| is_own(&metadata));
    let around = directory.parent().is_some_and(|parent| !has_time(parent));
    around && has_time(directory) && written_files(directory).is_ok_and(|count| count > 0)
}

/// Writes the files of a tree to a temporary directory next to `path`, unless the directory there has exactly them.
/// [`UnpackedTree::persist`] moves it. Advances [`Phase::Write`] by the uncompressed bytes.
///
/// # Errors
/// `path` is [not replaced](check_replaceable), it cannot be written to, or a file cannot be read or has changed.
pub(crate) fn write(tree: &FileTree, path: &Path, reporter: &dyn Reporter) -> Result<UnpackedTree, ArchiveError> {
    let destination = OutputDirectory::destination(path).map_err(ArchiveError::write(path))?;
    let replaced = replaced_files(&destination)?;
    let is_same = is_unpacked(tree, &destination, replaced, reporter);
    let written = if is_same { None } else { Some(unpack(tree, (path, &destination), reporter)?) };
    Ok(UnpackedTree { written, path: path.to_owned(), destination })
}

impl UnpackedTree {
    /// Moves the directory to its path, and replaces an earlier output that is there.
    ///
    /// # Errors
    /// It cannot be renamed, or something else was created at the path meanwhile.
    pub(crate) fn persist(self) -> Result<PersistedFile, ArchiveError> {
        check_replaceable(&self.destination)?;
        let is_unchanged = self.written.is_none();
        if let Some(written) = self.written {
            written.persist().map_err(|source| match source.kind() {
                // Of a volume of a container, for instance.
                io::ErrorKind::ResourceBusy => ArchiveError::MountPoint { path: self.path.clone() },
                _ => ArchiveError::Write { path: self.path.clone(), source },
            })?;
        }
        Ok(PersistedFile { path: self.path, is_unchanged })
    }
}

fn time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(EPOCH)
}

/// Returns every directory of a tree but its root, each after the one that contains it.
fn directories(tree: &FileTree) -> BTreeSet<&str> {
    let paths = tree.iter().map(|(path, _)| path);
    let above = paths.chain(tree.directories().map(|(path, _)| path)).flat_map(TreePath::parents);
    above.chain(tree.directories().map(|(path, _)| path.as_str())).collect()
}

fn unpack(
    tree: &FileTree,
    (path, destination): (&Path, &Path),
    reporter: &dyn Reporter,
) -> Result<OutputDirectory, ArchiveError> {
    let output = OutputDirectory::create(destination.to_owned()).map_err(ArchiveError::write(path))?;
    let root = output.root();
    let directories = directories(tree);
    for directory in &directories {
        fs::create_dir(root.join(directory)).map_err(ArchiveError::write(&path.join(directory)))?;
    }
    let entries: Vec<_> = tree.iter().collect();
    entries.par_iter().try_for_each(|(name, entry)| {
        write_file((&root.join(name.as_str()), &path.join(name.as_str())), (name, entry), reporter)
    })?;
    // A directory gets its time after everything in it.
    for directory in directories.iter().rev().copied().chain([""]) {
        let mode = tree.directory_access(directory).mode;
        finish(&root.join(directory), mode).map_err(ArchiveError::write(&path.join(directory)))?;
    }
    Ok(output)
}

/// Sets the mode, whatever the umask, and the time of a directory.
fn finish(directory: &Path, mode: FileMode) -> io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(mode.permissions()))?;
    File::open(directory)?.set_modified(time())
}

/// Writes a file at a temporary path. Errors name the path that it is moved to.
fn write_file(
    (path, shown): (&Path, &Path),
    (name, entry): (&TreePath, &TreeEntry),
    reporter: &dyn Reporter,
) -> Result<(), ArchiveError> {
    let permissions = entry.access.mode.permissions();
    let created = File::options().write(true).create_new(true).mode(permissions).open(path);
    let mut file = created.map_err(ArchiveError::write(shown))?;
    copy((name, &entry.content), (&mut file, shown), |length| reporter.advance(Phase::Write, length))?;
    let finished = file.set_permissions(Permissions::from_mode(permissions)).and_then(|()| file.set_modified(time()));
    finished.map_err(ArchiveError::write(shown))
}

/// Copies the bytes of a file to a writer, whose errors name `shown`. Calls `advance` with each number of bytes that are copied.
///
/// # Errors
/// Writing fails, the file cannot be read, or a file of the project no longer has the size that it was listed with.
pub(super) fn copy(
    (name, content): (&TreePath, &FileContent),
    (output, shown): (&mut dyn Write, &Path),
    advance: impl Fn(u64),
) -> Result<(), ArchiveError> {
    let mut failed = None;
    read_portions(name, content, |portion| {
        advance(portion.len() as u64);
        failed = output.write_all(portion).err();
        failed.is_none()
    })?;
    failed.map_or(Ok(()), |error| Err(ArchiveError::write(shown)(error)))
}

/// Passes the bytes of a file on in portions, until `take` returns false.
///
/// # Errors
/// The file cannot be read, or a file of the project no longer has the size that it was listed with.
fn read_portions(
    name: &TreePath,
    content: &FileContent,
    mut take: impl FnMut(&[u8]) -> bool,
) -> Result<(), ArchiveError> {
    let reading = |error| match content {
        FileContent::Archived { archive, .. } => ArchiveError::read(archive, name)(error),
        FileContent::File { path, .. } => ArchiveError::read(path, name)(error),
        FileContent::Bytes(_) | FileContent::Deferred(_) => ArchiveError::obtain(name)(error),
    };
    let mut reader = content.reader().map_err(reading)?;
    let (mut buffer, mut size) = (vec![0; PORTION.min(usize::try_from(content.size()).unwrap_or(PORTION) + 1)], 0);
    loop {
        let length = reader.read(&mut buffer).map_err(reading)?;
        if length == 0 {
            break;
        }
        size += length as u64;
        if !take(&buffer[..length]) {
            return Ok(());
        }
    }
    match content {
        FileContent::File { path, .. } if size != content.size() => Err(ArchiveError::Changed { path: path.clone() }),
        _ => Ok(()),
    }
}

/// Returns whether a directory, of so many files and directories, has exactly those of a tree, with their modes and times.
/// Whatever cannot be read differs: writing it again tells why.
fn is_unpacked(tree: &FileTree, directory: &Path, files: usize, reporter: &dyn Reporter) -> bool {
    let directories = directories(tree);
    let has_directory = |name: &&str| {
        directory
            .join(name)
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_dir() && has_mode(metadata.mode(), tree.directory_access(name).mode))
    };
    if files != tree.len() + directories.len() || !directories.iter().all(has_directory) {
        return false;
    }
    let entries: Vec<_> = tree.iter().collect();
    let is_same = entries
        .par_iter()
        .all(|(name, entry)| has_content(&directory.join(name.as_str()), (name, entry)).unwrap_or(false));
    if is_same {
        reporter.advance(Phase::Write, tree.size());
    }
    is_same
}

fn has_mode(bits: u32, mode: FileMode) -> bool {
    FileMode::from(bits) == mode
}

fn has_content(path: &Path, (name, entry): (&TreePath, &TreeEntry)) -> io::Result<bool> {
    let metadata = path.symlink_metadata()?;
    if !metadata.is_file() || metadata.len() != entry.content.size() || !has_mode(metadata.mode(), entry.access.mode) {
        return Ok(false);
    }
    let (mut file, mut is_same) = (File::open(path)?, true);
    let mut there = vec![0; PORTION];
    let read = read_portions(name, &entry.content, |portion| {
        let there = &mut there[..portion.len()];
        is_same = file.read_exact(there).is_ok() && there == portion;
        is_same
    });
    Ok(is_same && read.is_ok())
}

/// Why the files of a directory are not counted.
enum Unlisted {
    Read(io::Error),
    /// This is not written by pybundle.
    Foreign(PathBuf),
}

impl From<io::Error> for Unlisted {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// Returns how many files and directories are below a directory, all written by pybundle as their times tell; none if it is
/// missing.
fn written_files(directory: &Path) -> Result<usize, Unlisted> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let mut count = 0;
    for entry in entries {
        let entry = entry?;
        let metadata = entry.metadata()?;
        count += 1;
        count += match (metadata.is_dir(), metadata.is_file()) {
            // Whoever removes a file changes the time of its directory.
            (true, _) => written_files(&entry.path())?,
            (false, true) if is_own(&metadata) => 0,
            _ => return Err(Unlisted::Foreign(entry.path())),
        };
    }
    Ok(count)
}

/// Returns whether something has the time of everything in an output.
fn is_own(metadata: &fs::Metadata) -> bool {
    metadata.mtime() == EPOCH as i64 && metadata.mtime_nsec() == 0
}

#[cfg(test)]
mod tests;
