//! Errors of a single attempt at a request, and which of them are worth another attempt.

use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::credentials::{CredentialsError, variable};
use super::ecr::is_ecr;
use crate::digest::Sha256;
use crate::hints::Hints;
use crate::http::{is_about_certificates, is_loopback};
use crate::image::BlobError;
use crate::redact::one_line;
use crate::retry::is_passing;
use crate::silence::TooSilent;

/// Why one attempt at a request failed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The server returned an error.
    #[error("{host} returned {status}{errors}")]
    Status {
        /// The server: the registry, its token server, or a server that it redirects to.
        host: String,
        /// The status.
        status: StatusCode,
        /// Its reasons.
        errors: ServerErrors,
        /// How long the server asks to wait before another attempt.
        retry_after: Option<Duration>,
    },
    /// The registry or its token server denied access.
    #[error("{registry} denied access {identity} ({status}{errors})")]
    Refused {
        /// The registry.
        registry: String,
        /// The identity that the request had.
        identity: Identity,
        /// The status.
        status: StatusCode,
        /// Its reasons.
        errors: ServerErrors,
    },
    /// The connection could not be established, or broke.
    #[error("the connection to {host} failed")]
    Transport {
        /// The server.
        host: String,
        /// The reason.
        source: reqwest::Error,
    },
    /// The proxy did not establish a connection to the server.
    #[error("{} to connect to {host}", if is_without_proxy(source) { "cannot reach the proxy" } else { "the proxy refused" })]
    Proxy {
        /// The server.
        host: String,
        /// The reason.
        source: reqwest::Error,
    },
    /// The proxy requires a user name and a password.
    #[error("the proxy requires a login to reach {host} (407 Proxy Authentication Required)")]
    ProxyLogin {
        /// The server.
        host: String,
    },
    /// The proxy answered in place of the server, which it cannot reach.
    #[error("the proxy returned {status} for {host}")]
    ProxyStatus {
        /// The server.
        host: String,
        /// The status.
        status: StatusCode,
    },
    /// No bytes were transferred for too long.
    #[error(transparent)]
    Silent(#[from] TooSilent),
    /// The registry asks for credentials in an unsupported way, or in one that would expose them.
    #[error("cannot authenticate to {registry}: {reason}")]
    Challenge {
        /// The registry.
        registry: String,
        /// Why.
        reason: String,
    },
    /// The response of the token server contains no token.
    #[error("the token server {host} returned no token")]
    Token {
        /// The token server.
        host: String,
    },
    /// The credentials cannot be loaded.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The server redirected to an address that cannot be used.
    #[error("{host} returned an invalid address for the next request: {reason}")]
    Location {
        /// The server.
        host: String,
        /// What is wrong with the address.
        reason: &'static str,
    },
    /// The registry redirected an upload into a network that it may not reach itself.
    #[error("{host} redirected an upload to {target}, a private, loopback or link-local address of another host")]
    PrivateLocation {
        /// The registry.
        host: String,
        /// The host of the address.
        target: String,
    },
    /// The server returned a different range of the blob than requested.
    #[error("{host} returned a different range of the blob than requested")]
    Range {
        /// The server.
        host: String,
    },
    /// The body ended early.
    #[error("{host} sent {actual} bytes, expected {expected}")]
    Truncated {
        /// The server.
        host: String,
        /// The size that was announced.
        expected: u64,
        /// The bytes that arrived.
        actual: u64,
    },
    /// The body is too large.
    #[error("{host} sent more than {limit} bytes")]
    TooLarge {
        /// The server.
        host: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The bytes have the wrong digest.
    #[error("{host} sent data with the digest {actual}, expected {expected}")]
    Digest {
        /// The server.
        host: String,
        /// The digest that was requested.
        expected: Sha256,
        /// The digest of the bytes.
        actual: Sha256,
    },
    /// The response is not a manifest.
    #[error("the response of {host} is not a manifest or index of a supported media type")]
    InvalidManifest {
        /// The server.
        host: String,
    },
    /// The registry accepted a manifest, and does not have it.
    #[error("{host} accepted the manifest but does not return it")]
    LostManifest {
        /// The registry.
        host: String,
    },
    /// The blob to push cannot be read, or is damaged.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The blob to push has a different size than its descriptor.
    #[error("blob {digest} has {actual} bytes, expected {expected}")]
    Size {
        /// The digest of the blob.
        digest: Sha256,
        /// The size in the descriptor.
        expected: u64,
        /// The size of the blob.
        actual: u64,
    },
    /// The registry requires chunks that are too large to be held in memory.
    #[error("{host} requires chunks of at least {size} bytes, which is too large")]
    ChunkSize {
        /// The registry.
        host: String,
        /// The smallest chunk, in bytes.
        size: u64,
    },
    /// The blob cannot be written to its destination.
    #[error("cannot write the blob")]
    Output(#[source] io::Error),
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Nobody: there are no credentials.
    Anonymous,
    /// A user with a password.
    User(String),
    /// The holder of an identity token, whose name is not known.
    Token,
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => formatter.write_str("without a login"),
            Self::User(name) => write!(formatter, "for the user `{name}`"),
            Self::Token => formatter.write_str("with the stored identity token"),
        }
    }
}

