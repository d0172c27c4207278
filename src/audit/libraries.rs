//! Whether the compiled files of an artifact load on the target.

/// Something that is wrong with a compiled file.
#[derive(Debug, thiserror::Error)]
pub enum LibraryFinding {}

impl LibraryFinding {
    /// Returns whether it certainly fails.
    pub fn is_error(&self) -> bool {
        match *self {}
    }

    /// Returns what the user may do about it.
    pub fn hints(&self) -> Vec<String> {
        match *self {}
    }
}
