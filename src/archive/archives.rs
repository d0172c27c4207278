//! The wheels that an artifact is copied from.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;

/// The wheels that entries are copied from, each opened once.
#[derive(Default)]
pub(super) struct OpenWheels<'a>(HashMap<&'a Path, File>);

impl<'a> OpenWheels<'a> {
    /// Returns the file of a wheel, opened now or before.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(&mut self, path: &'a Path) -> io::Result<&File> {
        if !self.0.contains_key(path) {
            self.0.insert(path, File::open(path)?);
        }
        self.0.get(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
