//! Why a registry could not be used.

use std::fmt;
use std::io;

use super::ecr::{EcrError, is_ecr};
use super::{Fault, Reference};
use crate::digest::Sha256;
use crate::hints::Hints;

/// Why a registry could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The system gives no threads to talk to registries in.
    #[error("cannot start to talk to registries")]
    Start(#[source] io::Error),
    /// The system's certificates, or its proxy's settings, cannot be used.
    #[error("cannot set up the connections to registries")]
    Client(#[source] reqwest::Error),
    /// Something was tried as often as may help, and failed.
    #[error("cannot {action}{}", attempts_suffix(*.attempts))]
    Failed {
        /// What was tried.
        action: Box<Action>,
        /// How often.
        attempts: u32,
        /// What was wrong, the last time.
        #[source]
        fault: Box<Fault>,
    },
    /// The repository does not exist, and the registry does not create it by itself.
    #[error("the repository {0} does not exist")]
    MissingRepository(String),
    /// The repository could not be created.
    #[error("cannot create the repository {repository}")]
    CreateRepository {
        /// The repository, with its registry.
        repository: String,
        /// Why.
        #[source]
        source: EcrError,
    },
    /// The tag names another manifest, and the registry does not let it be moved.
    #[error("{reference} is immutable: it names {present} and cannot come to name {wanted}")]
    Immutable {
        /// The tag.
        reference: Box<Reference>,
        /// What it names.
        present: Sha256,
        /// What was to be pushed.
        wanted: Sha256,
    },
    /// The artifact is there, but a document about it cannot be attached.
    #[error("{image} is pushed, but not all of the documents about it could be attached")]
    Attach {
        /// The artifact, by its digest.
        image: Box<Reference>,
        /// Why.
        #[source]
        source: Box<RegistryError>,
    },
    /// The tag by which the referrers of a manifest are listed names something else.
    #[error("{0} lists no referrers: it names something that is no image index")]
    NoReferrers(Box<Reference>),
    /// A reference to push to has the digest of something else.
    #[error("{reference} names another manifest than the one to be pushed, which is {actual}")]
    OtherDigest {
        /// The reference.
        reference: Box<Reference>,
        /// The digest of what was to be pushed.
        actual: Sha256,
    },
}

/// What was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// To read the manifest that a reference names, or to find it.
    ReadManifest(Reference),
    /// To read a blob.
    PullBlob {
        /// The repository, with its registry.
        repository: String,
        /// The blob's digest.
        digest: Sha256,
    },
    /// To send a blob.
    PushBlob {
        /// The repository, with its registry.
        repository: String,
        /// The blob's digest.
        digest: Sha256,
    },
    /// To send a manifest.
    PushManifest(Reference),
    /// To list what refers to a manifest.
    ListReferrers(Reference),
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadManifest(reference) => write!(formatter, "read the manifest of {reference}"),
            Self::PullBlob { repository, digest } => write!(formatter, "pull blob {digest} from {repository}"),
            Self::PushBlob { repository, digest } => write!(formatter, "push blob {digest} to {repository}"),
            Self::PushManifest(reference) => write!(formatter, "push the manifest of {reference}"),
            Self::ListReferrers(reference) => write!(formatter, "list what refers to {reference}"),
        }
    }
}

impl Hints for RegistryError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Client(_) => vec!["check SSL_CERT_FILE, HTTPS_PROXY and HTTP_PROXY".to_owned()],
            Self::Failed { fault, .. } => fault.hints(),
            Self::MissingRepository(repository) => {
                let registry = repository.split('/').next().unwrap_or_default();
                vec![match is_ecr(registry) {
                    Some(_) => "create it with --create-repo".to_owned(),
                    None => "create it in the registry, and check its name".to_owned(),
                }]
            }
            Self::CreateRepository { source, .. } => source.hints(),
            Self::Immutable { .. } => vec!["push under another tag".to_owned()],
            Self::Attach { source, .. } => match &**source {
                Self::Failed { fault, .. } if fault.status().is_some_and(|status| status.is_client_error()) => {
                    let without =
                        "the registry may take no manifests with a subject: leave out --sbom and --provenance";
                    fault.hints().into_iter().chain([without.to_owned()]).collect()
                }
                source => source.hints(),
            },
            Self::NoReferrers(_) => vec!["remove the tag, if nothing needs it".to_owned()],
            Self::OtherDigest { .. } => vec!["leave the digest out of the reference".to_owned()],
            Self::Start(_) => Vec::new(),
        }
    }
}

impl RegistryError {
    /// Returns whether the same may go well another time, though nothing is changed here.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Failed { fault, .. } => fault.is_retryable(),
            Self::Attach { source, .. } => source.is_retryable(),
            _ => false,
        }
    }
}

fn attempts_suffix(attempts: u32) -> String {
    if attempts > 1 { format!(", which was tried {attempts} times") } else { String::new() }
}
