//! Whether what the application imports is in the artifact.

/// Something that is wrong with a module of the application.
#[derive(Debug, thiserror::Error)]
pub enum ImportFinding {}

impl ImportFinding {
    /// Returns whether it certainly fails.
    pub fn is_error(&self) -> bool {
        match *self {}
    }

    /// Returns what the user may do about it.
    pub fn hints(&self) -> Vec<String> {
        match *self {}
    }
}
