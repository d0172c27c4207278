//! The wheels that an artifact is copied from.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::ptr;

/// Opens each wheel once, at its first entry: the entries of a tree are ordered by path, so those of one wheel do not
/// follow one another.
#[derive(Default)]
pub(super) struct OpenWheels<'a> {
    files: Vec<(&'a Path, File)>,
    positions: HashMap<&'a Path, usize>,
    /// The position of the file that was asked for last. Most entries are of the same wheel as the one before, and hashing its
    /// path takes longer than writing a header.
    latest: usize,
}

impl<'a> OpenWheels<'a> {
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn open(&mut self, path: &'a Path) -> io::Result<&File> {
        if !self.files.get(self.latest).is_some_and(|(latest, _)| ptr::eq(*latest, path)) {
            self.latest = match self.positions.get(path) {
                Some(position) => *position,
                None => {
                    self.files.push((path, File::open(path)?));
                    self.positions.insert(path, self.files.len() - 1);
                    self.files.len() - 1
                }
            };
        }
        Ok(&self.files[self.latest].1)
    }
}
