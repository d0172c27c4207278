//! The scope of credentials: a registry, or a namespace in it.
//!
//! The keys are those of Docker's `config.json`, where Docker Hub is `https://index.docker.io/v1/` and other registries
//! are `host:port`, once also `https://host:port/v1/`; and those of podman's
//! [`auth.json`](https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md), where namespaces and
//! repositories may follow.

use std::fmt;

/// The names of Docker Hub, the canonical one first.
pub(super) const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// A registry, or a namespace in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CredentialScope {
    /// The registry's host, with its port if it has one. It is in lower case; Docker Hub is `docker.io`.
    pub host: String,
    /// Components separated by slashes; empty for the whole registry.
    namespace: String,
}

impl CredentialScope {
    /// Returns the scope of one repository.
    pub(super) fn of_repository(registry: &str, repository: &str) -> Self {
        let registry = registry.to_ascii_lowercase();
        let host = if DOCKER_HUB.contains(&registry.as_str()) { DOCKER_HUB[0].to_owned() } else { registry };
        Self { host, namespace: repository.to_owned() }
    }

    /// Returns the scope of a key in a file. The paths `/v1/` and `/v2/` are the registry's API, not namespaces.
    pub(super) fn of_key(key: &str) -> Self {
        let address = key.split_once("://").map_or(key, |(_, address)| address);
        let (authority, path) = address.split_once('/').unwrap_or((address, ""));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let path = path.trim_matches('/');
        Self::of_repository(host, if matches!(path, "v1" | "v2") { "" } else { path })
    }

    /// Returns the key that `docker login` writes for the registry, and that it passes to helpers.
    pub(super) fn docker_key(&self) -> &str {
        if self.host == DOCKER_HUB[0] { "https://index.docker.io/v1/" } else { &self.host }
    }

    /// Returns whether the scope is the whole registry.
    pub(super) fn is_registry(&self) -> bool {
        self.namespace.is_empty()
    }

    /// Returns the scope and those that contain it, up to the whole registry.
    pub(super) fn widening(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |scope| {
            if scope.is_registry() {
                return None;
            }
            let namespace = scope.namespace.rsplit_once('/').map_or("", |(above, _)| above);
            Some(Self { host: scope.host.clone(), namespace: namespace.to_owned() })
        })
    }
}

impl fmt::Display for CredentialScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, namespace } = self;
        if self.is_registry() { write!(formatter, "{host}") } else { write!(formatter, "{host}/{namespace}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_registries_or_namespaces() {
        for (key, shown) in [
            ("gcr.io", "gcr.io"),
            ("GCR.io", "gcr.io"),
            ("https://gcr.io", "gcr.io"),
            ("https://gcr.io/", "gcr.io"),
            ("http://localhost:5000/v2/", "localhost:5000"),
            ("localhost:5000/v1", "localhost:5000"),
            ("[::1]:5000", "[::1]:5000"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("index.docker.io", "docker.io"),
            ("registry-1.docker.io", "docker.io"),
            ("docker.io/library/python", "docker.io/library/python"),
            ("https://index.docker.io/v1/access-token", "docker.io/v1/access-token"),
            ("quay.io/team/app/", "quay.io/team/app"),
            ("https://user:secret@host/v1/", "host"),
            ("", ""),
            ("://", ""),
            ("///", ""),
        ] {
            assert_eq!(CredentialScope::of_key(key).to_string(), shown, "{key}");
        }
    }

    #[test]
    fn scopes_widen_from_the_repository_to_the_registry() {
        for (registry, repository, expected) in [
            ("Quay.io", "a/b/c", &["quay.io/a/b/c", "quay.io/a/b", "quay.io/a", "quay.io"][..]),
            ("registry-1.docker.io", "x", &["docker.io/x", "docker.io"]),
            ("host:1", "", &["host:1"]),
        ] {
            let scopes = CredentialScope::of_repository(registry, repository).widening();
            assert_eq!(scopes.map(|scope| scope.to_string()).collect::<Vec<_>>(), expected);
        }
    }
}