/// The errors in the body of a response
/// ([OCI distribution 1.1, error codes](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes)),
/// without control characters, and truncated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerErrors(Vec<(String, String)>);

impl ServerErrors {
    /// Parses the body of a response. Plain text is one error; HTML is ignored, since proxies send whole pages.
    pub(super) fn parse(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let Ok(document) = serde_json::from_str::<Value>(&text) else {
            let is_shown = !text.trim().is_empty() && !text.trim_start().starts_with('<');
            return Self(is_shown.then(|| (String::new(), shown(&text))).into_iter().collect());
        };
        let errors = document.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let listed = errors.iter().map(|error| (field(error, "code"), field(error, "message")));
        // Token servers have their own formats: Docker Hub uses `details`, OAuth 2 `error_description`.
        let others = ["details", "error_description", "message", "error"].iter().map(|name| field(&document, name));
        let other = others.map(|message| (String::new(), message)).find(|(_, message)| !message.is_empty());
        Self(match errors {
            [] => other.into_iter().collect(),
            _ => listed.collect(),
        })
    }

    /// Tells whether an error has one of these codes.
    pub(super) fn has(&self, codes: &[&str]) -> bool {
        self.0.iter().any(|(code, _)| codes.contains(&code.as_str()))
    }

    /// Tells whether a message mentions immutability: some registries have no code for it.
    pub(super) fn are_about_immutability(&self) -> bool {
        self.0.iter().any(|(_, message)| message.to_lowercase().contains("immutable"))
    }
}

impl fmt::Display for ServerErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (code, message) in &self.0 {
            match (code.as_str(), message.as_str()) {
                ("", text) | (text, "") => write!(formatter, ": {text}")?,
                (code, message) => write!(formatter, ": {code}: {message}")?,
            }
        }
        Ok(())
    }
}

/// Returns a message as one line, without the queries of URLs, which may contain signatures.
fn shown(text: &str) -> String {
    one_line(text).split(' ').map(without_query).collect::<Vec<_>>().join(" ")
}

fn without_query(word: &str) -> &str {
    match (word.find("://"), word.find('?')) {
        (Some(scheme), Some(query)) if scheme < query => word.get(..query).unwrap_or_default(),
        _ => word,
    }
}

/// Returns a field of an error document, which may be missing.
fn field(error: &Value, name: &str) -> String {
    shown(error.get(name).and_then(Value::as_str).unwrap_or_default())
}

