//! What goes wrong in one attempt, and whether another one may help.

use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::client::is_loopback;
use super::credentials::{CredentialsError, one_line};
use super::ecr::is_ecr;
use crate::digest::Sha256;
use crate::hints::Hints;
use crate::image::BlobError;

/// What was wrong in one attempt.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The server answered with an error.
    #[error("{host} answered {status}{answers}")]
    Status {
        /// The server, which may be another one than the registry.
        host: String,
        /// The status.
        status: StatusCode,
        /// Its reasons.
        answers: ServerErrors,
        /// How long to wait before another attempt.
        retry_after: Option<Duration>,
    },
    /// The registry, or the token server that it sends its clients to, does not let us in.
    #[error("{registry} refuses {identity} ({status}{answers})")]
    Refused {
        /// The registry.
        registry: String,
        /// As whom it was asked.
        identity: Identity,
        /// The status.
        status: StatusCode,
        /// Its reasons.
        answers: ServerErrors,
    },
    /// No connection came about, or it broke.
    #[error("the connection to {host} failed")]
    Transport {
        /// The server.
        host: String,
        /// The reason.
        source: reqwest::Error,
    },
    /// Nothing came or went for too long.
    #[error("nothing came from {host} for {} seconds", .limit.as_secs())]
    Stalled {
        /// The server.
        host: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The registry wants a login, but in no way that is known, or to be sent to where it would not be safe.
    #[error("{registry} wants a login, but {reason}")]
    Challenge {
        /// The registry.
        registry: String,
        /// What is wrong with how it asks.
        reason: String,
    },
    /// The token server's answer holds no token.
    #[error("the answer of the token server {host} holds no token")]
    Token {
        /// The token server.
        host: String,
    },
    /// The credentials cannot be had.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The server sends its clients on to an address that cannot be used.
    #[error("{host} sends its clients to another address, which {reason}")]
    Location {
        /// The server.
        host: String,
        /// What is wrong with the address.
        reason: &'static str,
    },
    /// The server gave another part of the blob than it was asked for.
    #[error("{host} gave another part of the blob than it was asked for")]
    Range {
        /// The server.
        host: String,
    },
    /// The body ended early.
    #[error("{host} sent {actual} of {expected} bytes")]
    Truncated {
        /// The server.
        host: String,
        /// The size to come.
        expected: u64,
        /// What came.
        actual: u64,
    },
    /// The body is larger than it may be.
    #[error("{host} sent more than {limit} bytes")]
    TooLarge {
        /// The server.
        host: String,
        /// The size that it may have.
        limit: u64,
    },
    /// The bytes have another digest than they should.
    #[error("{host} has bytes with the digest {actual} where {expected} should be")]
    Digest {
        /// The server.
        host: String,
        /// The digest by which they are known.
        expected: Sha256,
        /// The digest that they have.
        actual: Sha256,
    },
    /// What is no manifest was given for one.
    #[error("{host} gave something that is no manifest of a known media type")]
    NoManifest {
        /// The server.
        host: String,
    },
    /// The blob to be sent cannot be read, or is damaged.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The blob to be sent has another size than its descriptor says.
    #[error("blob {digest} has {actual} bytes, not {expected}")]
    Size {
        /// Its digest.
        digest: Sha256,
        /// The size that the descriptor says.
        expected: u64,
        /// The size that it has.
        actual: u64,
    },
    /// The registry takes chunks only that are too large to be held.
    #[error("{host} takes no chunks of fewer than {size} bytes")]
    ChunkSize {
        /// The registry.
        host: String,
        /// The least size of a chunk.
        size: u64,
    },
    /// What takes the bytes of a blob failed.
    #[error("the blob cannot be written")]
    Output(#[source] io::Error),
}

/// As whom a registry is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// As nobody.
    Anonymous,
    /// As a user.
    User(String),
    /// With an identity token, which names nobody here.
    Token,
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => formatter.write_str("a request without a login"),
            Self::User(name) => write!(formatter, "the user `{name}`"),
            Self::Token => formatter.write_str("the identity token that is stored for it"),
        }
    }
}

/// The reasons that a registry gives for an error
/// ([OCI distribution 1.1, error codes](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes)),
/// without control characters, and cut where they are long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerErrors(Vec<(String, String)>);

impl ServerErrors {
    /// Reads the body of an answer. Bodies in other forms are tolerated: text is taken as it is, HTML left out.
    pub(super) fn parse(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let Ok(document) = serde_json::from_str::<Value>(&text) else {
            let is_shown = !text.trim().is_empty() && !text.trim_start().starts_with('<');
            return Self(is_shown.then(|| (String::new(), shown(&text))).into_iter().collect());
        };
        let field = |error: &Value, name: &str| shown(error.get(name).and_then(Value::as_str).unwrap_or_default());
        let errors = document.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let listed = errors.iter().map(|error| (field(error, "code"), field(error, "message")));
        // Token servers have forms of their own.
        let others = ["details", "error_description", "message", "error"].iter().map(|name| field(&document, name));
        let other = others.map(|message| (String::new(), message)).find(|(_, message)| !message.is_empty());
        Self(match errors {
            [] => other.into_iter().collect(),
            _ => listed.collect(),
        })
    }

