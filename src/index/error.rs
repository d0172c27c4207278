//! Why files could not be found.

/// Why files could not be found in an index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// No index has the version.
    #[error("no index has {package}")]
    NotFound {
        /// The distribution with its version.
        package: String,
    },
}

impl IndexError {
    /// Returns what the user can do about it.
    pub fn hints(&self) -> Vec<String> {
        Vec::new()
    }
}