impl RequestError {
    /// Returns whether another attempt may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Status { status, errors, .. } => {
                is_passing(*status)
                    || errors.has(&["BLOB_UPLOAD_UNKNOWN", "TOOMANYREQUESTS"])
                    || self.is_about_content()
            }
            Self::Proxy { source, .. } => !is_proxy_login(source),
            Self::Transport { source, .. } => !source.is_builder() && !is_about_certificates(source),
            Self::Silent(silence) => !silence.is_final,
            Self::Truncated { .. } | Self::ProxyStatus { .. } => true,
            _ => self.is_about_content(),
        }
    }

    /// Returns whether bytes were altered in transit or in the registry: a second attempt may succeed, a third will not.
    pub(super) fn is_about_content(&self) -> bool {
        match self {
            Self::Status { errors, .. } => errors.has(&["DIGEST_INVALID", "SIZE_INVALID", "MANIFEST_INVALID"]),
            Self::Digest { .. } | Self::Token { .. } | Self::InvalidManifest { .. } => true,
            _ => false,
        }
    }

    /// Returns the status of the response, if there was one.
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } | Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Tells whether the response has one of these error codes.
    pub(super) fn has_code(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Status { errors, .. } | Self::Refused { errors, .. } if errors.has(codes))
    }

    /// Tells whether a manifest was refused because its tag is immutable. Registries agree on no code for it.
    pub(super) fn is_about_immutability(&self) -> bool {
        let codes = ["TAG_INVALID", "ImageTagAlreadyExistsException"];
        match self {
            Self::Status { status, errors, .. } | Self::Refused { status, errors, .. } => {
                matches!(status.as_u16(), 409 | 412) || errors.has(&codes) || errors.are_about_immutability()
            }
            _ => false,
        }
    }

    /// Returns how long the server asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Hints for RequestError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Refused { registry, identity, .. } => refusal_hints(registry, identity),
            Self::Status { status, .. } if is_passing(*status) => vec!["try again later".to_owned()],
            Self::Transport { source, .. } if is_about_certificates(source) => {
                vec![
                    "if the registry uses a private certificate authority, set SSL_CERT_FILE to its certificate"
                        .to_owned(),
                ]
            }
            Self::Transport { host, .. } if is_loopback(host) => {
                vec![format!("check that a registry is running on {host}")]
            }
            Self::Transport { host, .. } if is_public(host) => {
                vec!["check the connection and, behind a proxy, HTTPS_PROXY".to_owned()]
            }
            Self::Transport { host, .. } => vec![format!(
                "check the connection and, behind a proxy, HTTPS_PROXY; if {host} uses plain HTTP, add --insecure-registry {host}"
            )],
            Self::Proxy { host, source } if is_without_proxy(source) => vec![format!(
                "check the address of the proxy in HTTPS_PROXY, or add {host} to NO_PROXY to connect without it"
            )],
            Self::Proxy { host, source } if !is_proxy_login(source) => vec![format!(
                "check that the proxy of HTTPS_PROXY reaches {host}, or add {host} to NO_PROXY to connect without it"
            )],
            Self::ProxyStatus { host, .. } => vec![format!(
                "check that the proxy of HTTP_PROXY reaches {host}, or add {host} to NO_PROXY to connect without it"
            )],
            Self::Proxy { .. } | Self::ProxyLogin { .. } => {
                vec![
                    "set the user name and the password of the proxy in the URL of HTTPS_PROXY and HTTP_PROXY"
                        .to_owned(),
                ]
            }
            Self::Truncated { .. } => vec!["try again later".to_owned()],
            // Garbage collection while a registry runs leaves its caches wrong.
            Self::LostManifest { host } => vec![format!("restart the registry at {host}, then push again")],
            Self::Silent(silence) => silence.hints(),
            Self::Credentials(error) => error.hints(),
            _ => Vec::new(),
        }
    }
}

