//! Amazon's registries (ECR).

use super::credentials::Login;

/// A private registry of Amazon's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EcrRegistry {
    /// The account that it belongs to: twelve digits.
    pub account: String,
    /// Its region, for instance `eu-west-1`.
    pub region: String,
}

/// Why a registry of Amazon's could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum EcrError {}

impl EcrError {
    /// Returns what the user may do about it.
    pub fn hints(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Returns the registry of Amazon's that a registry's name means.
pub fn is_ecr(_registry: &str) -> Option<EcrRegistry> {
    None
}

/// Returns the login for a registry.
pub async fn login(_registry: &EcrRegistry) -> Result<Login, EcrError> {
    Ok(Login::Anonymous)
}

/// Creates a repository, unless it exists.
pub async fn create_repository(_registry: &EcrRegistry, _repository: &str) -> Result<(), EcrError> {
    Ok(())
}
