//! Conversions of I/O errors, which say what was read or written.

use std::path::Path;

use super::BuildError;
use crate::temporary::CopyError;

impl BuildError {
    /// Returns the conversion of an I/O error of reading a file.
    pub(crate) fn reading(path: &Path) -> impl Fn(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Read { path: path.clone(), source }
    }

    /// Returns the conversion of an I/O error of writing a file.
    pub(crate) fn writing(path: &Path) -> impl Fn(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Write { path: path.clone(), source }
    }

    /// Returns the conversion of an I/O error of writing a file in the temporary directory.
    pub(crate) fn temporary(path: &Path) -> impl Fn(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::TemporaryFile { path: path.clone(), source }
    }

    /// Returns the conversion of an error of copying a file to the temporary directory.
    pub(crate) fn copying(path: &Path) -> impl Fn(CopyError) -> Self + use<> {
        let path = path.to_owned();
        move |error| match error {
            CopyError::Read(source) => Self::Read { path: path.clone(), source },
            CopyError::Write(source) => Self::TemporaryCopy(source),
        }
    }
}
