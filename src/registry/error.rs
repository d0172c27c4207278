//! Errors of the registry client.

use std::fmt;
use std::io;
use std::path::PathBuf;

use reqwest::StatusCode;

use super::ecr::{EcrError, is_ecr};
use super::{ImageReference, RequestError};
use crate::digest::Sha256;
use crate::hints::Hints;
use crate::retry::attempts_suffix;

/// Why an operation on a registry failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The threads of the client cannot be started.
    #[error("cannot start the threads of the registry client")]
    Start(#[source] io::Error),
    /// The system's certificates, or its proxy's settings, cannot be used.
    #[error("cannot set up the HTTP client for registries")]
    Client(#[source] reqwest::Error),
    /// The configuration of podman or Docker cannot be used.
    #[error("cannot read {}: {reason}", .file.display())]
    Configuration {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration of podman forbids the registry.
    #[error("{repository} is blocked in {}", .file.display())]
    Blocked {
        /// The repository, with its registry.
        repository: String,
        /// The file that blocks it.
        file: PathBuf,
    },
    /// Neither a mirror nor the registry itself has what is pulled.
    #[error("{source}; before, {} could not be used: {}", if .failures.len() == 1 { "its mirror" } else { "its mirrors" }, .failures.join("; "))]
    AfterMirrors {
        /// Why each of the mirrors could not be used.
        failures: Vec<String>,
        /// Why the registry itself could not.
        source: Box<RegistryError>,
    },
    /// A request failed, at all of its attempts.
    #[error("cannot {action}{}", attempts_suffix(*.attempts))]
    Failed {
        /// The operation.
        action: Box<RegistryAction>,
        /// The number of attempts.
        attempts: u32,
        /// The error of the last attempt.
        source: Box<RequestError>,
    },
    /// The repository does not exist, and the registry does not create it on push.
    #[error("the repository {0} does not exist")]
    MissingRepository(String),
    /// The repository cannot be created.
    #[error("cannot create the repository {repository}")]
    CreateRepository {
        /// The repository, with its registry.
        repository: String,
        /// Why.
        #[source]
        source: EcrError,
    },
    /// The tag points to another manifest, and the registry does not allow moving it.
    #[error("the tag {reference} is immutable: it points to {present} and cannot be moved to {wanted}")]
    Immutable {
        /// The tag.
        reference: Box<ImageReference>,
        /// The digest that it points to.
        present: Sha256,
        /// The digest to push.
        wanted: Sha256,
    },
    /// The artifact was pushed, but a referrer cannot be attached.
    #[error("{image} was pushed, but not all of its referrers could be attached")]
    Attach {
        /// The artifact, by its digest.
        image: Box<ImageReference>,
        /// Why.
        #[source]
        source: Box<RegistryError>,
    },
    /// The tag for the list of referrers points to something else.
    #[error("{0} is not a list of referrers, expected an image index")]
    InvalidReferrersTag(Box<ImageReference>),
    /// A reference to push to has the digest of another manifest.
    #[error("the digest in {reference} is not that of the artifact, which is {actual}")]
    DigestMismatch {
        /// The reference.
        reference: Box<ImageReference>,
        /// The digest of the artifact.
        actual: Sha256,
    },
}

/// An operation on a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryAction {
    /// Read the manifest that a reference points to, or its digest.
    ReadManifest(ImageReference),
    /// Pull a blob.
    PullBlob {
        /// The repository, with its registry.
        repository: String,
        /// The blob's digest.
        digest: Sha256,
    },
    /// Push a blob.
    PushBlob {
        /// The repository, with its registry.
        repository: String,
        /// The blob's digest.
        digest: Sha256,
    },
    /// Push a manifest.
    PushManifest(ImageReference),
    /// List the referrers of a manifest.
    ListReferrers(ImageReference),
}

impl fmt::Display for RegistryAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadManifest(reference) => write!(formatter, "read the manifest of {reference}"),
            Self::PullBlob { repository, digest } => write!(formatter, "pull blob {digest} from {repository}"),
            Self::PushBlob { repository, digest } => write!(formatter, "push blob {digest} to {repository}"),
            Self::PushManifest(reference) => write!(formatter, "push the manifest of {reference}"),
            Self::ListReferrers(reference) => write!(formatter, "list the referrers of {reference}"),
        }
    }
}

impl Hints for RegistryError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Client(_) => vec!["check SSL_CERT_FILE, HTTPS_PROXY and HTTP_PROXY".to_owned()],
            Self::Failed { source, .. } => source.hints(),
            Self::MissingRepository(repository) => {
                let registry = repository.split('/').next().unwrap_or_default();
                vec![match is_ecr(registry) {
                    Some(_) => "create it with --create-repo".to_owned(),
                    None => "create it in the registry, or check its name".to_owned(),
                }]
            }
            Self::CreateRepository { source, .. } => source.hints(),
            Self::Immutable { .. } => vec!["push to another tag".to_owned()],
            Self::Attach { source, .. } => match &**source {
                Self::Failed { source, .. } if source.status().is_some_and(|status| status.is_client_error()) => {
                    let without = "the registry may not support referrers: omit --sbom and --provenance";
                    source.hints().into_iter().chain([without.to_owned()]).collect()
                }
                source => source.hints(),
            },
            Self::InvalidReferrersTag(_) => vec!["delete the tag if nothing uses it".to_owned()],
            Self::DigestMismatch { .. } => vec!["omit the digest from the reference".to_owned()],
            Self::Configuration { .. } => vec!["correct the file, which podman or Docker reads, too".to_owned()],
            Self::Blocked { file, .. } => {
                vec![format!("name another registry, or set `blocked = false` in {}", file.display())]
            }
            Self::AfterMirrors { source, .. } => source.hints(),
            Self::Start(_) => Vec::new(),
        }
    }
}

impl RegistryError {
    /// Adds why the mirrors could not be used that were asked before.
    pub(super) fn after_mirrors(self, failures: Vec<String>) -> Self {
        if failures.is_empty() { self } else { Self::AfterMirrors { failures, source: Box::new(self) } }
    }

    /// Tells whether a registry does not have a blob that one of its manifests lists, or has other bytes.
    pub(crate) fn is_lost_blob(&self) -> bool {
        match self {
            Self::Failed { action, source, .. } if matches!(**action, RegistryAction::PullBlob { .. }) => {
                matches!(**source, RequestError::Truncated { .. } | RequestError::Digest { .. })
                    || source.status() == Some(StatusCode::NOT_FOUND)
            }
            Self::AfterMirrors { source, .. } => source.is_lost_blob(),
            _ => false,
        }
    }

    /// Returns whether the same operation may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Failed { source, .. } => source.is_retryable(),
            Self::Attach { source, .. } | Self::AfterMirrors { source, .. } => source.is_retryable(),
            _ => false,
        }
    }
}
