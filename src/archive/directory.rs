//! A directory that appears at its path when it is complete.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::temporary::TemporaryDirectory;

/// A directory that is being filled at a temporary path, and is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct OutputDirectory {
    temporary: TemporaryDirectory,
    destination: PathBuf,
}

impl OutputDirectory {
    /// Returns the directory that an output at `path` replaces: the target of a symbolic link, not the link.
    ///
    /// # Errors
    /// The path cannot be resolved.
    pub(crate) fn destination(path: &Path) -> io::Result<PathBuf> {
        match fs::canonicalize(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
            resolved => resolved,
        }
    }

    /// Begins a directory next to its [destination](Self::destination), and creates missing directories above it.
    ///
    /// # Errors
    /// It cannot be created.
    pub(crate) fn create(destination: PathBuf) -> io::Result<Self> {
        Ok(Self { temporary: temporary_beside(&destination)?, destination })
    }

    /// Returns the temporary path, below which the files are written.
    pub(crate) fn root(&self) -> &Path {
        self.temporary.path()
    }

    /// Moves the directory to its destination, and replaces what is there: the caller has checked that it may.
    ///
    /// # Errors
    /// A directory cannot be renamed. What was at the destination is left in place.
    pub(crate) fn persist(self) -> io::Result<()> {
        let new = self.temporary.path();
        match exchange(new, &self.destination) {
            // What was there is now at the temporary path, and is removed with it.
            Ok(()) => Ok(()),
            Err(error) if CANNOT_EXCHANGE.contains(&error.kind()) => replace(new, &self.destination),
            Err(error) => Err(error),
        }
    }
}

/// The errors of [`exchange`] if the destination does not exist, or the file system does not support it.
const CANNOT_EXCHANGE: [io::ErrorKind; 3] =
    [io::ErrorKind::NotFound, io::ErrorKind::Unsupported, io::ErrorKind::InvalidInput];

/// Exchanges two directories atomically, so that there is one at the path at any time.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// This system cannot exchange directories.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Replaces a directory in two steps. If the second fails, the first is undone.
fn replace(new: &Path, destination: &Path) -> io::Result<()> {
    // Removed with the old directory in it when this function returns.
    let aside = temporary_beside(destination)?;
    let old = aside.path().join("old");
    let existed = match fs::rename(destination, &old) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    fs::rename(new, destination).or_else(|error| {
        if existed {
            fs::rename(&old, destination)?;
        }
        Err(error)
    })
}

/// Creates a directory next to another one, so that it can be renamed within one file system.
fn temporary_beside(directory: &Path) -> io::Result<TemporaryDirectory> {
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)?;
    TemporaryDirectory::new_in(parent)
}
