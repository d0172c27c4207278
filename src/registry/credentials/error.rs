//! Why credentials could not be had.

use crate::registry::ecr::EcrError;

/// Why credentials could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Amazon gave none.
    #[error(transparent)]
    Ecr(#[from] EcrError),
}

impl CredentialsError {
    /// Returns what the user may do about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Ecr(error) => error.hints(),
        }
    }
}