    /// Tells whether one of the codes is among the reasons.
    pub(super) fn has(&self, codes: &[&str]) -> bool {
        self.0.iter().any(|(code, _)| codes.contains(&code.as_str()))
    }

    /// Tells whether a message says that something is immutable: some registries have no code for that.
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

/// Returns a server's words as one line, without the queries of addresses: they may hold signatures.
fn shown(text: &str) -> String {
    let word = |word: &str| match (word.find("://"), word.find('?')) {
        (Some(scheme), Some(query)) if scheme < query => word.get(..query).unwrap_or_default().to_owned(),
        _ => word.to_owned(),
    };
    one_line(text).split(' ').map(word).collect::<Vec<_>>().join(" ")
}

impl Fault {
    /// Returns whether another attempt may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Status { status, answers, .. } => {
                is_passing(*status)
                    || answers.has(&["BLOB_UPLOAD_UNKNOWN", "TOOMANYREQUESTS"])
                    || self.is_about_content()
            }
            Self::Transport { source, .. } => !source.is_builder() && !is_about_certificates(source),
            Self::Stalled { .. } | Self::Truncated { .. } => true,
            _ => self.is_about_content(),
        }
    }

    /// Returns whether bytes were altered, on the way or before: once more may help, but not more often.
    pub(super) fn is_about_content(&self) -> bool {
        match self {
            Self::Status { answers, .. } => answers.has(&["DIGEST_INVALID", "SIZE_INVALID", "MANIFEST_INVALID"]),
            Self::Digest { .. } | Self::Token { .. } | Self::NoManifest { .. } => true,
            _ => false,
        }
    }

    /// Returns the status that the registry answered, if it did.
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } | Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Tells whether the registry gives one of these codes as its reason.
    pub(super) fn has_code(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Status { answers, .. } | Self::Refused { answers, .. } if answers.has(codes))
    }

    /// Tells whether a manifest was refused because its tag may not be moved.
    pub(super) fn is_about_immutability(&self) -> bool {
        let codes = ["TAG_INVALID", "ImageTagAlreadyExistsException"];
        match self {
            Self::Status { status, answers, .. } | Self::Refused { status, answers, .. } => {
                matches!(status.as_u16(), 409 | 412) || answers.has(&codes) || answers.are_about_immutability()
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

impl Hints for Fault {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Refused { registry, identity, .. } => refusal_hints(registry, identity),
            Self::Status { status, .. } if is_passing(*status) => vec!["try again later".to_owned()],
            Self::Transport { source, .. } if is_about_certificates(source) => {
                vec!["if the registry has a certificate of an authority of its own, name the authority's file in SSL_CERT_FILE".to_owned()]
            }
            Self::Transport { host, .. } if is_loopback(host) => {
                vec![format!("check that a registry runs and answers on {host}")]
            }
            Self::Transport { host, .. } => vec![format!(
                "check the connection and, behind a proxy, HTTPS_PROXY; if {host} speaks plain HTTP only, add --insecure-registry {host}"
            )],
            Self::Stalled { .. } | Self::Truncated { .. } => vec!["try again later".to_owned()],
            Self::Credentials(error) => error.hints(),
            _ => Vec::new(),
        }
    }
}

/// Tells whether a status says that something is wrong now and may be right later. 499 is a proxy's: the client is said
/// to have gone away.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 499)
        || (status.is_server_error() && !matches!(status.as_u16(), 501 | 505))
}

fn refusal_hints(registry: &str, identity: &Identity) -> Vec<String> {
    let command = match registry {
        "registry-1.docker.io" => "docker login".to_owned(),
        registry => format!("docker login {registry}"),
    };
    match identity {
        _ if is_ecr(registry).is_some() => {
            vec!["check that AWS's credentials may pull from and push to this repository".to_owned()]
        }
        Identity::Anonymous => vec![format!("log in with `{command}`")],
        Identity::User(_) | Identity::Token => {
            vec![format!("check that this login may use the repository, or log in again with `{command}`")]
        }
    }
}

/// Returns whether the server's certificate was refused: it will be the next time.
pub(super) fn is_about_certificates(error: &reqwest::Error) -> bool {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.into_iter().any(|cause| cause.to_string().contains("certificate"))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn what_passes_is_tried_again() {
        let fault = |status: u16, body: &str| Fault::Status {
            host: "host".to_owned(),
            status: StatusCode::from_u16(status).unwrap(),
            answers: ServerErrors::parse(body.as_bytes()),
            retry_after: None,
        };
        for status in [408, 425, 429, 499, 500, 502, 503, 504, 599] {
            assert!(fault(status, "").is_retryable(), "{status}");
        }
        for status in [400, 403, 404, 405, 409, 413, 416, 501, 505] {
            assert!(!fault(status, "").is_retryable(), "{status}");
        }
        assert!(fault(404, r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"#).is_retryable());
        assert!(fault(400, r#"{"errors":[{"code":"DIGEST_INVALID"}]}"#).is_about_content());
    }
}
