//! Credentials in environment variables.

use super::scope::{CredentialScope, DOCKER_HUB};
use super::{CredentialsError, KeychainOptions, RegistryLogin};

/// Returns the login in the variables of a registry. Docker Hub has several names.
///
/// # Errors
/// One of the two variables is missing.
pub(super) fn login(options: &KeychainOptions, registry: &str) -> Result<Option<RegistryLogin>, CredentialsError> {
    let is_docker_hub = CredentialScope::of_repository(registry, "").host == DOCKER_HUB[0];
    let names = if is_docker_hub { DOCKER_HUB.to_vec() } else { vec![registry] };
    for name in names {
        let [user_variable, password_variable] = ["USERNAME", "PASSWORD"].map(|part| variable(name, part));
        let found = (options.variable(&user_variable), options.variable(&password_variable));
        return match found {
            (None, None) => continue,
            (Some(username), Some(password)) => {
                Ok(Some(RegistryLogin::Basic { username: username.to_owned(), password: password.to_owned().into() }))
            }
            (Some(_), None) => Err(CredentialsError::Variable { set: user_variable, missing: password_variable }),
            (None, Some(_)) => Err(CredentialsError::Variable { set: password_variable, missing: user_variable }),
        };
    }
    Ok(None)
}

/// What the names of the variables begin with.
pub(super) const PREFIX: &str = "PYBUNDLE_REGISTRY_";

/// Returns the name of a variable: `PYBUNDLE_REGISTRY_LOCALHOST_5000_PASSWORD` for `localhost:5000`.
fn variable(registry: &str, part: &str) -> String {
    let in_name =
        |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' };
    format!("{PREFIX}{}_{part}", registry.chars().map(in_name).collect::<String>())
}
