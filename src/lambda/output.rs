//! Where a function or a layer is written.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What the name of a directory begins with.
const DIRECTORY_PREFIX: &[u8] = b"dir:";

/// Where a function or a layer is written: a zip, or its files in a directory, `dir:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PackageOutput {
    /// A zip; `-` is standard output.
    Zip(PathBuf),
    /// A directory, for tools that make the zip themselves.
    Directory(PathBuf),
}

impl PackageOutput {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Zip(path) | Self::Directory(path) => path,
        }
    }

    pub(crate) fn path_mut(&mut self) -> &mut PathBuf {
        match self {
            Self::Zip(path) | Self::Directory(path) => path,
        }
    }

    /// Returns the path of a zip.
    pub(crate) fn zip(&self) -> Option<&Path> {
        match self {
            Self::Zip(path) => Some(path),
            Self::Directory(_) => None,
        }
    }
}

/// Why a text does not name a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidPackageOutput {
    #[error("the path is missing, expected dir:PATH")]
    Empty,
    /// Otherwise, the directory would be `~` in the current one, which nobody can remove without fear.
    #[error(
        "`~` is not expanded after `dir:`, use dir:$HOME/PATH in a shell, or dir:./~ for a directory with this name"
    )]
    Home,
}

impl PackageOutput {
    /// Parses the path of a zip, or `dir:PATH`.
    ///
    /// # Errors
    /// The path of a directory is missing, or begins with `~`.
    pub(crate) fn parse(text: OsString) -> Result<Self, InvalidPackageOutput> {
        match text.as_bytes().strip_prefix(DIRECTORY_PREFIX) {
            Some([]) => Err(InvalidPackageOutput::Empty),
            Some([b'~'] | [b'~', b'/', ..]) => Err(InvalidPackageOutput::Home),
            Some(path) => Ok(Self::Directory(OsString::from_vec(path.to_owned()).into())),
            None => Ok(Self::Zip(text.into())),
        }
    }
}

impl FromStr for PackageOutput {
    type Err = InvalidPackageOutput;

    fn from_str(text: &str) -> Result<Self, InvalidPackageOutput> {
        Self::parse(text.into())
    }
}

impl fmt::Display for PackageOutput {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zip(path) => path.display().fmt(formatter),
            Self::Directory(path) => write!(formatter, "dir:{}", path.display()),
        }
    }
}