fn refusal_hints(registry: &str, identity: &Identity) -> Vec<String> {
    let (command, name) = match registry {
        "registry-1.docker.io" => ("docker login".to_owned(), "docker.io"),
        registry => (format!("docker login {registry}"), registry),
    };
    match identity {
        _ if is_ecr(registry).is_some() => {
            vec!["check that the AWS credentials allow pulling from and pushing to this repository".to_owned()]
        }
        Identity::Anonymous => {
            let [user, password] = ["USERNAME", "PASSWORD"].map(|part| variable(name, part));
            vec![format!("log in with `{command}`, or set {user} and {password}")]
        }
        Identity::User(_) | Identity::Token => {
            vec![format!("check that this login has access to the repository, or log in again with `{command}`")]
        }
    }
}

/// Returns whether a proxy refused to establish a tunnel: hyper-util has no public type for it.
pub(super) fn is_about_proxy(error: &reqwest::Error) -> bool {
    has_cause(error, "tunnel error: ")
}

/// Returns whether the proxy itself cannot be reached.
fn is_without_proxy(error: &reqwest::Error) -> bool {
    has_cause(error, "tunnel error: failed to create underlying connection")
}

/// Returns whether a proxy requires a login for a tunnel.
fn is_proxy_login(error: &reqwest::Error) -> bool {
    has_cause(error, "tunnel error: proxy authorization required")
}

fn has_cause(error: &reqwest::Error, text: &str) -> bool {
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.any(|cause| cause.to_string().contains(text))
}

/// Tells whether a host belongs to a public registry, which always uses TLS.
fn is_public(host: &str) -> bool {
    const DOMAINS: [&str; 8] =
        ["amazonaws.com", "azurecr.io", "docker.io", "gcr.io", "ghcr.io", "gitlab.com", "pkg.dev", "quay.io"];
    DOMAINS.iter().any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_registries_use_tls() {
        for (host, expected) in [
            ("registry-1.docker.io", true),
            ("ghcr.io", true),
            ("europe-docker.pkg.dev", true),
            ("registry.example.org", false),
            ("notdocker.io", false),
            ("docker.io:5000", false),
        ] {
            assert_eq!(is_public(host), expected, "{host}");
        }
    }

    #[test]
    fn reasons_are_read_in_every_form() {
        for (body, told) in [
            (r#"{"errors":[{"code":"DENIED","message":"no"},{"code":"X"}]}"#, ": DENIED: no: X"),
            (r#"{"errors":[{"message":"a\u0007\nb","code":""}]}"#, ": a b"),
            (r#"{"details":"incorrect username or password"}"#, ": incorrect username or password"),
            (r#"{"errors":"none","message":"m"}"#, ": m"),
            ("Too Many Requests\n", ": Too Many Requests"),
            ("see https://s3/x?X-Amz-Signature=hunter2 for it", ": see https://s3/x for it"),
            ("<html>no</html>", ""),
            ("[1]", ""),
            ("", ""),
        ] {
            assert_eq!(ServerErrors::parse(body.as_bytes()).to_string(), told, "{body}");
        }
        assert!(ServerErrors::parse(b"\xff\xfe").to_string().starts_with(": "));
        assert!(ServerErrors::parse("x".repeat(9000).as_bytes()).to_string().len() < 600);
    }

    fn error(status: u16, body: &str) -> RequestError {
        RequestError::Status {
            host: "host".to_owned(),
            status: StatusCode::from_u16(status).unwrap(),
            errors: ServerErrors::parse(body.as_bytes()),
            retry_after: None,
        }
    }

    #[test]
    fn what_passes_is_tried_again() {
        for status in [408, 425, 429, 499, 500, 502, 503, 504, 599] {
            assert!(error(status, "").is_retryable(), "{status}");
        }
        for status in [400, 403, 404, 405, 409, 413, 416, 501, 505] {
            assert!(!error(status, "").is_retryable(), "{status}");
        }
        assert!(error(404, r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"#).is_retryable());
        assert!(error(400, r#"{"errors":[{"code":"DIGEST_INVALID"}]}"#).is_about_content());
    }
}
