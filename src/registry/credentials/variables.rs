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
pub const VARIABLE_PREFIX: &str = "PYBUNDLE_REGISTRY_";

/// Returns the name of a variable: `PYBUNDLE_REGISTRY_LOCALHOST_5000_PASSWORD` for `localhost:5000`.
///
/// A hyphen is two underscores, unlike a dot: `registry-example.com` may belong to someone else than
/// `registry.example.com`, and must not get its password. Hosts have no underscores.
pub(in crate::registry) fn variable(registry: &str, part: &str) -> String {
    let host = registry.replace('-', "__").replace(|character: char| !character.is_ascii_alphanumeric(), "_");
    format!("{VARIABLE_PREFIX}{}_{part}", host.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_do_not_share_variables() {
        let hosts = ["a.b", "a-b", "a--b", "a-b.c", "a.b-c", "a.b:5000", "[::1]:5000", "[::1]", "localhost:5000"];
        let names: std::collections::BTreeSet<_> = hosts.iter().map(|host| variable(host, "PASSWORD")).collect();
        assert_eq!(names.len(), hosts.len(), "{names:?}");
        assert_eq!(
            variable("Registry.my-host.tld:443", "USERNAME"),
            "PYBUNDLE_REGISTRY_REGISTRY_MY__HOST_TLD_443_USERNAME"
        );
    }
}
