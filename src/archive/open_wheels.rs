//! The wheels that an artifact is copied from.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;

/// Opens each wheel once, at its first entry: the entries of a tree are ordered by path, so those of one wheel do not
/// follow one another.
#[derive(Default)]
pub(super) struct OpenWheels<'a>(HashMap<&'a Path, File>);

impl<'a> OpenWheels<'a> {
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn open(&mut self, path: &'a Path) -> io::Result<&File> {
        if !self.0.contains_key(path) {
            self.0.insert(path, File::open(path)?);
        }
        self.0.get(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
